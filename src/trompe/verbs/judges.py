"""How the target of a new run is asked, and who is asked in each of its searches."""

from trompe.core.errors import RunError
from trompe.core.types import Classwise, Images, Niches, Target
from trompe.run import open_run
from trompe.run.schema import DATABASE
from trompe.run.waiting import Opinion
from trompe.search import Judge, JudgeSettings, choose, named_settings, reference_judge, search_judge
from trompe.settings import AuditSettings, FoolSettings

LARGEST = 256
"""Rows a call, at most, where nobody measured."""
CHECKPOINT = 200
"""Evaluations after which the reference is asked about what another engine found."""


def judge_settings(settings: FoolSettings | AuditSettings, target: Target, rows: int) -> JudgeSettings:
    """How a target is asked: as the run was begun, where it is taken up again; otherwise as the settings say.

    Args:
        settings: Of the command.
        target: As it was loaded.
        rows: Candidates that are judged together.
    """
    stored = _stored(settings)
    if stored is not None:
        return stored
    if settings.engine == "auto":
        return choose(target, rows)
    return named_settings(target, settings.engine, min(rows, LARGEST), settings.threads)


def judge_of(target: Target, settings: JudgeSettings, *, climbs: bool) -> Judge:
    """Who is asked in a search: gradients are taken in the reference, whatever searches otherwise."""
    return reference_judge(target, settings) if climbs else search_judge(target, settings)


def opinion_of(target: Target, settings: JudgeSettings, niches: Niches) -> Opinion:
    """What the reference bids for images.

    Args:
        target: As it was loaded.
        settings: Of the run.
        niches: That are bid for.
    """
    reference = reference_judge(target, settings)

    def opinion(images: Images) -> Classwise:
        return niches.bids(reference.judge(images), images).value

    return opinion


def _stored(settings: FoolSettings | AuditSettings) -> JudgeSettings | None:
    """As the run in the folder was begun; None where none was, or it cannot be read, which others will say."""
    if not settings.resume or not (settings.out / DATABASE).is_file():
        return None
    try:
        return JudgeSettings(**open_run(settings.out).about.judge)
    except RunError:
        return None
