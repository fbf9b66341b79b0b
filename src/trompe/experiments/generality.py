"""Are only deep networks easily fooled? Thirteen families trained here on MNIST, attacked in the same way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from trompe.core.numerics import level_odds, say_confidence
from trompe.experiments.families import FAMILIES, NETWORKS, error, lesson, made
from trompe.experiments.figures import Strip, images, percent, strips
from trompe.experiments.nouns import (
    Answer,
    Claim,
    Data,
    Effort,
    Experiment,
    Figure,
    Measured,
    Prediction,
    Question,
    Unit,
)  # fmt: skip
from trompe.experiments.runs import pictures, searched, strongest, unpack
from trompe.experiments.wording import counted

LEVEL = level_odds(0.99)
ATTACKS: Mapping[str, dict[str, Any]] = {"squares": {"by": "squares"}, "cppn": {"encoding": "cppn"}}
BUDGET = 6000
_TESTED = 1000
_MODEL = "trained model"

CLAIMS = (
    Claim(
        "networks", "Deep networks are easily fooled: nine in ten of their classes have an image at 99 % or more.",
        "shape", _MODEL, "", "asked here, of the title; line, budget and families are ours", 0.9, scale="share",
    ),
    Claim(
        "all", "So are all families together: nine in ten of their classes have an image at 99 % or more.", "shape",
        _MODEL, "", "asked here", 0.9, scale="share",
    ),
    Claim(
        "others", "So are the other families alone.", "shape", _MODEL, "", "asked here", 0.9, scale="share",
        prediction=Prediction("Nine in ten of their classes: it takes no depth.", "2026-11-21", seen=True),
    ),
    Claim(
        "none", "Some trained model of another family has no class with an image at 99 % within the same budget: all "
        "of its classes are without.",
        "existence", _MODEL, "", "asked here; a miss proves nothing beyond its budget", 1.0, scale="share",
    ),
)  # fmt: skip


@dataclass(frozen=True)
class Course:
    """How models are made and attacked: batches of 64 images for networks, images for others, evaluations a search."""

    iterations: int
    part: int
    budget: int


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One trained model of each family a seed."""
    course = Course(effort.pick(40, 1500), effort.pick(300, 3000), effort.pick(400, BUDGET))
    return [
        Unit(f"{family.replace(' ', '-')}-{seed}", partial(attack, family=family, seed=seed, course=course))
        for seed in seeds
        for family in FAMILIES
    ]


def attack(folder: Path, family: str, seed: int, course: Course) -> dict[str, Any]:
    """Train a model, and evolve against it in two ways that only ask."""
    target = made(family, lesson(course.iterations, course.part, seed))
    found: dict[str, Any] = {"family": family, "budget": course.budget, "odds": {}, "looks": {}}
    found["error"] = error(target, _TESTED)
    for name, how in ATTACKS.items():
        run = searched(folder / name, target, budget=course.budget, seed=seed, **how)
        found["odds"][name], found["labels"] = strongest(run), [record.label for record in run.classes]
        firsts = [record.first(0.99) for record in run.classes]
        found["looks"][name] = [first.evaluations if first else None for first in firsts]
        if name == "squares":
            found["images"] = pictures(run)
    return found


def reached(one: Mapping[str, Any]) -> float:
    """Share of the classes for which some attack ended at 99 % or more."""
    best: list[float] = [max(odds) for odds in zip(*one["odds"].values(), strict=True)]
    return sum(value >= LEVEL for value in best) / len(best)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """The share of each model's classes; of the other families, the share not reached."""
    del effort
    models = list(data.values())
    least = min(one["budget"] for one in models)
    short = f"{least} of {BUDGET} evaluations" if least < BUDGET else ""
    deep = [one for one in models if one["family"] in NETWORKS]
    rest = [one for one in models if one["family"] not in NETWORKS]
    return {
        "networks": Measured(tuple(map(reached, deep)), _population(deep), short),
        "all": Measured(tuple(map(reached, models)), _population(models), short),
        "others": Measured(tuple(map(reached, rest)), _population(rest), short),
        # Whoever is asked less often is fooled less often: without the budget, a miss shows nothing at all.
        "none": Measured(() if short else tuple(1.0 - reached(one) for one in rest), _population(rest), short),
    }


def _population(models: list[dict[str, Any]]) -> str:
    families = counted(len({one["family"] for one in models}), "family")
    return f"on {counted(len(models), 'model')} of {families} and MNIST"


