"""A guard in front of a classifier: both together are a target, so that every attack on it is an attack on both."""

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import limit_odds
from trompe.core.types import Guard, Images, Outputs, Target
from trompe.guards.doubt import DoubtingGuard
from trompe.targets import ready
from trompe.targets.declaration import Declaration
from trompe.targets.foreign import ForeignTarget

LEAST = -1e4
"""Slack is not let below this: a guard that says -infinity where it refuses leaves nothing to climb, and is exposed by
`trompe.verbs.probe`, but must not break a search."""


@dataclass(frozen=True, eq=False)
class Guarded:
    """A target behind a guard. Logits are the target's; slack is the guard's, or the target's own where that is less.

    Logits are limited where the guard doubts. Gradients flow through both. Any engine may compute the target; the
    guard is computed by torch.

    Attributes:
        target: The classifier.
        guard: Asked about its outputs and inputs.
        file: Folder of the guard, where it came from one.

    Raises:
        TargetError: The guard needs something that this classifier does not give.
    """

    target: Target
    guard: Guard
    file: str = ""

    def __post_init__(self) -> None:
        gives = given_by(self.target)
        lacking = sorted(self.guard.needs - gives)
        if lacking:
            raise TargetError(
                expected=f"a classifier that gives {' and '.join(sorted(self.guard.needs))}",
                got=f"one that gives {', '.join(sorted(gives))}, but no {' and no '.join(lacking)}",
                where=f"guard {self.guard.name} of target {self.target.name}",
                do="Name a torch module, for features with a declared layer, or choose another guard.",
            )

    @property
    def name(self) -> str:
        """Target and guard."""
        return f"{self.target.name} behind {self.guard.name}"

    @property
    def spec(self) -> Any:
        """The target's own."""
        return self.target.spec

    @property
    def labels(self) -> tuple[str, ...]:
        """The target's own."""
        return self.target.labels

    @property
    def link(self) -> Literal["softmax", "independent"]:
        """The target's own."""
        return self.target.link

    @property
    def mean_image(self) -> Tensor | None:
        """The target's own, where it is known."""
        mean: Tensor | None = getattr(self.target, "mean_image", None)
        return mean

    @property
    def declared(self) -> Declaration:
        """The target's own, with this guard where it came from a file."""
        own = ready.declared_of(self.target)
        return replace(own, guard=self.file) if self.file else own

    @property
    def line(self) -> Any:
        """The target's own, where it is behind one to a server."""
        return getattr(self.target, "line", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """The target's own."""
        return tuple(getattr(self.target, "notes", ()))

    @property
    def rows(self) -> int:
        """The target's own."""
        return int(getattr(self.target, "rows", 1))

    def judge(self, inputs: Images) -> Outputs:
        """The target's logits, no surer than a guard that doubts lets it be, and how far inside each class is.

        Raises:
            BadInput: Not float32 in [0, 1] of the target's shape.
            TargetError: The guard gives slack of another shape, or not a number.
        """
        outputs = self.target.judge(inputs)
        if outputs.features is None and "features" in self.guard.needs:
            raise TargetError(
                expected="features of an inner layer",
                got="outputs alone: this engine does not show inner layers",
                where=f"guard {self.guard.name} of target {self.target.name}",
                do="Leave --engine out, so that torch computes the network.",
            )
        own = self.guard.slack(outputs, inputs)
        slack = with_none(own, self.target).to(torch.float64)
        if slack.shape != outputs.logits.shape or bool(slack.isnan().any()):
            raise TargetError(
                expected=f"slack of shape {tuple(outputs.logits.shape)}, every entry a number",
                got=f"shape {tuple(slack.shape)}, {int(slack.isnan().sum())} of them not numbers",
                where=f"guard {self.guard.name}",
                do="Examine the guard with trompe.testing.examine_guard.",
            )
        logits, slack = borne(self.guard, own, outputs.logits, self.target), slack.clamp(min=LEAST)
        if outputs.slack is not None:
            slack = torch.minimum(slack, outputs.slack.to(torch.float64))
        return Outputs(logits, slack, outputs.features)

    def around(self, target: Target) -> "Guarded":
        """The same guard in front of another target."""
        return replace(self, target=target)

    def fingerprint(self) -> str:
        """sha256 over those of the target and the guard."""
        return hashlib.sha256(f"{self.target.fingerprint()} {self.guard.fingerprint()}".encode()).hexdigest()


def named(target: Target) -> int:
    """How many classes trusted images may be of: all but a last one for none of these, which has no images."""
    return len(target.labels) - (target.labels[-1] == ready.declared_of(target).abstain)


def with_none(slack: Tensor, target: Target, none: float = 0.0) -> Tensor:
    """A guard's slack with a column of 0 for the target's last class, where that is for none of these and it has none.

    Of what is no slack, the column is what `none` says. A guard of trusted images knows nothing of a class that has no
    images: whether that class wins is the target's rule.
    """
    lacking = slack.shape[1] == named(target) < len(target.labels)
    return torch.cat([slack, slack.new_full((len(slack), 1), none)], 1) if lacking else slack


def borne(guard: Guard, slack: Tensor, logits: Tensor, target: Target) -> Tensor:
    """Logits as sure as a guard's slack bears: as they are, unless it is one that doubts."""
    if not isinstance(guard, DoubtingGuard):
        return logits
    return limit_odds(logits, with_none(guard.ceiling(slack.to(torch.float64)), target, math.inf), target.link)


def guards_of(target: Target) -> tuple[Guard, ...]:
    """The guards in front of a target, the outermost first; empty where there are none."""
    if isinstance(target, ready.LowestOfFive):
        return guards_of(target.inner)
    return (target.guard, *guards_of(target.target)) if isinstance(target, Guarded) else ()


def given_by(target: Target) -> frozenset[str]:
    """What a guard may need of a target: ``inputs`` and ``logits``, of torch ``gradients``, of a layer ``features``."""
    own = undefended(target)
    own = getattr(own, "reference", own)  # of another engine, the network that it computes
    gives = {"inputs", "logits"} | (set() if isinstance(own, ForeignTarget) else {"gradients"})
    return frozenset(gives | ({"features"} if ready.declared_of(own).layer else set()))


def undefended(target: Target) -> Target:
    """The target without the guards in front of it."""
    return undefended(target.target) if isinstance(target, Guarded) else target
