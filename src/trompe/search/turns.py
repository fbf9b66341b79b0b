"""Classes taking turns in groups, and what must be remembered to go on in the middle of a turn."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from jaxtyping import Int64
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.core.types import Rows
from trompe.search.contest import Plan


@dataclass(frozen=True)
class Turn:
    """The turn of one group of classes.

    Small and of a fixed size, so that it can be stored with every step: everything else about a turn is computed
    again from it.

    Where there is a budget and more than one group, turns come in rounds. Of what is left of the budget when a round
    begins, each open class has an even ration, so that none can starve another; what it does not need is shared out
    again in the next round, among the classes that are open then.

    Attributes:
        number: Of the group, counted from 0.
        niches: Int64, shape (m,), the classes, ascending.
        tried: Int64, shape (m,), how many steps each has had a candidate in; it stops to grow once a class is closed.
        ration: Candidates that each class may have in a turn of this round; -1 where nothing is rationed.
        spent: Int64, shape (classes,), candidates that each class has had in turns before; empty where nothing is.

    Example:
        >>> turn = Turn(0, torch.tensor([4, 7]), torch.tensor([0, 0])).after(torch.tensor([1]))
        >>> turn.steps, turn.tried.tolist(), Turn.restore(turn.to_state()).niches.tolist()
        (1, [0, 1], [4, 7])
    """

    number: int
    niches: Rows
    tried: Rows
    ration: int = -1
    spent: Int64[Tensor, " classes"] = field(default_factory=lambda: torch.empty(0, dtype=torch.int64))

    @classmethod
    def restore(cls, state: Mapping[str, Tensor]) -> Self:
        """What `to_state` gave; before the first step, a turn of nobody."""
        if not state:
            nobody = torch.empty(0, dtype=torch.int64)
            return cls(-1, nobody, nobody)
        turn = cls(int(state["group"]), state["niches"], state["tried"])
        return replace(turn, ration=int(state["ration"]), spent=state["spent"]) if "ration" in state else turn

    def to_state(self) -> dict[str, Tensor]:
        """Tensors by name, for `Step.state`."""
        rationed = {"ration": torch.tensor([self.ration]), "spent": self.spent} if self.ration >= 0 else {}
        return {"group": torch.tensor([self.number]), "niches": self.niches, "tried": self.tried, **rationed}

    @property
    def steps(self) -> int:
        """How many steps it has had."""
        return int(self.tried.max()) if len(self.tried) else 0

    @property
    def before(self) -> int:
        """How many candidates each of its classes has had in turns before, at least."""
        return int(self.spent[self.niches].min()) if len(self.spent) and len(self.niches) else 0

    def open(self, value: Tensor, plan: Plan) -> Rows:
        """Which members, as rows of `niches`, are below the goal while the turn is not over."""
        if self.steps > plan.generations:
            return torch.empty(0, dtype=torch.int64)
        below = value[self.niches] < plan.goal
        if self.ration >= 0:
            below &= (self.tried < self.ration) & (self.tried + self.spent[self.niches] <= plan.generations)
        return below.nonzero().flatten()

    def after(self, members: Rows) -> Self:
        """The turn after a step in which these members had a candidate."""
        tried = self.tried.clone()
        tried[members] += 1
        return replace(self, tried=tried)

    def next(self, value: Tensor, plan: Plan, evaluations: int = 0) -> Self | None:
        """The turn of the next open classes that have had none in this round, or in a new one; None where all have.

        Classes have their turns in a random order, the same for the same seed: those of a search that is cut short are
        a random sample. There is a second round only where there is a budget; `Plan.generations` is of all together.

        Args:
            value: Of every class in the archive.
            plan: How long the search goes on.
            evaluations: That it has made so far.
        """
        order, able, spent = _order(len(value), plan), value < plan.goal, self._spent(len(value))
        rationed = plan.budget is not None and plan.groups > 1
        able = able & (spent <= plan.generations) if rationed else able
        first = int(order.argsort()[self.niches].max()) + 1 if len(self.niches) else 0
        waiting, ration = order[first:][able[order[first:]]], self.ration
        if rationed and (ration < 0 or not len(waiting)):
            waiting = order[able[order]]
            left = max(0, (plan.budget or 0) - evaluations)
            ration = max(1, left // max(len(waiting), 1))
        group = waiting[: plan.batch].sort().values
        if not len(group):
            return None
        return replace(
            self, number=self.number + 1, niches=group, tried=group.new_zeros(len(group)), ration=ration,
            spent=spent if rationed else self.spent,
        )  # fmt: skip

    def _spent(self, classes: int) -> Rows:
        """Candidates that each class has had in all turns, this one included."""
        before = self.spent if len(self.spent) else torch.zeros(classes, dtype=torch.int64)
        return before.index_add(0, self.niches, self.tried)


def _order(classes: int, plan: Plan) -> Rows:
    if classes <= plan.batch:  # all at once
        return torch.arange(classes)
    return Stream(plan.seed, "turns/order", 0).uniform(classes).argsort(stable=True)
