"""`report`: a run as one page to look at, and its contact sheet."""

import json
from pathlib import Path

from trompe.core.errors import BadInput
from trompe.run import Run, open_run
from trompe.run.folder import write_whole
from trompe.run.reads import reads_of
from trompe.run.results import fooled
from trompe.run.sheet import contact_sheet, png
from trompe.settings import ReportSettings
from trompe.showing.evidence import gather
from trompe.showing.page import render
from trompe.verbs.answers import read_answers
from trompe.verbs.keywords import keywords
from trompe.verbs.people import People, people

PAGE, SHEET, PEOPLE = "report.html", "contact-sheet.png", "people.json"


@keywords(ReportSettings)
def report(settings: ReportSettings) -> Path:
    """Write the page of a run, finished or not, and its contact sheet; with answers, what people saw, too.

    Takes the fields of `ReportSettings`. The page is one file that needs nothing else and opens from disk.

    Returns:
        The page.

    Raises:
        RunError: No run, damaged, or the folder cannot be written.
        BadInput: The second network is unknown, a file of answers is malformed, or none of them is about a picture of
            this run.
    """
    run = open_run(settings.run)
    asked = _asked(run, settings) if settings.answers else None
    page = render(gather(run, public=settings.public, second=settings.second, people=asked))
    folder = Path(settings.out or run.folder)
    if asked is not None:
        write_whole(folder / PEOPLE, _people_file(run, asked, public=settings.public))
    write_whole(folder / SHEET, png(contact_sheet(run)))
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE


def told_of_answers(file: Path) -> str:
    """In a line, what came of the answers: pictures, people, and answers that count nowhere.

    Args:
        file: The ``people.json`` that `report` wrote.
    """
    told = json.loads(file.read_text(encoding="utf-8"))
    foreign = sum(each["answers"] for each in told["foreign"])
    counted = f"{len(told['images'])} pictures of this run answered by {told['name']}"
    apart = f"; {len(told['apart'])} more failed the attention checks" if told["apart"] else ""
    other = f"; {foreign} answers are about pictures of another run, and count nowhere" if foreign else ""
    return f"{counted}{apart}{other}"


def _asked(run: Run, settings: ReportSettings) -> People:
    """What people saw; answers about other pictures are shown beside, but not if there are no others."""
    found = people(run, read_answers(settings.answers))
    if found.raters or found.apart:
        return found
    raise BadInput(
        expected="answers about pictures of this run",
        got=f"{sum(foreign.answers for foreign in found.foreign)} about pictures that it does not know, of page "
        f"{', '.join(foreign.page for foreign in found.foreign)}",
        where=f"--answers {' '.join(map(str, settings.answers))}",
        do=f"Name the run that the page was made of, or files from the page of {settings.run}.",
    )


def _people_file(run: Run, asked: People, *, public: bool) -> bytes:
    content = asked.describe() | {"fooled": fooled(run, reads_of(run).with_people(asked.decided(), asked.beside()))}
    if public:
        for rater in (*content["raters"], *content["apart"]):
            del rater["name"]
    return f"{json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode()
