"""`trompe report RUN`."""

import json
from pathlib import Path

from trompe.cli.parse import parse
from trompe.settings import ReportSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("report", ReportSettings, words)
    from trompe.showing.report import PEOPLE, SHEET, report, told_of_answers

    page = report(**vars(settings))
    asked = {"people": str(page.with_name(PEOPLE))} if settings.answers else {}
    if show.json:
        print(json.dumps({"page": str(page), "sheet": str(page.with_name(SHEET)), **asked}))
    else:
        print(f"page       {page}")
        print(f"sheet      {page.with_name(SHEET)}")
        for file in asked.values():
            print(f"people     {file}")
            print(f"answers    {told_of_answers(Path(file))}")
    return 0
