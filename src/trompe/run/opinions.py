"""What the reference says of what another engine found: asked late, of what is in the database, and written there."""

import sqlite3
from collections.abc import Callable, Sequence

import torch

from trompe.core.numerics import from_levels, level_odds
from trompe.core.types import Classwise, Images
from trompe.run.blobs import unpack_levels

Opinion = Callable[[Images], Classwise]
"""What the reference bids for images, shape (n, niches)."""

_UNASKED = """
SELECT candidate, input FROM current WHERE search = :search AND log_odds IS NULL
UNION SELECT candidate, input FROM first WHERE search = :search AND log_odds IS NULL ORDER BY candidate
"""
_TELL = "UPDATE {table} SET log_odds = ? WHERE search = ? AND niche = ? AND candidate = ? AND log_odds IS NULL"
_FIRST = """
INSERT OR REPLACE INTO first
SELECT search, niche, :level, candidate, candidate + 1, search_log_odds, log_odds, input FROM current
WHERE search = :search AND log_odds >= :odds AND NOT EXISTS (
    SELECT 1 FROM first AS before WHERE before.search = current.search AND before.niche = current.niche
    AND before.level = :level AND before.log_odds >= :odds
)
"""
_REACHED = "SELECT count(*) FROM current WHERE search = ? AND log_odds >= ?"


def ask(database: sqlite3.Connection, search: int, opinion: Opinion, shape: tuple[int, int, int]) -> None:
    """Ask the reference about every image of a search that it was not asked about, each once.

    Args:
        database: Of the run, within a transaction.
        search: Its number in the run.
        opinion: Of the reference.
        shape: Of one image.
    """
    rows = database.execute(_UNASKED, {"search": search}).fetchall()
    if not rows:
        return
    bids = opinion(from_levels(torch.stack([unpack_levels(blob, shape) for _, blob in rows]))).tolist()
    told = [
        (value, search, niche, candidate)
        for (candidate, _), values in zip(rows, bids, strict=True)
        for niche, value in enumerate(values)
    ]
    for table in ("current", "first"):
        database.executemany(_TELL.format(table=table), told)


def claim_firsts(database: sqlite3.Connection, search: int, levels: Sequence[float]) -> None:
    """Let an occupant that reaches a level by the reference be its first image, where none before it did."""
    for level in levels:
        database.execute(_FIRST, {"search": search, "level": level, "odds": level_odds(level)})


def reached(database: sqlite3.Connection, search: int, odds: float) -> int:
    """In how many niches the occupant has these log-odds by the reference."""
    count: int = database.execute(_REACHED, (search, odds)).fetchone()[0]
    return count
