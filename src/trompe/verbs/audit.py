"""`audit`: every method against one target, in one run, after distrust and beside natural images and a control."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from typing import Any

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.core.numerics import probability
from trompe.core.tokens import TokenSpec
from trompe.core.types import Target
from trompe.measure.metrics import Answer, accuracy, calibration_error, usual_log_odds
from trompe.measure.survival import TRANSFORMS, Transform, parse_transforms
from trompe.measure.surviving import itself
from trompe.run import Run
from trompe.run.reads import READERS
from trompe.search import JudgeSettings
from trompe.settings import AuditSettings, FoolSettings, Method
from trompe.targets import ForeignTarget
from trompe.targets.guarded import undefended
from trompe.targets.ready import LowestOfFive, Ready, make_ready
from trompe.verbs.control import control
from trompe.verbs.devices import with_device
from trompe.verbs.fool import Attempt, Session, describe_target, open_target, stored_settings
from trompe.verbs.inspect import examine
from trompe.verbs.judges import judge_settings
from trompe.verbs.keywords import keywords
from trompe.verbs.methods import parse_time
from trompe.verbs.natural import judge_natural, natural_images, samples_folder
from trompe.verbs.readable import check_readers, read_kept
from trompe.verbs.renderers import with_renderer
from trompe.verbs.thrift import line_of, remote_judge

_JUDGE_BATCH = 50
_SHARED = (
    "generations", "classes", "confidence", "budget", "max_queries", "header", "threads", "engine", "address",
    "workers", "asynchronous", "device", "renderer", "survive", "guard", "trust", "out", "resume",
)  # fmt: skip
_TOP = 0.9999
_PAINTED = (1, 3)
TOKEN_METHODS: tuple[Method, ...] = ("tokens-evolve", "tokens-scatter")
"""What rows of tokens can be tried with."""
"""Channels of the images that a small network can paint."""
_SEARCHING = 0.8
"""Of the time: the rest is for verifying, the control and natural images."""
_PHOTOGRAPHS = 200
"""Natural images on which every preprocessing is tried; all are judged in the end."""


class AuditSession(Session):
    """A session over all methods of an audit, with what is measured beside them in the end."""

    images: Path | None = None

    def measurements(self, run: Run) -> Iterator[tuple[str, Any]]:
        """What the target says of natural images, whether the methods get through the control, and what can be read."""
        attempt = self.attempts[0]
        target, judge = itself(attempt.target), JudgeSettings(**run.about.judge)
        photographs = natural_images(target, self.images)
        if photographs is not None and (line_of(target) is None or self.images is not None):
            answers = judge_natural(target, photographs, judge)
            yield "natural", natural_summary(answers, self.images)
        yield "control", control(_one_each(self.attempts), self._spent_by_method(run), self._level)
        yield READERS, read_kept(run, target, photographs)

    @property
    def _level(self) -> float:
        return self.attempts[0].settings.confidence or _TOP

    def _spent_by_method(self, run: Run) -> list[int]:
        """Evaluations of the control: the method's own budget, or what it got where it was cut short."""
        cut = ("time", "max-queries", "interrupted")
        most = []
        for attempt in _one_each(self.attempts):
            searches = [search for search in run.searches if search.method == attempt.method]
            most.append(min(s.evaluations if s.reason in cut else attempt.most for s in searches))
        return most


def _one_each(attempts: tuple[Attempt, ...]) -> list[Attempt]:
    return list({attempt.method: attempt for attempt in reversed(attempts)}.values())[::-1]


def natural_summary(answers: list[Answer], folder: Path | None) -> dict[str, Any]:
    """What a run keeps of natural images, JSON-ready: every answer, and the numbers made of them."""
    share, usual = accuracy(answers), usual_log_odds(answers)
    odds = [answer.log_odds for answer in answers]
    return {
        "source": "samples that come with the target" if folder is None else "images of the user",
        "images": len(answers),
        "accuracy": "not measured" if share is None else str(share),
        "calibration_error": "not measured" if share is None else calibration_error(answers),
        "median_log_odds": median(odds),
        "median_log_odds_of_right": "not measured" if usual is None else usual,
        "median_confidence_of_right": "not measured" if usual is None else probability(usual),
        "answers": [[answer.true, answer.named, answer.log_odds, answer.accepted] for answer in answers],
    }


def answers_of(run: Run) -> list[Answer]:
    """What the run's target said of natural images; empty where none were judged."""
    return [Answer(*row) for row in run.measured.get("natural", {}).get("answers", ())]


