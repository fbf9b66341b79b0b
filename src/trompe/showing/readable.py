"""Can a person read it? What readers said of the pictures, in words, tables and rows of pictures; or why nobody did."""

import math
from dataclasses import dataclass
from typing import Any

from trompe.measure.trials import NONE, Measured, NotMeasured
from trompe.run import Kept
from trompe.run.reads import READERS, WHICH, Which
from trompe.run.sheet import to_picture
from trompe.showing.evidence import Evidence, Key, shown_images
from trompe.showing.pictures import address
from trompe.showing.seen import fooled_sentence, read_as, say_classes
from trompe.showing.tables import Table
from trompe.showing.words import not_measured, say_count, say_level

_MOST = 100
"""Pictures in a row of them; how many more there are is said."""
_SIDE = 64
_GROUPS = {
    "unreadable": ("No reader reads it", "Nonsense, as far as these readers can tell."),
    "disagree": ("Some readers read it", "Only people can say."),
    "readable": ("Every reader reads it", "Certainty is no mistake here."),
}


@dataclass(frozen=True)
class Seen:
    """A picture, the class it was made for, and what the readers see in it."""

    source: str
    alternative: str
    label: str
    says: str


@dataclass(frozen=True)
class Group:
    """Pictures about which the readers are of one mind, or of none."""

    name: str
    title: str
    means: str
    pictures: list[Seen]
    count: int

    @property
    def more(self) -> int:
        """Pictures that are not shown."""
        return self.count - len(self.pictures)


@dataclass(frozen=True)
class Readable:
    """The section of the page.

    Attributes:
        missing: Why nothing was measured; empty where it was.
        sentence: What came of it.
        disagree: Whether only people can settle it.
        table: By method and picture, how the confident ones are read.
        readers: Each reader, and what it is worth.
        groups: The pictures, unreadable ones first.
    """

    missing: str
    sentence: str = ""
    disagree: bool = False
    table: Table | None = None
    readers: Table | None = None
    groups: tuple[Group, ...] = ()


def readable(evidence: Evidence) -> Readable:
    """What is known of whether the pictures can be read."""
    reads = evidence.reads
    found = reads.at(evidence.level)
    if reads.lacking or isinstance(found, NotMeasured):
        return Readable(reads.lacking or str(found), readers=_readers(evidence) if reads.about else None)
    return Readable(
        "", fooled_sentence(evidence, found), found.pairs.disagree, _by_method(evidence), _readers(evidence),
        _groups(evidence),
    )  # fmt: skip


def _by_method(evidence: Evidence) -> Table:
    rows = []
    for method in dict.fromkeys(search.method for search in evidence.run.searches):
        for which in WHICH:
            found = evidence.reads.at(evidence.level, method=method, which=which)
            if isinstance(found, Measured):
                rows.append([f"{method}, {_which(evidence, which)}", *_cells(found)])
    head = ["pictures", "confident", "read by every reader", "by some", "by none", "as another class", "classes fooled"]
    return Table(head, rows, 0)


def _which(evidence: Evidence, which: Which) -> str:
    return f"first at {say_level(evidence.level)}" if which == "first" else "strongest"


def _cells(found: Measured) -> list[str]:
    of = found.readable
    counts = (of.images, of.by_every, of.by_some - of.by_every, of.images - of.by_some, of.as_another)
    return [*(say_count(count) for count in counts), say_classes(found)]


def _readers(evidence: Evidence) -> Table:
    reads, natural = evidence.reads, evidence.run.measured[READERS].get("natural")
    own = {name: f"{say_count(right)} of {say_count(of)}" for name, right, of in natural} if natural else {}
    rows = [
        [
            about["name"],
            _share(about["calibration"].get("sensitivity")),
            _share(about["calibration"].get("specificity")),
            own.get(about["name"], not_measured()),
            "yes" if about["name"] in reads.independent else "no: not counted",
        ]
        for about in reads.about
    ]
    head = ["reader", "real pictures read as themselves", "noise read as nothing", "real pictures of this target",
            "independent of its guard"]  # fmt: skip
    return Table(head, rows, 0)


def _share(value: Any) -> str:
    return f"{100 * value:.1f} %" if isinstance(value, float) else not_measured()


def _groups(evidence: Evidence) -> tuple[Group, ...]:
    found: dict[str, list[tuple[Key, str, Kept]]] = {name: [] for name in _GROUPS}
    for record in evidence.counted:
        once = {kept.candidate: (key, kept) for key, kept in reversed(shown_images(record, evidence.level))}
        for key, kept in reversed(once.values()):
            sure = (record.search, record.niche, key[2]) in evidence.verified and kept.confidence >= evidence.level
            if sure and (seen := evidence.reads.seen(key, record.label)):
                found[seen].append((key, record.method, kept))
    return tuple(
        Group(name, *_GROUPS[name], [_picture(evidence, *one) for one in images[:_MOST]], len(images))
        for name, images in found.items()
    )


def _picture(evidence: Evidence, key: Key, method: str, kept: Kept) -> Seen:
    said, found = read_as(evidence, key), evidence.reads.said[key]
    source = address(_small(kept), small=evidence.press.many)
    brief = ", ".join(f"{name} {label}" for name, label in found.items() if label != NONE)
    which = "the first at that level" if kept.level else "the strongest"
    return Seen(source, f"Made by {method} to be named {kept.label}, {which}; readers: {said}", kept.label, brief)


def _small(kept: Kept) -> Any:
    picture = to_picture(kept.levels)
    return picture.reduce(max(1, math.ceil(max(picture.size) / _SIDE)))
