"""How a run came about: who descends from whom, and when each niche changed hands."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from trompe.run.blobs import PICTURE_SIDE, unpack_levels
from trompe.run.schema import reading


@dataclass(frozen=True)
class Ancestor:
    """One link of a lineage.

    Attributes:
        candidate: Its id; it was judged after this many others.
        step: The step in which it was judged; 0 is the random beginning.
        picture: Bytes, shape (channels, height, width); beyond 64 pixels a side only every k-th row and column.
    """

    candidate: int
    step: int
    picture: Tensor


@dataclass(frozen=True)
class Takeover:
    """A candidate becoming the strongest of a niche: in which step, of which niche, at which bid value."""

    step: int
    niche: int
    value: float


_CHAIN = """
WITH RECURSIVE chain (id, depth) AS (
    SELECT :candidate, 0
    UNION ALL
    SELECT parent.id, depth + 1 FROM chain
    JOIN candidate AS child ON child.search = :search AND child.id = chain.id
    JOIN candidate AS parent ON parent.search = :search AND parent.id = child.parent
)
SELECT chain.id FROM chain ORDER BY depth DESC
"""
_PICTURE = "SELECT step, picture FROM candidate WHERE search = ? AND id = ?"


def lineages(
    folder: Path, shape: tuple[int, int, int], wanted: Iterable[tuple[int, int]], most: int | None = None
) -> Iterator[list[Ancestor]]:
    """The lineage of each wanted candidate, from the random beginning to itself, over one connection.

    A parent that never won a niche was not recorded: there a lineage begins.

    A child is a copy of its first parent before it is varied, so that is the parent followed.

    Args:
        folder: Of the run.
        shape: Of one input of the run's target: channels, height, width.
        wanted: Search and candidate.
        most: At most this many links each, evenly spread, the first and the last included; None for all.

    Yields:
        One list for each wanted candidate, in their order.
    """
    with reading(folder) as connection:
        for search, candidate in wanted:
            rows = connection.execute(_CHAIN, {"search": search, "candidate": candidate})
            ids = spread([row[0] for row in rows], most)
            found = [(link, connection.execute(_PICTURE, (search, link)).fetchone()) for link in ids]
            yield [Ancestor(link, step, unpack_levels(blob, picture_shape(shape))) for link, (step, blob) in found]


def takeovers(folder: Path, search: int, steps: int) -> list[Takeover]:
    """Every takeover in the first so many steps of a search, in order."""
    query = "SELECT step, niche, value FROM takeover WHERE search = ? AND step < ? ORDER BY step, niche"
    with reading(folder) as connection:
        return [Takeover(*row) for row in connection.execute(query, (search, steps))]


def spread(items: list[int], most: int | None) -> list[int]:
    """At most so many of the items, evenly spread, the first and the last included.

    Example:
        >>> spread(list(range(10)), 4)
        [0, 3, 6, 9]
    """
    if most is None or len(items) <= most:
        return items
    if most < 2:
        return items[-most:] if most else []
    return [items[round(i * (len(items) - 1) / (most - 1))] for i in range(most)]


def picture_shape(shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The shape of the small picture that is stored of an input of the given shape."""
    channels, height, width = shape
    stride = -(-max(height, width) // PICTURE_SIDE)
    return channels, -(-height // stride), -(-width // stride)
