"""`fool`: make images that mean nothing and that a classifier is certain about."""

import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from torch import Tensor

from trompe.core.errors import BadInput, RunError, TargetError
from trompe.core.numerics import level_odds
from trompe.core.specs import ImageSpec
from trompe.core.types import Encoding, Step, Target
from trompe.measure.survival import Transform
from trompe.measure.surviving import Surviving, itself, surviving
from trompe.run import About, Recorder, Run, open_run, publish
from trompe.run.reads import READERS
from trompe.run.results import read_results, write_images, write_results
from trompe.search import (
    Archive,
    Cluster,
    ClusterHands,
    Contest,
    DeviceArchive,
    EveryClass,
    Judge,
    JudgeSettings,
    Material,
    Plan,
    Tally,
)
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import ForeignTarget, load_target
from trompe.targets.guarded import guards_of, undefended
from trompe.targets.load import lasting
from trompe.targets.ready import Ready, make_ready, preprocessing_status
from trompe.verbs.access import access_of
from trompe.verbs.clusters import check_cluster, with_cluster
from trompe.verbs.devices import STAYING, with_device
from trompe.verbs.guarded import beside_target
from trompe.verbs.judges import MARGIN, ends_round, is_checkpoint, judge_of, judge_settings, opinion_of
from trompe.verbs.keywords import keywords
from trompe.verbs.material import material_for
from trompe.verbs.methods import LEVELS, describe_search, make_encoding, make_plan, make_search, parse_time, resolve
from trompe.verbs.readable import SKIP, check_readers, read_kept
from trompe.verbs.renderers import with_renderer
from trompe.verbs.same import check_same_numbers, check_same_settings
from trompe.verbs.superclasses import why_no_superclasses
from trompe.verbs.survive import survive
from trompe.verbs.thrift import (
    MAX_QUERIES,
    Thrift,
    check_remote,
    images_owed,
    line_of,
    remote_judge,
    searches_left,
)
from trompe.verbs.verify import Verification, check_same_target, confirm

