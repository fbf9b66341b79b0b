"""The numbers that decide, against 60-digit arithmetic and by their laws."""

import math
import re

import mpmath
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trompe.core.numerics import (
    REJECTED,
    VALUE_LIMIT,
    _softmax_log_odds,
    bid_value,
    class_log_odds,
    confidence,
    from_levels,
    level_odds,
    log_odds,
    quantise,
    say_confidence,
    to_levels,
)
from trompe.core.seeds import Stream
from trompe.core.types import Outputs

EPSILON = 2.0**-52


def exact_log_odds(row: list[float]) -> list[mpmath.mpf]:
    """ln(e^z_c / sum of the other e^z_j), every term a 60-digit number, straight from the definition."""
    with mpmath.workdps(60):
        terms = [mpmath.exp(mpmath.mpf(z)) if z > -math.inf else mpmath.mpf(0) for z in row]
        odds = []
        for own, term in enumerate(terms):
            others = mpmath.fsum(terms[:own] + terms[own + 1 :])
            odds.append(mpmath.log(term / others) if term and others else mpmath.inf if term else -mpmath.inf)
        return odds


def agree(row: list[float]) -> None:
    """float64 log-odds of a row are the exact ones, up to rounding of the logits' own size."""
    found = log_odds(torch.tensor([row], dtype=torch.float64))[0].tolist()
    size = max((abs(z) for z in row if math.isfinite(z)), default=0.0)
    for value, exact in zip(found, exact_log_odds(row), strict=True):
        if mpmath.isinf(exact):
            assert value == float(exact)
        else:
            assert abs(value - exact) <= 8 * EPSILON * (1 + size + abs(float(exact)))


@pytest.mark.parametrize("margin", [0.0, 1e-12, 1e-6, 1.0, 17.0, 37.0, 700.0])
@pytest.mark.parametrize("classes", [2, 10, 1000])
def test_log_odds_are_exact_at_every_margin(margin, classes):
    """Catches any form that passes through a probability (1 - p cancels from a margin of 17 or 37 on)."""
    for peak in (0, classes - 1) if classes < 1000 else (617,):
        rest = (4.0 * Stream(0, "numerics/rest", peak).uniform(classes) - 8.0).tolist()
        rest[peak] = max(z for place, z in enumerate(rest) if place != peak) + margin
        agree(rest)


@pytest.mark.parametrize("others", [1e-12, 1e-9, 1e-3])
def test_log_odds_of_a_class_that_the_others_almost_equal(others):
    """Catches `total minus own`, which loses the others where the class itself is most of the total."""
    agree([0.0, math.log(others), math.log(others) - 1.0, -745.0])


@pytest.mark.parametrize("classes", [2, 3, 7, 1000])
def test_all_tied_log_odds_are_those_of_chance(classes):
    """Catches a tie in which the top class is masked twice or not at all."""
    odds = log_odds(torch.full((2, classes), 3.5))
    assert torch.allclose(odds, torch.tensor(-math.log(classes - 1), dtype=torch.float64), rtol=0, atol=1e-14)


def test_a_tie_for_the_top_gives_both_the_same_odds():
    """Catches an answer that depends on which of two equal logits stands first."""
    odds = log_odds(torch.tensor([[5.0, 1.0, 5.0]], dtype=torch.float64))[0]
    assert odds[0] == odds[2]
    agree([5.0, 1.0, 5.0])


def test_log_probabilities_of_zero_give_infinities_and_never_nan():
    """Catches -inf - -inf; a class of probability 0 has log-odds -inf, the only possible one +inf."""
    infinity = math.inf
    assert log_odds(torch.tensor([[0.0, -infinity, -infinity]])).tolist() == [[infinity, -infinity, -infinity]]
    assert log_odds(torch.tensor([[0.0, -infinity]])).tolist() == [[infinity, -infinity]]
    agree([math.log(0.5), math.log(0.5), -infinity])
    agree([-infinity, math.log(0.25), math.log(0.75)])


