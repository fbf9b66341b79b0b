"""Classes taking turns in groups, and what must be remembered to go on in the middle of a turn."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.core.types import Rows
from trompe.search.contest import Plan


@dataclass(frozen=True)
class Turn:
    """The turn of one group of classes.

    Small and of a fixed size, so that it can be stored with every step: everything else about a turn is computed
    again from it.

    Attributes:
        number: Of the group, counted from 0.
        niches: Int64, shape (m,), the classes, ascending.
        tried: Int64, shape (m,), how many steps each has had a candidate in; it stops to grow once a class is closed.

    Example:
        >>> turn = Turn(0, torch.tensor([4, 7]), torch.tensor([0, 0])).after(torch.tensor([1]))
        >>> turn.steps, turn.tried.tolist(), Turn.restore(turn.to_state()).niches.tolist()
        (1, [0, 1], [4, 7])
    """

    number: int
    niches: Rows
    tried: Rows

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Self:
        """What `to_state` gave; before the first step, a turn of nobody."""
        if not state:
            nobody = torch.empty(0, dtype=torch.int64)
            return cls(-1, nobody, nobody)
        return cls(int(state["group"]), state["niches"], state["tried"])

    def to_state(self) -> dict[str, Tensor]:
        """Tensors by name, for `Step.state`."""
        return {"group": torch.tensor([self.number]), "niches": self.niches, "tried": self.tried}

    @property
    def steps(self) -> int:
        """How many steps it has had."""
        return int(self.tried.max()) if len(self.tried) else 0

    def open(self, value: Tensor, plan: Plan) -> Rows:
        """Which members, as rows of `niches`, are below the goal while the turn is not over."""
        if self.steps > plan.generations:
            return torch.empty(0, dtype=torch.int64)
        return (value[self.niches] < plan.goal).nonzero().flatten()

    def after(self, members: Rows) -> Self:
        """The turn after a step in which these members had a candidate."""
        tried = self.tried.clone()
        tried[members] += 1
        return replace(self, tried=tried)

    def next(self, value: Tensor, plan: Plan) -> Self | None:
        """The first turn of the open classes that have had none; None where all have.

        Classes have their turns in a random order, the same for the same seed: those of a search that is cut short are
        a random sample.
        """
        order = _order(len(value), plan)
        first = int(order.argsort()[self.niches].max()) + 1 if len(self.niches) else 0
        waiting = order[first:][value[order[first:]] < plan.goal]
        group = waiting[: plan.batch].sort().values
        return (
            replace(self, number=self.number + 1, niches=group, tried=group.new_zeros(len(group)))
            if len(group)
            else None
        )


def _order(classes: int, plan: Plan) -> Rows:
    if classes <= plan.batch:  # all at once
        return torch.arange(classes)
    return Stream(plan.seed, "turns/order", 0).uniform(classes).argsort(stable=True)
