"""Running an experiment: unit by unit, each kept as a whole, so that a killed command goes on where it was."""

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from trompe.core.errors import RunError
from trompe.experiments.nouns import Effort, Experiment, Unit
from trompe.run import describe_machine, describe_versions
from trompe.run.folder import write_whole

_BEGUN = ".begun"


def perform(experiment: Experiment, folder: Path, effort: Effort) -> Iterator[tuple[str, dict[str, Any]]]:
    """Measure every unit of an experiment that is not on disk yet; each is written before the next begins.

    Args:
        experiment: What to do.
        folder: Of this experiment.
        effort: How much; what is on disk must have been measured at the same size.

    Yields:
        Name and record of each unit, in order.

    Raises:
        RunError: The folder cannot be written, or holds another size's data.
    """
    for unit in experiment.planned(effort):
        path = folder / f"{unit.name}.json"
        yield unit.name, read_unit(path, effort) if path.exists() else measure_unit(unit, path, effort)


def collect(experiment: Experiment, folder: Path, effort: Effort) -> dict[str, dict[str, Any]] | None:
    """The records of all units of an experiment; None where one is not there yet.

    Raises:
        RunError: One is damaged, or of another size.
    """
    names = [unit.name for unit in experiment.planned(effort)]
    if not all((folder / f"{name}.json").exists() for name in names):
        return None
    return {name: read_unit(folder / f"{name}.json", effort) for name in names}


def read_unit(path: Path, effort: Effort) -> dict[str, Any]:
    """The record of a unit.

    Raises:
        RunError: It is damaged, or of another size.
    """
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
        size = record["size"]
        record["data"], record["seconds"]
    except (OSError, ValueError, KeyError, TypeError) as cause:
        raise RunError(
            expected="the record of a measurement", got=f"{type(cause).__name__}: {cause}", where=str(path),
            do="Delete it, and it is measured again.",
        ) from cause  # fmt: skip
    if size != effort.size:
        raise RunError(
            expected=f"data of size {effort.size}", got=f"size {size}", where=str(path),
            do="Choose another folder with --out, or the same size as before.",
        )  # fmt: skip
    return record


def measure_unit(unit: Unit, path: Path, effort: Effort) -> dict[str, Any]:
    """Measure a unit, and write its record as a whole.

    Raises:
        RunError: The folder cannot be written.
    """
    marker = path.with_suffix(_BEGUN)
    again = marker.exists()
    write_whole(marker, b"")
    before = time.process_time()
    data = unit.work(path.with_suffix(""))
    seconds = time.process_time() - before
    record = {
        "unit": unit.name, "size": effort.size, "versions": describe_versions(), "machine": describe_machine(),
        "seconds": "not measured: it was interrupted" if again else round(seconds, 3), "data": data,
    }  # fmt: skip
    write_whole(path, f"{json.dumps(record, indent=1, ensure_ascii=False, allow_nan=False)}\n".encode())
    marker.unlink(missing_ok=True)
    return record
