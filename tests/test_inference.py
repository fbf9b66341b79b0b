"""Intervals and exact tests, against scipy, brute force and by hand."""

import math
from itertools import product
from statistics import fmean

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from trompe.core.seeds import Stream
from trompe.measure.inference import holm, mean_interval, signed_rank, student_quantile

WHOLE = st.lists(st.integers(-5, 5), max_size=8)


@pytest.mark.parametrize("freedom", [1, 2, 3, 9, 30, 400])
@pytest.mark.parametrize("share", [0.5, 0.51, 0.9, 0.975, 0.9995, 0.1])
def test_quantiles_are_those_of_scipy(share, freedom):
    assert student_quantile(share, freedom) == pytest.approx(stats.t.ppf(share, freedom), rel=1e-9, abs=1e-9)


def test_an_interval_by_hand_and_where_there_is_none():
    found = mean_interval([2.0, 4.0, 6.0, 8.0])
    half = 3.182446305284263 * math.sqrt(20.0 / 3.0) / 2.0
    assert (found.middle, found.of) == (5.0, 4)
    assert (found.low, found.high) == (pytest.approx(5.0 - half), pytest.approx(5.0 + half))
    assert mean_interval([3.0, 3.0]).low == mean_interval([3.0, 3.0]).high == 3.0
    with pytest.raises(ValueError, match="at least two values; got 1"):
        mean_interval([3.0])


def test_the_interval_holds_the_mean_as_often_as_it_says():
    """Of 4,000 samples of five normal numbers: 95 %, within three standard errors."""
    uniform = Stream(0, "coverage", 0).uniform(4000, 5)
    normal = math.sqrt(2.0) * (2.0 * uniform - 1.0).erfinv()
    found = [mean_interval(row) for row in normal.tolist()]
    hits = fmean(one.low <= 0.0 <= one.high for one in found)
    assert abs(hits - 0.95) < 3.0 * math.sqrt(0.95 * 0.05 / 4000)


def brute(values):
    kept = [value for value in values if value]
    ranks = stats.rankdata([abs(value) for value in kept]) if kept else []
    sums = [sum(r for r, up in zip(ranks, ups, strict=True) if up) for ups in product((0, 1), repeat=len(kept))]
    own = sum(r for r, value in zip(ranks, kept, strict=True) if value > 0)
    tails = sum(one <= own for one in sums), sum(one >= own for one in sums)
    return min(1.0, 2.0 * min(tails) / len(sums))


@given(WHOLE)
def test_signed_ranks_are_those_of_all_assignments_of_signs(values):
    assert signed_rank(values) == brute(values)


def test_signed_ranks_are_those_of_scipy_where_there_are_no_ties():
    values = [0.11, 0.52, -0.23, 0.74, 1.3, 2.0, -0.9, 0.06, 1.1, 3.0, 0.4]
    assert signed_rank(values) == pytest.approx(stats.wilcoxon(values).pvalue, rel=1e-12)


def test_equal_differences_of_shares_are_equal():
    """Though 0.9 - 0.7 and 0.8 - 0.6 are not, in binary."""
    shares = [0.9 - 0.7, -(0.8 - 0.6), 0.5 - 0.3, 0.4 - 0.2, 0.3 - 0.1, 0.7 - 0.5, 0.3 - 0.1 - 0.2]
    assert signed_rank(shares) == signed_rank([2, -2, 2, 2, 2, 2, 0]) == 0.21875


@given(WHOLE)
def test_signed_ranks_do_not_care_which_way_is_up(values):
    assert signed_rank(values) == signed_rank([-value for value in values])


@pytest.mark.parametrize("n", [1, 5, 6, 10])
def test_the_smallest_chance_of_so_many_units(n):
    assert signed_rank([1.0 + i for i in range(n)]) == min(1.0, 2.0 / 2**n)


def test_holm_by_hand():
    assert holm({}) == {}
    assert holm({"a": 0.5, "b": 0.7}) == {"a": 1.0, "b": 1.0}
    found = holm({"a": 0.02, "b": 0.01, "c": 0.04, "d": 0.013})
    assert found == pytest.approx({"a": 0.04, "b": 0.04, "c": 0.04, "d": 0.04})
    assert holm({"a": 0.01, "b": 0.2, "c": 0.03}) == pytest.approx({"a": 0.03, "b": 0.2, "c": 0.06})


@given(st.lists(st.floats(0.0, 1.0), max_size=6))
def test_holm_is_never_kinder_than_alone_nor_stricter_than_bonferroni(chances):
    found = holm(dict(enumerate(chances)))
    for i, chance in enumerate(chances):
        assert chance <= found[i] <= min(1.0, chance * len(chances))
