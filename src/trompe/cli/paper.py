"""`trompe paper [NAME ...]`."""

import json
from typing import Any

from trompe.cli.parse import parse, plain
from trompe.cli.show import watching
from trompe.settings import PaperSettings, WhySettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_series("paper", PaperSettings, words)


def run_series(command: str, kind: type[PaperSettings] | type[WhySettings], words: list[str]) -> int:
    """Run a command that runs a series of experiments; returns its exit code."""
    settings, show = parse(command, kind, words)
    import torch

    from trompe.experiments.listing import experiments
    from trompe.experiments.series import effort_of, page_of, performing, publish, series_of

    effort = effort_of(settings)
    chosen = experiments(settings.names, series_of(settings))
    if settings.list:
        for line in _listed(chosen):
            print(plain(line))
        return 0
    torch.set_num_threads(1)  # small images: more threads are slower, and change the bits of what is trained
    total = sum(len(one.planned(effort)) for one in chosen if not one.missing())
    with watching("measurement", total, quiet=show.quiet or show.json) as watch:
        for name, done, _ in performing(settings):
            watch.tell(done, name)
    account = publish(settings)
    if show.json:
        print(json.dumps(account.describe(), ensure_ascii=False, allow_nan=False))
        return 0
    for line in _told(account):
        print(plain(line))
    print(f"page       {page_of(settings)}")
    return 0


def _listed(chosen: list[Any]) -> list[str]:
    lines = []
    for one in chosen:
        cannot = one.missing()
        lines += [f"{one.name}: {one.cost}" + (f"; cannot be run here: {cannot}" if cannot else "")]
        lines += [f"  {claim.name} ({claim.kind}) {claim.text}" for claim in one.claims]
    return lines


def _told(account: Any) -> list[str]:
    lines = []
    for section in account.sections:
        lines.append(f"{section.experiment.name} ({section.cost})")
        lines += [f"  {verdict.claim.name}: {verdict}" for verdict in section.verdicts]
    return lines
