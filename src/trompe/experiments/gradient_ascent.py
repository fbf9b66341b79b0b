"""Gradient ascent by the paper's four settings: how sure, and at what price in confidence is it regularised?"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from trompe.core.numerics import level_odds, say_confidence
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.mnist_direct import NETWORKS, SHAPE
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.reading import NO_READERS, read, read_by_all
from trompe.experiments.runs import forget, kept, lenets, pack, searched, strongest, unpack
from trompe.experiments.wording import counted

SETTINGS = {"nguyen-unregularised": "without regularisation", "nguyen-l2": "with decay", "nguyen-blur": "with blur",
            "nguyen-sparse": "with clipping"}  # fmt: skip
PLAIN, *REGULARISED = SETTINGS
CERTAIN = level_odds(0.9999)
_STAND_IN = "LeNets for MNIST, in place of a network for ImageNet"
_READS = ("regularisation gives more recognisable images", "section 3.9 and supplement")

CLAIMS = (
    Claim(
        "certain", "Gradient ascent without regularisation gives an image of some class at 99.99 % or more.",
        "existence", "run", "99.99 %", "section 3.9, figure 13", CERTAIN, scale="log-odds", stand_in=_STAND_IN,
    ),
    *(
        Claim(
            f"{name.removeprefix('nguyen-')}-lower", f"Images made {words} are less certain than those without.",
            "direction", "run", "slightly lower confidence", "supplement", 0.0, scale="log-odds", stand_in=_STAND_IN,
        )
        for name, words in list(SETTINGS.items())[1:]
    ),
    Claim(
        "unrecognisable", "Images made without regularisation are mostly unrecognisable: at most half are read as "
        "their class by every reader.", "shape", "run", "mostly unrecognisable", "section 3.9", high=0.5, scale="share",
        stand_in=f"{_STAND_IN}; readers, in place of people",
    ),
    *(
        Claim(
            f"{name.removeprefix('nguyen-')}-recognisable",
            f"Images made {words} are more often read as their class than those without.", "direction", "run",
            *_READS, 0.0, scale="share", stand_in=f"{_STAND_IN}; readers, in place of people",
        )
        for name, words in list(SETTINGS.items())[1:]
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All four settings a seed."""
    steps = 60 if effort.size == "quick" else None
    return [Unit(f"starts-{seed:02d}", partial(climb, seed=seed, steps=steps)) for seed in seeds]


def climb(folder: Path, seed: int, steps: int | None) -> dict[str, Any]:
    """Each setting from the same seed, on the same network."""
    target = NETWORKS[seed % len(NETWORKS)]
    found: dict[str, Any] = {"target": target, "steps": steps or "as the paper's", "odds": {}, "images": {},
                             "read": {}}  # fmt: skip
    runs = []
    for preset in SETTINGS:
        run = searched(folder / preset, target, by="ascend", preset=preset, generations=steps, seed=seed)
        levels, found["labels"] = kept(run), [record.label for record in run.classes]
        found["odds"][preset], found["images"][preset] = strongest(run), pack(levels)
        found["read"][preset] = read(found["labels"], levels)
        runs.append(run)
    for run in runs:  # not before all are there: what is forgotten is computed again after a kill
        forget(run)
    return found


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Best image for the existence; differences of the median class by seed for the rest."""
    del effort
    runs = list(data.values())
    cut = [one["steps"] for one in runs if isinstance(one["steps"], int)]
    short = f"{min(cut)} steps where the paper takes 500 to 1,500" if cut else ""
    where = f"on {counted(len(runs), 'start')}, {lenets(data)}"
    found = {"certain": Measured(tuple(max(one["odds"][PLAIN]) for one in runs), where, short)}
    for preset in REGULARISED:
        lower = tuple(median(one["odds"][PLAIN]) - median(one["odds"][preset]) for one in runs)
        found[f"{preset.removeprefix('nguyen-')}-lower"] = Measured(lower, where, short)
    plain = shares(runs, PLAIN)
    told = f"{where}, read by {', '.join(runs[0]['read'][PLAIN]['readers'])}" if plain else where
    found["unrecognisable"] = Measured(plain, told, short, "" if plain else NO_READERS)
    for preset in REGULARISED:
        gained = tuple(after - before for after, before in zip(shares(runs, preset), plain, strict=True))
        name = f"{preset.removeprefix('nguyen-')}-recognisable"
        found[name] = Measured(gained, told, short, "" if gained else NO_READERS)
    return found


def shares(runs: Sequence[Mapping[str, Any]], preset: str) -> tuple[float, ...]:
    """Of each start the share of a setting's images that every reader reads; none where nobody could say."""
    return tuple(share for one in runs if (share := read_by_all(one["read"][preset])) is not None)


def figures(data: Data) -> list[Figure]:
    """Images of the four settings, and how certain they are."""
    first = next(iter(data.values()))
    rows = [(words, list(unpack(first["images"][name], SHAPE))) for name, words in SETTINGS.items()]
    values = [
        Strip(words, tuple(median(one["odds"][name]) for one in data.values())) for name, words in SETTINGS.items()
    ]
    reads = [Strip(words, shares(list(data.values()), name)) for name, words in SETTINGS.items()]
    return [
        images("The strongest image of every digit, by setting", first["labels"], rows),
        strips("Median digit, one dot a start", values, say_confidence, (CERTAIN, "99.99 %")),
        strips("Share of images that every reader reads, one dot a start", reads, lambda x: f"{100 * x:.0f} %"),
    ]


EXPERIMENT = Experiment(
    "gradient-ascent",
    "Gradient ascent, by the paper's four settings",
    CLAIMS,
    seeds=12,
    differences=(
        "LeNets for MNIST; the paper's network is for ImageNet, and its settings were found for that.",
        "Every start is MNIST's mean image, as the paper's is ImageNet's: here it is the ghost of a digit, from which "
        "a digit is near, and to which decay pulls back. So much more can be read here, before any regularisation.",
        "The paper says slightly lower; the direction alone is tested, and how much is shown: without less with.",
        "Images are put on the 8-bit grid before they are judged, and the strongest is kept, not the last.",
        "The runs are not kept: each seed's take 70 megabytes. Their images are.",
        "Which images a person can read is asked of readers; without them it cannot be run.",
    ),
    cost="12 starts of 45,040 gradient steps; about 8 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
)
