"""Is it images at all? Classifiers of texts, and how few meaningless words make them certain: 3, 8 or 20."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch

from trompe.core.seeds import Stream
from trompe.core.tokens import TokenSpec
from trompe.experiments.figures import Strip, percent, strips
from trompe.experiments.joint import LEVEL, answers
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
from trompe.experiments.reasons import MODEL, UNSHOWN, WRITTEN, scikit
from trompe.experiments.runs import forget, searched, strongest
from trompe.experiments.texts import MAKERS, absent, error, halves, resized, sayings
from trompe.experiments.wording import counted
from trompe.search.judge import with_threads

LENGTHS = (3, 8, 20)
_DRAWN, _LONG = 1000, 20
BUDGET = 3000

CLAIMS = (
    Claim(
        "three", "Within three words a bag of words is made 99 % certain of nine topics in ten.", "shape", MODEL, "",
        "asked here", 0.9, scale="share",
        prediction=Prediction("At most three words (its weights are added up).", WRITTEN, seen=False),
    ),
    Claim(
        "bag", "Within twenty words it is.", "shape", MODEL, "", "the discussion: bags of words are fooled as well",
        0.9,
        scale="share", prediction=Prediction("Its weights are added up, without end.", WRITTEN, seen=False),
    ),
    Claim(
        "tf-idf", "Of TF-IDF, which gives long texts no more say than short ones, that is true for fewer topics.",
        "direction", MODEL, "", "asked here", 0.0, scale="share",
        prediction=Prediction("Its log-odds are bounded by its largest weights.", WRITTEN, seen=False),
    ),
    Claim(
        "bayes", "Twenty words make naive Bayes, a model of p(x, y), certain of nine topics in ten.", "shape", MODEL,
        "", "the discussion: a model of p(x, y)", 0.9, scale="share",
        prediction=Prediction("Two tiny probabilities still make a large ratio.", WRITTEN, seen=False),
    ),
    Claim(
        "random", "Twenty words drawn at random make it certain more often than they do a bag of words.", "direction",
        MODEL, "", "the discussion: a model of p(x, y) would know", 0.0, scale="share",
        prediction=Prediction("It counts every word as evidence of its own, as with pixels.", WRITTEN, seen=False),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, taught by one seed's part of the texts."""
    return [Unit(f"models-{seed:02d}", partial(ask, seed=seed, effort=effort)) for seed in seeds]


