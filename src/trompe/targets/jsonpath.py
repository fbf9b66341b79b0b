"""Where in a JSON answer the scores are: a small part of JSONPath, ``$.key``, ``['key']``, ``[0]`` and ``[*]``."""

import re
from typing import Any

from trompe.core.errors import BadInput

_PART = re.compile(
    r"\.(?P<key>[^.\[\]*'\"]+)|\[(?P<quote>['\"])(?P<quoted>.+?)(?P=quote)\]|\[(?P<row>-?\d+|\*)\]|(?P<all>\.\*)"
)

Part = str | int | None
"""A key, a place in a list, or None for every item."""


def read_path(text: str, where: str) -> tuple[Part, ...]:
    """The parts of a path.

    Raises:
        BadInput: It is none.

    Example:
        >>> read_path("$.predictions[*].score", "scores")
        ('predictions', None, 'score')
    """
    parts: list[Part] = []
    place = 1
    while text[:1] == "$" and (found := _PART.match(text, place)):
        name, row = found["key"] or found["quoted"], found["row"]
        parts.append(name or (None if found["all"] or row == "*" else int(row)))
        place = found.end()
    if place < len(text) or text[:1] != "$":
        raise BadInput(
            expected="a path like $.predictions[*].score, of .key, ['key'], [0] and [*]",
            got=repr(text),
            where=where,
            do="Correct it in the target file.",
        )
    return tuple(parts)


def find(parts: tuple[Part, ...], document: Any) -> list[Any]:
    """Everything in a document that a path leads to, in order; nothing where it leads nowhere.

    Example:
        >>> find(("a", None, "b"), {"a": [{"b": 1}, {"c": 2}, {"b": 3}]})
        [1, 3]
    """
    found = [document]
    for part in parts:
        found = [value for item in found for value in _step(part, item)]
    return found


def _step(part: Part, item: Any) -> list[Any]:
    if part is None:
        return list(item.values()) if isinstance(item, dict) else list(item) if isinstance(item, list) else []
    if isinstance(part, int):
        return [item[part]] if isinstance(item, list) and -len(item) <= part < len(item) else []
    return [item[part]] if isinstance(item, dict) and part in item else []
