"""Writing a run: one transaction a step, committed at most every 0.2 seconds, so a kill loses no more."""

import json
import os
import sqlite3
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Concatenate, Generic, ParamSpec, Self, TypeVar

from torch import Tensor

from trompe.core.errors import RunError
from trompe.core.numerics import to_levels
from trompe.core.types import Candidates, G, Step, Wins
from trompe.run.about import SCHEMA_VERSION, About
from trompe.run.blobs import GENOME_LIMIT, pack_arrays, pack_levels, picture, unpack_arrays
from trompe.run.schema import DATABASE, TABLES, check_schema, translate
from trompe.search import Archive, Tally

COMMIT_SECONDS = 0.2
LOCK = "run.lock"

P = ParamSpec("P")
R = TypeVar("R")


def _explained(method: "Callable[Concatenate[Recorder, P], R]") -> "Callable[Concatenate[Recorder, P], R]":
    def call(self: "Recorder", /, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except sqlite3.Error as cause:
            raise translate(cause, self.folder) from cause

    call.__doc__, call.__name__ = method.__doc__, method.__name__
    return call


@dataclass(frozen=True)
class Opened(Generic[G]):
    """A search as it is found in a run: where it stands, and its archive."""

    archive: Archive[G]
    tally: Tally
    state: str


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
        lock = _prepare(folder)
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
            connection.execute("BEGIN")
            return cls(folder, connection, about, lock)

    @classmethod
    def resume(cls, folder: Path) -> Self | None:
        """Go on with the run in a folder; None where a kill came before anything was recorded.

        Raises:
            RunError: Damaged, newer, being written by another process, or the folder cannot be written.
        """
        if not (folder / DATABASE).exists():
            return None
        lock = _take_lock(folder)
        with _opening(folder, lock):
            connection = _connect(folder)
            check_schema(connection, folder)
            if not connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]:
                connection.close()
                _clear(folder)
                _release(folder, lock)
                return None
            items = {key: json.loads(value) for key, value in connection.execute("SELECT key, value FROM about")}
            connection.execute("BEGIN")
            return cls(folder, connection, About.from_items(items), lock)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @_explained
    def reopen(self, search: int, genome_type: type[G]) -> Opened[G]:
        """The archive and the tally of a search, as of its last committed step."""
        ask = self._connection.execute
        names, state = ask("SELECT niches, state FROM search WHERE search = ?", (search,)).fetchone()
        archive: Archive[G] = Archive(len(json.loads(names)), self.about.levels)
        elites = archive.elites
        rows = ask(
            "SELECT niche, candidate, value, genome FROM current WHERE search = ? ORDER BY niche", (search,)
        ).fetchall()
        genomes = {niche: genome_type.from_arrays(unpack_arrays(blob)) for niche, _, _, blob in rows}
        for niche, candidate, value, _ in rows:
            elites.ids[niche], elites.value[niche] = candidate, value
        if genomes:
            some = next(iter(genomes.values()))
            padded = [genomes.get(niche, some) for niche in range(len(elites.ids))]
            elites.genomes = padded[0].join(padded[1:])
        for niche, level, candidate in ask("SELECT niche, level, candidate FROM first WHERE search = ?", (search,)):
            elites.crossed[niche, self.about.levels.index(level)] = candidate
        last = ask(
            "SELECT number, evaluations, forwards, backwards FROM step WHERE search = ? ORDER BY number DESC LIMIT 1",
            (search,),
        ).fetchone()
        return Opened(archive, Tally(*last) if last else Tally(), state)

    @_explained
    def record(self, search: int, step: Step[Any], seconds: float) -> None:
        """Write one step: statistics, winners, takeovers, the new occupants, the first images."""
        row = (search, step.number, step.evaluations, step.forwards, step.backwards, seconds)
        statistics = json.dumps(dict(step.statistics), sort_keys=True)
        put = self._connection.executemany
        put("INSERT INTO step VALUES (?, ?, ?, ?, ?, ?, ?, ?)", [(*row, statistics, pack_arrays(step.state))])
        packed = _Packed.of(step.wins.winners)
        put("INSERT INTO candidate VALUES (?, ?, ?, ?, ?, ?, ?)", _candidate_rows(search, step, packed))
        put("INSERT INTO takeover VALUES (?, ?, ?, ?, ?)", _takeover_rows(search, step))
        put("INSERT OR REPLACE INTO current VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _current_rows(search, step.wins, packed))
        put("INSERT INTO first VALUES (?, ?, ?, ?, ?, ?, ?, ?)", _first_rows(search, step.wins, self.about.levels))
        if time.monotonic() - self._committed >= COMMIT_SECONDS:
            self.commit()

    @_explained
    def mark(self, search: int, state: str, reason: str) -> None:
        """Note how a search ended: ``done`` or ``interrupted``, and why."""
        self._connection.execute("UPDATE search SET state = ?, reason = ? WHERE search = ?", (state, reason, search))
        self.commit()

    @_explained
    def judged(self, rows: Iterable[tuple[int, int, float, float]]) -> None:
        """Write what verification found: search, niche, level (0 for the strongest image), log-odds."""
        self._connection.executemany("INSERT OR REPLACE INTO judgement VALUES (?, ?, ?, ?)", rows)
        self.commit()

    @_explained
    def commit(self) -> None:
        """Make everything recorded so far survive a kill."""
        self._connection.execute("COMMIT")
        self._connection.execute("BEGIN")
        self._committed = time.monotonic()

    def close(self) -> None:
        """Commit, fold the log into the one database file, and let go of the folder."""
        try:
            if self._connection.in_transaction:
                self._connection.execute("COMMIT")
            self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            self._connection.execute("PRAGMA journal_mode = DELETE")
        except sqlite3.Error as cause:
            raise translate(cause, self.folder) from cause
        finally:
            self._connection.close()
            _release(self.folder, self._lock)


@dataclass(frozen=True)
class _Packed:
    """Genomes and inputs of candidates as bytes, each made once, however often it is written."""

    genomes: list[bytes]
    inputs: list[bytes]
    pictures: list[bytes]

    @classmethod
    def of(cls, candidates: Candidates[Any]) -> Self:
        levels = list(to_levels(candidates.inputs))
        small = [picture(image) for image in levels]
        inputs = [pack_levels(image) for image in levels]
        return cls(
            [pack_arrays(genome) for genome in _rows(candidates.genomes.to_arrays(), len(candidates))],
            inputs,
            [whole if part is image else pack_levels(part)
             for whole, part, image in zip(inputs, small, levels, strict=True)],
        )  # fmt: skip


def _rows(arrays: Mapping[str, Tensor], n: int) -> Iterator[dict[str, Tensor]]:
    """One record a row of arrays whose first axis is the row."""
    for i in range(n):
        yield {name: values[i : i + 1] for name, values in arrays.items()}


def _candidate_rows(search: int, step: Step[Any], packed: _Packed) -> list[tuple[Any, ...]]:
    winners = step.wins.winners
    genomes = [blob if len(blob) <= GENOME_LIMIT else None for blob in packed.genomes]
    columns = (winners.ids.tolist(), winners.parents.tolist(), genomes, packed.pictures)
    return [
        (search, candidate, step.number, parent, mate, genome, small)
        for candidate, (parent, mate), genome, small in zip(*columns, strict=True)
    ]


def _takeover_rows(search: int, step: Step[Any]) -> list[tuple[int, int, int, int, float]]:
    wins = step.wins
    ids = wins.winners.ids[wins.row]
    return [
        (search, step.number, niche, candidate, value)
        for niche, candidate, value in zip(wins.niche.tolist(), ids.tolist(), wins.value.tolist(), strict=True)
    ]


def _current_rows(search: int, wins: Wins[Any], packed: _Packed) -> list[tuple[Any, ...]]:
    ids = wins.winners.ids.tolist()
    return [
        (search, niche, ids[row], value, value, value, packed.genomes[row], packed.inputs[row])
        for niche, row, value in zip(wins.niche.tolist(), wins.row.tolist(), wins.value.tolist(), strict=True)
    ]


def _first_rows(search: int, wins: Wins[Any], levels: Sequence[float]) -> list[tuple[Any, ...]]:
    inputs = [pack_levels(image) for image in to_levels(wins.firsts.inputs)]
    ids = wins.firsts.ids.tolist()
    columns = (wins.first_niche, wins.first_level, wins.first_row, wins.first_value)
    return [
        (search, niche, levels[level], ids[row], ids[row] + 1, value, value, inputs[row])
        for niche, level, row, value in zip(*(column.tolist() for column in columns), strict=True)
    ]


def _prepare(folder: Path) -> int:
    """Make the folder and take its lock; refuse one that holds anything."""
    if folder.exists() and not folder.is_dir():
        raise RunError(expected="a folder", got="a file", where=f"--out {folder}", do="Choose another place.")
    if folder.exists() and any(part.name != LOCK for part in folder.iterdir()):
        held = "a run" if (folder / DATABASE).exists() else "other files"
        raise RunError(
            expected="a folder that is empty or does not exist",
            got=f"one with {held} in it",
            where=f"--out {folder}",
            do="Go on with the run by --resume, or choose another folder.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise _unwritable(folder, cause) from cause
    return _take_lock(folder)


def _take_lock(folder: Path) -> int:
    try:
        import fcntl

        lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR)
    except ImportError:  # no such locks on this system
        return -1
    except OSError as cause:
        raise _unwritable(folder, cause) from cause
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as cause:
        os.close(lock)
        raise RunError(
            expected="a run that nobody else writes to",
            got="one that another process is writing",
            where=str(folder),
            do="Wait for the other process, or stop it.",
        ) from cause
    return lock


def _release(folder: Path, lock: int) -> None:
    if lock >= 0:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(lock)


def _clear(folder: Path) -> None:
    for part in folder.glob(f"{DATABASE}*"):
        part.unlink()


def _unwritable(folder: Path, cause: OSError) -> RunError:
    return RunError(
        expected="a folder that can be written",
        got=cause.strerror or str(cause),
        where=f"--out {folder}",
        do="Choose another place, or change its permissions.",
    )


@contextmanager
def _opening(folder: Path, lock: int) -> Iterator[None]:
    try:
        yield
    except sqlite3.Error as cause:
        _release(folder, lock)
        raise translate(cause, folder) from cause
    except RunError:
        _release(folder, lock)
        raise


def _connect(folder: Path) -> sqlite3.Connection:
    connection = sqlite3.connect(folder / DATABASE, isolation_level=None, timeout=5.0, check_same_thread=False)
    connection.execute("PRAGMA journal_mode = WAL")
    connection.execute("PRAGMA synchronous = NORMAL")
    return connection