def test_float32_logits_are_widened_before_anything_is_computed():
    """Catches float32 arithmetic: exact log-odds of these float32 numbers need more than 24 bits."""
    row = torch.tensor([12.3456789, -3.1415927, 0.33333334])
    found = log_odds(row.unsqueeze(0))
    assert found.dtype == torch.float64
    for value, exact in zip(found[0].tolist(), exact_log_odds(row.tolist()), strict=True):
        assert abs(value - exact) < 1e-13


def test_an_independent_link_leaves_the_logits_alone():
    """Catches a softmax where one sigmoid a class was meant."""
    logits = torch.tensor([[3.0, 4.0, -1.0]])
    assert log_odds(logits, "independent").tolist() == [[3.0, 4.0, -1.0]]


def test_rows_do_not_see_each_other():
    """Catches a sum or a maximum over the wrong axis."""
    logits = 20.0 * Stream(0, "numerics/rows", 0).uniform(7, 7) - 10.0
    together = log_odds(logits)
    for row in range(7):
        assert torch.equal(together[row], log_odds(logits[row : row + 1])[0])


def test_gradients_are_finite_and_right_where_probabilities_saturate():
    """Catches a form whose gradient is NaN or 0 at a margin of 100: own slope 1, the others' -softmax."""
    logits = torch.tensor([[100.0, 0.0, math.log(3.0)]], dtype=torch.float64, requires_grad=True)
    log_odds(logits)[0, 0].backward()
    assert torch.allclose(logits.grad, torch.tensor([[1.0, -0.25, -0.75]], dtype=torch.float64), atol=1e-12)


@pytest.mark.parametrize("link", ["softmax", "independent"])
def test_the_odds_of_one_class_a_row_are_those_of_all_classes(link):
    """Catches a column of another row, and a class counted against itself."""
    logits = 60.0 * Stream(0, "numerics/one", 0).uniform(50, 7) - 30.0
    classes = Stream(1, "numerics/one", 0).integers(50, 7)
    wanted = log_odds(logits, link)[torch.arange(50), classes]
    assert torch.allclose(class_log_odds(logits, classes, link), wanted, rtol=0.0, atol=1e-12)


@pytest.mark.parametrize("margin", [0.0, 17.0, 700.0, 800.0, 1e5])
def test_the_odds_of_one_class_can_be_climbed_at_any_margin(margin):
    """Catches a gradient that is NaN or 0 where a probability, or its sum in float64, underflows."""
    for own, slope in ((0, [1.0, -0.5, -0.5]), (1, None)):
        logits = torch.tensor([[margin, 0.0, 0.0]], dtype=torch.float64, requires_grad=True)
        class_log_odds(logits, torch.tensor([own])).sum().backward()
        assert bool(logits.grad.isfinite().all())
        assert logits.grad[0, own] == 1.0
        assert slope is None or logits.grad[0].tolist() == pytest.approx(slope, abs=1e-12)


numbers = st.floats(-300.0, 300.0)
rows = st.lists(numbers, min_size=2, max_size=12)


@given(rows)
def test_log_odds_of_any_row_are_exact(row):
    agree(row)


@given(rows, st.floats(-1e4, 1e4))
def test_adding_a_number_to_all_logits_changes_nothing(row, shift):
    """Catches a formula that is no function of differences."""
    logits = torch.tensor([row], dtype=torch.float64)
    assert torch.allclose(log_odds(logits), log_odds(logits + shift), rtol=0.0, atol=16 * EPSILON * (1e4 + 600))


@given(rows, st.randoms(use_true_random=False))
def test_the_order_of_the_classes_does_not_matter(row, random):
    """Catches a running sum that misses or repeats an end."""
    order = list(range(len(row)))
    random.shuffle(order)
    logits = torch.tensor([row], dtype=torch.float64)
    assert torch.allclose(log_odds(logits)[:, order], log_odds(logits[:, order]), rtol=0.0, atol=1e-11)


