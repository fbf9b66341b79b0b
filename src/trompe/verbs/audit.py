"""`audit`: every method against one target, in one run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from trompe.core.errors import BadInput
from trompe.core.types import Target
from trompe.run import Run
from trompe.search import JudgeSettings
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import load_target
from trompe.verbs.fool import Attempt, Session, stored_settings
from trompe.verbs.judges import judge_settings
from trompe.verbs.keywords import keywords

_JUDGE_BATCH = 50
_SHARED = ("classes", "confidence", "budget", "seed", "threads", "engine", "out", "resume")


def audit_session(settings: AuditSettings, target: Target | None = None, judge: JudgeSettings | None = None) -> Session:
    """A session over all methods of an audit, one after the other.

    Args:
        settings: Of the command.
        target: Where given, taken as it is; otherwise loaded from ``settings.target``.
        judge: Where given, enforced; by default one batch size serves all methods: the number of classes, at most 50.

    Raises:
        BadInput: A setting is unusable, or a method is named twice.
    """
    if not settings.methods or len(set(settings.methods)) < len(settings.methods):
        raise BadInput(
            expected="at least one method, each once",
            got=", ".join(settings.methods) or "none",
            where="--methods",
            do="Name each method once.",
        )
    target = target or load_target(settings.target)
    classes = len(settings.classes or target.labels)
    judge = judge or judge_settings(settings, target, min(_JUDGE_BATCH, classes))
    attempts = [Attempt.prepare(_method_settings(settings, method), target, judge) for method in settings.methods]
    return Session(attempts[0], *attempts[1:], settings=stored_settings(settings))


@keywords(AuditSettings)
def audit(settings: AuditSettings) -> Run:
    """How sure is a classifier about nonsense? Every method against it, in one run.

    Takes the fields of `AuditSettings`.

    Returns:
        The run, finished, its images on disk and verified.

    Raises:
        BadInput: A setting is unusable.
        TargetError: The target is, or gives answers that are not numbers.
        RunError: The folder is, or holds another run.
    """
    with audit_session(replace(settings, out=Path(settings.out))) as session:
        for _ in session:
            pass
        return session.finish()


def _method_settings(settings: AuditSettings, method: str) -> FoolSettings:
    encoding, by = method.split("-")
    shared: dict[str, Any] = {name: getattr(settings, name) for name in _SHARED}
    return FoolSettings(settings.target, **shared, by=by, encoding=encoding)  # type: ignore[arg-type]
