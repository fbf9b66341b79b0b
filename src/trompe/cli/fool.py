"""`trompe fool TARGET`."""

import json
import sys
import time
from statistics import median
from typing import Any

from trompe.cli.parse import Show, parse
from trompe.settings import FoolSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("fool", FoolSettings, words)
    from trompe.verbs.fool import Attempt, Session

    with Session(Attempt.prepare(settings)) as session:
        return drive(session, show)


def drive(session: Any, show: Show) -> int:
    """Let a session run to its end under a watch, then say what came of it; 3 where verification failed."""
    from trompe.verbs.verify import confirm

    _warn_of_another_machine(session, quiet=show.quiet)
    _watch(session, quiet=show.quiet or show.json)
    run = session.finish()
    found = confirm(run, session.attempt.target)
    if show.json:
        from trompe.run.results import results

        print(json.dumps(results(run), ensure_ascii=False, allow_nan=False))
    else:
        for line in describe(run):
            print(line)
        print(f"verified   {found}" if found.passed else f"VERIFICATION FAILED   {found}")
        print(f"again      trompe rerun {run.folder} --out NEW")
    return 0 if found.passed else 3


def describe(run: Any) -> list[str]:
    """The result in lines: one a class, then the counts."""
    from trompe.core.numerics import say_confidence

    lines = []
    width = max(len(record.label) for record in run.classes)
    for record in run.classes:
        best, first = record.strongest, record.first(run.about.levels[-1])
        when = f"{run.about.levels[-1]:.2%} after {first.evaluations:,} evaluations" if first else ""
        lines.append(
            f"{record.label:<{width}}  {say_confidence(best.log_odds) if best else 'not measured':>12}  {when}"
        )
    search = run.searches[0]
    odds = [record.strongest.log_odds for record in run.classes if record.strongest]
    rate = search.evaluations / search.seconds if search.seconds else 0.0
    counts = ", ".join(f"{run.confident(level)} at {100 * level:g} %" for level in run.about.levels[2:])
    lines += [
        "",
        f"{run.about.target['name']} is confident of nonsense: {counts}",
        f"median     {say_confidence(median(odds)) if odds else 'not measured'}",
        f"cost       {search.evaluations:,} evaluations in {search.seconds:.1f} s ({rate:,.0f} a second)",
        f"ended by   {search.reason or search.state}",
        "readable   not measured (whether a person sees the class in an image)",
        f"images     {run.folder / 'images'}",
    ]
    return lines


def _watch(session: Any, *, quiet: bool) -> None:
    from rich.console import Console

    from trompe.cli.show import watching
    from trompe.cli.tiles import Tiles, supported
    from trompe.core.numerics import say_confidence

    if session.finished:
        print("this run is finished: nothing to do", file=sys.stderr)
        return
    plan, names = session.attempt.plan, session.attempt.niches.names
    began, before = time.monotonic(), session.tally.evaluations
    tiles, (_, height, width) = Tiles(names), session.attempt.target.spec.shape
    below = tiles if supported(Console(stderr=True), height, width) else None
    with watching("generation", plan.generation(plan.last), quiet=quiet, below=below) as watch:
        for step in session:
            tiles.follow(step)
            middle = say_confidence(step.statistics["median"]) if "median" in step.statistics else "not measured"
            rate = (step.evaluations - before) / max(time.monotonic() - began, 1e-9)
            words = (
                f"median {middle}  {step.statistics['confident@0.9999']:.0f} of {len(names)} at 99.99 %  {rate:,.0f}/s"
            )
            watch.tell(plan.generation(step.number), words)


def _warn_of_another_machine(session: Any, *, quiet: bool) -> None:
    from trompe.run import describe_machine

    if session.about.machine != describe_machine() and not quiet:
        print(
            f"note: this run was begun on another type of machine ({session.about.machine}); the rest of it will be as "
            "likely, but not the same bytes",
            file=sys.stderr,
        )
