"""Reading a run: what was kept for every class, how it came about, and counts that claim no more than they show."""

import hashlib
import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.check import check_name
from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, level_odds, probability, say_confidence
from trompe.measure.statistics import Share, wilson
from trompe.run.about import About
from trompe.run.blobs import GENOME_LIMIT, unpack_levels
from trompe.run.history import Ancestor, Takeover, lineages, takeovers
from trompe.run.schema import reading, undamaged


@dataclass(frozen=True)
class Kept:
    """An image that a run keeps, with what the reference said of it.

    Attributes:
        label: The class it was kept for.
        level: The confidence level it was the first to reach; None for the strongest of all.
        candidate: Its id.
        evaluations: How many candidates had been judged when it was found, itself included.
        log_odds: Of the class, float64.
        levels: Its bytes, shape (channels, height, width).
        file: Its PNG, relative to the run folder.
    """

    label: str
    level: float | None
    candidate: int
    evaluations: int
    log_odds: float
    levels: Tensor
    file: str

    @property
    def confidence(self) -> float:
        """Probability of the class, 1.0 where float64 knows no better."""
        return probability(self.log_odds)

    @property
    def image(self) -> Tensor:
        """The image as the target sees it: float32 in [0, 1], shape (channels, height, width)."""
        return from_levels(self.levels.unsqueeze(0))[0]

    def __str__(self) -> str:
        return f"{self.label}: {say_confidence(self.log_odds)} after {self.evaluations} evaluations"


@dataclass(frozen=True)
class Count:
    """Images on disk prove what was reached; a miss only says that it was not reached within the budget.

    Example:
        >>> str(Count(at_least=9, attempted=10))
        'at least 9 of 10 attempted'
    """

    at_least: int
    attempted: int

    def __str__(self) -> str:
        return f"at least {self.at_least} of {self.attempted} attempted"


@dataclass(frozen=True)
class ClassRecord:
    """What one method kept for one class.

    Attributes:
        label: Of the class.
        method: For example ``"pixels-evolve"``.
        search: Number of the search within the run.
        niche: Number of the niche within the search.
        strongest: The image with the highest log-odds; None where nothing has been judged yet.
        firsts: The first image at each level that was reached.
    """

    label: str
    method: str
    search: int
    niche: int
    strongest: Kept | None
    firsts: dict[float, Kept]

    def first(self, level: float) -> Kept | None:
        """The first image that reached a level; None where none did within the budget."""
        return self.firsts.get(level)

    def kept(self) -> list[Kept]:
        """Every image kept for the class: the first of each level, then the strongest."""
        return [*self.firsts.values(), *([self.strongest] if self.strongest else [])]


