"""Are taggers of sentences fooled as well? HMM, MEMM and CRF, certain of rows of tags that no sentence has."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from html import escape
from pathlib import Path
from typing import Any

from trompe.experiments.chains import MAKERS, OTHER
from trompe.experiments.figures import Strip, histograms, percent, power, strips
from trompe.experiments.gibberish import TESTED, asked, behind, evolved, told
from trompe.experiments.grammar import LENGTH, TAGS, Sentences, impossible, sentences
from trompe.experiments.joint import FALSE_ALARMS
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
from trompe.experiments.reasons import MODEL, WRITTEN
from trompe.experiments.shallow import middle
from trompe.experiments.wording import counted
from trompe.search.judge import with_threads
from trompe.targets import TorchTarget

BUDGET, _TAUGHT = 30_000, 500
_HALF = 5
"""Rows of tags that are made of possible steps, and as many that are not; each model has its own."""

CLAIMS = (
    Claim(
        "hmm", "Eight words make an HMM 99 % certain of nine in ten rows of tags that no sentence has.", "shape",
        MODEL, "", "the discussion: HMMs and MEMMs", 0.9, scale="share",
        prediction=Prediction("HMM and MEMM alike, without a guard.", WRITTEN, seen=False),
    ),
    Claim(
        "possible", "Of those whose steps sentences have, nine in ten.", "shape", MODEL, "", "asked here", 0.9,
        scale="share",
        prediction=Prediction("Of one model all five were found so, and of the others none.", WRITTEN, seen=True),
    ),
    Claim(
        "memm", "They make a MEMM certain of nine in ten of all.", "shape", MODEL, "", "the discussion: HMMs and MEMMs",
        0.9, scale="share",
        prediction=Prediction("HMM and MEMM alike, without a guard.", WRITTEN, seen=False),
    ),
    Claim(
        "crf", "They make a CRF certain of nine in ten of all.", "shape", MODEL, "", "asked here", 0.9, scale="share",
        prediction=Prediction("Its scores are added up, without end.", WRITTEN, seen=False),
    ),
    Claim(
        "random", "Of more rows of random words than a MEMM, an HMM is 99 % certain of one row of tags.", "direction",
        MODEL, "", "the discussion: a model of p(x, y) would know", 0.0, scale="share",
        prediction=Prediction("It weighs each word by itself; what is improbable cancels.", WRITTEN, seen=False),
    ),
    Claim(
        "guard-random", "Of rows of random words the HMM's p(x) accepts one in twenty at most.", "shape", MODEL, "",
        "the discussion: use p(x)", high=0.05, scale="share",
        prediction=Prediction("It refuses 95 % or more of what is static.", WRITTEN, seen=False),
    ),
    Claim(
        "guard-static", "So it does of rows that were made for the HMM without p(x) in mind.", "shape", MODEL, "",
        "the discussion: use p(x)", high=0.05, scale="share",
        prediction=Prediction("It refuses 95 % or more of what is static.", WRITTEN, seen=False),
    ),
    Claim(
        "adaptive", "An attacker who knows of it gets past p(x): nine in ten rows of tags whose steps are possible one "
        "by one are reached at 99 %, and accepted.", "shape", MODEL, "", "asked here", 0.9, scale="share",
        prediction=Prediction("It knows steps and no sentences: such a row is as likely.", WRITTEN, seen=False),
    ),
    Claim(
        "steps", "With rows of tags of impossible steps the attacker gets past less often.", "direction", MODEL, "",
        "asked here", 0.0, scale="share",
        prediction=Prediction("p(x) pays for each of them, whatever the words.", WRITTEN, seen=False),
    ),
    Claim(
        "looks", "A MEMM takes more looks than an HMM, in the geometric mean over rows of tags.", "direction", MODEL,
        "", "the discussion: MEMMs are more effective", 0.0, scale="times",
        prediction=Prediction("Each of its steps has to be certain by itself.", WRITTEN, seen=False),
    ),
    Claim(
        "worse", "A MEMM gives more words of real sentences a wrong tag than an HMM does.", "direction", MODEL, "",
        "the discussion says the contrary", 0.0, scale="share",
        prediction=Prediction("So did one model of each kind: it is divided tag by tag.", WRITTEN, seen=True),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, taught by one seed's sentences."""
    return [Unit(f"models-{seed:02d}", partial(ask, seed=seed, effort=effort)) for seed in seeds]


