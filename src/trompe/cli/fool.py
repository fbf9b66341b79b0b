"""`trompe fool TARGET`."""

import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trompe.cli.parse import Show, parse, plain
from trompe.settings import FoolSettings

Judges = Callable[[Any], Any]
_PAGE = "report.html"


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("fool", FoolSettings, words)
    from trompe.verbs.fool import fool_session

    with fool_session(settings) as session:
        return drive(session, show)


def drive(
    session: Any, show: Show, *, page: bool = False, outputs: Sequence[Path] = (), judge: Judges | None = None
) -> int:
    """Let a session run to its end under a watch, then say what came of it.

    Args:
        session: What to do.
        show: What is printed, and how.
        page: Whether to write the page where there is none of the finished run yet.
        outputs: Files to write beside the run.
        judge: Makes the gate's verdict of the finished run, where there are conditions.

    Returns:
        3 where verification failed; otherwise the gate's exit code; 0 without conditions.
    """
    from trompe.verbs.verify import confirm

    _warn_of_another_machine(session, quiet=show.quiet)
    _watch(session, quiet=show.quiet or show.json)
    run = session.finish()
    found = session.verification or confirm(run, session.attempt.target)
    if page and (session.verification or not (run.folder / _PAGE).exists()):  # one of before the end is out of date
        from trompe.showing.report import report

        report(run.folder)
    gate = judge(run) if judge is not None else None
    if outputs:
        from trompe.showing.gates import write_output

        for file in outputs:
            write_output(file, run, gate)
    _say(run, found, gate, show)
    if not found.passed:
        return 3
    return 0 if gate is None else int(gate.exit_code)


def _say(run: Any, found: Any, gate: Any, show: Show) -> None:
    """What came of a finished run, on standard output."""
    if show.json:
        from trompe.showing.gates import document

        print(json.dumps(document(run, gate), ensure_ascii=False, allow_nan=False))
        return
    from trompe.cli.summary import describe

    _sheet(run, quiet=show.quiet)
    for line in describe(run):
        print(plain(line))
    path = run.folder / _PAGE
    print(f"verified   {found}" if found.passed else f"VERIFICATION FAILED   {found}")
    print(f"page       {path if path.exists() else f'trompe report {run.folder}'}")
    print(f"again      trompe rerun {run.folder} --out NEW")
    for line in gate.lines() if gate is not None else ():
        print(plain(line))


def _sheet(run: Any, *, quiet: bool) -> None:
    """Show the images of a run where standard output is a terminal that can; they stay when the live ones have gone."""
    from rich.console import Console

    from trompe.cli.tiles import Tiles, supported

    console = Console()
    if not quiet and supported(console, *run.shape[1:]):
        console.print("the first image of each class at 99 %, or its strongest", highlight=False)
        console.print(Tiles.of(run))


def _watch(session: Any, *, quiet: bool) -> None:
    if session.finished:
        print("this run is finished: nothing to do", file=sys.stderr)
        return
    steps = iter(session)
    step = next(steps, None)
    while step is not None:  # one bar a search
        step = _watch_one(session, step, steps, quiet=quiet)


def _watch_one(session: Any, step: Any, steps: Any, *, quiet: bool) -> Any:
    """Show one search from its given step on; returns the first step of the next one, None at the end."""
    from rich.console import Console

    from trompe.cli.show import watching
    from trompe.cli.tiles import Tiles, supported
    from trompe.core.numerics import say_confidence

    attempt, search = session.attempt, session.current
    plan, names = attempt.plan, attempt.niches.names
    count = len(set(names) - session.about.spared)
    began, before = time.monotonic(), step.evaluations
    tiles, (_, height, width) = Tiles(names), attempt.target.spec.shape
    below = tiles if supported(Console(stderr=True), height, width) else None
    title = f"{attempt.method} generation"
    with watching(title, plan.ends, quiet=quiet, below=below) as watch:
        while step is not None and session.current == search:
            tiles.follow(step)
            middle = say_confidence(step.statistics["median"]) if "median" in step.statistics else "not measured"
            rate = (step.evaluations - before) / max(time.monotonic() - began, 1e-3)
            top = f"{step.statistics['confident@0.9999']:.0f} of {count} at 99.99 %"
            watch.tell(plan.generation(step.number), f"median {middle}  {top}  {rate:,.0f}/s")
            step = next(steps, None)
    return step


def _warn_of_another_machine(session: Any, *, quiet: bool) -> None:
    from trompe.run import describe_machine

    if session.about.machine != describe_machine() and not quiet:
        print(
            f"note: this run was begun on another type of machine ({session.about.machine}); the rest of it will be as "
            "likely, but not the same bytes",
            file=sys.stderr,
        )
