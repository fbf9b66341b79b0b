"""`trompe audit TARGET`."""

import sys
from typing import Any

from trompe.cli.fool import drive
from trompe.cli.parse import parse, plain
from trompe.settings import AuditSettings

_UNDECIDED = 4


def run(words: list[str]) -> int:
    """Run the command; returns its exit code: that of the gate, where there are conditions."""
    settings, show = parse("audit", AuditSettings, words)
    from trompe.core.errors import TargetError
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
    prepared = prepare_audit(settings)
    check_conditions(
        wanted, prepared.target, natural=prepared.natural, baseline=baseline is not None,
        skipped=settings.readers == SKIP,
    )  # fmt: skip
    if settings.plan or not (show.quiet or show.json):
        _say_plan(prepared, sys.stdout if settings.plan else sys.stderr)
    if settings.plan:
        return 0
    judge = (lambda found: gate(found, settings.fail_on, baseline)) if wanted else None
    try:
        with prepared.session() as session:
            return drive(session, show, page=True, outputs=settings.output, judge=judge)
    except TargetError as error:
        if not wanted:
            raise
        print(plain(f"trompe: {error}"), file=sys.stderr)
        print("gate       undecided: the target stopped answering; go on with --resume", file=sys.stderr)
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
