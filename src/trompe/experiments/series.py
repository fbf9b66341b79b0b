"""Running a series of experiments, and writing its page with a verdict on each claim."""

import json
import math
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, Literal

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.experiments.bench import collect, perform, read_unit
from trompe.experiments.crew import Task, measured_by_many
from trompe.experiments.listing import PAPER, WHY, Series, experiments
from trompe.experiments.nouns import Effort, Experiment
from trompe.experiments.page import render
from trompe.experiments.report import Account, sections
from trompe.run import describe_machine, describe_versions
from trompe.run.folder import write_whole
from trompe.settings import PaperSettings, WhySettings

Settings = PaperSettings | WhySettings


def series_of(settings: Settings) -> Series:
    """Which experiments the settings are about."""
    return PAPER if isinstance(settings, PaperSettings) else WHY


def page_of(settings: Settings) -> Path:
    """Where the page is written; the table lies beside it."""
    return Path(settings.out) / f"{series_of(settings).name}.html"


def performing(settings: Settings) -> Iterator[tuple[str, int, int]]:
    """Run as `paper` and `why` do, and write the page anew when an experiment is finished.

    Not as often as that writing would take more time than what is measured.

    Yields:
        Experiment and unit at hand, units done, and how many there are; after each unit.

    Raises:
        RunError: What is on disk is damaged or of another size, or a unit fails.
    """
    effort, folder = effort_of(settings), Path(settings.out)
    ready = [one for one in experiments(settings.names, series_of(settings)) if not one.missing()]
    left = {one.name: len(one.planned(effort)) for one in ready}
    total, spent, ended = sum(left.values()), 0.0, -math.inf
    for done, (name, unit) in enumerate(_measured(ready, folder, effort, settings.workers), 1):
        left[name] -= 1
        if (
            not left[name] and time.monotonic() - ended >= spent
        ):  # what was there before comes at once: one page will do
            begun = time.monotonic()
            publish(settings)
            ended = time.monotonic()
            spent = ended - begun
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


def publish(settings: Settings) -> Account:
    """Write page and table of what there is: what was asked for, and what stands finished in the folder beside it.

    Raises:
        RunError: A record is damaged or of another size, or the folder cannot be written.
    """
    effort, folder, series = effort_of(settings), Path(settings.out), series_of(settings)
    wanted = {one.name for one in experiments(settings.names, series)}
    found: dict[str, tuple[Experiment, Mapping[str, Any]]] = {}
    for one in experiments((), series):
        cannot = one.name in wanted and one.missing()
        begun = one.name in wanted or (folder / one.name).is_dir()
        records = {} if cannot else collect(one, folder / one.name, effort) if begun else None
        if records is not None:
            found[one.name] = one, records
    account = _account(found, settings)
    table = json.dumps(account.describe(), indent=2, ensure_ascii=False, allow_nan=False)
    write_whole(page_of(settings).with_suffix(".json"), f"{table}\n".encode())
    write_whole(page_of(settings), render(account).encode())
    return account


def effort_of(settings: Settings) -> Effort:
    """How much the settings ask for.

    Raises:
        BadInput: Both quick and full, no seeds, no workers, or no folder of photographs.
    """
    full = isinstance(settings, PaperSettings) and settings.full
    if settings.quick and full:
        raise BadInput(expected="one size", got="both", where="--quick and --full", do="Leave one of them out.")
    if settings.seeds is not None:
        check_at_least(settings.seeds, 1, "--seeds")
    if settings.workers is not None:
        check_at_least(settings.workers, 1, "--workers")
    images = settings.images if isinstance(settings, PaperSettings) else None
    if images is not None and not images.is_dir():
        raise BadInput(expected="a folder of labelled photographs", got=str(images), where="--images",
                       do="Name one with a folder for each class, or leave it out.")  # fmt: skip
    size: Literal["quick", "default", "full"] = "quick" if settings.quick else "full" if full else "default"
    return Effort(size, settings.seeds, images)


def command(settings: Settings) -> str:
    """What to type to make the same again."""
    effort = effort_of(settings)
    size = [] if effort.size == "default" else [f"--{effort.size}"]
    seeds = [] if settings.seeds is None else ["--seeds", str(settings.seeds)]
    images = [] if effort.images is None else ["--images", "FOLDER"]
    return " ".join(["trompe", series_of(settings).name, *settings.names, *size, *seeds, *images, "--out", "DIR"])


def accounted(settings: Settings) -> Account:
    """Do what the settings ask for: list the experiments, or run them and write the page."""
    if not settings.list:
        for _ in performing(settings):
            pass
        return publish(settings)
    listed: dict[str, tuple[Experiment, Mapping[str, Any]]] = {}
    for one in experiments(settings.names, series_of(settings)):
        listed[one.name] = one, {}
    return _account(listed, settings)


def _account(found: Mapping[str, tuple[Experiment, Mapping[str, Any]]], settings: Settings) -> Account:
    effort, name = effort_of(settings), series_of(settings).name
    machine, versions = describe_machine(), describe_versions()
    return Account(sections(found, effort), effort, command(settings), machine, versions, name)
