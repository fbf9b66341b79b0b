"""What every search shares: making candidates of genomes, having them judged, letting them compete."""

import math
from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import cached_property
from statistics import median
from typing import Any, Generic, Protocol

import torch
from torch import Tensor

from trompe.core.numerics import level_odds
from trompe.core.types import Bids, Candidates, Encoding, G, Images, Niches, Outputs, Rows, Step
from trompe.search.archive import Archive
from trompe.search.judge import Judge, with_threads
from trompe.search.parts import Beating, only_own
from trompe.search.starts import Material


@dataclass(frozen=True)
class Plan:
    """How long a search goes on, and how often its archive changes.

    Where all classes compete at once, a step is a batch of offspring and a generation as many steps as make up its
    population. Where groups of classes take turns (``groups`` above 0), a step is one candidate for each class of a
    group that is still open; the first of a turn judges the group's start, and as many generations follow at most.

    Attributes:
        seed: Of every stream it draws from.
        generations: Generations after the random beginning.
        population: Candidates a generation.
        batch: Candidates a step: judged together before the archive changes. Divides the population. Of groups,
            classes a group.
        initial: Candidates of the random beginning, which is step 0.
        budget: Evaluations in all, at most; None for as many as the generations take.
        goal: Log-odds from which on a class is no longer worked on: has no turn, or gives no parents.
        groups: How many groups of classes take turns; 0 where all compete at once. Several share a budget out evenly;
            see `trompe.search.turns.Turn`.

    Example:
        >>> plan = Plan(seed=0, generations=3, population=200, batch=50)
        >>> plan.last, plan.generation(1), plan.generation(4), plan.generation(5)
        (12, 1, 1, 2)
    """

    seed: int
    generations: int = 200
    population: int = 200
    batch: int = 50
    initial: int = 200
    budget: int | None = None
    goal: float = math.inf
    groups: int = 0

    @property
    def last(self) -> int:
        """Number of the last step; with groups, of the last there can be."""
        if self.groups:
            return self.groups * (self.generations + 1) - 1
        return self.generations * self.population // self.batch

    def generation(self, step: int) -> int:
        """The generation that a step belongs to; 0 is the random beginning."""
        return -(-step * self.batch // self.population)

    @property
    def ends(self) -> int:
        """The generation after which none can follow; that in which the budget is spent, where all classes compete."""
        steps = self.last
        if self.budget is not None and not self.groups:
            steps = min(steps, max(0, -(-(self.budget - self.initial) // self.batch)))
        return self.generation(steps)

    def wanted(self, tally: "Tally") -> int:
        """How many candidates the next step may judge; 0 where the search is at its end."""
        if tally.number >= self.last:
            return 0
        return self.admitted(self.initial if tally.number < 0 else self.batch, tally.evaluations)

    def admitted(self, wanted: int, evaluations: int) -> int:
        """How many of so many candidates the budget admits after so many evaluations."""
        return wanted if self.budget is None else max(0, min(wanted, self.budget - evaluations))

    def ended_by(self, number: int, evaluations: int) -> str:
        """Why a search that ran out ended: ``generations``, or ``budget`` where that came first."""
        over = not self.groups and number >= self.last
        return "budget" if not over and not self.admitted(1, evaluations) else "generations"


@dataclass(frozen=True)
class Tally:
    """Where a search stands.

    Attributes:
        number: Of the last step; -1 before the first.
        evaluations: Candidates judged so far.
        forwards: Rows sent to the target so far.
        backwards: Gradient rows so far.
        state: What the search must know to go on, beyond the archive; as in `Step`.
    """

    number: int = -1
    evaluations: int = 0
    forwards: int = 0
    backwards: int = 0
    state: Mapping[str, Tensor] = field(default_factory=dict, compare=False)


Hold = tuple[Step[G], Tally]
"""A step that happened, and where the search stands after it."""

BEGINNING = Tally()
"""Before the first step."""


class Hands(Protocol):
    """Others who express and judge candidates for a search, and send back those that beat what it holds."""

    def judge(self, genomes: Any, value: Tensor, only: Rows | None = None) -> Beating:
        """Those of the candidates whose bids may change the archive.

        Args:
            genomes: One a candidate.
            value: Float64, shape (niches,), what the archive holds.
            only: Int64, shape (n,), the one niche that each candidate bids for; by default each bids for all.
        """
        ...


@dataclass(frozen=True, eq=False)
class Contest(Generic[G]):
    """Where candidates are expressed, judged and bid for.

    Attributes:
        encoding: Makes inputs of genomes.
        judge: Asks the target.
        niches: Turn its answers into bids.
        levels: Confidence levels that statistics count.
        spared: Names of niches that stay out of statistics: harmless classes, and the one for none of these.
        material: Images that some starts are made of, and that `hide` keeps away from.
        hands: Others who judge in place of this process, where there are any.
    """

    encoding: Encoding[G]
    judge: Judge
    niches: Niches
    levels: Sequence[float]
    spared: frozenset[str] = frozenset()
    material: Material | None = None
    hands: Hands | None = None

    @cached_property
    def counted(self) -> Rows:
        """The niches that statistics are about."""
        return torch.tensor([i for i, name in enumerate(self.niches.names) if name not in self.spared]).long()

    def hold(self, archive: Archive[G], genomes: G, parents: Tensor, tally: Tally, only: Rows | None = None) -> Hold[G]:
        """Judge these genomes and offer them to the archive.

        Args:
            archive: Changed in place.
            genomes: One a candidate.
            parents: Int64, shape (n, 2), -1 where there is none.
            tally: Where the search stood before.
            only: As for `enter`.

        Returns:
            The step that happened, and where the search stands now.
        """
        if self.hands is not None:
            found = self.hands.judge(genomes, archive.elites.value, only)
            return self.settle(archive, genomes, parents, found, tally)
        if len(genomes) > self.judge.rows and getattr(self.encoding, "paints_aside", False):
            candidates, outputs = self._judged_while_painting(genomes, parents, tally)
        else:
            candidates = self.candidates(genomes, parents, tally)
            outputs = self.judge.judge(candidates.inputs)
        return self.enter(archive, candidates, outputs, tally, only)

    def _judged_while_painting(self, genomes: G, parents: Tensor, tally: Tally) -> tuple[Candidates[G], Outputs]:
        """The candidates of one step and what the judge said, the next call's being painted while one is judged.

        Never across steps: offspring depend on the archive that the step before left. The judge asks in calls of these
        rows anyway, and what is painted does not depend on neighbours, so every bit is as without.
        """
        parts = torch.arange(len(genomes)).split(self.judge.rows)
        images, outputs = [], []
        with ThreadPoolExecutor(1) as painter:
            coming = painter.submit(self.encoding.express, genomes.take(parts[0]))
            for following in [*parts[1:], None]:
                images.append(coming.result())
                if following is not None:
                    coming = painter.submit(self.encoding.express, genomes.take(following))
                outputs.append(self.judge.judge(images[-1]))
        ids = torch.arange(tally.evaluations, tally.evaluations + len(genomes))
        return Candidates(ids, parents, genomes, torch.cat(images)), Outputs.join(outputs)

    def candidates(self, genomes: G, parents: Tensor, tally: Tally) -> Candidates[G]:
        """These genomes, expressed and numbered, to be judged next."""
        ids = torch.arange(tally.evaluations, tally.evaluations + len(genomes), device=parents.device)
        with with_threads(self.judge.settings.threads):
            inputs = self._in_parts(genomes, ids) if self.judge.settings.device else self.encoding.express(genomes)
            return Candidates(ids, parents, genomes, inputs)

    def _in_parts(self, genomes: G, ids: Rows) -> Images:
        """What genomes express to, so many at a time as a GPU has room for."""
        rows = torch.arange(len(ids), device=ids.device)
        if not len(ids):
            return self.encoding.express(genomes)
        return self.judge.in_parts(
            lambda size: torch.cat([self.encoding.express(genomes.take(part)) for part in rows.split(size)])
        )

    def enter(
        self, archive: Archive[G], candidates: Candidates[G], outputs: Outputs, tally: Tally, only: Rows | None = None
    ) -> Hold[G]:
        """Offer candidates that were judged to the archive; as `hold`, for a search that asks for more than answers.

        Args:
            archive: Changed in place.
            candidates: From `candidates`, with the same tally.
            outputs: What the judge said of them.
            tally: Where the search stood before, with the state and the gradient rows of the step that is made.
            only: Int64, shape (n,), the one niche that each candidate bids for; by default each bids for all.
        """
        bids = only_own(self.niches.bids(outputs, candidates.inputs), only)
        return self._offer(archive, candidates, bids, tally, len(candidates))

    def settle(self, archive: Archive[G], genomes: G, parents: Tensor, found: Beating, tally: Tally) -> Hold[G]:
        """Offer what others found to the archive; the same step as `hold` would have made.

        Args:
            archive: Changed in place.
            genomes: One a candidate, of all that were judged.
            parents: Int64, shape (n, 2), -1 where there is none.
            found: Those of them that count.
            tally: As for `enter`.
        """
        rows = found.rows
        candidates = Candidates(tally.evaluations + rows, parents[rows], genomes.take(rows), found.inputs)
        return self._offer(archive, candidates, found.bids, tally, len(genomes))

    def _offer(self, archive: Archive[G], candidates: Candidates[G], bids: Bids, tally: Tally, n: int) -> Hold[G]:
        """Let candidates compete; so many were judged."""
        wins = archive.offer(candidates, bids)
        after = replace(
            tally,
            number=tally.number + 1,
            evaluations=tally.evaluations + n,
            forwards=tally.forwards + self.judge.forwards(n),
        )
        statistics = archive_statistics(archive.value[self.counted], self.levels)
        statistics["takeovers"] = len(wins.niche)
        counts = (after.number, after.evaluations, after.forwards, after.backwards)
        return Step(*counts, wins, statistics, after.state), after


def archive_statistics(value: Tensor, levels: Sequence[float]) -> dict[str, float]:
    """Numbers about the occupied niches: how many, lowest, median and highest bid value, how many at each level."""
    ordered = value.sort().values.tolist()
    filled = ordered[bisect_right(ordered, -math.inf) : bisect_left(ordered, math.inf)]
    statistics: dict[str, float] = {"filled": len(filled)}
    if filled:
        statistics |= {"lowest": filled[0], "median": median(filled), "highest": filled[-1]}
    for level in levels:
        statistics[f"confident@{level:g}"] = len(filled) - bisect_left(filled, level_odds(level))
    return statistics
