"""Measure how fast a target answers, and choose how to ask it. Never inside a gate, never twice for one run."""

import os
import time
from collections.abc import Iterator
from dataclasses import dataclass

from trompe.core.errors import TargetError
from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Target
from trompe.search.judge import Judge, JudgeSettings
from trompe.search.reference import named_settings
from trompe.targets import TorchTarget
from trompe.targets.engines import available, engine_target, export
from trompe.targets.graph import Graph

SIZES = (16, 50, 64)
"""Rows a call that are tried."""
_SECONDS = 0.2
_CALLS = 3


@dataclass(frozen=True)
class Rate:
    """What was measured of one way of asking: candidates a second, padding counted as lost."""

    settings: JudgeSettings
    rate: float


def choose(target: Target, rows: int) -> JudgeSettings:
    """The fastest way to ask a target for so many candidates at a time, on this machine, as it is loaded now.

    Args:
        target: As it was loaded.
        rows: Candidates that are judged together.
    """
    return max(measure(target, rows), key=lambda found: found.rate).settings


def measure(target: Target, rows: int) -> list[Rate]:
    """Rates of every engine there is, in every batch size of `SIZES`, with one thread and with all.

    Args:
        target: As it was loaded.
        rows: Candidates that are judged together.
    """
    images = quantise(Stream(0, "choose", 0).uniform32(rows, *target.spec.shape))
    return [Rate(judge.settings, _rate(judge, images)) for judge in _ways(target, rows)]


def _ways(target: Target, rows: int) -> Iterator[Judge]:
    """Every way of asking that there is here; a network that cannot be exported has only its own."""
    graph: Graph | None = None
    for name in available(target):
        for threads in sorted({1, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1}):
            for size in sorted({min(size, rows) for size in SIZES}):
                settings = named_settings(target, None if name == "own" else name, size, threads)
                try:
                    if isinstance(target, TorchTarget) and settings.engine != "torch":
                        graph = graph or export(target)
                    yield Judge(engine_target(target, settings, graph), settings)
                except TargetError:
                    continue


def _rate(judge: Judge, images: Images) -> float:
    """Candidates a second: the best of a few calls after the first, since others may be using the machine."""
    judge.judge(images)
    best, calls, begun = float("inf"), 0, time.perf_counter()
    while calls < _CALLS or time.perf_counter() - begun < _SECONDS:
        before = time.perf_counter()
        judge.judge(images)
        best, calls = min(best, time.perf_counter() - before), calls + 1
    return len(images) / best
