"""The one mutable object of a run: the best candidate of every niche, and who was first at every level."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Generic

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.core.types import Bids, Candidates, G, Rows, Wins


@dataclass
class Elites(Generic[G]):
    """The occupants of the niches, as they are kept and restored.

    Attributes:
        value: Shape (niches,), bid values; -inf where a niche is empty.
        ids: Shape (niches,), ids of the occupants; -1 where empty.
        genomes: One a niche; meaningless where empty. None before the first offer.
        crossed: Shape (niches, levels), ids of the first to reach each level; -1 where nobody has.
    """

    value: Float64[Tensor, " niches"]
    ids: Int64[Tensor, " niches"]
    genomes: G | None
    crossed: Int64[Tensor, "niches levels"]


class Archive(Generic[G]):
    """Keeps the strictly best candidate of each niche; ties go to the earliest.

    Differs from the released code of Nguyen 2015, where the candidates of a batch enter one by one: here the batch's
    best enters. The occupants after a batch are the same; takeovers within one are not counted.

    Args:
        niches: How many.
        levels: Confidence levels whose first crossing is noted, ascending.

    Attributes:
        elites: The occupants.
        device: Where they live and the search stays, as for `Stream`; empty for the CPU. See `DeviceArchive`.

    Example:
        >>> archive = Archive(niches=10, levels=(0.5, 0.99))
        >>> archive.elites.value.isinf().all().item()
        True
    """

    device: str = ""
    elites: Elites[G]

    def __init__(self, niches: int, levels: Sequence[float]) -> None:
        self._thresholds = torch.tensor([level_odds(level) for level in levels], dtype=torch.float64)
        empty = torch.full((niches,), -1)
        crossed = torch.full((niches, len(levels)), -1)
        self.elites = Elites(torch.full((niches,), -torch.inf, dtype=torch.float64), empty, None, crossed)

    @property
    def value(self) -> Float64[Tensor, " niches"]:
        """The bid values of the occupants, on the CPU; -inf where a niche is empty."""
        return self.elites.value

    def offer(self, candidates: Candidates[G], bids: Bids) -> Wins[G]:
        """Let candidates compete, in their order.

        Returns:
            Who took which niche, and who was the first to reach which level.

        Raises:
            TargetError: A bid is NaN.
        """
        old = self.elites
        if not len(candidates):
            return no_wins(candidates)
        value = bids.value.amax(0)
        won = (~(value <= old.value)).nonzero().flatten()  # what is no number is among them, to be refused
        if not len(won):
            return no_wins(candidates.take(won))
        highest = value[won]
        self._check(highest, bids, candidates)
        best = bids.value[:, won].argmax(0)  # the first of equals: documented, and held by a test
        rows, row = _distinct(best)
        winners = candidates.take(rows)
        first_niche, first_level, first_candidate = self._first_crossings(bids.value, highest, won)
        first_rows, first_row = _distinct(first_candidate)
        firsts = candidates.take(first_rows)
        self._seat(won, row, highest, winners)
        if len(first_niche):  # which is rare, and each of these calls costs as much as a candidate's whole variation
            old.crossed[first_niche, first_level] = candidates.ids[first_candidate]
        return Wins(
            won, row, highest, winners, first_niche, first_level, first_row,
            bids.value[first_candidate, first_niche], firsts,
        )  # fmt: skip

    def parents(self, n: int, stream: Stream, below: float = math.inf) -> tuple[G, Rows]:
        """Genomes and ids of n parents, uniform over the occupied niches, with replacement.

        A candidate that holds k niches is k times as likely (Nguyen 2015).

        Args:
            n: How many.
            stream: Drawn from once.
            below: Niches worth this or more give no parents, unless all are; what they hold may still be beaten.

        Raises:
            LookupError: Every niche is empty.
        """
        filled = (self.elites.ids >= 0).nonzero().flatten()
        if below < math.inf:
            still = filled[self.elites.value[filled] < below]
            filled = still if len(still) else filled
        if self.elites.genomes is None or not len(filled):
            raise LookupError("an empty archive has no parents; offer candidates first")
        niche = filled[stream.integers(n, len(filled))]
        return self.elites.genomes.take(niche), self.elites.ids[niche]

    def _seat(self, won: Tensor, row: Tensor, value: Tensor, winners: Candidates[G]) -> None:
        elites = self.elites
        if elites.genomes is None:
            elites.genomes = winners.genomes.take(torch.zeros_like(elites.ids))
        elites.genomes = elites.genomes.put(won, winners.genomes.take(row))
        elites.value[won] = value
        elites.ids[won] = winners.ids[row]

    def _first_crossings(self, value: Tensor, highest: Tensor, won: Rows) -> tuple[Tensor, Tensor, Tensor]:
        """Niche, level and candidate of every level reached for the first time, ordered by niche, then level.

        Only a niche that is taken over can reach one.
        """
        new = (highest.unsqueeze(1) >= self._thresholds) & (self.elites.crossed[won] < 0)
        which, level = new.nonzero().unbind(1)
        niche = won[which]
        if not len(niche):
            return niche, level, niche
        reached = value[:, niche] >= self._thresholds[level]
        return niche, level, reached.to(torch.uint8).argmax(0)

    def _check(self, highest: Tensor, bids: Bids, candidates: Candidates[G]) -> None:
        if any(map(math.isnan, highest.tolist())):  # the highest of a column with one is one
            row = int(bids.value.isnan().any(1).nonzero()[0])
            raise TargetError(
                expected="a number for every bid",
                got="NaN",
                where=f"candidate {int(candidates.ids[row])}",
                do="Check the model for overflow on inputs of this kind.",
            )


def _distinct(numbers: Tensor) -> tuple[Tensor, Tensor]:
    """The different numbers, ascending, and where each of these is among them; for few, faster than torch's own."""
    found = numbers.tolist()
    places = {number: i for i, number in enumerate(sorted(set(found)))}
    return torch.tensor(list(places), dtype=torch.int64), torch.tensor([places[each] for each in found]).long()


def no_wins(nobody: Candidates[G]) -> Wins[G]:
    """What an offer of nobody changes."""
    none, value = torch.empty(0, dtype=torch.int64), torch.empty(0, dtype=torch.float64)
    return Wins(none, none, value, nobody, none, none, none, value, nobody)
