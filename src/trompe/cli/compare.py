"""`trompe compare RUN RUN`."""

import json

from trompe.cli.parse import parse, plain
from trompe.settings import CompareSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("compare", CompareSettings, words)
    from trompe.verbs.compare import compare

    found = compare(**vars(settings))
    if show.json:
        pairs = [vars(pair) for pair in found.pairs]
        fooled = [{"level": level, "before": before, "after": after} for level, before, after in found.fooled]
        said = {"fooled": fooled or f"not measured: {found.unread}"}
        print(json.dumps({"pairs": pairs, "differing": found.differing, **said}, ensure_ascii=False))
        return 0
    for line in found.lines():
        print(plain(line))
    return 0