@dataclass(frozen=True)
class SearchRecord:
    """One search of a run: method, niche names, state (``running``, ``done``, ``interrupted``) and costs so far."""

    number: int
    method: str
    niches: tuple[str, ...]
    state: str
    reason: str
    steps: int
    evaluations: int
    forwards: int
    backwards: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """A run folder as it stood when it was opened.

    While the run grows, all of this stays as it was, but for `digest`; open it again to see more.

    Attributes:
        folder: Where it is.
        about: What was fixed when it began.
        searches: One a method and repeat.
        classes: One a class and search, in the target's order.
        queries: Rows sent to a remote target, retries and verification included; None where the target is none.
        measured: What was measured beside the searches, by name: ``natural``, ``control``, ...; see docs/run-format.md.
    """

    folder: Path
    about: About
    searches: tuple[SearchRecord, ...]
    classes: tuple[ClassRecord, ...]
    _judgements: dict[tuple[int, int, float], float] = field(repr=False)
    queries: int | None = None
    measured: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def state(self) -> str:
        """``done`` where every search is; otherwise the state of the first that is not."""
        return next((search.state for search in self.searches if search.state != "done"), "done")

    @property
    def repeats(self) -> int:
        """How often the method that ran most often ran; 1 where each ran once, or none has been planned."""
        methods = [search.method for search in self.searches]
        return max((methods.count(method) for method in methods), default=1)

    @property
    def labels_that_count(self) -> tuple[str, ...]:
        """The classes attempted, each once, but for the harmless and the abstaining: those stay out of every rate."""
        attempted = dict.fromkeys(record.label for record in self.classes)
        return tuple(label for label in attempted if label not in self.about.spared)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of one input of the target: channels, height, width."""
        spec = self.about.target["spec"]
        return spec["channels"], spec["height"], spec["width"]

    def _repr_png_(self) -> bytes:
        """What a notebook shows: the contact sheet."""
        from trompe.run.sheet import contact_sheet, png

        return png(contact_sheet(self))

    def __getitem__(self, label: str) -> ClassRecord:
        """What was kept for a class; of several searches, the one whose strongest image is strongest.

        Raises:
            BadInput: The class was not attempted.
        """
        check_name(label, dict.fromkeys(record.label for record in self.classes), f"class in {self.folder}")
        records = [record for record in self.classes if record.label == label]
        return max(records, key=lambda record: record.strongest.log_odds if record.strongest else -torch.inf)

    def confident(self, level: float) -> Count:
        """In how many of the classes that count some kept image reaches the level.

        Raises:
            BadInput: The run kept no first images for that level.
        """
        self._check_level(level)
        least = level_odds(level)
        reached = {record.label for record in self.classes if any(kept.log_odds >= least for kept in record.kept())}
        count = self.labels_that_count
        return Count(len(reached.intersection(count)), len(count))

    def repeated(self, level: float) -> dict[tuple[str, str], Share]:
        """By label and method: in how many repeats some image reached the level, with a Wilson interval over repeats.

        Raises:
            BadInput: The run kept no first images for that level.
        """
        self._check_level(level)
        reached: dict[tuple[str, str], list[bool]] = {}
        for record in self.classes:
            reached.setdefault((record.label, record.method), []).append(record.first(level) is not None)
        return {key: wilson(sum(found), len(found)) for key, found in reached.items()}

    def steps(self, search: int = 0) -> list[dict[str, Any]]:
        """Statistics of every step of a search: number, evaluations, forwards, backwards, and those of the archive."""
        with reading(self.folder) as connection:
            rows = connection.execute(_STEPS, (search, self._steps_seen(search))).fetchall()
        names = ("number", "evaluations", "forwards", "backwards")
        with undamaged(self.folder):
            return [{**dict(zip(names, row[:4], strict=True)), **json.loads(row[4])} for row in rows]

    def lineage(self, label: str) -> list[Ancestor]:
        """What the strongest image of a class grew from: the random beginning first, itself last.

        Empty where nothing has been judged yet.

        Raises:
            BadInput: The class was not attempted.
        """
        record = self[label]
        if record.strongest is None:
            return []
        return next(lineages(self.folder, self.shape, [(record.search, record.strongest.candidate)]))

    def takeovers(self, search: int = 0) -> list[Takeover]:
        """Every change of hands in a search: step, niche and the value that won, in order."""
        return takeovers(self.folder, search, self._steps_seen(search))

    def judgements(self) -> dict[tuple[int, int, float], float]:
        """Verified log-odds by search, niche and level (0 for the strongest image); empty where not verified."""
        return dict(self._judgements)

    def superclasses(self) -> dict[tuple[int, int, float, str], float]:
        """Verified log-odds by search, niche, level (0 for the strongest) and superclass; empty where not measured."""
        rows = self.measured.get("superclasses", {}).get("rows", ())
        return {(search, niche, level, name): odds for search, niche, level, name, odds in rows}

    def survival(self) -> dict[tuple[int, int, float, str], float]:
        """Log-odds by search, niche, level (0 for the strongest image) and transform; empty where not measured."""
        with reading(self.folder) as connection:
            known = "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = 'survival'"
            if not connection.execute(known).fetchone()[0]:
                return {}
            rows = connection.execute(_SURVIVAL).fetchall()
        return {(search, niche, level, transform): odds for search, niche, level, transform, odds in rows}

    def digest(self) -> str:
        """sha256 of everything the run promises to repeat: all that is recorded, but for times and the machine.

        Of the folder at the moment of the call, since what a growing run overwrites cannot be read later: compare
        the digests of finished runs.
        """
        digest = hashlib.sha256()
        about = self.about
        settings = {key: value for key, value in about.settings.items() if key != "target"}  # as seen from a folder
        fixed = (settings, about.target, about.judge, about.encoding, about.search, about.levels)
        digest.update(json.dumps(fixed, sort_keys=True).encode())
        with reading(self.folder) as connection:
            connection.execute("BEGIN")  # one moment for all tables
            for query in _REPEATABLE:
                for row in connection.execute(query):
                    digest.update(repr(row).encode())
        return digest.hexdigest()

    def _steps_seen(self, search: int) -> int:
        """How many steps of a search there were; they are numbered from 0, and none is ever changed."""
        return next((record.steps for record in self.searches if record.number == search), 0)

    def _check_level(self, level: float) -> None:
        if level not in self.about.levels:
            raise BadInput(
                expected=f"one of the run's levels {', '.join(map(str, self.about.levels))}",
                got=f"{level}",
                where=f"level in {self.folder}",
                do="Choose one of these; for others compare `strongest.log_odds` yourself.",
            )


_STEPS = """
SELECT number, evaluations, forwards, backwards, statistics FROM step WHERE search = ? AND number < ? ORDER BY number
"""
_REPEATABLE = (
    "SELECT search, method, niches, state, reason FROM search ORDER BY search",
    "SELECT search, number, evaluations, forwards, backwards, statistics, state FROM step ORDER BY search, number",
    "SELECT * FROM candidate ORDER BY search, id",
    "SELECT * FROM takeover ORDER BY search, step, niche",
    # A genome above the limit may have been left out.
    "SELECT search, niche, candidate, value, search_log_odds, log_odds, "  # noqa: S608  the limit is a number of ours
    f"CASE WHEN length(genome) BETWEEN 1 AND {GENOME_LIMIT} THEN genome END, input FROM current ORDER BY search, niche",
    "SELECT * FROM first ORDER BY search, niche, level",
)


_SURVIVAL = "SELECT search, niche, level, transform, log_odds FROM survival ORDER BY rowid"  # as they were measured


def open_run(folder: Path | str) -> Run:
    """The run in a folder, finished or not, also while it is being written.

    Raises:
        RunError: No run, damaged, or made by a newer trompe.
    """
    folder = Path(folder)
    with reading(folder) as connection, undamaged(folder):
        connection.execute("BEGIN")
        items = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM about")}
        about = About.from_items(items)
        searches = tuple(_search(row) for row in connection.execute(_SEARCHES).fetchall())
        strongest = connection.execute("SELECT search, niche, candidate, log_odds, input FROM current").fetchall()
        firsts = connection.execute(
            "SELECT search, niche, candidate, log_odds, input, level FROM first ORDER BY level"
        ).fetchall()
        judged = connection.execute("SELECT search, niche, level, log_odds FROM judgement").fetchall()
        judgements = {(search, niche, level): log_odds for search, niche, level, log_odds in judged}
        classes = _classes(about, searches, strongest, firsts)
        measured = {name: json.loads(value) for name, value in connection.execute("SELECT name, value FROM measured")}
        return Run(folder, about, searches, classes, judgements, items.get("queries"), measured)


_SEARCHES = """
SELECT search.search, method, niches, search.state, reason, count(number), coalesce(max(evaluations), 0),
    coalesce(max(forwards), 0), coalesce(max(backwards), 0), coalesce(sum(seconds), 0.0)
