"""Is there the class in the hidden layers? How near such images are to natural ones of their class, layer by layer."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.types import Levels
from trompe.data import load
from trompe.experiments.families import error, lesson, made
from trompe.experiments.figures import Strip, percent, strips
from trompe.experiments.joint import answers, attack, fooled
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
from trompe.experiments.reasons import MODEL, UNSHOWN, WRITTEN, few
from trompe.experiments.wording import counted
from trompe.targets import TorchTarget

LAYERS = {"first": "net.first", "middle": "net.blocks.0", "last": "net.blocks.1", "answers": "net.last"}
"""What they are called, and which they are, in a small residual network; the last is its logits."""
_NATURAL, _TESTED = 2000, 500

CLAIMS = (
    Claim(
        "first", "In the first layer fewer images than in the last hidden one are nearest, by correlation, to natural "
        "images of their class.", "direction", MODEL, "", "the discussion: no high-level representation", 0.0,
        scale="share", prediction=Prediction("The class comes into being layer by layer.", WRITTEN, seen=False),
    ),
    Claim(
        "last", "In the last hidden layer nine in ten are.", "shape", MODEL, "",
        "the discussion: no high-level representation", 0.9, scale="share",
        prediction=Prediction("What is linear in a layer needs to be near in it.", WRITTEN, seen=False),
    ),
    Claim(
        "less", "But there they correlate with their class less than other natural images of it do.", "direction",
        MODEL, "", "asked here", 0.0,
        prediction=Prediction("Near enough for the answer, far from alike.", WRITTEN, seen=False),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One network a seed."""
    return [Unit(f"model-{seed:02d}", partial(look, seed=seed, effort=effort)) for seed in seeds]


def look(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Train a network, climb from noise, and hold its images against natural ones in every layer."""
    target: Any = made("residual", lesson(effort.pick(40, 400), 100, seed))
    levels = attack(folder / "ascend", target, seed, ("uniform",), effort.pick(10, 40))
    real = load("mnist")
    known, other = real.choose.images[:_NATURAL], real.test.images[:_TESTED]
    known_classes, other_classes = real.choose.classes[:_NATURAL], real.test.classes[:_TESTED]
    found = {}
    for name, layer in LAYERS.items():
        centres, middle = _centres(_features(target, layer, known), known_classes)
        made_ones, natural = (_features(target, layer, one) - middle for one in (levels, other))
        found[name] = {
            "made": near(made_ones, centres, torch.arange(10)), "natural": near(natural, centres, other_classes),
        }  # fmt: skip
    return {"layers": found, "fooled": fooled(target, levels), "error": error(target, 1000)}


def _features(target: TorchTarget, layer: str, levels: Levels) -> Float64[Tensor, "n features"]:
    asked = replace(target, declared=replace(target.declared, layer=layer))
    features = answers(asked, from_levels(levels)).features
    return torch.empty(len(levels), 0).double() if features is None else features.double()


def _centres(features: Tensor, classes: Tensor) -> tuple[Tensor, Tensor]:
    """Of each class the mean, from the mean of all; and that."""
    middle = features.mean(0)
    return torch.stack([features[classes == column].mean(0) for column in range(10)]) - middle, middle


def near(features: Tensor, centres: Tensor, classes: Tensor) -> dict[str, float]:
    """How near features are to the centre of their own class.

    Args:
        features: Shape (n, d), from the mean of natural images.
        centres: Shape (classes, d), from the same.
        classes: Shape (n,).

    Returns:
        ``nearest``: the share that no other class's centre is nearer to, by cosine; ``cosine``: the mean with its own.
    """
    cosine = torch.nn.functional.normalize(features) @ torch.nn.functional.normalize(centres).T
    own = cosine.gather(1, classes.unsqueeze(1)).mean()
    return {"nearest": float((cosine.argmax(1) == classes).double().mean()), "cosine": float(own)}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """One value a network."""
    models = [one["layers"] for one in data.values()]
    last = [one["last"] for one in models]
    values = {
        "first": [one["last"]["made"]["nearest"] - one["first"]["made"]["nearest"] for one in models],
        "last": [one["made"]["nearest"] for one in last],
        "less": [one["natural"]["cosine"] - one["made"]["cosine"] for one in last],
    }
    where = f"on {counted(len(models), 'residual network')} and MNIST"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """Nearness by layer, of images that were made and of natural ones."""
    models = [one["layers"] for one in data.values()]

    def rows(key: str) -> list[Strip]:
        return [
            Strip(
                f"{layer}, {'made' if which == 'made' else 'natural'}", tuple(one[layer][which][key] for one in models)
            )
            for layer in LAYERS
            for which in ("made", "natural")
        ]

    return [
        strips("Share of images that are nearest to their class, layer by layer", rows("nearest"), percent),
        strips("Their mean correlation with their class", rows("cosine"), "{:.1f}".format),
    ]


EXPERIMENT = Experiment(
    "layers",
    "Layer by layer",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "A small residual network, 400 batches of 64; ten images a network, climbed from noise in 40 steps.",
        "A class is where the mean of its natural images is, from the mean of all; nearness is the cosine.",
    ),
    cost="12 networks trained and attacked; about 1 minute on one core",
    units=units,
    measure=measure,
    figures=figures,
    questions=(
        Question(
            "Do the hidden layers see that it is nonsense?",
            "networks have no high-level representation in their hidden layers.",
            (
                Answer("last", "No: in the last hidden layer such images are nearest to the class they were made for.",
                       "They do: in the last hidden layer too few of such images are nearest to their class."),
                Answer(
                    "first",
                    "In the first layer fewer are nearest to it: the class comes into being on the way.",
                    "In the first layer no fewer are nearest to it.",
                ),
                Answer(
                    "less",
                    "They are less like the class than natural images are.",
                    "They are no less like the class than natural images are.",
                ),
            ),
            (0, 1),
        ),
    ),
)  # fmt: skip
