"""From any score to slack: 0 at the threshold, 1 at the median natural input."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.types import Classwise, Rows

Parts = tuple[dict[str, Any], dict[str, Tensor]]
"""What a guard is made of: numbers and names, JSON-ready, and arrays."""


@dataclass(frozen=True)
class Scale:
    """Two scores that slack is measured between; higher scores are more natural.

    Attributes:
        threshold: The score from which on an input is accepted: its slack is 0.
        median: The score of the median natural input: its slack is 1.

    Raises:
        BadInput: The median is not above the threshold.

    Example:
        >>> import torch
        >>> scores = torch.arange(101, dtype=torch.float64)
        >>> scale = Scale.of(scores, false_alarms=0.1)
        >>> scale.threshold, scale.median, scale.slack(torch.tensor([0.0, 10.0, 50.0])).tolist()
        (10.0, 50.0, [-0.25, 0.0, 1.0])
    """

    threshold: float
    median: float

    def __post_init__(self) -> None:
        if not self.threshold < self.median:
            raise BadInput(
                expected="scores of natural inputs whose median is above the threshold",
                got=f"median {self.median:g}, threshold {self.threshold:g}",
                where="guard",
                do="Fit it on natural inputs that are not all alike, with less than half of them false alarms.",
            )

    @classmethod
    def of(cls, scores: Float64[Tensor, " n"], false_alarms: float) -> Self:
        """The scale on which this share of natural inputs is refused, by their scores.

        Raises:
            BadInput: The share is not above 0 and below one half, or the scores do not tell inputs apart.
        """
        if not 0.0 < false_alarms < 0.5 or not len(scores):
            raise BadInput(
                expected="natural inputs, and a share of false alarms above 0 and below 0.5",
                got=f"{len(scores)} inputs, {false_alarms:g}",
                where="guard",
                do="Give for example 0.01.",
            )
        return cls(float(scores.quantile(false_alarms)), float(scores.quantile(0.5)))

    def slack(self, scores: Tensor) -> Tensor:
        """Scores on this scale; of any shape."""
        return (scores - self.threshold) / (self.median - self.threshold)


def on_scales(scores: Classwise, scales: Sequence[Scale]) -> Classwise:
    """Every class's scores on its own scale, shape (n, classes); scores of shape (n, 1) are those of every class."""
    low = torch.tensor([scale.threshold for scale in scales], dtype=torch.float64)
    middle = torch.tensor([scale.median for scale in scales], dtype=torch.float64)
    return (scores.to(torch.float64) - low) / (middle - low)


def own_class(scores: Classwise, classes: Rows) -> Float64[Tensor, " n"]:
    """Of each input the score of its class; of scores of shape (n, 1) the only one. Without a gradient."""
    own = scores[:, 0] if scores.shape[1] == 1 else scores.gather(1, classes.unsqueeze(1)).squeeze(1)
    return own.detach().to(torch.float64)


def scales_of(scores: Classwise, classes: Rows, labels: int, false_alarms: float) -> tuple[Scale, ...]:
    """A scale for every class from natural inputs, asked about their own classes.

    Each class has its own where it has at least ``1 / false_alarms`` inputs; otherwise all share one, since so few say
    nothing of so rare an event.

    Args:
        scores: Shape (n, labels), or (n, 1) where the score is blind to the class: then there is one scale.
        classes: Int64, shape (n,).
        labels: How many classes there are.
        false_alarms: Share of the inputs that is refused.

    Raises:
        BadInput: The share is out of range, or the scores do not tell inputs apart.
    """
    own = own_class(scores, classes)
    if scores.shape[1] == 1:
        return (Scale.of(own, false_alarms),) * labels
    return tuple(Scale.of(part, false_alarms) for part in own_by_class(own, classes, labels, false_alarms))


def own_by_class(own: Float64[Tensor, " n"], classes: Rows, labels: int, share: float) -> list[Tensor]:
    """The scores of each class, to part a share off; those of all where some class has too few for that."""
    parts = [own[classes == c] for c in range(labels)]
    return [own] * labels if min(map(len, parts)) * share < 1.0 else parts


def scales_from(numbers: Sequence[Sequence[float]]) -> tuple[Scale, ...]:
    """Scales from pairs of threshold and median."""
    return tuple(Scale(float(low), float(middle)) for low, middle in numbers)


def scale_numbers(scales: Sequence[Scale]) -> list[list[float]]:
    """Pairs of threshold and median, from which `scales_from` makes equal scales."""
    return [[scale.threshold, scale.median] for scale in scales]
