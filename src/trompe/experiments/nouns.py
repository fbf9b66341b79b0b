"""The nouns of a reproduction: what is claimed, what is measured, what is said of it."""

import hashlib
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from trompe.core.numerics import probability, say_confidence
from trompe.experiments.wording import counted, share_of_all, times
from trompe.measure.inference import Interval

Kind = Literal["existence", "direction", "magnitude", "shape"]
Scale = Literal["log-odds", "share", "number", "seconds", "range", "times", "of all"]
"""``range``: a share of a pixel's range. ``times`` and ``of all`` are powers of ten: of a ratio, of a share of all
images."""
Size = Literal["quick", "default", "full"]
Outcome = Literal[
    "reproduces", "does not reproduce", "holds", "does not hold", "holds on a stand-in", "does not hold on a stand-in",
    "undecided", "cannot be run here",
]  # fmt: skip
"""``holds`` and ``does not hold`` are for what the paper does not claim: nothing is there to be reproduced."""


def say_odds(odds: float) -> str:
    """A confidence as a person writes it, small ones too: where there are a thousand classes nearly all are small.

    Example:
        >>> say_odds(0.0), say_odds(-6.5), say_odds(-9.0)
        ('50.0 %', '0.15 %', '0.012 %')
    """
    share = probability(odds)
    return f"{100.0 * share:.2g} %" if 0.0 < share < 0.01 else say_confidence(odds)


@dataclass(frozen=True)
class Prediction:
    """What was expected of a claim before it was tested here.

    Attributes:
        text: What was expected, and why.
        date: When that was written down, as year-month-day.
        seen: Whether a pilot or a paper had shown it by then: what has been seen is no longer predicted.
    """

    text: str
    date: str
    seen: bool


@dataclass(frozen=True)
class Claim:
    """One sentence that data can agree or disagree with, fixed before they are there.

    Attributes:
        name: Short, unique within its experiment.
        text: The sentence.
        kind: ``existence``: some value reaches ``low``. ``direction``: the mean difference lies above ``low`` (0).
            ``magnitude``: the mean lies between ``low`` and ``high``; where these are one number, that lies inside our
            interval. ``shape``: as magnitude, of a statistic that the paper does not name.
        unit: What is replicated: the run, or the trained model; never the class or the image.
        theirs: What the paper says, in words; empty where the claim is not the paper's.
        where: The place in the paper, its supplement or its code.
        low: Lower end of what counts as agreement.
        high: Upper end.
        scale: What the values are.
        stand_in: What stands in for what the paper used; empty where nothing does.
        prediction: That it would hold, where that was written down; None where the paper says so itself.
    """

    name: str
    text: str
    kind: Kind
    unit: str
    theirs: str = ""
    where: str = ""
    low: float = -math.inf
    high: float = math.inf
    scale: Scale = "number"
    stand_in: str = ""
    prediction: Prediction | None = None

    def says(self, value: float) -> str:
        """A value on the claim's scale as a person writes it.

        Example:
            >>> Claim("a", "", "shape", "run", scale="share").says(0.25)
            '25.0 %'
            >>> Claim("a", "", "shape", "run", scale="times").says(100.0)
            '10^100 times'
        """
        if self.scale == "times":
            return times(value)
        if self.scale == "of all":
            return share_of_all(value)
        if self.scale == "log-odds" and self.kind != "direction":
            return say_odds(value)
        return {
            "share": f"{round(100.0 * value, 1) + 0.0:.1f} %",  # no minus before a nought
            "seconds": f"{value:,.0f} s" if value >= 10.0 else f"{value:.2g} s",
            "log-odds": f"{value:+.2f} log-odds",
            "range": f"{value:.2f} of a pixel's range",
        }.get(self.scale, f"{value:.3g}")

    @property
    def line(self) -> str:
        """What counts as agreement, in words."""
        if math.isinf(self.high):
            return f"{'above' if self.kind == 'direction' else 'at least'} {self.says(self.low)}"
        if math.isinf(self.low):
            return f"at most {self.says(self.high)}"
        same = self.low == self.high
        return self.says(self.low) if same else f"{self.says(self.low)} to {self.says(self.high)}"


@dataclass(frozen=True)
class Measured:
    """What an experiment found about one claim.

    Attributes:
        values: One a unit of replication, finite.
        population: What the verdict is about, for example ``"on 5 LeNets and MNIST"``.
        short: In words, how the budget is below the paper's; empty where it is not.
        missing: In words, why the claim cannot be run here; empty where it can.
        planned: Whether the budget that `short` is about is the one planned here, as the paper's is not known.
    """

    values: tuple[float, ...]
    population: str
    short: str = ""
    missing: str = ""
    planned: bool = False


