"""The error for a stored density that cannot be read."""

from pathlib import Path

from trompe.core.errors import DataError


def damaged(folder: Path, what: str, cause: BaseException) -> DataError:
    """Says which files are missing or damaged, and what to do."""
    return DataError(
        expected=f"the files of {what}, whole",
        got=f"{type(cause).__name__} ({cause})",
        where=str(folder),
        do="Fit the readers again with `trompe train readers`.",
    )
