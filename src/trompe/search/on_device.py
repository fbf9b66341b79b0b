"""An archive on a GPU, and what a step brings back from there, all in one copy."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import cast

import torch
from torch import Tensor

from trompe.core.numerics import from_levels, to_levels
from trompe.core.seeds import Stream
from trompe.core.types import Bids, Candidates, G, Movable, Rows, Wins
from trompe.search.archive import Archive, Elites, no_wins

_FEWEST = 16
"""Candidates that a step brings back room for, at least."""
_GENOME = "genome."


@dataclass(frozen=True)
class _Offer:
    """What would change if candidates were let in: every size follows from how many there are, of what.

    Attributes:
        value: Shape (niches,), the highest bid.
        best: Shape (niches,), the earliest candidate that made it.
        won: Shape (niches,), whether it beats the occupant, or is no number.
        seats: Shape (niches,), the niches, those that are won first, in their order.
        first: Shape (niches, levels), the earliest candidate at or above each level.
        new: Shape (niches, levels), whether nobody was before.
        first_value: Shape (niches, levels), its bid.
        count: 0-d, how many candidates won or are first somewhere.
        order: Shape (n,), the candidates, those first, in their order.
    """

    value: Tensor
    best: Tensor
    won: Tensor
    seats: Tensor
    first: Tensor
    new: Tensor
    first_value: Tensor
    count: Tensor
    order: Tensor

    def told(self) -> dict[str, Tensor]:
        """What is brought back of it."""
        names = ("value", "best", "won", "first", "new", "first_value", "count")
        return {name: getattr(self, name) for name in names}


class DeviceArchive(Archive[G]):
    """An `Archive` whose occupants live on a device, and whose steps wait for that device once.

    Who wins what is found for all niches at once, in tensors whose sizes do not follow what they hold. The answer and
    the winners (bytes, genomes, ids) are brought back together: room is made for twice as many as won the last time;
    where more do, the rest takes a second copy. What `offer` gives is on the CPU and is what an `Archive` there gives.

    Args:
        archive: As it was opened; left as it is.
        device: As torch names it.
    """

    def __init__(self, archive: Archive[G], device: str) -> None:
        elites = archive.elites
        genomes = None if elites.genomes is None else cast("G", _movable(elites.genomes).to(device))
        self.device, self._thresholds = device, archive._thresholds
        self.elites = Elites(elites.value.to(device), elites.ids.to(device), genomes, elites.crossed.to(device))
        self._value = elites.value.clone()
        self._room = 0

    @property
    def value(self) -> Tensor:
        """Float64, on the CPU, shape (niches,): the bid values of the occupants, as brought back by the last offer."""
        return self._value

    def offer(self, candidates: Candidates[G], bids: Bids) -> Wins[G]:
        """As for every archive; what comes back is on the CPU."""
        if not len(candidates):
            return no_wins(_unloaded(fetch(_loaded(candidates, slice(0))), candidates.genomes))
        found = self._find(bids)
        room = min(len(candidates), self._room or len(candidates))
        load = _loaded(candidates, found.order[:room])
        told = fetch(found.told() | load)
        self._check(told["value"][told["won"]], bids, candidates)
        count = int(told["count"])
        kept = {name: told[name][:count] for name in load}
        if count > room:
            more = fetch(_loaded(candidates, found.order[room:count]))
            kept = {name: torch.cat([values, more[name]]) for name, values in kept.items()}
        wins = _wins(told, kept["rows"], _unloaded(kept, candidates.genomes))
        self._room = max(_FEWEST, 2 * count)
        self._let_in(candidates, found, wins)
        self._value = torch.where(told["won"], told["value"], self._value)
        return wins

    def parents(self, n: int, stream: Stream, below: float = torch.inf) -> tuple[G, Rows]:
        """As for every archive, on the device."""
        elites = self.elites
        if elites.genomes is None:  # which is so for as long as nobody has won anything
            raise LookupError("an empty archive has no parents; offer candidates first")
        filled = elites.ids >= 0
        still = filled & (elites.value < below)
        places = torch.where(still.any(), still, filled).cumsum(0)
        rank = torch.minimum((stream.uniform(n) * places[-1]).long(), places[-1] - 1)
        niche = torch.searchsorted(places, rank + 1)
        return elites.genomes.take(niche), elites.ids[niche]

    def _find(self, bids: Bids) -> _Offer:
        """Who would change what, found on the device without a look."""
        value, best = bids.value.amax(0), bids.value.argmax(0)
        won, levels = ~(value <= self.elites.value), self._thresholds.tolist()
        reached = [(bids.value >= level).to(torch.uint8).argmax(0) for level in levels]
        first = torch.stack(reached, 1) if reached else best.new_empty(len(best), 0)
        crossed = torch.stack([value >= level for level in levels], 1) if reached else first.bool()
        new = won.unsqueeze(1) & crossed & (self.elites.crossed < 0)
        nobody = len(bids.value)
        keep = torch.zeros(nobody + 1, dtype=torch.bool, device=value.device)
        keep.scatter_(0, torch.where(won, best, nobody), value=True)
        keep = keep.scatter_(0, torch.where(new, first, nobody).flatten(), value=True)[:nobody]
        return _Offer(
            value, best, won, _front(won), first, new, bids.value.gather(0, first.T).T, keep.sum(), _front(keep)
        )

    def _let_in(self, candidates: Candidates[G], found: _Offer, wins: Wins[G]) -> None:
        """Seat who won; how many is known by now, so that sizes may follow it."""
        if not len(wins.niche):
            return
        elites, genomes = self.elites, candidates.genomes
        niche = found.seats[: len(wins.niche)]
        room = _movable(wins.winners.genomes).room
        if elites.genomes is None:
            seated = genomes.take(found.best[niche[:1]].expand(len(elites.ids)))
        else:
            seated = elites.genomes
            room = tuple(map(max, room, _movable(seated).room))
        seated = seated.put(niche, genomes.take(found.best[niche]))
        self.elites = Elites(
            torch.where(found.won, found.value, elites.value),
            torch.where(found.won, candidates.ids[found.best], elites.ids),
            cast("G", _movable(seated).with_room(room)),
            torch.where(found.new, candidates.ids[found.first], elites.crossed),
        )


def fetch(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same arrays on the CPU, all in one copy: the one moment at which a step waits for its device."""
    parts = [values.contiguous().reshape(-1).view(torch.uint8) for values in arrays.values()]
    content = torch.cat(parts).cpu().split([len(part) for part in parts])
    return {
        name: part.clone().view(values.dtype).reshape(values.shape)  # cloned: numbers must begin at multiples
        for (name, values), part in zip(arrays.items(), content, strict=True)
    }


