"""From any score to slack: 0 at the threshold, 1 at the median natural input."""

from dataclasses import dataclass
from typing import Self

from jaxtyping import Float64
from torch import Tensor

from trompe.core.errors import BadInput


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
