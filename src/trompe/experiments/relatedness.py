"""Are images of related classes related, in looks and by descent?"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean
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
        "apart", "So are those of two different images: pairs of classes that one image holds are left out.",
        "direction", "run", "in a run, images of three lizards are alike, and those of three toy dogs",
        "section 3.4, figure 9", 0.0, stand_in=STAND_IN,
    ),
    Claim(
        "switching", "One lineage serves several classes: most new holders of a class descend from another class's.",
        "shape", "run", "“goal switching”", "Innovation Engines, 2015", 0.5, scale="share", stand_in=STAND_IN,
    ),
    Claim(
        "beyond", "A new holder of a class descends from another class's more often than if its mother were drawn at "
        "random over the classes that have an image.", "direction", "run", "", "asked here: what chance would give",
        0.0, scale="share", stand_in=STAND_IN,
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
    whole, apart = torch.ones_like(alike, dtype=torch.bool), different([found.kept[c] for c in members])
    return {
        "budget": wanted.budget, "takeovers": found.takeovers, "switches": found.switches, "expected": found.expected,
        "siblings": within(alike, groups, whole), "permuted": permuted(alike, groups, whole, wanted.seed),
        "siblings_apart": within(alike, groups, apart), "permuted_apart": permuted(alike, groups, apart, wanted.seed),
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


def different(images: Sequence[bytes]) -> Tensor:
    """Which pairs are of two images, bool, shape (n, n): one image may hold many classes."""
    first = {image: number for number, image in enumerate(dict.fromkeys(images))}
    numbers = torch.tensor([first[image] for image in images])
    return numbers[:, None] != numbers[None]


def within(alike: Tensor, groups: Tensor, counted: Tensor) -> float | None:
    """Mean over all counted pairs of two members of one group; None where there is no such pair."""
    same = ((groups[:, None] == groups[None]) & counted).triu(1)
    return float(alike[same].mean()) if bool(same.any()) else None


def permuted(alike: Tensor, groups: Tensor, counted: Tensor, seed: int) -> list[float]:
    """The same for groups whose members were drawn at random, some times over; fewer where groups had no pair."""
    orders = Stream(seed, "paper/relatedness", 0).uniform(_SHUFFLES, len(groups)).argsort(1)
    drawn = [within(alike, groups[order], counted) for order in orders]
    return [value for value in drawn if value is not None]


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Siblings minus the mean of the permutations; the share of switches, alone and beyond chance; one a run."""
    runs, where, short = list(data.values()), population_of(data), short_of(data, "cppn")
    shares = tuple(one["switches"] / one["takeovers"] for one in runs if one["takeovers"])
    beyond = tuple((one["switches"] - one["expected"]) / one["takeovers"] for one in runs if one["takeovers"])
    return {
        "alike": Measured(_closer(runs, "siblings", "permuted"), where, short),
        "apart": Measured(_closer(runs, "siblings_apart", "permuted_apart"), where, short),
        "switching": Measured(shares, where, short),
        "beyond": Measured(beyond, where, cut(data, effort)),
    }


def _closer(runs: Sequence[Mapping[str, Any]], own: str, drawn: str) -> tuple[float, ...]:
    """Of each run with such pairs, how much more alike siblings are."""
    return tuple(one[own] - fmean(one[drawn]) for one in runs if one[own] is not None and one[drawn])


def figures(data: Data) -> list[Figure]:
    """The paper's figure (siblings, two runs), and how alike they are beside permuted labels."""
    runs = list(data.items())
    rows = [(name, list(unpack(one["images"], SMALL))) for name, one in runs[:2]]
    values = [
        Strip("siblings", tuple(one["siblings"] for _, one in runs)),
        Strip("permuted labels", tuple(value for _, one in runs for value in one["permuted"][:20])),
        Strip("siblings, two images", tuple(x for _, one in runs if (x := one["siblings_apart"]) is not None)),
        Strip("permuted, two images", tuple(value for _, one in runs for value in one["permuted_apart"][:20])),
    ]
    passed = [
        Strip(words, tuple(one[name] / one["takeovers"] for _, one in runs if one["takeovers"]))
        for name, words in (("switches", "new holders"), ("expected", "mothers at random"))
    ]
    return [
        images("Three lizards and three toy dogs, by run", runs[0][1]["labels"], rows),
        strips("Mean correlation of two images of a group", values, lambda value: f"{value:.2f}"),
        strips("Share that descends from another class's holder, one dot a run", passed, lambda x: f"{100 * x:.1f} %"),
    ]


EXPERIMENT = Experiment(
    "relatedness",
    "Images of related classes",
    CLAIMS,
    seeds=12,
    differences=(
        *DIFFERENCES,
        "Siblings are 22 groups of classes that stand together in ILSVRC's order; the paper shows two such groups.",
        "How alike two images are is the correlation of their colours at 28 x 28 pixels; the paper shows pictures.",
        "That images of one class differ from run to run is shown, not tested.",
        "A new holder of a class descends from another class's where its mother did not hold the class just before.",
        "Were mothers drawn at random, nearly all would be of another class: half is no evidence by itself.",
    ),
    cost="12 searches as in imagenet-cppn, made where they are not there yet: about 4 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
