"""Searches: generators of steps over one archive, judged at one seam."""

from trompe.search.archive import Archive, Elites
from trompe.search.ascend import ascend
from trompe.search.asynchronous import evolve_asynchronously
from trompe.search.choose import choose
from trompe.search.cluster import CLUSTER, Cluster, ClusterHands, part_rows
from trompe.search.contest import BEGINNING, Contest, Plan, Tally
from trompe.search.evolve import evolve
from trompe.search.judge import REMOTE, Judge, JudgeSettings, Slope
from trompe.search.niches import EveryClass
from trompe.search.on_device import DeviceArchive
from trompe.search.reference import (
    fitting_rows,
    is_apart,
    named_settings,
    plain_torch,
    reference_judge,
    search_judge,
)
from trompe.search.rules import RULES
from trompe.search.scatter import scatter
from trompe.search.squares import SQUARES, squares
from trompe.search.starts import MATERIAL_STARTS, STARTS, Material
from trompe.search.worker import Worker

__all__ = [
    "BEGINNING",
    "CLUSTER",
    "MATERIAL_STARTS",
    "REMOTE",
    "RULES",
    "SQUARES",
    "STARTS",
    "Archive",
    "Cluster",
    "ClusterHands",
    "Contest",
    "DeviceArchive",
    "Elites",
    "EveryClass",
    "Judge",
    "JudgeSettings",
    "Material",
    "Plan",
    "Slope",
    "Tally",
    "Worker",
    "ascend",
    "choose",
    "evolve",
    "evolve_asynchronously",
    "fitting_rows",
    "is_apart",
    "named_settings",
    "part_rows",
    "plain_torch",
    "reference_judge",
    "scatter",
    "search_judge",
    "squares",
]