def _front(mask: Tensor) -> Tensor:
    """All positions of a mask, those where it is true first, both in their order."""
    return (~mask).to(torch.uint8).argsort(stable=True)


def _movable(genomes: object) -> Movable:
    return cast("Movable", genomes)


def _loaded(candidates: Candidates[G], rows: Rows | slice) -> dict[str, Tensor]:
    """Everything about the candidates at these rows, by name, where it is."""
    rows = torch.arange(len(candidates), device=candidates.ids.device)[rows]
    genomes = _movable(candidates.genomes.take(rows)).arrays()
    return {
        "rows": rows,
        "ids": candidates.ids[rows],
        "parents": candidates.parents[rows],
        "levels": to_levels(candidates.inputs[rows]),
        **{f"{_GENOME}{name}": values for name, values in genomes.items()},
    }


def _unloaded(told: Mapping[str, Tensor], alike: G) -> Candidates[G]:
    """The candidates of what `_loaded` gave, with genomes of the same type as others."""
    arrays = {name.removeprefix(_GENOME): values for name, values in told.items() if name.startswith(_GENOME)}
    genomes = type(alike).from_arrays(arrays)
    return Candidates(told["ids"], told["parents"], genomes, from_levels(told["levels"]))


def _wins(told: Mapping[str, Tensor], rows: Rows, kept: Candidates[G]) -> Wins[G]:
    """What an offer changed, on the CPU.

    Args:
        told: From `_Offer.told`.
        rows: Of the candidates that were brought back, ascending.
        kept: These candidates.
    """
    niche = told["won"].nonzero().flatten()
    first_niche, first_level = told["new"].nonzero().unbind(1)
    winners, row = _picked(told["best"][niche], rows, kept)
    firsts, first_row = _picked(told["first"][first_niche, first_level], rows, kept)
    first_value = told["first_value"][first_niche, first_level]
    return Wins(
        niche, row, told["value"][niche], winners, first_niche, first_level, first_row, first_value, firsts
    )  # fmt: skip


def _picked(who: Tensor, rows: Tensor, kept: Candidates[G]) -> tuple[Candidates[G], Tensor]:
    """Some of the candidates that were brought back, once each, and which of these each one is."""
    distinct, row = who.unique(return_inverse=True)
    picked = kept.take(torch.searchsorted(rows, distinct))
    return replace(picked, genomes=cast("G", _movable(picked.genomes).trimmed())), row
