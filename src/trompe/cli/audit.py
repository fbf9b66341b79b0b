"""`trompe audit TARGET`."""

import json
import sys
from typing import Any

from trompe.cli.fool import drive
from trompe.cli.parse import Show, parse, plain
from trompe.settings import AuditSettings

_UNDECIDED = 4
_DIED, _DEAD = "the target stopped answering", "the target does not answer"


def run(words: list[str]) -> int:
    """Run the command; returns its exit code: that of the gate, where there are conditions."""
    settings, show = parse("audit", AuditSettings, words)
    from trompe.core.errors import NoAnswer, TargetError
    from trompe.measure.gate import parse_condition
    from trompe.run import open_run
    from trompe.showing.gates import check_output
    from trompe.verbs.audit import prepare_audit
    from trompe.verbs.gate import check_conditions, gate
    from trompe.verbs.readable import SKIP

    wanted = [parse_condition(text) for text in settings.fail_on]
    for path in settings.output:
        check_output(path)
    baseline = None if settings.baseline is None else open_run(settings.baseline)
    try:
        prepared = prepare_audit(settings)
    except NoAnswer as error:
        if not wanted or settings.plan:
            raise
        return _undecided(settings, show, error, begun=settings.resume)
    check_conditions(
        wanted, prepared.target, natural=prepared.natural, baseline=baseline is not None,
        skipped=settings.readers == SKIP,
    )  # fmt: skip
    if settings.plan or not (show.quiet or show.json):
        _say_plan(prepared, sys.stdout if settings.plan else sys.stderr)
    if settings.plan:
        return 0
    judge = (lambda found: gate(found, settings.fail_on, baseline)) if wanted else None
    session = prepared.session()
    try:
        with session:
            return drive(session, show, page=True, outputs=settings.output, judge=judge)
    except TargetError as error:
        if not wanted:
            raise
        return _undecided(settings, show, error, begun=True)


def _undecided(settings: AuditSettings, show: Show, error: Exception, *, begun: bool) -> int:
    """Say, in every file that was asked for, that nothing was decided because the target did not answer."""
    from trompe.core.errors import RunError
    from trompe.run import open_run
    from trompe.showing.gates import document, write_output
    from trompe.verbs.gate import undecided

    try:
        run = open_run(settings.out) if begun else None
    except RunError:  # nothing had been recorded
        run = None
    status = str(run.about.target.get("preprocessing", "unverified")) if run else "unverified"
    gate = undecided(settings.fail_on, status, f"{_DIED if run else _DEAD}: {error}")
    for file in settings.output:
        write_output(file, run, gate)
    if show.json:
        print(json.dumps(document(run, gate), ensure_ascii=False, allow_nan=False))
    print(plain(f"trompe: {error}"), file=sys.stderr)
    print(f"gate       undecided: {f'{_DIED}; go on with --resume' if run else _DEAD}", file=sys.stderr)
    return _UNDECIDED


def _say_plan(prepared: Any, where: Any) -> None:
    from trompe.run.trust import first_line, questions
    from trompe.verbs.methods import parse_time
    from trompe.verbs.plan import audit_plan

    target = prepared.target
    found = [f"finding    {item['name']}: {item['means']}" for item in target.get("findings", ())]
    plan = audit_plan(prepared.attempts, seconds=parse_time(prepared.settings.time))
    for line in [first_line(target), *questions(target), *found, *plan]:
        print(plain(line), file=where)
