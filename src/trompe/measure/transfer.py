"""How many images convince another classifier, with denominators that are fixed before it is asked."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float64
from torch import Tensor

from trompe.core.numerics import level_odds


@dataclass(frozen=True)
class Convinced:
    """What one classifier says of one kind of image.

    Attributes:
        target: The classifier asked.
        fingerprint: Of it.
        method: Of the run the images are from; of natural images, the method whose images they match.
        images: What they are: ``strongest``, ``random``, ``natural``, or ``given``.
        how: How they got the classifier's size: ``same``, ``redrawn`` (painted again), ``resized``, or several.
        of: How many images there are: the denominator of any class.
        comparable: How many of them have a class that the classifier has and that counts there: the denominator of the
            same class.
        same: By level, how many get their own class with that confidence or more.
        any: By level, how many get any class with that confidence or more.
        missing: Classes that the classifier does not have; none is looked for where images have no class.
        spared: Classes of the images that are harmless to the classifier, or its class for none of these.
        source_log_odds: Median log-odds of the images' own classes on the target they were made for; None: not known.
    """

    target: str
    fingerprint: str
    method: str
    images: str
    how: str
    of: int
    comparable: int
    same: dict[float, int]
    any: dict[float, int]
    missing: tuple[str, ...]
    spared: tuple[str, ...]
    source_log_odds: float | None

    def says(self, level: float, *, own: bool) -> str:
        """The count at a level, in words."""
        if own and not self.comparable:
            return "no such class"
        return f"{self.same[level]} of {self.comparable}" if own else f"{self.any[level]} of {self.of}"

    def describe(self) -> dict[str, Any]:
        """Every field by name, JSON-ready; what is not known says so."""
        told = {**vars(self), "missing": list(self.missing), "spared": list(self.spared)}
        for part in ("same", "any"):
            told[part] = {f"{level:g}": count for level, count in getattr(self, part).items()}
        if self.source_log_odds is None:
            told["source_log_odds"] = "not measured"
        return told


def count_same(value: Float64[Tensor, "n classes"], columns: Sequence[int | None], level: float) -> int:
    """How many rows reach the level in their own column; a row without a column is no part of it."""
    odds = level_odds(level)
    return sum(bool(row[column] >= odds) for row, column in zip(value, columns, strict=True) if column is not None)


def count_any(value: Float64[Tensor, "n classes"], columns: Sequence[int], level: float) -> int:
    """How many rows reach the level in some of these columns: those of the classes that count."""
    return int((value[:, list(columns)] >= level_odds(level)).any(1).sum())
