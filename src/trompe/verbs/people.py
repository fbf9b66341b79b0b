"""People as a reader: what those who paid attention saw in the images that a run keeps."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from torch import Tensor

from trompe.core.errors import BadInput
from trompe.measure.agreement import Agreement, fleiss
from trompe.measure.statistics import Share, wilson
from trompe.run import Run
from trompe.run.about import NOT_MEASURED
from trompe.verbs.answers import NONE, Reading
from trompe.verbs.raters import Known, Rater, rater
from trompe.verbs.stimuli import image_id, read_key, spared

ENOUGH = 10
"""Raters from which on a majority counts as a decision about an image; below it is a first look."""

Place = tuple[int, int, float]
"""Search, niche and level of a kept image; level 0 for the strongest."""


@dataclass(frozen=True, eq=False)
class Seen:
    """A kept image and what those who paid attention saw in it.

    Attributes:
        id: Of its bytes.
        levels: Its bytes.
        label: The class it was made for.
        method: That made it.
        places: Where the run keeps it, at least once.
        votes: How many gave each answer; most first, ties in the order of the labels, none last.
    """

    id: str
    levels: Tensor
    label: str
    method: str
    places: tuple[Place, ...]
    votes: tuple[tuple[str, int], ...]

    @property
    def majority(self) -> str:
        """The class it was made for, if at least half saw that; else another that at least half saw; else none."""
        if self.label in self.seen:
            return self.label
        return next((answer for answer in self.seen if answer != NONE), NONE)

    @property
    def decided(self) -> bool:
        """Whether more than half of at least ten gave one and the same answer."""
        counts = [count for _, count in self.votes]
        return sum(counts) >= ENOUGH and 2 * max(counts) > sum(counts)

    @property
    def seen(self) -> tuple[str, ...]:
        """What at least half saw: two answers where people are divided; none where no answer has half."""
        half = sum(count for _, count in self.votes) / 2.0
        return tuple(answer for answer, count in self.votes if count >= half) or (NONE,)


@dataclass(frozen=True)
class Rates:
    """Of some images, how many most people read as the class they were made for, as another one, as none."""

    own: Share
    other: Share
    none: Share

    @classmethod
    def of(cls, images: Sequence[Seen]) -> "Rates":
        """Intervals are over images. There must be at least one."""
        own = sum(image.majority == image.label for image in images)
        none = sum(image.majority == NONE for image in images)
        return cls(*(wilson(count, len(images)) for count in (own, len(images) - own - none, none)))


@dataclass(frozen=True)
class Foreign:
    """Answers about pictures that a run does not know: of which page, how many, of how many people."""

    page: str
    answers: int
    raters: int


@dataclass(frozen=True, eq=False)
class People:
    """What came of asking people.

    Attributes:
        raters: Those who passed the attention checks; only their answers count.
        apart: Those who did not.
        images: The kept images that the former answered, in the run's order.
        foreign: Answers about other pictures, counted nowhere.
        agreement: Of the raters, on the kept images; None where no two answered the same one.
        agreement_all: On real images and noise, too.
    """

    raters: tuple[Rater, ...]
    apart: tuple[Rater, ...]
    images: tuple[Seen, ...]
    foreign: tuple[Foreign, ...]
    agreement: Agreement | None
    agreement_all: Agreement | None

    @property
    def name(self) -> str:
        """Of this reader."""
        return f"people ({len(self.raters)} {'rater' if len(self.raters) == 1 else 'raters'})"

    @property
    def reason(self) -> str:
        """Why there are no rates; empty where there are."""
        if self.images:
            return ""
        if not self.raters and not self.apart:
            return "no answer is about a picture of this run"
        return "nobody who passed the attention checks answered" if not self.raters else "no kept image was answered"

    @property
    def rates(self) -> Rates | None:
        """Over all images that were answered; None where none was."""
        return Rates.of(self.images) if self.images else None

    def by_method(self) -> dict[str, Rates]:
        """The same, method by method."""
        methods = dict.fromkeys(image.method for image in self.images)
        return {method: Rates.of([image for image in self.images if image.method == method]) for method in methods}

    def reads(self) -> list[tuple[int, int, float, str]]:
        """Search, niche, level (0 for the strongest) and what most saw there: a label, or ``none``."""
        return sorted((*place, image.majority) for image in self.images for place in image.places)

    def decided(self) -> list[tuple[int, int, float, str]]:
        """The same of the images about which people decided: more than half of at least ten agree."""
        return sorted((*place, image.majority) for image in self.images if image.decided for place in image.places)

    def beside(self) -> list[tuple[int, int, float, str]]:
        """The same of the others, each with everything that at least half saw."""
        return sorted((*place, answer) for image in self.images if not image.decided
                      for place in image.places for answer in image.seen)  # fmt: skip

    def describe(self) -> dict[str, Any]:
        """Everything by name, JSON-ready; what was not measured says so in words."""
        methods = {method: asdict(rates) for method, rates in self.by_method().items()}
        return {
            "name": self.name,
            "raters": [rater.describe() for rater in self.raters],
            "apart": [rater.describe() for rater in self.apart],
            "foreign": [asdict(foreign) for foreign in self.foreign],
            "rates": asdict(self.rates) if self.rates else f"{NOT_MEASURED}: {self.reason}",
            "by_method": methods or f"{NOT_MEASURED}: {self.reason}",
            "agreement": _describe(self.agreement),
            "agreement_with_real_and_noise": _describe(self.agreement_all),
            "images": [
                {"id": image.id, "label": image.label, "method": image.method, "majority": image.majority,
                 "decided": image.decided, "votes": dict(image.votes)} for image in self.images
            ],
            "reads": [[*row[:3], [row[3]]] for row in self.reads()],
        }  # fmt: skip


def people(run: Run, answers: Sequence[Reading]) -> People:
    """Merge people's answers about the pictures of a run; the order of the answers does not matter.

    Answers about pictures that the run does not know are set apart, and so is everybody who failed an attention check.

    Raises:
        BadInput: An answer about a picture of this run is no label of its target.
        RunError: The run's key is damaged.
    """
    kept = _kept(run)
    known = {name: Known(**entry) for name, entry in read_key(run).items()}
    known |= {image.id: Known("kept", image.label) for image in kept}
    at_home = [_understood(reading, run) for reading in answers if reading.image in known]
    everybody = _raters(at_home, known)
    passed = {one.id for one in everybody if one.passed}
    votes: dict[str, Counter[str]] = {}
    for reading in at_home:
        if reading.rater in passed and not reading.repeat:
            votes.setdefault(reading.image, Counter())[reading.answer] += 1
    order = [*run.about.target["labels"], NONE]
    seen = tuple(replace(image, votes=_sorted(votes[image.id], order)) for image in kept if image.id in votes)
    return People(
        tuple(one for one in everybody if one.passed), tuple(one for one in everybody if not one.passed), seen,
        _foreign([reading for reading in answers if reading.image not in known]),
        _agreement([votes[image.id] for image in seen]), _agreement(list(votes.values())),
    )  # fmt: skip


def _kept(run: Run) -> list[Seen]:
    """Every kept image once, with all the places where it is kept; its label and method are those of the first."""
    found: dict[str, Seen] = {}
    for record in run.classes:
        for kept in record.kept():
            name, place = image_id(kept.levels), (record.search, record.niche, kept.level or 0.0)
            own = found.setdefault(name, Seen(name, kept.levels, kept.label, record.method, (), ()))
            found[name] = replace(own, places=(*own.places, place))
    return list(found.values())


def _understood(reading: Reading, run: Run) -> Reading:
    """With a label that says "nothing is there" taken for none."""
    labels = run.about.target["labels"]
    if reading.answer not in (*labels, NONE):
        raise BadInput(
            expected=f"a label of {run.about.target['name']}, or {NONE}", got=repr(reading.answer),
            where=f"--answers {reading.where}", do="Take the file as the page saved it, or leave it out.",
        )  # fmt: skip
    return replace(reading, answer=NONE) if reading.answer in spared(run) else reading


def _raters(readings: Sequence[Reading], known: Mapping[str, Known]) -> list[Rater]:
    by_rater: dict[str, list[Reading]] = {}
    for reading in sorted(readings, key=lambda reading: (reading.rater, reading.image, reading.repeat)):
        by_rater.setdefault(reading.rater, []).append(reading)
    return [rater(own, known) for own in by_rater.values()]


def _foreign(readings: Sequence[Reading]) -> tuple[Foreign, ...]:
    pages = sorted({reading.page for reading in readings})
    found = {page: [reading.rater for reading in readings if reading.page == page] for page in pages}
    return tuple(Foreign(page, len(raters), len(set(raters))) for page, raters in found.items())


def _sorted(votes: Counter[str], order: Sequence[str]) -> tuple[tuple[str, int], ...]:
    return tuple(sorted(votes.items(), key=lambda vote: (-vote[1], order.index(vote[0]))))


def _agreement(votes: Sequence[Counter[str]]) -> Agreement | None:
    answers = sorted({answer for counted in votes for answer in counted})
    # In an order of their own: sums of floats depend on it, and the order of the files must not matter.
    return fleiss(sorted([counted[answer] for answer in answers] for counted in votes))


def _describe(agreement: Agreement | None) -> dict[str, Any] | str:
    if agreement is None:
        return f"{NOT_MEASURED}: no two people answered the same picture"
    kappa = agreement.kappa
    said = f"{NOT_MEASURED}: everybody gave one and the same answer" if kappa is None else kappa
    return {"kappa": said, "observed": agreement.observed, "expected": agreement.expected, "images": agreement.images}
