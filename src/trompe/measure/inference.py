"""What a handful of runs allow to be said: intervals over runs, exact tests of signs, many verdicts on one page."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import accumulate
from statistics import fmean, stdev
from typing import TypeVar

_TINY = 1e-300
_STEPS = 200
_DOUBLINGS = 80
_DECIMALS = 12

Name = TypeVar("Name")


@dataclass(frozen=True)
class Interval:
    """A mean over units of replication with its 95 % interval.

    Attributes:
        middle: The mean.
        low: Lower end.
        high: Upper end.
        of: How many units.
    """

    middle: float
    low: float
    high: float
    of: int


def mean_interval(values: Sequence[float], coverage: float = 0.95) -> Interval:
    """Student's interval of the mean of independent, roughly normal values; without width where all are equal.

    Args:
        values: One a unit of replication, at least two, finite.
        coverage: Of the interval.

    Raises:
        ValueError: Fewer than two values: one run has no spread.

    Reference: Student 1908.

    Example:
        >>> found = mean_interval([1.0, 2.0, 3.0])
        >>> round(found.low, 3), found.middle, round(found.high, 3)
        (-0.484, 2.0, 4.484)
    """
    if len(values) < 2:
        raise ValueError(f"an interval needs at least two values; got {len(values)}")
    middle = fmean(values)
    half = student_quantile(0.5 + coverage / 2.0, len(values) - 1) * stdev(values) / math.sqrt(len(values))
    return Interval(middle, middle - half, middle + half, len(values))


@cache
def student_quantile(share: float, freedom: int) -> float:
    """The value that Student's t stays below with the given probability, by halving.

    Args:
        share: In (0, 1).
        freedom: Degrees of freedom, at least 1.
    """
    if share < 0.5:
        return -student_quantile(1.0 - share, freedom)
    low, high = 0.0, 1.0
    while _student_below(high, freedom) < share:
        high *= 2.0
    for _ in range(_DOUBLINGS):
        middle = 0.5 * (low + high)
        low, high = (middle, high) if _student_below(middle, freedom) < share else (low, middle)
    return 0.5 * (low + high)


def signed_rank(values: Sequence[float]) -> float:
    """Exact two-sided p-value that values are symmetric about 0 (Wilcoxon's signed ranks); 1 where all are 0.

    Zeros are left out; equal sizes (to twelve decimals: 0.9 - 0.7 is 0.8 - 0.6) share their mean rank, and the
    distribution is that of the ranks as they are, over all assignments of signs. It is never below `least_signed_rank`.

    Reference: Wilcoxon 1945.

    Example:
        >>> signed_rank([0.3, 0.4, 0.2, 0.7, 0.6]), signed_rank([1.0, -1.0])
        (0.0625, 1.0)
    """
    kept = [value for value in (round(value, _DECIMALS) for value in values) if value != 0.0]
    ranks = _double_ranks([abs(value) for value in kept])
    positive = sum(rank for rank, value in zip(ranks, kept, strict=True) if value > 0.0)
    ways = [1]
    for rank in ranks:
        longer = [*ways, *([0] * rank)]
        ways = [count + (longer[i - rank] if i >= rank else 0) for i, count in enumerate(longer)]
    below = list(accumulate(ways))
    least = min(below[positive], below[-1] - below[positive] + ways[positive])
    return min(1.0, 2.0 * least / below[-1])


def least_signed_rank(n: int) -> float:
    """The smallest p-value that `signed_rank` can give n values: that of all on one side. Six give less than 0.05.

    Example:
        >>> least_signed_rank(3), least_signed_rank(6)
        (0.25, 0.03125)
    """
    return min(1.0, math.ldexp(2.0, -n))


def holm(chances: Mapping[Name, float]) -> dict[Name, float]:
    """Each p-value as it counts among all of them: adjusted by Holm's steps, at most 1, in the order given.

    Reference: Holm 1979.

    Example:
        >>> holm({"a": 0.01, "b": 0.04, "c": 0.03})
        {'a': 0.03, 'b': 0.06, 'c': 0.06}
    """
    order = sorted(chances, key=lambda name: chances[name])
    steps = [chances[name] * (len(order) - i) for i, name in enumerate(order)]
    risen = dict(zip(order, accumulate(steps, max), strict=True))
    return {name: min(1.0, risen[name]) for name in chances}


def _double_ranks(sizes: Sequence[float]) -> list[int]:
    """Twice the mean rank of each, so that ties stay whole numbers."""
    return [sum(2 if other < size else other == size for other in sizes) + 1 for size in sizes]


def _student_below(value: float, freedom: int) -> float:
    """Probability that Student's t is below a value of at least 0."""
    rest = freedom / (freedom + value * value)
    return 1.0 - 0.5 * _incomplete_beta(rest, freedom / 2.0, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularised incomplete beta function, by its continued fraction where that converges fast.

    Reference: Press 2007, section 6.4 (Lentz's method).
    """
    if x <= 0.0 or x >= 1.0:
        return min(max(x, 0.0), 1.0)
    if x > (a + 1.0) / (a + b + 2.0):
        return 1.0 - _incomplete_beta(1.0 - x, b, a)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)) / a
    c, d = 1.0, 1.0 / _away(1.0 - (a + b) * x / (a + 1.0))
    fraction = d
    for m in range(1, _STEPS):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        for term in (even, odd):
            d, c = 1.0 / _away(1.0 + term * d), _away(1.0 + term / c)
            fraction *= d * c
        if abs(d * c - 1.0) < 1e-15:
            break
    return front * fraction


def _away(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
