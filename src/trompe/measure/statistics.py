"""How sure one can be of a share that was counted."""

import math
from dataclasses import dataclass
from statistics import NormalDist


@dataclass(frozen=True)
class Share:
    """So many of so many, with a Wilson interval: the shares that would not be surprised by this count.

    Attributes:
        count: How many.
        of: Of how many, at least 1.
        low: Lower end of the 95 % interval.
        high: Upper end.

    Example:
        >>> str(wilson(5, 5)), str(wilson(1, 1))
        ('5 of 5 (95 % interval 57 to 100 %)', '1 of 1')
    """

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        if self.of == 1:  # one run is a count, and no interval is claimed for it
            return f"{self.count} of 1"
        return f"{self.count} of {self.of} (95 % interval {100 * self.low:.0f} to {100 * self.high:.0f} %)"


def wilson(count: int, of: int, coverage: float = 0.95) -> Share:
    """The Wilson score interval of a share; never empty, never outside [0, 1], right at 0 and at 1.

    Args:
        count: Successes, 0 to ``of``.
        of: Trials, at least 1.
        coverage: Of the interval.

    Reference: Wilson 1927.
    """
    z = NormalDist().inv_cdf(0.5 + coverage / 2.0)
    share, weight = count / of, z * z / of
    middle = (share + weight / 2.0) / (1.0 + weight)
    half = z * math.sqrt(share * (1.0 - share) / of + weight / (4.0 * of)) / (1.0 + weight)
    low = 0.0 if count == 0 else middle - half
    high = 1.0 if count == of else middle + half
    return Share(count, of, low, high)
