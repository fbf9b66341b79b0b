"""What the experiments on generative classifiers share: classifiers fitted to images of their own, and an attack."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float64
from torch import Tensor

from trompe.core.numerics import from_levels, level_odds
from trompe.core.seeds import Stream
from trompe.core.types import Images, Levels, Outputs, Target
from trompe.data import Split, load
from trompe.experiments.families import as_target
from trompe.experiments.nouns import Effort
from trompe.experiments.runs import forget, kept, odds, searched
from trompe.guards import ScoreGuard, fit_score
from trompe.search.judge import with_threads
from trompe.targets import TorchTarget
from trompe.targets.generative import GENERATIVE, log_evidence

LEVEL = level_odds(0.99)
ITERATIONS: Mapping[str, int] = {"vae": 1500, "flow": 1000, "energy": 400}
"""Batches of 64 images of what is trained by steps."""
CLASSIC = ("naive-bayes", "lda", "qda", "kernel-bayes")
LEARNED = ("vae", "flow", "energy")
FALSE_ALARMS = 0.05
STARTS = ("uniform", "near-black")
"""Of an attack: what resists from one may fall from the other."""
_IMAGES = 2000
_CHOSEN = 1000


def own_images(seed: int) -> Split:
    """2,000 training images that no other seed has, all at even positions: readers were fitted to the others."""
    train = load("mnist").train
    rows = slice(2 * seed * _IMAGES, 2 * (seed + 1) * _IMAGES, 2)
    return Split(train.images[rows], train.classes[rows])


def generative(family: str, seed: int, effort: Effort) -> TorchTarget:
    """A generative classifier fitted to the images of a seed; the same for the same seed."""
    usual = ITERATIONS.get(family, 1)
    with with_threads(1):
        iterations = effort.pick(max(1, usual // 20), usual)
        return as_target(family, GENERATIVE[family].fit(own_images(seed), iterations, seed))


def answers(target: Target, images: Images) -> Outputs:
    """What a target says of many images."""
    with torch.inference_mode(), with_threads(1):
        return Outputs.join([target.judge(part) for part in images.split(200)])


def evidence(target: Target, levels: Levels) -> Float64[Tensor, " n"]:
    """Log p(x) of images in nats, as a generative target has it."""
    return log_evidence(answers(target, from_levels(levels)).logits)


def fitted_guard(score: str, target: Target) -> ScoreGuard:
    """A guard that asks p(x) (``energy``) or p(x, y) (``logit``), and refuses one real image in twenty."""
    real = load("mnist").choose
    said = answers(target, from_levels(real.images[:_CHOSEN]))
    classes = real.classes[:_CHOSEN]
    return fit_score(score, said, classes, false_alarms=FALSE_ALARMS, data="mnist-choose")


def attack(folder: Path, target: Target, seed: int, starts: Sequence[str], steps: int) -> Levels:
    """Of every class the strongest image that gradient ascent found from any of these starts; accepted ones first."""
    found = []
    for start in starts:
        run = searched(folder / start, target, by="ascend", start=start, generations=steps, seed=seed)
        found.append(kept(run))
        forget(run)
    if len(found) == 1:
        return found[0]
    worth = torch.stack([worths(target, levels) for levels in found])
    best = worth.argmax(0)
    return torch.stack([found[int(which)][i] for i, which in enumerate(best)])


def worths(target: Target, levels: Levels) -> Float64[Tensor, " n"]:
    """Log-odds of image i for its own class, a thousand and more below where it is refused."""
    value = odds(target, levels).diagonal()
    return torch.where(accepted(target, levels), value, value - 1e4)


def accepted(target: Target, levels: Levels) -> Bool[Tensor, " n"]:
    """Whether image i is accepted for its own class; all are where nothing refuses any."""
    slack = answers(target, from_levels(levels)).slack
    return torch.ones(len(levels), dtype=torch.bool) if slack is None else slack.diagonal() >= 0.0


def fooled(target: Target, levels: Levels) -> float:
    """Share of the images that are accepted and at 99 % or more for their own class."""
    sure = (odds(target, levels).diagonal() >= LEVEL) & accepted(target, levels)
    return float(sure.double().mean())


def noise_levels(seed: int, count: int) -> Levels:
    """Uniform noise."""
    return (Stream(seed, "why/noise", 0).uniform(count, 1, 28, 28) * 256).to(torch.uint8)


def certain(target: Target, levels: Levels) -> float:
    """Share of images at 99 % or more for any class."""
    return float((odds(target, levels).amax(1) >= LEVEL).double().mean())


def least(models: Mapping[str, Any], families: Sequence[str], key: str) -> float:
    """The smallest of a number over families: what is true of it is true of every one of them; of one seed."""
    return min(float(models[family][key]) for family in families)


def most(models: Mapping[str, Any], families: Sequence[str], key: str) -> float:
    """The largest of a number over families; of one seed."""
    return max(float(models[family][key]) for family in families)
