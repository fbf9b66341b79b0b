"""Whether a person could read an image: asked of readers where there are any; otherwise not measured."""

from collections.abc import Sequence
from importlib import import_module
from importlib.util import find_spec
from typing import Any

from trompe.core.numerics import from_levels
from trompe.core.types import Levels, Reader

_MODULE = "trompe.measure.readers"
NO_READERS = "no readers are installed: readability is not measured"


def readers(labels: Sequence[str], shape: tuple[int, int, int]) -> tuple[Reader, ...]:
    """The readers that come with trompe for these classes and images; none where there are none."""
    if find_spec(_MODULE) is None:
        return ()
    module: Any = import_module(_MODULE)
    found: tuple[Reader, ...] = module.load_readers(tuple(labels), shape)
    return found


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