FROM search LEFT JOIN step ON step.search = search.search GROUP BY search.search ORDER BY search.search
"""


def _search(row: tuple[Any, ...]) -> SearchRecord:
    return SearchRecord(row[0], row[1], tuple(json.loads(row[2])), *row[3:])


def _classes(
    about: About, searches: tuple[SearchRecord, ...], strongest: list[Any], firsts: list[Any]
) -> tuple[ClassRecord, ...]:
    spec = about.target["spec"]
    shape = (spec["channels"], spec["height"], spec["width"])
    best: dict[tuple[int, int], Kept] = {}
    first: dict[tuple[int, int], dict[float, Kept]] = {}
    for number, niche, candidate, log_odds, blob, *level in [*strongest, *firsts]:
        if log_odds is None:  # another engine found it, and the reference was not asked yet
            continue
        search = searches[number]
        mark = level[0] if level else None
        name = image_file(search, niche, about.target["labels"], mark)
        kept = Kept(
            search.niches[niche], mark, candidate, candidate + 1, log_odds, unpack_levels(blob, shape), name
        )  # fmt: skip
        if mark is None:
            best[number, niche] = kept
        elif log_odds >= level_odds(mark):  # an engine that searched may have thought more of it than the reference
            first.setdefault((number, niche), {})[mark] = kept
    return tuple(
        ClassRecord(label, search.method, search.number, niche, best.get((search.number, niche)),
                    first.get((search.number, niche), {}))
        for search in searches
        for niche, label in enumerate(search.niches)
    )  # fmt: skip


def image_file(search: SearchRecord, niche: int, labels: list[str], level: float | None) -> str:
    """Where the PNG of a kept image lies within the run folder; labels are reduced to safe characters."""
    label = search.niches[niche]
    safe = "".join(c if c.isascii() and c.isalnum() else "-" for c in label)[:40].strip("-") or "class"
    which = "strongest" if level is None else f"first-{level:g}"
    method = search.method.replace(":", "-")  # which some file systems do not allow
    return f"images/{search.number}-{method}/{labels.index(label):04d}-{safe}-{which}.png"
