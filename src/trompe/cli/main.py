"""`trompe`: finds the command, runs it, and turns what went wrong into one line and an exit code."""

import os
import signal
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import FrameType
from typing import Any

from trompe.cli.parse import COMMANDS, RESUMABLE, UsageError, plain
from trompe.core.errors import Notice, TrompeError, out_of_memory

DONE, FAULT, BAD_INPUT, FAILED, UNDECIDED, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""Exit codes: done; a fault of trompe; bad input; a gate or verification failed; undecided; interrupted, resumable."""


def main(arguments: list[str] | None = None) -> int:
    """Run one command. What is not listed in `except` is a fault of trompe: Python shows it and exits with 1.

    Args:
        arguments: Without the program's name; by default those of this process.

    Returns:
        The exit code.
    """
    words = sys.argv[1:] if arguments is None else arguments
    # Idle OpenMP threads that spin make small batches 10 to 90 times slower; this must be set before torch is loaded.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    previous = signal.signal(signal.SIGTERM, _interrupt)
    try:
        with _notices():
            return _dispatch(words)
    except (TrompeError, UsageError) as error:
        return _say(error, BAD_INPUT)
    except KeyboardInterrupt:
        kept = "What was recorded is kept; go on with the same command and --resume."
        if words[:1] in (["paper"], ["why"]):
            kept = "What was measured is kept; the same command goes on."
        elif not (words and words[0] in RESUMABLE):
            kept = "Nothing was kept."
        return _say(f"interrupted. {kept}", INTERRUPTED)
    except BrokenPipeError:  # whoever read the output has gone
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return DONE
    except (MemoryError, RuntimeError) as error:
        if not out_of_memory(error):
            raise
        return _say(f"trompe {words[0]}: expected enough memory; got none left. {_spare(words[0])}", BAD_INPUT)
    finally:
        signal.signal(signal.SIGTERM, previous)


def _dispatch(words: list[str]) -> int:
    if not words or words[0] in ("-h", "--help", "help"):
        print(overview())
        return DONE
    if words[0] == "--version":
        from importlib.metadata import version

        print(f"trompe {version('trompe')}")
        return DONE
    if words[0] not in COMMANDS:
        from difflib import get_close_matches

        near = get_close_matches(words[0], COMMANDS, n=1)
        advice = f"Did you mean {near[0]!r}?" if near else "See trompe --help."
        raise UsageError(f"trompe: expected one of {', '.join(COMMANDS)}; got {words[0]!r}. {advice}")
    command = import_module(f"trompe.cli.{words[0]}")
    code: int = command.run(words[1:])
    return code


def overview() -> str:
    """What `trompe --help` prints."""
    groups: dict[str, list[str]] = {}
    for name, (group, summary) in COMMANDS.items():
        groups.setdefault(group, []).append(f"  {name:<9} {summary}")
    parts = ["usage: trompe COMMAND [OPTIONS]", "", "How sure is your classifier about nonsense?"]
    for group, lines in groups.items():
        parts += ["", f"{group}:", *lines]
    parts += ["", "trompe COMMAND --help tells more. Begin with: trompe demo"]
    parts += ["Exit codes: 0 done, 1 fault of trompe, 2 bad input, 3 failed, 4 undecided, 130 interrupted."]
    return "\n".join(parts)


def _spare(command: str) -> str:
    if command not in RESUMABLE:
        return "Free some memory and do it again."
    go_on = "Free some memory and go on with --resume, which keeps what was recorded"
    return f"{go_on}, or begin anew with a smaller --batch or --population." if command == "fool" else f"{go_on}."


def _say(message: object, code: int) -> int:
    line = plain(str(message))
    print(line if line.startswith("trompe") else f"trompe: {line}", file=sys.stderr)
    return code


@contextmanager
def _notices() -> Iterator[None]:
    """What users must know of a run that goes on: one line each on standard error."""
    with warnings.catch_warnings():
        warnings.simplefilter("always", Notice)
        show = warnings.showwarning

        def say(message: Any, category: type[Warning], *where: Any, **more: Any) -> None:
            if issubclass(category, Notice):
                print(plain(f"note: {message}"), file=sys.stderr)
            else:
                show(message, category, *where, **more)

        warnings.showwarning = say
        yield


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    raise KeyboardInterrupt


def entry() -> None:
    """The console script."""
    sys.exit(main())
