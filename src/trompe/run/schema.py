"""The database of a run: its tables, and connections that explain themselves when they fail."""

import shutil
import sqlite3
import tempfile
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from safetensors import SafetensorError

from trompe.core.check import is_there
from trompe.core.errors import RunError, TrompeError, out_of_memory
from trompe.run.about import SCHEMA_VERSION

DATABASE = "run.sqlite"

TABLES = """
CREATE TABLE about (key TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
CREATE TABLE search (
    search INTEGER PRIMARY KEY, method TEXT NOT NULL, niches TEXT NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE step (
    search INTEGER, number INTEGER, evaluations INTEGER NOT NULL, forwards INTEGER NOT NULL,
    backwards INTEGER NOT NULL, seconds REAL NOT NULL, statistics TEXT NOT NULL, state BLOB NOT NULL,
    PRIMARY KEY (search, number)
) WITHOUT ROWID;
CREATE TABLE candidate (
    search INTEGER, id INTEGER, step INTEGER NOT NULL, parent INTEGER NOT NULL, mate INTEGER NOT NULL,
    genome BLOB, picture BLOB NOT NULL, PRIMARY KEY (search, id)
);
CREATE TABLE takeover (
    search INTEGER, step INTEGER, niche INTEGER, candidate INTEGER NOT NULL, value REAL NOT NULL,
    PRIMARY KEY (search, step, niche)
) WITHOUT ROWID;
CREATE TABLE current (
    search INTEGER, niche INTEGER, candidate INTEGER NOT NULL, value REAL NOT NULL, search_log_odds REAL NOT NULL,
    log_odds REAL, genome BLOB NOT NULL, input BLOB NOT NULL, PRIMARY KEY (search, niche)
);
CREATE TABLE first (
    search INTEGER, niche INTEGER, level REAL, candidate INTEGER NOT NULL, evaluations INTEGER NOT NULL,
    search_log_odds REAL NOT NULL, log_odds REAL, input BLOB NOT NULL, PRIMARY KEY (search, niche, level)
);
CREATE TABLE judgement (
    search INTEGER, niche INTEGER, level REAL, log_odds REAL NOT NULL, PRIMARY KEY (search, niche, level)
) WITHOUT ROWID;
CREATE TABLE measured (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID;
"""
"""`log_odds` is null where the reference was not asked yet.

`level` is 0 in `judgement` for the strongest image. See docs/run-format.md."""

SURVIVAL = """
CREATE TABLE IF NOT EXISTS survival (
    search INTEGER, niche INTEGER, level REAL, transform TEXT, log_odds REAL NOT NULL,
    PRIMARY KEY (search, niche, level, transform)
)
"""
"""Made when survival is measured, which is not part of every run; levels as in `judgement`."""

_REMEDIES = (
    ("full", "room on the disk", "Free some space and go on with --resume; everything committed is kept."),
    ("readonly", "a folder that can be written", "Choose another --out, or change its permissions."),
    ("unable to open", "a folder that can be written", "Choose another --out, or change its permissions."),
    (
        "disk i/o",
        "a disk that can be written",
        "Check the disk, then go on with --resume; everything committed is kept.",
    ),
    ("locked", "a run that nobody else writes to", "Wait for the other process, or stop it."),
    ("not a database", "the database of a trompe run", "Restore the file; it was changed by something else."),
    ("no such table", "the database of a trompe run", "Give the folder that was --out of `trompe fool`."),
    ("no such column", "the database of a trompe run", "Restore the folder, or make the run again."),
    ("could not decode", "an undamaged database", "Restore the folder, or make the run again."),
    ("codec can't decode", "an undamaged database", "Restore the folder, or make the run again."),
    ("malformed", "an undamaged database", "Restore the folder, or make the run again."),
)

FAILURES = (sqlite3.Error, UnicodeDecodeError)
"""What a query raises. The second where an error of SQLite's quotes the database and the quotation is no text."""


def translate(cause: sqlite3.Error | UnicodeDecodeError, folder: Path) -> Exception:
    """What a database error means for the person who sees it; the error itself where only trompe can be at fault."""
    text = str(cause).lower()
    for sign, expected, do in _REMEDIES:
        if sign in text:
            return RunError(expected=expected, got=str(cause), where=str(folder / DATABASE), do=do)
    return cause


@contextmanager
def undamaged(folder: Path) -> Iterator[None]:
    """Content that cannot be what trompe wrote is damage, and said to be so.

    Raises:
        RunError: What is read inside has the wrong form.
    """
    try:
        yield
    except (ValueError, KeyError, TypeError, IndexError, RuntimeError, zlib.error, SafetensorError) as cause:
        if isinstance(cause, TrompeError) or out_of_memory(cause):
            raise
        raise RunError(
            expected="an undamaged database",
            got=f"{type(cause).__name__} ({cause})",
            where=str(folder / DATABASE),
            do="Restore the folder, or make the run again.",
        ) from cause


@contextmanager
def reading(folder: Path) -> Iterator[sqlite3.Connection]:
    """A read-only connection to a run's database, also while it is being written, and from a read-only folder.

    Raises:
        RunError: No run, damaged, or made by a newer trompe.
    """
    path = folder / DATABASE
    if not is_there(path):
        raise _no_run(folder)
    with ExitStack() as stack:
        connection = _connect_to_read(path, stack)
        try:
            check_schema(connection, folder)
            yield connection
        except FAILURES as cause:
            raise translate(cause, folder) from cause


def _no_run(folder: Path) -> RunError:
    """Why a folder is no run; one that `trompe judge` wrote holds a run for each model."""
    there = is_there(folder)
    got = "no such folder" if not there else "a file" if folder.is_file() else f"a folder without {DATABASE}"
    runs = sorted(path.parent for path in folder.glob(f"models/*/{DATABASE}")) if there else []
    do = (
        f"Give a run in it: {', '.join(map(str, runs))}."
        if runs
        else "Give the folder that was --out of `trompe fool`."
    )
    return RunError(expected="a run folder", got=got, where=str(folder), do=do)


def check_schema(connection: sqlite3.Connection, folder: Path) -> None:
    """Refuse a database of a newer trompe.

    Raises:
        RunError: Its schema is newer.
    """
    found = connection.execute("PRAGMA user_version").fetchone()[0]
    if found > SCHEMA_VERSION:
        raise RunError(
            expected=f"a run of schema {SCHEMA_VERSION} or older",
            got=f"schema {found}",
            where=str(folder),
            do="Install a newer trompe; this one cannot read it.",
        )


def _connect_to_read(path: Path, stack: ExitStack) -> sqlite3.Connection:
    """A killed run still has its log beside it, which SQLite cannot replay in a read-only folder: then from a copy."""
    address = f"{path.absolute().as_uri()}?mode=ro"
    connection = sqlite3.connect(address, uri=True)
    stack.callback(connection.close)
    try:
        connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    except sqlite3.OperationalError:
        with suppress(OSError):  # no room for a copy: let the caller's first query say what is wrong
            scratch = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            for part in path.parent.glob(f"{path.name}*"):
                shutil.copy(part, scratch)
            connection = sqlite3.connect(scratch / path.name)
            stack.callback(connection.close)
    except FAILURES:  # damaged: let the caller's first query say how
        pass
    return connection
