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
_HELD = "SELECT DISTINCT niche, candidate FROM {table} WHERE search = ? AND log_odds IS NULL"
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


def ask(database: sqlite3.Connection, search: int, opinion: Opinion, shape: tuple[int, int, int], rows: int) -> None:
    """Ask the reference about every image of a search that it was not asked about, each once.

    Args:
        database: Of the run, within a transaction.
        search: Its number in the run.
        opinion: Of the reference.
        shape: Of one image.
        rows: Images at a time, as many as the reference takes in one call: a thousand large ones fill the memory.
    """
    unasked = database.execute(_UNASKED, {"search": search}).fetchall()
    for some in (unasked[i : i + rows] for i in range(0, len(unasked), rows)):
        bids = opinion(from_levels(torch.stack([unpack_levels(blob, shape) for _, blob in some]))).tolist()
        told = {candidate: values for (candidate, _), values in zip(some, bids, strict=True)}
        for table in ("current", "first"):
            held = database.execute(_HELD.format(table=table), (search,)).fetchall()
            answers = [(told[who][niche], search, niche, who) for niche, who in held if who in told]
            database.executemany(_TELL.format(table=table), answers)


def claim_firsts(database: sqlite3.Connection, search: int, levels: Sequence[float]) -> None:
    """Let an occupant that reaches a level by the reference be its first image, where none before it did."""
    for level in levels:
        database.execute(_FIRST, {"search": search, "level": level, "odds": level_odds(level)})


def reached(database: sqlite3.Connection, search: int, odds: float) -> int:
    """In how many niches the occupant has these log-odds by the reference."""
    count: int = database.execute(_REACHED, (search, odds)).fetchone()[0]
    return count
