"""What people watch while a command works: a live line on a terminal, plain lines elsewhere, both on standard error."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn, TimeRemainingColumn

_LINE_SECONDS = 5.0


class Watch(Protocol):
    """Is told how far the work has come."""

    def tell(self, done: int, words: str) -> None:
        """Done so far of the total, and what to say about it."""
        ...


class _Silent:
    def tell(self, done: int, words: str) -> None:
        pass


class _Lines:
    """One line every few seconds, for logs; the last word is told by the caller's summary."""

    def __init__(self, console: Console, title: str, total: int) -> None:
        self._console, self._title, self._total = console, title, total
        self._told = time.monotonic()

    def tell(self, done: int, words: str) -> None:
        now = time.monotonic()
        if now - self._told >= _LINE_SECONDS:
            self._told = now
            self._console.print(f"{self._title} {done} of {self._total}  {words}", highlight=False, soft_wrap=True)


class _Bar:
    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress = progress
        self._task = progress.add_task(title, total=total, words="")

    def tell(self, done: int, words: str) -> None:
        self._progress.update(self._task, completed=done, words=words)


@contextmanager
def watching(title: str, total: int, *, quiet: bool, below: RenderableType | None = None) -> Iterator[Watch]:
    """A watch over work of the given size: silent, a live bar on a terminal, or lines.

    Args:
        title: What is counted.
        total: How many there are.
        quiet: Whether to say nothing.
        below: What stands under a live bar, drawn anew with it.
    """
    console = Console(stderr=True)
    if quiet:
        yield _Silent()
    elif not console.is_terminal:
        yield _Lines(console, title, total)
    else:
        columns: list[Any] = [
            SpinnerColumn(), TextColumn("{task.description} {task.completed} of {task.total}"), BarColumn(bar_width=20),
            TextColumn("{task.fields[words]}"), TimeElapsedColumn(), TextColumn("left"), TimeRemainingColumn(),
        ]  # fmt: skip
        progress = Progress(*columns, console=console, auto_refresh=False)
        shown = Group(progress, below) if below is not None else progress
        with Live(shown, console=console, refresh_per_second=6, transient=True):
            yield _Bar(progress, title, total)


def say(text: str) -> None:
    """Print a line of the result to standard output."""
    print(text, file=sys.stdout)
