"""`trompe report RUN`."""

import json

from trompe.cli.parse import parse
from trompe.settings import ReportSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("report", ReportSettings, words)
    from trompe.showing.report import SHEET, report

    page = report(**vars(settings))
    if show.json:
        print(json.dumps({"page": str(page), "sheet": str(page.with_name(SHEET))}))
    else:
        print(f"page       {page}")
        print(f"sheet      {page.with_name(SHEET)}")
    return 0