@dataclass(frozen=True)
class Prepared:
    """An audit that was checked and planned, before anything is written.

    Attributes:
        settings: Of the command.
        attempts: One a method and repeat.
        transforms: After which kept images are judged again.
    """

    settings: AuditSettings
    attempts: tuple[Attempt, ...]
    transforms: tuple[Transform, ...]

    @property
    def target(self) -> dict[str, Any]:
        """What the run will record of its target."""
        first = self.attempts[0]
        return describe_target(first.target, first.settings.target, first.ready)

    @property
    def natural(self) -> bool:
        """Whether there will be natural images to judge."""
        return self.settings.images is not None or samples_folder(self.attempts[0].target) is not None

    def session(self) -> AuditSession:
        """The session over all of it.

        Raises:
            RunError: The folder is unusable, or holds another run.
        """
        stored = stored_settings(self.settings)
        session = AuditSession(*self.attempts, settings=stored, transforms=self.transforms)
        session.images = self.settings.images
        return session


def audit_session(
    settings: AuditSettings, target: Target | None = None, judge: JudgeSettings | None = None
) -> AuditSession:
    """A session over an audit; see `prepare_audit`."""
    return prepare_audit(settings, target, judge).session()


def prepare_audit(
    settings: AuditSettings, target: Target | None = None, judge: JudgeSettings | None = None
) -> Prepared:
    """All methods of an audit, to be done one after the other, the repeats of each in the order of their seeds.

    Args:
        settings: Of the command.
        target: Where given, taken as it is; otherwise loaded from ``settings.target``.
        judge: Where given, enforced; by default one batch size serves all methods: the number of classes, at most 50.

    Raises:
        BadInput: A setting is unusable, or a method is named twice.
        TargetError: The target cannot be had, or nothing can be measured about it.
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
    settings, seconds = with_renderer(with_device(settings)), parse_time(settings.time)
    ready = _distrust(target or open_target(settings), settings)
    classes = len(settings.classes or ready.target.labels)
    judge = judge or remote_judge(ready.target)
    judge = judge or judge_settings(settings, ready.target, min(_JUDGE_BATCH, classes))
    if line_of(ready.target) is not None or isinstance(ready.target.spec, TokenSpec):
        transforms = ()  # each would cost a query; and bytes of tokens that are moved a little are other words
    check_readers(settings.readers, ready.target)
    seeds = range(settings.seed, settings.seed + settings.repeats)
    methods = possible_methods(settings, ready)
    attempts = [Attempt.prepare(_method_settings(settings, method, seed), ready, judge)
                for method in methods for seed in seeds]  # fmt: skip
    if seconds is not None:
        share = seconds * _SEARCHING / len(attempts)
        attempts = [replace(attempt, patience=share * (i + 1)) for i, attempt in enumerate(attempts)]
    return Prepared(settings, tuple(attempts), tuple(transforms))


@keywords(AuditSettings)
def audit(settings: AuditSettings) -> Run:
    """How sure is a classifier about nonsense? Every method against it, in one run.

    Takes the fields of `AuditSettings`. Conditions and files to write are for `gate` and the command line.

    Returns:
        The run, finished, its images on disk and verified.

    Raises:
        BadInput: A setting is unusable.
        TargetError: The target is, or gives answers that are not numbers.
        RunError: The folder is, or holds another run.
    """
    return audit_with(settings, None)


def audit_with(settings: AuditSettings, target: Target | None) -> Run:
    """`audit` a target that is at hand as an object; ``settings.target`` is only its name in the record."""
    with audit_session(replace(settings, out=Path(settings.out)), target) as session:
        for _ in session:
            pass
        return session.finish()


def possible_methods(settings: AuditSettings, ready: Ready) -> tuple[Method, ...]:
    """The methods to try: those asked for; where none were, all that this target can be tried with.

    Gradient ascent is left out on what has no gradient, and networks that paint on other than 1 or 3 channels.
    """
    if settings.methods != AuditSettings.methods:
        return settings.methods
    target = ready.target.inner if isinstance(ready.target, LowestOfFive) else ready.target
    climbable = not isinstance(undefended(target), ForeignTarget) and not any(
        finding.name in ("no-gradient", "masked-gradient") for finding in ready.findings
    )
    if isinstance(target.spec, TokenSpec):
        return TOKEN_METHODS
    painted = target.spec.shape[0] in _PAINTED
    return tuple(
        method
        for method in settings.methods
        if (climbable or not method.endswith("-ascend")) and (painted or not method.startswith("cppn-"))
    )


def _distrust(target: Target, settings: AuditSettings) -> Ready:
    if settings.images is None or line_of(target) is not None:  # of a server, every trial would cost queries
        return make_ready(target)
    return examine(target, settings.images, _PHOTOGRAPHS).ready


def _method_settings(settings: AuditSettings, method: str, seed: int) -> FoolSettings:
    encoding, by = method.split("-")
    shared: dict[str, Any] = {name: getattr(settings, name) for name in _SHARED}
    return FoolSettings(settings.target, **shared, seed=seed, by=by, encoding=encoding)  # type: ignore[arg-type]
