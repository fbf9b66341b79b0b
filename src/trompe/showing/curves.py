"""How hard it was: what the archive held against evaluations, as lines on a logarithmic axis."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from trompe.core.numerics import level_odds
from trompe.showing.evidence import Evidence
from trompe.showing.names import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Box, Place, dense, free_place
from trompe.showing.networks import read_own_card
from trompe.showing.words import say, say_count, say_level, tick_odds

_POINTS = 240
_PAPER_METHOD = "pixels-evolve"


@dataclass(frozen=True)
class Tick:
    """A mark on an axis."""

    at: float
    text: str


@dataclass(frozen=True)
class Line:
    """One search: its path, its name, where the name stands, its kind of stroke."""

    path: str
    name: str
    x: float
    y: float
    stroke: int


@dataclass(frozen=True)
class Mark:
    """A thin labelled line for a published result."""

    x: float
    text: str
    anchor: str
    at: float


@dataclass(frozen=True)
class Chart:
    """Lines over a logarithmic axis of evaluations, ready to be drawn."""

    title: str
    text: str
    columns: list[Tick]
    rows: list[Tick]
    lines: list[Line]
    marks: list[Mark]


@dataclass(frozen=True)
class _Series:
    name: str
    stroke: int
    points: list[tuple[float, float]]


def charts(evidence: Evidence) -> list[Chart]:
    """Median confidence, and classes confident, against evaluations; empty before the first step."""
    steps = {search.number: evidence.run.steps(search.number) for search in evidence.run.searches}
    classes = max(len(evidence.labels), 1)
    highest = max(evidence.run.about.levels)
    key = f"confident@{highest:g}"
    made = [
        _chart("Median confidence over classes", _series(evidence, steps, "median"), None, _marks(evidence, 40_000, (
            "paper: median 99.99 %", "by 200 generations (40,000 looks)"))),
        _chart(f"Classes confident at {say_level(highest)}", _series(evidence, steps, key), classes, _marks(
            evidence, 10_000, ("paper: every digit 99.99 %", "in under 50 generations (10,000 looks)"))),
    ]  # fmt: skip
    return [chart for chart in made if chart is not None]


def has_paper(evidence: Evidence) -> bool:
    """Whether the paper measured what this run did: pixels evolved against a network for MNIST."""
    card = read_own_card(evidence.own, evidence.run)
    methods = {search.method for search in evidence.run.searches}
    return card is not None and card.data == "mnist" and _PAPER_METHOD in methods


def _series(evidence: Evidence, steps: dict[int, list[dict[str, Any]]], key: str) -> list[_Series]:
    methods = list(dict.fromkeys(search.method for search in evidence.run.searches))
    return [
        _Series(search.method, methods.index(search.method),
                _thin([(step["evaluations"], step[key]) for step in steps[search.number] if key in step]))
        for search in evidence.run.searches if any(key in step for step in steps[search.number])
    ]  # fmt: skip


def _thin(points: list[tuple[float, float]]) -> list[tuple[float, float]]:
    """Of many points those that can be told apart on a logarithmic axis; the first and the last stay."""
    if len(points) <= _POINTS:
        return points
    low, high = math.log(points[0][0]), math.log(points[-1][0])
    kept: dict[int, tuple[float, float]] = {}
    for point in points:
        kept[int((math.log(point[0]) - low) / (high - low) * (_POINTS - 2))] = point
    return [points[0], *kept.values()]


def _marks(evidence: Evidence, looks: int, words: tuple[str, str]) -> tuple[int, tuple[str, str]] | None:
    return (looks, words) if has_paper(evidence) else None


def _chart(
    title: str, series: list[_Series], classes: int | None, mark: tuple[int, tuple[str, str]] | None
) -> Chart | None:
    if not series:
        return None
    looks = [x for one in series for x, _ in one.points] + ([mark[0]] if mark else [])
    low, high = math.log10(min(looks)), math.log10(max(looks))
    low, high = (low - 0.3, high + 0.3) if high - low < 0.3 else (low, high)
    across = Scale(low, high, LEFT, WIDTH - RIGHT)
    up, rows = _upwards(series, classes)
    lines = _drawn(series, across, up, stairs=classes is not None)
    marks = [] if mark is None else _mark(mark, across)
    last = "; ".join(f"{one.name} ends at {_say(one.points[-1][1], classes)} after {say_count(one.points[-1][0])} looks"
                     for one in series)  # fmt: skip
    return Chart(title, f"{title} against looks. {last}.", _columns(across), rows, lines, marks)


@dataclass(frozen=True)
class Scale:
    """From values to places on the paper."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        """Where a value stands, to a tenth."""
        return round(self.start + (self.end - self.start) * (value - self.low) / ((self.high - self.low) or 1.0), 1)


def _upwards(series: Sequence[_Series], classes: int | None) -> tuple[Scale, list[Tick]]:
    if classes is not None:
        scale = Scale(0, classes, HEIGHT - BOTTOM, TOP)
        step = max(1, round(classes / 5))
        return scale, [
            Tick(scale(value), say_count(value)) for value in [*range(0, classes - step // 2, step), classes]
        ]
    values = [y for one in series for _, y in one.points]
    low, high = min(values), max(*values, level_odds(0.9999))
    pad = 0.04 * ((high - low) or 1.0)
    scale = Scale(low - pad, high + pad, HEIGHT - BOTTOM, TOP)
    return scale, [Tick(scale(odds), text) for odds, text in tick_odds(low - pad, high + pad)]


def _columns(across: Scale) -> list[Tick]:
    found = [Tick(across(power), say_count(10**power))
             for power in range(math.ceil(across.low), math.floor(across.high) + 1)]  # fmt: skip
    halves = [Tick(across(math.log10(3 * 10**power)), say_count(3 * 10**power))
              for power in range(math.floor(across.low), math.ceil(across.high) + 1)
              if across.low <= math.log10(3 * 10**power) <= across.high]  # fmt: skip
    return sorted(found + halves, key=lambda tick: tick.at) if len(found) < 4 else found


def _drawn(series: list[_Series], across: Scale, up: Scale, *, stairs: bool) -> list[Line]:
    corners = [_corners([(across(math.log10(x)), up(y)) for x, y in one.points], stairs=stairs) for one in series]
    points = [dense(line) for line in corners]
    lines: list[Line] = []
    taken: list[Box] = []
    named: set[str] = set()
    for one, line in zip(series, corners, strict=True):
        path = "M" + "L".join(f"{x} {y}" for x, y in line)
        if one.name in named:  # a repeat: the same stroke, named once
            lines.append(Line(path, "", 0.0, 0.0, one.stroke % 5))
            continue
        named.add(one.name)
        others = [point for other, ink in zip(series, points, strict=True) if other.name != one.name for point in ink]
        box = free_place(line, 7.2 * len(one.name), others, taken)
        taken.append(box)
        lines.append(Line(path, one.name, round(box[0], 1), round(box[3] - 3, 1), one.stroke % 5))
    return lines


def _corners(points: list[Place], *, stairs: bool) -> list[Place]:
    """The corners of a line through points; of stairs where the value stays until the next point."""
    if not stairs:
        return points
    return [points[0], *(corner for (_, y), end in pairwise(points) for corner in ((end[0], y), end))]


def _mark(mark: tuple[int, tuple[str, str]], across: Scale) -> list[Mark]:
    looks, words = mark
    x = across(math.log10(looks))
    right = x > WIDTH / 2
    return [Mark(x, text, "end" if right else "start", x + (-5 if right else 5)) for text in words]


def _say(value: float, classes: int | None) -> str:
    return say(value) if classes is None else f"{value:.0f} of {classes}"
