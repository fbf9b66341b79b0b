"""Is it linearity? Confidence along a straight line away from everything, for five kinds of classifier."""

from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from trompe.core.numerics import VALUE_LIMIT, level_odds, log_odds, say_confidence
from trompe.core.seeds import Stream
from trompe.core.types import Images
from trompe.experiments.bounded import Mixed, tanh
from trompe.experiments.families import Lesson, error, lesson, made, network
from trompe.experiments.figures import Line, Strip, curves, percent, strips
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
from trompe.search.judge import with_threads
from trompe.targets import TorchTarget

LEVEL = level_odds(0.99)
SCALES = tuple(10.0 ** (0.25 * step) for step in range(25))
"""How far: multiples of an image, from 1 to a million."""
_LIMIT, _CLIPPED = level_odds(0.999), level_odds(0.95)
_SHOWN = 16.0
"""Log-odds from which on the figure makes no difference."""


def _mixed(wanted: Lesson) -> TorchTarget:
    inner: Any = made("mlp", wanted)
    return TorchTarget("mixed", Mixed(inner.module, wanted.part).eval(), inner.spec, inner.labels)


def _plain(name: str, wanted: Lesson) -> TorchTarget:
    found: Any = made(name, wanted)
    return found  # type: ignore[no-any-return]


KINDS: Mapping[str, Callable[[Lesson], TorchTarget]] = {
    "linear": partial(_plain, "linear"),
    "rectified": partial(_plain, "mlp"),
    "tanh": lambda wanted: network("tanh", lambda _: tanh(), wanted),
    "radial basis": partial(_plain, "radial basis"),
    "mixed": _mixed,
}

_THEOREM = "A rectified network is linear on each of finitely many cones, so far away one logit outgrows the others."

