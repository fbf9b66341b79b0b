"""The grammar of targets: from the text or object that stands for one to the target."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from pathlib import Path

from trompe.core.check import check_name, is_there
from trompe.core.errors import BadInput, TargetError
from trompe.core.types import Target
from trompe.guards.store import GuardCard, check_fits, load_guard, read_card
from trompe.targets.access import Access
from trompe.targets.callables import from_factory, from_object
from trompe.targets.declaration import ENDING, Declaration, read_declaration
from trompe.targets.foreign import check_declared_labels
from trompe.targets.guarded import Guarded
from trompe.targets.preprocessing import PLAIN
from trompe.targets.trained import CARD, load_trained

_WEIGHTS = Path(__file__).parent / "weights"
_ZOOS = ("torchvision", "timm", "hf")
_IMAGENET = ("efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2")
_PICKLES = (".pkl", ".pickle", ".joblib", ".pt", ".pth", ".bin", ".ckpt")
_OTHERS = (".h5", ".keras", ".pb", ".tflite", ".mlmodel", ".engine")

Open = Callable[[str, Declaration], Target]


def bundled_targets() -> dict[str, Path]:
    """The targets that come with trompe, by name, each with its folder."""
    return {card.parent.name: card.parent for card in sorted(_WEIGHTS.glob(f"*/{CARD}"))}


def load_target(what: object, declared: Declaration | None = None, access: Access | None = None) -> Target:
    """The target that a text or an object stands for.

    A text is one of: a bundled name; ``efficientnet-lite0`` to ``-lite2`` (extra ``imagenet``); a folder that `trompe
    train` wrote; a target file ``model.toml``; ``model.onnx``; ``model.skops``; ``http://...`` or ``https://...``;
    ``torchvision:NAME``, ``timm:NAME``, ``hf:ORG/NAME``; ``package.module:factory``, which runs that code. An object is
    a target, a torch module, a fitted estimator, or a callable on arrays. A declared guard stands in front of it.

    Args:
        what: The text, or the object.
        declared: Shape, labels, preprocessing, ...; where a target file is named, that file says them, but for a guard:
            the one that is given here takes the place of the file's.
        access: How often a server may be asked, and what to show it; only matters where TARGET is behind a URL.

    Raises:
        BadInput: No such name; the nearest one is suggested. Or the guard was fitted for another classifier.
        DataError: The guard is missing or damaged.
        TargetError: The model is damaged, is of an unsafe kind, or does not answer as declared.
    """
    declared, name = declared or Declaration(), ""
    if isinstance(what, str | Path) and str(what).lower().endswith(ENDING):
        file, name = read_declaration(Path(what)), Path(what).stem
        check_model(file, str(what))
        guard = declared.guard or file.guard
        declared, what = replace(file, trust=(*file.trust, *declared.trust), guard=guard), file.model
    card = read_card(Path(declared.guard)) if declared.guard else None
    target = _open(what, _looking(replace(declared, guard=""), card), access)
    if name and hasattr(target, "__dataclass_fields__"):
        target = replace(target, name=name)  # type: ignore[type-var]
    return target if card is None else _behind(target, card, Path(declared.guard))


def _looking(declared: Declaration, card: GuardCard | None) -> Declaration:
    """With the inner layer declared that a guard looks at."""
    if card is None or not card.layer or declared.layer == card.layer:
        return declared
    if declared.layer:
        raise BadInput(
            expected=f"the layer {card.layer}, which the guard looks at",
            got=f"layer = {declared.layer!r}",
            where="target file",
            do="Leave the layer out.",
        )
    return replace(declared, layer=card.layer)


def _behind(target: Target, card: GuardCard, folder: Path) -> Target:
    check_fits(card, target, folder)
    return Guarded(target, load_guard(folder, card), str(folder.resolve()))


def _open(what: object, declared: Declaration, access: Access | None) -> Target:
    """What `load_target` gives, without a guard in front of it."""
    if not isinstance(what, str | Path):
        return from_object(what, declared)
    text = str(what)
    if text.lower().startswith(("http://", "https://")):
        from trompe.targets.endpoint import open_endpoint

        return open_endpoint(text, declared, access)
    return _opener(text)(text, declared)


def check_model(declared: Declaration, where: str) -> None:
    """Refuse a target file that names no model, or another target file.

    Raises:
        TargetError: It does.
    """
    if not declared.model or declared.model.lower().endswith(ENDING):
        raise TargetError(
            expected='model = "..." with a model file, URL or name',
            got=repr(declared.model),
            where=where,
            do="Add the line to the target file.",
        )


def lasting(text: str) -> str:
    """A target's text as it holds from any folder: the whole path of what is on disk, names as they are."""
    named = text in bundled_targets() or text in _IMAGENET
    known = named and not is_there(Path(text) / CARD)  # whatever else is called so
    return str(Path(text).resolve()) if is_there(Path(text)) and not known else text


def _opener(text: str) -> Open:
    path = Path(text)
    if is_there(path / CARD) or text in bundled_targets():
        return _open_trained
    if text in _IMAGENET:
        return _lazy("imagenet", "open_efficientnet")
    ending = path.suffix.lower()
    if ending in (".onnx", ".skops"):
        return _lazy(*{".onnx": ("onnx", "open_onnx"), ".skops": ("sklearn", "open_skops")}[ending])
    if ending in _PICKLES or ending in _OTHERS:
        raise _unsafe(text) if ending in _PICKLES else _unknown(text)
    head, colon, _ = text.partition(":")
    if colon and head in _ZOOS:
        return _lazy("zoo", "open_zoo")
    if colon and "/" not in head:
        return from_factory
    known = [*bundled_targets(), *_IMAGENET]
    check_name(
        text, known, "TARGET (a name, a folder of `trompe train`, model.toml, model.onnx, a URL, module:factory)"
    )
    raise AssertionError(text)  # every known name has been met above


def _lazy(module: str, name: str) -> Open:
    opened: Open = getattr(import_module(f"trompe.targets.{module}"), name)
    return opened


def _open_trained(text: str, declared: Declaration) -> Target:
    folder = Path(text)
    found = load_trained(folder, folder.resolve().name, declared.trust) if (folder / CARD).is_file() else None
    target = found or load_trained(bundled_targets()[text], text)
    if declared.preprocessing not in (None, PLAIN):
        raise TargetError(
            expected="no preprocessing: it is inside a network that trompe trained",
            got="one in the target file",
            where=f"TARGET {text}",
            do="Leave [preprocessing] out.",
        )
    check_declared_labels(declared, target.labels)
    return replace(target, declared=declared.completed(target.declared))


def _unsafe(text: str) -> TargetError:
    return TargetError(
        expected="a model file that runs no code when it is opened: .onnx, .skops or safetensors",
        got="a pickle",
        where=f"TARGET {text}",
        do="Export the model to ONNX, or name a function that loads it: package.module:factory.",
    )


def _unknown(text: str) -> TargetError:
    return TargetError(
        expected="an ONNX file, a target file, a URL or package.module:factory",
        got=f"a {Path(text).suffix} file",
        where=f"TARGET {text}",
        do="Export the model to ONNX, or wrap it: package.module:factory.",
    )