@dataclass(frozen=True)
class Verdict:
    """What is said of a claim, computed from data alone.

    Attributes:
        claim: What was claimed.
        outcome: One of `Outcome`.
        reason: Why, in words.
        population: What it is about.
        values: One a unit of replication.
        interval: Of their mean; None where there is none.
        chance: p-value of its line, two-sided; None where the claim has none.
        adjusted: The same among all verdicts of a page; None before they are brought together.
    """

    claim: Claim
    outcome: Outcome
    reason: str
    population: str
    values: tuple[float, ...]
    interval: Interval | None = None
    chance: float | None = None
    adjusted: float | None = None

    def __str__(self) -> str:
        return f"{self.outcome}: {self.reason}; {self.population}"

    @property
    def ours(self) -> str:
        """What came out, in words; never a number that was not measured."""
        say, found = self.claim.says, self.interval
        if not self.values:
            return "not measured"
        if self.claim.kind == "existence":
            return f"best {say(max(self.values))}, of {counted(len(self.values), self.claim.unit)}"
        if found is None:
            return f"{say(self.values[0])}, one {self.claim.unit}"
        return f"{say(found.middle)} ({say(found.low)} to {say(found.high)}, {counted(found.of, self.claim.unit)})"


NO_PHOTOGRAPHS = "not measured: no labelled photographs were named (--images FOLDER)"


@dataclass(frozen=True)
class Effort:
    """How much is done: which size, and how many seeds.

    Attributes:
        size: ``quick``, ``default`` or ``full``.
        seeds: How many, where not as many as an experiment has by default.
        images: Labelled photographs that the user named; None where there are none.
    """

    size: Size = "default"
    seeds: int | None = None
    images: Path | None = None

    def describe(self) -> dict[str, Any]:
        """JSON-ready."""
        return {"size": self.size, "seeds": self.seeds, "images": str(self.images.resolve()) if self.images else None}

    @property
    def photographs(self) -> str:
        """What units about the user's images are called, the same for the same folder; empty where there are none."""
        folder = str(self.images.resolve()) if self.images else ""
        return f"photographs-{hashlib.sha256(folder.encode()).hexdigest()[:8]}" if folder else ""

    @classmethod
    def restore(cls, told: Mapping[str, Any]) -> Self:
        """What `describe` gave."""
        return cls(told["size"], told["seeds"], Path(told["images"]) if told["images"] else None)

    def seeds_of(self, usual: int) -> range:
        """The seeds of an experiment that has so many by default; two of them where it is to be quick."""
        return range(self.seeds or (min(usual, 2) if self.size == "quick" else usual))

    def pick(self, quick: int, default: int, full: int | None = None) -> int:
        """Of the numbers for each size the one that is wanted; full is as default unless given."""
        return {"quick": quick, "default": default, "full": default if full is None else full}[self.size]


Data = Mapping[str, dict[str, Any]]
"""What the units of an experiment found, by their names, in order; plain JSON."""


@dataclass(frozen=True)
class Unit:
    """One thing to be measured, the same each time.

    Attributes:
        name: Of its file.
        work: From its own folder, which may hold what an interrupted one left, to plain JSON.
        needs: Names of what it shares with other units on disk; two that share something are not measured at a time.
    """

    name: str
    work: Callable[[Path], dict[str, Any]]
    needs: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Figure:
    """A picture of data, ready to be put on a page.

    Attributes:
        title: What it shows.
        markup: SVG or a table of images; trusted, so made of escaped text only.
        text: The same in words.
    """

    title: str
    markup: str
    text: str


@dataclass(frozen=True)
class Answer:
    """How the verdict on a claim is said in plain words.

    Attributes:
        claim: Its name.
        yes: Where it holds, a sentence.
        no: Where it does not.
    """

    claim: str
    yes: str
    no: str


@dataclass(frozen=True)
class Question:
    """What somebody asks, and the claims whose verdicts answer it.

    Attributes:
        ask: In plain words, with a question mark.
        said: What the discussion says about it, in our words.
        answers: One or more, the first being the answer proper.
        figures: Which of the experiment's figures belong to it, counted from 0.
    """

    ask: str
    said: str
    answers: tuple[Answer, ...]
    figures: tuple[int, ...] = (0,)


def _no_figures(data: Data) -> tuple[Figure, ...]:
    del data
    return ()


def _nothing() -> str:
    return ""


@dataclass(frozen=True)
class Experiment:
    """Claims, and what is to be done about them.

    Attributes:
        name: As on the command line.
        title: For the page.
        claims: Fixed before it runs.
        seeds: How many by default.
        differences: From the paper, a sentence each.
        cost: In words, by default.
        units: What is measured at an effort, for given seeds.
        measure: From the data of an effort, what was found about each claim, by its name.
        figures: Of the data.
        missing: Why it cannot be run here; empty where it can.
        questions: That its claims answer; none of the paper's own.
    """

    name: str
    title: str
    claims: tuple[Claim, ...]
    seeds: int
    differences: tuple[str, ...]
    cost: str
    units: Callable[[Effort, range], Sequence[Unit]]
    measure: Callable[[Data, Effort], Mapping[str, Measured]]
    figures: Callable[[Data], Sequence[Figure]] = _no_figures
    missing: Callable[[], str] = _nothing
    questions: tuple[Question, ...] = ()

    def planned(self, effort: Effort) -> tuple[Unit, ...]:
        """Everything that is to be measured at an effort, in order."""
        return tuple(self.units(effort, effort.seeds_of(self.seeds)))