CLAIMS = (
    Claim(
        "linear", "Far from everything a linear classifier is certain: at a million times a noise image, it is certain "
        "of 95 in 100.",
        "shape", MODEL, "", "the discussion: linear classifiers are fooled too", 0.95, scale="share",
        prediction=Prediction("Certain: its log-odds grow in proportion.", WRITTEN, seen=False),
    ),
    Claim(
        "rectified", "So is a network of rectified units.", "shape", MODEL, "",
        "the discussion: networks are too linear",
        0.95, scale="share", prediction=Prediction(_THEOREM, WRITTEN, seen=True),
    ),
    Claim(
        "tanh", "A network of saturating units is certain of fewer such images than one of rectified units.",
        "direction", MODEL, "", "the discussion: is it the linearity?", 0.0, scale="share",
        prediction=Prediction("Its units stop growing, so its logits do.", WRITTEN, seen=False),
    ),
    Claim(
        "radial", "A radial basis network is certain of none of them, or of 1 in 100 at most.", "shape", MODEL, "",
        "the discussion: more non-linear models", high=0.01, scale="share",
        prediction=Prediction("Every distance is large: only the biases are left, 1/K.", WRITTEN, seen=False),
    ),
    Claim(
        "mixed", "Nor is a network that is believed only where images are.", "shape", MODEL, "",
        "the discussion: a model of p(x)", high=0.01, scale="share",
        prediction=Prediction("The outer density wins: 1/K.", WRITTEN, seen=False),
    ),
    Claim(
        "clipped", "It is no matter of leaving the range of an image: cut back to it where a rectified network first "
        "reaches 99.9 %, nine in ten keep 95 %.", "shape", MODEL, "", "asked here", 0.9, scale="share",
        prediction=Prediction("98.7 % of a plain network's images (Hein 2019).", WRITTEN, seen=True),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, trained on one seed's images."""
    iterations, part = effort.pick(150, 1500), effort.pick(600, 3000)
    return [Unit(f"models-{seed:02d}", partial(look_far, course=(iterations, part, seed))) for seed in seeds]


def look_far(folder: Path, course: tuple[int, int, int]) -> dict[str, Any]:
    """Train every kind, and scale noise images by up to a million."""
    del folder
    return {"kinds": {name: _one(make, course) for name, make in KINDS.items()}}


def _one(make: Callable[[Lesson], TorchTarget], course: tuple[int, int, int]) -> dict[str, Any]:
    with with_threads(1):
        target = make(lesson(*course))
        noise = Stream(course[2], "why/linearity", 0).uniform32(100, 1, 28, 28)
        found = along(target.module, noise)
    return {**found, "error": error(target, 1000)}


def along(module: nn.Module, images: Images) -> dict[str, Any]:
    """The confidence of a module in multiples of images.

    Returns:
        ``odds``: of each of `SCALES` the median log-odds of the class that is likeliest; ``far``: the share of images
        at 99 % or more at the last; ``kept``: of the images that reach 99.9 % somewhere the share that keep 95 % when
        they are cut to [0, 1] there, "none" where there are none.
    """
    odds = torch.stack([_certainty(module, images * scale) for scale in SCALES])
    cut = torch.stack([_certainty(module, (images * scale).clamp(max=1.0)) for scale in SCALES])
    there = odds >= _LIMIT
    first = there.to(torch.int64).argmax(0)
    kept = (cut.gather(0, first.unsqueeze(0))[0] >= _CLIPPED)[there.any(0)].double()
    return {
        "odds": odds.median(1).values.tolist(), "cut": cut.median(1).values.tolist(),
        "far": float((odds[-1] >= LEVEL).double().mean()), "kept": float(kept.mean()) if len(kept) else "none",
    }  # fmt: skip


def _certainty(module: nn.Module, images: Images) -> Tensor:
    with torch.inference_mode():
        return log_odds(module(images)).amax(1).clamp(max=VALUE_LIMIT)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Shares of images, one a model; of tanh, how many fewer than of rectified units."""
    models = [one["kinds"] for one in data.values()]
    far = {name: tuple(float(one[name]["far"]) for one in models) for name in KINDS}
    kept = tuple(float(one["rectified"]["kept"]) for one in models if one["rectified"]["kept"] != "none")
    values = {
        "linear": far["linear"], "rectified": far["rectified"], "radial": far["radial basis"], "mixed": far["mixed"],
        "tanh": tuple(a - b for a, b in zip(far["rectified"], far["tanh"], strict=True)), "clipped": kept,
    }  # fmt: skip
    where = f"on {counted(len(models), 'trained model')} of each kind, MNIST and 100 noise images each"
    return {name: Measured(found, where, few(effort)) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """Confidence against distance, out of the box and cut back to it; shares far away."""
    models = [one["kinds"] for one in data.values()]
    return [
        _curves("Confidence in a noise image times a number", models, "odds"),
        strips(
            "Share of noise images, times a million, at 99 % or more; one dot a model",
            [Strip(name, tuple(one[name]["far"] for one in models)) for name in KINDS], percent,
        ),
        _curves("The same, each image cut back to the range of an image", models, "cut"),
    ]  # fmt: skip


def _curves(title: str, models: list[Any], key: str) -> Figure:
    lines = [
        Line(name, [[scale, min(value, _SHOWN)] for scale, value in zip(SCALES, one[name][key], strict=True)])
        for one in models[:3]
        for name in KINDS
    ]
    return curves(f"{title} (median of 100; three models of each kind)", lines, say_confidence, over="times the image")


EXPERIMENT = Experiment(
    "linearity",
    "Far away along a straight line",
    CLAIMS,
    seeds=12,
    differences=(
        "An image x becomes a·x for a up to a million, out of the range of any real image; then it is cut back to it.",
        "Models are small: 1,500 batches of 64 images; a radial basis network has 300 centres.",
        UNSHOWN,
        "“Mixed” is a rectified network times a density of training images, in the manner of CCU, but simpler.",
    ),
    cost="60 models trained; about 3 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    questions=(
        Question(
            "Are they fooled because they are too linear?",
            "linear classifiers are fooled as well, and rectified networks are linear nearly everywhere.",
            (
                Answer("rectified", "Far away, yes: a rectified network is certain along nearly every straight line.",
                       "No: far away a rectified network is not certain along nearly every straight line."),
                Answer(
                    "linear",
                    "Far away a plain linear classifier is certain as well.",
                    "Far away a plain linear classifier is not certain of 95 in 100.",
                ),
                Answer(
                    "clipped",
                    "Within the range of an image nine in ten stay certain.",
                    "Within the range of an image too few stay certain.",
                ),
            ),
        ),
        Question(
            "Would more non-linear units prevent it?",
            "one could use units that saturate, or that answer only near what they know.",
            (
                Answer("radial", "Far away, units that answer only nearby do: what is far from everything is nothing.",
                       "Not even units that answer only nearby do, far away."),
                Answer(
                    "mixed",
                    "Believing a network only where images are prevents it far away.",
                    "Believing a network only where images are does not.",
                ),
                Answer("tanh", "Units that merely saturate are certain of fewer images than rectified ones.",
                       "Units that merely saturate are certain of no fewer images than rectified ones."),
            ),
            (1, 2),
        ),
    ),
)  # fmt: skip
