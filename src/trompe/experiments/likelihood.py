"""Is it maximum likelihood? What is left free where there are no data, and densities by other principles."""

import math
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from jaxtyping import Float64
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Levels
from trompe.data import load
from trompe.experiments.densities import PRINCIPLES, Likely
from trompe.experiments.families import lesson, made
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.joint import answers, attack, evidence, generative, noise_levels, own_images
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
from trompe.targets import TorchTarget
from trompe.targets.generative import GENERATIVE

_SHOWN = 200
_OTHER = 1000
"""Added to a seed for the second model of a pair, which has the same images and other weights and orders."""
PAIRS = ("vae", "flow", "lenet")

CLAIMS = (
    Claim(
        "spread", "Two autoencoders that differ in their seed alone disagree on log p(x) of noise ten times as much as "
        "on that of test images.", "shape", "pair of models", "", "the discussion: KL leaves p(x) free where data are "
        "not", 1.0, scale="times", prediction=Prediction("Ten times or more.", WRITTEN, seen=False),
    ),
    Claim(
        "spread-flow", "So do two flows.", "shape", "pair of models", "", "the discussion: KL leaves p(x) free where "
        "data are not", 1.0, scale="times", prediction=Prediction("Ten times or more.", WRITTEN, seen=False),
    ),
    Claim(
        "order", "Neither autoencoders nor flows agree much on which of two noise images is likelier: tau 0.3 at most.",
        "shape", "pair of models", "", "asked here", high=0.3,
        prediction=Prediction("About 0 on noise.", WRITTEN, seen=False),
    ),
    Claim(
        "order-test", "Both agree on which of two test images is likelier: tau 0.9 or more.", "shape",
        "pair of models", "", "asked here", 0.9, prediction=Prediction("Above 0.9.", WRITTEN, seen=False),
    ),
    Claim(
        "logits", "Two LeNets disagree on the logits of fooling images more than on those of test images.", "direction",
        "pair of models", "", "the discussion: is it a consequence of maximum likelihood?", 0.0, scale="times",
        prediction=Prediction("Ten times as much.", WRITTEN, seen=False),
    ),
    *(
        Claim(
            f"by-{name.split()[-1]}", f"A density trained by {words} finds noise unlikely, and still calls an image "
            "that was climbed from noise likelier than most real ones.", "shape", MODEL, "",
            "the discussion: forward KL", 0.9, scale="share",
            prediction=Prediction("Fooling images move with the negatives; they do not vanish.", WRITTEN, seen=False),
        )
        for name, words in zip(PRINCIPLES, ("maximum likelihood", "contrast with noise", "an adversary"), strict=True)
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """A pair of each kind, and a density of each principle, fitted to one seed's images."""
    return [Unit(f"pairs-{seed:02d}", partial(compare_all, seed=seed, effort=effort)) for seed in seeds]


def compare_all(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Where a pair agrees, and where a density can be climbed."""
    pairs = {kind: _pair(folder / kind, kind, seed, effort) for kind in PAIRS}
    return {"pairs": pairs, "principles": {name: _density(folder, name, seed, effort) for name in PRINCIPLES}}


def _twins(kind: str, seed: int, effort: Effort) -> list[TorchTarget]:
    if kind == "lenet":
        return [made(kind, lesson(effort.pick(100, 800), 100, own)) for own in (seed, seed + _OTHER)]  # type: ignore[misc]
    first = generative(kind, seed, effort)
    usual = {"vae": 1500, "flow": 1000}[kind]
    with with_threads(1):
        iterations = effort.pick(usual // 20, usual)
        other = GENERATIVE[kind].fit(own_images(seed), iterations, seed + _OTHER)
    return [first, TorchTarget(kind, other, ImageSpec(1, 28, 28), first.labels)]


def _pair(folder: Path, kind: str, seed: int, effort: Effort) -> dict[str, Any]:
    first, second = _twins(kind, seed, effort)
    shown = {
        "test": load("mnist").test.images[:_SHOWN], "noise": noise_levels(seed, _SHOWN),
        "fooling": attack(folder, first, seed, ("uniform",), effort.pick(10, 40)),
    }  # fmt: skip
    found = {}
    for name, levels in shown.items():
        one, two = (_numbers(kind, target, levels) for target in (first, second))
        found[name] = {"apart": float((one - two).square().mean().sqrt()), "tau": kendall(one, two)}
    return found


def _numbers(kind: str, target: TorchTarget, levels: Levels) -> Float64[Tensor, " n"]:
    """Of a density log p(x); of a network all its logits, about their mean."""
    if kind != "lenet":
        return evidence(target, levels)
    logits = answers(target, from_levels(levels)).logits.double()
    return (logits - logits.mean(1, keepdim=True)).flatten()


def kendall(one: Tensor, two: Tensor) -> float:
    """Kendall's tau: pairs that both put in the same order minus pairs that they do not, as a share of all.

    Example:
        >>> from torch import tensor
        >>> kendall(tensor([1.0, 2.0, 3.0]), tensor([1.0, 3.0, 2.0]))
        0.3333333333333333
    """
    first, second = ((part.unsqueeze(0) - part.unsqueeze(1)).sign() for part in (one, two))
    count = len(one) * (len(one) - 1)
    return float((first * second).sum()) / count


def _density(folder: Path, name: str, seed: int, effort: Effort) -> dict[str, Any]:
    with with_threads(1):
        fitted = PRINCIPLES[name](own_images(seed), effort.pick(60, 1000), seed)
        real = from_levels(load("mnist").choose.images[:_SHOWN])
        module = Likely(fitted, real).eval()
    target = TorchTarget(name, module, ImageSpec(1, 28, 28), ("unlikely", "likely"))
    noise = answers(target, from_levels(noise_levels(seed, _SHOWN))).logits[:, 1]
    test = answers(target, from_levels(load("mnist").test.images[:_SHOWN])).logits[:, 1]
    levels = attack(folder / name.replace(" ", "-"), target, seed, ("uniform",), effort.pick(20, 80))
    return {
        "noise": float((noise < test.quantile(0.05)).double().mean()), "fooled": _likely(target, levels),
        "images": pack(levels[1:]),
    }  # fmt: skip


def _likely(target: TorchTarget, levels: Levels) -> float:
    """1 where the image made for "likely" is at 99 % or more, 0 elsewhere."""
    return float(answers(target, from_levels(levels[1:])).logits[0, 1] >= math.log(99.0))


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Ratios in powers of ten, orders, and what was climbed, one a seed."""
    pairs, made_by = ([one[key] for one in data.values()] for key in ("pairs", "principles"))

    def ratio(kind: str, there: str) -> list[float]:
        return [math.log10(one[kind][there]["apart"] / one[kind]["test"]["apart"]) for one in pairs]

    def orders(where: str) -> list[tuple[float, float]]:
        return [(one["vae"][where]["tau"], one["flow"][where]["tau"]) for one in pairs]

    values = {
        "spread": ratio("vae", "noise"), "spread-flow": ratio("flow", "noise"), "logits": ratio("lenet", "fooling"),
        "order": list(map(max, orders("noise"))), "order-test": list(map(min, orders("test"))),
    } | {
        f"by-{name.split()[-1]}": [min(one[name]["noise"], one[name]["fooled"]) for one in made_by]
        for name in PRINCIPLES
    }  # fmt: skip
    models = f"{counted(len(pairs), 'pair of models')} of each kind"
    where = f"on {models}, generative ones each on MNIST images of their own, LeNets on all of them"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """How far pairs are apart, how they order, and what densities are climbed to."""
    pairs, made_by = ([one[key] for one in data.values()] for key in ("pairs", "principles"))
    rows = [Strip(f"{kind}, {there}", tuple(math.log10(one[kind][there]["apart"]) for one in pairs))
            for kind in PAIRS for there in ("test", "noise", "fooling")]  # fmt: skip
    orders = [Strip(f"{kind}, {there}", tuple(one[kind][there]["tau"] for one in pairs))
              for kind in PAIRS for there in ("test", "noise")]  # fmt: skip
    shown = [(name, [unpack(one[name]["images"], (1, 28, 28))[0] for one in made_by]) for name in PRINCIPLES]
    return [
        strips("How far two models are apart: root mean square in nats, as a power of ten", rows, "{:.1f}".format),
        strips("Do they order images alike? Kendall's tau", orders, "{:.1f}".format, (0.0, "not at all")),
        images("“Likelier than most real images”: climbed from noise, one a model", list(map(str, range(len(made_by)))),
               shown),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    "likelihood",
    "Where there are no data",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "Twelve pairs of models, so 24 of each kind; a pair has the same images, other initial weights and orders.",
        "LeNets are trained on all 50,000 images, the others on 2,000 a pair.",
        "Of tau that of the kind counts of which a claim is less true.",
        "All models are small; the flow and the foil of the contrast look closely at 64 principal components.",
        "An adversary's logit is a density only against the forger's; here it is used as one, as people do.",
    ),
    cost="108 models fitted, 72 attacks; about 16 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "Is it a consequence of maximum likelihood: does it leave p(x) free where there are no data?",
            "KL(p_data, p) does not care about p(x) where p_data(x) is small, so p(x) is whatever it is there.",
            (
                Answer("spread", "Yes: on noise two autoencoders disagree ten times as much as on real images.",
                       "Not so much: two autoencoders do not disagree ten times as much on noise."),
                Answer(
                    "spread-flow",
                    "On noise two flows disagree ten times as much, too.",
                    "On noise two flows do not disagree ten times as much.",
                ),
                Answer(
                    "logits",
                    "Two LeNets disagree more about fooling images than about real ones.",
                    "Two LeNets do not disagree more about fooling images than about real ones.",
                ),
            ),
        ),
        Question(
            "Is what they say there arbitrary?",
            "p(x) far from the data is not determined by them.",
            (
                Answer("order", "Nearly: they do not order noise images alike.",
                       "No: autoencoders or flows order noise images alike in part."),
                Answer(
                    "order-test",
                    "Real images they order alike.",
                    "Real images they do not all order quite alike.",
                ),
            ),
            (1,),
        ),
        Question(
            "Would another principle than forward KL help?",
            "one could train with negatives, or adversarially.",
            (
                Answer(
                    "by-noise-contrastive",
                    "Contrast with noise does not help.",
                    "Contrast with noise: not all such densities were fooled, or noise was likely to them.",
                ),
                Answer(
                    "by-adversarial",
                    "An adversary does not help.",
                    "An adversary: not all such densities were fooled, or noise was likely to them.",
                ),
                Answer("by-likelihood", "Maximum likelihood is fooled in the same way.",
                       "Maximum likelihood: not all were fooled, or noise was likely to them."),
            ),
            (2,),
        ),
    ),
)  # fmt: skip
