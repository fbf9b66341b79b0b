"""A folder of labelled images as a data set: one folder a class, split once and for all."""

from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import torch
from PIL import Image

from trompe.core.check import check_name
from trompe.core.errors import BadInput, DataError
from trompe.core.seeds import Stream
from trompe.core.specs import UNREADABLE
from trompe.data.dataset import NAMES, Dataset, Split, load
from trompe.data.folders import Photographs, image_files, listed, read_photographs

_LEAST = 3
"""Images a class: one to train on, one to choose on, one to test on."""
_NAME_ONE = "Name a folder with a folder a class."


def load_any(name: str, shape: tuple[int, int, int] | None = None) -> Dataset:
    """A data set by its name, or the one in a folder of images.

    Args:
        name: One of `NAMES`, or the path of a folder with one folder of images for each class.
        shape: Channels, height, width to bring a folder's images to; by default those of its first.

    Raises:
        BadInput: Neither a name nor a folder, or as for `load_folder`.
        DataError: The data cannot be had or read.
    """
    if name in NAMES:
        return load(name)
    if not Path(name).is_dir():
        check_name(name, NAMES, "--data (a name, or a folder with a folder for each class)")
    return load_folder(Path(name), shape)


def load_folder(folder: Path, shape: tuple[int, int, int] | None = None, option: str = "--data") -> Dataset:
    """A folder of labelled images as a data set, its classes named after the folders in it, in alphabetical order.

    Of each class a tenth of the images is to choose on, a tenth to test on (at least one each), the others to train
    on. The split depends on the order of the files' paths alone.

    Args:
        folder: With one folder for each class in it.
        shape: Channels, height, width to bring images to; by default those of the first one, grey or colour.
        option: Of the command, that named it.

    Raises:
        BadInput: As for `check_folder`, or images that are all of one grey.
        DataError: An image cannot be read.
    """
    labels = check_folder(folder, option)
    found = read_photographs(folder, labels, shape or _first_shape(folder, labels))
    if int(found.images.amin()) == int(found.images.amax()):
        raise _refused(folder, "images that differ", "one grey everywhere", option)
    parts = _parts(found)
    return Dataset(str(folder), labels, *(Split(found.images[rows], found.classes[rows]) for rows in parts))


def check_folder(folder: Path, option: str = "--data") -> tuple[str, ...]:
    """That a folder can be learnt from, as far as can be told without opening an image.

    Args:
        folder: With one folder for each class in it.
        option: Of the command, that named it.

    Returns:
        The names of the classes, in alphabetical order.

    Raises:
        BadInput: Fewer than two classes, or fewer than three images of one.
        DataError: The folder cannot be read.
    """
    parts = listed(folder, option, _NAME_ONE)
    labels = tuple(part.name for part in parts if part.is_dir() and part.name[0] != ".")
    if len(labels) < 2:
        raise _refused(folder, "at least two folders of images, one a class", str(len(labels)), option)
    counts = Counter(column for _, column in image_files(folder, labels))
    few = [label for i, label in enumerate(labels) if counts[i] < _LEAST]
    if few:
        raise _refused(folder, f"at least {_LEAST} images of each class", f"fewer of {', '.join(few[:12])}", option)
    return labels


def _parts(found: Photographs) -> list[torch.Tensor]:
    """Rows to train on, to choose on, to test on: disjoint, ascending, with images of every class in each."""
    shuffled = Stream(0, "data/folder", 0).uniform(len(found)).argsort(stable=True)
    parts: list[list[torch.Tensor]] = [[], [], []]
    for label in range(int(found.classes.max()) + 1):
        rows = shuffled[found.classes[shuffled] == label]
        tenth = max(1, len(rows) // 10)
        for part, own in zip(parts, rows.split([len(rows) - 2 * tenth, tenth, tenth]), strict=True):
            part.append(own)
    return [torch.cat(part).sort().values for part in parts]


def _first_shape(folder: Path, labels: Sequence[str]) -> tuple[int, int, int]:
    first = image_files(folder, labels)[0][0]
    try:
        with Image.open(first) as image:
            return (1 if image.mode in ("1", "L", "I;16", "I", "F") else 3, image.height, image.width)
    except UNREADABLE as cause:
        raise DataError(
            expected="an image that can be read", got=str(cause), where=str(first), do="Remove or repair the file."
        ) from cause


def _refused(folder: Path, expected: str, got: str, option: str) -> BadInput:
    return BadInput(expected=expected, got=got, where=f"{option} {folder}", do=_NAME_ONE)
