"""`trompe inspect TARGET`."""

import json
from typing import Any

from trompe.cli.parse import parse, plain
from trompe.settings import InspectSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("inspect", InspectSettings, words)
    from trompe.verbs.inspect import inspect

    found = inspect(**vars(settings))
    if show.json:
        print(json.dumps(_items(found), ensure_ascii=False))
        return 0
    for line in _lines(found):
        print(plain(line))
    if settings.save is not None:
        print(f"saved      {settings.save}")
    return 0


def _lines(found: Any) -> list[str]:
    from trompe.targets.ready import declared_of

    target, ready = found.ready.target, found.ready
    channels, height, width = target.spec.shape
    reading = declared_of(target).reading
    labels = ", ".join(target.labels[:8]) + (f", ... {len(target.labels)} in all" if len(target.labels) > 8 else "")
    ceiling = reading.ceiling(len(target.labels))
    lines = [
        f"preprocessing {ready.preprocessing}: {_meaning(ready.preprocessing)}",
        f"target     {target.name}",
        f"images     {channels} x {height} x {width}",
        f"labels     {labels}",
        f"outputs    {reading.kind}, {'one class of all' if reading.link == 'softmax' else 'a yes or no each'}",
    ]
    if ceiling is not None and not ready.findings:
        lines.append(f"ceiling    log-odds above {ceiling:.1f} cannot be seen in probabilities")
    lines += [f"finding    {finding}" for finding in ready.findings] or ["findings   none"]
    if found.trials:
        lines += ["", f"{'preprocessing':<40} {'right':<38} mean log-probability of the right class"]
        lines += [f"{trial.name:<40} {trial.accuracy!s:<38} {trial.likelihood:.3f}" for trial in found.trials]
        best = found.trials[0]
        lines.append(f"the likeliest: {best.name}. It is a suggestion: declare it in a target file if it is right.")
    return lines


def _meaning(status: str) -> str:
    return {
        "declared": "somebody stated it",
        "confirmed": "labelled images show that it is right",
        "unverified": "nobody stated it; try --images FOLDER, or declare it in a target file (--save FILE)",
        "contradicted": "somebody stated it, but labelled images speak against it",
    }[status]


def _items(found: Any) -> dict[str, Any]:
    target = found.ready.target
    trials = [
        {
            "name": trial.name,
            "preprocessing": trial.preprocessing.describe(),
            "right": trial.accuracy.count,
            "of": trial.accuracy.of,
            "likelihood": trial.likelihood,
        }
        for trial in found.trials
    ]
    head = {"target": target.name, "shape": list(target.spec.shape), "labels": list(target.labels)}
    return {**head, **found.ready.describe(), "trials": trials}
