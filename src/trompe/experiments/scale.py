"""Do generative models scale up? Accuracy and looks at 7, 14 and 28 pixels, and in colour, beside a network."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Target
from trompe.data import Split, load
from trompe.experiments.families import LABELS
from trompe.experiments.figures import Strip, images, percent, power, strips
from trompe.experiments.joint import answers, least, own_images
from trompe.experiments.nouns import (
    Answer,
    Claim,
    Data,
    Effort,
    Experiment,
    Figure,
    Measured,
    Question,
    Unit,
)  # fmt: skip
from trompe.experiments.reasons import MODEL, few, guess
from trompe.experiments.runs import forget, pictures, searched, unpack
from trompe.experiments.shallow import costs, middle, reached
from trompe.experiments.sizes import FORMS, GENERATIVES, KINDS, dressed, shape
from trompe.experiments.wording import counted

_TESTED = 1000
_SMALL, _LARGE, _COLOUR = "7 pixels", "28 pixels", "28, in colour"
_SAID = "the discussion: generative models do not really scale up"
_ITERATIONS = {"vae": 1000, "network": 300}
"""Batches of 64 images of what is trained by steps."""
_LOOKS = 1000


CLAIMS = (
    Claim(
        "gap", "From 7 to 28 pixels generative classifiers fall further behind: their errors, less a network's, grow.",
        "direction", MODEL, "", _SAID, 0.0, scale="share",
        prediction=guess("Further behind: more pixels are more to be explained, and few of them tell the class."),
    ),
    Claim(
        "colour", "A colour that tells nothing costs generative classifiers more errors than it costs the network.",
        "direction", MODEL, "", _SAID, 0.0, scale="share",
        prediction=guess("A density has to explain the colour; a network may overlook it."),
    ),
    Claim(
        "fooled", "At every size each of the generative classifiers has an image at 99 % for nine classes in ten.",
        "shape",
        MODEL, "", "asked here", 0.9, scale="share", prediction=guess("Large or small, their posterior is fooled."),
    ),
    Claim(
        "cheaper", "They take fewer looks at 28 pixels than at 7, in the geometric mean over classes.", "direction",
        MODEL, "", "asked here", 0.0, scale="times",
        prediction=guess("Log-odds are sums over pixels: the same share of an image is worth more of them."),
    ),
    Claim(
        "looks", "In colour they take fewer looks than the network.", "direction", MODEL, "", "asked here", 0.0,
        scale="times",
        prediction=guess("Their log-odds are the larger ones, so that a step to certainty is the smaller."),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """Every kind at every size, fitted to one seed's images."""
    return [Unit(f"models-{seed:02d}", partial(look, seed=seed, effort=effort)) for seed in seeds]


