"""Two encodings and gradient ascent: three kinds of fooling image?"""

from collections.abc import Mapping
from functools import partial
from importlib.util import find_spec
from pathlib import Path
from statistics import fmean
from typing import Any

from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.looks import LOOKS
from trompe.experiments.mnist_direct import LATE, NETWORKS, SHAPE, evolved, generations_of, needs_of
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.runs import forget, lenets, pictures, searched, short_of, unpack
from trompe.experiments.wording import counted

ENCODINGS = {"direct": "pixels", "cppn": "cppn"}
ASCENT = "ascent"
KINDS = (*ENCODINGS, ASCENT)
_TYPES = "the two encodings give two qualitatively different types of image"

CLAIMS = (
    Claim(
        "regular", "Images of CPPNs are more regular than direct ones: they compress better.", "direction", "run",
        _TYPES, "sections 3.2 and 3.9", 0.0,
    ),
    Claim(
        "smooth", "Images of CPPNs have more of their power in low frequencies than direct ones.", "direction", "run",
        _TYPES, "sections 3.2 and 3.9", 0.0, scale="share",
    ),
    Claim(
        "symmetric", "Images of CPPNs are more like their mirror images than direct ones.", "direction", "run", "",
        "asked here; the paper speaks of symmetry as what CPPNs can do", 0.0,
    ),
    Claim(
        "third", "Gradient ascent gives a third kind: from four numbers of an image, a classifier fitted on other runs "
        "tells its images from those of both encodings, nine times in ten.", "shape", "run",
        "gradient ascent gives a different, third type of image", "section 3.9", 0.9, scale="share",
        stand_in="MNIST and two LeNets, in place of ImageNet",
    ),
)  # fmt: skip

_COMPARED = (("regular", "compressed", -1), ("smooth", "low frequencies", 1), ("symmetric", "symmetry", 1))


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One run of each method a seed."""
    generations, steps = generations_of(effort), 10 if effort.size == "quick" else None
    return [Unit(f"runs-{seed:02d}", partial(make, seed=seed, generations=generations, steps=steps),
                 needs_of(seed, *ENCODINGS.values())) for seed in seeds]  # fmt: skip


def make(folder: Path, seed: int, generations: int, steps: int | None) -> dict[str, Any]:
    """The images of the three methods for one network."""
    target = NETWORKS[seed % len(NETWORKS)]
    runs = {kind: evolved(folder, encoding, seed, generations) for kind, encoding in ENCODINGS.items()}
    climbed = searched(folder, target, by="ascend", preset="nguyen-unregularised", generations=steps, seed=seed)
    found = {kind: pictures(run) for kind, run in {**runs, ASCENT: climbed}.items()}
    labels = [record.label for record in climbed.classes]
    forget(climbed)
    return {"generations": generations, "target": target, "labels": labels, **found}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Differences of means by seed, and how well ascent is told from the rest in a seed that was held out."""
    del effort
    runs = list(data.values())
    short, where = short_of(data, LATE), f"on {counted(len(runs), 'run')} of each method, {lenets(data)}"
    found = {}
    for name, look, sign in _COMPARED:
        values = tuple(sign * (_mean(one["cppn"], look) - _mean(one["direct"], look)) for one in runs)
        found[name] = Measured(values, where, short)
    missing = "" if find_spec("sklearn") else "scikit-learn is not installed (extra sklearn)"
    told = () if missing or len(runs) < 2 else tuple(held_out(data))
    return {**found, "third": Measured(told, where, short, missing)}


def held_out(data: Data) -> list[float]:
    """How well a classifier of three methods, fitted on the other seeds, tells ascent in a seed's images.

    Returns:
        Of each seed the smaller of two shares: of images by ascent, those that are named so, and of images that are
        named so, those by ascent. Either alone is also high where everything is named so, or hardly anything.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    rows = {name: [(look, kind) for kind in KINDS for look in _numbers(one[kind])] for name, one in data.items()}
    shares = []
    for name, own in rows.items():
        others = [row for other, part in rows.items() if other != name for row in part]
        model = make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000))
        model.fit([look for look, _ in others], [kind for _, kind in others])
        shares.append(_told(list(model.predict([look for look, _ in own])), [kind for _, kind in own]))
    return shares


def _told(named: list[str], kinds: list[str]) -> float:
    """The smaller of recall and precision of ascent."""
    both = sum(name == kind == ASCENT for name, kind in zip(named, kinds, strict=True))
    return both / max(named.count(ASCENT), kinds.count(ASCENT))


def _numbers(packed: list[str]) -> list[list[float]]:
    levels = unpack(packed, SHAPE)
    return [list(row) for row in zip(*(look(levels) for look in LOOKS.values()), strict=True)]


def _mean(packed: list[str], look: str) -> float:
    return fmean(LOOKS[look](unpack(packed, SHAPE)))


def figures(data: Data) -> list[Figure]:
    """Images of the three kinds, and their numbers."""
    name, first = next(iter(data.items()))
    rows = [(f"{name}, {kind}", list(unpack(first[kind], SHAPE))) for kind in KINDS]
    return [
        images("One run of each method", first["labels"], rows),
        *(strips(f"{look.capitalize()}, one dot a run",
                 [Strip(kind, tuple(_mean(one[kind], look) for one in data.values())) for kind in KINDS],
                 lambda value: f"{value:.2f}") for look in LOOKS),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    "three-kinds",
    "Three kinds of fooling image",
    CLAIMS,
    seeds=12,
    differences=(
        "MNIST and two LeNets; the paper shows pictures of ImageNet's classes, a statistic in it could not be sourced.",
        "The four numbers and the line of nine in ten were fixed here before it was run.",
        "Gradient ascent is the paper's without regularisation, 500 steps.",
    ),
    cost="12 runs of 5,010 gradient steps beside those of mnist-direct and -cppn; 1 minute on one core, alone 5",
    units=units,
    measure=measure,
    figures=figures,
)
