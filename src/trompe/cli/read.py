"""`trompe read RUN`."""

import json

from trompe.cli.parse import parse
from trompe.settings import ReadSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("read", ReadSettings, words)
    from trompe.showing.read import read

    page = read(**vars(settings))
    if show.json:
        print(json.dumps({"page": str(page)}))
    else:
        print(f"page       {page}")
        print(f"then       trompe report {settings.run} --answers answers.csv")
    return 0
