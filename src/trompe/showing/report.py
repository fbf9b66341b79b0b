"""`report`: a run as one page to look at, and its contact sheet."""

from pathlib import Path

from trompe.run import open_run
from trompe.run.folder import write_whole
from trompe.run.sheet import contact_sheet, png
from trompe.settings import ReportSettings
from trompe.showing.evidence import gather
from trompe.showing.page import render
from trompe.verbs.keywords import keywords

PAGE, SHEET = "report.html", "contact-sheet.png"


@keywords(ReportSettings)
def report(settings: ReportSettings) -> Path:
    """Write the page of a run, finished or not, and its contact sheet.

    Takes the fields of `ReportSettings`. The page is one file that needs nothing else and opens from disk.

    Returns:
        The page.

    Raises:
        RunError: No run, damaged, or the folder cannot be written.
        BadInput: The second network is unknown.
    """
    run = open_run(settings.run)
    page = render(gather(run, public=settings.public, second=settings.second))
    folder = Path(settings.out or run.folder)
    write_whole(folder / SHEET, png(contact_sheet(run)))
    write_whole(folder / PAGE, page.encode())
    return folder / PAGE
