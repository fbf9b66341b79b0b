"""`fool`: make images that mean nothing and that a classifier is certain about."""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from trompe.core.errors import BadInput, RunError
from trompe.core.numerics import level_odds
from trompe.core.specs import ImageSpec
from trompe.core.types import Encoding, Step, Target
from trompe.run import About, Recorder, Run, open_run, publish
from trompe.run.results import read_results, write_images
from trompe.search import Contest, EveryClass, Judge, JudgeSettings, Plan, Tally
from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.verbs.keywords import keywords
from trompe.verbs.methods import LEVELS, make_encoding, make_plan, make_search, parse_time, resolve
from trompe.verbs.verify import check_same_target, confirm

_NOT_STORED = ("out", "resume")
_JUDGE_BATCH = 256


@dataclass(frozen=True, eq=False)
class Attempt:
    """Everything that a `fool` needs, made and checked before anything is written.

    Attributes:
        settings: As they were given.
        target: The classifier.
        plan: How long the search goes on.
        judge: How the target is asked.
        encoding: What evolves.
        niches: The classes attempted.
        patience: Seconds after which it stops; None for never.
    """

    settings: FoolSettings
    target: Target
    plan: Plan
    judge: JudgeSettings
    encoding: Encoding[Any]
    niches: EveryClass
    patience: float | None

    @classmethod
    def prepare(cls, settings: FoolSettings, target: Target | None = None, judge: JudgeSettings | None = None) -> Self:
        """Check the settings and make what they name.

        Args:
            settings: Of the command.
            target: Where given, taken as it is; otherwise loaded from ``settings.target``.
            judge: Where given, enforced; otherwise chosen from the settings.

        Raises:
            BadInput: A setting is unusable.
            TargetError: The target is.
        """
        settings, patience = resolve(settings), parse_time(settings.time)
        make_plan(settings)  # a number out of range is refused before a target is loaded
        target = target or load_target(settings.target)
        if not isinstance(target.spec, ImageSpec):
            raise BadInput(
                expected="a target that takes images",
                got=repr(target.spec),
                where="TARGET",
                do="Choose another target.",
            )
        niches = EveryClass.of(target, settings.classes)
        plan = make_plan(settings, len(niches.names))
        judge = judge or JudgeSettings(min(plan.batch, _JUDGE_BATCH), settings.threads)
        encoding = make_encoding(settings, plan, target.spec)
        return cls(settings, target, plan, judge, encoding, niches, patience)

    @property
    def method(self) -> str:
        """As it is called in results, for example ``"pixels-evolve"``."""
        return f"{self.settings.encoding}-{self.settings.by}"

    def about(self) -> About:
        """What is fixed from the start."""
        return About.now(
            settings=stored_settings(self.settings),
            target=describe_target(self.target, self.settings.target),
            judge=asdict(self.judge),
            encoding=self.encoding.describe(),
            levels=LEVELS,
        )


