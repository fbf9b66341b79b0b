"""Pictures of what was measured: values by unit beside the line that decides, curves, and tables of images."""

import base64
import io
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from statistics import median

from PIL import Image
from torch import Tensor

from trompe.experiments.nouns import Figure
from trompe.measure.inference import mean_interval

WIDTH = 720
_LEFT, _RIGHT, _TOP, _ROW, _BOTTOM = 200, 24, 30, 34, 34
_HEIGHT = 300
_BINS = 80
_LETTER = 8
"""Width of a letter, at most."""
_MARKS = 9
"""Numbers along a logarithmic axis from which on only the powers of ten are written."""
_SMALL = 64
"""Images of more pixels a side are shown as they are, smaller ones in whole blocks."""
_STROKES = ("", "6 3", "2 3", "9 3 2 3", "1 2")

Say = Callable[[float], str]


@dataclass(frozen=True)
class Strip:
    """One row of a strip plot: a name and its values, one a unit."""

    name: str
    values: tuple[float, ...]


@dataclass(frozen=True)
class Line:
    """One line of a chart: a name and its points; lines of one name share a stroke and are named once."""

    name: str
    points: Sequence[Sequence[float]]


def percent(value: float) -> str:
    """A share in whole percent.

    Example:
        >>> percent(0.25)
        '25 %'
    """
    return f"{100.0 * value:.0f} %"


def power(value: float) -> str:
    """What a logarithm to the base 10 is of, in whole numbers.

    Example:
        >>> power(3.0)
        '1,000'
    """
    return f"{10.0**value:,.0f}"


def strips(title: str, rows: Sequence[Strip], say: Say, line: tuple[float, str] | None = None) -> Figure:
    """Every value as a dot, their mean and its 95 % interval above it, and a line to hold them against.

    Args:
        title: What is shown.
        rows: One a group; empty ones are said to be not measured.
        say: A value in words, for the axis.
        line: Where the line stands, and its words.
    """
    values = [value for row in rows for value in row.values] + ([line[0]] if line else [])
    if not values:
        return Figure(title, "", f"{title}: not measured")
    if say is percent and len(set(values)) == 1 and 0.0 <= values[0] <= 1.0:
        values += [0.0, 1.0]  # alone, a share would stand in the middle of an axis that goes beyond what shares can be
    scale = _scale(values, _LEFT, WIDTH - _RIGHT)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    parts = [_ticks(scale, say, height - _BOTTOM)]
    if line:
        parts.append(_mark(scale(line[0]), line[1], height - _BOTTOM))
    for number, row in enumerate(rows):
        parts.append(_strip(row, scale, _TOP + _ROW * number + _ROW / 2))
    told = "; ".join(f"{row.name}: {_tell(row, say)}" for row in rows)
    return Figure(title, _svg(height, parts), f"{title}. {told}." + (f" Line: {line[1]}." if line else ""))


def curves(
    title: str, lines: Sequence[Line], say: Say, mark: tuple[float, float, str] | None = None, over: str = "evaluations"
) -> Figure:
    """Values against a number above 0, usually evaluations, on a logarithmic axis.

    Args:
        title: What is shown.
        lines: One a unit.
        say: A value in words, for the axis.
        mark: Evaluations and value that the paper claims, and the words for it.
        over: What the number is, in words.
    """
    points = [point for line in lines for point in line.points]
    if not points:
        return Figure(title, "", f"{title}: not measured")
    looks = [point[0] for point in points] + ([mark[0]] if mark else [])
    across = _scale([math.log10(number) for number in looks], 84, WIDTH - 120)
    up = _scale([point[1] for point in points] + ([mark[1]] if mark else []), _HEIGHT - 40, 20)
    parts = [_grid(across, up, say, over)]
    if mark:
        x, y = across(math.log10(mark[0])), up(mark[1])
        side = -1 if x > WIDTH / 2 else 1
        anchor = "end" if side < 0 else "start"
        parts += [
            f'<path class="mark" d="M{x} {_HEIGHT - 40}V20M84 {y}H{WIDTH - 120}"/>',
            f'<text class="said" x="{x + 6 * side}" y="16" text-anchor="{anchor}">{escape(mark[2])}</text>',
        ]
    parts += _paths(lines, across, up)
    ends = "; ".join(f"{line.name} ends at {say(line.points[-1][1])}" for line in lines)
    return Figure(title, _svg(_HEIGHT, parts), f"{title}, against {over}. {ends}.")


