"""Is it the shallow vision? A bag of visual words and a model of parts beside a convolutional network."""

import math
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from trompe.core.numerics import from_levels
from trompe.core.types import Levels, Target
from trompe.data import load
from trompe.experiments.families import LABELS, Lesson, error, made
from trompe.experiments.figures import Strip, images, percent, power, strips
from trompe.experiments.joint import LEVEL, answers, certain
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
from trompe.experiments.patches import bag, even_lesson, parts, shuffled
from trompe.experiments.reading import readers
from trompe.experiments.reasons import MODEL, UNSHOWN, few, guess, scikit
from trompe.experiments.runs import forget, pack, searched, unpack
from trompe.experiments.wording import counted
from trompe.measure.readers import Readability, readable_range, reads_by
from trompe.run import Run
from trompe.search.judge import with_threads

_BLANK = torch.zeros(1, 28, 28, dtype=torch.uint8)
_TESTED, _SHUFFLED = 1000, 300

KINDS: Mapping[str, Callable[[Lesson], Target]] = {
    "bag of words": bag, "parts": parts, "network": partial(made, "residual"),
}  # fmt: skip
SHALLOW = ("bag of words", "parts")


CLAIMS = (
    Claim(
        "bag-shuffled", "A bag of visual words names 99 of 100 digits as before when their patches are shuffled.",
        "shape", MODEL, "", "the discussion: visual bags of words", 0.99, scale="share",
        prediction=guess("By construction: a bag has no places."),
    ),
    Claim(
        "parts-shuffled", "Of a model of parts that is true of fewer digits.", "direction", MODEL, "",
        "the discussion: deformable parts", 0.0, scale="share",
        prediction=guess("Its root and its parts know where they belong."),
    ),
    Claim(
        "bag-fooled", "A bag of visual words has an image at 99 % for nine classes in ten.", "shape", MODEL, "",
        "the discussion: visual bags of words", 0.9, scale="share",
        prediction=guess("Fooled like a linear classifier, which it is."),
    ),
    Claim(
        "parts-fooled", "So has a model of parts.", "shape", MODEL, "", "the discussion: deformable parts", 0.9,
        scale="share", prediction=guess("Geometry is no immunity."),
    ),
    Claim(
        "looks", "A model of parts takes more looks than a network, in the geometric mean over classes.", "direction",
        MODEL, "", "asked here", 0.0, scale="times", prediction=guess("Geometry raises the looks."),
    ),
    Claim(
        "unread", "In nine of ten of the images of either, where they first reach 99 %, no reader sees the class.",
        "shape",
        MODEL, "", "asked here", 0.9, scale="share", prediction=guess("They are nonsense, as a network's are."),
    ),
    Claim(
        "worse", "Both name more test images wrongly than a network does.", "direction", MODEL, "",
        "the discussion: worse than convolutional networks", 0.0, scale="share",
        prediction=guess("That is why networks took their place."),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, taught by one seed's images."""
    return [Unit(f"models-{seed:02d}", partial(look, seed=seed, effort=effort)) for seed in seeds]


def look(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Teach every kind; shuffle digits, squares and gradients against each; and ask the readers."""
    slow, fast = even_lesson(effort.pick(100, 1000), effort.pick(1000, 4000), seed), effort.pick(60, 400)
    found = {}
    for kind, make in KINDS.items():
        with with_threads(1):
            target = make(slow if kind in SHALLOW else Lesson(slow.train, slow.part, fast, seed))
        runs = {
            "squares": searched(
                folder / f"{kind}-squares", target, by="squares", budget=effort.pick(500, 2000), seed=seed),
            "ascend": searched(
                folder / f"{kind}-ascend", target, by="ascend", generations=effort.pick(10, 40), seed=seed),
        }  # fmt: skip
        found[kind] = {
            "error": error(target, _TESTED), "same": same(target, seed), "fooled": reached(list(runs.values())),
            "real": certain(target, load("mnist").test.images[:_TESTED]), "looks": costs(runs["squares"]),
            "steps": costs(runs["ascend"]), **said(runs["squares"]),
        }  # fmt: skip
        for run in runs.values():
            forget(run)
    return {"kinds": found}


def same(target: Target, seed: int) -> float:
    """Share of test images that keep their name when their patches are shuffled."""
    shown = load("mnist").test.images[:_SHUFFLED]
    before, after = (answers(target, from_levels(one)).logits.argmax(1) for one in (shown, shuffled(shown, seed)))
    return float((before == after).double().mean())


def reached(runs: list[Run]) -> float:
    """Share of classes for which one of the searches found an image at 99 %."""
    sure = {record.label for run in runs for record in run.classes if _odds(record) >= LEVEL}
    return len(sure) / len(LABELS)


def _odds(record: Any) -> float:
    return float(record.strongest.log_odds) if record.strongest else -math.inf


def costs(run: Run) -> list[int]:
    """By class the evaluations until 99 %; where it was not reached, those of the whole search, so at least that."""
    spent = run.searches[0].evaluations
    firsts = [record.first(0.99) for record in run.classes]
    return [first.evaluations if first else spent for first in firsts]


def said(run: Run) -> dict[str, Any]:
    """The first images at 99 %, one a class, black where there is none; and in how many of them readers see it."""
    firsts = [record.first(0.99) for record in run.classes]
    shown = torch.stack([first.levels if first else _BLANK for first in firsts])
    rows = [i for i, first in enumerate(firsts) if first]
    return {"images": pack(shown), **_reads(shown[rows], rows)}


def _reads(levels: Levels, rows: list[int]) -> dict[str, Any]:
    found = readable_range(reads_by(readers(LABELS, (1, 28, 28)), from_levels(levels)), torch.tensor(rows).long())
    if not isinstance(found, Readability):
        return {"unread": str(found)}
    return {"unread": found.unreadable[0] / found.of, "unread-at-most": found.unreadable[1] / found.of}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """One value a seed."""
    seeds = [one["kinds"] for one in data.values()]
    numbers = [[one[kind]["unread"] for kind in SHALLOW if not isinstance(one[kind]["unread"], str)] for one in seeds]
    values = {
        "bag-shuffled": [one["bag of words"]["same"] for one in seeds],
        "parts-shuffled": [one["bag of words"]["same"] - one["parts"]["same"] for one in seeds],
        "bag-fooled": [one["bag of words"]["fooled"] for one in seeds],
        "parts-fooled": [one["parts"]["fooled"] for one in seeds],
        "looks": [middle(one["parts"]["looks"]) - middle(one["network"]["looks"]) for one in seeds],
        "unread": [min(found) for found in numbers if found],
        "worse": [min(one[kind]["error"] for kind in SHALLOW) - one["network"]["error"] for one in seeds],
    }
    where = f"on {counted(len(seeds), 'model')} of each kind and MNIST"
    return {name: Measured(tuple(found), where, few(effort)) for name, found in values.items()}


def middle(looks: list[int]) -> float:
    """Of numbers of evaluations the mean power of ten."""
    return sum(map(math.log10, looks)) / len(looks)


def figures(data: Data) -> list[Figure]:
    """Shuffling, cost, errors and certainty, and the images."""
    seeds = [one["kinds"] for one in data.values()]

    def rows(key: str) -> list[Strip]:
        return [Strip(kind, tuple(one[kind][key] for one in seeds if not isinstance(one[kind][key], str)))
                for kind in KINDS]  # fmt: skip

    looks, steps = ([Strip(kind, tuple(middle(one[kind][key]) for one in seeds)) for kind in KINDS]
                    for key in ("looks", "steps"))  # fmt: skip
    told = [(kind, list(unpack(seeds[0][kind]["images"], (1, 28, 28)))) for kind in KINDS]
    return [
        strips("Share of digits named as before when their sixteen patches are shuffled", rows("same"), percent),
        strips("Share of classes with an image at 99 % or more, one dot a model", rows("fooled"), percent),
        strips("Looks to 99 % by random squares, in the geometric mean over classes", looks, power),
        strips("Looks to 99 % by gradient, in the geometric mean over classes", steps, power),
        images("The first images at 99 % by random squares; black where there is none", LABELS, told),
        strips("Share of these images in which no reader sees the class", rows("unread"), percent),
        strips(f"The other half: errors on {_TESTED:,} test images", rows("error"), percent),
        strips("Share of test images that are named at 99 % or more", rows("real"), percent),
    ]


EXPERIMENT = Experiment(
    "shallow",
    "A bag of visual words, and a model of parts",
    CLAIMS,
    seeds=12,
    differences=(
        "Sixteen patches of 7x7 pixels, 300 words, a linear support vector machine; four parts a class under one root.",
        "The network is a small residual one, trained on 400 batches of 64 images, the parts on 1,000.",
        "Scores that are no probabilities are multiplied by what makes 500 images kept back likeliest.",
        UNSHOWN,
        "A class that was not reached counts with the looks of the whole search: its cost is at least that.",
    ),
    cost="36 models taught and attacked twice; about 7 minutes on one core that others use too",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "Would older, shallow vision be fooled: bags of visual words, parts in their places?",
            "this is not specific to networks; deformable parts and bags of words would be fooled as well.",
            (
                Answer("parts-fooled", "A model of parts is: nine classes in ten have an image at 99 %.",
                       "A model of parts is fooled for fewer than nine classes in ten."),
                Answer(
                    "bag-fooled",
                    "A bag of visual words is: nine classes in ten have an image at 99 %.",
                    "A bag of visual words is fooled for fewer than nine classes in ten.",
                ),
                Answer("unread", "No reader sees the class in their images.",
                       "But in more than one in ten of the images of one of them some reader sees the class."),
                Answer("looks", "Parts in their places take more looks than a network.",
                       "Parts in their places take no more looks than a network."),
            ),
            (1, 2, 3, 4, 5),
        ),
        Question(
            "Does a classifier notice that the pieces are in the wrong order?",
            "nothing; it is asked here.",
            (
                Answer("bag-shuffled", "A bag of words does not: shuffled digits keep their names.",
                       "A bag of words names shuffled digits otherwise."),
                Answer("parts-shuffled", "A model of parts does more often.", "A model of parts does no more often."),
                Answer("worse", "The other half: both are worse classifiers than a small network.",
                       "The other half: they are no worse classifiers than a small network."),
            ),
            (0, 6, 7),
        ),
    ),
)  # fmt: skip
