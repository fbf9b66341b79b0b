"""Whether a run that is taken up again would go on as it was begun."""

import json
from pathlib import Path
from typing import Any

from trompe.core.errors import RunError

GRANTS = {"max_queries", "header"}
"""Settings that may be others where a run goes on: they say what is allowed, not what is done."""


def check_same_settings(stored: dict[str, Any], given: dict[str, Any], folder: Path) -> None:
    """Refuse to go on with other settings than those in the record.

    Raises:
        RunError: Some setting is another one.
    """
    for key in sorted((stored.keys() | given.keys()) - GRANTS):
        if stored.get(key) != given.get(key):
            raise RunError(
                expected=f"the settings the run was begun with, --{key} {stored.get(key)}",
                got=f"{given.get(key)}",
                where=f"--resume {folder}",
                do="Give the same settings to go on, or another --out to begin anew.",
            )


def check_same_numbers(stored: dict[str, Any], given: dict[str, Any], folder: Path) -> None:
    """Refuse to go on where a name of a preset stands for other numbers than when the run was begun.

    Args:
        stored: Numbers by name by method; a method that is not there was begun before its numbers were recorded.
        given: What they are now.
        folder: Of the run.

    Raises:
        RunError: Some number is another one.
    """
    for method, numbers in json.loads(json.dumps(given)).items():  # as they come back from a run
        recorded = stored.get(method, numbers)
        for key in sorted(recorded.keys() | numbers.keys()):
            if recorded.get(key) != numbers.get(key):
                raise RunError(
                    expected=f"the numbers the run was begun with, {key} {recorded.get(key)} of {method}",
                    got=f"{numbers.get(key)}",
                    where=f"--resume {folder}",
                    do="Go on with the version of trompe that began the run, or choose another --out to begin anew.",
                )
