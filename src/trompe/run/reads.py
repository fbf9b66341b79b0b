"""What readers said of a run's kept images, and what that comes to: a range wherever they differ."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

from trompe.core.numerics import VALUE_LIMIT, level_odds
from trompe.measure.trials import Key, Measured, NotMeasured, Range, SearchRow, attacked, measure
from trompe.run.read import Run

READERS = "readers"
"""The name under which a run keeps what readers said."""
UNREAD = "no reader was asked about the images of this run"
Which = Literal["any", "first", "strongest"]
WHICH: tuple[Which, ...] = ("first", "strongest")
_LEAST = 1e-300
"""A confidence that whatever was chosen by its log-odds has."""


@dataclass(frozen=True)
class Reads:
    """What readers said of a run.

    Attributes:
        run: As it was opened.
        reason: Why nothing was read; empty where it was.
        readers: Names of all readers, in the order of what they said.
        independent: Of those that share nothing with the target's guard: only they are counted.
        said: By kept image and reader, the class that was read, or ``"none"``.
        about: What a run keeps of each reader: name, uses, fingerprint, calibration.
        people: By kept image, what people decided that it shows: it takes the place of what machines said.
        beside: By kept image, what people saw who decided nothing: they are readers beside the machines.
    """

    run: Run
    reason: str
    readers: tuple[str, ...]
    independent: tuple[str, ...]
    said: dict[Key, dict[str, str]]
    about: tuple[dict[str, Any], ...]
    people: dict[Key, str] = field(default_factory=dict)
    beside: dict[Key, tuple[str, ...]] = field(default_factory=dict)

    def with_people(
        self, decided: Iterable[tuple[int, int, float, str]], beside: Iterable[tuple[int, int, float, str]] = ()
    ) -> "Reads":
        """The same where people were asked.

        What they decided goes before what machines said, by both rules. Where they decided nothing they are readers
        like others, so that the range can grow, and never shrinks.

        Args:
            decided: Search, niche, level (0 for the strongest), and the class that was seen there, or ``"none"``.
            beside: The same where nothing was decided; an image on which people are divided is there several times.
        """
        divided: dict[Key, tuple[str, ...]] = {}
        for search, niche, level, label in beside:
            divided[search, niche, level] = (*divided.get((search, niche, level), ()), label)
        return replace(self, people={(search, niche, level): label for search, niche, level, label in decided},
                       beside=divided)  # fmt: skip

    @cached_property
    def lacking(self) -> str:
        """Why no share is measured; empty where every verified image was read by enough independent readers."""
        found = self.at_odds(-VALUE_LIMIT)
        return found.reason if isinstance(found, NotMeasured) else ""

    def at(self, level: float, *, method: str = "", which: Which = "any") -> Measured | NotMeasured:
        """Open trials, and the classes that have one, at a confidence; see `at_odds`."""
        return self.at_odds(level_odds(level), method=method, which=which, level=level)

    def at_odds(
        self, odds: float, *, method: str = "", which: Which = "any", level: float | None = None
    ) -> Measured | NotMeasured:
        """Open trials from some log-odds on. A trial is a class and a seed, with all methods; verified images count.

        Args:
            odds: From which on an image is confident.
            method: Of one method only.
            which: Only the first image to reach a level, or only the strongest.
            level: Which first images are meant.
        """
        if self.reason:
            return NotMeasured(self.reason)
        own = {"any": None, "first": level, "strongest": 0.0}[which]
        sure = {key: value for key, value in self.run.judgements().items()
                if value >= odds and own in (None, key[2])}  # fmt: skip
        reads = {key: self._heard(key) for key in self.said}
        searches = [row for row in _searches(self.run) if method in ("", row.method)]
        rows = attacked(searches, sure, reads, spared=self._spared)
        found = measure(rows, _LEAST, self.independent)
        return found if isinstance(found, NotMeasured) or level is None else replace(found, level=level)

    def seen(self, key: Key, label: str) -> str:
        """How the independent readers read an image: ``readable``, ``unreadable``, ``disagree``; empty: not asked."""
        said = self._heard(key) if key in self.said else []
        if not said or self.lacking:
            return ""
        reading = said.count(label)
        return "readable" if reading == len(said) else "unreadable" if not reading else "disagree"

    def _heard(self, key: Key) -> list[str]:
        if key in self.people:
            return [self.people[key]] * len(self.independent)
        return [*(self.said[key][name] for name in self.independent), *self.beside.get(key, ())]

    @property
    def _spared(self) -> set[str]:
        return {record.label for record in self.run.classes}.difference(self.run.labels_that_count)


def say_range(found: Range) -> str:
    """A count by both rules: ``7 to 9 of 10``; one number where they agree."""
    low, high = found.low.count, found.high.count
    return f"{low:,}{'' if low == high else f' to {high:,}'} of {found.high.of:,}"


def reads_of(run: Run) -> Reads:
    """What readers said of a run; of one from before there were readers, that they were not asked."""
    found = run.measured.get(READERS) or {"not_measured": UNREAD}
    if "not_measured" in found:
        return Reads(run, str(found["not_measured"]), (), (), {}, ())
    names = tuple(reader["name"] for reader in found["readers"])
    said = {(search, niche, level): dict(zip(names, labels, strict=True))
            for search, niche, level, labels in found["reads"]}  # fmt: skip
    return Reads(run, "", names, tuple(found["independent"]), said, tuple(found["readers"]))


def _searches(run: Run) -> Iterator[SearchRow]:
    """The searches with the seed of each: the runs of a method have seeds one after the other."""
    first, model, seen = int(run.about.settings.get("seed", 0)), run.about.target["name"], Counter[str]()
    for search in run.searches:
        yield SearchRow(search.number, model, search.method, first + seen[search.method], search.niches)
        seen[search.method] += 1
