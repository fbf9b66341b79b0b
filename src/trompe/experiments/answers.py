"""Answers in plain words, each computed from a verdict; and how the predictions came out."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trompe.experiments.nouns import Answer, Outcome, Question, Verdict
from trompe.experiments.report import Section

_YES: tuple[Outcome, ...] = ("holds", "holds on a stand-in", "reproduces")
_NO: tuple[Outcome, ...] = ("does not hold", "does not hold on a stand-in", "does not reproduce")

PREDICTED = (
    "predicted, and so it is", "predicted, and wrong", "predicted, still open",
    "expected, as a pilot or a paper had shown it",
)  # fmt: skip
"""What becomes of an expectation, in the order of the page."""


@dataclass(frozen=True)
class Said:
    """One sentence of an answer, and what it rests on.

    Attributes:
        text: The sentence.
        because: The number behind it, and on what it was measured.
        decided: Whether the data decided it.
    """

    text: str
    because: str
    decided: bool


def say(question: Question, verdicts: Mapping[str, Verdict]) -> tuple[Said, ...]:
    """What the verdicts make of a question; nothing is said that they do not decide.

    Args:
        question: Its answers name claims.
        verdicts: Of those claims, by name.
    """
    return tuple(_say(answer, verdicts[answer.claim]) for answer in question.answers)


def _say(answer: Answer, verdict: Verdict) -> Said:
    because = f"{verdict.ours}, {verdict.population}"
    if verdict.outcome in _YES:
        return Said(answer.yes, because, decided=True)
    if verdict.outcome in _NO:
        return Said(answer.no, because, decided=True)
    word = "Not answered here" if verdict.outcome == "cannot be run here" else "Not decided"
    return Said(f"{word}: “{answer.yes}”", f"{verdict.reason}; {because}", decided=False)


def predictions(sections: Sequence[Section]) -> list[tuple[str, int]]:
    """How many claims were predicted and came out right, wrong or open, and how many had been seen; none of 0.

    What a pilot or a paper had shown by the time it was written down is no prediction, and is counted apart.
    """
    found = Counter(
        PREDICTED[-1] if verdict.claim.prediction.seen else _came(verdict)
        for section in sections
        for verdict in section.verdicts
        if verdict.claim.prediction
    )
    return [(name, found[name]) for name in PREDICTED if found[name]]


def _came(verdict: Verdict) -> str:
    if verdict.outcome in _YES:
        return PREDICTED[0]
    return PREDICTED[1] if verdict.outcome in _NO else PREDICTED[2]
