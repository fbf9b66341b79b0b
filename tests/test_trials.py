"""Open trials against counts by hand, both rules, and every reason for which there is no number."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trompe.core.numerics import REJECTED, level_odds
from trompe.measure.trials import (
    Attacked,
    Image,
    Measured,
    NotMeasured,
    SearchRow,
    attacked,
    decide,
    masked,
    measure,
    readable,
    rising,
    split_method,
)

L = 0.99
SURE, UNSURE = level_odds(0.999), level_odds(0.9)
TWO = ("density", "neighbours")


def row(label="3", seed=0, attack="a", start="s", images=(), model="m", kind="white-box"):
    return Attacked(model, label, seed, attack, start, tuple(images), kind)


def seen(*reads, odds=SURE):
    return Image(odds, reads)


def test_every_rule_of_an_open_trial_by_hand():
    rows = [
        row("0", images=[seen("none", "none")]),  # open by both rules
        row("1", images=[seen("1", "none")]),  # open only strictly: one reader reads it
        row("2", images=[seen("2", "2")]),  # readable
        row("3", images=[seen("none", "none", odds=UNSURE)]),  # not confident
        row("4", images=[seen("none", "none", odds=REJECTED - 1.0)]),  # refused
        row("5"),  # never reached, and still a trial
        row("6", images=[seen("8", "8")]),  # read as another class is not read
    ]
    found = measure(rows, L, TWO)
    assert isinstance(found, Measured)
    assert (found.open.low.count, found.open.high.count, found.open.high.of) == (2, 3, 7)
    assert (found.confident.count, found.trials) == (4, 7)
    assert (found.readable.images, found.readable.by_every, found.readable.by_some) == (4, 1, 2)
    assert found.readable.as_another == 1
    assert found.open.disagree  # 14 points apart
    assert str(found.open) == "2 to 3 of 7 (readers disagree)"


def test_one_open_image_of_one_attack_opens_the_trial():
    images = [seen("3", "3"), seen("none", "none"), seen("3", "3")]
    rows = [row(attack="a"), row(attack="b", images=images), row(attack="c", images=[seen("3", "3")])]
    found = measure(rows, L, TWO)
    assert str(found.open) == "1 of 1"
    assert (found.worst.attack, found.worst.open.high.count) == ("b", 1)
    assert [cell.open.high.count for cell in found.cells] == [1, 0, 0]


def test_a_cell_cannot_be_above_the_headline_nor_the_headline_below_its_largest_cell():
    rows = [row(str(c), attack=a, images=[seen("none", "none")] if (c + i) % 3 == 0 else [])
            for c in range(6) for i, a in enumerate("xy")]  # fmt: skip
    found = measure(rows, L, TWO)
    assert found.worst.open.high.count == 2
    assert found.open.high.count == 4  # the two attacks open different trials


def test_seeds_are_repeats_over_trials_and_none_over_pairs():
    rows = [row(str(c), seed, images=[seen("none", "none")] if c == seed == 0 else []) for c in range(2)
            for seed in range(3)]  # fmt: skip
    found = measure(rows, L, TWO)
    assert (found.open.high.count, found.open.high.of) == (1, 6)
    assert (found.pairs.high.count, found.pairs.high.of) == (1, 2)
    assert "6 trials" in found.unit
    assert "2 pairs" in found.unit


@pytest.mark.parametrize("readers", [(), ("density",)])
def test_fewer_than_two_readers_measure_nothing_and_never_a_zero(readers):
    found = measure([row(images=[seen(*("none" for _ in readers))])], L, readers)
    assert isinstance(found, NotMeasured)
    assert "where 2 are needed" in str(found)
    assert list(found.describe()) == ["not_measured"]


def test_a_confident_image_that_was_not_read_measures_nothing():
    assert "1 confident images" in str(measure([row(images=[Image(SURE)])], L, TWO))
    assert isinstance(measure([row(images=[Image(UNSURE)])], L, TWO), Measured)  # nobody needs to read that one


def test_no_rows_measure_nothing():
    assert isinstance(measure([], L, TWO), NotMeasured)


def test_a_reader_that_always_says_yes_moves_the_lower_end_only():
    honest = [row(str(c), images=[seen("none", "none")]) for c in range(10)]
    fooled = [row(str(c), images=[seen("none", str(c))]) for c in range(10)]
    assert measure(honest, L, TWO).open.low.count == 10
    found = measure(fooled, L, TWO)
    assert (found.open.low.count, found.open.high.count, found.open.disagree) == (0, 10, True)


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.sampled_from("ab"),
                          st.sampled_from([("0", "none"), ("none", "none"), ("0", "0"), ("1", "1")]),
                          st.sampled_from([SURE, UNSURE, REJECTED - 5.0])), min_size=1, max_size=30))  # fmt: skip
def test_against_sets(drawn):
    rows = [
        row("0", seed, attack, images=[Image(odds, reads)], model=f"m{m}") for m, seed, attack, reads, odds in drawn
    ]
    found = measure(rows, L, TWO)
    trials = {(m, seed) for m, seed, *_ in drawn}
    strict = {(m, seed) for m, seed, _, reads, odds in drawn if odds == SURE and reads != ("0", "0")}
    lenient = {(m, seed) for m, seed, _, reads, odds in drawn if odds == SURE and "0" not in reads}
    assert (found.open.low.count, found.open.high.count, found.trials) == (len(lenient), len(strict), len(trials))
    assert found.open.low.count <= found.open.high.count <= found.confident.count
    assert found.worst.open.high.count <= found.open.high.count


def test_rows_of_a_run():
    searches = [
        SearchRow(0, "m", "pixels-ascend:adam:grey", 4, ("a", "b")),
        SearchRow(1, "m", "pixels-evolve", 4, ("b",)),
    ]
    judgements = {(0, 0, 0.0): 5.0, (0, 0, 0.99): 4.7, (1, 0, 0.0): -2050.0}
    rows = attacked(searches, judgements, {(0, 0, 0.99): ["none", "b"]}, {(0, 0, 0.0): 9}, spared=())
    assert [(r.attack, r.start, r.label, r.seed, len(r.images)) for r in rows] == [
        ("pixels-ascend:adam", "grey", "a", 4, 2), ("pixels-ascend:adam", "grey", "b", 4, 0),
        ("pixels-evolve", "-", "b", 4, 1),
    ]  # fmt: skip
    assert rows[0].images == (Image(5.0, (), 9), Image(4.7, ("none", "b"), 0))
    assert not rows[2].images[0].accepted
    assert [r.label for r in attacked(searches, judgements, {}, spared=("b",))] == ["a"]


def test_a_method_with_a_preset_but_no_start_keeps_its_name():
    assert split_method("cppn-ascend:adam") == ("cppn-ascend:adam", "-")


def test_black_box_ahead_of_white_box_is_suspect():
    reached = [seen("none", "none")]
    rows = [row(str(c), attack="ascend", images=reached if c < 2 else []) for c in range(10)]
    rows += [row(str(c), attack="squares", images=reached if c < 7 else [], kind="black-box") for c in range(10)]
    (said,) = masked(rows, L)
    assert said == "masked gradients suspected: black-box attacks reached 7 of 10 trials, white-box attacks 2"
    assert masked([r for r in rows if r.kind == "white-box"], L) == ()


def test_transfer_ahead_of_white_box_is_suspect_and_readability_does_not_matter():
    rows = [row(str(c), images=[]) for c in range(10)]
    rows += [row(str(c), attack="t", images=[seen(str(c), str(c))], kind="transfer") for c in range(10)]
    assert "transfer attacks reached 10 of 10" in masked(rows, L)[0]


def test_one_trial_in_twenty_is_no_suspicion_and_one_in_ten_is():
    def behind(trials):
        rows = [row(str(c), images=[seen("none", "none")] if c else []) for c in range(trials)]
        return masked([*rows, *(row(str(c), attack="q", images=[seen("none", "none")], kind="black-box")
                                for c in range(trials))], L)  # fmt: skip

    assert behind(20) == ()
    assert len(behind(10)) == 1


def test_a_share_that_rises_with_the_budget_is_not_settled():
    def opened(count):
        return measure(
            [row(str(c), images=[seen("none", "none")] if c < count else []) for c in range(10)], L, TWO
        ).open

    assert rising({1: opened(2), 3: opened(3), 10: opened(3)}) == ""
    assert "still rising with the budget: 3 of 10 open at x3, 4 of 10 at x10" in rising(
        {1: opened(3), 3: opened(3), 10: opened(4)}
    )
    assert "only x1" in rising({1: opened(0)})
    assert rising({1: opened(10)}) == ""  # nothing is left to open
    assert "not measured" in rising({})


def test_a_kind_that_was_not_tried_is_a_reason_while_trials_are_left():
    def judged(count, **more):
        rows = [row(str(c), images=[seen("none", "none")] if c < count else []) for c in range(4)]
        return decide(rows, L, TWO, {1: rows, 3: rows}, untried={"transfer": "no transfer", **more})

    assert (judged(3).unsettled, judged(3).verdict) == (("no transfer",), "undecided")
    assert (judged(4).unsettled, judged(4).verdict) == ((), "settled")
    assert judged(4, **{"white-box": "no gradients"}).unsettled == ("no gradients",)


def test_readers_that_are_not_believed_measure_nothing():
    rows = [row(images=[seen("none", "none")])]
    found = decide(rows, L, TWO, {1: rows, 3: rows}, unread="they read nothing")
    assert (str(found.measured), found.verdict) == ("not measured: they read nothing", "not measured")
    assert found.by_budget == {}


def test_counts_of_images():
    found = readable([("1", seen("1", "1")), ("1", seen("1", "7")), ("1", seen("none", "none"))])
    assert (found.images, found.by_every, found.by_some, found.as_another, found.disagree) == (3, 1, 2, 1, True)
    assert str(found) == "1 to 2 of 3 readable (readers disagree), 1 read as another class"
    assert found.describe()["readers_disagree"] is True
    assert "disagree" not in str(readable([("1", seen("1", "1"))]))
    assert str(readable([])) == "no confident image"
