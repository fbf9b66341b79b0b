"""MNIST, direct encoding: how soon is a LeNet certain about grown noise?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trompe.core.numerics import level_odds, say_confidence
from trompe.experiments.figures import Line, Strip, curves, images, strips
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.runs import (
    at,
    beside,
    curve,
    generation,
    lenets,
    pictures,
    searched,
    short_of,
    strongest,
    unpack,
)
from trompe.experiments.wording import counted
from trompe.run import Run

NETWORKS = ("lenet-mnist", "lenet-mnist-b")
SHAPE = (1, 28, 28)
CERTAIN = level_odds(0.9999)
SOON, LATE = 49, 200
"""Last generation of "fewer than 50", and of "by 200"."""

CLAIMS = (
    Claim(
        "every-digit", "By 200 generations some run has images of all ten digits that a LeNet names with at least "
        "99.99 %.",
        "existence", "run", "every digit at 99.99 % or more", "section 3.1, figure 4", CERTAIN, scale="log-odds",
    ),
    Claim(
        "fifty", "In fewer than 50 generations the worst digit of a run is at 99.99 %, in the mean of the runs.",
        "shape", "run", "every digit at 99.99 % or more in fewer than 50 generations", "section 3.1", CERTAIN,
        scale="log-odds",
    ),
    Claim(
        "two-hundred", "By 200 generations the median digit of a run is at 99.99 %, in the mean of the runs.",
        "shape", "run", "median 99.99 % by 200 generations", "section 3.1", CERTAIN, scale="log-odds",
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range, encoding: str = "pixels") -> list[Unit]:
    """One run a seed, on each of the two networks in turn."""
    return [Unit(name_of(seed), partial(run, encoding=encoding, seed=seed, generations=generations_of(effort)),
                 needs_of(seed, encoding)) for seed in seeds]  # fmt: skip


def run(folder: Path, encoding: str, seed: int, generations: int) -> dict[str, Any]:
    """Evolve by the released code's rules, and keep what the claims are about."""
    found = evolved(folder, encoding, seed, generations)
    return {
        "target": found.about.target["name"], "generations": generations, "median": curve(found, "median"),
        "lowest": curve(found, "lowest"), "highest": curve(found, "highest"), "strongest": strongest(found),
        "images": pictures(found), "labels": [record.label for record in found.classes],
    }  # fmt: skip


EXPERIMENTS = {"pixels": "mnist-direct", "cppn": "mnist-cppn"}
"""Where the runs of an encoding are kept, for whoever needs them."""


def evolved(folder: Path, encoding: str, seed: int, generations: int) -> Run:
    """The run of a seed, which several experiments are about; made once.

    Args:
        folder: Of a unit of any of them.
        encoding: ``pixels`` or ``cppn``.
        seed: Of the run; the two networks take turns.
        generations: After the random beginning.
    """
    place = beside(folder, EXPERIMENTS[encoding], name_of(seed))
    target = NETWORKS[seed % len(NETWORKS)]
    return searched(place, target, encoding=encoding, preset="released-code", generations=generations, seed=seed)


def generations_of(effort: Effort) -> int:
    """Of these runs."""
    return effort.pick(12, LATE)


def name_of(seed: int) -> str:
    """Of the unit, and of the folder of its run."""
    return f"run-{seed:02d}"


def needs_of(seed: int, *encodings: str) -> frozenset[str]:
    """What units that need these runs share."""
    return frozenset(f"{EXPERIMENTS[encoding]}/{name_of(seed)}" for encoding in encodings)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """The three claims, one value a run."""
    del effort
    where = population(data)
    return {
        "every-digit": Measured(tuple(min(one["strongest"]) for one in data.values()), where, short_of(data, LATE)),
        "fifty": Measured(_at(data, "lowest", SOON), where, short_of(data, SOON)),
        "two-hundred": Measured(_at(data, "median", LATE), where, short_of(data, LATE)),
    }


def population(data: Data) -> str:
    """What verdicts are about."""
    return f"on {counted(len(data), 'run')}, {lenets(data)}"


def _at(data: Data, key: str, number: int) -> tuple[float, ...]:
    return tuple(at(one[key], generation(number)) for one in data.values())


def figures(data: Data) -> list[Figure]:
    """The paper's figure (columns digits, rows runs), the way there, and the values that decide."""
    first = next(iter(data.values()))
    rows = [(name, list(unpack(one["images"], SHAPE))) for name, one in list(data.items())[:5]]
    lines = [Line("median digit", one["median"]) for one in data.values()]
    worst = [Line("worst digit", one["lowest"]) for one in data.values()]
    done = min(one["generations"] for one in data.values())
    values = [
        Strip(f"worst digit, generation {min(SOON, done)}", _at(data, "lowest", SOON)),
        Strip(f"median digit, generation {min(LATE, done)}", _at(data, "median", LATE)),
    ]
    return [
        images("The strongest image of every digit", first["labels"], rows),
        curves("Confidence against evaluations", [*lines, *worst], say_confidence,
               (generation(LATE), CERTAIN, "paper: median 99.99 % by 200 generations")),
        strips("What decides, one dot a run", values, say_confidence, (CERTAIN, "99.99 %")),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    "mnist-direct",
    "MNIST, direct encoding: grown noise",
    CLAIMS,
    seeds=12,
    differences=(
        "Networks are two LeNets trained here, of 1.03 and 0.91 % error; the paper's has 0.94 %.",
        "Candidates compete by log-odds in float64, not by a probability; images are on the 8-bit grid.",
        "Rules are those of the released code (batches of 200, crossover), which the paper describes otherwise.",
        "Whether a person can read the images is no part of these claims; the paper calls them unrecognisable.",
        "An independent re-run of the released code's rules (released LeNet, 5 seeds) had the median at 99.99 % by 200 "
        "generations in 5 of 5 runs; at 50 the worst digit had 95.3 to 98.3 %, and all ten had 99.99 % at generations "
        "142, 163, 167, 195 and, in one run, not by 200. Ours are the first and the second row of what decides.",
        "Why the worst digit stands lower here: our implementation is not why, networks differ. A second "
        "implementation of the rules in NumPy ends as low on the same LeNets, and LeNets trained for less time or "
        "without subtracting the mean image lie anywhere from 1 to 65 % at generation 50 "
        "(`benchmarks/worst_digit.py`). It is mostly a 1 or a 7. Which property of the released network makes it "
        "easier was not found.",
    ),
    cost="12 runs of 40,200 evaluations; about 2 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
)
