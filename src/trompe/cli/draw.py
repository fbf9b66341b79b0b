"""`trompe draw RUN --class LABEL`."""

import json
from pathlib import Path

from trompe.cli.parse import parse
from trompe.settings import DrawSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("draw", DrawSettings, words)
    from trompe.showing.draw import draw

    drawing = draw(**vars(settings))
    if show.json:
        print(json.dumps({key: str(value) if isinstance(value, Path) else value for key, value in drawing.told()}))
        return 0
    print(f"drawn      {drawing.image}")
    print(f"network    {drawing}")
    if drawing.graph is not None:
        print(f"graph      {drawing.graph}")
    if drawing.formula is not None:
        print(f"formula    {drawing.formula}\n")
        print(drawing.text, end="")
    return 0
