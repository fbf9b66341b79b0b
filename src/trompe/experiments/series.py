"""Running a series of experiments, and writing its page with a verdict on each claim."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Literal

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.experiments.bench import collect, perform
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
    """Run as `paper` and `why` do, and write the page anew after each experiment.

    Yields:
        Experiment and unit at hand, units done, and how many there are; after each unit.
    """
    effort, chosen = effort_of(settings), experiments(settings.names, series_of(settings))
    folder = Path(settings.out)
    ready = [one for one in chosen if not one.missing()]
    total, done = sum(len(one.planned(effort)) for one in ready), 0
    for one in ready:
        for unit, _ in perform(one, folder / one.name, effort):
            done += 1
            yield f"{one.name} {unit}", done, total
        publish(settings)


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
        BadInput: Both quick and full, or no seeds.
    """
    full = isinstance(settings, PaperSettings) and settings.full
    if settings.quick and full:
        raise BadInput(expected="one size", got="both", where="--quick and --full", do="Leave one of them out.")
    if settings.seeds is not None:
        check_at_least(settings.seeds, 1, "--seeds")
    size: Literal["quick", "default", "full"] = "quick" if settings.quick else "full" if full else "default"
    return Effort(size, settings.seeds)


def command(settings: Settings) -> str:
    """What to type to make the same again."""
    effort = effort_of(settings)
    size = [] if effort.size == "default" else [f"--{effort.size}"]
    seeds = [] if settings.seeds is None else ["--seeds", str(settings.seeds)]
    return " ".join(["trompe", series_of(settings).name, *settings.names, *size, *seeds, "--out", "DIR"])


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