@given(rows, st.floats(1e-3, 10.0))
def test_raising_a_logit_raises_its_own_odds_and_lowers_all_others(row, more):
    """Catches a flipped sign."""
    logits = torch.tensor([row], dtype=torch.float64)
    raised = logits.clone()
    raised[0, -1] += more
    difference = (log_odds(raised) - log_odds(logits))[0]
    assert abs(difference[-1] - more) < 1e-10
    assert bool((difference[:-1] <= 1e-10).all())


def test_confidence_of_log_odds_at_both_ends_and_between():
    """Catches float32 (1.0 from 17 on) and an overflow at either end."""
    odds = torch.tensor([-math.inf, -800.0, -40.0, 0.0, 20.0, 36.0, 800.0, math.inf])
    found = confidence(odds)
    assert found.dtype == torch.float64
    exact = [0.0, 0.0, math.exp(-40.0), 0.5, 1 / (1 + math.exp(-20.0)), 1 / (1 + math.exp(-36.0)), 1.0, 1.0]
    assert found.tolist() == pytest.approx(exact, rel=1e-15)
    assert found[5] < 1.0


@pytest.mark.parametrize("level", [1e-9, 0.1, 0.5, 0.9, 0.99, 0.9999, 1 - 1e-12])
def test_level_odds_are_the_inverse_of_confidence(level):
    with mpmath.workdps(60):
        exact = mpmath.log(mpmath.mpf(level) / (1 - mpmath.mpf(level)))
    assert abs(level_odds(level) - exact) <= 4 * EPSILON * (1 + abs(exact))
    assert confidence(torch.tensor(level_odds(level), dtype=torch.float64)).item() == pytest.approx(level, rel=1e-12)


@given(st.floats(-1e4, 1e4) | st.sampled_from([math.inf, -math.inf, 0.0, 33.0, 36.0437, 700.0, 1000.0]))
def test_a_confidence_in_words_never_promises_more_than_there_is(odds):
    """Catches rounding up: neither 100 % nor more nines than the number has, and not far fewer."""
    words = say_confidence(odds)
    assert not re.search(r"\b100(\.0*)? %", words)
    with mpmath.workdps(60):
        doubt = 1 / (1 + mpmath.exp(mpmath.mpf(min(odds, 690.0))))
        if words.startswith("all but "):
            said = mpmath.mpf(words.removeprefix("all but "))
            assert (1 - 1e-8) * doubt <= said <= 10 * doubt or odds > 690
            return
        percent, _, decimals = words.removesuffix(" %").partition(".")
        gap = 1 - mpmath.mpf(f"{percent}.{decimals}") / 100 - doubt  # how much more doubt is admitted than there is
    one = 10.0 ** (-2 - len(decimals))
    assert abs(gap) <= 1.0001 * one
    if doubt < 0.005:
        assert gap >= -1e-8 * doubt
        assert decimals[-1] != "0"


@pytest.mark.parametrize(
    ("level", "words"),
    [
        pytest.param(0.001, "0.1 %"),
        pytest.param(0.5, "50.0 %"),
        pytest.param(0.994, "99.4 %"),
        pytest.param(0.999, "99.9 %"),
        pytest.param(0.9999, "99.99 %"),
        pytest.param(0.99994, "99.994 %"),
        pytest.param(0.99996, "99.996 %"),
        pytest.param(0.999997, "99.9997 %"),
        pytest.param(0.9999999, "99.99999 %"),
    ],
)
def test_a_confidence_in_words(level, words):
    assert say_confidence(level_odds(level)) == words


def test_a_confidence_in_words_at_impossible_and_at_huge_odds():
    assert say_confidence(-math.inf) == "0.0 %"
    assert say_confidence(1000.0).startswith("all but 1e-30")
    assert say_confidence(math.inf).startswith("all but 1e-30")


def test_the_value_of_an_accepted_candidate_is_its_clipped_log_odds():
    logits = torch.tensor([[2000.0, 0.0], [5.0, 0.0]])
    assert bid_value(Outputs(logits)).tolist() == [[VALUE_LIMIT, -VALUE_LIMIT], [5.0, -5.0]]
    accepted = bid_value(Outputs(logits, slack=torch.zeros(2, 2)))
    assert torch.equal(accepted, bid_value(Outputs(logits)))  # exactly at the threshold is accepted