def ask(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Teach every kind, draw words at random, and evolve a row of words for each row of tags; past p(x), too."""
    taught, paths = lesson(seed, effort.pick(100, _TAUGHT))
    budget, found = effort.pick(400, BUDGET), {}
    for kind, make in MAKERS.items():
        with with_threads(1):
            target = make(taught, paths)
        levels, looks = evolved(folder / kind, target, paths, budget, seed)
        found[kind] = {**asked(target, seed), "looks": looks, **told(target, levels)}
        if kind == "HMM":
            found[kind]["guarded"] = behind(folder / "guarded", target, levels, budget, seed)
    return {"kinds": found, "paths": list(paths), "budget": budget}


def lesson(seed: int, count: int = _TAUGHT) -> tuple[Sentences, tuple[str, ...]]:
    """Sentences that teach the models of a seed, and the rows of tags that are their classes; no sentence has these."""
    paths = tuple(path for stepwise in (True, False) for path in impossible(_HALF, seed, stepwise=stepwise))
    return sentences(count, seed, "taught"), paths


def hmm_tagger() -> TorchTarget:
    """A target for any command: an HMM of p(words, tags) of rows of eight words, taught 500 sentences.

    Its classes are ten rows of tags that no sentence has. The eleventh, all other rows of tags, is declared harmless:
    certainty that nonsense is none of the ten is right.
    """
    return _named("HMM")


def memm_tagger() -> TorchTarget:
    """A target for any command: a MEMM of the classes of `hmm_tagger`, taught the same."""
    return _named("MEMM")


def crf_tagger() -> TorchTarget:
    """A target for any command: a CRF of the classes of `hmm_tagger`, taught the same."""
    return _named("CRF")


def _named(kind: str) -> TorchTarget:
    with with_threads(1):
        made = MAKERS[kind](*lesson(0))
    return replace(made, declared=replace(made.declared, harmless=(OTHER,)))


def share(values: Sequence[bool]) -> float:
    """Of values that are true."""
    return sum(values) / len(values)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """One value a seed."""
    del effort
    seeds = [one["kinds"] for one in data.values()]
    least = min(one["budget"] for one in data.values())
    model, local, whole = ([one[kind] for one in seeds] for kind in MAKERS)
    guarded = [one["guarded"] for one in model]
    both = list(zip(model, local, strict=True))
    values = {
        "hmm": [share(one["sure"]) for one in model],
        "possible": [share(one["sure"][:_HALF]) for one in model],
        "memm": [share(one["sure"]) for one in local],
        "crf": [share(one["sure"]) for one in whole],
        "random": [a["random"] - b["random"] for a, b in both],
        "guard-random": [one["passed"]["random words"] for one in guarded],
        "guard-static": [one["passed"]["made for the HMM"] for one in guarded],
        "adaptive": [share(one["sure"][:_HALF]) for one in guarded],
        "steps": [share(one["sure"][:_HALF]) - share(one["sure"][_HALF:]) for one in guarded],
        "looks": [middle(b["looks"]) - middle(a["looks"]) for a, b in both],
        "worse": [b["error"] - a["error"] for a, b in both],
    }
    where = f"on {counted(len(seeds), 'model')} of each kind and a small language"
    short = f"{least} of {BUDGET} evaluations" if least < BUDGET else ""
    return {name: Measured(tuple(found), where, short) for name, found in values.items()}


def figures(data: Data) -> list[Figure]:
    """Shares, certainty, densities, cost and errors; and the words."""
    seeds = [one["kinds"] for one in data.values()]
    first = next(iter(data.values()))
    hmm = [one["HMM"] for one in seeds]
    guarded = [one["guarded"] for one in hmm]
    sure = [row for kind in MAKERS for row in _halves(f"{kind}, ", [one[kind] for one in seeds])]
    known = [Strip(f"{kind}, {name}", tuple(one[kind][key] for one in seeds))
             for kind in MAKERS for key, name in (("real", "sentences"), ("random", "random words"))]  # fmt: skip
    let_by = [Strip(name, tuple(one["passed"][name] for one in guarded)) for name in guarded[0]["passed"]]
    looks = [Strip(kind, tuple(middle(one[kind]["looks"]) for one in seeds)) for kind in MAKERS]
    errors = [Strip(kind, tuple(one[kind]["error"] for one in seeds)) for kind in MAKERS]
    return [
        strips("Share of impossible rows of tags with eight words at 99 % or more", sure, percent,
               (0.9, "nine in ten")),
        strips("Share of rows of words whose best row of tags has 99 % or more", known, percent),
        _table("What an HMM is surest of, in eight words", first["paths"], first["kinds"]["HMM"]),
        strips("Share of rows of words that p(x) accepts", let_by, percent, (FALSE_ALARMS, "as many as it refuses")),
        histograms("log p(x) in nats, one HMM", list(guarded[0]["densities"].items())),
        strips("Share of impossible rows of tags at 99 % that p(x) accepts, attacker aware", _halves("", guarded),
               percent, (0.9, "nine in ten")),
        _table("What an HMM is surest of where p(x) is asked", first["paths"], first["kinds"]["HMM"]["guarded"]),
        strips("Looks to 99 %, in the geometric mean over rows of tags", looks, power),
        strips(f"The other half: wrong tags in {TESTED:,} sentences", errors, _percents),
        strips("Words that may have the tag that is named, of all words in rows found at 99 %", _fits(seeds), percent),
    ]  # fmt: skip


def _halves(before: str, found: Sequence[Mapping[str, Any]]) -> list[Strip]:
    parts = (("possible steps", slice(_HALF)), ("impossible ones", slice(_HALF, None)))
    return [Strip(f"{before}{name}", tuple(share(one["sure"][part]) for one in found)) for name, part in parts]


def _fits(seeds: Sequence[Mapping[str, Any]]) -> list[Strip]:
    """By kind, of the models for which some row was found."""
    rows = []
    for kind in MAKERS:
        found = [[n for n, sure in zip(one[kind]["fits"], one[kind]["sure"], strict=True) if sure] for one in seeds]
        rows.append(Strip(kind, tuple(sum(one) / (LENGTH * len(one)) for one in found if one)))
    return rows


def _table(title: str, paths: Sequence[str], one: Mapping[str, Any]) -> Figure:
    rows = [
        (path, words, f"{value:+.1f}{'' if sure else ', not reached'}{', a sentence by other tags' if is_one else ''}")
        for path, words, value, sure, is_one in zip(
            paths, one["words"], one["odds"], one["sure"], one["sentence"], strict=True
        )
    ]
    cells = "".join(
        f'<tr><th scope="row">{escape(path)}</th><td>{escape(words)}</td><td>{escape(said)}</td></tr>'
        for path, words, said in rows
    )
    letters = ", ".join(f"{letter} {name}" for letter, name in TAGS.items())
    text = "; ".join(f"{path}: {words} ({said})" for path, words, said in rows)
    return Figure(
        title, f'<div class="wide"><table>{cells}</table></div><p>{escape(letters)}.</p>',
        f"{title}, with log-odds. {text}. {letters}.",
    )  # fmt: skip


def _percents(value: float) -> str:
    return f"{100.0 * value:.1f} %"


EXPERIMENT = Experiment(
    "sequences",
    "HMM, MEMM and CRF",
    CLAIMS,
    seeds=12,
    differences=(
        "A made-up grammar of 814 rows of eight tags over 124 English words, a quarter of which have two tags or "
        "three; each model is taught 500 sentences drawn for it alone.",
        "All three are small and written here. MEMM and CRF see the tag before, the word, its ending and the next "
        "word, with the same weights to learn; they differ in what adds up to one.",
        "Ten classes are rows of tags that no sentence has, five made of steps that sentences have; the eleventh is "
        "all other rows of tags. Confidence is the probability of the whole row, so for each of the ten 0 is right.",
        "How much is smoothed was chosen by the likelihood of sentences of another seed, before any search.",
        "p(x) refuses one in twenty of 1,000 sentences; past it the strongest of three searches counts.",
        "Searches were to be of 3,000 looks; of one model they were still rising then, and of 30,000 hardly any more. "
        "What was expected had been written down before any search, but for two claims: that an HMM is certain of rows "
        "whose steps all occur was claimed after that one model; and that a MEMM tags more words wrongly had been seen "
        "of one model of each kind.",
    ),
    cost="36 models taught and 72 runs of 30,000 evaluations; about 3 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    questions=(
        Question(
            "Are models of sequences fooled: HMMs, MEMMs, CRFs?",
            "HMMs and MEMMs would be fooled as well.",
            (
                Answer("hmm", "An HMM is: certain of nine in ten rows of tags that no sentence has.",
                       "An HMM is, but for fewer than nine in ten of the rows of tags that no sentence has."),
                Answer("possible", "It is where every single step occurs in sentences.",
                       "Not for nine in ten even where every step occurs in sentences."),
                Answer(
                    "memm",
                    "A MEMM is certain of nine in ten of them.",
                    "A MEMM is certain of fewer than nine in ten of them.",
                ),
                Answer(
                    "crf",
                    "A CRF is certain of nine in ten of them.",
                    "A CRF is certain of fewer than nine in ten of them.",
                ),
                Answer("random", "Random words make an HMM certain more often than a MEMM.",
                       "Random words make an HMM certain no more often than a MEMM."),
            ),
            (0, 1, 2, 9),
        ),
        Question(
            "An HMM is a model of p(x, y). Does its p(x) stop it?",
            "if the model knew p(x), it could tell that such a row is no sentence.",
            (
                Answer(
                    "guard-static",
                    "Where rows were made without it in mind, yes: it refuses them.",
                    "Not always: it accepts more than one in twenty of the rows that were made without it in mind.",
                ),
                Answer(
                    "guard-random",
                    "It refuses random words.",
                    "It does not refuse random words.",
                ),
                Answer("adaptive", "An attacker who knows of it gets past, for rows whose steps all occur.",
                       "An attacker who knows of it gets past for fewer than nine in ten rows whose steps all occur."),
                Answer("steps", "With impossible steps the attacker gets past less often.",
                       "With impossible steps the attacker gets past no less often."),
            ),
            (3, 4, 5, 6),
        ),
        Question(
            "Is a MEMM more effective than an HMM?",
            "it is.",
            (
                Answer("worse", "No: here a MEMM tags more words wrongly than an HMM.",
                       "It tags no more words wrongly than an HMM."),
                Answer("looks", "The other half: it takes more looks to make a MEMM certain.",
                       "The other half: it takes no more looks to make a MEMM certain."),
            ),
            (7, 8),
        ),
    ),
)  # fmt: skip
