"""One step is enough: the closed form for a linear classifier, and one sign of a gradient for the others."""

from collections.abc import Callable, Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import class_log_odds, from_levels, level_odds, log_odds, quantise, say_confidence, to_levels
from trompe.core.seeds import Stream
from trompe.core.types import Images, Target
from trompe.data import load
from trompe.experiments.families import lesson, made
from trompe.experiments.figures import Strip, images, percent, strips
from trompe.experiments.joint import STARTS, attack, fooled, generative
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
from trompe.search.judge import with_threads
from trompe.targets import load_target

LEVEL = level_odds(0.99)
STEP = 0.25
"""Of every pixel, as a share of its range; Goodfellow 2015 on MNIST."""
_IMAGENET = "efficientnet-lite0"
_WIDE, _SMALL = 100.0, 1e-4
KINDS = ("linear", "mlp", "lenet", "radial basis", "qda")

CLAIMS = (
    Claim(
        "closed", "A linear classifier is certain of the middle one of its ten classes after noise has moved by a "
        "quarter of a pixel's range along the signs of that class's weights.", "shape", MODEL, "",
        "the discussion: breaking linear classifiers", high=STEP, scale="range",
        prediction=Prediction("Less than a quarter: 784 small steps add up.", WRITTEN, seen=False),
    ),
    Claim(
        "features", "In the features of an ImageNet network the closed-form shift from noise to certainty of a class, "
        "the middle one of five, is shorter than the features themselves.", "shape", "run", "",
        "the discussion: breaking linear classifiers", high=1.0, scale="share",
        prediction=Prediction("Shorter: the last layer is a linear classifier.", WRITTEN, seen=False),
    ),
    Claim(
        "noise", "One step along the sign of the gradient, from noise, makes a linear classifier certain of nine "
        "classes in ten.", "shape", MODEL, "", "Explaining and harnessing adversarial examples", 0.9, scale="share",
        prediction=Prediction("All of them; four small steps had done it.", WRITTEN, seen=True),
    ),
    Claim(
        "deep", "For more classes it does so from noise with a LeNet than with a radial basis network.", "direction",
        MODEL, "", "Explaining and harnessing: radial networks are immune", 0.0, scale="share",
        prediction=Prediction("A LeNet is close to linear, the other is not.", WRITTEN, seen=False),
    ),
    Claim(
        "natural", "From images of other digits one step makes a linear classifier certain of nine classes in ten.",
        "shape", MODEL, "", "Explaining and harnessing adversarial examples", 0.9, scale="share",
        prediction=Prediction("The same step is enough.", WRITTEN, seen=False),
    ),
    Claim(
        "immune", "A radial basis network resists many steps from noise: it is fooled for fewer classes than a linear "
        "classifier is.", "direction", MODEL, "", "the discussion: more non-linear models", 0.0, scale="share",
        prediction=Prediction("Far from all centres it has no slope to climb.", WRITTEN, seen=False),
    ),
    Claim(
        "imagenet", "One step of a tenth of the range, from noise, makes an ImageNet network certain of one class in "
        "ten at most.", "shape", "run", "", "Explaining and harnessing adversarial examples", high=0.1, scale="share",
        prediction=Prediction("Few: a thousand classes, and curved on the way.", WRITTEN, seen=False),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, trained with one seed; and noise of that seed for the ImageNet network."""
    return [Unit(f"models-{seed:02d}", partial(step_all, seed=seed, effort=effort)) for seed in seeds]


def step_all(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Train every kind, and take one step from noise and one from real images."""
    found: dict[str, Any] = {}
    real = load("mnist").test
    noise = Stream(seed, "why/one-step", 0).uniform32(10, 1, 28, 28)
    natural = from_levels(torch.stack([real.images[real.classes == (column + 1) % 10][seed] for column in range(10)]))
    for kind in KINDS:
        target = _classifier(kind, seed, effort)
        starts = {"noise": noise, "natural": natural}
        steps = {name: one_step(target, start, torch.arange(10), STEP) for name, start in starts.items()}
        found[kind] = {name: float((_own(target, step) >= LEVEL).double().mean()) for name, step in steps.items()}
        found[kind]["images"] = pack(to_levels(steps["noise"]))
        if kind in ("linear", "radial basis"):
            levels = attack(folder / kind.replace(" ", "-"), target, seed, STARTS, effort.pick(10, 60))
            found[kind]["many"] = fooled(target, levels)
        if kind == "linear":
            found[kind]["closed"], made_so = closed_form(target.module, noise)
            found[kind]["closed images"] = pack(to_levels(made_so))
            found[kind]["closed odds"] = _own(target, made_so).tolist()
    return {"kinds": found, "imagenet": _imagenet(seed, effort)}


def _classifier(kind: str, seed: int, effort: Effort) -> Any:
    if kind == "qda":
        return generative(kind, seed, effort)
    return made(kind, lesson(effort.pick(100, 1000), effort.pick(600, 2000), seed))


def one_step(target: Target, start: Images, classes: Tensor, size: float) -> Images:
    """Images moved once by the sign of the gradient of their class's log-odds, within the range, on the 8-bit grid."""
    with with_threads(1), torch.enable_grad():
        moved = start.clone().requires_grad_()
        height = class_log_odds(target.judge(moved).logits, classes)
        (slope,) = torch.autograd.grad(height.sum(), moved)
    return quantise((start + size * slope.sign()).clamp(0.0, 1.0))


def _own(target: Target, shown: Images) -> Tensor:
    with torch.inference_mode(), with_threads(1):
        return log_odds(target.judge(shown).logits).diagonal()


def closed_form(module: Callable[[Images], Tensor], start: Images) -> tuple[float, Images]:
    """How far every pixel has to move for 99 %, in the median over classes, and the images, cut back to their range.

    The way is the sign of a class's weights less those of all classes, so the log-odds along it need no search but for
    one number. On the way images may leave their range; those given back are on the 8-bit grid, and may lose by it.

    Returns:
        A share of a pixel's range, and images of shape (classes, channels, height, width).
    """
    with torch.no_grad():
        base = module(torch.zeros(1, *start.shape[1:]))
        units_ = torch.eye(start[0].numel()).view(-1, *start.shape[1:])
        weights = (module(units_) - base).T  # (classes, pixels): the module is linear
    ways = (weights - weights.mean(0)).sign().view(-1, *start.shape[1:])
    sizes = [shortest(_along(module, start[c : c + 1], ways[c : c + 1], c)) for c in range(len(ways))]
    far = start[: len(ways)] + torch.tensor(sizes, dtype=start.dtype).view(-1, 1, 1, 1) * ways
    return median(sizes), quantise(far.clamp(0.0, 1.0))


def _along(module: Callable[[Images], Tensor], start: Images, way: Images, column: int) -> Callable[[float], float]:
    def odds(size: float) -> float:
        with torch.no_grad():
            return float(log_odds(module(start + size * way))[0, column])

    return odds


def shortest(odds: Callable[[float], float]) -> float:
    """The least size at which log-odds that grow with it reach 99 %, to 1 part in 10,000; a hundred where none does.

    Example:
        >>> round(shortest(lambda size: 2.0 * size), 2)
        2.3
    """
    low, high = 0.0, _WIDE
    if odds(0.0) >= LEVEL:
        return 0.0
    while high - low > _SMALL * high:
        middle = 0.5 * (low + high)
        low, high = (low, middle) if odds(middle) >= LEVEL else (middle, high)
    return high


def _imagenet(seed: int, effort: Effort) -> dict[str, Any]:
    """One step from noise on an ImageNet network, and the shift in its features; empty where it is missing."""
    if find_spec("efficientnet_lite_pytorch") is None:
        return {}
    count = effort.pick(2, 5)
    target: Any = load_target(_IMAGENET)
    classes = Stream(seed, "why/imagenet", 0).integers(count, len(target.labels))
    noise = Stream(seed, "why/imagenet", 1).uniform32(count, *target.spec.shape)
    moved = one_step(target, noise, classes, 0.1)
    net, heard = target.module.net, []
    head = net.fc if hasattr(net, "fc") else net._fc
    hook = head.register_forward_hook(lambda _, given, __: heard.append(given[0].detach()))
    with torch.inference_mode(), with_threads(1):
        target.judge(noise)
        odds = log_odds(target.judge(moved).logits).gather(1, classes.unsqueeze(1)).squeeze(1)
    hook.remove()
    shifts = [feature_shift(head.weight, head.bias, heard[0][i], int(column)) for i, column in enumerate(classes)]
    return {"odds": odds.tolist(), "shift": median(shifts)}


def feature_shift(weight: Tensor, bias: Tensor, features: Tensor, column: int) -> float:
    """Length of the shortest shift along a class's own weights that makes it certain, as a share of the features'."""
    way = weight[column] - weight.mean(0)
    way = way / way.norm()

    def odds(size: float) -> float:
        moved = features + size * way * features.norm()
        return float(log_odds((weight @ moved + bias).unsqueeze(0))[0, column])

    return shortest(odds)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Shares of classes and sizes of steps, one a seed."""
    seeds = [one["kinds"] for one in data.values()]
    large = [one["imagenet"] for one in data.values() if one["imagenet"]]
    where = f"on {counted(len(seeds), 'model')} of each kind and MNIST"
    values = {
        "closed": [one["linear"]["closed"] for one in seeds], "noise": [one["linear"]["noise"] for one in seeds],
        "natural": [one["linear"]["natural"] for one in seeds],
        "deep": [one["lenet"]["noise"] - one["radial basis"]["noise"] for one in seeds],
        "immune": [one["linear"]["many"] - one["radial basis"]["many"] for one in seeds],
    }  # fmt: skip
    found = {name: Measured(tuple(value), where, few(effort)) for name, value in values.items()}
    shares = tuple(sum(odds >= LEVEL for odds in one["odds"]) / len(one["odds"]) for one in large)
    there = f"on {counted(len(large), 'run')}, 1 network ({_IMAGENET}) and noise"
    missing = "" if large else "the ImageNet network is not installed (extra imagenet)"
    found["imagenet"] = Measured(shares, there, few(effort), missing)
    found["features"] = Measured(tuple(one["shift"] for one in large), there, few(effort), missing)
    return found


def figures(data: Data) -> list[Figure]:
    """Shares after one step, and the images."""
    seeds = [one["kinds"] for one in data.values()]
    rows = [Strip(f"{kind}, {name}", tuple(one[kind][name] for one in seeds))
            for kind in KINDS for name in ("noise", "natural")]  # fmt: skip
    shown = [(kind, list(unpack(seeds[0][kind]["images"], (1, 28, 28)))) for kind in KINDS]
    many = [Strip(kind, tuple(one[kind]["many"] for one in seeds)) for kind in ("linear", "radial basis")]
    return [
        strips("Classes at 99 % after one step from noise or from a natural image of another digit", rows, percent),
        images("Noise after one step towards every digit, one seed", [str(digit) for digit in range(10)], shown),
        images(
            "Noise moved by the closed form of a linear classifier until it is certain, then cut back to the range",
            [f"{digit}: {say_confidence(odds)}" for digit, odds in enumerate(seeds[0]["linear"]["closed odds"])],
            [("linear", list(unpack(seeds[0]["linear"]["closed images"], (1, 28, 28))))],
        ),
        strips("Classes at 99 % after 60 steps from each of two starts", many, percent),
    ]


EXPERIMENT = Experiment(
    "one-step",
    "One step",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "A step is a quarter of a pixel's range on MNIST, a tenth on ImageNet, as in Goodfellow 2015 (there CIFAR-10).",
        "Of the closed form, and of the shift in features, the class in the middle counts, by the size of its step; "
        "some classes need more.",
        "The closed form may leave the range of an image; every other image is on the 8-bit grid.",
        "The ImageNet network is one; what is repeated is the noise, and the classes, which are drawn.",
    ),
    cost="60 models trained; about 5 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "Are linear classifiers fooled as well, and how little does it take?",
            "breaking a linear classifier is easy, on images of any size.",
            (
                Answer("closed",
                       "Yes, by a formula: for the middle class a quarter of the range at every pixel is enough.",
                       "For the middle class the formula needs more than a quarter of the range at every pixel."),
                Answer("noise", "One step along the gradient's sign does it from noise.",
                       "One step along the gradient's sign is not enough from noise."),
                Answer(
                    "natural",
                    "One step does it from real images, too.",
                    "From real images one step is not enough.",
                ),
                Answer(
                    "features",
                    "The last layer of an ImageNet network is fooled by such a formula.",
                    "In the last layer of an ImageNet network the way is longer than the features are.",
                ),
            ),
        ),
        Question(
            "Are deep networks so close to linear that one step fools them, and radial ones immune?",
            "deep networks are too linear; radial basis networks are immune.",
            (
                Answer("deep", "One step fools a LeNet for more classes than a radial basis network.",
                       "One step fools a LeNet for no more classes than a radial basis network."),
                Answer("immune", "Many steps from noise do not help against the radial one as they do otherwise.",
                       "Many steps from noise fool the radial one for no fewer classes than the linear one."),
                Answer("imagenet", "An ImageNet network takes more than one step from noise.",
                       "An ImageNet network needs no more than one step from noise for some classes."),
            ),
            (1, 2),
        ),
    ),
)  # fmt: skip
