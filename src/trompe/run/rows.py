"""What a step becomes in the database: one row a winner, a takeover, an occupant, a first image."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Self

from torch import Tensor

from trompe.core.numerics import to_levels
from trompe.core.types import Candidates, Step, Wins
from trompe.run.blobs import GENOME_LIMIT, pack_levels, pack_rows, picture

Row = tuple[Any, ...]

_LARGE = 16_384
"""Values of an image from which on compressing it is worth a thread."""
_THREADS = 2


@dataclass(frozen=True)
class Packed:
    """Genomes and inputs of candidates as bytes, each made once, however often it is written."""

    genomes: list[bytes]
    inputs: list[bytes]
    pictures: list[bytes]

    @classmethod
    def of(cls, candidates: Candidates[Any]) -> Self:
        """Packed in the candidates' order."""
        levels = to_levels(candidates.inputs)
        inputs, small = _pack(levels), picture(levels)
        pictures = inputs if small is levels else _pack(small)
        return cls(pack_rows(candidates.genomes.to_arrays(), len(candidates)), inputs, pictures)


def _pack(levels: Tensor) -> list[bytes]:
    """Each image as `pack_levels` has it; large ones by several threads, since compressing them takes milliseconds."""
    if len(levels) < 2 or levels[0].numel() < _LARGE:
        return [pack_levels(image) for image in levels]
    with ThreadPoolExecutor(_THREADS) as pool:
        return list(pool.map(pack_levels, levels))


def candidate_rows(search: int, step: Step[Any], packed: Packed) -> list[Row]:
    """Every winning candidate once; its genome only up to the limit."""
    winners = step.wins.winners
    genomes = [blob if len(blob) <= GENOME_LIMIT else None for blob in packed.genomes]
    columns = (winners.ids.tolist(), winners.parents.tolist(), genomes, packed.pictures)
    return [
        (search, candidate, step.number, parent, mate, genome, small)
        for candidate, (parent, mate), genome, small in zip(*columns, strict=True)
    ]


def takeover_rows(search: int, step: Step[Any]) -> list[Row]:
    """Who took which niche."""
    wins = step.wins
    ids = wins.winners.ids[wins.row]
    return [
        (search, step.number, niche, candidate, value)
        for niche, candidate, value in zip(wins.niche.tolist(), ids.tolist(), wins.value.tolist(), strict=True)
    ]


def current_rows(search: int, wins: Wins[Any], packed: Packed, *, counts: bool) -> list[Row]:
    """The new occupants, with full genome and judged bytes; `counts` where the reference itself was asked."""
    ids = wins.winners.ids.tolist()
    return [
        (search, niche, ids[row], value, value, value if counts else None, packed.genomes[row], packed.inputs[row])
        for niche, row, value in zip(wins.niche.tolist(), wins.row.tolist(), wins.value.tolist(), strict=True)
    ]


def first_rows(search: int, wins: Wins[Any], levels: Sequence[float], *, counts: bool) -> list[Row]:
    """The first image at each level that was reached in this step; `counts` where the reference itself was asked."""
    inputs = _pack(to_levels(wins.firsts.inputs))
    ids = wins.firsts.ids.tolist()
    columns = (wins.first_niche, wins.first_level, wins.first_row, wins.first_value)
    return [
        (search, niche, levels[level], ids[row], ids[row] + 1, value, value if counts else None, inputs[row])
        for niche, level, row, value in zip(*(column.tolist() for column in columns), strict=True)
    ]
