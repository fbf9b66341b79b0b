"""Numbers as a person writes them, and how many there are of what."""

import math

_WRITTEN_OUT = 4.0
"""Powers of ten up to which, and down to which negative, a ratio is written in figures."""


def counted(n: int, what: str) -> str:
    """So many of something: of "pair of models" the pairs are counted.

    Example:
        >>> counted(1, "run"), counted(12, "pair of models"), counted(13, "family")
        ('1 run', '12 pairs of models', '13 families')
    """
    head, *rest = what.split(" of ", 1)
    many = f"{head.removesuffix('y')}ies" if head.endswith("y") else f"{head}s"
    return " of ".join([f"{n} {head if n == 1 else many}", *rest])


def times(exponent: float) -> str:
    """The ratio that a power of ten is.

    Example:
        >>> times(0.0), times(1.0), times(3.2), times(650.2), times(-1.0)
        ('1.0 times', '10 times', '1,585 times', '10^650 times', '0.1 times')
    """
    if abs(exponent) > _WRITTEN_OUT:
        return f"10^{exponent:.0f} times"
    ratio = 10.0**exponent
    if ratio < 1.0 and not math.isclose(ratio, 1.0):
        return f"{ratio:.2g} times"
    return f"{ratio:.1f} times" if ratio < 9.95 else f"{ratio:,.0f} times"


def share_of_all(exponent: float) -> str:
    """A share of everything there is, as the power of ten that it is.

    Example:
        >>> share_of_all(-20.0), share_of_all(-5.31)
        ('10^-20 of all', '10^-5.3 of all')
    """
    return f"10^{exponent:.{0 if abs(exponent) >= 10.0 else 1}f} of all"
