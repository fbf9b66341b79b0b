"""Where the name of a line stands in a chart: nearest to that line, on no other name, over as little ink as can be."""

import math
from itertools import pairwise

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 480, 300, 78, 14, 44, 40
"""The paper of a line chart and the margins around its plot, in the units of its view box."""

Place = tuple[float, float]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom."""
_ABOVE, _BELOW = 12.0, 3.0
_PEN, _CLEAR = 4.0, 6.0
_SHARES = (0.66, 0.85, 1.0, 0.75, 0.5, 0.33, 0.15, 0.0)
_ON_A_NAME, _OUTSIDE, _BY_ANOTHER = 10_000, 1_000, 100


def free_place(line: list[Place], width: float, others: list[Place], taken: list[Box]) -> Box:
    """The best box for a name of some width.

    Args:
        line: The corners of its line.
        width: Of the name.
        others: Points of the lines that have another name, close together.
        taken: Boxes of the names that stand already.
    """
    own = dense(line)
    boxes = []
    for share in _SHARES:
        x, y = line[max(0, round(share * (len(line) - 1)))]
        starts = ((x - width - 6, y - 6), (x + 7, y + 5), (x - width / 2, y - 9), (x + 7, y + 16), (x - width, y - 10))
        boxes += [(left, base - _ABOVE, left + width, base + _BELOW) for left, base in starts]
    return min(boxes, key=lambda box: _cost(box, own, others, taken))


def dense(line: list[Place]) -> list[Place]:
    """Points of a line at most a pen's reach apart."""
    points = line[:1]
    for (x, y), (u, v) in pairwise(line):
        steps = max(1, round((abs(u - x) + abs(v - y)) / _PEN))
        points += [(x + (u - x) * i / steps, y + (v - y) * i / steps) for i in range(1, steps + 1)]
    return points


def gap(box: Box, points: list[Place]) -> float:
    """How far a box stands from the nearest of some points; 0 where one is in it.

    Example:
        >>> gap((0, 0, 10, 5), [(13, 9), (50, 0)]), gap((0, 0, 10, 5), [(3, 3)])
        (5.0, 0.0)
    """
    left, top, right, bottom = box
    return min((math.hypot(max(left - x, 0, x - right), max(top - y, 0, y - bottom)) for x, y in points),
               default=math.inf)  # fmt: skip


def _cost(box: Box, own: list[Place], others: list[Place], taken: list[Box]) -> int:
    left, top, right, bottom = box
    covered = sum(left <= x <= right and top <= y <= bottom for x, y in own + others)
    names = sum(left < other[2] and other[0] < right and top < other[3] and other[1] < bottom for other in taken)
    outside = left < LEFT + 2 or right > WIDTH or top < TOP - 14 or bottom > HEIGHT - BOTTOM
    by_another = gap(box, others) <= gap(box, own) + _CLEAR
    return covered + _ON_A_NAME * names + _OUTSIDE * outside + _BY_ANOTHER * by_another
