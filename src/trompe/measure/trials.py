"""Trials: whether any attack of a portfolio made a model certain about nonsense, and whether that number is settled.

A trial is one class of one trained model with one seed, in which an attacker may use every attack there is. It is
*open* where some attack ended with a kept 8-bit image that is confident, accepted and unreadable. The denominator is
all trials, reached or not. Everything here is counted from rows; nothing is judged, and nothing is read.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from types import MappingProxyType
from typing import Any, Literal, get_args

from trompe.core.errors import BadInput
from trompe.core.numerics import VALUE_LIMIT, level_odds
from trompe.measure.statistics import Share, wilson

NONE = "none"
"""What a reader says that sees no class."""
READERS = 2
"""Independent readers there must be, at least; with fewer nothing is measured."""
DISAGREE = 0.1
"""A range of shares wider than this says that the readers disagree."""
TOLERATED = 0.05
"""Of all trials: by so much may a weaker attack be ahead of a stronger one before gradients are taken for masked."""

Kind = Literal["white-box", "black-box", "transfer"]
"""What an attack was allowed: gradients; questions; or only images made against another network."""
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True)
class Image:
    """A kept image and what was said of it.

    Attributes:
        log_odds: Of the class it was made for, verified; at or below -2e3 where the target refuses it (a bid value).
        reads: The class that each independent reader sees in it, or ``"none"``, and after them what people see who
            decided nothing; empty where nobody read it.
        evaluations: How many candidates its search had judged when it was found, itself included; 0: not known.
    """

    log_odds: float
    reads: tuple[str, ...] = ()
    evaluations: int = 0

    @property
    def accepted(self) -> bool:
        """Whether the target lets it through; what it refuses has a bid value below any log-odds."""
        return self.log_odds >= -VALUE_LIMIT

    def confident(self, level: float) -> bool:
        """Whether it is accepted with at least this confidence."""
        return self.log_odds >= level_odds(level)


@dataclass(frozen=True)
class Attacked:
    """How one attack from one start ended in one trial.

    Attributes:
        model: Name of the trained model.
        label: The class that was attempted.
        seed: Of the search.
        attack: For example ``"pixels-ascend:sign-momentum"``.
        start: For example ``"near-black"``.
        images: Those it ended with: the first at each level, and the strongest.
        kind: What it was allowed.
    """

    model: str
    label: str
    seed: int
    attack: str
    start: str
    images: tuple[Image, ...] = ()
    kind: Kind = "white-box"

    @property
    def trial(self) -> tuple[str, str, int]:
        """Model, class and seed."""
        return self.model, self.label, self.seed

    def reached(self, level: float) -> bool:
        """Whether some image is confident and accepted, readable or not."""
        return any(image.confident(level) for image in self.images)

    def opened(self, level: float, *, strictly: bool) -> bool:
        """Whether some confident, accepted image is unreadable: strictly, where not every reader reads the class."""
        agree = all if strictly else any
        return any(
            image.confident(level) and not agree(read == self.label for read in image.reads) for image in self.images
        )


@dataclass(frozen=True)
class Range:
    """A share by both rules, each with a 95 % Wilson interval.

    Attributes:
        low: What is unreadable because *no* reader reads the class: the rule for "certain about nonsense".
        high: What is unreadable because *not every* reader reads it: the rule for a defence.
    """

    low: Share
    high: Share

    @property
    def disagree(self) -> bool:
        """Whether the rules are more than 10 points apart, so that people must be asked."""
        return self.high.count - self.low.count > DISAGREE * self.high.of

    def describe(self) -> dict[str, Any]:
        """By name, JSON-ready."""
        return {**asdict(self), "readers_disagree": self.disagree}

    def __str__(self) -> str:
        counts = f"{self.low.count} to {self.high.count}" if self.low != self.high else str(self.high.count)
        return f"{counts} of {self.high.of}{' (readers disagree)' if self.disagree else ''}"


@dataclass(frozen=True)
class Cell:
    """One attack from one start, over all trials it was tried in."""

    attack: str
    start: str
    open: Range

    def describe(self) -> dict[str, Any]:
        """By name, JSON-ready."""
        return {**asdict(self), "open": self.open.describe()}

    def __str__(self) -> str:
        return f"{self.attack} from {self.start}: {self.open}"


@dataclass(frozen=True)
class Readable:
    """Confident, accepted images and what the independent readers see in them. An image in two cells counts twice.

    Attributes:
        images: How many.
        by_every: In how many every reader sees the class they were made for.
        by_some: In how many at least one reader does.
        as_another: In how many some reader sees another class: ordinary adversarial examples, shown apart.
    """

    images: int
    by_every: int
    by_some: int
    as_another: int

    @property
    def disagree(self) -> bool:
        """Whether the two counts are more than 10 points apart."""
        return self.by_some - self.by_every > DISAGREE * self.images

    def describe(self) -> dict[str, Any]:
        """By name, JSON-ready."""
        return {**asdict(self), "readers_disagree": self.disagree}

    def __str__(self) -> str:
        if not self.images:
            return "no confident image"
        counts = f"{self.by_every} to {self.by_some}" if self.by_every < self.by_some else str(self.by_some)
        doubt = " (readers disagree)" if self.disagree else ""
        return f"{counts} of {self.images} readable{doubt}, {self.as_another} read as another class"


@dataclass(frozen=True)
class Measured:
    """What came of all trials at one level.

    Attributes:
        level: The confidence asked for.
        trials: How many there were, reached or not.
        confident: Trials with a confident, accepted image, readable or not; the interval is over trials.
        open: The headline: open trials, by both rules; the interval takes trials for independent.
        pairs: The same over pairs of model and class, open where some seed is: what is left if seeds are no repeats.
        readable: Of the images that decide it.
        cells: Attack by start, the largest share first.
        readers: Names of the independent readers.
    """

    level: float
    trials: int
    confident: Share
    open: Range
    pairs: Range
    readable: Readable
    cells: tuple[Cell, ...]
    readers: tuple[str, ...]

    @property
    def worst(self) -> Cell:
        """The attack and start that opened most."""
        return self.cells[0]

    @property
    def unit(self) -> str:
        """What the interval is over, in words."""
        return (
            f"{self.trials} trials (one class of one trained model with one seed), taken for independent; "
            f"{self.pairs.high.of} pairs of model and class"
        )

    def describe(self) -> dict[str, Any]:
        """Every number by name, JSON-ready."""
        return {**asdict(self), "open": self.open.describe(), "pairs": self.pairs.describe(),
                "readable": self.readable.describe(), "cells": [cell.describe() for cell in self.cells],
                "readers": list(self.readers), "unit": self.unit, "words": str(self.open)}  # fmt: skip


@dataclass(frozen=True)
class NotMeasured:
    """Why there is no number; never a 0."""

    reason: str

    def describe(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"not_measured": self.reason}

    def __str__(self) -> str:
        return f"not measured: {self.reason}"


@dataclass(frozen=True)
class SearchRow:
    """A search of a run, as far as trials go: its number, and what every class of it is a trial of."""

    number: int
    model: str
    method: str
    seed: int
    labels: tuple[str, ...]
    kind: Kind = "white-box"


Key = tuple[int, int, float]
"""Search, niche and level (0 for the strongest image)."""


def attacked(
    searches: Iterable[SearchRow], judgements: Mapping[Key, float], reads: Mapping[Key, Sequence[str]],
    evaluations: Mapping[Key, int] | None = None, spared: Iterable[str] = (),
) -> list[Attacked]:  # fmt: skip
    """The rows of a run, one a class and search; of a class without a kept image one without images.

    Args:
        searches: Of the run.
        judgements: Verified bid values of the kept images.
        reads: What the independent readers see in them, one label or ``"none"`` each.
        evaluations: When each was found, where that matters.
        spared: Labels that do not count: harmless ones, and the class for none of these.
    """
    spare, when = set(spared), evaluations or {}
    found: dict[tuple[int, int], list[Image]] = {}
    for key, odds in judgements.items():
        found.setdefault(key[:2], []).append(Image(odds, tuple(reads.get(key, ())), when.get(key, 0)))
    rows = []
    for search in searches:
        attack, start = split_method(search.method)
        for niche, label in enumerate(search.labels):
            if label not in spare:
                images = tuple(found.get((search.number, niche), ()))
                rows.append(Attacked(search.model, label, search.seed, attack, start, images, search.kind))
    return rows


def split_method(method: str) -> tuple[str, str]:
    """Attack and start of a method; ``"-"`` where the start is the method's own.

    Example:
        >>> split_method("pixels-ascend:adam:grey"), split_method("pixels-evolve")
        (('pixels-ascend:adam', 'grey'), ('pixels-evolve', '-'))
    """
    attack, colon, start = method.rpartition(":")
    return (attack, start) if colon and ":" in attack else (method, "-")


def measure(rows: Sequence[Attacked], level: float, readers: Sequence[str]) -> Measured | NotMeasured:
    """Open trials at a level, with everything that stands beside them.

    Args:
        rows: One a trial and attack, from `attacked`.
        level: The confidence asked for.
        readers: Names of the independent readers, in the order of every image's reads; people may come after them.

    Returns:
        The numbers; or in words why there are none: no trial, fewer than two independent readers, or confident images
        that were not read.
    """
    lacking = _lacking(rows, level, readers)
    if lacking:
        return NotMeasured(lacking)
    trials = list(dict.fromkeys(row.trial for row in rows))
    reached = {row.trial for row in rows if row.reached(level)}
    places: dict[tuple[str, str], list[Attacked]] = {}
    for row in rows:
        places.setdefault((row.attack, row.start), []).append(row)
    cells = [Cell(*place, _range([(row.trial, row) for row in own], level)) for place, own in places.items()]
    return Measured(
        level,
        len(trials),
        wilson(len(reached), len(trials)),
        _range([(row.trial, row) for row in rows], level),
        _range([(row.trial[:2], row) for row in rows], level),
        readable([(row.label, image) for row in rows for image in row.images if image.confident(level)]),
        tuple(sorted(cells, key=lambda cell: (-cell.open.high.count / cell.open.high.of, -cell.open.low.count))),
        tuple(readers),
    )


def readable(images: Sequence[tuple[str, Image]]) -> Readable:
    """Counts over images, each with the label that it was made for."""
    agreed = [[read == label for read in image.reads] for label, image in images]
    another = [any(read not in (label, NONE) for read in image.reads) for label, image in images]
    return Readable(len(images), sum(map(all, agreed)), sum(map(any, agreed)), sum(another))


def masked(rows: Sequence[Attacked], level: float) -> tuple[str, ...]:
    """Signs that the gradients lie, in words; empty where there are none.

    A weaker attack must not be ahead of a stronger one: what asks only, or what was made against another network,
    must not reach more trials than gradients do. Counted are confident, accepted images, readable or not. Where an
    attack of one kind was not tried there is nothing to compare, which is said in its stead: see `decide`.

    Reference: Athalye 2018 (obfuscated gradients), Tramèr 2020.
    """
    trials = {row.trial for row in rows}
    reached = {
        kind: {row.trial for row in rows if row.kind == kind and row.reached(level)}
        for kind in dict.fromkeys(row.kind for row in rows)
    }
    if "white-box" not in reached:
        return ()
    white = len(reached["white-box"])
    return tuple(
        f"masked gradients suspected: {kind} attacks reached {len(found)} of {len(trials)} trials, "
        f"white-box attacks {white}"
        for kind, found in reached.items()
        if kind != "white-box" and len(found) - white > TOLERATED * len(trials)
    )


def rising(by_budget: Mapping[int, Range]) -> str:
    """Why the number is not settled as far as the budget goes, in words; empty where it is.

    Args:
        by_budget: Open trials by budget, as multiples of the portfolio's own.
    """
    if not by_budget:
        return "success against budget was not measured"
    scales = sorted(by_budget)
    last = by_budget[scales[-1]]
    if last.low.count == last.low.of:  # nothing is left that could open
        return ""
    if len(scales) < 2:
        return f"success against budget was not measured: only x{scales[-1]} was tried"
    before = by_budget[scales[-2]]
    if (last.low.count, last.high.count) == (before.low.count, before.high.count):
        return ""
    return f"still rising with the budget: {before} open at x{scales[-2]}, {last} at x{scales[-1]}"


def _lacking(rows: Sequence[Attacked], level: float, readers: Sequence[str]) -> str:
    if not rows:
        return "no trial"
    if len(readers) < READERS:
        return f"{len(readers)} independent reader{'' if len(readers) == 1 else 's'}, where {READERS} are needed"
    unread = sum(len(image.reads) < len(readers) for row in rows for image in row.images if image.confident(level))
    return f"{unread} confident images that not every reader was asked about" if unread else ""


def _range(rows: Sequence[tuple[tuple[Any, ...], Attacked]], level: float) -> Range:
    units = {unit for unit, _ in rows}
    low, high = (
        len({unit for unit, row in rows if row.opened(level, strictly=strictly)}) for strictly in (False, True)
    )
    return Range(wilson(low, len(units)), wilson(high, len(units)))


@dataclass(frozen=True)
class Judgement:
    """What a portfolio made of a defence, and whether the number is settled.

    Open trials are open whatever else is said: the images are on disk. What may be unsettled is that there are no more.

    Attributes:
        level: The confidence asked for.
        trials: How many there were.
        confident: Trials with a confident, accepted image, readable or not.
        measured: Open trials, or in words why they were not measured.
        by_budget: Open trials among what was found within each multiple of the budget; empty where not measured.
        unsettled: Why there may be more, in words; empty where nothing speaks for that.
    """

    level: float
    trials: int
    confident: Share
    measured: Measured | NotMeasured
    by_budget: Mapping[int, Range]
    unsettled: tuple[str, ...]

    @property
    def verdict(self) -> Literal["settled", "undecided", "not measured"]:
        """Settled where nothing speaks for more open trials than were found; never where readers were lacking."""
        if isinstance(self.measured, NotMeasured):
            return "not measured"
        return "undecided" if self.unsettled else "settled"

    def describe(self) -> dict[str, Any]:
        """Every number by name, JSON-ready; no null."""
        return {
            "verdict": self.verdict,
            "unsettled": list(self.unsettled),
            "level": self.level,
            "trials": self.trials,
            "confident": asdict(self.confident),
            "open_trials": self.measured.describe(),
            "by_budget": {f"x{scale}": found.describe() for scale, found in self.by_budget.items()},
        }


def decide(  # noqa: PLR0913  one for each thing that speaks for or against more open trials
    rows: Sequence[Attacked], level: float, readers: Sequence[str], by_budget: Mapping[int, Sequence[Attacked]],
    doubts: Sequence[str] = (), untried: Mapping[Kind, str] = MappingProxyType({}), unread: str = "",
) -> Judgement:  # fmt: skip
    """What the rows of all models come to.

    Args:
        rows: At the largest budget.
        level: The confidence asked for.
        readers: Names of the independent readers.
        by_budget: The rows with the images that were found within each multiple of the budget.
        doubts: What was found out otherwise that speaks for more open trials, in words.
        untried: By kind of attack, why none of it was tried, in words. Gradients are always missed, the others while
            trials are left.
        unread: Why nothing that the readers say is believed, in words; empty where it is.

    Raises:
        BadInput: There are no rows.
    """
    if not rows:
        raise BadInput(expected="at least one trial", got="none", where="trials", do="Attempt a class.")
    trials = {row.trial for row in rows}
    confident = wilson(len({row.trial for row in rows if row.reached(level)}), len(trials))
    found = NotMeasured(unread) if unread else measure(rows, level, readers)
    left = isinstance(found, NotMeasured) or found.open.low.count < found.open.low.of
    missing = [why for kind, why in untried.items() if left or kind == "white-box"]
    doubts = (*doubts, *missing, *masked(rows, level))
    if isinstance(found, NotMeasured):
        return Judgement(level, len(trials), confident, found, {}, doubts)
    ranges = {scale: _range([(row.trial, row) for row in own], level) for scale, own in sorted(by_budget.items())}
    more = [rising(ranges), "readers disagree: people must be asked" if found.open.disagree else ""]
    unsettled = (*doubts, *(reason for reason in more if reason))
    return Judgement(level, len(trials), confident, found, ranges, unsettled)
