"""How far people agree about what they see, beyond what chance would give."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Agreement:
    """Agreement of several raters on several images.

    Attributes:
        observed: Share of pairs of raters that give an image the same answer, averaged over the images.
        expected: The share that answers drawn by chance, with the same frequencies, would give.
        images: How many images at least two raters answered; the others say nothing about agreement.
    """

    observed: float
    expected: float
    images: int

    @property
    def kappa(self) -> float | None:
        """Fleiss' kappa: 1 for full agreement, 0 for chance; None where everybody gave one and the same answer.

        Chance alone then agrees as well as anybody can, and nothing can be said beyond it.
        """
        return None if self.expected == 1.0 else (self.observed - self.expected) / (1.0 - self.expected)


def fleiss(counts: Sequence[Sequence[int]]) -> Agreement | None:
    """Agreement from counts: how many raters gave image i the answer j.

    Images with fewer than two answers are left out. Where every image has equally many answers this is Fleiss' kappa;
    otherwise each image weighs the same, as Gwet has it.

    Args:
        counts: One row an image, one column an answer, each at least 0.

    Returns:
        None where no image has two answers.

    Example:
        >>> fleiss([[2, 0], [0, 2]]).kappa, fleiss([[1, 1], [1, 1]]).kappa
        (1.0, -1.0)

    Reference: Fleiss 1971; for unequal numbers of answers Gwet 2014.
    """
    rows = [row for row in counts if sum(row) > 1]
    if not rows:
        return None
    observed = sum(_pairs(row) for row in rows) / len(rows)
    used = [[count / sum(row) for count in row] for row in rows]
    mean = [sum(column) / len(rows) for column in zip(*used, strict=True)]
    whole = any(share == 1.0 for share in mean)  # said exactly: rounding must not turn one answer into two
    return Agreement(observed, 1.0 if whole else sum(share * share for share in mean), len(rows))


def _pairs(row: Sequence[int]) -> float:
    """Share of the pairs of answers to one image that are equal."""
    of = sum(row)
    return sum(count * (count - 1) for count in row) / (of * (of - 1))
