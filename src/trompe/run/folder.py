"""The folder of a run: made, locked against a second writer, let go."""

import os
from pathlib import Path

from trompe.core.errors import RunError
from trompe.run.schema import DATABASE

LOCK = "run.lock"
_ENDINGS = ("", "-wal", "-shm", "-journal")
"""Of the files that SQLite keeps."""


def prepare(folder: Path) -> int:
    """Make the folder and take its lock; refuse one that holds anything."""
    try:
        _check_empty(folder)
        folder.mkdir(parents=True, exist_ok=True)
    except RunError:
        raise
    except OSError as cause:
        raise _unwritable(folder, cause) from cause
    return take_lock(folder)


def _check_empty(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise RunError(expected="a folder", got="a file", where=f"--out {folder}", do="Choose another place.")
    if folder.exists() and ((folder / DATABASE).exists() or holds_more(folder)):
        held = "a run" if (folder / DATABASE).exists() else "other files"
        raise RunError(
            expected="a folder that is empty or does not exist",
            got=f"one with {held} in it",
            where=f"--out {folder}",
            do="Go on with the run by --resume, or choose another folder.",
        )


def holds_more(folder: Path) -> bool:
    """Whether there is anything in a folder beside the lock and an empty beginning of a database."""
    own = {LOCK, *(f"{DATABASE}{ending}" for ending in _ENDINGS)}
    return any(part.name not in own for part in folder.iterdir())


def take_lock(folder: Path) -> int:
    """Take the folder's lock, which the system lets go when the process dies.

    Returns:
        A handle for `release`; -1 where the system has no such locks.

    Raises:
        RunError: Another process holds it, or the folder cannot be written.
    """
    try:
        import fcntl
    except ImportError:  # no such locks on this system
        return -1
    while True:
        try:
            lock = os.open(folder / LOCK, os.O_CREAT | os.O_RDWR)
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
        if _is_there(folder / LOCK, lock):
            return lock
        os.close(lock)  # its last owner removed the file in between: a lock on it would hold nobody off


def release(folder: Path, lock: int) -> None:
    """Let go of a folder that `prepare` or `take_lock` gave."""
    if lock >= 0:
        (folder / LOCK).unlink(missing_ok=True)
        os.close(lock)


def clear(folder: Path) -> None:
    """Remove a database that nothing was recorded in."""
    for ending in _ENDINGS:
        (folder / f"{DATABASE}{ending}").unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file as a whole or not at all, with the folder it lies in.

    Raises:
        RunError: It cannot be written.
    """
    part = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        part.write_bytes(content)
        part.replace(path)
    except OSError as cause:
        raise RunError(
            expected="a folder that can be written",
            got=cause.strerror or str(cause),
            where=str(path.parent),
            do="Choose another place with --out.",
        ) from cause


def _is_there(path: Path, handle: int) -> bool:
    try:
        return os.path.samestat(path.stat(), os.fstat(handle))
    except FileNotFoundError:
        return False


def _unwritable(folder: Path, cause: OSError) -> RunError:
    return RunError(
        expected="a folder that can be written",
        got=cause.strerror or str(cause),
        where=f"--out {folder}",
        do="Choose another place, or change its permissions.",
    )
