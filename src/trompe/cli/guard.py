"""`trompe guard TARGET`."""

import json
from typing import Any

from trompe.cli.parse import parse, plain
from trompe.settings import GuardSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("guard", GuardSettings, words)
    import torch

    from trompe.verbs.guard import guard

    torch.set_num_threads(1)  # small matrices: more threads are slower, and change the bits
    fitted = guard(**vars(settings))
    if show.json:
        told = {"guard": str(fitted.folder), "caution": fitted.caution, **vars(fitted.card)}
        print(json.dumps(told, ensure_ascii=False, allow_nan=False))
        return 0
    for line in _lines(fitted, settings):
        print(plain(line))
    return 0


def _lines(fitted: Any, settings: Any) -> list[str]:
    found = fitted.measured
    asked = f"{100 * settings.false_alarms:g} %"
    doubts = f", doubts {100 * settings.doubts:g} %" if settings.doubts else ""
    return [
        f"guard                 {fitted.card.kind}, threshold for {asked} false alarms{doubts}",
        f"false alarms          {_say(found.false_alarms)} images kept apart, asked about their own class",
        *([f"                      {fitted.caution}"] if fitted.caution else []),
        f"accuracy              {_say(found.accuracy)}, accepted or not",
        f"accepted              {_say(found.coverage)}",
        f"accepted and correct  {_say(found.accepted_and_correct)}",
        f"accepted at 99 %      {_say(found.certain)}",
        f"written               {fitted.folder}",
        f"Attack it: trompe judge {settings.target} --guard {fitted.folder} --portfolio screen --out JUDGED",
    ]


def _say(share: Any) -> str:
    low, high = 100 * share.low, 100 * share.high
    return f"{100 * share.count / share.of:.2f} % ({low:.2f} to {high:.2f}) of {share.of:,}"
