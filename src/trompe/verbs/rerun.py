"""`rerun`: repeat a run with its stored settings and judge."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trompe.core.errors import RunError
from trompe.measure.surviving import as_recorded
from trompe.run import Run, open_run
from trompe.search import JudgeSettings
from trompe.settings import AuditSettings, FoolSettings, RerunSettings
from trompe.targets import load_target
from trompe.verbs.access import access_of
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import Session, fool_session
from trompe.verbs.keywords import keywords
from trompe.verbs.verify import check_same_target, trusting


@dataclass(frozen=True)
class Rerun:
    """A run and its repetition.

    Attributes:
        original: As it is on disk.
        repetition: The new one.
    """

    original: Run
    repetition: Run

    @property
    def same(self) -> bool:
        """Whether everything recorded is equal, bit for bit, but for times and the machine."""
        return self.original.digest() == self.repetition.digest()


def repeat(settings: RerunSettings) -> Session:
    """A session that does again what a run did, into another folder.

    Raises:
        RunError: No run, one of `judge`, or its target is another one now.
    """
    run = open_run(settings.run)
    _refuse_judgement(run)
    access = access_of(run.about.settings, Path(settings.out), settings.resume)
    target = load_target(run.about.target["text"], trusting(run), access)
    check_same_target(run.about.target, as_recorded(target, run.about.target), run.folder)
    judge = JudgeSettings(**run.about.judge)
    stored = {key: tuple(value) if isinstance(value, list) else value for key, value in run.about.settings.items()}
    command = stored.pop("command")
    fields: dict[str, Any] = {
        "renderer": "torch", **stored, "target": run.about.target["text"], "out": Path(settings.out),
        "resume": settings.resume,
    }  # fmt: skip
    if command == "audit":
        return audit_session(AuditSettings(**fields), target, judge)
    return fool_session(FoolSettings(**fields), target, judge)


def _refuse_judgement(run: Run) -> None:
    if run.about.settings.get("command") == "judge":
        raise RunError(
            expected="a run of `trompe fool` or `trompe audit`",
            got="one of `trompe judge`, which is about several runs and readers",
            where=str(run.folder),
            do="Repeat the judgement: the same command and seed give the same runs.",
        )


@keywords(RerunSettings)
def rerun(settings: RerunSettings) -> Rerun:
    """Repeat a run with its stored settings and judge.

    Takes the fields of `RerunSettings`.

    Raises:
        RunError: No run, its target is another one now, or the new folder is unusable.
    """
    with repeat(settings) as session:
        for _ in session:
            pass
        session.finish()
    return Rerun(open_run(settings.run), open_run(settings.out))