def ask(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Teach every kind, draw words at random, and evolve rows of each length."""
    taught, tested = halves(sayings(), seed)
    found = {}
    for kind, make in MAKERS.items():
        with with_threads(1):
            target = make(taught, _LONG, seed)
        one: dict[str, Any] = {"error": error(target, tested), "random": drawn(target, seed), "odds": {}}
        for length in LENGTHS:
            run = searched(
                folder / f"{kind}-{length}", resized(target, length), encoding="tokens",
                budget=effort.pick(400, BUDGET), seed=seed,
            )  # fmt: skip
            one["odds"][str(length)] = strongest(run)
            one["words"] = _words(run) if length == LENGTHS[1] else one.get("words", [])
            forget(run)
        found[kind] = one
    return {"kinds": found, "topics": list(sayings().topics), "budget": effort.pick(400, BUDGET)}


def drawn(target: Any, seed: int) -> float:
    """Share of rows of random words at 99 % or more for some topic."""
    spec: TokenSpec = target.spec
    ids = 1 + Stream(seed, "why/words", 0).integers(_DRAWN * spec.width, len(spec.vocabulary) - 1)
    logits = answers(target, spec.inputs(ids.reshape(_DRAWN, -1))).logits.double()
    top = logits.log_softmax(1).amax(1)
    return float((top >= torch.tensor(LEVEL).double().sigmoid().log()).double().mean())


def _words(run: Any) -> list[str]:
    files = [run.folder / record.strongest.file for record in run.classes]
    return [file.with_suffix(".txt").read_text(encoding="utf-8").strip() for file in files]


def reached(one: Mapping[str, Any], length: int) -> float:
    """Share of topics with a row of that length at 99 % or more."""
    found: list[float] = one["odds"][str(length)]
    return sum(value >= LEVEL for value in found) / len(found)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """One value a seed."""
    del effort
    seeds = [one["kinds"] for one in data.values()]
    least = min(one["budget"] for one in data.values())
    bag, even, bayes = ([one[kind] for one in seeds] for kind in MAKERS)
    values = {
        "three": [reached(one, LENGTHS[0]) for one in bag],
        "bag": [reached(one, _LONG) for one in bag],
        "tf-idf": [reached(a, _LONG) - reached(b, _LONG) for a, b in zip(bag, even, strict=True)],
        "bayes": [reached(one, _LONG) for one in bayes],
        "random": [a["random"] - b["random"] for a, b in zip(bayes, bag, strict=True)],
    }
    where = f"on {counted(len(seeds), 'model')} of each kind and ten collections of Debian's fortunes"
    short = f"{least} of {BUDGET} evaluations" if least < BUDGET else ""
    return {name: Measured(tuple(found), where, short) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """Shares by length, random words, errors; and the words."""
    seeds = [one["kinds"] for one in data.values()]
    shares = [
        Strip(f"{kind}, {length} words", tuple(reached(one[kind], length) for one in seeds))
        for kind in MAKERS
        for length in LENGTHS
    ]
    first = next(iter(data.values()))
    return [
        strips("Share of topics with meaningless words at 99 % or more", shares, percent),
        strips("Share of twenty random words at 99 % or more", _rows(seeds, "random"), percent),
        strips("The other half: errors on sayings kept back", _rows(seeds, "error"), percent),
        _table(first["topics"], first["kinds"]["bag of words"]),
    ]


def _rows(seeds: list[Any], key: str) -> list[Strip]:
    return [Strip(kind, tuple(one[kind][key] for one in seeds)) for kind in MAKERS]


def _table(topics: list[str], one: Mapping[str, Any]) -> Figure:
    from html import escape

    title = "What a bag of words is surest of, in eight words"
    rows = list(zip(topics, one["words"], one["odds"][str(LENGTHS[1])], strict=True))
    cells = "".join(
        f'<tr><th scope="row">{escape(topic)}</th><td>{escape(words)}</td><td>{value:+.1f}</td></tr>'
        for topic, words, value in rows
    )
    text = "; ".join(f"{topic}: {words} ({value:+.1f})" for topic, words, value in rows)
    return Figure(title, f'<div class="wide"><table>{cells}</table></div>', f"{title}, with log-odds. {text}.")


EXPERIMENT = Experiment(
    "tokens",
    "Texts",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "Ten collections of Debian's package fortunes, up to 300 sayings each; a quarter is kept back.",
        "Words that three sayings or more have; rows of words are evolved as images are, and kept in the same archive.",
        "Rows are of 3, 8 or 20 words; lengths between were not tried.",
        "That they mean nothing is by how they were made: words drawn, replaced and exchanged without any grammar.",
    ),
    cost="36 models taught and 108 runs of 3,000 evaluations; about 1 minute on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=lambda: absent() or scikit(),
    questions=(
        Question(
            "Is it about images at all?",
            "it is not: any classifier can be fooled, of texts too.",
            (
                Answer("bag",
                       "No. Within twenty meaningless words a bag of words is made certain of nine topics in ten.",
                       "In part: within twenty meaningless words a bag of words is made certain of fewer than nine "
                       "topics in ten."),
                Answer(
                    "three",
                    "Within three words it is made certain of nine in ten.",
                    "Within three words it is made certain of fewer than nine in ten.",
                ),
                Answer("bayes", "A model of p(x, y) of texts is made certain in the same way.",
                       "A model of p(x, y) of texts is made certain of fewer topics."),
                Answer("random", "Random words make a model of p(x, y) certain more often than a bag of words.",
                       "Random words make a model of p(x, y) certain no more often than a bag of words."),
                Answer("tf-idf", "What gives long texts no more say than short ones is harder to make certain.",
                       "What gives long texts no more say than short ones is as easily made certain."),
            ),
            (0, 1, 2, 3),
        ),
    ),
)  # fmt: skip
