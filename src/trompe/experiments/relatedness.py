"""Are images of related classes related, in looks and by descent?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.core.types import Levels
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.imagenet import (
    CLASSES,
    DIFFERENCES,
    SMALL,
    STAND_IN,
    Search,
    absent,
    cut,
    network,
    population_of,
    searched,
    short_of,
    thumbnail,
)
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.runs import unpack

SIBLINGS = {
    "sharks and rays": range(2, 7), "song birds": range(10, 21), "birds of prey": range(21, 25),
    "salamanders": range(25, 30), "frogs": range(30, 33), "turtles": range(33, 38), "lizards": range(38, 49),
    "snakes": range(52, 69), "spiders": range(72, 78), "grouse": range(80, 84), "parrots": range(87, 91),
    "toy dogs": range(151, 159), "hounds": range(159, 179), "terriers": range(179, 204), "cats": range(281, 286),
    "big cats": range(286, 294), "bears": range(294, 298), "beetles": range(300, 308), "butterflies": range(321, 327),
    "rabbits": range(330, 333), "apes": range(365, 370), "monkeys": range(370, 383),
}  # fmt: skip
"""Classes that stand together in ILSVRC's order, which follows the tree of WordNet; two of them are the paper's."""
SHOWN = {"lizards": (40, 42, 47), "toy dogs": (151, 154, 157)}
_SIDE = 28
_SHUFFLES = 200

CLAIMS = (
    Claim(
        "alike", "Images of sibling classes are more alike than under permuted labels.", "direction", "run",
        "in a run, images of three lizards are alike, and those of three toy dogs", "section 3.4, figure 9", 0.0,
        stand_in=STAND_IN,
    ),
    Claim(
        "switching", "One lineage serves several classes: most new holders of a class descend from another class's.",
        "shape", "run", "“goal switching”", "Innovation Engines, 2015", 0.5, scale="share", stand_in=STAND_IN,
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One search a seed."""
    plans = [Search.of("cppn", seed, effort) for seed in seeds]
    return [Unit(f"run-{plan.seed:02d}", partial(ask, wanted=plan), plan.needs) for plan in plans]


def ask(folder: Path, wanted: Search) -> dict[str, Any]:
    """How alike siblings are, how alike strangers, and who descends from whom."""
    found, labels = searched(folder, wanted), network().labels
    members = [c for group in SIBLINGS.values() for c in group]
    alike = likeness(found.images(members))
    groups = torch.tensor([number for number, group in enumerate(SIBLINGS.values()) for _ in group])
    shown = [c for classes in SHOWN.values() for c in classes]
    return {
        "budget": wanted.budget, "takeovers": found.takeovers, "switches": found.switches,
        "siblings": within(alike, groups), "permuted": permuted(alike, groups, wanted.seed),
        "labels": [labels[c] for c in shown], "images": thumbnail(found.images(shown)),
        "distinct": len({found.kept[c] for c in range(CLASSES)}),
    }  # fmt: skip


def likeness(levels: Levels) -> Tensor:
    """Correlation of the colours of every two images at 28 x 28 pixels, float64, shape (n, n); 0 with an even one."""
    sides = (levels.shape[2] // _SIDE, levels.shape[3] // _SIDE)
    small = torch.nn.functional.avg_pool2d(levels.to(torch.float64), sides).flatten(1)
    centred = small - small.mean(1, keepdim=True)
    size = centred.square().sum(1, keepdim=True).sqrt()
    unit = torch.where(size > 0, centred / size.clamp(min=1e-300), 0.0)
    return unit @ unit.T


def within(alike: Tensor, groups: Tensor) -> float:
    """Mean over all pairs of two images of one group."""
    same = (groups[:, None] == groups[None]).triu(1)
    return float(alike[same].mean())


def permuted(alike: Tensor, groups: Tensor, seed: int) -> list[float]:
    """The same for groups whose members were drawn at random, some times over."""
    orders = Stream(seed, "paper/relatedness", 0).uniform(_SHUFFLES, len(groups)).argsort(1)
    return [within(alike, groups[order]) for order in orders]


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Siblings minus the mean of the permutations, and the share of switches, one a run."""
    runs, where = list(data.values()), population_of(data)
    quick = cut(data, effort)
    closer = tuple(one["siblings"] - sum(one["permuted"]) / len(one["permuted"]) for one in runs)
    shares = tuple(one["switches"] / one["takeovers"] for one in runs if one["takeovers"])
    return {"alike": Measured(closer, where, short_of(data, "cppn")), "switching": Measured(shares, where, quick)}


def figures(data: Data) -> list[Figure]:
    """The paper's figure (siblings, two runs), and how alike they are beside permuted labels."""
    runs = list(data.items())
    rows = [(name, list(unpack(one["images"], SMALL))) for name, one in runs[:2]]
    values = [
        Strip("siblings", tuple(one["siblings"] for _, one in runs)),
        Strip("permuted labels", tuple(value for _, one in runs for value in one["permuted"][:20])),
    ]
    return [
        images("Three lizards and three toy dogs, by run", runs[0][1]["labels"], rows),
        strips("Mean correlation of two images of a group", values, lambda value: f"{value:.2f}"),
    ]


EXPERIMENT = Experiment(
    "relatedness",
    "Images of related classes",
    CLAIMS,
    seeds=12,
    differences=(
        *DIFFERENCES[:2],
        "Siblings are 22 groups of classes that stand together in ILSVRC's order; the paper shows two such groups.",
        "How alike two images are is the correlation of their colours at 28 x 28 pixels; the paper shows pictures.",
        "That images of one class differ from run to run is shown, not tested.",
        "A new holder of a class descends from another class's where its mother did not hold the class just before.",
    ),
    cost="12 searches as in imagenet-cppn, made where they are not there yet: about 8 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
