"""`trompe audit TARGET`."""

from trompe.cli.fool import drive
from trompe.cli.parse import parse
from trompe.settings import AuditSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("audit", AuditSettings, words)
    from trompe.verbs.audit import audit_session

    with audit_session(settings) as session:
        return drive(session, show, page=True)
