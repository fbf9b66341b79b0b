"""Why are dogs and cats hard? An intervention: the same images, asked about with their siblings taken away."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import VALUE_LIMIT
from trompe.core.seeds import Stream
from trompe.core.types import Rows
from trompe.experiments.figures import Strip, strips
from trompe.experiments.imagenet import (
    BAND,
    CLASSES,
    DIFFERENCES,
    STAND_IN,
    Search,
    absent,
    cut,
    population_of,
    searched,
    short_of,
)
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit, say_odds

DRAWS = 10
"""Random sets of logits that are removed, for each image."""

CLAIMS = (
    Claim(
        "weak", "Images of classes 157 to 286, dogs and cats, end less sure than those of other classes.", "direction",
        "run", "lower confidence for dogs and cats", "section 3.4, figure 7", 0.0, scale="log-odds",
        stand_in=STAND_IN,
    ),
    Claim(
        "competition", "Removing the logits of its siblings raises such an image more than removing as many others.",
        "direction", "run", "one of two explanations offered: a softmax cannot be sure of one of many alike",
        "section 3.4", 0.0, scale="log-odds", stand_in=STAND_IN,
    ),
    Claim(
        "enough", "That explains all of it: without siblings dogs and cats are at least as sure as others, from whom "
        "as many random logits are removed.", "shape", "run", "", "asked here, in log-odds", 0.0, stand_in=STAND_IN,
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One search a seed."""
    plans = [Search.of("cppn", seed, effort) for seed in seeds]
    return [Unit(f"run-{plan.seed:02d}", partial(ask, wanted=plan), plan.needs) for plan in plans]


def ask(folder: Path, wanted: Search) -> dict[str, Any]:
    """Medians over the classes inside and outside of the band, as they are and after both removals."""
    logits = searched(folder, wanted).logits
    inside, size = torch.tensor(BAND), len(BAND) - 1
    outside = torch.tensor([c for c in range(CLASSES) if c not in BAND])
    siblings = (inside[:, None] != inside[None]).nonzero()[:, 1].reshape(len(inside), size)
    nothing = torch.empty(CLASSES, 0, dtype=torch.int64)
    found = {
        "inside": own(logits, inside, nothing[inside]), "outside": own(logits, outside, nothing[outside]),
        "siblings": own(logits, inside, inside[siblings]),
        "random_inside": _random(logits, inside, outside, size, wanted.seed),
        "random_outside": _random(logits, outside, outside, size, wanted.seed),
    }  # fmt: skip
    paired = [a - b for a, b in zip(found["siblings"], found["random_inside"], strict=True)]
    return {"budget": wanted.budget, "effect": median(paired),
            **{name: median(values) for name, values in found.items()}}  # fmt: skip


def own(logits: Tensor, classes: Rows, removed: Tensor) -> list[float]:
    """Log-odds of classes of their own images, without the logits that are removed for each.

    Args:
        logits: Of all images, shape (classes, outputs): row c is what is said of the image of class c.
        classes: Whose images are asked about, shape (n,).
        removed: Columns, int64, shape (n, as many as are removed); never its own.
    """
    z = logits[classes].to(torch.float64)
    column = classes.unsqueeze(1)
    rest = z.scatter(1, removed, -torch.inf).scatter(1, column, -torch.inf).logsumexp(1)
    odds: list[float] = (z.gather(1, column).squeeze(1) - rest).clamp(-VALUE_LIMIT, VALUE_LIMIT).tolist()
    return odds


def _random(logits: Tensor, classes: Rows, pool: Tensor, size: int, seed: int) -> list[float]:
    """As `own`, with so many random columns of a pool removed; the mean over some draws, each image with its own."""
    drawn = []
    for draw in range(DRAWS):
        ranks = Stream(seed, "paper/dogs-and-cats", draw).uniform(len(classes), len(pool))
        order = ranks.masked_fill(pool[None] == classes[:, None], 2.0).argsort(1)  # its own comes last
        drawn.append(own(logits, classes, pool[order[:, :size]]))
    return [fmean(values) for values in zip(*drawn, strict=True)]


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Differences of medians, one a run."""
    where, short, runs = population_of(data), short_of(data, "cppn"), list(data.values())
    return {
        "weak": Measured(tuple(one["outside"] - one["inside"] for one in runs), where, short),
        "competition": Measured(tuple(one["effect"] for one in runs), where, short),
        "enough": Measured(tuple(one["siblings"] - one["random_outside"] for one in runs), where, cut(data, effort)),
    }


def figures(data: Data) -> list[Figure]:
    """The median class inside and outside, before and after."""
    words = {
        "outside": "others", "random_outside": "others, 129 random gone", "inside": "dogs and cats",
        "random_inside": "…, 129 random gone", "siblings": "…, 129 siblings gone",
    }  # fmt: skip
    rows = [Strip(said, tuple(one[name] for one in data.values())) for name, said in words.items()]
    return [strips("Median class in the end, one dot a run", rows, say_odds)]


EXPERIMENT = Experiment(
    "dogs-and-cats",
    "Dogs and cats: taking the siblings away",
    CLAIMS,
    seeds=12,
    differences=(
        *DIFFERENCES,
        "The paper names two explanations and tests neither; here logits are removed from the same images.",
        "Classes 157 to 286 are counted from 0; how the paper counts could not be sourced. From 0, dogs begin at 151: "
        "six of them count as others, and the few that are neither dog nor cat as siblings.",
        "The other explanation, more and less overfitted images of these classes in training, is not tested.",
    ),
    cost="12 searches as in imagenet-cppn, made where they are not there yet: about 4 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
