"""The dark hole: of what a density calls likely, how much is faint or black?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch

from trompe.core.numerics import from_levels
from trompe.core.types import Classwise, Images, Levels, Outputs
from trompe.data import load
from trompe.experiments.figures import Line, Strip, curves, images, percent, strips
from trompe.experiments.joint import (
    CLASSIC,
    FALSE_ALARMS,
    answers,
    attack,
    evidence,
    fooled,
    generative,
    least,
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
from trompe.guards import Scale
from trompe.targets.generative import log_evidence
from trompe.targets.guarded import Guarded

CONTRASTS = (0.01, 0.02, 0.05, 0.1, 0.2, 0.4, 0.7, 1.0)
_FAINT = CONTRASTS.index(0.1)
_ATTACKED = ("lda", "qda")
_SHOWN = 300

CLAIMS = (
    Claim(
        "black", "To each of four classic densities a black image is likelier than nine in ten test images.", "shape",
        MODEL, "",
        "asked here", 0.9, scale="share",
        prediction=Prediction("Near blank is likely.", WRITTEN, seen=True),
    ),
    Claim(
        "faint", "Of test images at a tenth of their contrast each p(x) accepts nine in ten.", "shape", MODEL, "",
        "asked here", 0.9, scale="share", prediction=Prediction("Nearly all.", WRITTEN, seen=True),
    ),
    Claim(
        "sides", "A guard that also refuses what is too likely accepts one in ten of them at most.", "shape", MODEL, "",
        "asked here", high=0.1, scale="share", prediction=Prediction("None or few.", WRITTEN, seen=True),
    ),
    Claim(
        "ink", "What an aware attacker finds past p(x) of either discriminant has less ink than test images.",
        "direction", MODEL, "",
        "asked here", 0.0, scale="share",
        prediction=Prediction("The attacker ends in the hole: half the ink or less.", WRITTEN, seen=True),
    ),
    Claim(
        "still", "Closed on both sides, p(x) of either still lets the attacker through for nine classes in ten.",
        "shape",
        MODEL, "", "asked here", 0.9, scale="share",
        prediction=Prediction("A shell of typical density is as easily met as a ball.", WRITTEN, seen=False),
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Typical:
    """Refuses what has too low or too high a density: as often either way.

    Attributes:
        low: Scale of log p(x).
        high: Scale of its negative.

    Reference: Nalisnick 2019 (of one image).
    """

    low: Scale
    high: Scale

    name = "typical"
    needs = frozenset({"logits"})
    uses = frozenset({"function:energy", "features:classifier-logits", "data:mnist-choose"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): the lesser of both sides, for every class alike."""
        del inputs
        found = log_evidence(outputs.logits)
        lesser = torch.minimum(self.low.slack(found), self.high.slack(-found))
        return lesser.unsqueeze(1).expand(-1, outputs.logits.shape[1])

    def fingerprint(self) -> str:
        """Both scales."""
        return repr(self)


def units(effort: Effort, seeds: range) -> list[Unit]:
    """The classic kinds, fitted to one seed's images."""
    return [Unit(f"models-{seed:02d}", partial(dim_all, seed=seed, effort=effort)) for seed in seeds]