NOTICES = "notices"
"""The name under which a run keeps what happened to those who judge for it, one sentence each."""
_NOT_STORED = ("out", "resume", "plan", "output", "fail_on", "baseline", "address", "workers")
_AS_BEFORE = {
    "survive": (), "survival": True, "pipeline": "", "renderer": "torch", "readers": "", "guard": None,
    "asynchronous": False, "device": "cpu",
}  # fmt: skip
"""Younger than the first runs, with what those did: left out there, so that a run from before repeats to its digest."""


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
        patience: Seconds, of all the run's searches together, after which it stops; None for never.
        ready: What preflight found, if there was one.
        material: Images that its start is made of, or that it keeps away from, where it needs any.
        called: What results call it, where that is not `encoding-by`.
    """

    settings: FoolSettings
    target: Target
    plan: Plan
    judge: JudgeSettings
    encoding: Encoding[Any]
    niches: EveryClass
    patience: float | None
    ready: Ready
    material: Material | None = None
    called: str = ""

    @classmethod
    def prepare(
        cls, settings: FoolSettings, target: Target | Ready | None = None, judge: JudgeSettings | None = None,
        material: Material | None = None,
    ) -> Self:  # fmt: skip
        """Check the settings and make what they name.

        Args:
            settings: Of the command.
            target: Where given, taken as it is, or as preflight left it; otherwise loaded from ``settings.target``.
            judge: Where given, enforced; otherwise chosen from the settings.
            material: Images for starts that are made of some; by default the samples beside a trained network.

        Raises:
            BadInput: A setting is unusable.
            TargetError: The target is.
        """
        settings, patience = with_renderer(with_device(resolve(settings))), parse_time(settings.time)
        make_plan(settings)  # a number out of range is refused before a target is loaded
        ready = target if isinstance(target, Ready) else _readied(target or open_target(settings))
        target = ready.target
        check_remote(target, settings)
        check_cluster(target, settings)
        if settings.by == "ascend" and isinstance(undefended(itself(target)), ForeignTarget):
            raise TargetError(
                expected="a target that torch can take a gradient through",
                got="one that only answers",
                where=f"target {target.name}",
                do="Choose a search that only asks: --by evolve or squares.",
            )
        target = surviving(target, settings.survive)
        if not isinstance(target.spec, ImageSpec):
            raise BadInput(
                expected="a target that takes images",
                got=repr(target.spec),
                where="TARGET",
                do="Choose another target.",
            )
        niches = EveryClass.of(target, settings.classes)
        plan = make_plan(settings, len(niches.names))
        judge = judge or remote_judge(target) or judge_settings(settings, target, plan.batch)
        if settings.by == "ascend":
            judge_of(target, judge, climbs=True).check_slope()
        encoding = make_encoding(settings, plan, target.spec, judge.threads)
        material = material_for(settings, target, niches.columns, material)
        return cls(settings, target, plan, judge, encoding, niches, patience, ready, material)

    @property
    def method(self) -> str:
        """As it is called in results, for example ``"pixels-evolve"``."""
        return self.called or f"{self.settings.encoding}-{self.settings.by}"

    @property
    def most(self) -> int:
        """Candidates that it judges at most."""
        plan, classes = self.plan, len(self.niches.names)
        whole = classes * (plan.generations + 1) if plan.groups else plan.initial + plan.last * plan.batch
        return whole if plan.budget is None else min(whole, plan.budget)


class Session:
    """One search or several, under way: iterate over it for their steps, then `finish` it.

    Use it as a context manager: on leaving, whatever happened, everything recorded is committed and the folder is
    let go. A session over a finished run has no steps.

    Args:
        attempt: What to do.
        more: What to do after it, on the same target with the same judge.
        settings: Of the command, as they are recorded; by default those of the attempt.
        transforms: What every kept image is judged again after, in the end.

    Attributes:
        attempts: All of them, in order.
        current: Number of the one under way.
        verification: What reading the images back found, where `finish` wrote them; None where that was done before.
    """

    def __init__(
        self, attempt: Attempt, *more: Attempt, settings: dict[str, Any] | None = None,
        transforms: Sequence[Transform] = (),
    ) -> None:  # fmt: skip
        self._transforms = transforms
        self.attempts, self.current = (attempt, *more), 0
        self.verification: Verification | None = None
        self.folder = attempt.settings.out
        wanted = settings or stored_settings(attempt.settings)
        recorder = Recorder.resume(self.folder) if attempt.settings.resume else None
        with ExitStack() as stack:
            if recorder is not None:
                stack.callback(recorder.close)
                check_same_settings(recorder.about.settings, wanted, self.folder)
                check_same_numbers(recorder.about.encoding, _encodings(self.attempts), self.folder)
                check_same_numbers(recorder.about.search, _searches(self.attempts), self.folder)
                check_same_target(recorder.about.target, attempt.target, self.folder)
            judge = JudgeSettings(**recorder.about.judge) if recorder else attempt.judge
            run = open_run(self.folder) if recorder else None
            searches = run.searches if run else ()
            self._spent = sum(search.seconds for search in searches)
            self._noticed = list(run.measured.get(NOTICES, ())) if run else []
            self._done = {search.number for search in searches if search.state == "done"}
            self._judges = [] if self.finished else judges_of(self.attempts, judge)  # before there is a folder
            self._cluster = stack.enter_context(self._workers())
            if recorder is None:
                recorder = self._create(wanted)
                stack.callback(recorder.close)
            self._recorder = recorder
            for search, own in enumerate(self._judges):
                if not own.settings.counts:
                    recorder.consult(search, opinion_of(attempt.target, judge, self.attempts[search].niches))
            self._line = line_of(attempt.target)
            if self._line is not None and not self._published():  # a finished run keeps every byte of its record
                self._line.meter.go_on((run.queries if run else None) or 0, attempt.settings.max_queries)
                self._line.meter.keep(recorder.queries)
            self._closing = stack.pop_all()

    def _workers(self) -> AbstractContextManager[Cluster | None]:
        """Those who judge in place of this process, where the run has any."""
        climbs = [attempt.settings.by == "ascend" for attempt in self.attempts]
        asking = [own for own, slope in zip(self._judges, climbs, strict=False) if not slope]
        encodings, niches = zip(*((attempt.encoding, attempt.niches) for attempt in self.attempts), strict=True)
        return with_cluster(next(iter(asking), None), encodings, niches, self.attempts[0].settings)

    def _create(self, settings: dict[str, Any]) -> Recorder:
        about = About.now(
            settings=settings,
            target=describe_target(self.attempt.target, self.attempt.settings.target, self.attempt.ready),
            judge=self.attempt.judge.describe(),
            encoding=_encodings(self.attempts),
            search=_searches(self.attempts),
            levels=LEVELS,
        )
        searches = [(attempt.method, attempt.niches.names) for attempt in self.attempts]
        return Recorder.create(self.folder, about, searches)

    @property
    def attempt(self) -> Attempt:
        """The one under way."""
        return self.attempts[self.current]

    @property
    def about(self) -> About:
        """What was fixed when the run began, which may have been on another machine."""
        return self._recorder.about

    @property
    def finished(self) -> bool:
        """Whether there is nothing left to do."""
        return len(self._done) == len(self.attempts)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is not None and issubclass(kind, KeyboardInterrupt | TargetError) and not self.finished:
                self._recorder.mark(self.current, "interrupted", "interrupted")
                self._recorder.tell(self.current, checkpoint=False)
                self._record_notices()
                self._recorder.commit()
                publish(open_run(self.folder))
        finally:
            if self._line is not None:
                self._line.meter.keep(None)
            self._closing.close()

    def __iter__(self) -> Iterator[Step[Any]]:
        for number, attempt in enumerate(self.attempts):
            if number not in self._done:
                self.current = number
                yield from self._steps(number, attempt)
                self._done.add(number)

    def _steps(self, search: int, attempt: Attempt) -> Iterator[Step[Any]]:
        if attempt.settings.by == "ascend":  # which begins its turns at starts, not at occupants
            self._recorder.spare(search)
        opened = self._recorder.reopen(search, attempt.encoding.genome_type)
        archive, tally = self._placed(search, attempt, opened.archive), opened.tally
        self._recorder.mark(search, "running", "")
        number, evaluations = tally.number, tally.evaluations
        about = self.about
        judge = self._judges[search]
        hands = ClusterHands[Any](self._cluster, search) if self._cluster and attempt.settings.by != "ascend" else None
        contest = Contest(attempt.encoding, judge, attempt.niches, about.levels, about.spared, attempt.material, hands)
        thrift = self._thrift(search, attempt)
        plan = thrift.plan(attempt.plan, tally)
        steps = make_search(attempt.settings)(contest, archive, plan, tally)
        before = time.monotonic()
        # A kill may have come between the last step and the note that it was the last: look before going on.
        while not (reason := self._reason_to_stop(search, archive, number)):
            if thrift.exhausted(plan, archive, Tally(number, evaluations)):
                reason = MAX_QUERIES
                break
            step = next(steps, None)
            if step is None:
                break
            now = time.monotonic()
            self._recorder.record(search, step, now - before)
            self._spent, before = self._spent + now - before, now
            number, evaluations = step.number, step.evaluations
            yield step
        self._recorder.tell(search, checkpoint=True)
        self._record_notices()
        why = reason or plan.ended_by(number, evaluations)
        cut = why == "budget" and attempt.plan.admitted(1, evaluations)
        self._recorder.mark(search, "done", MAX_QUERIES if cut else why)

    def _placed(self, search: int, attempt: Attempt, archive: Archive[Any]) -> Archive[Any]:
        """The archive where the search stays."""
        device = self._judges[search].settings.device
        return DeviceArchive(archive, device) if device and attempt.settings.by in STAYING else archive

    def _record_notices(self) -> None:
        """Write what happened to those who judge: batches that a GPU had no room for, workers that died."""
        told = [each for judge in dict.fromkeys(self._judges) for each in judge.room.notices]
        told += self._cluster.notices if self._cluster else []
        if told:
            self._recorder.measured(NOTICES, [*self._noticed, *told])

    def _thrift(self, search: int, attempt: Attempt) -> Thrift:
        """What a search may send, as things stand now."""
        if self._line is None:
            return Thrift(self._judges[search], 0, 1, 0)
        run = open_run(self.folder)
        most = len(attempt.niches.names) * (len(self.about.levels) + 1)
        states = [found.state for found in run.searches]
        return Thrift(self._judges[search], images_owed(run, search), searches_left(states), most)

    def finish(self) -> Run:
        """Write the images, read them back and judge them again, then write the results.

        Returns:
            The run. Its judgements say what verification found.
        """
        if not self._published():
            self._recorder.commit()
            run = open_run(self.folder)
            write_images(run)
            self.verification = confirm(run, self.attempt.target)
            self._recorder.judged(self.verification.rows)
            if self.about.superclasses:
                rows = [list(row) for row in self.verification.superclasses]
                told = {"rows": rows, "not_measured": why_no_superclasses(self.attempt.target)}
                self._recorder.measured("superclasses", told)
            if self._transforms:
                self._recorder.survived(survive(run, self.attempt.target, self._transforms))
            for name, value in self.measurements(run):
                self._recorder.measured(name, value)
            write_results(open_run(self.folder))
            if self._line is not None:  # the record is closed: who looks at the run again is not counted in it
                self._line.meter.keep(None)
        return open_run(self.folder)

    def measurements(self, run: Run) -> Iterator[tuple[str, Any]]:
        """What is measured beside the searches once they have ended, by name, JSON-ready: what readers read."""
        yield READERS, read_kept(run, self.attempt.target)

    def _published(self) -> bool:
        """Whether the results on disk are those of the finished run; they are the last thing that is written."""
        try:
            return bool(read_results(self.folder).get("state") == "done")
        except RunError:
            return False

    def _reason_to_stop(self, search: int, archive: Archive[Any], number: int) -> str:
        """Why a search ends after this step; empty where it does not."""
        if number < 0:
            return ""
        attempt = self.attempts[search]
        if is_checkpoint(number, attempt.plan.batch, len(attempt.niches.names)):
            self._recorder.tell(search, checkpoint=True)
        goal = attempt.settings.confidence
        if goal is not None and self._is_sure(search, archive.value, number, level_odds(goal)):
            return "confidence"
        if attempt.patience is not None and self._spent >= attempt.patience:
            return "time"
        return ""

    def _is_sure(self, search: int, value: Tensor, number: int, odds: float) -> bool:
        """Whether the reference is that sure of every class; where another engine searches, it is asked when due."""
        if self._judges[search].settings.counts:
            return bool((value >= odds).all())
        batch = self.attempts[search].plan.batch
        if not ends_round(number, batch, len(value)) or bool((value < odds - MARGIN).any()):
            return False
        self._recorder.tell(search, checkpoint=True)
        return self._recorder.reached(search, odds) == len(value)


def stored_settings(settings: FoolSettings | AuditSettings) -> dict[str, Any]:
    """The settings as a run stores them: the command and its fields, JSON-ready, without the folder."""
    before = {**_AS_BEFORE, **({"generations": None} if isinstance(settings, AuditSettings) else {})}
    items = {
        field.name: getattr(settings, field.name)
        for field in fields(settings)
        if field.name not in before or getattr(settings, field.name) not in (before[field.name], field.default)
    }
    if items.get("readers", SKIP) != SKIP:
        items["readers"] = Path(items["readers"])
    plain = {key: str(value.resolve()) if isinstance(value, Path) else value for key, value in items.items()}
    kept = {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
    command = "audit" if isinstance(settings, AuditSettings) else "fool"
    return {"command": command, **{key: value for key, value in kept.items() if key not in _NOT_STORED}}


def open_target(settings: FoolSettings | AuditSettings) -> Target:
    """The target that the settings name, with what they grant where it is a remote one.

    Raises:
        BadInput: No such name, or a setting is unusable.
        TargetError: It cannot be had.
        RunError: The run to go on with cannot be read.
    """
    access = access_of(stored_settings(settings), Path(settings.out), settings.resume)
    return load_target(settings.target, beside_target(settings.guard, settings.trust), access)


def describe_target(target: Target, text: str, ready: Ready) -> dict[str, Any]:
    """What a run stores of its target: with what preflight found, and of a remote one who allowed asking it."""
    versions = {"survive": [each.name for each in target.transforms]} if isinstance(target, Surviving) else {}
    line, notes = line_of(target), list(getattr(target, "notes", ()))
    remote = None if line is None else {"url": line.address.url, "authorized": line.request.authorized}
    guards = [{"name": each.name, "uses": sorted(each.uses), "fingerprint": each.fingerprint()}
              for each in guards_of(itself(target))]  # fmt: skip
    return {
        **({"remote": remote} if remote else {}),
        **({"guards": guards} if guards else {}),
        **({"notes": notes} if notes else {}),
        **ready.describe(),
        "name": target.name,
        **versions,
        "text": lasting(text),
        "fingerprint": target.fingerprint(),
        "labels": list(target.labels),
        "link": itself(target).link,
        "spec": target.spec.describe(),
    }


def judges_of(attempts: Sequence[Attempt], settings: JudgeSettings) -> list[Judge]:
    """Who is asked in each search; searches of one kind share one.

    Raises:
        TargetError: An engine is not installed, or the target cannot be had in it.
    """
    kinds = [attempt.settings.by == "ascend" for attempt in attempts]
    ways = {climbs: judge_of(attempts[0].target, settings, climbs=climbs) for climbs in set(kinds)}
    return [ways[climbs] for climbs in kinds]


def _readied(target: Target) -> Ready:
    """A target as it is searched: preflight where its numbers may be coarse, which decides what they are worth."""
    own = undefended(target)
    if isinstance(own, ForeignTarget) and own.declared.reading.kind == "probabilities":
        return make_ready(target)
    return Ready(target, (), preprocessing_status(target), 0, examined=False)


def fool_session(settings: FoolSettings, target: Target | None = None, judge: JudgeSettings | None = None) -> Session:
    """A session over one `fool`, or over as many as are asked for, each with a seed of its own.

    Args:
        settings: Of the command.
        target: Where given, taken as it is; otherwise loaded from ``settings.target``.
        judge: Where given, enforced; otherwise chosen from the settings.

    Raises:
        BadInput: A setting is unusable.
        TargetError: The target is.
        RunError: The folder is, or holds another run.
    """
    first = Attempt.prepare(settings, target, judge)
    check_readers(settings.readers, first.target)
    seeds = range(settings.seed + 1, settings.seed + settings.repeats)
    more = [Attempt.prepare(replace(settings, seed=seed), first.ready, first.judge) for seed in seeds]
    return Session(first, *more)


def fool_with(settings: FoolSettings, target: Target) -> Run:
    """`fool` a target that is at hand as an object; ``settings.target`` is only its name in the record."""
    with fool_session(replace(settings, out=Path(settings.out)), target) as session:
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
    return fool_with(settings, open_target(settings))


def _encodings(attempts: Sequence[Attempt]) -> dict[str, Any]:
    return {attempt.method: attempt.encoding.describe() for attempt in attempts}


def _searches(attempts: Sequence[Attempt]) -> dict[str, Any]:
    return {
        attempt.method: {
            **describe_search(attempt.settings, attempt.plan),
            **({} if attempt.material is None else {"material": attempt.material.fingerprint()}),
        }
        for attempt in attempts
    }
