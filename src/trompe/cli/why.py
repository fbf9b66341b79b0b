"""`trompe why [NAME ...]`."""

from trompe.cli.paper import run_series
from trompe.settings import WhySettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    return run_series("why", WhySettings, words)
