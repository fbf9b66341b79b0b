"""Searches: generators of steps over one archive, judged at one seam."""

from trompe.search.archive import Archive, Elites
from trompe.search.contest import BEGINNING, Contest, Plan, Tally
from trompe.search.evolve import evolve
from trompe.search.judge import Judge, JudgeSettings
from trompe.search.niches import EveryClass
from trompe.search.scatter import scatter

__all__ = [
    "BEGINNING",
    "Archive",
    "Contest",
    "Elites",
    "EveryClass",
    "Judge",
    "JudgeSettings",
    "Plan",
    "Tally",
    "evolve",
    "scatter",
]
