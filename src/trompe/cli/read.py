"""`trompe read RUN`."""

import json

from trompe.cli.parse import parse
from trompe.settings import ReadSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("read", ReadSettings, words)
    from trompe.showing.read import read_page

    page, chosen = read_page(settings)
    counts = {kind: sum(item.kind == kind for item in chosen) for kind in ("kept", "real", "noise")}
    if show.json:
        print(json.dumps({"page": str(page), "pictures": counts}))
    else:
        print(f"page       {page}")
        short = f" (of {settings.count}: the run keeps no more that are sure)" if len(chosen) < settings.count else ""
        kinds = f"{counts['kept']} of the run, {counts['real']} real, {counts['noise']} noise"
        print(f"pictures   {len(chosen)}: {kinds}{short}")
        print(f"then       trompe report {settings.run} --answers answers.csv")
    return 0
