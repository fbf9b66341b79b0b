"""Real and grown images on one axis of confidence, and what that says."""

from collections import Counter
from dataclasses import dataclass
from statistics import median

from trompe.core.numerics import level_odds
from trompe.measure.metrics import accuracy, calibration_error
from trompe.showing.curves import Scale, Tick
from trompe.showing.evidence import Evidence
from trompe.showing.words import not_measured, say, say_count, tick_odds

WIDTH, LEFT, RIGHT, ROW = 480, 14, 14, 74
_BIN = 5.0
_WORDS = 70.0
"""Room that the words of a tick need, also where a narrow screen enlarges them."""


@dataclass(frozen=True)
class Dot:
    """One image."""

    x: float
    y: float


@dataclass(frozen=True)
class Row:
    """A kind of image: its name, its dots, where its median is."""

    name: str
    shape: str
    dots: list[Dot]
    middle: float
    middle_says: str
    y: float


@dataclass(frozen=True)
class Spread:
    """The chart: rows over one axis."""

    rows: list[Row]
    columns: list[Tick]
    height: int
    text: str


@dataclass(frozen=True)
class Calibration:
    """How often the target is right about real images beside how sure it is of them, in words.

    Attributes:
        source: Where the images come from.
        right: So many of so many, with an interval.
        error: The expected calibration error.
        median: Confidence of the median image that is named rightly and accepted.
    """

    source: str
    right: str
    error: str
    median: str


def spread(evidence: Evidence) -> Spread | None:
    """Real images the network is right about, those it errs about, the strongest grown ones; None without any."""
    kinds: list[tuple[str, str, list[float]]] = []
    told = evidence.told
    kinds.append(("real, named rightly", "circle", [one.log_odds for one in told if one.right]))
    kinds.append(("real, named wrongly", "cross", [one.log_odds for one in told if one.true >= 0 and not one.right]))
    kinds.append(("real, of a class not told", "circle", [one.log_odds for one in told if one.true < 0]))
    for method in dict.fromkeys(search.method for search in evidence.run.searches):
        best = [r.strongest.log_odds for r in evidence.counted if r.method == method and r.strongest]
        kinds.append((f"{method}, strongest of each class", "square", best))
    kinds = [kind for kind in kinds if kind[2]]
    if not kinds:
        return None
    values = [odds for _, _, found in kinds for odds in found]
    low, high = min(*values, 0.0), max(*values, level_odds(0.9999))
    pad = 0.05 * (high - low)
    scale = Scale(low - pad, high + pad, LEFT, WIDTH - RIGHT)
    rows = [_row(kind, scale, number) for number, kind in enumerate(kinds)]
    ticks = _apart([Tick(scale(odds), text) for odds, text in tick_odds(scale.low, scale.high, most=6)])
    said = "; ".join(
        f"{len(kind[2])} {kind[0]}: median {row.middle_says}" for kind, row in zip(kinds, rows, strict=True)
    )
    return Spread(rows, ticks, ROW * len(rows) + 34, f"Confidence of images on one axis. {said}.")


def calibration(evidence: Evidence) -> Calibration | None:
    """Accuracy, calibration error and usual confidence on the real images; None without any."""
    told = evidence.told
    if not told:
        return None
    source = evidence.run.measured.get("natural", {}).get("source", "samples that come with the target")
    share, error, usual = accuracy(told), calibration_error(told), evidence.natural_median()
    unknown = not_measured("their classes are not told")
    return Calibration(
        f"{say_count(len(told))} real images ({source})",
        unknown if share is None else str(share),
        unknown if error is None else f"{100 * error:.1f} %",
        not_measured() if usual is None else say(usual),
    )


def _apart(ticks: list[Tick]) -> list[Tick]:
    """The ticks whose words do not run into those on their right; nines are not evenly counted."""
    kept: list[Tick] = []
    for tick in reversed(ticks):
        if not kept or kept[-1].at - tick.at >= _WORDS:
            kept.append(tick)
    return kept[::-1]


def _row(kind: tuple[str, str, list[float]], scale: Scale, number: int) -> Row:
    name, shape, values = kind
    y = ROW * number + 52.0
    stacked: Counter[int] = Counter()
    dots = []
    for odds in sorted(values):
        x = scale(odds)
        place = int(x // _BIN)
        dots.append(Dot(x, y - min(4.0 * stacked[place], 26.0)))
        stacked[place] += 1
    unique = list(dict.fromkeys(dots))
    middle = median(values)
    return Row(f"{name} ({say_count(len(values))})", shape, unique, scale(middle), say(middle), y)
