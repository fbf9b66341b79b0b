"""Gradient ascent on ImageNet's classes by the paper's four settings, which were found for such a network."""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import to_levels
from trompe.core.specs import ImageSpec
from trompe.encodings import Pixels
from trompe.experiments import gradient_ascent as mnist
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.imagenet import (
    DIFFERENCES,
    LEVELS,
    SHAPE,
    SMALL,
    STAND_IN,
    TARGET,
    absent,
    asked,
    network,
    odds_of,
    thumbnail,
)
from trompe.experiments.nouns import Data, Effort, Experiment, Figure, Measured, Unit, say_odds
from trompe.experiments.resemblance import NO_IMAGENET
from trompe.experiments.runs import unpack
from trompe.experiments.wording import counted
from trompe.search import RULES, Archive, Contest, EveryClass, JudgeSettings, Plan, ascend, reference_judge

CHOSEN = (200, 207, 215, 279, 366, 367, 390, 414, 445, 500, 509, 580, 643, 657, 704, 713, 782, 805, 826, 906)
"""The twenty classes of the supplement's figures, as the released code lists them."""
_BATCH = 4

CLAIMS = tuple(
    replace(claim, text=claim.text.replace("an image of some class", "some image"), stand_in=STAND_IN)
    for claim in mnist.CLAIMS
)


def units(effort: Effort, seeds: range) -> list[Unit]:
    """Every setting from every seed's start; by default for one class a seed."""
    steps, found = 4 if effort.size == "quick" else None, []
    for seed in seeds:
        classes = CHOSEN if effort.size == "full" else (CHOSEN[seed % len(CHOSEN)],)
        for preset in mnist.SETTINGS:
            work = partial(climb, preset=preset, seed=seed, classes=classes, steps=steps)
            found.append(Unit(f"{preset.removeprefix('nguyen-')}-{seed:02d}", work))
    return found


def climb(folder: Path, preset: str, seed: int, classes: tuple[int, ...], steps: int | None) -> dict[str, Any]:
    """One setting's strongest image for each class, and how sure the network is of it."""
    del folder
    target, rule = network(), RULES[preset]
    niches = EveryClass(tuple(target.labels[c] for c in classes), classes, "softmax")
    batch = min(_BATCH, len(classes))
    contest: Contest[Any] = Contest(
        Pixels(ImageSpec(*SHAPE)), reference_judge(target, JudgeSettings(batch)), niches, LEVELS
    )  # fmt: skip
    archive: Archive[Any] = Archive(len(classes), LEVELS)
    plan = Plan(seed, steps or rule.generations, batch, batch, batch, groups=-(-len(classes) // batch))
    for _ in ascend(contest, archive, plan, rule=rule):
        pass
    shown = contest.encoding.express(archive.elites.genomes)
    return {
        "preset": preset, "seed": seed, "steps": steps or "as the paper's", "classes": list(niches.names),
        "odds": odds_of(asked(target, shown), classes), "images": thumbnail(to_levels(shown)),
    }  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Best image for the existence; differences of the median class by seed for the rest."""
    del effort
    seeds = sorted({one["seed"] for one in data.values()})
    odds = {(one["preset"], one["seed"]): one["odds"] for one in data.values()}
    cut = [one["steps"] for one in data.values() if isinstance(one["steps"], int)]
    short = f"{min(cut)} steps where the paper takes 500 to 1,500" if cut else ""
    where = f"on {counted(len(seeds), 'start')} and {TARGET}"
    found = {"certain": Measured(tuple(max(odds[mnist.PLAIN, seed]) for seed in seeds), where, short)}
    for preset in mnist.REGULARISED:
        lower = tuple(median(odds[mnist.PLAIN, seed]) - median(odds[preset, seed]) for seed in seeds)
        found[f"{preset.removeprefix('nguyen-')}-lower"] = Measured(lower, where, short)
    unread = (claim.name for claim in CLAIMS if claim.name.endswith("recognisable"))
    return {**found, **{name: Measured((), where, missing=NO_IMAGENET) for name in unread}}


def figures(data: Data) -> list[Figure]:
    """Images of the four settings for the first starts, and how certain they are."""
    runs = list(data.values())
    seeds = sorted({one["seed"] for one in runs})[:6]
    rows = [
        (words, [unpack(one["images"][:1], SMALL)[0] for seed in seeds for one in runs
                 if one["preset"] == preset and one["seed"] == seed])
        for preset, words in mnist.SETTINGS.items()
    ]  # fmt: skip
    columns = [next(one["classes"][0] for one in runs if one["seed"] == seed) for seed in seeds]
    values = [
        Strip(words, tuple(median(one["odds"]) for one in runs if one["preset"] == preset))
        for preset, words in mnist.SETTINGS.items()
    ]
    return [
        images("The strongest image by setting, at half its size", columns, rows),
        images("The same, contrast stretched until it fills the range", columns,
               [(words, [_stretched(shown) for shown in row]) for words, row in rows]),
        strips("Median class, one dot a start", values, say_odds, (mnist.CERTAIN, "99.99 %")),
    ]  # fmt: skip


def _stretched(levels: Tensor) -> Tensor:
    """So that its darkest value is 0 and its brightest 255: these images hardly leave the grey they began in."""
    low, high = levels.min().double(), levels.max().double()
    return ((levels.double() - low) * (255.0 / (high - low).clamp(min=1.0))).round().to(torch.uint8)


EXPERIMENT = Experiment(
    "gradient-ascent-imagenet",
    "Gradient ascent on ImageNet's classes",
    CLAIMS,
    seeds=12,
    differences=(
        DIFFERENCES[0],
        "The paper's settings were found for CaffeNet; here they are taken as they are.",
        "One of the paper's twenty classes a start; all twenty with --full. The paper has five starts for each.",
        "Log-odds are compared in float64. Images are put on the 8-bit grid before they are judged, and the strongest "
        "is kept, not the last.",
        "The network subtracts no mean image: a start is an even grey with noise.",
    ),
    cost="12 starts of 4,500 gradient steps; about 4 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
