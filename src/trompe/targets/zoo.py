"""Networks by name from torchvision, timm and transformers, whose own libraries fetch the weights."""

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module
from types import ModuleType
from typing import Any

from trompe.core.errors import TargetError
from trompe.core.types import Target
from trompe.targets.declaration import Declaration
from trompe.targets.preprocessing import Preprocessing
from trompe.targets.torch import from_module

_PACKAGES = {"torchvision": "torchvision", "timm": "timm", "hf": "transformers"}


def open_zoo(text: str, declared: Declaration) -> Target:
    """The network that ``torchvision:NAME``, ``timm:NAME`` or ``hf:ORG/NAME`` stands for.

    Shape, labels and preprocessing are those that the library states with the weights, where nothing is declared.

    Raises:
        TargetError: The library is missing or broken here, it has no such network, or its weights cannot be had.
    """
    zoo, _, name = text.partition(":")
    library = _library(zoo, text)
    try:
        net, known = _OPENERS[zoo](library, name)
    except Exception as cause:  # unknown name, no network, damaged cache: each library has its own errors
        raise TargetError(
            expected=f"a classifier that {_PACKAGES[zoo]} knows, with weights that it can fetch",
            got=" ".join(f"{type(cause).__name__}: {cause}".split())[:300],
            where=f"TARGET {text}",
            do="Check the name, and that the weights are in the library's cache or there is a network.",
        ) from cause
    return from_module(text, net.eval().requires_grad_(requires_grad=False), declared, known)


def _library(zoo: str, text: str) -> ModuleType:
    try:
        return import_module(_PACKAGES[zoo])
    except Exception as cause:  # torchvision beside another torch than its own fails in ways of its own
        raise TargetError(
            expected=f"{_PACKAGES[zoo]}, importable beside this torch",
            got=" ".join(f"{type(cause).__name__}: {cause}".split())[:300],
            where=f"TARGET {text}",
            do=f"pip install {_PACKAGES[zoo]} in the version that belongs to the installed torch.",
        ) from cause


def _torchvision(library: Any, name: str) -> tuple[Any, Declaration]:
    weights = library.models.get_model_weights(name).DEFAULT
    net = library.models.get_model(name, weights=weights)
    steps = weights.transforms()
    (side,) = set(steps.crop_size)
    plain = Preprocessing(mean=tuple(steps.mean), std=tuple(steps.std), fit="centre")
    labels = tuple(weights.meta["categories"])
    if name == "alexnet":  # as Nguyen 2015 asked it: ten crops of a 256 x 256 image; the numbers are these weights' own
        ten = replace(plain, size=(side, side), crop="ten")
        return net, Declaration(shape=(3, 256, 256), labels=labels, preprocessing=ten)
    return net, Declaration(shape=(3, side, side), labels=labels, preprocessing=plain)


def _timm(library: Any, name: str) -> tuple[Any, Declaration]:
    net = library.create_model(name, pretrained=True)
    facts = library.data.resolve_model_data_config(net)
    labels = library.data.ImageNetInfo().label_descriptions() if net.num_classes == _IMAGENET else ()
    preprocessing = Preprocessing(mean=tuple(facts["mean"]), std=tuple(facts["std"]), fit="centre")
    return net, Declaration(shape=tuple(facts["input_size"]), labels=tuple(labels), preprocessing=preprocessing)


def _transformers(library: Any, name: str) -> tuple[Any, Declaration]:
    net = library.AutoModelForImageClassification.from_pretrained(name, use_safetensors=True)
    facts = library.AutoImageProcessor.from_pretrained(name)
    size = facts.crop_size if getattr(facts, "do_center_crop", False) else facts.size
    height, width = (size.get(key) or size.get("shortest_edge") for key in ("height", "width"))
    scale = facts.rescale_factor * 255.0 if facts.do_rescale else 255.0
    mean, std = (facts.image_mean, facts.image_std) if facts.do_normalize else ((0.0,), (1.0,))
    labels = tuple(label for _, label in sorted((int(i), label) for i, label in net.config.id2label.items()))
    preprocessing = Preprocessing(range=(0.0, scale), mean=tuple(mean), std=tuple(std), fit="centre")
    return net, Declaration(shape=(net.config.num_channels, height, width), labels=labels, preprocessing=preprocessing)


_IMAGENET = 1000
_OPENERS: dict[str, Callable[[Any, str], tuple[Any, Declaration]]] = {
    "torchvision": _torchvision, "timm": _timm, "hf": _transformers,
}  # fmt: skip
