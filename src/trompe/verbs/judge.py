"""`judge`: a fixed portfolio of attacks against a classifier, with or without a guard, and what came of every trial."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from trompe.core.check import check_at_least, check_name
from trompe.core.errors import BadInput, RunError
from trompe.core.types import Guard, Reader, Target
from trompe.measure.trials import NONE, Judgement
from trompe.portfolio import PORTFOLIO_1, PORTFOLIOS, Portfolio
from trompe.run import Run
from trompe.run.folder import write_whole
from trompe.run.reads import READERS
from trompe.search import EveryClass, JudgeSettings
from trompe.search.hide import HIDE_READER
from trompe.settings import TrialSettings
from trompe.targets import load_target
from trompe.targets.guarded import Guarded, guards_of, undefended
from trompe.targets.ready import make_ready
from trompe.verbs.arsenal import Arsenal, arm
from trompe.verbs.fool import Session
from trompe.verbs.guarded import beside_target
from trompe.verbs.jury import Juror, jury
from trompe.verbs.material import make_material, nothing, transferred
from trompe.verbs.methods import LEVELS
from trompe.verbs.natural import natural_images
from trompe.verbs.probe import suspicions
from trompe.verbs.readable import SKIP, readable_labels, readers_of, readings, why_unsuited
from trompe.verbs.same import check_same_settings
from trompe.verbs.thrift import line_of
from trompe.verbs.trials import judge_runs

JUDGEMENT = "judgement.json"
SETTINGS = "settings.json"
_NOT_STORED = ("out", "resume")

Tell = Callable[["JudgeSession"], object]
"""Is told after every step; what it gives is of no matter."""


@dataclass(frozen=True)
class Judged:
    """What `judge` leaves behind.

    Attributes:
        folder: With judgement.json and a run folder for each model.
        judgement: Of all models together.
        runs: One a model.
        jurors: The readers that were brought along.
        left_out: By model and method, why a search could not be had.
        portfolio: What was tried.
    """

    folder: Path
    judgement: Judgement
    runs: tuple[Run, ...]
    jurors: tuple[Juror, ...]
    left_out: Mapping[str, Mapping[str, str]]
    portfolio: Portfolio

    def describe(self) -> dict[str, Any]:
        """The content of judgement.json."""
        return {
            **self.judgement.describe(),
            "portfolio": {"title": self.portfolio.title, "digest": self.portfolio.digest()},
            "readers": [juror.describe() for juror in self.jurors],
            "hide": HIDE_READER,
            "left_out": {model: dict(methods) for model, methods in self.left_out.items()},
            "runs": [str(run.folder.relative_to(self.folder)) for run in self.runs],
            "evaluations": sum(search.evaluations for run in self.runs for search in run.searches),
            "seconds": round(sum(search.seconds for run in self.runs for search in run.searches), 3),
        }


@dataclass(frozen=True)
class Case:
    """Everything that a judgement needs, made and checked before anything is written.

    Attributes:
        settings: Of the command.
        portfolio: What is tried.
        targets: The trained models, each behind the guard.
        guard: In front of each; None where none was given beside them.
        jurors: Who may read, and who counts.
        from_network: That images are transferred from; None for the one behind the guard.
        unread: Why none of those who count is believed about these targets; empty where they are.
    """

    settings: TrialSettings
    portfolio: Portfolio
    targets: tuple[Target, ...]
    guard: Guard | None
    jurors: tuple[Juror, ...]
    from_network: Target | None = None
    unread: str = ""

    @property
    def stored(self) -> dict[str, Any]:
        """What must be the same where a judgement goes on, JSON-ready."""
        items = {key: value for key, value in vars(self.settings).items() if key not in _NOT_STORED}
        plain = {key: str(value) if isinstance(value, Path) else value for key, value in items.items()}
        kept = {key: list(value) if isinstance(value, tuple) else value for key, value in plain.items()}
        return {
            "command": "judge", **kept, "portfolio": self.portfolio.title, "digest": self.portfolio.digest(),
            "guard": " ".join(guard.fingerprint() for guard, _ in _guards(self.targets)) or "none",
            "readers": [juror.reader.fingerprint() for juror in self.jurors],
        }  # fmt: skip

    @property
    def seeds(self) -> range:
        """Of every search against every model."""
        wanted = self.settings.trials_per_class
        each = self.portfolio.seeds if wanted is None else -(-wanted // len(self.targets))
        return range(self.settings.seed, self.settings.seed + each)

    def folder(self, model: int) -> Path:
        """The run folder of a model."""
        name = "".join(c if c.isascii() and c.isalnum() else "-" for c in self.targets[model].name)[:60]
        return self.settings.out / "models" / f"{model}-{name}"

    def arsenal(self, model: int) -> Arsenal:
        """All searches against one model; nothing is written.

        Raises:
            BadInput: A setting is unusable, or no attack is left.
            TargetError: The target is.
        """
        target = self.targets[model]
        settings = replace(self.settings, target=_texts(self.settings, self.targets)[model])
        ready = make_ready(target)
        source = self.from_network or (undefended(target) if isinstance(target, Guarded) else None)
        convinced = nothing(target) if source is None else transferred(source, target, settings.seed, settings.threads)
        material = make_material(target, natural_images(target, settings.images), convinced)
        return arm(settings, self.portfolio, ready, self.seeds, material, self.folder(model))

    def session(self, model: int, arsenal: Arsenal) -> "JudgeSession":
        """The session over all searches against one model, which `arsenal` gave.

        Raises:
            RunError: The folder is unusable, or holds another run.
        """
        session = JudgeSession(*arsenal.attempts, settings={**self.stored, "model": model})
        session.case, session.arsenal = self, arsenal
        return session


class JudgeSession(Session):
    """A session over a portfolio against one model; in the end the kept images are read."""

    case: Case
    arsenal: Arsenal

    def measurements(self, run: Run) -> Iterator[tuple[str, Any]]:
        """What the readers see in every image that is confident enough to matter."""
        counting = [juror.reader for juror in self.case.jurors if not juror.excluded]
        yield READERS, {"not_measured": self.case.unread} if self.case.unread else readings(run, counting, counting)
        yield (
            "trials",
            {
                "portfolio": self.case.portfolio.title,
                "digest": self.case.portfolio.digest(),
                "seeds": list(self.arsenal.seeds),
                "left_out": dict(self.arsenal.left_out),
                "unread": self.case.unread,
                "doubts": list(suspicions(self.attempts[0].target, JudgeSettings(**run.about.judge))),
            },
        )


def prepare_case(  # noqa: PLR0913  one for each object that a judgement is about
    settings: TrialSettings, target: Target, guard: Guard | None, portfolio: Portfolio, models: Sequence[Target],
    readers: Sequence[Reader] | None, from_network: Target | None = None,
) -> Case:  # fmt: skip
    """Check what is to be judged, before anything is written.

    Raises:
        BadInput: A number is out of range, a class is none of the target's, networks differ in classes or shape, one is
            behind a server, or a reader reads other classes.
        DataError: The natural images or the readers cannot be had.
    """
    check_at_least(settings.seed, 0, "--seed")
    check_name(f"{settings.level:g}", [f"{level:g}" for level in LEVELS], "--level")
    if settings.trials_per_class is not None:
        check_at_least(settings.trials_per_class, 1, "--trials-per-class")
    EveryClass.of(target, settings.classes)
    targets = [target, *models]
    for each in targets:
        _check_alike(each, target, "--model", alike=each.labels == target.labels)
    if from_network is not None:  # one without the class for none of these is the usual one
        alike = set(readable_labels(from_network)) == set(readable_labels(target))
        _check_alike(from_network, target, "--undefended", alike=alike)
    given = readers_of(settings.readers, target) if readers is None else readers
    behind = tuple(each if guard is None else Guarded(each, guard) for each in targets)
    jurors = jury(given, target, _guards(behind))
    chosen = readers is not None or bool(settings.readers)
    unread = _why_unread(settings, targets, [juror.reader for juror in jurors if not juror.excluded], chosen=chosen)
    return Case(settings, portfolio, behind, guard, jurors, from_network, unread)


def _guards(targets: Sequence[Target]) -> tuple[tuple[Guard, Target], ...]:
    """The guards in front of any of them, each once, with its network: a reader must be independent of all."""
    found: dict[str, tuple[Guard, Target]] = {}
    for target in targets:
        for guard in guards_of(target):
            found.setdefault(guard.fingerprint(), (guard, undefended(target)))
    return tuple(found.values())


def run_case(case: Case, tell: Tell | None = None) -> Judged:
    """Try the portfolio on every model, then count.

    Args:
        case: From `prepare_case`.
        tell: Is told after every step.

    Raises:
        BadInput: No attack of the portfolio can be tried.
        TargetError: A target is unusable.
        RunError: The folder is unusable, or holds another judgement.
    """
    _check_folder(case)
    first = case.arsenal(0)  # a target that nothing can be tried against leaves no folder behind
    _begin(case)
    runs, left_out = [], {}
    for model, target in enumerate(case.targets):
        with ExitStack() as stack:
            session = stack.enter_context(case.session(model, case.arsenal(model) if model else first))
            for _ in session:
                if tell is not None:
                    tell(session)
            runs.append(session.finish())
            left_out[target.name] = session.arsenal.left_out
    judged = Judged(
        case.settings.out, judge_runs(runs, case.settings, case.portfolio), tuple(runs), case.jurors, left_out,
        case.portfolio,
    )  # fmt: skip
    _write(case.settings.out / JUDGEMENT, judged.describe())
    return judged


def judge(  # noqa: PLR0913  the objects it is about, and how much of it
    target: Target | str, guard: Guard | None = None, portfolio: Portfolio = PORTFOLIO_1, *, out: Path | str,
    models: Sequence[Target | str] = (), trials_per_class: int | None = None, readers: Sequence[Reader] | None = None,
    resume: bool = False, settings: TrialSettings | None = None,
) -> Judged:  # fmt: skip
    """Try a portfolio of attacks on a classifier, with or without a guard, and count open trials.

    Args:
        target: The classifier, or what `load_target` takes.
        guard: In front of it and of every other model.
        portfolio: What to try; by default everything.
        out: The folder to write.
        models: More trained models of the same kind.
        trials_per_class: Shared out evenly among the models as seeds; by default the portfolio's seeds a model.
        readers: Who says whether an image can be read; by default those of the settings, which are those that come with
            trompe for these classes. Where there are natural images of the target, they must read those.
        resume: Go on with what is in the folder.
        settings: Level, budget, classes, seed, ... where they are not the usual ones; its target, models, out and
            resume are those given here.

    Returns:
        What came of it; the same is in ``out/judgement.json``.

    Raises:
        BadInput: A setting is unusable, or a reader reads other classes.
        TargetError: The target is.
        RunError: The folder is, or holds another judgement.
    """
    opened = [load_target(each) if isinstance(each, str) else each for each in (target, *models)]
    named = [each if isinstance(each, str) else each.name for each in (target, *models)]
    base = settings or TrialSettings(named[0], out=Path(out))
    wanted = trials_per_class if trials_per_class is not None else base.trials_per_class
    base = replace(base, target=named[0], model=tuple(named[1:]), out=Path(out), resume=resume, trials_per_class=wanted)
    network = load_target(base.undefended) if base.undefended else None
    return run_case(prepare_case(base, opened[0], guard, portfolio, opened[1:], readers, network))


def case_of(settings: TrialSettings) -> Case:
    """What a command's settings name, loaded.

    Raises:
        BadInput: A setting is unusable.
        TargetError: A target cannot be had.
    """
    declared = beside_target(settings.guard)
    target, *models = (load_target(text, declared) for text in (settings.target, *settings.model))
    network = load_target(settings.undefended) if settings.undefended else None
    return prepare_case(settings, target, None, PORTFOLIOS[settings.portfolio], models, None, network)


def _check_alike(each: Target, target: Target, where: str, *, alike: bool) -> None:
    if alike and each.spec.shape == target.spec.shape and line_of(each) is None:
        return
    raise BadInput(
        expected=f"a network on this machine for {_classes(target)}",
        got=f"{each.name}: {_classes(each)}{'' if line_of(each) is None else ', behind a server'}",
        where=where,
        do="Judge networks for other classes one by one; a server is for `trompe audit`, which bounds its queries.",
    )


def _classes(target: Target) -> str:
    return f"{len(target.labels)} classes {', '.join(target.labels[:3])}, ... in {target.spec.shape}"


def _why_unread(settings: TrialSettings, targets: Sequence[Target], readers: Sequence[Reader], *, chosen: bool) -> str:
    """Why none of the readers that count is believed about some target; empty where they are."""
    if settings.readers == SKIP and not readers:
        return "no reader was asked (--readers none)"
    if NONE in readable_labels(targets[0]):
        return f"a class is called {NONE!r}, which is what a reader says who sees no class"
    reasons = (why_unsuited(readers, each, settings.images, chosen=chosen) for each in targets)
    return next(filter(None, reasons), "")


def _texts(settings: TrialSettings, targets: Sequence[Target]) -> tuple[str, ...]:
    """What each model was loaded from; the name of one that is an object."""
    named = (settings.target, *settings.model)
    return tuple(named[i] if i < len(named) else each.name for i, each in enumerate(targets))


def _check_folder(case: Case) -> None:
    """Refuse a folder that holds something else, or a judgement with other settings."""
    folder, note = case.settings.out, case.settings.out / SETTINGS
    if note.exists() and case.settings.resume:
        try:
            check_same_settings(json.loads(note.read_text(encoding="utf-8")), case.stored, folder)
        except ValueError as cause:
            raise RunError(
                expected="the settings of a judgement", got=str(cause), where=str(note), do="Choose another --out."
            ) from cause
    elif folder.exists() and (not folder.is_dir() or any(folder.iterdir())) and not case.settings.resume:
        raise RunError(
            expected="a folder that is empty or does not exist",
            got="one that holds something",
            where=str(folder),
            do="Choose another --out, or go on with --resume.",
        )


def _begin(case: Case) -> None:
    """Note the settings in the folder, where they are not noted yet."""
    if not (case.settings.out / SETTINGS).exists():
        _write(case.settings.out / SETTINGS, case.stored)


def _write(path: Path, content: Mapping[str, Any]) -> None:
    write_whole(path, f"{json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False)}\n".encode())
