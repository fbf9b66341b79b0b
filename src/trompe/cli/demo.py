"""`trompe demo`."""

from trompe.cli.fool import drive
from trompe.cli.parse import parse
from trompe.settings import AuditSettings, DemoSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("demo", DemoSettings, words)
    from trompe.verbs.audit import audit_session

    with audit_session(AuditSettings("lenet-mnist", out=settings.out, resume=settings.resume)) as session:
        return drive(session, show, page=True)
