"""Measuring with several processes: each takes unit after unit; what comes out is the same for any number of them."""

import json
import os
import queue
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from threading import Condition, Thread
from typing import Any

from trompe.core.errors import RunError
from trompe.experiments.bench import measure_unit
from trompe.experiments.listing import whichever
from trompe.experiments.nouns import Effort

_START = "from trompe.experiments.crew import serve; serve()"
_ERROR = ("expected", "got", "where", "do")


@dataclass(frozen=True)
class Task:
    """A unit that is still to be measured: of which experiment, its name, and what it shares with others on disk."""

    experiment: str
    unit: str
    needs: frozenset[str] = frozenset()


@dataclass
class Board:
    """Tasks that wait, and what those under way share; asked by several threads.

    Attributes:
        waiting: In the order in which they are begun, where nothing that they need is in use.
        used: By what is under way.
    """

    waiting: list[Task]
    used: set[str] = field(default_factory=set)
    _changed: Condition = field(default_factory=Condition)

    def take(self) -> Task | None:
        """The first task that shares nothing with one under way, once there is such a one; None where none is left."""
        with self._changed:
            while self.waiting:
                free = next((task for task in self.waiting if not task.needs & self.used), None)
                if free is not None:
                    self.waiting.remove(free)
                    self.used |= free.needs
                    return free
                self._changed.wait()
            return None

    def done(self, task: Task) -> None:
        """Let go of what a task used."""
        with self._changed:
            self.used -= task.needs
            self._changed.notify_all()

    def clear(self) -> None:
        """Begin nothing more."""
        with self._changed:
            self.waiting.clear()
            self._changed.notify_all()


def measured_by_many(tasks: Sequence[Task], out: Path, effort: Effort, workers: int) -> Iterator[Task]:
    """Measure tasks in so many processes at a time; each writes the records of its own.

    Args:
        tasks: In the order in which they are begun.
        out: Folder of all experiments.
        effort: Of each.
        workers: At least one.

    Yields:
        Each task once its record is on disk.

    Raises:
        RunError: A unit failed, or a process ended before its time; the others are stopped.
    """
    board, told = Board(list(tasks)), queue.SimpleQueue[Task | RunError]()
    with ExitStack() as stack:
        stack.callback(board.clear)
        for _ in range(min(workers, len(tasks))):
            process = _started(out, effort)
            stack.callback(_stopped, process)
            Thread(target=_lead, args=(process, board, told), daemon=True).start()
        for _ in tasks:
            found = told.get()
            if isinstance(found, RunError):
                raise found
            yield found


def serve() -> None:
    """Be one of the processes: a task a line on standard input, an answer a line; ends at once where nobody listens."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who leads ends this
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is no answer
    import torch

    torch.set_num_threads(1)
    told = json.loads(sys.stdin.readline())
    out, effort = Path(told["out"]), Effort.restore(told["effort"])
    tasks: queue.SimpleQueue[dict[str, str]] = queue.SimpleQueue()
    Thread(target=_listen, args=(tasks,), daemon=True).start()
    while True:
        task = tasks.get()
        answers.write(json.dumps(_answer(task, out, effort)) + "\n")
        answers.flush()


def _listen(tasks: "queue.SimpleQueue[dict[str, str]]") -> None:
    for line in sys.stdin:
        tasks.put(json.loads(line))
    os._exit(0)  # whoever led is gone, and another may already write to the same folder


def _answer(task: dict[str, str], out: Path, effort: Effort) -> dict[str, str]:
    one = whichever(task["experiment"])
    unit = next(unit for unit in one.planned(effort) if unit.name == task["unit"])
    try:
        measure_unit(unit, out / one.name / f"{unit.name}.json", effort)
    except Exception as cause:  # noqa: BLE001  whatever it is, it is told by who leads
        said = {name: str(getattr(cause, name, "")) for name in _ERROR}
        return said if said["expected"] else {**said, "expected": "a unit to be measured",
            "got": f"{type(cause).__name__}: {cause}", "where": f"{one.name} {unit.name}",
            "do": "Run it with --workers 1 to see where it fails."}  # fmt: skip
    return {}


def _started(out: Path, effort: Effort) -> "subprocess.Popen[str]":
    words = [sys.executable, "-c", _START]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, encoding="utf-8")  # noqa: S603  our own code
    _tell(process, {"out": str(out.resolve()), "effort": effort.describe()})
    return process


def _stopped(process: "subprocess.Popen[str]") -> None:
    process.kill()
    process.wait()
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()


def _lead(process: "subprocess.Popen[str]", board: Board, told: "queue.SimpleQueue[Task | RunError]") -> None:
    while task := board.take():
        try:
            _tell(process, {"experiment": task.experiment, "unit": task.unit})
            line = process.stdout.readline() if process.stdout else ""
            told.put(_error(json.loads(line)) or task if line else _died(task))
        except (OSError, ValueError):
            told.put(_died(task))
        board.done(task)


def _tell(process: "subprocess.Popen[str]", what: dict[str, Any]) -> None:
    if process.stdin is not None:
        process.stdin.write(json.dumps(what) + "\n")
        process.stdin.flush()


def _error(said: dict[str, str]) -> RunError | None:
    return RunError(**said) if said else None


def _died(task: Task) -> RunError:
    return RunError(
        expected="a process that measures to its end", got="one that ended before",
        where=f"{task.experiment} {task.unit}",
        do="Run the same command again: it goes on. Where memory is short, with --workers 1.",
    )  # fmt: skip
