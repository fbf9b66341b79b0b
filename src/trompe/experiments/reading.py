"""Whether a person could read an image: asked of readers where there are any; otherwise not measured."""

from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

import torch

from trompe.core.numerics import from_levels
from trompe.core.types import Levels, Reader
from trompe.measure.readers import NotMeasured, Readability, load_readers, readable_range, reads_by

NO_READERS = "no readers are installed: readability is not measured"


def readers(labels: Sequence[str], shape: tuple[int, int, int]) -> tuple[Reader, ...]:
    """The readers that come with trompe for these classes and images; none where there are none."""
    return _loaded(tuple(labels), shape)


@cache  # the first question to a reader takes seconds
def _loaded(labels: tuple[str, ...], shape: tuple[int, int, int]) -> tuple[Reader, ...]:
    return load_readers(labels, shape)


def read(labels: Sequence[str], levels: Levels) -> dict[str, Any]:
    """What every reader sees in images of these classes: their names, and a row each; JSON-ready."""
    channels, height, width = levels.shape[1:]
    found = readers(labels, (channels, height, width))
    return {"readers": [reader.name for reader in found], "reads": reads_by(found, from_levels(levels)).tolist()}


def seen(told: Mapping[str, Any], classes: Sequence[int]) -> Readability | None:
    """Of images of these classes, one each, how they were read; None where nobody could say.

    Args:
        told: From `read`; image c was made for class c.
        classes: Which of the images.
    """
    if not told["reads"]:
        return None
    found = readable_range(torch.tensor(told["reads"])[:, list(classes)], torch.tensor(classes).long())
    return None if isinstance(found, NotMeasured) else found


def read_by_all(told: Mapping[str, Any]) -> float | None:
    """Share of images that every reader reads; None where nobody could say.

    Args:
        told: From `read`; image c was made for class c.
    """
    found = seen(told, range(len(told["reads"][0]))) if told["reads"] else None
    return found.readable[0] / found.of if found else None


def readable(found: Sequence[Reader], levels: Levels, classes: Sequence[int]) -> float:
    """Share of images in which every reader sees the class that each was made for.

    Args:
        found: At least one.
        levels: Bytes, shape (n, channels, height, width).
        classes: Of each image, as the readers number them.
    """
    scores = [reader.scores(from_levels(levels)) for reader in found]
    seen = [all(int(score[i].argmax()) == column and float(score[i].max()) >= 0.0 for score in scores)
            for i, column in enumerate(classes)]  # fmt: skip
    return sum(seen) / len(seen)