def _absent() -> str:
    return "" if find_spec("sklearn") else "scikit-learn is not installed (extra sklearn)"


def figures(data: Data) -> list[Figure]:
    """Shares by family, test errors beside, and what random squares made of each."""
    models = list(data.values())
    families = list(dict.fromkeys(one["family"] for one in models))
    own = {family: [one for one in models if one["family"] == family] for family in families}
    shares = [Strip(family, tuple(map(reached, own[family]))) for family in families]
    wrong = [Strip(family, tuple(one["error"] for one in own[family])) for family in families]
    told = [(f"{family}, worst {say_confidence(min(own[family][0]['odds']['squares']))}",
             list(unpack(own[family][0]["images"], (1, 28, 28)))) for family in families]  # fmt: skip
    return [
        strips(
            "Share of classes with an image at 99 % or more, one dot a model", shares, percent, (0.9, "nine in ten")
        ),
        looks(models),
        strips(f"Error on {_TESTED:,} test images", wrong, percent),
        images("The strongest image of every digit by random squares", models[0]["labels"], told),
    ]


def looks(models: Sequence[Mapping[str, Any]]) -> Figure:
    """Of each family and attack the looks until half of its classes, of all models, had an image at 99 %."""
    rows = []
    for family in dict.fromkeys(one["family"] for one in models):
        own = [one for one in models if one["family"] == family]
        rows.append([family, *(_looked(own, name) for name in ATTACKS)])
    title = "Looks until half of the classes had an image at 99 % or more, and how many had one within the budget"
    head = "".join(f'<th scope="col">{escape(word)}</th>' for word in ("family", *ATTACKS))
    body = "".join("<tr>" + "".join(f"<td>{escape(word)}</td>" for word in row) + "</tr>" for row in rows)
    told = "; ".join(
        f"{row[0]}: " + ", ".join(f"{name} {word}" for name, word in zip(ATTACKS, row[1:], strict=True)) for row in rows
    )
    return Figure(title, f'<div class="wide"><table><tr>{head}</tr>{body}</table></div>', f"{title}. {told}.")


def _looked(own: Sequence[Mapping[str, Any]], attack: str) -> str:
    firsts = [first for one in own for first in one["looks"][attack]]
    half, reached = middle(firsts), sum(first is not None for first in firsts)
    least = min(one["budget"] for one in own)
    return f"{f'over {least:,}' if half is None else f'{half:,}'} ({reached} of {len(firsts)})"


def middle(firsts: Sequence[int | None]) -> int | None:
    """The upper median of numbers of which those beyond the budget are not known; None where it is one of these."""
    known = sorted(first for first in firsts if first is not None)
    return known[len(firsts) // 2] if len(firsts) // 2 < len(known) else None


EXPERIMENT = Experiment(
    "generality",
    "All classifiers, or only deep networks?",
    CLAIMS,
    seeds=3,
    differences=(
        "The paper attacks two networks; here are thirteen families, by two searches of 6,000 looks that only ask.",
        "Networks are trained for 1,500 batches of 64 images; what is no network is fitted to 3,000 images of its own.",
        "Densities of the classes come twice: sums of kernels, and small variational autoencoders, 300 batches each.",
        "The models of a family differ in their seed and their images only, so one family counts as three. Shares near "
        "0 and 1 are not symmetrical, which the ranks behind a p-value take them to be: it can be large where an "
        "interval is clear.",
        "A family that is seldom sure of anything, as kernels are, is not fooled for that reason; its errors are "
        "shown.",
        "Whether a person could read the images is not asked: where densities are fooled, the image may be a digit.",
    ),
    cost="39 models trained and 78 runs of 6,000 evaluations; about 9 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=_absent,
    questions=(
        Question(
            "Are other kinds of classifier easily fooled, too?",
            "this is not specific to networks; other models of machine learning are easily fooled as well.",
            (
                Answer("others", "Yes: of classifiers that are no deep networks, nine in ten classes have an image at "
                       "99 %.", "Not like networks: of classifiers that are no deep networks, fewer than nine in ten "
                       "classes have an image at 99 %."),
                Answer(
                    "networks",
                    "Of deep networks, attacked in the same way, nine in ten have one.",
                    "Of deep networks, attacked in the same way, fewer than nine in ten have one.",
                ),
                Answer("none", "Some model of another kind was sure of no such image at all, within its budget.",
                       "No model was spared: each of another kind has some class with such an image."),
            ),
            (0, 1, 2),
        ),
    ),
)  # fmt: skip
