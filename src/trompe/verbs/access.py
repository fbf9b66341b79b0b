"""What the settings of a run grant a remote target."""

import hashlib
import json
import os
import re
import sqlite3
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput, RunError
from trompe.run import open_run
from trompe.run.results import read_results
from trompe.targets.access import Access

_HEADER = re.compile(r"(?P<name>[A-Za-z0-9_-]+)=(?P<variable>[A-Za-z_][A-Za-z0-9_]*)")


def access_of(stored: Mapping[str, Any], folder: Path | None = None, resume: bool = False) -> Access:
    """What a run's stored settings grant; where a run goes on, its count of rows does too.

    Args:
        stored: Settings as a run stores them; they hold names of variables, never their values.
        folder: Of the run.
        resume: Whether a run in the folder goes on.

    Raises:
        BadInput: A header is not NAME=VARIABLE, or the limit is below 1.
    """
    limit = stored.get("max_queries")
    if limit is not None:
        check_at_least(limit, 1, "--max-queries")
    name = hashlib.sha256(json.dumps(dict(stored), sort_keys=True).encode()).hexdigest()[:12]
    spent = _spent(folder) if resume and folder is not None else 0
    return Access(limit, stored.get("budget") is not None, spent, _headers(stored.get("header", ())), name)


def _headers(words: Any) -> dict[str, str]:
    found = {}
    for word in words:
        parts = _HEADER.fullmatch(word)
        if parts is None or parts["variable"] not in os.environ:
            raise BadInput(
                expected="NAME=VARIABLE, where VARIABLE names an environment variable that is set",
                got="one that is not set" if parts else "something else, which may be a secret and is not repeated",
                where="--header",
                do="Put the secret into an environment variable; it must be on no command line and in no file.",
            )
        found[parts["name"]] = f"env:{parts['variable']}"
    return found


def _spent(folder: Path) -> int:
    """Rows sent by the run in a folder so far; 0 where it is finished, for then it is only looked at.

    A folder that cannot be read is refused later, by whoever goes on with it.
    """
    with suppress(RunError):
        if read_results(folder).get("state") == "done":
            return 0
    try:
        return open_run(folder).queries or 0
    except (RunError, sqlite3.Error):
        return 0