def dim_all(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Fit every kind, show it fainter and fainter images, and attack two of them."""
    found = {kind: _dim(generative(kind, seed, effort)) for kind in CLASSIC}
    for kind in _ATTACKED:
        found[kind] |= _attacked(folder / kind, kind, seed, effort)
    return {"kinds": found}


def _dim(target: Any) -> dict[str, Any]:
    test = load("mnist").test.images[:_SHOWN]
    whole = evidence(target, test)
    low, high = _scale(target, 1.0), _scale(target, -1.0)
    dimmed = [evidence(target, faint(test, contrast)) for contrast in CONTRASTS]
    black = evidence(target, torch.zeros_like(test[:1]))
    accepted = [low.slack(one) >= 0.0 for one in dimmed]
    return {
        "black": float((whole < black).double().mean()),
        "median": [float(one.median()) / 784.0 for one in dimmed],
        "accepted": [float(one.double().mean()) for one in accepted],
        "both": [float((one & (high.slack(-told) >= 0.0)).double().mean())
                 for one, told in zip(accepted, dimmed, strict=True)],
    }  # fmt: skip


def faint(levels: Levels, contrast: float) -> Levels:
    """Images at a share of their contrast, on the 8-bit grid; black stays black."""
    return (levels.double() * contrast).round().to(torch.uint8)


def _scale(target: Any, sign: float) -> Scale:
    real = load("mnist").choose.images[:1000]
    share = FALSE_ALARMS if sign > 0.0 else FALSE_ALARMS / 2.0
    return Scale.of(sign * log_evidence(answers(target, from_levels(real)).logits), share)


def _attacked(folder: Path, kind: str, seed: int, effort: Effort) -> dict[str, Any]:
    target, steps, starts = generative(kind, seed, effort), effort.pick(15, 80), ("uniform", "near-black")
    low, high = _scale(target, 1.0), _scale(target, -1.0)
    sides = Guarded(target, Typical(low, high))
    one = Guarded(target, Typical(low, Scale(-1e12, 0.0)))  # the upper side is never met
    past, both = (attack(folder / name, guarded, seed, starts, steps)
                  for name, guarded in (("one", one), ("both", sides)))  # fmt: skip
    ink = float(load("mnist").test.images[:_SHOWN].double().mean() / 255.0)
    return {
        "past": pack(past), "sides": pack(both), "fooled": fooled(sides, both),
        "ink": 1.0 - float(past.double().mean() / 255.0) / ink,
    }  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Of the kind of which a claim is least true, one value a seed."""
    seeds = [one["kinds"] for one in data.values()]
    values = {
        "black": [least(one, CLASSIC, "black") for one in seeds],
        "faint": [min(one[kind]["accepted"][_FAINT] for kind in CLASSIC) for one in seeds],
        "sides": [max(one[kind]["both"][_FAINT] for kind in CLASSIC) for one in seeds],
        "ink": [least(one, _ATTACKED, "ink") for one in seeds],
        "still": [least(one, _ATTACKED, "fooled") for one in seeds],
    }
    where = f"on {counted(len(seeds), 'model')} of each kind, each on MNIST images of its own"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """Density and acceptance against contrast, and what the attacker ends on."""
    seeds = [one["kinds"] for one in data.values()]
    digits = [str(digit) for digit in range(10)]

    def lines(key: str) -> list[Line]:
        return [Line(kind, list(zip(CONTRASTS, one[kind][key], strict=True))) for one in seeds[:3] for kind in CLASSIC]

    shown = [(f"{kind}, {words}", list(unpack(seeds[0][kind][key], (1, 28, 28))))
             for kind in _ATTACKED for key, words in (("past", "one side"), ("sides", "both sides"))]  # fmt: skip
    return [
        curves("log p(x) in nats a pixel of test images made fainter (three models of each kind)", lines("median"),
               "{:.1f}".format, over="contrast, as a share of their own"),
        strips("Share of test images that are less likely than a black one, one dot a model",
               [Strip(kind, tuple(one[kind]["black"] for one in seeds)) for kind in CLASSIC], percent),
        images("Images that get past p(x), one seed", digits, shown),
        curves("Share of them that a guard of both sides accepts", lines("both"), percent,
               over="contrast, as a share of their own"),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    "dark",
    "Likelihood against contrast",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "Four classic densities over plain pixels; one of contrast-normalised pixels cannot see contrast at all.",
        "The guard of both sides refuses the least likely 5 % and the likeliest 2.5 % of real images.",
        "What is said of several densities is computed from the one of which it is least true, seed by seed.",
        "Attacked are the two discriminants, with 80 steps from noise and 80 from near black.",
    ),
    cost="48 classifiers fitted, 96 attacks; about 4 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "Are the likeliest images like real ones?",
            "a model of p(x) would find such images improbable.",
            (
                Answer("black", "No. A black image is likelier than nearly all real ones: likely is not typical.",
                       "Not to all: to some density a black image is not likelier than nearly all real ones."),
                Answer("faint", "p(x) accepts images too faint to be seen.",
                       "Not every p(x) accepts images too faint to be seen."),
                Answer("sides", "Refusing also what is too likely closes that hole.",
                       "Refusing also what is too likely does not close that hole for every density."),
            ),
            (0, 1, 3),
        ),
        Question(
            "Does an attacker use that hole, and does closing it help?",
            "nothing; the discussion stops before this.",
            (
                Answer("ink", "Yes: what the attacker finds past p(x) is darker than real images.",
                       "The attacker need not: what is found past p(x) is no darker than real images."),
                Answer("still", "Closing it does not stop the attacker.",
                       "Closing it keeps the attacker from some classes."),
            ),
            (2,),
        ),
    ),
)  # fmt: skip