def test_the_value_of_a_rejected_candidate_falls_with_its_distance_from_the_threshold():
    """Catches a hard gate: the rejected must have a slope to climb."""
    slack = torch.tensor([[-0.5, -0.5], [-2.0, 3.0]])
    values = bid_value(Outputs(torch.tensor([[9.0, 0.0], [9.0, 0.0]]), slack))
    assert values.tolist() == [[REJECTED - 50.0, REJECTED - 50.0], [REJECTED - 200.0, -9.0]]


@given(rows, rows, st.floats(-1e3, -1e-9), st.floats(0.0, 1e3))
def test_any_accepted_candidate_beats_any_rejected_one(good, bad, below, above):
    """Catches the sign of REJECTED, a weight that overlaps, and anything that is not finite."""
    n = min(len(good), len(bad))
    logits = torch.tensor([good[:n], bad[:n]], dtype=torch.float64)
    slack = torch.tensor([[above] * n, [below] * n], dtype=torch.float64)
    value = bid_value(Outputs(logits, slack))
    assert bool(value.isfinite().all())
    assert value[0].min() > value[1].max()


@pytest.mark.parametrize("row", [[math.inf * -1, 0.0], [0.0, -math.inf], [1e30, -1e30], [3.0e38, -3.0e38]])
def test_values_are_finite_on_saturated_logits(row):
    assert bool(bid_value(Outputs(torch.tensor([row]))).isfinite().all())


def test_every_level_survives_the_way_to_an_image_and_back():
    """Catches truncation: 255 * (k / 255) is just below k for some k in float32."""
    levels = torch.arange(256, dtype=torch.uint8).reshape(1, 1, 16, 16)
    images = from_levels(levels)
    assert torch.equal(to_levels(images), levels)
    assert torch.equal(quantise(images), images)
    assert images.dtype == torch.float32
    assert torch.equal(images.flatten(), torch.tensor([k / 255 for k in range(256)], dtype=torch.float32))


def test_the_levels_of_an_image_are_the_nearest_ones():
    """Catches `(x * 255).astype(uint8)`."""
    offsets = torch.tensor([-0.49, -0.2, 0.0, 0.2, 0.49])
    exact = torch.arange(256.0).reshape(-1, 1) + offsets
    images = (exact / 255.0).reshape(1, 1, 256, 5)
    wanted = torch.arange(256).reshape(-1, 1).expand(256, 5)
    assert torch.equal(to_levels(images)[0, 0].long(), wanted)


def test_values_outside_the_range_become_black_and_white():
    """Catches a byte that wraps around: -0.01 would become 253."""
    images = torch.tensor([-0.01, -5.0, 1.004, 7.0]).reshape(1, 1, 2, 2)
    assert to_levels(images).flatten().tolist() == [0, 0, 255, 255]
    assert quantise(images).flatten().tolist() == [0.0, 0.0, 1.0, 1.0]


@given(st.lists(st.floats(-0.5, 1.5, width=32), min_size=1, max_size=40))
def test_quantising_is_idempotent_and_moves_nothing_by_more_than_half_a_level(values):
    images = torch.tensor(values, dtype=torch.float32).reshape(1, 1, 1, -1)
    once = quantise(images)
    assert torch.equal(once, quantise(once))
    assert float((once - images.clamp(0, 1)).abs().max()) <= 0.5 / 255 + 1e-7


@pytest.mark.parametrize(("n", "classes"), [(200, 1000), (133, 1001), (70, 1000)])
@pytest.mark.parametrize("spread", [4.0, 300.0])
def test_log_odds_of_many_are_those_of_each_part(n, classes, spread):
    """Catches rows that are lost or doubled where many are taken in parts; the bits are those of all at once."""
    logits = (spread * (Stream(0, "test/parts", n).uniform(n, classes) - 0.5)).to(torch.float32)
    assert torch.equal(log_odds(logits), _softmax_log_odds(logits.to(torch.float64)))
