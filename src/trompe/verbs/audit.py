"""`audit`: every method against one target, in one run."""

from dataclasses import replace
from pathlib import Path
from typing import Any

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.core.types import Target
from trompe.measure.survival import TRANSFORMS, parse_transforms
from trompe.measure.surviving import itself
from trompe.run import Run
from trompe.search import JudgeSettings
from trompe.settings import AuditSettings, FoolSettings, Method
from trompe.targets import ForeignTarget
from trompe.verbs.fool import Attempt, Session, open_target, stored_settings
from trompe.verbs.judges import judge_settings
from trompe.verbs.keywords import keywords
from trompe.verbs.thrift import line_of, remote_judge

_JUDGE_BATCH = 50
_SHARED = (
    "classes", "confidence", "budget", "max_queries", "header", "threads", "engine", "survive", "out", "resume",
)  # fmt: skip


def audit_session(settings: AuditSettings, target: Target | None = None, judge: JudgeSettings | None = None) -> Session:
    """A session over all methods of an audit, one after the other, the repeats of each in the order of their seeds.

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
    names = (*TRANSFORMS, *([settings.pipeline] if settings.pipeline else [])) if settings.survival else ()
    transforms = parse_transforms(dict.fromkeys(names))
    check_at_least(settings.repeats, 1, "--repeats")
    target = target or open_target(settings)
    if line_of(target) is not None:
        transforms = ()  # each would cost a query
    classes = len(settings.classes or target.labels)
    judge = judge or remote_judge(target) or judge_settings(settings, target, min(_JUDGE_BATCH, classes))
    seeds = range(settings.seed, settings.seed + settings.repeats)
    methods = possible_methods(settings, target)
    attempts = [Attempt.prepare(_method_settings(settings, method, seed), target, judge)
                for method in methods for seed in seeds]  # fmt: skip
    return Session(attempts[0], *attempts[1:], settings=stored_settings(settings), transforms=transforms)


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


def possible_methods(settings: AuditSettings, target: Target) -> tuple[Method, ...]:
    """The methods to try: those asked for; where none were, all but gradient ascent on what has no gradient."""
    asked = settings.methods != AuditSettings.methods
    if asked or not isinstance(itself(target), ForeignTarget):
        return settings.methods
    return tuple(method for method in settings.methods if not method.endswith("-ascend"))


def _method_settings(settings: AuditSettings, method: str, seed: int) -> FoolSettings:
    encoding, by = method.split("-")
    shared: dict[str, Any] = {name: getattr(settings, name) for name in _SHARED}
    return FoolSettings(settings.target, **shared, seed=seed, by=by, encoding=encoding)  # type: ignore[arg-type]
