"""What a page of experiments tells of its own cost."""

import json
import re
from pathlib import Path

QUICK = 600
"""Processor seconds: 5 minutes on 2 cores."""


def processor_seconds(table: Path) -> int:
    """All that the experiments of a page took, by its table; each that has units must have been measured."""
    costs = {one["name"]: one["cost"] for one in json.loads(table.read_text())["experiments"] if one["units"]}
    told = {name: re.fullmatch(r"(\d+) processor seconds", cost) for name, cost in costs.items()}
    assert told
    assert [name for name, found in told.items() if not found] == []
    return sum(int(found[1]) for found in told.values() if found)
