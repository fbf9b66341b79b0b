"""What people answered: the files that a page of `read` saves, read and checked line by line."""

import csv
import io
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from trompe.core.errors import BadInput

COLUMNS = ("rater", "name", "page", "image", "repeat", "answer", "milliseconds")
NONE = "none"
"""The answer of who sees no class in a picture."""


@dataclass(frozen=True)
class Reading:
    """One answer of one person about one picture.

    Attributes:
        rater: A random name that the page drew when it was opened.
        name: What the person wished to be called; may be empty.
        page: Of which page.
        image: Hash of the picture's bytes, see `trompe.verbs.stimuli.image_id`.
        repeat: Whether the picture was shown for the second time.
        answer: A label, or ``none``.
        milliseconds: From the picture's appearing to the answer.
        where: File and line.
    """

    rater: str
    name: str
    page: str
    image: str
    repeat: bool
    answer: str
    milliseconds: float
    where: str


def read_answers(files: Sequence[Path]) -> tuple[Reading, ...]:
    """Every answer in some files.

    Raises:
        BadInput: A file cannot be read, is empty or no file of answers, a line is malformed, or somebody's answer to a
            picture is there twice.
    """
    readings = tuple(reading for file in files for reading in _read(Path(file)))
    seen: dict[tuple[str, str, bool], Reading] = {}
    for reading in readings:
        key = (reading.rater, reading.image, reading.repeat)
        first = seen.setdefault(key, reading)
        if first is not reading:
            raise _bad(
                reading.where, "one answer of a rater to a picture",
                f"a second one of {reading.rater} to {reading.image}, after {first.where}",
                "Leave one of them out; perhaps the same file is named twice.",
            )  # fmt: skip
    return readings


def _read(file: Path) -> Iterator[Reading]:
    try:
        text = file.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as cause:
        got = cause.strerror if isinstance(cause, OSError) else "bytes that are no UTF-8"
        raise _bad(str(file), "a file of answers", got or str(cause), "Name one that a page saved.") from cause
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        head = next(lines, [])
        if tuple(head) != COLUMNS:
            got = f"{', '.join(head)[:120]!r}" if head else "an empty file"
            raise _bad(f"{file}, line 1", f"the columns {','.join(COLUMNS)}", got, "Name one that a page saved.")
        found = [_reading(cells, f"{file}, line {lines.line_num}") for cells in lines if cells]
    except csv.Error as cause:
        raise _bad(f"{file}, line {lines.line_num}", "comma-separated values", str(cause), _REPAIR) from cause
    if not found:
        raise _bad(str(file), "at least one answer", "a heading and nothing below it", "Leave the file out.")
    yield from found


_REPAIR = "Take the file as the page saved it, or leave it out."


def _reading(cells: list[str], where: str) -> Reading:
    if len(cells) != len(COLUMNS):
        raise _bad(where, f"{len(COLUMNS)} cells", f"{len(cells)}", _REPAIR)
    for column in ("rater", "page", "image", "answer"):
        if not cells[COLUMNS.index(column)]:
            raise _bad(where, f"something in the column {column}", "nothing", _REPAIR)
    rater, name, page, image, repeat, answer, milliseconds = cells
    if repeat not in ("0", "1"):
        raise _bad(where, "0 or 1 in the column repeat", repr(repeat), _REPAIR)
    return Reading(rater, name, page, image, repeat == "1", answer, _time(milliseconds, where), where)


def _time(text: str, where: str) -> float:
    """Milliseconds; digits only, so that neither ``nan`` nor a date gets in."""
    if not (text.isascii() and text.isdecimal() and len(text) <= len("999999999999")):
        raise _bad(where, "a whole number of milliseconds", repr(text), _REPAIR)
    return float(text)


def _bad(where: str, expected: str, got: str, do: str) -> BadInput:
    return BadInput(expected=expected, got=got, where=f"--answers {where}", do=do)
