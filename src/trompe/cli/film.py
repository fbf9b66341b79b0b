"""`trompe film RUN --class LABEL`."""

import json

from trompe.cli.parse import parse
from trompe.settings import FilmSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("film", FilmSettings, words)
    from trompe.showing.film import film

    path = film(**vars(settings))
    print(json.dumps({"film": str(path)}) if show.json else f"film       {path}")
    return 0
