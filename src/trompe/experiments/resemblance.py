"""Do the images resemble their class? On MNIST asked of readers; on ImageNet's classes there is nobody to ask."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trompe.core.numerics import level_odds
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.imagenet import NAMED, SMALL, STAND_IN, Search, absent, searched, thumbnail
from trompe.experiments.mnist_direct import LATE, SHAPE, evolved, generations_of, name_of, needs_of
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit, say_odds
from trompe.experiments.reading import NO_READERS, read, seen
from trompe.experiments.runs import kept, lenets, pack, short_of, strongest, unpack
from trompe.experiments.wording import counted

SURE = level_odds(0.99)
_STAND_IN = "MNIST and its readers, in place of ImageNet and people"
NO_IMAGENET = "no reader exists for ImageNet's classes: not measured"

CLAIMS = (
    Claim(
        "some", "Some image that a network is 99 % sure of resembles its class: every reader reads it so.",
        "existence", "run", "some images resemble their class, for example king penguin, starfish, electric guitar",
        "figure 1, section 3.4", 0.05, scale="share", stand_in=_STAND_IN,
    ),
    Claim(
        "most", "Most such images do not: in at most half of them any reader reads the class.", "shape", "run",
        "mostly unrecognisable", "sections 3.2 and 3.4", high=0.5, scale="share", stand_in=_STAND_IN,
    ),
    Claim(
        "named", "The images of king penguin, electric guitar and six other classes of figure 1 can be read.",
        "existence", "run", "they resemble their class", "figure 1", 0.5, scale="share", stand_in=STAND_IN,
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """The runs of mnist-cppn; and the first search over ImageNet's classes, where that can be made."""
    generations = generations_of(effort)
    mnist = [Unit(name_of(seed), partial(ask, seed=seed, generations=generations), needs_of(seed, "cppn"))
             for seed in seeds]  # fmt: skip
    plan = Search.of("cppn", 0, effort)
    return mnist if absent() else [*mnist, Unit("imagenet", partial(show, wanted=plan), plan.needs)]


def ask(folder: Path, seed: int, generations: int) -> dict[str, Any]:
    """What every reader sees in the strongest images of a run."""
    run = evolved(folder, "cppn", seed, generations)
    labels, levels = [record.label for record in run.classes], kept(run)
    return {
        "target": run.about.target["name"], "generations": generations, "labels": labels, "odds": strongest(run),
        **read(labels, levels), "images": pack(levels),
    }  # fmt: skip


def show(folder: Path, wanted: Search) -> dict[str, Any]:
    """The images of the classes that the paper shows, for whoever looks."""
    found, columns = searched(folder, wanted), list(NAMED.values())
    odds = [found.odds[c] for c in columns]
    return {"budget": wanted.budget, "odds": odds, "images": thumbnail(found.images(columns))}


def share(one: Mapping[str, Any], *, every: bool) -> float | None:
    """Of a run's images at 99 % or more, those in which every reader, or some reader, reads the class; None of none."""
    sure = [c for c, odds in enumerate(one["odds"]) if odds >= SURE]
    found = seen(one, sure)
    return found.readable[0 if every else 1] / found.of if found else None


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Shares of the sure images of each run, by the rule that counts against each claim."""
    del effort
    runs = _mnist(data)
    short, where = short_of(runs, LATE), f"on {counted(len(runs), 'run')}, {lenets(runs)}"
    asked = next(iter(runs.values()))["readers"]
    told = f"{where}, read by {', '.join(asked)}"
    every, some = (tuple(value for one in runs.values() if (value := share(one, every=rule)) is not None)
                   for rule in (True, False))  # fmt: skip
    missing = "" if len(asked) > 1 else NO_READERS
    return {
        "some": Measured(every, told if asked else where, short, missing),
        "most": Measured(some, told if asked else where, short, missing),
        "named": Measured((), "on nothing", missing=NO_IMAGENET),
    }


def _mnist(data: Data) -> dict[str, dict[str, Any]]:
    return {name: one for name, one in data.items() if "reads" in one}


def figures(data: Data) -> list[Figure]:
    """Images with what readers see in them, the shares, and what ImageNet's classes of figure 1 look like here."""
    runs = _mnist(data)
    name, first = next(iter(runs.items()))
    told = [f"{label}: {_seen([row[i] for row in first['reads']], i)}" for i, label in enumerate(first["labels"])]
    rows = [
        Strip(words, tuple(value for one in runs.values() if (value := share(one, every=rule)) is not None))
        for words, rule in (("every reader", True), ("some reader", False))
    ]
    shown = [
        images("One run, and how many readers read the class", told, [(name, list(unpack(first["images"], SHAPE)))]),
        strips("Share of images at 99 % or more that are read, one dot a run", rows, lambda x: f"{100 * x:.0f} %",
               (0.5, "half")),
    ]  # fmt: skip
    return [*shown, *_imagenet(data)]


def _imagenet(data: Data) -> list[Figure]:
    one = data.get("imagenet")
    if one is None:
        return []
    told = [f"{name}: {say_odds(odds)}" for name, odds in zip(NAMED, one["odds"], strict=True)]
    title = "Classes of the paper's figure 1: whether they can be read is not measured"
    return [images(title, told, [("", list(unpack(one["images"], SMALL)))])]


def _seen(reads: list[int], column: int) -> str:
    return f"{sum(read == column for read in reads)} of {len(reads)}" if reads else "not measured"


EXPERIMENT = Experiment(
    "resemblance",
    "Which images resemble their class",
    CLAIMS,
    seeds=12,
    differences=(
        "The paper's authors looked; here readers say it, of MNIST, where there are some.",
        "Doubt counts against each claim: an image resembles its class only where every reader reads it, and does not "
        "only where none does.",
        "For ImageNet's classes nobody is asked: images of eight classes of figure 1 are shown, and no more is said.",
    ),
    cost="the runs of mnist-cppn, and one search of imagenet-cppn where efficientnet-lite0 is installed",
    units=units,
    measure=measure,
    figures=figures,
)
