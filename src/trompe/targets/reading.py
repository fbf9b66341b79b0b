"""From what a model puts out to logits: what its numbers are is declared, and done in one place."""

import math
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from jaxtyping import Float
from torch import Tensor

from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import Link
from trompe.core.types import Logits

Kind = Literal["logits", "probabilities", "log-probabilities"]
KINDS: tuple[str, ...] = get_args(Kind)

FLOOR = 1e-30
"""Probabilities are taken for at least this, unless the target says that its own are coarser."""

RESOLUTION = 2.0**-25
"""What a float32 probability next to 1 leaves unsaid: where only p is given, 1 - p is known no better than this."""


@dataclass(frozen=True)
class Reading:
    """What a model's outputs are.

    A single output is the second of two classes: [0, z]. Of a probability p the logarithm of max(p, floor) is taken: a
    number rounded to 0 only says that it is small, so confidence has a ceiling, see `ceiling`.

    Attributes:
        kind: What the numbers are.
        link: Whether classes exclude each other (softmax), or each label has a yes or no of its own (independent).
        floor: Least probability that the model's numbers can tell from 0, above 0 and below 0.5.

    Raises:
        BadInput: A value is out of range.

    Example:
        >>> Reading("probabilities").logits(torch.tensor([[0.25]])).exp().tolist()
        [[0.75, 0.25]]
    """

    kind: Kind = "logits"
    link: Link = "softmax"
    floor: float = FLOOR

    def __post_init__(self) -> None:
        if self.kind not in KINDS or self.link not in get_args(Link) or not 0.0 < self.floor < 0.5:
            raise BadInput(
                expected=f"outputs among {', '.join(KINDS)}, link among {', '.join(get_args(Link))}, floor in (0, 0.5)",
                got=f"{self.kind}, {self.link}, {self.floor}",
                where="outputs",
                do="Correct what is declared of the model's outputs.",
            )

    def logits(self, numbers: Float[Tensor, "n outputs"]) -> Logits:
        """Logits, shape (n, classes), for a model's numbers.

        Raises:
            TargetError: Probabilities that are none.
        """
        numbers = numbers if numbers.dtype == torch.float64 else numbers.to(torch.float32)
        if self.kind != "probabilities":
            if self.kind == "log-probabilities" and self.link == "independent":
                wide = numbers.to(torch.float64)
                return wide - self._log_rest(wide.exp())
            single = numbers.shape[1] == 1 and self.link == "softmax"
            if not single:
                return numbers
            if self.kind == "log-probabilities":
                wide = numbers.to(torch.float64)
                return torch.cat([self._log_rest(wide.exp()), wide], 1)
            return torch.cat([torch.zeros_like(numbers), numbers], 1)
        _check_probabilities(numbers)
        wide = numbers.to(torch.float64)
        if self.link == "independent":
            return self._log(wide) - self._log_rest(wide)
        return torch.cat([self._log_rest(wide), self._log(wide)], 1) if wide.shape[1] == 1 else self._log(wide)

    def ceiling(self, classes: int) -> float | None:
        """Log-odds above which these numbers cannot speak; None where nothing bounds them.

        Example:
            >>> round(Reading("probabilities", floor=0.0005).ceiling(10), 2)
            5.4
        """
        if self.kind == "logits" or (self.kind, self.link) == ("log-probabilities", "softmax"):
            return None
        least = max(self.floor, RESOLUTION) if self.link == "independent" else self.floor * max(classes - 1, 1)
        return -math.log(least)

    def _log_rest(self, probability: Tensor) -> Tensor:
        return (1.0 - probability).clamp(min=max(self.floor, RESOLUTION)).log()

    def _log(self, probability: Tensor) -> Tensor:
        return probability.clamp(min=self.floor).log()


def _check_probabilities(numbers: Tensor) -> None:
    bad = (numbers < -1e-6) | (numbers > 1.0 + 1e-4)
    if bool(bad.any()):
        raise TargetError(
            expected="probabilities between 0 and 1, as declared",
            got=f"{numbers[bad][0].item():g}",
            where="the target's outputs",
            do='Declare outputs = "logits", if that is what they are.',
        )
