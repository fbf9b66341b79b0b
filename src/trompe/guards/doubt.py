"""Doubt: an image that a guard just accepts is named, but not with certainty. Certainty has to be borne by slack."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import level_odds
from trompe.core.types import Classwise, Images, Outputs
from trompe.data import Split
from trompe.guards.combined import slack_of, type_of
from trompe.guards.scale import Parts, own_by_class, own_class
from trompe.guards.types import Stored

CERTAIN = 0.99
"""The confidence that has to be borne."""
ENOUGH = "enough"
"""Among the numbers of a stored guard: it doubts, and this slack is enough."""


@dataclass(frozen=True, eq=False)
class DoubtingGuard:
    """Accepts exactly what its guard accepts, and lets a classifier be only as sure of that as the slack bears.

    The log-odds of a class are at most those of `CERTAIN` where its slack is `enough`, half of that at the guard's
    threshold (90.9 %), and in a straight line between and beyond. So a guard may be strict about what is named with
    certainty without refusing natural images. The ceiling has a gradient for whoever attacks it.

    Attributes:
        guard: That gives the slack.
        enough: Slack from which on a class may be named with `CERTAIN`: one for each class, above 0.
    """

    guard: Stored
    enough: tuple[float, ...]

    @property
    def name(self) -> str:
        """Of the guard, and that it doubts."""
        return f"{self.guard.name} with doubt"

    @property
    def needs(self) -> frozenset[str]:
        """What the guard needs."""
        return self.guard.needs

    @property
    def uses(self) -> frozenset[str]:
        """What the guard uses."""
        return self.guard.uses

    @property
    def layer(self) -> str:
        """Of the guard; "" where it looks at none."""
        return str(getattr(self.guard, "layer", ""))

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """The guard's, shape (n, classes)."""
        return self.guard.slack(outputs, inputs)

    def ceiling(self, slack: Classwise) -> Classwise:
        """The log-odds that each class may have at most, float64, always above 0.

        Args:
            slack: Of this guard. Columns after the classes that it has a bound for are for none of these.

        Returns:
            Shape (n, as many as there are bounds).
        """
        borne = slack[:, : len(self.enough)] / torch.tensor(self.enough, dtype=torch.float64)
        return 0.5 * level_odds(CERTAIN) * (1.0 + borne.clamp(min=0.0))

    def reasons(self, outputs: Outputs, inputs: Images) -> Mapping[str, Classwise]:
        """Those of the guard, by name, each of shape (n, classes) or (n, 1); its slack where it gives none."""
        asked: Callable[[Outputs, Images], Mapping[str, Classwise]] | None = getattr(self.guard, "reasons", None)
        return asked(outputs, inputs) if asked else {self.guard.name: self.slack(outputs, inputs)}

    def fingerprint(self) -> str:
        """sha256 over that of the guard, and what is enough."""
        return hashlib.sha256(f"{self.guard.fingerprint()} {CERTAIN} {self.enough}".encode()).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers, arrays = self.guard.parts()
        return {"inside": {self.guard.name: numbers}, ENOUGH: list(self.enough)}, arrays

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        ((name, own),) = numbers["inside"].items()
        return cls(type_of(name).from_parts(own, arrays), tuple(map(float, numbers[ENOUGH])))


def doubting(guard: Stored, held: Split, outputs: Outputs, labels: int, doubts: float) -> DoubtingGuard:
    """A guard that bears no certainty of that share of natural images.

    Each class has a bound of its own where it has at least ``1 / doubts`` images; otherwise all share one.

    Args:
        guard: Fitted.
        held: Natural images, of every class, that it does not hold on to.
        outputs: Of the classifier, of these images.
        labels: How many classes there are.
        doubts: Share of the images whose slack, asked about their own class, is not enough; those refused among them.

    Raises:
        BadInput: The share is not larger than that of the images that the guard refuses, or is not below 1.
    """
    own = own_class(slack_of(guard, held, outputs), held.classes)
    parts = own_by_class(own, held.classes, labels, doubts)
    enough = [float(part.quantile(doubts)) if 0.0 < doubts < 1.0 else 0.0 for part in parts]
    if min(enough) <= 0.0:
        refused = max(float((part <= 0.0).double().mean()) for part in parts)
        raise BadInput(
            expected=f"a share below 1 and above that of the images that the guard refuses, in a class {refused:.2%}",
            got=f"{doubts:g}",
            where="--doubts",
            do="Doubt more, or allow fewer --false-alarms.",
        )
    return DoubtingGuard(guard, tuple(enough))
