"""Nothing passes that was not shown: gate, control, calibration, and what confirms a preprocessing."""

from typing import Any

import pytest

from trompe.core.errors import BadInput
from trompe.measure.gate import Judged, Measured, judge_condition, parse_condition, verdict
from trompe.measure.metrics import Answer, calibration_error, usual_log_odds
from trompe.measure.statistics import wilson
from trompe.run.trust import doubted, first_line, passed, questions
from trompe.targets import Preprocessing
from trompe.verbs.inspect import Trial, confirms, contradicts

SOME = parse_condition("confident@0.99 > 0.2")
NONE_FOUND = Measured(0.0, 0.0, "0 of 10")


def test_a_gate_never_passes_what_something_hides() -> None:
    assert judge_condition(SOME, NONE_FOUND, ()).outcome == "passed"
    hidden = judge_condition(SOME, NONE_FOUND, ("finding rounded",))
    assert hidden.outcome == "undecided"
    assert hidden.words == "0 of 10; but finding rounded"
    assert judge_condition(SOME, Measured(0.5, 0.5, "5 of 10"), ("finding rounded",)).outcome == "failed"
    assert judge_condition(SOME, None, ()).outcome == "undecided"


@pytest.mark.parametrize(
    ("text", "least", "most", "outcome"),
    [
        ("confident@0.99 > 0.2", 0.2, 0.2, "passed"),
        ("confident@0.99 >= 0.2", 0.2, 0.2, "failed"),
        ("looks@0.99 < 500", 500, 500, "passed"),
        ("looks@0.99 <= 500", 500, 500, "failed"),
        ("looks@0.99 < 500", 101, float("inf"), "undecided"),
        ("looks@0.99 < 100", 101, float("inf"), "passed"),
        ("worse-than-baseline", 1, 1, "failed"),
        ("worse-than-baseline", 0, 0, "passed"),
        ("worse-than-baseline", float("-inf"), float("inf"), "undecided"),
    ],
)
def test_a_condition_is_exact_at_its_number(text: str, least: float, most: float, outcome: str) -> None:
    assert judge_condition(parse_condition(text), Measured(least, most, "so"), ()).outcome == outcome


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("confident@0.99 < 0.2", "confident@0.99 > 0.2"),
        ("confident@operating <= 0", "confident@operating >= 0"),
        ("looks@0.99 > 500", "looks@0.99 < 500"),
        ("looks@tpr95 >= 5", "looks@tpr95 <= 5"),
        ("above-natural < 1", "above-natural > 1"),
    ],
)
def test_a_condition_that_fails_what_is_good_is_refused(text: str, meant: str) -> None:
    with pytest.raises(BadInput, match="for being good") as refused:
        parse_condition(text)
    assert f"Say '{meant}'" in str(refused.value)
    assert parse_condition(meant).text == meant


def test_unverified_is_undecided_whatever_came_out() -> None:
    for outcome in ("passed", "failed", "undecided"):
        judged = [Judged("c", outcome, "w")]
        assert verdict(judged, unverified=True) == "undecided"
        assert verdict(judged, unverified=False) == outcome
    with pytest.raises(BadInput, match="at least one condition"):
        verdict([], unverified=True)


def test_one_undecided_condition_keeps_all_from_passing() -> None:
    judged = [Judged("a", "passed", ""), Judged("b", "undecided", "")]
    assert verdict(judged, unverified=False) == "undecided"
    assert verdict([*judged, Judged("c", "failed", "")], unverified=False) == "failed"


@pytest.mark.parametrize(("reached", "well"), [((0, 0), False), ((8, 0), False), ((0, 9), True), ((10, 0), True)])
def test_a_control_has_passed_where_some_method_reaches_nine_of_ten(reached: tuple[int, int], well: bool) -> None:
    assert passed([{"reached": k, "attempted": 10} for k in reached]) is well


def test_without_a_control_none_has_passed() -> None:
    assert not passed([])


def test_calibration_is_measured_bin_by_bin() -> None:
    """Too sure here and not sure enough there do not make up for each other."""
    assert calibration_error([Answer(0, 0, -2.0), Answer(1, 0, 2.0)]) == pytest.approx(0.8807970779778823)


def test_the_median_natural_image_is_usual_and_not_the_least_sure() -> None:
    assert usual_log_odds([Answer(0, 0, odds) for odds in (1.0, 5.0, 7.0)]) == 5.0
    assert usual_log_odds([Answer(0, 0, 1.0), Answer(0, 0, 2.0)]) == 1.5


def _trial(name: str, each: list[float], right: int = 50) -> Trial:
    return Trial(name, Preprocessing(), wilson(right, len(each)), sum(each) / len(each), each)


def test_a_preprocessing_is_not_confirmed_where_another_is_clearly_likelier() -> None:
    own = _trial("as it stands", [-0.5 - 0.01 * (i % 5) for i in range(50)])
    better = _trial("0..255", [odds + 0.3 for odds in own.each])
    level = _trial("-1..1", [odds + (0.3 if i % 2 else -0.3) for i, odds in enumerate(own.each)])
    assert confirms([own], 10)
    assert confirms([level, own], 10)
    assert not confirms([better, own], 10)
    assert not confirms([own, level, better], 10)


def _named(name: str, right: int, typical: float = 5.0, of: int = 50) -> Trial:
    rows = [i < right for i in range(of)]
    return Trial(name, Preprocessing(), wilson(right, of), -0.5, [-0.5] * of, rows, typical)


@pytest.mark.parametrize(
    ("own", "other", "speaks"),
    [
        (_named("as it stands", 40), _named("0..255", 50), True),  # ten more, of ten that differ: over 3 sqrt(10)
        (_named("as it stands", 42), _named("0..255", 50), False),  # eight more: within 3 sqrt(8)
        (_named("as it stands", 50), _named("0..255", 40), False),
        (_named("as it stands", 3), _named("0..255", 3), True),  # no better than chance of ten classes
        (_named("as it stands", 3, of=20), _named("0..255", 3, of=20), False),  # too few to say so
        (_named("as it stands", 45, 41.0), _named("0..255", 45), True),  # surer than any network is
        (_named("as it stands", 45, 41.0), _named("0..255", 45, 41.0), False),
        (_named("as it stands", 45, 41.0), _named("0..255", 30), False),
        (_named("as it stands", 45, 39.0), _named("0..255", 45), False),
    ],
)
def test_labelled_images_contradict_a_declared_preprocessing(own: Trial, other: Trial, speaks: bool) -> None:
    assert contradicts([own, other], 10) is contradicts([other, own], 10) is speaks


@pytest.mark.parametrize(
    ("target", "doubtful"),
    [({}, True), ({"preprocessing": "declared"}, False), ({"preprocessing": "confirmed"}, False)],
)
def test_what_is_not_said_to_be_verified_is_not(target: dict[str, Any], doubtful: bool) -> None:
    assert doubted(target) is doubtful
    assert ("UNVERIFIED" in first_line({"name": "n", **target})) is doubtful


def test_of_two_classes_the_question_is_asked_until_it_is_answered() -> None:
    two = {"labels": ["defect", "OK"]}
    assert "'OK'" in questions(two)[0]
    assert questions({**two, "harmless": ["OK"]}) == questions({**two, "abstain": "OK"}) == []
    assert questions({"labels": ["a", "b", "c"]}) == []
