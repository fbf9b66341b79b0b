"""`paper`: the paper's experiments, run again."""

from trompe.experiments.report import Account
from trompe.experiments.series import accounted
from trompe.settings import PaperSettings
from trompe.verbs.keywords import keywords


@keywords(PaperSettings)
def paper(settings: PaperSettings) -> Account:
    """Run the paper's experiments and write ``paper.html`` and ``paper.json``; see `series.performing` for progress.

    Takes the fields of `PaperSettings`. What an interrupted call measured stays; the same call goes on after it.

    Returns:
        Every claim with its verdict.

    Raises:
        BadInput: An experiment is unknown, or a setting is out of range.
        RunError: The folder cannot be written, or holds data of another size.
    """
    return accounted(settings)