def scatter(title: str, points: Sequence[Sequence[float]], say: Say, across: str, band: tuple[int, int, str]) -> Figure:
    """A dot for each class on a plain axis, one band of classes marked.

    Args:
        title: What is shown.
        points: Class and value.
        say: A value in words, for the axis.
        across: Name of the plain axis.
        band: First class, the one after the last, and the words for it.
    """
    right = _scale([point[0] for point in points], 84, WIDTH - 24)
    up = _scale([point[1] for point in points], _HEIGHT - 40, 20)
    first, last = right(band[0]), right(band[1])
    parts = [
        f'<rect class="band" x="{first}" y="20" width="{last - first:.1f}" height="{_HEIGHT - 60}"/>',
        f'<text class="said" x="{last + 4}" y="14">{escape(band[2])}</text>', _rows(up, say, WIDTH - 24),
        *(f'<text x="{right(value)}" y="{_HEIGHT - 20}" text-anchor="middle">{value:g}</text>'
          for value in right.ticks()),
        f'<text class="said" x="{WIDTH - 24}" y="{_HEIGHT - 4}" text-anchor="end">{escape(across)}</text>',
        *(f'<circle cx="{right(x)}" cy="{up(y)}" r="1.6"/>' for x, y in points),
    ]  # fmt: skip
    inside = [y for x, y in points if band[0] <= x < band[1]]
    outside = [y for x, y in points if not band[0] <= x < band[1]]
    told = "; ".join(f"{name}: {say(median(values)) if values else 'not measured'} in the median"
                     for name, values in ((band[2], inside), ("others", outside)))  # fmt: skip
    return Figure(title, _svg(_HEIGHT, parts), f"{title}. {told}.")


def histograms(title: str, rows: Sequence[tuple[str, Sequence[float]]], unit: Say = "{:.1f}".format) -> Figure:
    """How values are spread, one row a group, all on one axis; every row is as high as its tallest bar.

    Args:
        title: What is shown.
        rows: Names and values.
        unit: A value in words, for the axis.
    """
    values = [value for _, row in rows for value in row]
    if not values:
        return Figure(title, "", f"{title}: not measured")
    scale = _scale(values, _LEFT, WIDTH - _RIGHT)
    height = _TOP + _ROW * len(rows) + _BOTTOM
    parts = [_ticks(scale, unit, height - _BOTTOM)]
    parts += [_bars(name, row, scale, _TOP + _ROW * (number + 1)) for number, (name, row) in enumerate(rows)]
    told = "; ".join(f"{name}: median {unit(sorted(row)[len(row) // 2])}" for name, row in rows if row)
    return Figure(title, _svg(height, parts), f"{title}. {told}.")


def images(title: str, columns: Sequence[str], rows: Sequence[tuple[str, Sequence[Tensor]]]) -> Figure:
    """A table of images: columns are classes, rows are runs.

    Args:
        title: What is shown.
        columns: Names.
        rows: A name and its images, bytes of shape (channels, height, width), one a column.
    """
    head = "".join(f'<th scope="col">{escape(name).replace(" %", "&nbsp;%")}</th>' for name in columns)
    body = "".join(
        f'<tr><th scope="row">{escape(name)}</th>' + "".join(_cell(image, f"{name}, {column}")
            for image, column in zip(shown, columns, strict=True)) + "</tr>"
        for name, shown in rows
    )  # fmt: skip
    large = any(image.shape[-1] > _SMALL for _, shown in rows for image in shown)
    kind = "images large" if large else "images"
    markup = f'<div class="wide"><table class="{kind}"><tr><td></td>{head}</tr>{body}</table></div>'
    return Figure(title, markup, f"{title}. Columns: {', '.join(columns)}. Rows: {', '.join(row[0] for row in rows)}.")


@dataclass(frozen=True)
class _Scale:
    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        return round(self.start + (self.end - self.start) * (value - self.low) / (self.high - self.low), 1)

    def ticks(self, most: int = 5) -> list[float]:
        step = 10.0 ** math.floor(math.log10((self.high - self.low) / most))
        step *= next(k for k in (1, 2, 5, 10) if (self.high - self.low) / (k * step) <= most)
        first = math.ceil(self.low / step)
        return [round(i * step, 10) for i in range(first, math.floor(self.high / step) + 1)]


def _scale(values: Sequence[float], start: float, end: float) -> _Scale:
    low, high = min(values), max(values)
    pad = 0.06 * (high - low) or 0.5 * (abs(high) or 1.0)
    return _Scale(low - pad, high + pad, start, end)


def _svg(height: float, parts: Sequence[str]) -> str:
    return f'<svg viewBox="0 0 {WIDTH} {height:g}" role="img" aria-hidden="true">{"".join(parts)}</svg>'


def _ticks(scale: _Scale, say: Say, bottom: float) -> str:
    return "".join(
        f'<path class="rule" d="M{scale(value)} {_TOP}V{bottom}"/>'
        f'<text x="{_inside(scale(value), words)}" y="{bottom + 18}" text-anchor="middle">{escape(words)}</text>'
        for value, words in ((value, say(value)) for value in scale.ticks())
    )


def _inside(x: float, words: str) -> float:
    """The middle of words under a place of the axis, moved to where the picture does not cut them off."""
    return round(min(x, WIDTH - _LETTER * len(words) / 2), 1)


