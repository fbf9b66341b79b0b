"""Innovation Engines: do CPPNs without sine nodes give more recognisable images?"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
from typing import Any

from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.looks import variation
from trompe.experiments.mnist_direct import LATE, NETWORKS, SHAPE, evolved, generations_of, needs_of
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.reading import NO_READERS, read, read_by_all
from trompe.experiments.runs import kept, lenets, pack, searched, short_of, unpack
from trompe.experiments.wording import counted

KINDS = ("with", "without")

CLAIMS = (
    Claim(
        "recognisable", "Without sine nodes more images can be read as the class they were made for.", "direction",
        "run", "“creates a lot of recognizable images”", "README of the Innovation Engines' code", 0.0, scale="share",
        stand_in="MNIST and its readers, in place of ImageNet and people",
    ),
    Claim(
        "calmer", "Images of networks with sine nodes vary more from pixel to pixel than those of networks without.",
        "direction", "run", "", "asked here: why they should be recognisable", 0.0,
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One pair of runs a seed."""
    return [Unit(f"pair-{seed:02d}", partial(pair, seed=seed, generations=generations_of(effort)),
                 needs_of(seed, "cppn")) for seed in seeds]  # fmt: skip


def pair(folder: Path, seed: int, generations: int) -> dict[str, Any]:
    """A run with sine nodes and one without, on the same network with the same seed."""
    target = NETWORKS[seed % len(NETWORKS)]
    plain = searched(folder, target, encoding="cppn", preset="innovation", generations=generations, seed=seed)
    runs = {"with": evolved(folder, "cppn", seed, generations), "without": plain}
    labels = [record.label for record in plain.classes]
    shown = {name: kept(run) for name, run in runs.items()}
    return {
        "generations": generations, "target": target, "labels": labels,
        "read": {name: read(labels, levels) for name, levels in shown.items()},
        **{name: pack(levels) for name, levels in shown.items()},
    }  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Differences by pair: without minus with for what can be read, with minus without for variation."""
    del effort
    pairs = list(data.values())
    short, where = short_of(data, LATE), f"on {counted(len(pairs), 'pair of runs')}, {lenets(data)}"
    calmer = tuple(_mean(one["with"]) - _mean(one["without"]) for one in pairs)
    gained = tuple(after - before for before, after in zip(*(shares(pairs, kind) for kind in KINDS), strict=True))
    told = f"{where}, read by {', '.join(pairs[0]['read']['with']['readers'])}" if gained else where
    seen = Measured(gained, told, short, "" if gained else NO_READERS)
    return {"recognisable": seen, "calmer": Measured(calmer, where, short)}


def _mean(packed: list[str]) -> float:
    return fmean(variation(unpack(packed, SHAPE)))


def shares(pairs: Sequence[Mapping[str, Any]], kind: str) -> tuple[float, ...]:
    """Of each run of a kind the share of images that every reader reads; none where nobody could say."""
    return tuple(share for one in pairs if (share := read_by_all(one["read"][kind])) is not None)


def figures(data: Data) -> list[Figure]:
    """Images of both kinds side by side, and how much they vary."""
    first = next(iter(data.values()))
    rows = [(f"{name}, {kind} sine", list(unpack(one[kind], SHAPE)))
            for name, one in list(data.items())[:3] for kind in KINDS]  # fmt: skip
    values = [Strip(f"{kind} sine nodes", tuple(_mean(one[kind]) for one in data.values())) for kind in KINDS]
    reads = [Strip(f"{kind} sine nodes", shares(list(data.values()), kind)) for kind in KINDS]
    return [
        images("The strongest image of every digit, with and without sine nodes", first["labels"], rows),
        strips("Variation from pixel to pixel, one dot a run", values, lambda value: f"{value:.2f}"),
        strips("Share of images that every reader reads, one dot a run", reads, lambda x: f"{100 * x:.0f} %"),
    ]


EXPERIMENT = Experiment(
    "innovation",
    "Networks without sine nodes",
    CLAIMS,
    seeds=12,
    differences=(
        "MNIST and two LeNets; the claim was made of ImageNet.",
        "A sine is replaced by a steep tanh, so that there are as many kinds of node. Rules as in mnist-cppn.",
        "Readers in place of people; without them the claim cannot be run.",
    ),
    cost="12 runs of 40,200 evaluations beside those of mnist-cppn; about 2 minutes on one core, alone 4",
    units=units,
    measure=measure,
    figures=figures,
)
