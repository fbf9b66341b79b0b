"""`trompe demo`."""

from trompe.cli.fool import drive
from trompe.cli.parse import parse
from trompe.settings import DemoSettings, FoolSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("demo", DemoSettings, words)
    from trompe.verbs.fool import Attempt, Session

    with Session(Attempt.prepare(FoolSettings("lenet-mnist", out=settings.out, resume=settings.resume))) as session:
        return drive(session, show)
