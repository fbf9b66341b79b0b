"""Do copies of an element count? They are taken out by a rule, over hundreds of images, beside two controls."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import fmean, median
from typing import Any

import torch

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.experiments.copies import Element, Picture, Place, element, free_places, strewn, with_copy, without
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.imagenet import (
    DIFFERENCES,
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
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit, say_odds
from trompe.experiments.runs import unpack

DRAWS = 4
"""Random windows of as much area that are painted over, times over."""
SHOWN = 3
KINDS = {"plain": "as it is", "removed": "copies taken out", "random": "as much elsewhere", "added": "one copy more"}

CLAIMS = (
    Claim(
        "lower", "Painting over the copies of a repeated element, one of them left, makes the image less sure.",
        "direction", "run", "in many images the confidence drops, usually a little", "section 3.4, figure 10", 0.0,
        scale="log-odds", stand_in=STAND_IN,
    ),
    Claim(
        "copies", "It costs more than painting over as much of the same image elsewhere.", "direction", "run", "",
        "asked here: a control that figure 10 lacks", 0.0, scale="log-odds", stand_in=STAND_IN,
    ),
    Claim(
        "more", "With one copy more an image is surer than with its copies taken out.", "direction", "run", "",
        "asked here", 0.0, scale="log-odds", stand_in=STAND_IN,
    ),
    Claim(
        "extra", "With one copy more an image is surer than it was.", "direction", "run", "", "asked here", 0.0,
        scale="log-odds", stand_in=STAND_IN,
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One search a seed, and its images changed."""
    plans, most = [Search.of("cppn", seed, effort) for seed in seeds], effort.pick(3, 50, 200)
    return [Unit(f"run-{plan.seed:02d}", partial(change, wanted=plan, most=most), plan.needs) for plan in plans]


def change(folder: Path, wanted: Search, most: int) -> dict[str, Any]:
    """Of the surest classes whose image repeats an element, what the network says after each change.

    Args:
        folder: Of the unit.
        wanted: The search that the images are from.
        most: Images at most; each counts for the class that it is surest of.
    """
    found = searched(folder, wanted)
    rows, kept, shown = list[dict[str, Any]](), list[int](), list[Picture]()
    tried = set[bytes]()
    for c in sorted(found.kept, key=lambda c: -found.odds[c]):
        if len(rows) >= most or found.kept[c] in tried:
            continue
        tried.add(found.kept[c])
        image = found.images([c])[0]
        repeated = element(image)
        if repeated is not None:
            stream = Stream(wanted.seed, "paper/repetition", c)
            places, clear = control(repeated, stream)
            versions = changed(image, repeated, places, stream)
            rows.append({**_asked(c, versions), "copies": len(repeated.copies), "clear": clear})
            kept.append(c)
            shown = shown or [image, versions["removed"][0], *versions["added"][:1]]
    labels = network().labels
    return {
        "budget": wanted.budget, "looked_at": len(tried), "classes": [labels[c] for c in kept], "images": rows,
        "shown": thumbnail(torch.stack(shown)) if len(shown) == SHOWN else [],
    }  # fmt: skip


def changed(
    image: Picture, found: Element, places: Sequence[Sequence[Place]], stream: Stream
) -> dict[str, list[Picture]]:
    """An image as it is, without the copies, with as much painted over elsewhere, and with one copy more.

    Args:
        image: Bytes.
        found: What it repeats.
        places: Elsewhere, from `control`.
        stream: For the place of the copy more.

    Returns:
        By name; ``random`` is empty where there are no places, ``added`` where none is left for another copy.
    """
    room = free_places([found.place, *found.copies])
    free = [room[int(stream.branch("place").integers(1, len(room)))]] if room else []
    return {
        "plain": [image], "removed": [without(image, found.copies)],
        "random": [without(image, where) for where in places],
        "added": [with_copy(image, found.place, place) for place in free],
    }  # fmt: skip


