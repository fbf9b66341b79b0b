"""What steps become in the database: one row a winner, a takeover, an occupant, a first image."""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import groupby
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.numerics import to_levels
from trompe.core.types import Step
from trompe.run.blobs import GENOME_LIMIT, pack_images, pack_levels, pack_rows, picture

Row = tuple[Any, ...]

_LARGE = 16_384
"""Values of an image from which on compressing it is worth a thread."""
PACKERS = 2
"""Threads that compress."""


@dataclass(frozen=True)
class Packed:
    """Genomes and inputs of the winners of some steps as bytes, each made once, however often it is written.

    Attributes:
        ids: Of the winners, in the order of their steps.
        genomes: Of each; empty where it is spared.
        inputs: Of each, as it was judged.
        pictures: Of each, small.
    """

    ids: list[int]
    genomes: list[bytes]
    inputs: list[bytes]
    pictures: list[bytes]

    @classmethod
    def of(cls, steps: Sequence[Step[Any]], *, spared: bool = False) -> Self:
        """Packed together: most of the time for a small image would go into calls, not into bytes.

        Args:
            steps: Of one search.
            spared: Whether genomes above the limit are left out.
        """
        winners = [step.wins.winners for step in steps if len(step.wins.niche)]
        if not winners:
            return cls([], [], [], [])
        levels = to_levels(_joined([each.inputs for each in winners]))
        inputs, small = _pack(levels), picture(levels)
        pictures = inputs if small is levels else _pack(small)
        ids = _joined([each.ids for each in winners]).tolist()
        return cls(ids, _pack_genomes([each.genomes.to_arrays() for each in winners], spared=spared), inputs, pictures)


def _joined(parts: Sequence[Tensor]) -> Tensor:
    return parts[0] if len(parts) == 1 else torch.cat(list(parts))


def _pack_genomes(genomes: Sequence[Mapping[str, Tensor]], *, spared: bool) -> list[bytes]:
    """Each genome as `pack_rows` has it, those of one form together; networks have more room in later steps."""
    packed = []
    for _, same in groupby(genomes, key=_form):
        parts = list(same)
        n = sum(len(next(iter(part.values()))) for part in parts)
        if spared and sum(values[0].nbytes for values in parts[0].values()) > GENOME_LIMIT:
            packed += [b""] * n
            continue
        packed += pack_rows({name: _joined([part[name] for part in parts]) for name in parts[0]}, n)
    return packed


def _form(arrays: Mapping[str, Tensor]) -> list[tuple[str, torch.Size, torch.dtype]]:
    return [(name, values.shape[1:], values.dtype) for name, values in arrays.items()]


def _pack(levels: Tensor) -> list[bytes]:
    """Each image as `pack_levels` has it; large ones by several threads, since compressing them takes milliseconds."""
    if len(levels) < 2 or levels[0].numel() < _LARGE:
        return pack_images(levels)
    with ThreadPoolExecutor(PACKERS) as pool:
        return list(pool.map(pack_levels, levels))


def candidate_rows(search: int, steps: Sequence[Step[Any]], packed: Packed) -> list[Row]:
    """Every winning candidate of these steps once; its genome only up to the limit."""
    genomes = [blob if 0 < len(blob) <= GENOME_LIMIT else None for blob in packed.genomes]
    came = [(step.number, parent, mate) for step in steps for parent, mate in step.wins.winners.parents.tolist()]
    return [
        (search, candidate, *origin, genome, small)
        for candidate, origin, genome, small in zip(packed.ids, came, genomes, packed.pictures, strict=True)
    ]


def takeover_rows(search: int, steps: Sequence[Step[Any]]) -> list[Row]:
    """Who took which niche, in the order of the steps."""
    rows: list[Row] = []
    for step in steps:
        wins, ids = step.wins, step.wins.winners.ids.tolist()
        taken = zip(wins.niche.tolist(), wins.row.tolist(), wins.value.tolist(), strict=True)
        rows += [(search, step.number, niche, ids[row], value) for niche, row, value in taken]
    return rows


def current_rows(takeovers: Sequence[Row], packed: Packed, *, counts: bool) -> list[Row]:
    """The new occupants, with their genomes as packed and judged bytes; `counts` where the reference itself was asked.

    Args:
        takeovers: From `takeover_rows`; only the last of each niche is still there.
        packed: The winners of the same steps.
        counts: As above.
    """
    places = {candidate: i for i, candidate in enumerate(packed.ids)}
    last = {niche: (search, candidate, value) for search, _, niche, candidate, value in takeovers}
    return [
        (search, niche, who, value, value, value if counts else None, packed.genomes[row], packed.inputs[row])
        for niche, (search, who, value) in last.items()
        for row in (places[who],)
    ]


def first_rows(search: int, steps: Sequence[Step[Any]], levels: Sequence[float], *, counts: bool) -> list[Row]:
    """The first image at each level that was reached in these steps; `counts` where the reference itself was asked."""
    rows: list[Row] = []
    for wins in (step.wins for step in steps if len(step.wins.first_niche)):
        inputs = _pack(to_levels(wins.firsts.inputs))
        ids = wins.firsts.ids.tolist()
        columns = (wins.first_niche, wins.first_level, wins.first_row, wins.first_value)
        rows += [
            (search, niche, levels[level], ids[row], ids[row] + 1, value, value if counts else None, inputs[row])
            for niche, level, row, value in zip(*(column.tolist() for column in columns), strict=True)
        ]
    return rows
