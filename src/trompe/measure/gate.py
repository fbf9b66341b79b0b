"""The gate: conditions on measured numbers, and a verdict that is never a pass where nothing was shown."""

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from operator import ge, gt, le, lt
from typing import Literal

from trompe.core.check import check_level
from trompe.core.errors import BadInput

Outcome = Literal["passed", "failed", "undecided"]

METRICS = ("confident", "fooled", "open-trials", "looks", "above-natural", "worse-than-baseline")
"""Every metric that a condition can be about; see docs/metrics.md."""

READ = ("fooled", "open-trials")
"""Those that only readers can decide."""
_AT_LEVEL = ("confident", "looks", *READ)
_WRONG_BELOW = {"confident": False, "fooled": False, "open-trials": False, "looks": True, "above-natural": False}
"""Of a metric with a number: whether a low value is what is wrong; a condition the other way fails what is good."""
_NAMED = ("operating", "tpr95")
_FORM = re.compile(
    r"\s*(?P<metric>[a-z-]+)(@(?P<level>[a-z0-9.]+))?\s*((?P<op><=|>=|<|>)\s*(?P<number>[0-9.eE+-]+))?\s*"
)
_TRUE: dict[str, Callable[[float, float], bool]] = {"<": lt, "<=": le, ">": gt, ">=": ge}


@dataclass(frozen=True)
class Condition:
    """Something that must not be: ``METRIC OP NUMBER``, for example ``confident@0.99 > 0.2``.

    Attributes:
        text: As it was given.
        metric: One of `METRICS`.
        level: A confidence, or ``operating`` (the declared threshold), or ``tpr95`` (what 95 % of rightly named natural
            images reach); empty where the metric has none.
        op: ``<``, ``<=``, ``>`` or ``>=``; empty for ``worse-than-baseline``.
        number: To compare with.
    """

    text: str
    metric: str
    level: str
    op: str
    number: float


@dataclass(frozen=True)
class Measured:
    """The value of a metric, as far as it was measured.

    Attributes:
        least: It is at least this.
        most: It is at most this.
        words: For people.
    """

    least: float
    most: float
    words: str


@dataclass(frozen=True)
class Judged:
    """A condition and what came of it.

    Attributes:
        condition: As it was given.
        outcome: Failed where the condition is shown to hold, passed where it is shown not to, otherwise undecided.
        words: Why, in one line.
    """

    condition: str
    outcome: Outcome
    words: str


def parse_condition(text: str) -> Condition:
    """A condition from a text.

    Raises:
        BadInput: It is none, and the message lists what there is; or it would fail a target for being good.

    Example:
        >>> parse_condition("looks@operating < 500").level
        'operating'
    """
    found = _FORM.fullmatch(text)
    metric = found["metric"] if found else ""
    level, op, number = (found["level"] or "", found["op"] or "", found["number"] or "") if found else ("", "", "")
    plain = metric == "worse-than-baseline"
    fits = metric in METRICS and bool(level) == (metric in _AT_LEVEL) and bool(op) != plain
    try:
        value = float(number or "nan")
        if level and level not in _NAMED:
            check_level(float(level), "--fail-on")
    except ValueError as cause:
        if isinstance(cause, BadInput):
            raise
        fits = False
        value = math.nan
    if not fits or (op and not math.isfinite(value)):
        raise BadInput(
            expected="METRIC OP NUMBER of confident@L, fooled@L, open-trials@L, looks@L or above-natural, or "
            "worse-than-baseline alone",
            got=repr(text),
            where="--fail-on",
            do="For example --fail-on 'confident@0.99 > 0.2'; L is a confidence, operating or tpr95.",
        )
    condition = Condition(" ".join(text.split()), metric, level, op, value)
    _check_direction(condition)
    return condition


def _check_direction(one: Condition) -> None:
    if one.metric not in _WRONG_BELOW or _WRONG_BELOW[one.metric] == (one.op in ("<", "<=")):
        return
    meant = one.text.translate(str.maketrans("<>", "><"))
    few = "few looks are what is wrong" if _WRONG_BELOW[one.metric] else "a large share is what is wrong"
    raise BadInput(
        expected=f"what must not be: of {one.metric}, {few}",
        got=f"{one.text!r}, which fails a target for being good",
        where="--fail-on",
        do=f"Say {meant!r}.",
    )


def judge_condition(condition: Condition, measured: Measured | None, hidden: Sequence[str]) -> Judged:
    """What came of a condition.

    Args:
        condition: That must not hold.
        measured: The metric's value, as far as it is known; None where it was not measured.
        hidden: Why a failure may have gone unseen, in words; empty where the measurement can be trusted.

    Example:
        >>> condition = parse_condition("confident@0.99 > 0.2")
        >>> judge_condition(condition, Measured(0.5, 1.0, "5 of 10"), ["the control failed"]).outcome
        'failed'
        >>> judge_condition(condition, Measured(0.0, 0.0, "0 of 10"), ["the control failed"]).outcome
        'undecided'
    """
    if measured is None:
        return Judged(condition.text, "undecided", "; ".join(hidden) or "not measured")
    compare = _TRUE[condition.op or ">"]
    number = condition.number if condition.op else 0.0
    both = {compare(measured.least, number), compare(measured.most, number)}
    rising = condition.op not in ("<", "<=")
    shown = compare(measured.least if rising else measured.most, number)
    if shown:
        return Judged(condition.text, "failed", measured.words)
    if hidden:
        return Judged(condition.text, "undecided", f"{measured.words}; but {'; '.join(hidden)}")
    if len(both) > 1:
        return Judged(condition.text, "undecided", f"{measured.words}: not enough to decide")
    return Judged(condition.text, "passed", measured.words)


def verdict(judged: Sequence[Judged], *, unverified: bool) -> Outcome:
    """All conditions together: failed where one is, passed only where all are.

    Where nobody vouches for the preprocessing it is undecided, whatever came out.

    Raises:
        BadInput: There is no condition.
    """
    if not judged:
        raise BadInput(expected="at least one condition", got="none", where="--fail-on", do="Give one.")
    if unverified:
        return "undecided"
    outcomes = {one.outcome for one in judged}
    return "failed" if "failed" in outcomes else "undecided" if "undecided" in outcomes else "passed"
