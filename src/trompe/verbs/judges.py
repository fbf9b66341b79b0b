"""How the target of a new run is asked, and who is asked in each of its searches."""

from dataclasses import replace

from trompe.core.types import Classwise, Images, Niches, Target
from trompe.run.opinions import Opinion
from trompe.search import (
    CLUSTER,
    Judge,
    JudgeSettings,
    choose,
    fitting_rows,
    is_apart,
    named_settings,
    part_rows,
    plain_torch,
    reference_judge,
    search_judge,
)
from trompe.settings import AuditSettings, FoolSettings
from trompe.verbs.begun import begun

LARGEST = 256
"""Rows a call, at most, where nobody measured."""
ROUND = 200
"""Evaluations after which it is looked at whether to ask the reference about what another engine found, at least; where
there are more classes, as many as there are classes, since it may have to be asked about an image of each."""
MARGIN = 0.5
"""In log-odds: so much may another engine be below the goal for it to be worth while to ask the reference."""


def judge_settings(settings: FoolSettings | AuditSettings, target: Target, rows: int) -> JudgeSettings:
    """How a target is asked: as the run was begun, where it is taken up again; otherwise as the settings say.

    Args:
        settings: Of the command.
        target: As it was loaded.
        rows: Candidates that are judged together.
    """
    about = begun(settings)
    if about is not None:
        return JudgeSettings(**about.judge)
    if settings.engine == "auto":
        return choose(target, rows)
    if settings.device == "cuda":
        plain_torch(target)
        return named_settings(target, "torch:cuda", rows, settings.threads)
    rows = part_rows(rows) if settings.engine == CLUSTER else min(rows, LARGEST)
    asked = named_settings(target, settings.engine, rows, settings.threads)
    if asked.engine != "torch":
        return asked
    batch = min(rows, fitting_rows(target))
    # Two threads that share four large images take 1.5 times as long as two that have four each.
    abreast = settings.threads if rows >= 2 * batch and is_apart(target) else 1
    return replace(asked, batch=batch, abreast=abreast)


def ends_round(step: int, batch: int, classes: int = 0) -> bool:
    """Whether a step is the last of a round, for steps of so many candidates and so many classes."""
    return step % _steps_a_round(batch, classes) == 0


def is_checkpoint(step: int, batch: int, classes: int = 0) -> bool:
    """Whether the reference is asked after this step whatever was found: after rounds 10, 100, 1000, ...

    The reference may be ten times as slow as what searches, and a thousand elites take it a while.

    Example:
        >>> [step for step in range(1000) if is_checkpoint(step, 50)]
        [40, 400]
        >>> [step for step in range(1000) if is_checkpoint(step, 50, classes=1000)]
        [200]
    """
    rounds = step // _steps_a_round(batch, classes)
    return ends_round(step, batch, classes) and rounds >= 10 and str(rounds).rstrip("0") == "1"


def _steps_a_round(batch: int, classes: int) -> int:
    return -(-max(ROUND, classes) // batch)


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
