"""Writing a run: steps are held until they are committed, every 0.2 seconds, so a kill loses no more."""

import json
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

import torch

from trompe.core.errors import RunError
from trompe.core.types import G, Step
from trompe.run.about import SCHEMA_VERSION, About
from trompe.run.blobs import pack_arrays, shape_of, unpack_arrays
from trompe.run.folder import clear, holds_more, prepare, release, take_lock
from trompe.run.opinions import Opinion, ask, claim_firsts, reached
from trompe.run.rows import Packed, Row, candidate_rows, current_rows, first_rows, takeover_rows
from trompe.run.schema import DATABASE, FAILURES, SURVIVAL, TABLES, check_schema, translate, undamaged
from trompe.search import Archive, Tally

COMMIT_SECONDS = 0.2
HELD_VALUES = 8_000_000
"""Of winners' inputs that wait to be written, at most: 32 MB."""

_ENCODE = json.JSONEncoder(sort_keys=True).encode

_PUT_FIRST = "INSERT INTO first VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_PUT_FIRST_UNLESS_THERE = "INSERT OR IGNORE INTO first VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
_GENOMES = "SELECT genome FROM candidate WHERE search = ? AND genome IS NOT NULL"

P = ParamSpec("P")
R = TypeVar("R")


def _explained(method: "Callable[Concatenate[Recorder, P], R]") -> "Callable[Concatenate[Recorder, P], R]":
    def call(self: "Recorder", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except FAILURES as cause:
            raise translate(cause, self.folder) from cause

    call.__doc__, call.__name__ = method.__doc__, method.__name__
    return call


@dataclass(frozen=True)
class Opened(Generic[G]):
    """A search as it is found in a run: where it stands, and its archive."""

    archive: Archive[G]
    tally: Tally
    state: str


@dataclass(frozen=True)
class Held:
    """A step that waits to be written, and its row in the table of steps."""

    search: int
    step: Step[Any]
    row: Row


class Recorder:
    """The one writer of a run folder.

    Use `create` or `resume`; close it in the end, which leaves one plain database file that opens read-only.

    Attributes:
        folder: Of the run.
        about: What was fixed when the run began.
    """

    def __init__(self, folder: Path, connection: sqlite3.Connection, about: About, lock: int) -> None:
        self.folder, self.about = folder, about
        self._connection, self._lock = connection, lock
        self._committed = time.monotonic()
        self._held: list[Held] = []
        self._room = HELD_VALUES
        self._opinions: dict[int, Opinion] = {}  # by search
        self._spared: set[int] = set()
        self._logging = False

    def spare(self, search: int) -> None:
        """Leave out what this search never goes on from: occupants' genomes, where they are large."""
        self._spared.add(search)

    def consult(self, search: int, opinion: Opinion) -> None:
        """Take what this search says of images for another engine's word; the reference is asked by `tell`."""
        self._opinions[search] = opinion

    @classmethod
    def create(cls, folder: Path, about: About, searches: Sequence[tuple[str, Sequence[str]]]) -> Self:
        """Begin a run in a folder that is empty or does not exist.

        Args:
            folder: Made with its parents where missing.
            about: What is fixed from now on.
            searches: Method and niche names of each search.

        Raises:
            RunError: The folder holds something, or cannot be written.
        """
        lock = prepare(folder)
        with _opening(folder, lock):
            connection = _connect(folder)
            connection.execute("BEGIN IMMEDIATE")
            for statement in TABLES.split(";"):
                connection.execute(statement)
            items = [(key, json.dumps(value)) for key, value in about.to_items().items()]
            connection.executemany("INSERT INTO about VALUES (?, ?)", items)
            rows = [(i, method, json.dumps(list(names)), "running", "") for i, (method, names) in enumerate(searches)]
            connection.executemany("INSERT INTO search VALUES (?, ?, ?, ?, ?)", rows)
            connection.execute(f"PRAGMA user_version = {SCHEMA_VERSION}")
            connection.execute("COMMIT")
            return cls(folder, connection, about, lock)

    @classmethod
    def resume(cls, folder: Path) -> Self | None:
        """Go on with the run in a folder; None where a kill came before anything was recorded.

        Raises:
            RunError: Damaged, newer, being written by another process, or the folder cannot be written.
        """
        if not (folder / DATABASE).exists():
            return None
        lock = take_lock(folder)
        with _opening(folder, lock):
            connection = _connect(folder)
            check_schema(connection, folder)
            connection.execute("SELECT count(*) FROM sqlite_master").fetchone()  # takes back what a kill left half done
            if not (folder / DATABASE).stat().st_size and not holds_more(folder):
                connection.close()
                clear(folder)
                release(folder, lock)
                return None
            with undamaged(folder):
                items = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM about")}
                return cls(folder, connection, About.from_items(items), lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @_explained
    def reopen(self, search: int, genome_type: type[G]) -> Opened[G]:
        """The archive and the tally of a search, as of its last committed step.

        Raises:
            RunError: The database is damaged.
        """
        with undamaged(self.folder):
            return self._reopen(search, genome_type)

    def _reopen(self, search: int, genome_type: type[G]) -> Opened[G]:
        ask = self._connection.execute
        names, state = ask("SELECT niches, state FROM search WHERE search = ?", (search,)).fetchone()
        archive: Archive[G] = Archive(len(json.loads(names)), self.about.levels)
        elites = archive.elites
        rows = ask(
            "SELECT niche, candidate, value, genome FROM current WHERE search = ? ORDER BY niche", (search,)
        ).fetchall()
        genomes = {niche: genome_type.from_arrays(unpack_arrays(blob)) for niche, _, _, blob in rows if blob}
        for niche, candidate, value, _ in rows:
            elites.ids[niche], elites.value[niche] = candidate, value
        if genomes:
            some = next(iter(genomes.values()))
            seated = [genomes.get(niche, some) for niche in range(len(elites.ids))]
            # As wide as ever: how many numbers variation draws depends on the room, also on that of the long displaced.
            ever = {shape_of(blob): blob for (blob,) in ask(_GENOMES, (search,))}.values()
            others = [genome_type.from_arrays(unpack_arrays(blob)) for blob in ever]
            elites.genomes = seated[0].join([*seated[1:], *others]).take(torch.arange(len(seated)))
        for niche, level, candidate in ask("SELECT niche, level, candidate FROM first WHERE search = ?", (search,)):
            elites.crossed[niche, self.about.levels.index(level)] = candidate
        last = ask(
            "SELECT number, evaluations, forwards, backwards, state FROM step WHERE search = ? "
            "ORDER BY number DESC LIMIT 1",
            (search,),
        ).fetchone()
        return Opened(archive, _tally(last) if last else Tally(), state)

    @_explained
    def record(self, search: int, step: Step[Any], seconds: float) -> None:
        """Take one step to be written: statistics, winners, takeovers, the new occupants, the first images.

        It is written together with those that come until the next commit: packing the winners of one step by
        themselves, and a transaction a step, cost as much as the network of a small classifier.
        """
        statistics, state = _ENCODE(dict(step.statistics)), pack_arrays(step.state)
        counts = (step.number, step.evaluations, step.forwards, step.backwards)
        self._held.append(Held(search, step, (search, *counts, seconds, statistics, state)))
        self._room -= step.wins.winners.inputs.numel()
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()
        elif self._room <= 0:
            self._write()

    @_explained
    def tell(self, search: int, *, checkpoint: bool) -> None:
        """Ask the reference about what another engine found, if one searches, and write what it says.

        Args:
            search: Its number in the run.
            checkpoint: Whether occupants that reach a level by the reference become first images. That must happen
                after the same steps in every repetition of a run.
        """
        if search not in self._opinions:
            return
        spec, rows = self.about.target["spec"], self.about.judge["batch"]
        shape = (spec["channels"], spec["height"], spec["width"])
        with self._whole():
            ask(self._connection, search, self._opinions[search], shape, rows)
            if checkpoint:
                claim_firsts(self._connection, search, self.about.levels)

    @_explained
    def reached(self, search: int, odds: float) -> int:
        """In how many niches the occupant has these log-odds by the reference, as far as it was told."""
        return reached(self._connection, search, odds)

    @_explained
    def mark(self, search: int, state: str, reason: str) -> None:
        """Note how a search stands or ended (``running``, ``done``, ``interrupted``), and why."""
        with self._whole():
            change = "UPDATE search SET state = ?, reason = ? WHERE search = ?"
            self._connection.execute(change, (state, reason, search))
        self.commit()

    @_explained
    def judged(self, rows: Iterable[tuple[int, int, float, float]]) -> None:
        """Write what verification found: search, niche, level (0 for the strongest image), log-odds."""
        with self._whole():
            self._connection.executemany("INSERT OR REPLACE INTO judgement VALUES (?, ?, ?, ?)", rows)
        self.commit()

    @_explained
    def survived(self, rows: Iterable[tuple[int, int, float, str, float]]) -> None:
        """Write how sure the target is of transformed images: search, niche, level, transform, log-odds."""
        with self._whole():
            self._connection.execute(SURVIVAL)
            self._connection.executemany("INSERT OR REPLACE INTO survival VALUES (?, ?, ?, ?, ?)", rows)
        self.commit()

    @_explained
    def queries(self, sent: int) -> None:
        """Write, so that no kill undoes it, how many rows were sent to a remote target or are about to be."""
        with self._whole():
            self._connection.execute("INSERT OR REPLACE INTO about VALUES ('queries', ?)", (json.dumps(sent),))
        self.commit()

    @_explained
    def measured(self, name: str, value: Any) -> None:
        """Write something that was measured beside the searches, JSON-ready, under a name."""
        with self._whole():
            self._connection.execute("INSERT OR REPLACE INTO measured VALUES (?, ?)", (name, json.dumps(value)))
        self.commit()

    @_explained
    def commit(self) -> None:
        """Make everything recorded so far survive a kill."""
        self._write()
        if self._connection.in_transaction:
            self._connection.execute("COMMIT")
        self._committed = time.monotonic()

    def _write(self) -> None:
        """Write the steps that are held, all or none of them.

        Those that an impatient person interrupts stay held; those that the disk refuses do not, since with them SQLite
        may have taken back the steps before, and a run must have no gap.
        """
        if not self._held:
            return
        try:
            with self._undoing():
                for search, held in groupby(self._held, key=lambda each: each.search):
                    self._put(search, list(held))
        except Exception:
            self._held, self._room = [], HELD_VALUES
            raise
        self._held, self._room = [], HELD_VALUES

    def _put(self, search: int, held: Sequence[Held]) -> None:
        steps, put = [each.step for each in held], self._connection.executemany
        packed, takeovers = Packed.of(steps, spared=search in self._spared), takeover_rows(search, steps)
        put("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [each.row for each in held])
        put("INSERT INTO candidate VALUES (?, ?, ?, ?, ?, ?, ?)", candidate_rows(search, steps, packed))
        put("INSERT INTO takeover VALUES (?, ?, ?, ?, ?)", takeovers)
        counts = search not in self._opinions
        # Where another engine searches, the reference may have found a first image before it did: that one stays.
        firsts = first_rows(search, steps, self.about.levels, counts=counts)
        put(_PUT_FIRST if counts else _PUT_FIRST_UNLESS_THERE, firsts)
        seated = current_rows(takeovers, packed, counts=counts)
        put("INSERT OR REPLACE INTO current VALUES (?, ?, ?, ?, ?, ?, ?, ?)", seated)

    def close(self) -> None:
        """Commit, fold the log into the one database file, and let go of the folder."""
        try:
            self.commit()
            if self._logging:
                self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
                with suppress(sqlite3.OperationalError):  # somebody is reading: the log stays, and nothing is lost
                    self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as cause:
            raise translate(cause, self.folder) from cause
        finally:
            self._connection.close()
            release(self.folder, self._lock)

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """All of what is written inside, after the steps that are held, or, whatever interrupts it, none of it."""
        self._write()
        with self._undoing():
            yield

    @contextmanager
    def _undoing(self) -> Iterator[None]:
        if not self._logging:  # only now: a run that is merely looked at keeps every byte of its file
            self._connection.execute("PRAGMA journal_mode = WAL")
            self._logging = True
        if not self._connection.in_transaction:
            self._connection.execute("BEGIN")
        self._connection.execute("SAVEPOINT whole")
        try:
            yield
        except BaseException:
            # On a full disk SQLite itself may have taken the whole transaction back, earlier steps and all.
            if self._connection.in_transaction:
                self._connection.execute("ROLLBACK TO whole")
            raise
        self._connection.execute("RELEASE whole")


def _tally(row: Row) -> Tally:
    number, evaluations, forwards, backwards, state = row
    return Tally(number, evaluations, forwards, backwards, unpack_arrays(state))


@contextmanager
def _opening(folder: Path, lock: int) -> Iterator[None]:
    try:
        yield
    except FAILURES as cause:
        release(folder, lock)
        raise translate(cause, folder) from cause
    except RunError:
        release(folder, lock)
        raise


def _connect(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=5.0, check_same_thread=False)
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
