"""How the run that is taken up again was begun."""

from pathlib import Path

from trompe.core.errors import RunError
from trompe.run import About, open_run
from trompe.run.schema import DATABASE
from trompe.settings import AuditSettings, FoolSettings


def begun(settings: FoolSettings | AuditSettings) -> About | None:
    """As the run in the folder was begun; None where none was, or it cannot be read, which others will say."""
    folder = Path(settings.out)
    if not settings.resume or not (folder / DATABASE).is_file():
        return None
    try:
        return open_run(folder).about
    except RunError:
        return None
