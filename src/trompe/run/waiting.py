"""What another engine than the reference found, until the reference has been asked about it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.types import Classwise, Images, Wins
from trompe.run.rows import Row

Opinion = Callable[[Images], Classwise]
"""What the reference bids for images, shape (n, niches)."""

_CURRENT, _FIRST = 5, 6
"""Where the reference's value stands in a row of the tables of these names."""


@dataclass(frozen=True)
class Waiting:
    """First images that are not written yet, and every image that the reference may have to be asked about.

    Attributes:
        firsts: Rows by search, niche and level.
        images: By search and candidate.
    """

    firsts: Mapping[Row, Row] = field(default_factory=dict)
    images: Mapping[tuple[int, int], Tensor] = field(default_factory=dict)

    def after(self, search: int, wins: Wins[Any], firsts: list[Row]) -> Self:
        """With what a step found."""
        found = [*zip(wins.winners.ids.tolist(), wins.winners.inputs, strict=True)]
        found += zip(wins.firsts.ids.tolist(), wins.firsts.inputs, strict=True)
        images = {(search, candidate): image for candidate, image in found}
        new = {row[:3]: row for row in firsts}
        return replace(self, firsts={**new, **self.firsts}, images={**self.images, **images})

    def told(self, opinions: Mapping[int, Opinion], occupants: list[Row]) -> tuple[list[Row], list[Row]]:
        """New occupants and first images, each with what the reference says of it; each image is asked about once.

        Occupants of searches in which the reference itself is asked stay as they are.
        """
        firsts = list(self.firsts.values())
        for search, opinion in opinions.items():
            ids = sorted(
                {row[2] for row in occupants if row[0] == search} | {row[3] for row in firsts if row[0] == search}
            )
            if not ids:
                continue
            values = opinion(torch.stack([self.images[search, candidate] for candidate in ids])).tolist()
            said = dict(zip(ids, values, strict=True))
            occupants = [_put(row, _CURRENT, said[row[2]]) if row[0] == search else row for row in occupants]
            firsts = [_put(row, _FIRST, said[row[3]]) if row[0] == search else row for row in firsts]
        return occupants, firsts


def _put(row: Row, column: int, values: list[float]) -> Row:
    return (*row[:column], values[row[1]], *row[column + 1 :])
