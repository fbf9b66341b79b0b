"""Fleiss' kappa: against the textbook's table, against counting pairs of people, and where it must be 1."""

from fractions import Fraction
from itertools import combinations

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from trompe.measure.agreement import fleiss

# Fourteen raters put ten subjects into five categories; worked by hand in many textbooks: P = 0.378, Pe = 0.213.
TEXTBOOK = [
    [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
    [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
]  # fmt: skip

answers = st.lists(st.lists(st.sampled_from("abc"), min_size=3, max_size=3), min_size=1, max_size=6)


def counts(images: list[list[str]]) -> list[list[int]]:
    return [[given.count(answer) for answer in "abc"] for given in images]


def by_pairs(images: list[list[str]]) -> tuple[Fraction, Fraction]:
    """Observed and expected agreement, by looking at every pair of people and every pair of answers."""
    pairs = [[a == b for a, b in combinations(given, 2)] for given in images]
    observed = sum(Fraction(sum(same), len(same)) for same in pairs) / len(pairs)
    drawn = [answer for given in images for answer in given]
    return observed, Fraction(sum(a == b for a in drawn for b in drawn), len(drawn) ** 2)


def test_the_textbook_example():
    found = fleiss(TEXTBOOK)
    assert (round(found.observed, 3), round(found.expected, 3)) == (0.378, 0.213)
    assert round(found.kappa, 3) == 0.210
    assert found.images == 10


@given(answers)
def test_it_is_what_counting_pairs_gives(images):
    observed, expected = by_pairs(images)
    found = fleiss(counts(images))
    assert found.observed == pytest.approx(float(observed), abs=1e-12)
    assert found.expected == pytest.approx(float(expected), abs=1e-12)
    if expected == 1:
        assert found.kappa is None
    else:
        assert found.kappa == pytest.approx(float((observed - expected) / (1 - expected)), abs=1e-9)


@given(st.lists(st.sampled_from("abc"), min_size=2, max_size=8), st.integers(2, 9))
def test_full_agreement_is_1(seen, raters):
    assume(len(set(seen)) > 1)
    assert fleiss(counts([[answer] * raters for answer in seen])).kappa == pytest.approx(1.0, abs=1e-12)


def test_one_answer_to_everything_says_nothing_beyond_chance():
    assert fleiss([[0, 3], [0, 3], [0, 3]]).kappa is None
    assert fleiss([[0, 3], [0, 3], [0, 3]]).observed == 1.0


def test_images_that_one_person_answered_say_nothing():
    assert fleiss([[1, 0], [0, 1], [0, 0]]) is None
    assert fleiss([[2, 0], [0, 2], [1, 0]]) == fleiss([[2, 0], [0, 2]])


def test_unequal_numbers_weigh_images_alike():
    found = fleiss([[4, 0], [1, 1]])
    assert found.observed == 0.5
    assert found.expected == 0.75**2 + 0.25**2