def look(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Fit every kind to every form of a seed's images, count its errors, and paint squares against it."""
    found: dict[str, Any] = {form: {} for form in FORMS}
    own, other, count = own_images(seed), load("mnist").test, effort.pick(200, _TESTED)
    some = Split(other.images[:count], other.classes[:count])
    for number, form in enumerate(FORMS):
        train, test = (dressed(one, form, Stream(seed, "why/scale/ink", i)) for i, one in enumerate((own, some)))
        for kind, make in KINDS.items():
            usual = _ITERATIONS.get(kind, 1)
            target = make(train, effort.pick(max(1, usual // 20), usual), seed)
            run = searched(
                folder / f"{kind}-{number}", target, by="squares", budget=effort.pick(100, _LOOKS), seed=seed
            )
            found[form][kind] = {
                "error": wrong(target, test), "fooled": reached([run]), "looks": costs(run), "images": pictures(run),
            }  # fmt: skip
            forget(run)
    return {"forms": found}


def wrong(target: Target, test: Split) -> float:
    """Share of images that a target names wrongly."""
    named = answers(target, from_levels(test.images)).logits.argmax(1)
    return float((named != test.classes).double().mean())


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """One value a seed: a mean over the generative kinds, and of the share of classes the lesser."""
    seeds = [one["forms"] for one in data.values()]
    values = {
        "gap": [behind(one[_LARGE]) - behind(one[_SMALL]) for one in seeds],
        "colour": [behind(one[_COLOUR]) - behind(one[_LARGE]) for one in seeds],
        "fooled": [min(least(form, GENERATIVES, "fooled") for form in one.values()) for one in seeds],
        "cheaper": [_looks(one[_SMALL]) - _looks(one[_LARGE]) for one in seeds],
        "looks": [middle(one[_COLOUR]["network"]["looks"]) - _looks(one[_COLOUR]) for one in seeds],
    }
    where = f"on {counted(len(seeds), 'model')} of each kind and size, each on MNIST images of its own"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def behind(form: Mapping[str, Any]) -> float:
    """Errors of the generative kinds, less those of the network."""
    return _mean(form, "error") - float(form["network"]["error"])


def _mean(form: Mapping[str, Any], key: str) -> float:
    return sum(float(form[kind][key]) for kind in GENERATIVES) / len(GENERATIVES)


def _looks(form: Mapping[str, Any]) -> float:
    return sum(middle(form[kind]["looks"]) for kind in GENERATIVES) / len(GENERATIVES)


def figures(data: Data) -> list[Figure]:
    """Errors, looks, and the images of one seed."""
    seeds = [one["forms"] for one in data.values()]
    told = [(kind, form) for kind in KINDS for form in FORMS]
    wrongly = [Strip(f"{kind}, {form}", tuple(one[form][kind]["error"] for one in seeds)) for kind, form in told]
    looks = [Strip(f"{kind}, {form}", tuple(middle(one[form][kind]["looks"]) for one in seeds)) for kind, form in told]
    shown = [(f"{kind}, {form}", list(unpack(seeds[0][form][kind]["images"], shape(form)))) for kind, form in told]
    return [
        strips("Share of test images that are named wrongly, one dot a model", wrongly, percent),
        strips("Looks to 99 % by random squares, in the geometric mean over classes", looks, power),
        images("The strongest images by random squares, of one seed", LABELS, shown),
    ]


EXPERIMENT = Experiment(
    "scale",
    "More pixels, and colour",
    CLAIMS,
    seeds=12,
    differences=(
        "Images of 14 and 7 pixels are means of blocks; in colour, the ink of every image has a random hue, on black.",
        "Every model is fitted to the same 2,000 images of its seed: kernels around 1,000 of them, the autoencoder in "
        "1,000 batches of 64, the network, of two convolutions and a linear layer, in 300.",
        f"Errors are counted on {_TESTED:,} test images, in the same form as those that a model was fitted to.",
        "Of the two generative kinds errors and looks are a mean, and the share of classes is that of the lesser.",
        f"Looks are those of a search for all ten classes by random squares, {_LOOKS:,} in all at most.",
        "A class that was not reached counts with the looks of the whole search: its cost is at least that.",
        "28 pixels are small still: what becomes of a thousand classes of photographs is not asked.",
    ),
    cost="144 classifiers fitted and attacked; about 5 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    questions=(
        Question(
            "Do generative models scale up?",
            "they do not really scale up.",
            (
                Answer("gap", "No: with more pixels they fall further behind a network.",
                       "From 7 to 28 pixels they fall no further behind a network."),
                Answer("colour", "A colour that tells nothing harms them more than it harms a network.",
                       "A colour that tells nothing harms them no more than it harms a network."),
            ),
        ),
        Question(
            "Are they at least harder to fool when they grow?",
            "nothing; it is asked here, as the other half of the same question.",
            (
                Answer("fooled", "They are fooled at every size.", "Not at every size for nine classes in ten."),
                Answer("cheaper", "More pixels make it cheaper: fewer looks are enough.",
                       "More pixels do not make it cheaper."),
                Answer("looks", "In colour they are cheaper to fool than a network.",
                       "In colour they are no cheaper to fool than a network."),
            ),
            (1, 2),
        ),
    ),
)  # fmt: skip
