"""`paper`: run the experiments, and write the page with a verdict on each claim."""

import json
import os
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.experiments.bench import collect, perform, read_unit
from trompe.experiments.crew import Task, measured_by_many
from trompe.experiments.listing import MODULES, experiment, experiments
from trompe.experiments.nouns import Effort, Experiment
from trompe.experiments.page import render
from trompe.experiments.report import Account, sections
from trompe.run import describe_machine, describe_versions
from trompe.run.folder import write_whole
from trompe.settings import PaperSettings
from trompe.verbs.keywords import keywords

PAGE, TABLE = "paper.html", "paper.json"


def performing(settings: PaperSettings) -> Iterator[tuple[str, int, int]]:
    """Run as `paper` does, and write the page anew whenever an experiment is finished.

    Yields:
        Experiment and unit at hand, units done, and how many there are; after each unit.

    Raises:
        RunError: What is on disk is damaged or of another size, or a unit fails.
    """
    effort, folder = effort_of(settings), Path(settings.out)
    ready = [one for one in experiments(settings.names) if not one.missing()]
    left = {one.name: len(one.planned(effort)) for one in ready}
    total = sum(left.values())
    for done, (name, unit) in enumerate(_measured(ready, folder, effort, settings.workers), 1):
        left[name] -= 1
        if not left[name]:
            publish(settings)
        yield f"{name} {unit}", done, total


def _measured(
    ready: Sequence[Experiment], folder: Path, effort: Effort, workers: int | None
) -> Iterator[tuple[str, str]]:
    """Experiment and unit of every record once it is on disk: measured in this process, or by several at a time."""
    tasks = [Task(one.name, unit.name, unit.needs) for one in ready for unit in one.planned(effort)]
    there = [task for task in tasks if _is_there(task, folder, effort)]
    waiting = [task for task in tasks if task not in there]
    several = min(workers or _cores(), len(waiting))
    if several < 2:
        for one in ready:
            yield from ((one.name, unit) for unit, _ in perform(one, folder / one.name, effort))
        return
    for task in chain(there, measured_by_many(waiting, folder, effort, several)):
        yield task.experiment, task.unit


def _cores() -> int:
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _is_there(task: Task, folder: Path, effort: Effort) -> bool:
    path = folder / task.experiment / f"{task.unit}.json"
    return path.exists() and bool(read_unit(path, effort))


def publish(settings: PaperSettings) -> Account:
    """Write page and table of what there is: what was asked for, and what stands finished in the folder beside it.

    Raises:
        RunError: A record is damaged or of another size, or the folder cannot be written.
    """
    effort, folder = effort_of(settings), Path(settings.out)
    wanted = {one.name for one in experiments(settings.names)}
    found: dict[str, tuple[Experiment, Mapping[str, Any]]] = {}
    for one in map(experiment, MODULES):
        cannot = one.name in wanted and one.missing()
        begun = one.name in wanted or (folder / one.name).is_dir()
        records = {} if cannot else collect(one, folder / one.name, effort) if begun else None
        if records is not None:
            found[one.name] = one, records
    account = Account(sections(found, effort), effort, command(settings), describe_machine(), describe_versions())
    table = json.dumps(account.describe(), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(folder / TABLE, f"{table}\n".encode())
    write_whole(folder / PAGE, render(account).encode())
    return account


def effort_of(settings: PaperSettings) -> Effort:
    """How much the settings ask for.

    Raises:
        BadInput: Both quick and full, no seeds, no workers, or no folder of photographs.
    """
    if settings.quick and settings.full:
        raise BadInput(expected="one size", got="both", where="--quick and --full", do="Leave one of them out.")
    if settings.seeds is not None:
        check_at_least(settings.seeds, 1, "--seeds")
    if settings.workers is not None:
        check_at_least(settings.workers, 1, "--workers")
    if settings.images is not None and not settings.images.is_dir():
        raise BadInput(expected="a folder of labelled photographs", got=str(settings.images), where="--images",
                       do="Name one with a folder for each class, or leave it out.")  # fmt: skip
    size: Literal["quick", "default", "full"] = "quick" if settings.quick else "full" if settings.full else "default"
    return Effort(size, settings.seeds, settings.images)


def command(settings: PaperSettings) -> str:
    """What to type to make the same again."""
    size = ["--quick"] * settings.quick + ["--full"] * settings.full
    seeds = [] if settings.seeds is None else ["--seeds", str(settings.seeds)]
    images = [] if settings.images is None else ["--images", "FOLDER"]
    return " ".join(["trompe", "paper", *settings.names, *size, *seeds, *images, "--out", "DIR"])


@keywords(PaperSettings)
def paper(settings: PaperSettings) -> Account:
    """Run the paper's experiments and write ``paper.html`` and ``paper.json``; see `performing` for progress.

    Takes the fields of `PaperSettings`. What an interrupted call measured stays; the same call goes on after it.

    Returns:
        Every claim with its verdict.

    Raises:
        BadInput: An experiment is unknown, or a setting is out of range.
        RunError: The folder cannot be written, or holds data of another size.
    """
    if not settings.list:
        for _ in performing(settings):
            pass
        return publish(settings)
    effort = effort_of(settings)
    listed: dict[str, tuple[Experiment, Mapping[str, Any]]] = {}
    for one in experiments(settings.names):
        listed[one.name] = one, {}
    return Account(sections(listed, effort), effort, command(settings), describe_machine(), describe_versions())
