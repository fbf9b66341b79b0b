"""How numbers are written on the page, and the words for what is missing."""

from collections.abc import Sequence

from trompe.core.numerics import level_odds, say_confidence
from trompe.run.about import NOT_MEASURED

_BELOW = 0.0005
_COUNTED = 7
"""From so many nines on an axis counts them: 99.99999 % is wider than it is clear."""
_NINES = (*range(1, 16), 18, 21, 24, 30, 36, 48, 60, 90, 120, 180, 240, 300)


def say(odds: float) -> str:
    """A confidence as a person writes it; small ones are not rounded to nothing.

    Example:
        >>> say(0.0), say(-20.0)
        ('50.0 %', 'below 0.1 %')
    """
    return "below 0.1 %" if odds < level_odds(_BELOW) else say_confidence(odds)


def say_level(level: float) -> str:
    """A confidence level in per cent.

    Example:
        >>> say_level(0.9999)
        '99.99 %'
    """
    return f"{100 * level:.10g} %"


def say_count(number: float) -> str:
    """A whole number with separators; halves, which medians have, keep theirs.

    Example:
        >>> say_count(12050), say_count(7.5)
        ('12,050', '7.5')
    """
    return f"{number:,.0f}" if float(number).is_integer() else f"{number:,.1f}"


def say_some(names: Sequence[str], most: int = 12) -> str:
    """Names in a row; of many the first few, and how many more there are.

    Example:
        >>> say_some(["a", "b"]), say_some(["a", "b", "c"], most=1)
        ('a, b', 'a and 2 more')
    """
    more = f" and {say_count(len(names) - most)} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more


def not_measured(reason: str = "") -> str:
    """The words for what was not measured, with why where that is known."""
    return f"{NOT_MEASURED}: {reason}" if reason else NOT_MEASURED


def tick_odds(low: float, high: float, most: int = 7) -> list[tuple[float, str]]:
    """Marks of a confidence axis between two log-odds, at most so many: where, and what stands there.

    Example:
        >>> [text for _, text in tick_odds(-5.0, 17.0, most=4)]
        ['1 %', '90 %', '99.99 %', '7 nines']
    """
    below = [(level_odds(10.0**-k), _per_cent(10.0**-k)) for k in range(6, 0, -1)]
    above = [(-level_odds(10.0**-k), _per_cent(1 - 10.0**-k) if k < _COUNTED else f"{k} nines") for k in _NINES]
    inside = [mark for mark in [*below, (0.0, "50 %"), *above] if low <= mark[0] <= high]
    step = -(-len(inside) // most) or 1
    return inside[::-1][::step][::-1]


def _per_cent(level: float) -> str:
    return f"{100 * level:.6f}".rstrip("0").rstrip(".") + " %"