class Session:
    """A `fool` under way: iterate over it for its steps, then `finish` it.

    Use it as a context manager: on leaving, whatever happened, everything recorded is committed and the folder is
    let go. A session over a finished run has no steps.

    Args:
        attempt: What to do.
    """

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.folder = attempt.settings.out
        recorder = Recorder.resume(self.folder) if attempt.settings.resume else None
        self._resumed = recorder is not None
        self._recorder = recorder or Recorder.create(
            self.folder, attempt.about(), [(attempt.method, attempt.niches.names)]
        )
        with ExitStack() as stack:
            stack.callback(self._recorder.close)
            if self._resumed:
                self._check_resumed()
            opened = self._recorder.reopen(0, attempt.encoding.genome_type)
            self._archive, self._tally, self._state = opened.archive, opened.tally, opened.state
            self._judge = JudgeSettings(**self._recorder.about.judge)
            self._spent = sum(search.seconds for search in open_run(self.folder).searches)
            stack.pop_all()

    @property
    def about(self) -> About:
        """What was fixed when the run began, which may have been on another machine."""
        return self._recorder.about

    @property
    def tally(self) -> Tally:
        """Where the search stood when the session began."""
        return self._tally

    @property
    def finished(self) -> bool:
        """Whether there was nothing to do."""
        return self._state == "done"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None and issubclass(kind, KeyboardInterrupt):
                self._recorder.mark(0, "interrupted", "interrupted")
                publish(open_run(self.folder))
        finally:
            self._recorder.close()

    def __iter__(self) -> Iterator[Step[Any]]:
        if self.finished:
            return
        self._recorder.mark(0, "running", "")
        attempt, judge = self.attempt, Judge(self.attempt.target, self._judge)
        number, evaluations = self._tally.number, self._tally.evaluations
        contest = Contest(attempt.encoding, judge, attempt.niches, self._recorder.about.levels)
        steps = make_search(attempt.settings)(contest, self._archive, attempt.plan, self._tally)
        before = time.monotonic()
        # A kill may have come between the last step and the note that it was the last: look before going on.
        while not (reason := self._reason_to_stop(number)) and (step := next(steps, None)) is not None:
            now = time.monotonic()
            self._recorder.record(0, step, now - before)
            self._spent, before = self._spent + now - before, now
            number, evaluations = step.number, step.evaluations
            yield step
        self._recorder.mark(0, "done", reason or attempt.plan.ended_by(number, evaluations))
        self._state = "done"

    def finish(self) -> Run:
        """Write the images, read them back and judge them again, then write the results.

        Returns:
            The run. Its judgements say what verification found.
        """
        if not self._published():
            self._recorder.commit()
            run = open_run(self.folder)
            write_images(run)
            self._recorder.judged(confirm(run, self.attempt.target).rows)
            publish(open_run(self.folder))
        return open_run(self.folder)

    def _published(self) -> bool:
        """Whether the results on disk are those of the finished run; they are the last thing that is written."""
        try:
            return bool(read_results(self.folder)["state"] == "done")
        except RunError:
            return False

    def _check_resumed(self) -> None:
        about, wanted = self._recorder.about, self.attempt
        _check_same_settings(about.settings, stored_settings(wanted.settings), self.folder)
        check_same_target(about.target, wanted.target, self.folder)

    def _reason_to_stop(self, number: int) -> str:
        """Why the search ends after this step; empty where it does not."""
        if number < 0:
            return ""
        settings, value = self.attempt.settings, self._archive.elites.value
        if settings.confidence is not None and bool((value >= level_odds(settings.confidence)).all()):
            return "confidence"
        if self.attempt.patience is not None and self._spent >= self.attempt.patience:
            return "time"
        return ""


def stored_settings(settings: FoolSettings) -> dict[str, Any]:
    """The settings as a run stores them: by field, JSON-ready, without the folder."""
    items = {field.name: getattr(settings, field.name) for field in fields(settings)}
    return {
        key: list(value) if isinstance(value, tuple) else value
        for key, value in items.items()
        if key not in _NOT_STORED
    }


def restore_settings(items: dict[str, Any], out: Path, *, resume: bool) -> FoolSettings:
    """The settings that `stored_settings` gave, for another folder."""
    return FoolSettings(**{**items, "classes": tuple(items["classes"])}, out=out, resume=resume)


def describe_target(target: Target, text: str) -> dict[str, Any]:
    """What a run stores of its target."""
    return {
        "name": target.name,
        "text": text,
        "fingerprint": target.fingerprint(),
        "labels": list(target.labels),
        "link": target.link,
        "spec": target.spec.describe(),
    }


def fool_with(settings: FoolSettings, target: Target) -> Run:
    """`fool` a target that is at hand as an object; ``settings.target`` is only its name in the record."""
    with Session(Attempt.prepare(replace(settings, out=Path(settings.out)), target)) as session:
        for _ in session:
            pass
        return session.finish()


@keywords(FoolSettings)
def fool(settings: FoolSettings) -> Run:
    """Make images that mean nothing and that a classifier is certain about; keep the best for every class.

    Takes the fields of `FoolSettings`. What was recorded before an interruption stays and can be resumed.

    Returns:
        The run, finished, its images on disk and verified.

    Raises:
        BadInput: A setting is unusable.
        TargetError: The target is, or gives answers that are not numbers.
        RunError: The folder is, or holds another run.
    """
    settings = replace(settings, out=Path(settings.out))
    return fool_with(settings, load_target(settings.target))


def _check_same_settings(stored: dict[str, Any], given: dict[str, Any], folder: Path) -> None:
    for key in sorted(stored.keys() | given.keys()):
        if stored.get(key) != given.get(key):
            raise RunError(
                expected=f"the settings the run was begun with, --{key} {stored.get(key)}",
                got=f"{given.get(key)}",
                where=f"--resume {folder}",
                do="Give the same settings to go on, or another --out to begin anew.",
            )
