"""Does modelling p(x, y) stop it? Nine classifiers, the same attack, and Bayes' rule where there is a p(x, y)."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trompe.core.types import Target
from trompe.experiments.families import error, lesson, made
from trompe.experiments.figures import Strip, images, percent, strips
from trompe.experiments.joint import (
    CLASSIC,
    LEARNED,
    STARTS,
    attack,
    certain,
    fooled,
    generative,
    least,
    most,
    noise_levels,
)  # fmt: skip
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
from trompe.experiments.runs import pack, unpack
from trompe.experiments.wording import counted

DISCRIMINATIVE = ("linear", "lenet")
KINDS = (*DISCRIMINATIVE, *CLASSIC, *LEARNED)

CLAIMS = (
    Claim(
        "classic", "Naive Bayes, linear and quadratic discriminants and kernel densities, each of them, are fooled by "
        "their posterior p(y | x): for nine classes in ten there is an image at 99 %.", "shape", MODEL, "",
        "the discussion: networks model only p(y | x)", 0.9, scale="share",
        prediction=Prediction("All of their classes.", WRITTEN, seen=True),
    ),
    Claim(
        "learned", "So are a variational autoencoder, a flow and a joint energy-based model, each of them.", "shape",
        MODEL, "", "the discussion: networks model only p(y | x)", 0.9, scale="share",
        prediction=Prediction(
            "The same: two tiny densities in a large ratio still make a posterior near 1.", WRITTEN, seen=False
        ),
    ),
    Claim(
        "noise", "Plain noise makes each of the classic four certain more often than a linear classifier and a LeNet.",
        "direction", MODEL, "", "the discussion: a model of p(x, y) would know", 0.0, scale="share",
        prediction=Prediction("Far more often: their log-odds are sums over 784 pixels.", WRITTEN, seen=True),
    ),
    Claim(
        "noise-learned", "So it does each of the learned three.", "direction", MODEL, "",
        "the discussion: a model of p(x, y) would know", 0.0, scale="share",
        prediction=Prediction("Far more often: their log-odds are sums over 784 pixels.", WRITTEN, seen=False),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, fitted to one seed's images."""
    return [Unit(f"models-{seed:02d}", partial(ask_all, seed=seed, effort=effort)) for seed in seeds]


def classifier(kind: str, seed: int, effort: Effort) -> Target:
    """One of `KINDS`."""
    if kind in DISCRIMINATIVE:
        return made(kind, lesson(effort.pick(100, 1000), 100, seed))
    return generative(kind, seed, effort)


def ask_all(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Fit every kind, show it noise, and climb from noise for every class."""
    found = {}
    for kind in KINDS:
        target = classifier(kind, seed, effort)
        levels = attack(folder / kind, target, seed, STARTS, effort.pick(10, 40))
        found[kind] = {
            "fooled": fooled(target, levels), "noise": certain(target, noise_levels(seed, 500)),
            "error": error(target, 1000), "images": pack(levels),
        }  # fmt: skip
    return {"kinds": found}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Shares of classes and of noise images, of the least kind for every seed; so what is said is true of each."""
    seeds = [one["kinds"] for one in data.values()]
    plain = [most(one, DISCRIMINATIVE, "noise") for one in seeds]
    classic, learned = ([least(one, part, "noise") for one in seeds] for part in (CLASSIC, LEARNED))
    values = {
        "classic": [least(one, CLASSIC, "fooled") for one in seeds],
        "learned": [least(one, LEARNED, "fooled") for one in seeds],
        "noise": [a - b for a, b in zip(classic, plain, strict=True)],
        "noise-learned": [a - b for a, b in zip(learned, plain, strict=True)],
    }
    models = f"{counted(len(seeds), 'model')} of each kind"
    where = f"on {models}, generative ones each on MNIST images of their own, networks on all of them"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """Shares, accuracy beside them, and the images."""
    seeds = [one["kinds"] for one in data.values()]
    rows = {key: [Strip(kind, tuple(one[kind][key] for one in seeds)) for kind in KINDS]
            for key in ("fooled", "noise", "error")}  # fmt: skip
    shown = [(kind, list(unpack(seeds[0][kind]["images"], (1, 28, 28)))) for kind in KINDS]
    return [
        strips("Share of the ten classes with an image at 99 % or more, one dot a model", rows["fooled"], percent),
        images("Such images of one seed, climbed from noise", [str(digit) for digit in range(10)], shown),
        strips("Share of noise images at 99 % or more for some class", rows["noise"], percent),
        strips("The other half: errors on 1,000 test images", rows["error"], percent),
    ]


EXPERIMENT = Experiment(
    "posterior",
    "Generative classifiers, asked for their posterior",
    CLAIMS,
    seeds=12,
    differences=(
        "Generative classifiers are fitted to 2,000 images each, networks by 1,000 batches of 64 of all 50,000; so on "
        "noise 2,000 training images are held against 50,000.",
        "What is said of several kinds is computed from the one of which it is least true, seed by seed.",
        UNSHOWN,
        "One attack for all: gradient ascent from uniform noise and from nearly black, 40 steps a class and start, on "
        "the 8-bit grid.",
        "The autoencoder's density is its evidence bound; the energy-based model's is known but for a constant.",
    ),
    cost="108 classifiers fitted and attacked; about 11 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "If a model learns p(x, y) and not only p(y | x), will it still be fooled?",
            "networks model only p(y | x); a model of p(x, y) might not be fooled.",
            (
                Answer("classic", "Yes. Classic generative classifiers, asked for p(y | x), are fooled like others.",
                       "Not all: some classic kind is fooled for fewer than nine classes in ten."),
                Answer(
                    "learned",
                    "Learned generative classifiers are fooled like others.",
                    "Learned ones only in part: some kind is fooled for fewer than nine classes in ten.",
                ),
            ),
            (0, 1, 3),
        ),
        Question(
            "Does a model of p(x, y) at least see that noise is noise?",
            "a model of the joint distribution would know that such images are improbable.",
            (
                Answer("noise", "It may know, but its posterior does not say so: classic ones are certain about plain "
                       "noise more often than networks.", "Not every posterior is worse: some classic kind is certain "
                       "about plain noise no more often than networks."),
                Answer(
                    "noise-learned",
                    "Learned ones are certain about plain noise more often than networks.",
                    "Learned ones: some kind is certain about plain noise no more often than networks.",
                ),
            ),
            (2,),
        ),
    ),
)  # fmt: skip