def _mark(x: float, words: str, bottom: float) -> str:
    anchor = "end" if x > (WIDTH + _LEFT) / 2 else "start"
    return (
        f'<path class="mark" d="M{x} {_TOP - 8}V{bottom}"/>'
        f'<text class="said" x="{x}" y="{_TOP - 14}" text-anchor="{anchor}">{escape(words)}</text>'
    )


def _strip(row: Strip, scale: _Scale, y: float) -> str:
    name = f'<text x="{_LEFT - 12}" y="{y + 4}" text-anchor="end">{escape(row.name)}</text>'
    if not row.values:
        return f'{name}<text class="said" x="{_LEFT}" y="{y + 4}">not measured</text>'
    dots = "".join(f'<circle cx="{scale(value)}" cy="{y + 5}" r="4"/>' for value in row.values)
    if len(row.values) < 2:
        return name + dots
    found = mean_interval(row.values)
    low, high = (min(max(scale(end), _LEFT), WIDTH) for end in (found.low, found.high))
    return f'{name}{dots}<path class="span" d="M{low} {y - 7}H{high}M{scale(found.middle)} {y - 12}v10"/>'


def _bars(name: str, row: Sequence[float], scale: _Scale, floor: float) -> str:
    label = f'<text x="{_LEFT - 12}" y="{floor - 8}" text-anchor="end">{escape(name)}</text>'
    width = (scale.high - scale.low) / _BINS
    counts = [0] * _BINS
    for value in row:
        counts[min(_BINS - 1, int((value - scale.low) / width))] += 1
    tallest = max(counts) or 1
    bars = "".join(
        f'<path class="bar" d="M{scale(scale.low + i * width)} {floor}v{-(_ROW - 6) * count / tallest:.1f}'
        f'H{scale(scale.low + (i + 1) * width)}V{floor}z"/>'
        for i, count in enumerate(counts) if count
    )  # fmt: skip
    return label + bars


def _tell(row: Strip, say: Say) -> str:
    if len(row.values) < 2:
        return say(row.values[0]) if row.values else "not measured"
    found = mean_interval(row.values)
    return f"{say(found.middle)} ({say(found.low)} to {say(found.high)}), {found.of} values"


def _rows(up: _Scale, say: Say, right: float) -> str:
    return "".join(
        f'<path class="rule" d="M84 {up(value)}H{right}"/>'
        f'<text x="78" y="{up(value) + 4}" text-anchor="end">{escape(say(value))}</text>'
        for value in up.ticks()
    )


def _grid(across: _Scale, up: _Scale, say: Say, over: str) -> str:
    rows = _rows(up, say, WIDTH - 120)
    steps = (1, 3) if across.high - across.low > 2.0 else (1, 2, 5)
    powers = range(math.floor(across.low), math.ceil(across.high) + 1)
    marks = [
        k * 10.0**power for power in powers for k in steps if across.low <= math.log10(k * 10**power) <= across.high
    ]
    if len(marks) > _MARKS:
        marks = [value for value in marks if round(math.log10(value), 9).is_integer()]
    columns = "".join(
        f'<text x="{across(math.log10(value))}" y="{_HEIGHT - 20}" text-anchor="middle">'
        f"{value:{',.0f' if value >= 1.0 else 'g'}}</text>"
        for value in marks
    )
    return (
        f'{rows}{columns}<text class="said" x="{WIDTH - 120}" y="{_HEIGHT - 4}" text-anchor="end">{escape(over)}</text>'
    )


def _paths(lines: Sequence[Line], across: _Scale, up: _Scale) -> list[str]:
    names = list(dict.fromkeys(line.name for line in lines))
    drawn = []
    for line in lines:
        path = "L".join(f"{across(math.log10(x))} {up(y)}" for x, y in line.points)
        dash = _STROKES[names.index(line.name) % len(_STROKES)]
        drawn.append(f'<path class="line" stroke-dasharray="{dash}" d="M{path}"/>')
    ends = {name: sorted(line.points[-1][1] for line in lines if line.name == name) for name in names}
    last = -math.inf
    for name in sorted(names, key=lambda name: up(ends[name][len(ends[name]) // 2])):
        last = max(up(ends[name][len(ends[name]) // 2]) + 4, last + 15)  # names do not lie on each other
        drawn.append(f'<text x="{WIDTH - 114}" y="{last}">{escape(name)}</text>')
    return drawn


def _cell(image: Tensor, words: str) -> str:
    array = image.numpy()
    picture = Image.fromarray(array[0] if len(array) == 1 else array.transpose(1, 2, 0))
    held = io.BytesIO()
    picture.save(held, "PNG")
    source = base64.b64encode(held.getvalue()).decode()
    return f'<td><img src="data:image/png;base64,{source}" alt="{escape(words)}"></td>'
