"""ImageNet's classes, direct encoding: how sure is a network of grown noise at 224 x 224 pixels?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from trompe.core.numerics import level_odds
from trompe.experiments.figures import Line, Strip, curves, images, scatter, strips
from trompe.experiments.imagenet import (
    BAND,
    DIFFERENCES,
    SMALL,
    STAND_IN,
    TARGET,
    Search,
    absent,
    network,
    population_of,
    searched,
    short_of,
    thumbnail,
)
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit, say_odds
from trompe.experiments.runs import unpack

CERTAIN, SURE = level_odds(0.9999), level_odds(0.99)
SHOWN = 8

CLAIMS = (
    Claim(
        "some", "Grown noise is named with at least 99 % for some class.", "existence", "run",
        "more than 99 %, for example static that is a motorcycle", "section 1, figures 1 and 6", SURE,
        scale="log-odds", stand_in=STAND_IN,
    ),
    Claim(
        "few", "Most classes have no convincing image: the median class is below one half.", "shape", "run",
        "for most classes the median confidence is low", "section 3.3, figure 6", high=0.0, scale="log-odds",
        stand_in=STAND_IN,
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range, encoding: str = "pixels") -> list[Unit]:
    """One search a seed."""
    plans = [Search.of(encoding, seed, effort) for seed in seeds]
    return [Unit(f"run-{plan.seed:02d}", partial(run, wanted=plan), plan.needs) for plan in plans]


def run(folder: Path, wanted: Search) -> dict[str, Any]:
    """Search, and keep what the claims are about; of the images the strongest few, small."""
    found, labels = searched(folder, wanted), network().labels
    shown = sorted(found.kept, key=lambda c: -found.odds[c])[:SHOWN]
    return {
        "target": TARGET, "engine": found.engine, "budget": wanted.budget, "median": median(found.odds),
        "highest": max(found.odds), "sure": sum(value >= SURE for value in found.odds), "curve": found.curve,
        "odds": [round(value, 4) for value in found.odds], "labels": [labels[c] for c in shown],
        "shown": [found.odds[c] for c in shown], "images": thumbnail(found.images(shown)),
    }  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """The strongest and the median class of each run."""
    del effort
    where, short = population_of(data), short_of(data, "pixels")
    return {
        "some": Measured(tuple(one["highest"] for one in data.values()), where, short),
        "few": Measured(tuple(one["median"] for one in data.values()), where, short),
    }


def figures(data: Data) -> list[Figure]:
    """Confidence by class as in the paper's figures 6 and 7, the way there, and the strongest images."""
    runs = list(data.values())
    first = runs[0]
    middle = [[c, median(one["odds"][c] for one in runs)] for c in range(len(first["odds"]))]
    told = [f"{label}: {say_odds(odds)}" for label, odds in zip(first["labels"], first["shown"], strict=True)]
    ends = [
        Strip("median class", tuple(one["median"] for one in runs)),
        Strip("strongest class", tuple(one["highest"] for one in runs)),
    ]
    return [
        by_class("Confidence by class, median of the runs", middle),
        curves("Median class against evaluations, as said by what searched",
               [Line(one["engine"].split(",")[0], one["curve"]) for one in runs], say_odds),
        strips("In the end, one dot a run", ends, say_odds, (SURE, "99 %")),
        images("The strongest images of one run, at half their size", told,
               [("", list(unpack(first["images"], SMALL)))]),
    ]  # fmt: skip


def by_class(title: str, middle: list[list[float]]) -> Figure:
    """A dot a class, the band of dogs and cats marked."""
    return scatter(title, middle, say_odds, "class", (BAND.start, BAND.stop, "dogs and cats"))


EXPERIMENT = Experiment(
    "imagenet-direct",
    "ImageNet's classes, direct encoding",
    CLAIMS,
    seeds=5,
    differences=(*DIFFERENCES, "The paper's runs have 4,000,000 evaluations; ours, with --full, half of that."),
    cost="5 searches of 50,000 evaluations; about 8 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
