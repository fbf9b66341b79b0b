"""Folders named after classes: labels come from outside and may hold anything, names of folders may not."""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence

_LONGEST = 40
_DEVICES = re.compile(r"con|prn|aux|nul|com\d|lpt\d", re.IGNORECASE)


def class_folders(labels: Sequence[str]) -> dict[str, str]:
    """A safe folder name for every label, all different on any file system.

    A label whose name would lose more than punctuation, or be that of another or of a device, gets digits of its hash.

    Example:
        >>> class_folders(("T-shirt/top", "8", "../..", "a", "A"))["T-shirt/top"]
        'T-shirt-top'
    """
    plain = {label: _reduced(label) for label in labels}
    used = Counter(name.casefold() for name in plain.values())
    return {
        label: name if _kept(label, name) and used[name.casefold()] == 1 else f"{name or 'class'}-{_digits(label)}"
        for label, name in plain.items()
    }


def _reduced(label: str) -> str:
    return "".join(c if c.isascii() and c.isalnum() else "-" for c in label)[:_LONGEST].strip("-")


def _kept(label: str, name: str) -> bool:
    plain = label.isascii() and label.isprintable() and len(label) <= _LONGEST
    return plain and bool(name) and not _DEVICES.fullmatch(name)


def _digits(label: str) -> str:
    return hashlib.sha256(label.encode()).hexdigest()[:8]
