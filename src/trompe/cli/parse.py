"""From words to a settings record, with one line where they do not fit."""

import contextlib
import io
import re
from dataclasses import dataclass, make_dataclass
from typing import Any, TypeVar, cast, get_args, get_origin, get_type_hints

import tyro

COMMANDS = {
    "demo": ("see", "watch a bundled network become certain about nonsense, offline, in seconds"),
    "fool": ("see", "make images that mean nothing and that a classifier is certain about"),
    "film": ("see", "show how the strongest image of a class grew, as an animated picture"),
    "draw": ("see", "draw an image that a small network painted at any size, with the network's formula and graph"),
    "read": ("see", "write a page on which people say what they see in a run's images: a check, a quiz, a study"),
    "inspect": ("judge", "what a classifier is, what is strange about it, which preprocessing suits it"),
    "audit": ("judge", "try every method on a classifier, in one run"),
    "judge": ("judge", "a fixed portfolio of attacks: in how many trials does an unreadable image get through"),
    "compare": ("judge", "two runs, class by class"),
    "report": ("judge", "write a run as one page to look at, and its contact sheet"),
    "verify": ("judge", "read a run's images back from disk and score them again"),
    "transfer": ("judge", "how many of a run's images convince other classifiers"),
    "guard": ("mend", "fit a guard that says whether to believe a classifier, and count its false alarms"),
    "harden": ("mend", "train a classifier that is harder to make certain about nonsense"),
    "export": ("the rest", "write a run's images as folders by class and one array file"),
    "paper": ("science", "run the paper's experiments again: its numbers beside ours, and verdicts"),
    "why": ("science", "why networks are easily fooled: the questions people ask, answered by experiments"),
    "rerun": ("the rest", "repeat a run and compare it bit by bit"),
    "targets": ("the rest", "list the classifiers that come with trompe"),
    "train": ("the rest", "train one of trompe's own small networks"),
}
"""Every command: its group and what it does."""

RESUMABLE = ("demo", "fool", "audit", "judge", "rerun", "harden")
"""Commands that take up again what an interruption left."""

S = TypeVar("S")
_FRAME = re.compile(r"[╭╮╰╯│─]+")
_CONFIG = (tyro.conf.OmitArgPrefixes, tyro.conf.FlagCreatePairsOff)


class UsageError(Exception):
    """The words of a command do not fit; the message is one line."""


@dataclass(frozen=True)
class Show:
    """What is printed, and how."""

    json: bool = False
    """Print the results as JSON, and nothing else on standard output."""
    quiet: bool = False
    """No progress."""


def parse(command: str, settings: type[S], words: list[str]) -> tuple[S, Show]:
    """The settings and the manner of showing that the words of a command stand for.

    Raises:
        UsageError: They do not fit.
        SystemExit: They ask for help, which is printed.
    """
    both = make_dataclass("Options", [("settings", settings), ("show", Show)], frozen=True)
    both.__doc__ = settings.__doc__
    complaint, given = io.StringIO(), gathered(settings, words)
    try:
        with contextlib.redirect_stderr(complaint):
            options: Any = tyro.cli(
                both, args=given, prog=f"trompe {command}", description=settings.__doc__, config=_CONFIG
            )
    except SystemExit as end:
        if not end.code:
            raise
        raise UsageError(_one_line(command, complaint.getvalue())) from None
    return cast("S", options.settings), options.show


def gathered(settings: type[Any], words: list[str]) -> list[str]:
    """The words, with an option that takes several values and is given several times given once, with all of them.

    Otherwise the last would silently replace the others: of a gate, the conditions before it.
    """
    parts: list[list[str]] = [[]]
    first: dict[str, list[str]] = {}
    several = _several(settings)
    for word in words:
        head, equals, value = word.partition("=")
        name = several.get(head) if word.startswith("-") else None
        if name is None and not word.startswith("-"):
            parts[-1].append(word)
            continue
        part = [head, *([value] if equals else [])] if name else [word]
        if name in first:
            first[name] += part[1:]
            parts.append(first[name])
        else:
            parts.append(part)
            if name:
                first[name] = part
    return [word for i, part in enumerate(parts) if not any(part is other for other in parts[:i]) for word in part]


def _several(settings: type[Any]) -> dict[str, str]:
    """Every spelling of an option that takes several values, and which it is; but for those that tyro gathers."""
    found: dict[str, str] = {}
    for name, hint in get_type_hints(settings, include_extras=True).items():
        notes = getattr(hint, "__metadata__", ())
        if get_origin(get_args(hint)[0] if notes else hint) is not tuple or tyro.conf.UseAppendAction in notes:
            continue
        aliases = [alias for note in notes for alias in getattr(note, "aliases", None) or ()]
        found |= dict.fromkeys((f"--{name.replace('_', '-')}", f"--{name}", *aliases), name)
    return found


def plain(text: str) -> str:
    """The text without characters that could command a terminal; labels and paths come from outside."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)


def _one_line(command: str, complaint: str) -> str:
    lines = [_FRAME.sub(" ", line).strip() for line in complaint.splitlines()]
    heading = lines[0].lower() if lines else ""
    kept = [
        line for line in lines[1:] if line and not line.startswith(("For full helptext", f"trompe {command} --help"))
    ]
    text = re.sub(r"(settings|show)\.", "", " ".join(kept)).split("Argument helptext")[0].strip().rstrip(".")
    got = text if text.lower().startswith(heading[:8]) else f"{heading}: {text}"
    return f"trompe {command}: expected options as `trompe {command} --help` lists them; got {got}. Correct them."
