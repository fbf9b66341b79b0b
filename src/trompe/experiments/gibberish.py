"""Rows of words that make taggers certain: evolved, drawn at random, and evolved past p(x)."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Levels, Outputs, Target
from trompe.experiments.chains import certain, error
from trompe.experiments.grammar import LENGTH, WORDS, is_sentence, may_be, sentences
from trompe.experiments.joint import FALSE_ALARMS, LEVEL, accepted, answers, worths
from trompe.experiments.runs import forget, kept, odds, searched
from trompe.experiments.shallow import costs
from trompe.guards import fit_score
from trompe.targets import TorchTarget
from trompe.targets.guarded import Guarded

TESTED, TRIES = 1000, 3
"""Rows of each kind that are asked about, and searches past a guard: one alone is often stuck."""


def asked(target: TorchTarget, seed: int) -> dict[str, float]:
    """What it makes of real sentences, and of random words."""
    tested = sentences(TESTED, seed, "tested")
    sure = {"real": certain(target, tested.words, 0.99), "random": certain(target, gibberish(seed), 0.99)}
    return {"error": error(target, tested), **sure}


def gibberish(seed: int) -> Tensor:
    """Rows of words drawn one by one, all as likely."""
    return 1 + Stream(seed, "why/gibberish", 0).integers(TESTED * LENGTH, len(WORDS)).reshape(TESTED, LENGTH)


def evolved(folder: Path, target: Target, paths: tuple[str, ...], budget: int, seed: int) -> tuple[Levels, list[int]]:
    """The strongest row of words for each row of tags, and the looks to 99 %, or all of the search."""
    run = searched(folder, target, encoding="tokens", budget=budget, seed=seed, classes=paths)
    levels, looks = kept(run), costs(run)
    forget(run)
    return levels, looks


def told(target: Target, levels: Levels) -> dict[str, Any]:
    """Of each row of tags what was found for it.

    ``sure`` is whether the row is at 99 % or more and accepted, ``sentence`` whether it is one after all by other tags,
    ``fits`` in how many of its words the lexicon has the tag that is named.
    """
    rows = texts(target.spec, levels)
    own = odds(target, levels).diagonal()
    sure = (own >= LEVEL) & accepted(target, levels)
    fits = [sum(tag in may_be(word) for tag, word in zip(path, row, strict=True))
            for path, row in zip(target.labels, rows, strict=False)]  # fmt: skip
    return {
        "sure": sure.tolist(), "odds": own.tolist(), "words": [" ".join(word or "–" for word in row) for row in rows],
        "sentence": [is_sentence(row) for row in rows], "fits": fits,
    }  # fmt: skip


def texts(spec: Any, levels: Levels) -> list[list[str]]:
    """The words of rows."""
    return [[spec.vocabulary[i] for i in row] for row in spec.ids(from_levels(levels)).tolist()]


def behind(folder: Path, target: TorchTarget, plain: Levels, budget: int, seed: int) -> dict[str, Any]:
    """What p(x) refuses that was made without it in mind, and what gets past it."""
    spec: Any = target.spec
    real, tested = (spec.inputs(sentences(TESTED, seed, name).words) for name in ("trusted", "tested"))
    other = torch.full((TESTED,), len(target.labels) - 1)
    guard = fit_score("energy", answers(target, real), other, false_alarms=FALSE_ALARMS, data="grammar")
    guarded = Guarded(target, guard)
    tries = [evolved(folder / str(i), guarded, target.labels[:-1], budget, seed + 1000 * i)[0] for i in range(TRIES)]
    levels = strongest(guarded, tries)
    shown = {"sentences": tested, "random words": spec.inputs(gibberish(seed)), "made for the HMM": from_levels(plain),
             "made to get past p(x)": from_levels(levels)}  # fmt: skip
    said = {name: answers(guarded, inputs) for name, inputs in shown.items()}
    return {
        "passed": {name: passed(outputs) for name, outputs in said.items()},
        "densities": {name: densities(outputs) for name, outputs in said.items()}, **told(guarded, levels),
    }  # fmt: skip


def strongest(target: Target, tries: Sequence[Levels]) -> Levels:
    """Of each row of tags the strongest row of words in several searches; what is accepted before what is not."""
    best = torch.stack([worths(target, levels) for levels in tries]).argmax(0).tolist()
    return torch.stack([tries[which][i] for i, which in enumerate(best)])


def passed(outputs: Outputs) -> float:
    """Share that a guard accepts that asks nothing of the class."""
    slack = outputs.slack
    return 1.0 if slack is None else float((slack[:, 0] >= 0.0).double().mean())


def densities(outputs: Outputs) -> list[float]:
    """Of the first 200 log p(x) in nats, as an HMM has it."""
    return [round(value, 3) for value in outputs.logits[:200].double().logsumexp(1).tolist()]
