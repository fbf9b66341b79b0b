"""Readers on disk: one folder each, with what was measured of them beside."""

import json
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save

from trompe.core.errors import BadInput, DataError
from trompe.core.types import Reader
from trompe.data import Split
from trompe.densities.damage import damaged
from trompe.densities.mosaic import fits, read_mosaic, write_mosaic
from trompe.measure.readers.dense import Coders, Kernels
from trompe.measure.readers.neighbours import Neighbours
from trompe.measure.readers.parts import Parts
from trompe.measure.readers.reader import Evidence, MachineReader
from trompe.measure.readers.rule import Rule

KINDS: dict[str, type[Evidence]] = {kind.name: kind for kind in (Kernels, Coders, Neighbours, Parts)}
"""Every kind of reader, by name."""
CARD, CALIBRATION = "reader.json", "calibration.json"
SHIPPED = Path(__file__).parent / "shipped"
_LEAST_SENSITIVITY, _LEAST_SPECIFICITY = 0.8, 0.95


def save_known(folder: Path, known: Split) -> None:
    """Write the known images that readers share: ``known.png`` and ``known.safetensors`` (their classes).

    Images that are too many for a picture are in the latter.
    """
    arrays = {"classes": known.classes.to(torch.int32)}
    if fits(known.images):
        write_mosaic(folder / "known.png", known.images)
    else:
        arrays["images"] = known.images.contiguous()
    (folder / "known.safetensors").write_bytes(save(arrays))


def _known(folder: Path) -> Split:
    try:
        arrays = load_file(folder / "known.safetensors")
        images = arrays["images"] if "images" in arrays else read_mosaic(folder / "known.png")
        return Split(images, arrays["classes"].long())
    except DataError:
        raise
    except (OSError, SafetensorError, KeyError) as cause:
        raise damaged(folder, "known images", cause) from cause


def save_reader(folder: Path, reader: MachineReader) -> None:
    """Write a reader's files into a folder of its own below this one."""
    own = folder / reader.name
    own.mkdir(parents=True, exist_ok=True)
    reader.basis.save(own)
    card = {"name": reader.name, "labels": reader.labels, "shape": reader.shape, "data": reader.data}
    text = json.dumps({**card, "rule": reader.rule.to_json()}, indent=2, ensure_ascii=False)
    (own / CARD).write_text(text + "\n", encoding="utf-8")


def stored_readers(folder: Path) -> tuple[MachineReader, ...]:
    """Every reader in a folder, whatever was measured of it, in the order of `KINDS`.

    Raises:
        DataError: A file is missing or damaged.
    """
    measured = _calibration(folder)
    names = [name for name in KINDS if (folder / name / CARD).exists()]
    known = _known(folder) if names else None
    return tuple(_stored(folder / name, KINDS[name], known, measured.get(name, {})) for name in names if known)


def load_readers(labels: Sequence[str], shape: tuple[int, int, int], folder: Path | None = None) -> tuple[Reader, ...]:
    """The readers for images of these classes and this shape that proved fit to read when they were calibrated.

    Args:
        labels: Of the target, in its order.
        shape: Channels, height, width.
        folder: That `trompe train readers` wrote; by default the readers that come with trompe.

    Returns:
        One after the other, in a fixed order; none where trompe has none for these images.

    Raises:
        BadInput: The folder's readers are for other images, or none of them is fit to read; why is in the message.
        DataError: A file is missing or damaged.
    """
    if folder is None:
        return _shipped(SHIPPED, tuple(labels), tuple(shape))
    readers = stored_readers(folder)
    for reader in readers:
        _check_same(reader, tuple(labels), tuple(shape), folder)
    fit = tuple(reader for reader in readers if unfit(reader) is None)
    if fit:
        return fit
    raise BadInput(
        expected="a folder with readers that are fit to read",
        got="; ".join(str(unfit(reader)) for reader in readers) or "none",
        where=f"readers in {folder}",
        do="Fit readers to your images with `trompe train readers --images FOLDER`.",
    )


@lru_cache(maxsize=2)
def _shipped(folder: Path, labels: tuple[str, ...], shape: tuple[int, ...]) -> tuple[Reader, ...]:
    """Those that come with trompe; kept, since each looks at its known images once, which takes seconds."""
    for place in sorted(path for path in folder.iterdir() if path.is_dir()):
        cards = sorted(place.glob(f"*/{CARD}"))
        if cards and _knows(cards[0]) == (labels, shape):
            return tuple(reader for reader in stored_readers(place) if unfit(reader) is None)
    return ()


def unfit(reader: MachineReader) -> str | None:
    """Why a reader may not judge, as a sentence; None where it may.

    It must have been calibrated, see the right class in most real images, and see nothing in nearly all noise: one that
    always says yes would make every picture readable.
    """
    measured = reader.calibration
    if not measured:
        return f"The reader {reader.name} was never calibrated"
    if measured["sensitivity"] < _LEAST_SENSITIVITY:
        return f"The reader {reader.name} reads only {100 * measured['sensitivity']:.1f} % of real images as themselves"
    if measured["specificity"] < _LEAST_SPECIFICITY:
        return f"The reader {reader.name} reads {100 - 100 * measured['specificity']:.1f} % of noise as something"
    return None


def _knows(path: Path) -> tuple[tuple[str, ...], tuple[int, ...]]:
    try:
        card = json.loads(path.read_text(encoding="utf-8"))
        return tuple(card["labels"]), tuple(card["shape"])
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise damaged(path.parent, "a reader", cause) from cause


def _calibration(folder: Path) -> dict[str, Any]:
    try:
        text = (folder / CALIBRATION).read_text(encoding="utf-8")
        found: dict[str, Any] = json.loads(text)["readers"]
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise damaged(folder, "a calibration", cause) from cause
    return found


def _stored(folder: Path, kind: type[Evidence], known: Split, measured: dict[str, Any]) -> MachineReader:
    try:
        card = json.loads((folder / CARD).read_text(encoding="utf-8"))
        channels, height, width = map(int, card["shape"])
        rule, labels = Rule.from_json(card["rule"]), tuple(card["labels"])
        return MachineReader(kind.load(folder, known), rule, labels, (channels, height, width), card["data"], measured)
    except DataError:
        raise
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise damaged(folder, "a reader", cause) from cause


def _check_same(reader: Reader, labels: tuple[str, ...], shape: tuple[int, ...], folder: Path) -> None:
    if (reader.labels, reader.shape) == (labels, shape):
        return
    raise BadInput(
        expected=f"readers of images of shape {shape} with {len(labels)} classes, {', '.join(labels[:3])}, ...",
        got=f"readers of shape {reader.shape} with {len(reader.labels)}, {', '.join(reader.labels[:3])}, ...",
        where=f"readers in {folder}",
        do="Name readers that were fitted to images like those of the target.",
    )