def control(found: Element, stream: Stream) -> tuple[list[list[Place]], bool]:
    """Places at random, as many as there are copies, some times over; none overlaps the element that is left.

    Returns:
        The draws, and whether all of them keep clear of the copies too. Where there is no room for that, they may
        overlap the copies; where there is none at all, there are no draws.
    """
    for clear, taken in ((True, [found.place, *found.copies]), (False, [found.place])):
        name = "clear" if clear else "over copies"
        draws = [strewn(len(found.copies), taken, stream.branch(f"{name}/{draw}")) for draw in range(DRAWS)]
        places = [draw for draw in draws if draw is not None]
        if len(places) == DRAWS:
            return places, clear
    return [], False


def _asked(c: int, versions: Mapping[str, Sequence[Picture]]) -> dict[str, Any]:
    given = [image for one in versions.values() for image in one]
    odds = iter(odds_of(asked(network(), from_levels(torch.stack(given))), [c] * len(given)))
    return {name: [next(odds) for _ in one] for name, one in versions.items()}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Medians over the images of a run, one value a run; runs without a repeated element have none."""
    runs = [one["images"] for one in data.values()]
    where, ours = f"{population_of(data)}, {_counted(runs)}", cut(data, effort)
    values = {
        "lower": [[one["plain"][0] - one["removed"][0] for one in run] for run in runs],
        "copies": [[fmean(one["random"]) - one["removed"][0] for one in run if one["random"]] for run in runs],
        "more": [[one["added"][0] - one["removed"][0] for one in run if one["added"]] for run in runs],
        "extra": [[one["added"][0] - one["plain"][0] for one in run if one["added"]] for run in runs],
    }
    short = {"lower": short_of(data, "cppn")}
    return {
        name: Measured(tuple(median(run) for run in found if run), where, short.get(name, ours))
        for name, found in values.items()
    }


def _counted(runs: Sequence[Sequence[Mapping[str, Any]]]) -> str:
    """How many images there are, and of how many the control says something, in words."""
    rows = [one for run in runs for one in run]
    over = sum(bool(one["random"]) and not one["clear"] for one in rows)
    none, full = (sum(not one[name] for one in rows) for name in ("random", "added"))
    return (
        f"in {len(rows)} images that repeat an element ({over} where the area elsewhere had to overlap copies, "
        f"{none} with no room for as much elsewhere, {full} with none for a copy more: left out there)"
    )


def figures(data: Data) -> list[Figure]:
    """One image a run as it is, without its copies and with one more; and what is said of all."""
    runs = list(data.items())
    shown = [(f"{name}, {one['classes'][0]}", list(unpack(one["shown"], SMALL))) for name, one in runs if one["shown"]]
    rows = [
        Strip(words, tuple(median(said) for _, one in runs
                           if (said := [fmean(row[kind]) for row in one["images"] if row[kind]])))
        for kind, words in KINDS.items()
    ]  # fmt: skip
    table = [images("The surest image that repeats an element", ["as it is", "copies taken out", "one copy more"],
                    shown[:4])] if shown else []  # fmt: skip
    return [*table, strips("Median image, one dot a run", rows, say_odds)]


EXPERIMENT = Experiment(
    "repetition",
    "Copies of an element",
    CLAIMS,
    seeds=12,
    differences=(
        *DIFFERENCES,
        "The paper takes copies out by hand, in a few images; here a rule finds them: windows of a fifth of the image "
        "that correlate by 0.8 or more, at least three of them, painted over in the colour around them.",
        "50 images a run, the surest that repeat something. As much elsewhere is the mean of four draws of as many "
        "windows, clear of the element and, where there is room, of its copies; an image with no room is left out.",
        "The place of a copy more is drawn from what is free; what it covers there is lost.",
    ),
    cost="12 searches as in imagenet-cppn, made where they are not there yet: about 4 minutes each on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=absent,
)
