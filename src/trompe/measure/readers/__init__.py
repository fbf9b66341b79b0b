"""Machine readers: which class can be seen in an image, as told without asking the classifier."""

from trompe.measure.readers.agree import (
    NotMeasured,
    Readability,
    disagreement,
    independent,
    read,
    readable_range,
    reads_by,
)
from trompe.measure.readers.store import load_readers

__all__ = [
    "NotMeasured",
    "Readability",
    "disagreement",
    "independent",
    "load_readers",
    "read",
    "readable_range",
    "reads_by",
]
