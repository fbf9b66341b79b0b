"""`why`: why networks are easily fooled, asked of experiments."""

from trompe.experiments.report import Account
from trompe.experiments.series import accounted
from trompe.settings import WhySettings
from trompe.verbs.keywords import keywords


@keywords(WhySettings)
def why(settings: WhySettings) -> Account:
    """Answer why networks are easily fooled, and write ``why.html`` and ``why.json``; see `series.performing`.

    Takes the fields of `WhySettings`. What an interrupted call measured stays; the same call goes on after it.

    Returns:
        Every claim with its verdict.

    Raises:
        BadInput: An experiment is unknown, or a setting is out of range.
        RunError: The folder cannot be written, or holds data of another size.
    """
    return accounted(settings)
