"""A guard on disk: a card, its arrays, and its images as a picture; it needs nothing of what it was fitted to."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from trompe.core.check import check_name
from trompe.core.errors import BadInput, DataError
from trompe.core.types import Guard, Target
from trompe.densities.mosaic import fits, read_mosaic, write_mosaic
from trompe.guards.combined import type_of
from trompe.guards.doubt import ENOUGH, DoubtingGuard
from trompe.guards.types import AND, TYPES, Stored

CARD = "guard.json"
_ARRAYS, _FORMAT = "guard.safetensors", 1


@dataclass(frozen=True)
class GuardCard:
    """What is known of a stored guard.

    Attributes:
        kind: A key of `TYPES`, or several that must all accept, joined by ``+``; of one that doubts, the guard inside.
        labels: Of the classifier, in its order.
        shape: Of the images: channels, height, width.
        link: Of the classifier.
        layer: Name of the inner layer that it looks at; "" for none.
        target: Name of the classifier that it was fitted to.
        model: Fingerprint of that classifier; "" where the guard does not look at it, and any will do.
        numbers: What the guard is made of, beside arrays.
        fingerprint: Of the guard.
        measured: What was measured on natural images that it was not fitted to, JSON-ready.
        command: That fitted it.
        versions: Of what fitted it.
    """

    kind: str
    labels: tuple[str, ...]
    shape: tuple[int, ...]
    link: str
    layer: str
    target: str
    model: str
    numbers: Mapping[str, Any]
    fingerprint: str
    measured: Mapping[str, Any] = field(default_factory=dict)
    command: str = ""
    versions: Mapping[str, str] = field(default_factory=dict)


def card_of(guard: Stored, target: Target, measured: Mapping[str, Any], command: str, versions: Mapping[str, str]
            ) -> GuardCard:  # fmt: skip
    """The card of a guard that was fitted to a target."""
    looks = bool(guard.needs & {"logits", "features"})
    inner = guard.guard if isinstance(guard, DoubtingGuard) else guard
    return GuardCard(
        inner.name, target.labels, tuple(target.spec.shape), target.link, getattr(guard, "layer", ""), target.name,
        target.fingerprint() if looks else "", guard.parts()[0], guard.fingerprint(), measured, command, versions,
    )  # fmt: skip


def save_guard(folder: Path, guard: Stored, card: GuardCard) -> None:
    """Write ``guard.json``, ``guard.safetensors`` and a picture for each array of images, into a folder that exists.

    The card is written last: a folder with a card is whole.
    """
    plain = {}
    for name, array in guard.parts()[1].items():
        if array.dtype == torch.uint8 and array.ndim == 4 and fits(array):
            write_mosaic(folder / f"{name}.png", array)
        else:
            plain[name] = array.detach().contiguous()
    if plain:
        (folder / _ARRAYS).write_bytes(save(plain))
    text = json.dumps({"format": _FORMAT, **vars(card)}, indent=2, ensure_ascii=False, allow_nan=False)
    (folder / CARD).write_text(text + "\n", encoding="utf-8")


def read_card(folder: Path) -> GuardCard:
    """The card in a guard's folder.

    Raises:
        DataError: There is none, it is damaged, or it was written by another version.
        BadInput: It is of an unknown kind.
    """
    try:
        content = json.loads((folder / CARD).read_text(encoding="utf-8"))
        if content.pop("format") != _FORMAT:
            raise ValueError("another format")
        shape = tuple(map(int, content.pop("shape")))
        card = GuardCard(labels=tuple(content.pop("labels")), shape=shape, **content)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as cause:
        raise _damaged(folder, cause) from cause
    for kind in card.kind.split(AND):
        check_name(kind, TYPES, f"guard {folder}")
    return card


def load_guard(folder: Path, card: GuardCard | None = None) -> Guard:
    """The guard in a folder; the images it was fitted to are not needed.

    Args:
        folder: That `save_guard` wrote.
        card: Where it has been read before.

    Raises:
        DataError: A file is missing, damaged, or does not give the guard that the card says.
    """
    card = card or read_card(folder)
    try:
        arrays = load_file(folder / _ARRAYS) if (folder / _ARRAYS).exists() else {}
        arrays |= {path.stem: read_mosaic(path) for path in sorted(folder.glob("*.png"))}
        kind = DoubtingGuard if ENOUGH in card.numbers else type_of(card.kind)
        guard = kind.from_parts(card.numbers, arrays)
        found = guard.fingerprint()
    except (OSError, SafetensorError, KeyError, TypeError, ValueError, IndexError, RuntimeError) as cause:
        raise _damaged(folder, cause) from cause
    if found != card.fingerprint:
        raise DataError(
            expected=f"the guard with fingerprint {card.fingerprint[:12]} that its card says",
            got=f"fingerprint {found[:12]}",
            where=f"guard {folder}",
            do="Its files were changed: fit it again with `trompe guard`.",
        )
    return guard


def check_fits(card: GuardCard, target: Target, folder: Path) -> None:
    """Refuse a guard that was fitted for another kind of classifier.

    Raises:
        BadInput: Labels, shape or link are others; or the guard looks at the classifier, and that is another one.
    """
    same = (tuple(target.labels), tuple(target.spec.shape), target.link) == (card.labels, card.shape, card.link)
    if same and card.model in ("", target.fingerprint()):
        return
    if same:
        expected, got = (
            f"the classifier {card.target}, {card.model[:12]}",
            f"{target.name}, {target.fingerprint()[:12]}",
        )
    else:
        expected = _kind(card.labels, card.shape, card.link)
        got = _kind(target.labels, target.spec.shape, target.link)
    kinds = card.kind.replace(AND, " --also ")
    raise BadInput(
        expected=f"a guard that was fitted for {got}",
        got=f"one for {expected}",
        where=f"guard {folder}",
        do=f"Fit one: trompe guard {target.name} --kind {kinds} --images FOLDER --out GUARD.",
    )


def _kind(labels: tuple[str, ...], shape: tuple[int, ...], link: str) -> str:
    return f"{len(labels)} classes {', '.join(labels[:3])}, ... of images {' x '.join(map(str, shape))}, {link}"


def _damaged(folder: Path, cause: BaseException) -> DataError:
    missing = not (folder / CARD).exists()
    return DataError(
        expected="a folder that `trompe guard` wrote, whole",
        got="one without a guard.json" if missing else f"{type(cause).__name__} ({cause})",
        where=f"guard {folder}",
        do="Name the guard's folder, or fit it again with `trompe guard`.",
    )
