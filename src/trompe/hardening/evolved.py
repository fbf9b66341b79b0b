"""Attacks on a network that is being hardened: many short runs of our own searches, each with a seed of its own."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Literal

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from trompe.core.numerics import level_odds, to_levels
from trompe.core.seeds import Stream
from trompe.core.types import Levels, Step
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.encodings.cppn import numba_installed
from trompe.search import RULES, STARTS, Archive, Contest, EveryClass, Judge, JudgeSettings, Plan, ascend, evolve
from trompe.targets import TorchTarget

Maker = Literal["pixels-evolve", "cppn-evolve", "pixels-ascend"]
"""A method that makes fooling images, as commands call it."""


@dataclass(frozen=True)
class Siege:
    """How a network is attacked in each of many runs.

    Attributes:
        makers: Methods, in turn.
        generations: After the random beginning, at most.
        population: Candidates a generation; of ``pixels-ascend`` one for each class.
        goal: A run ends once every class has an image of this confidence.
    """

    makers: tuple[Maker, ...] = ("pixels-evolve", "cppn-evolve")
    generations: int = 50
    population: int = 200
    goal: float = 0.9999


@dataclass(frozen=True, eq=False)
class Fooling:
    """What runs against one network ended with. A row a run, a column a class.

    Attributes:
        first: Bytes, shape (runs, classes, channels, height, width): the best of the random beginning.
        last: Bytes, same shape: the best in the end.
        log_odds: Float64, shape (runs, classes), of the last, clipped to +-1000.
        evaluations: Int64, shape (runs,): candidates judged in each run.
    """

    first: Tensor
    last: Tensor
    log_odds: Float64[Tensor, "runs classes"]
    evaluations: Int64[Tensor, " runs"]

    def __len__(self) -> int:
        return len(self.evaluations)

    def images(self) -> Levels:
        """All images, run by run: of each the first ones, then the last ones, in the order of classes."""
        return torch.stack([self.first, self.last], 1).flatten(0, 2)

    @classmethod
    def of(cls, runs: "list[Fooling]") -> "Fooling":
        """Runs one after the other."""
        return cls(
            torch.cat([run.first for run in runs]),
            torch.cat([run.last for run in runs]),
            torch.cat([run.log_odds for run in runs]),
            torch.cat([run.evaluations for run in runs]),
        )


def besiege(target: TorchTarget, classes: int, siege: Siege, runs: int, stream: Stream) -> Iterator[Fooling]:
    """Attack a network's first so many classes in so many independent runs.

    A class for none of these, after them, is not attacked and refuses nothing here: as in Nguyen 2015 an image is worth
    its log-odds among all outputs.

    Args:
        target: The network.
        classes: How many of its outputs are attacked.
        siege: How.
        runs: How often, each with a seed of its own from the stream.
        stream: Of this attack; each run draws from a branch.

    Yields:
        What each run ended with, one run a piece.
    """
    niches = EveryClass.of(target, target.labels[:classes])
    seeds = stream.branch("runs").integers(runs, 2**53).tolist()
    for number, seed in enumerate(seeds):
        yield _run(target, niches, siege, number, int(seed))


def _run(target: TorchTarget, niches: EveryClass, siege: Siege, number: int, seed: int) -> Fooling:
    maker = siege.makers[number % len(siege.makers)]
    encoding: Any = _networks(target) if maker == "cppn-evolve" else Pixels(target.spec, PIXEL_PRESETS["paper"])
    plan, search = _search(maker, siege, len(niches.names), number // len(siege.makers), seed)
    judge = Judge(target, JudgeSettings(plan.batch))
    archive: Archive[Any] = Archive(len(niches.names), ())
    first, evaluations, enough = torch.empty(0), 0, level_odds(siege.goal)
    for step in search(Contest(encoding, judge, niches, ()), archive, plan):
        evaluations = step.evaluations
        if step.number == 0:
            first = encoding.express(archive.elites.genomes)
        if bool((archive.elites.value >= enough).all()):
            break
    last = encoding.express(archive.elites.genomes)
    counted = torch.tensor([evaluations])
    return Fooling(
        to_levels(first).unsqueeze(0), to_levels(last).unsqueeze(0), archive.elites.value.unsqueeze(0), counted
    )


def _networks(target: TorchTarget) -> Cppn:
    # What ends a hardening is what its networks say of bytes: who painted them is not compared with anything, so the
    # faster painter is taken where it is there. A third of such a run was painting.
    return Cppn(target.spec, CPPN_PRESETS["paper"], "numba" if numba_installed() else "torch")


def _search(
    maker: Maker, siege: Siege, classes: int, turn: int, seed: int
) -> tuple[Plan, Callable[[Contest[Any], Archive[Any], Plan], Iterator[Step[Any]]]]:
    if maker == "pixels-ascend":
        start: Any = STARTS[turn % len(STARTS)]
        rule = replace(RULES["sign-momentum"], start=start)
        return Plan(seed, siege.generations, classes, classes, classes, groups=1), partial(ascend, rule=rule)
    size = siege.population
    return Plan(seed, siege.generations, size, size, size), evolve
