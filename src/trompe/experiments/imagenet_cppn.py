"""ImageNet's classes, CPPN encoding: how sure is a network of regular images, beside noise and photographs?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from trompe.core.errors import DataError
from trompe.core.numerics import from_levels
from trompe.data.folders import read_photographs
from trompe.experiments import imagenet_direct as direct
from trompe.experiments.figures import Line, Strip, curves, images, strips
from trompe.experiments.imagenet import (
    DIFFERENCES,
    NAMED,
    SMALL,
    STAND_IN,
    Search,
    absent,
    asked,
    cut,
    network,
    odds_of,
    population_of,
    searched,
    short_of,
    thumbnail,
)
from trompe.experiments.nouns import NO_PHOTOGRAPHS, Claim, Data, Effort, Experiment, Figure, Measured, Unit, say_odds
from trompe.experiments.runs import unpack
from trompe.targets.ready import prepared_of

CLAIMS = (
    Claim(
        "some", "Regular images are named with at least 99.99 % for some class.", "existence", "run",
        "99.99 % or more for many classes", "section 3.4, figure 7", direct.CERTAIN, scale="log-odds",
        stand_in=STAND_IN,
    ),
    Claim(
        "better", "Regular images end surer than noise: the median class has higher log-odds.", "direction", "run",
        "higher confidence than the direct encoding, with fewer generations", "section 3.4", 0.0, scale="log-odds",
        stand_in=STAND_IN,
    ),
    Claim(
        "equal", "At the evaluations of this page, the same for both, the median class is surer with CPPNs.",
        "direction", "run", "", "asked here: the paper's two budgets differ", 0.0, scale="log-odds",
        stand_in=STAND_IN,
    ),
    Claim(
        "natural", "At least half of the classes have an image of which the network is surer than of the median "
        "photograph that it names rightly.", "shape", "run",
        "confidence comparable with that in photographs", "section 3.4, supplement", 0.5, scale="share",
        stand_in=STAND_IN,
    ),
)  # fmt: skip
_MOST = 1000
"""Photographs that are asked about."""


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One pair of searches a seed; and the photographs, where there are any."""
    found = [Unit(f"run-{seed:02d}", partial(pair, seed=seed, effort=effort), _needs(seed, effort)) for seed in seeds]
    if effort.images is None:
        return found
    return [*found, Unit(effort.photographs, partial(photographed, images=effort.images))]


def _needs(seed: int, effort: Effort) -> frozenset[str]:
    return Search.of("cppn", seed, effort).needs | Search.of("pixels", seed, effort).needs


def pair(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """A search by CPPNs, and one by the direct encoding with as many evaluations."""
    wanted, noise = Search.of("cppn", seed, effort), searched(folder, Search.of("pixels", seed, effort))
    found = searched(folder, wanted)
    return {
        **direct.run(folder, wanted), "noise": {"median": median(noise.odds), "curve": noise.curve},
        "named": [found.odds[c] for c in NAMED.values()], "pictures": thumbnail(found.images(list(NAMED.values()))),
    }  # fmt: skip


def photographed(folder: Path, images: Path) -> dict[str, Any]:
    """How sure the network is of photographs that it names rightly, in the median, and of all.

    Returns:
        Counts and medians; where the folder's are no photographs of the network's classes, why: other experiments
        take photographs of any classes.
    """
    target = network()
    try:
        found = read_photographs(images, target.labels, target.spec.shape, fit=prepared_of(target).fit, limit=_MOST)
    except DataError as cause:
        return {"missing": f"not measured: expected {cause.expected}; got {cause.got} (asked again once "
                           f"{folder.name}.json is removed)"}  # fmt: skip
    known = found.classes >= 0
    outputs = asked(target, from_levels(found.images[known]))
    named, classes = outputs.logits.argmax(1), found.classes[known]
    right = named == classes
    odds = odds_of(outputs, named.tolist())
    return {
        "images": int(known.sum()), "right": int(right.sum()), "all": median(odds) if odds else None,
        "median": median([odds[i] for i in right.nonzero().flatten()]) if bool(right.any()) else None,
    }  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """The strongest class, differences by pair, and the share of classes above photographs, one a run."""
    runs = _runs(data)
    where, short = population_of(runs), short_of(runs, "cppn")
    gaps = tuple(one["median"] - one["noise"]["median"] for one in runs.values())
    return {
        "some": Measured(tuple(one["highest"] for one in runs.values()), where, short),
        "better": Measured(gaps, where, short),
        "equal": Measured(gaps, where, cut(runs, effort)),
        "natural": _natural(data, runs, where, short),
    }


def _runs(data: Data) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in data.items() if name.startswith("run-")}


def _natural(data: Data, runs: Data, where: str, short: str) -> Measured:
    told = next((one for name, one in data.items() if name.startswith("photographs-")), None)
    if told is None:
        return Measured((), where, missing=NO_PHOTOGRAPHS)
    if "missing" in told:
        return Measured((), where, missing=told["missing"])
    if told["median"] is None:
        return Measured((), where, missing=f"none of {told['images']} labelled photographs is named rightly")
    shares = tuple(sum(odds > told["median"] for odds in one["odds"]) / len(one["odds"]) for one in runs.values())
    return Measured(shares, f"{where}, and {told['right']} photographs that it names rightly", short)


def figures(data: Data) -> list[Figure]:
    """As for the direct encoding, with both curves and the classes of the paper's figure 1."""
    runs = list(_runs(data).values())
    lines = [Line("CPPNs", one["curve"]) for one in runs] + [Line("direct", one["noise"]["curve"]) for one in runs]
    ends = [
        Strip("CPPNs, median class", tuple(one["median"] for one in runs)),
        Strip("direct, median class", tuple(one["noise"]["median"] for one in runs)),
    ]
    by_class, _, _, strongest = direct.figures(_runs(data))
    told = [f"{name}: {say_odds(odds)}" for name, odds in zip(NAMED, runs[0]["named"], strict=True)]
    return [
        by_class,
        curves("Median class against evaluations, as said by what searched", lines, say_odds),
        strips("In the end, one dot a run", ends, say_odds),
        strongest,
        images("Classes of the paper's figure 1, one run", told, [("", list(unpack(runs[0]["pictures"], SMALL)))]),
    ]


EXPERIMENT = Experiment(
    "imagenet-cppn",
    "ImageNet's classes, CPPN encoding",
    CLAIMS,
    seeds=5,
    differences=(
        *DIFFERENCES,
        "Both encodings have as many evaluations; in the paper the direct one has twice as many.",
        "Five runs, as in the paper, are too few to decide a difference among all claims of a page; 12 are enough.",
        "The paper holds its images against 50,000 photographs; ours are those that the user names, 1,000 at most.",
    ),
    cost="the searches of imagenet-direct, and 5 of 50,000 evaluations with CPPNs; about 4 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
