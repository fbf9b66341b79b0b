"""Answers that name only some classes, as a row of probabilities that claims no more than they do."""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.errors import TargetError


def spread(
    answers: Sequence[Mapping[str, Any]], labels: Sequence[str], floor: float, where: str
) -> Float64[Tensor, "n classes"]:
    """Probabilities of every class from answers that give a score to some, as a model that returns its top three does.

    What is left of 1 is shared evenly by the classes that were not named, so that the log-odds of a named class are
    those of its own score. A class that was not named gets at most the lowest score that was.

    Args:
        answers: Scores by label, one mapping an image.
        labels: Every class, in order.
        floor: Least probability that the scores can tell from 0.
        where: The target, for errors.

    Returns:
        Shape (n, classes), at least `floor` everywhere.

    Raises:
        TargetError: An answer is empty, has a label alone, a label that is none, or a score that is no number.

    Example:
        >>> spread([{"a": 0.5, "b": 0.25}], ("a", "b", "c", "d"), 1e-6, "mine").tolist()
        [[0.5, 0.25, 0.125, 0.125]]
    """
    rows = torch.empty(len(answers), len(labels), dtype=torch.float64)
    place = {label: i for i, label in enumerate(labels)}
    for i, answer in enumerate(answers):
        check_scores(answer, place, where)
        named = torch.tensor([place[label] for label in answer])
        score = torch.tensor([float(value) for value in answer.values()], dtype=torch.float64)
        missing = len(labels) - len(answer)
        rest = max(1.0 - float(score.sum()), 0.0) / missing if missing else 0.0
        rows[i] = min(rest, float(score.min()))
        rows[i, named] = score
    return rows.clamp(min=floor, max=1.0)


def check_scores(answer: Mapping[str, Any], known: Mapping[str, int], where: str) -> None:
    """Refuse an answer without scores for classes that exist.

    Raises:
        TargetError: It is empty, has a label alone, a label that is none, or a score that is no number.
    """
    bad = [label for label, score in answer.items() if not _is_score(score)]
    if not answer or bad:
        raise TargetError(
            expected="a score for each class that an answer names",
            got=f"{dict(answer)!r:.80}",
            where=where,
            do="A label without a score says nothing of certainty: make the model return its scores.",
        )
    strange = next((label for label in answer if label not in known), None)
    if strange is not None:
        raise TargetError(
            expected="labels among the declared ones",
            got=repr(strange)[:80],
            where=where,
            do="Declare all of the model's labels in the target file, as it writes them.",
        )


def _is_score(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0.0 <= value <= 1.0 + 1e-4
