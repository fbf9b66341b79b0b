"""How large is the region of images that a classifier is certain of, and of those that a density accepts?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trompe.core.numerics import level_odds, log_odds
from trompe.core.seeds import Stream
from trompe.core.types import Images
from trompe.data import Split, load
from trompe.experiments.families import Lesson, lesson, made, network
from trompe.experiments.figures import Strip, strips
from trompe.experiments.joint import fitted_guard, generative
from trompe.experiments.nouns import (
    Answer,
    Claim,
    Data,
    Effort,
    Experiment,
    Figure,
    Measured,
    Prediction,
    Question,
    Unit,
)  # fmt: skip
from trompe.experiments.reasons import MODEL, UNSHOWN, WRITTEN, few, scikit
from trompe.experiments.volume import Walks, log_share
from trompe.experiments.wording import counted
from trompe.search.judge import with_threads
from trompe.targets.architectures import ARCHITECTURES
from trompe.targets.generative import log_evidence

LEVEL = level_odds(0.99)
CLASSES, IMAGES = (2, 5, 10), (500, 5000, 50_000)
_SHAPE = (1, 28, 28)
_WALKS = Walks(50, 8)

CLAIMS = (
    Claim(
        "ratio", "The images that a LeNet is certain of are at least 10^100 times as many as those that p(x) of a "
        "linear discriminant accepts.", "shape", MODEL, "", "asked here", 100.0, scale="times",
        prediction=Prediction("Far more than 10^100 times.", WRITTEN, seen=False),
    ),
    Claim(
        "common", "They are no needles: at least one image in 10^20 of all there are.", "shape", MODEL, "",
        "asked here", -20.0, scale="of all", prediction=Prediction("Enormous as regions go.", WRITTEN, seen=False),
    ),
    Claim(
        "classes", "Among ten classes the region of one class is smaller than among two.", "direction", MODEL, "",
        "the paper: more classes are harder", 0.0, scale="times",
        prediction=Prediction("Smaller: more classes to be told from.", WRITTEN, seen=False),
    ),
    Claim(
        "data", "Trained on 50,000 images, it is smaller than trained on 500.", "direction", MODEL, "",
        "asked here", 0.0, scale="times", prediction=Prediction("Smaller with more data.", WRITTEN, seen=False),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """A LeNet, a discriminant, and five small networks of a seed."""
    return [Unit(f"models-{seed:02d}", partial(measure_all, seed=seed, effort=effort)) for seed in seeds]


def measure_all(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """The share of all images, as a power of ten, in each region."""
    del folder
    walks = Walks(_WALKS.walkers, _WALKS.moves, effort.pick(60, _WALKS.most))
    lenet: Any = made("lenet", lesson(effort.pick(100, 800), 100, seed))
    density = generative("lda", seed, effort)
    guard = fitted_guard("energy", density)
    found = {
        "LeNet certain": _certain(lenet.module, None, seed, walks),
        "discriminant certain": _certain(density.module, None, seed, walks),
        "discriminant accepts": _share(
            lambda shown: log_evidence(density.module(shown)), guard.scale.threshold, seed, walks
        ),
    }
    classes = {str(count): _certain(_small(count, 5000, seed, effort), 0, seed, walks) for count in CLASSES}
    images = {str(count): _certain(_small(10, count, seed, effort), 0, seed, walks) for count in IMAGES}
    return {"regions": found, "classes": classes, "images": images}


def _share(score: Any, level: float, seed: int, walks: Walks) -> float:
    with torch.inference_mode(), with_threads(1):
        return log_share(score, level, _SHAPE, Stream(seed, "why/region", 0), walks)


def _certain(module: nn.Module, column: int | None, seed: int, walks: Walks) -> float:
    """Of the region where one class, or any, is at 99 % or more."""

    def score(shown: Images) -> Tensor:
        odds = log_odds(module(shown))
        return odds.amax(1) if column is None else odds[:, column]

    return _share(score, LEVEL, seed, walks)


def _small(classes: int, count: int, seed: int, effort: Effort) -> nn.Module:
    """A small network trained on so many images of the first so many digits."""
    train = load("mnist").train
    own = Stream(seed, "why/some", 0).uniform(len(train)).argsort(stable=True)
    own = own[train.classes[own] < classes][:count]
    part = Split(train.images[own], train.classes[own])
    wanted = Lesson(part, part, effort.pick(60, 1000), seed)
    with with_threads(1):
        return network("mlp", lambda _: ARCHITECTURES["mlp"](classes), wanted).module


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Powers of ten, and their differences, one a seed."""
    seeds = list(data.values())
    values = {
        "ratio": [one["regions"]["LeNet certain"] - one["regions"]["discriminant accepts"] for one in seeds],
        "common": [one["regions"]["LeNet certain"] for one in seeds],
        "classes": [one["classes"]["2"] - one["classes"]["10"] for one in seeds],
        "data": [one["images"]["500"] - one["images"]["50000"] for one in seeds],
    }
    where = f"on {counted(len(seeds), 'trained model')} of each kind, MNIST and random walks"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """The share of each region as a power of ten."""
    seeds = list(data.values())

    def rows(part: str, words: str) -> list[Strip]:
        return [Strip(f"{name}{words}", tuple(one[part][name] for one in seeds)) for name in seeds[0][part]]

    return [
        strips("Share of all images, as a power of ten, one dot a model", rows("regions", ""), _power),
        strips("The region of one class among so many, as a power of ten", rows("classes", " classes"), _power),
        strips(
            "The region of one class, trained on so many images, as a power of ten", rows("images", " images"), _power
        ),
    ]


def _power(value: float) -> str:
    return f"{value:.0f}"


EXPERIMENT = Experiment(
    "region",
    "The size of regions",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "Shares are of the box of all images with values from 0 to 1, by splitting levels and walking at random.",
        "50 walkers and 8 steps a round: regions of known size come out right to about two in a hundred of the power.",
        "Where walks mix badly a small region looks larger than it is, never smaller.",
        "The small networks have two hidden layers and see 1,000 batches of 64 images, whatever the number of images.",
    ),
    cost="96 models trained, 108 regions; about 11 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "How large is the region in which a network is certain?",
            "nothing; it is asked here.",
            (
                Answer("ratio", "Next to what a density accepts it is immense: at least 10^100 times as many images.",
                       "It is not 10^100 times what a density accepts."),
                Answer("common", "A random image lies in it more often than once in 10^20.",
                       "But a random image hardly ever lies in it: less often than once in 10^20."),
            ),
        ),
        Question(
            "Do more classes or more data make it smaller?",
            "nothing; it is asked here.",
            (
                Answer(
                    "classes",
                    "More classes make it smaller.",
                    "More classes do not make it smaller.",
                ),
                Answer(
                    "data",
                    "More data make it smaller.",
                    "More data do not make it smaller.",
                ),
            ),
            (1, 2),
        ),
    ),
)  # fmt: skip
