"""What every search shares: making candidates of genomes, having them judged, letting them compete."""

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import median
from typing import Generic

import torch
from torch import Tensor

from trompe.core.numerics import level_odds
from trompe.core.types import Candidates, Encoding, G, Niches, Step
from trompe.search.archive import Archive
from trompe.search.judge import Judge


@dataclass(frozen=True)
class Plan:
    """How long a population search goes on, and how often its archive changes.

    A step is a batch of offspring; a generation is as many steps as make up its population.

    Attributes:
        seed: Of every stream it draws from.
        generations: Generations after the random beginning.
        population: Candidates a generation.
        batch: Candidates a step: judged together before the archive changes. Divides the population.
        initial: Candidates of the random beginning, which is step 0.
        budget: Evaluations in all, at most; None for as many as the generations take.

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

    @property
    def last(self) -> int:
        """Number of the last step."""
        return self.generations * self.population // self.batch

    def generation(self, step: int) -> int:
        """The generation that a step belongs to; 0 is the random beginning."""
        return -(-step * self.batch // self.population)

    def wanted(self, tally: "Tally") -> int:
        """How many candidates the next step may judge; 0 where the search is at its end."""
        if tally.number >= self.last:
            return 0
        wanted = self.initial if tally.number < 0 else self.batch
        return wanted if self.budget is None else max(0, min(wanted, self.budget - tally.evaluations))


@dataclass(frozen=True)
class Tally:
    """Where a search stands.

    Attributes:
        number: Of the last step; -1 before the first.
        evaluations: Candidates judged so far.
        forwards: Rows sent to the target so far.
        backwards: Gradient rows so far.
    """

    number: int = -1
    evaluations: int = 0
    forwards: int = 0
    backwards: int = 0


BEGINNING = Tally()
"""Before the first step."""


@dataclass(frozen=True, eq=False)
class Contest(Generic[G]):
    """Where candidates are expressed, judged and bid for.

    Attributes:
        encoding: Makes inputs of genomes.
        judge: Asks the target.
        niches: Turn its answers into bids.
        levels: Confidence levels that statistics count.
    """

    encoding: Encoding[G]
    judge: Judge
    niches: Niches
    levels: Sequence[float]

    def hold(self, archive: Archive[G], genomes: G, parents: Tensor, tally: Tally) -> tuple[Step[G], Tally]:
        """Judge these genomes and offer them to the archive.

        Args:
            archive: Changed in place.
            genomes: One a candidate.
            parents: Int64, shape (n, 2), -1 where there is none.
            tally: Where the search stood before.

        Returns:
            The step that happened, and where the search stands now.
        """
        n = len(genomes)
        inputs = self.encoding.express(genomes)
        ids = torch.arange(tally.evaluations, tally.evaluations + n)
        candidates = Candidates(ids, parents, genomes, inputs)
        wins = archive.offer(candidates, self.niches.bids(self.judge.judge(inputs), inputs))
        after = replace(
            tally,
            number=tally.number + 1,
            evaluations=tally.evaluations + n,
            forwards=tally.forwards + self.judge.forwards(n),
        )
        statistics = archive_statistics(archive.elites.value, self.levels)
        statistics["takeovers"] = len(wins.niche)
        return Step(after.number, after.evaluations, after.forwards, after.backwards, wins, statistics), after


def archive_statistics(value: Tensor, levels: Sequence[float]) -> dict[str, float]:
    """Numbers about the occupied niches: how many, lowest, median and highest bid value, how many at each level."""
    filled = sorted(number for number in value.tolist() if math.isfinite(number))
    statistics: dict[str, float] = {"filled": len(filled)}
    if filled:
        statistics |= {"lowest": filled[0], "median": median(filled), "highest": filled[-1]}
    for level in levels:
        statistics[f"confident@{level:g}"] = len(filled) - bisect_left(filled, level_odds(level))
    return statistics
