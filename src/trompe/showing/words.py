"""How numbers are written on the page, and the words for what is missing."""

import math

from trompe.core.numerics import level_odds, say_confidence
from trompe.run.about import NOT_MEASURED

_BELOW = 0.0005


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


def not_measured(reason: str = "") -> str:
    """The words for what was not measured, with why where that is known."""
    return f"{NOT_MEASURED}: {reason}" if reason else NOT_MEASURED


def tick_odds(low: float, high: float) -> list[tuple[float, str]]:
    """Marks of a confidence axis between two log-odds: where, and what stands there; at most seven."""
    levels = [10.0**-k for k in range(12, 0, -1)]
    marks = [(level_odds(level), f"{100 * level:.10f}".rstrip("0").rstrip(".") + " %") for level in levels]
    marks.append((0.0, "50 %"))
    marks += [(-odds, f"{100 - 100 * level:.10f}".rstrip("0").rstrip(".") + " %")
              for level, (odds, _) in reversed(list(zip(levels, marks, strict=False)))]  # fmt: skip
    marks += [(math.log(10) * k, f"all but 1e-{k}") for k in (16, 24, 32, 48, 64, 96, 128, 192, 256, 320)]
    inside = [mark for mark in marks if low <= mark[0] <= high]
    step = -(-len(inside) // 7) or 1
    return inside[::-1][::step][::-1]
