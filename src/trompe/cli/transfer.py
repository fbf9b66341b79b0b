"""`trompe transfer RUN --to TARGET`."""

import json
from typing import Any

from trompe.cli.parse import parse, plain
from trompe.settings import TransferSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("transfer", TransferSettings, words)
    from trompe.verbs.transfer import transfer

    found = transfer(**vars(settings))
    if show.json:
        print(json.dumps(found.describe(), ensure_ascii=False, allow_nan=False))
        return 0
    for line in _lines(found):
        print(plain(line))
    return 0


def _lines(found: Any) -> list[str]:
    lines = []
    for target, key in dict.fromkeys((row.target, row.fingerprint) for row in found.rows):
        rows = [row for row in found.rows if row.fingerprint == key]
        lines += [
            f"{found.source} to {target}: how many images get their own class, or any, with that confidence or more",
            "",
        ]
        lines += [*_table(rows, found.levels), ""]
        missing = dict.fromkeys(label for row in rows for label in row.missing)
        lines += [f"no such class: {', '.join(missing)}; not counted under same class"] if missing else []
        spared = dict.fromkeys(label for row in rows for label in row.spared)
        lines += [f"harmless there, or for none of these: {', '.join(spared)}; in no count"] if spared else []
    return [*lines, *found.notes]


def _table(rows: list[Any], levels: tuple[float, ...]) -> list[str]:
    from trompe.core.numerics import say_confidence

    shown = [f"{100 * level:g} %" for level in levels]
    head = ["method", "images", "how", "at home", *(f"same {s}" for s in shown), *(f"any {s}" for s in shown)]
    table = [head]
    for row in rows:
        home = "-" if row.source_log_odds is None else say_confidence(row.source_log_odds)
        same = [row.says(level, own=True) for level in levels]
        table.append([row.method, row.images, row.how, home, *same, *(row.says(level, own=False) for level in levels)])
    widths = [max(len(row[i]) for row in table) for i in range(len(head))]
    return ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in table]
