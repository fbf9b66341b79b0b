"""Tiles: one a class and method, with everything that opens beneath it."""

from dataclasses import dataclass

from torch import Tensor

from trompe.core.numerics import confidence
from trompe.run import ClassRecord, Kept
from trompe.run.painters import Place
from trompe.showing.evidence import Evidence, Key, shown_images
from trompe.showing.painted import Painting, paintings
from trompe.showing.seen import read_as, seen_words
from trompe.showing.words import not_measured, say, say_count, say_level

_BARS = 5
_EXACT = "the same to the last bit"


@dataclass(frozen=True)
class Bar:
    """One class among the highest: its label, its confidence in words, the bar's length in per cent."""

    label: str
    says: str
    length: str
    own: bool


@dataclass(frozen=True)
class Plate:
    """One image of a tile with all that is known of it, ready to be shown."""

    which: str
    title: str
    source: str
    says: str
    looks: str
    alternative: str
    verified: str
    superclasses: list[tuple[str, str]]
    bars: list[Bar]
    bars_missing: str
    opinion: str
    read_as: str
    seen: str
    link: str
    file: str


@dataclass(frozen=True)
class Tile:
    """A class under one method."""

    number: int
    label: str
    spared: str
    method: str
    group: int
    repeat: int
    reached: list[int]
    missed: str
    first: Plate | None
    strongest: Plate | None
    near: "Near | None"
    near_missing: str
    strip: "list[Link]"
    painting: Painting | None
    cost: int
    odds: float


@dataclass(frozen=True)
class Near:
    """The nearest real image, and to which picture of the tile it is."""

    to: str
    source: str
    label: str
    distance: str


@dataclass(frozen=True)
class Link:
    """One picture of a lineage, and the look at which it was judged."""

    source: str
    looks: str
    alternative: str


def tiles(evidence: Evidence) -> list[Tile]:
    """Every tile, in the target's class order, then in the order of the searches."""
    order = {label: i for i, label in enumerate(evidence.run.about.target["labels"])}
    records = sorted(evidence.run.classes, key=lambda record: (order[record.label], record.search))
    methods = list(dict.fromkeys(search.method for search in evidence.run.searches))
    painted = paintings(evidence.painters)
    return [_tile(evidence, record, (order[record.label], methods.index(record.method)), painted) for record in records]


def _tile(evidence: Evidence, record: ClassRecord, place: Place, painted: dict[Place, Painting]) -> Tile:
    images = shown_images(record, evidence.level)
    plates = {plate.which: plate for plate in (_plate(evidence, record, key, kept) for key, kept in images)}
    first = record.first(evidence.level)
    shown = first or record.strongest
    spent = evidence.run.searches[record.search].evaluations
    return Tile(
        number=place[0],
        label=record.label,
        spared=_spared(evidence, record.label),
        method=say_method(evidence, record),
        group=place[1],
        repeat=_repeat(evidence, record),
        reached=[i for i, level in enumerate(evidence.run.about.levels) if record.first(level)],
        missed="" if first else f"{say_level(evidence.level)} not within {say_count(spent)} looks",
        first=plates.get("first"),
        strongest=plates.get("strongest"),
        near=_near(evidence, shown),
        near_missing="left out of a public page"
        if evidence.public
        else not_measured("the target has no sample images"),
        strip=_strip(evidence, record),
        painting=painted.get((record.search, record.niche)),
        cost=first.evaluations if first else spent + 1,
        odds=record.strongest.log_odds if record.strongest else -1e9,
    )


def _spared(evidence: Evidence, label: str) -> str:
    """Why a class stays out of every rate; empty where it counts."""
    if label not in evidence.spared:
        return ""
    return (
        "for none of these: not counted"
        if label == evidence.run.about.target.get("abstain")
        else "harmless: not counted"
    )


def say_method(evidence: Evidence, record: ClassRecord) -> str:
    """The method, with the number of its run where it has several."""
    return record.method if evidence.run.repeats == 1 else f"{record.method}, run {_repeat(evidence, record) + 1}"


def _repeat(evidence: Evidence, record: ClassRecord) -> int:
    same = [search.number for search in evidence.run.searches if search.method == record.method]
    return same.index(record.search)


def _plate(evidence: Evidence, record: ClassRecord, key: Key, kept: Kept) -> Plate:
    says, which = say(kept.log_odds), "first" if kept.level else "strongest"
    title = _title(kept)
    answers, embedded = evidence.answers.get(key), evidence.press.reduction == 1 and not evidence.press.many
    source = evidence.press.print(kept.levels)
    return Plate(
        which=which,
        title=title,
        source=source,
        says=says,
        looks=say_count(kept.evaluations),
        alternative=f"A picture made by {record.method} that the network calls {record.label} with {says} ({title})",
        verified=_verified(evidence, key, kept),
        superclasses=_superclasses(evidence, key, record.label),
        bars=[] if answers is None else _bars(evidence, answers, record.label),
        bars_missing=not_measured(evidence.own.reason),
        opinion=_opinion(evidence, key, record.label),
        read_as=read_as(evidence, key),
        seen=seen_words(evidence, key, record.label),
        link=source if embedded else "" if evidence.public else kept.file,
        file=kept.file.rpartition("/")[2],
    )


def _title(kept: Kept) -> str:
    return f"first at {say_level(kept.level)}" if kept.level else "strongest"


def _verified(evidence: Evidence, key: Key, kept: Kept) -> str:
    found = evidence.verified.get(key)
    if found is None:
        return "not verified: not read back from disk yet"
    gap = abs(found - kept.log_odds)
    return f"{say(found)}, {_EXACT if gap == 0 else f'{gap:.2g} apart in log-odds'}"


def _superclasses(evidence: Evidence, key: Key, label: str) -> list[tuple[str, str]]:
    """The superclasses of a class, and how sure the target is of each of them."""
    told, why = evidence.superclasses, evidence.run.measured.get("superclasses", {}).get("not_measured")
    return [
        (name, say(told[*key, name]) if (*key, name) in told else not_measured(why or "not read back from disk yet"))
        for name, members in evidence.run.about.superclasses.items()
        if label in members
    ]


def _bars(evidence: Evidence, odds: Tensor, own: str) -> list[Bar]:
    values, places = odds.topk(min(_BARS, len(odds)))
    shares = (100 * confidence(values)).tolist()
    labels = evidence.run.about.target["labels"]
    return [
        Bar(labels[place], say(value), f"{share:.2f}", labels[place] == own)
        for value, place, share in zip(values.tolist(), places.tolist(), shares, strict=True)
    ]


def _opinion(evidence: Evidence, key: Key, label: str) -> str:
    odds = evidence.opinions.get(key)
    if odds is None:
        return not_measured(evidence.second.reason)
    labels = evidence.run.about.target["labels"]
    top, own = int(odds.argmax()), labels.index(label)
    name, highest = evidence.second.name, float(odds[top])
    if top == own:
        return f"{name} names the same class, with {say(highest)}: the picture transfers."
    return f"{name} says {labels[top]} ({say(highest)}), and {label} with {say(float(odds[own]))}: no transfer."


def _near(evidence: Evidence, kept: Kept | None) -> Near | None:
    if kept is None or evidence.natural is None or evidence.public:
        return None
    row, distance = evidence.natural.nearest(kept.levels)
    label = evidence.run.about.target["labels"][evidence.natural.classes[row]]
    return Near(_title(kept), evidence.press.print(evidence.natural.images[row]), label, f"{distance:.1f}")


def _strip(evidence: Evidence, record: ClassRecord) -> list[Link]:
    chain = evidence.strips.get((record.search, record.niche), [])
    looks = [say_count(link.candidate + 1) for link in chain]
    return [
        Link(evidence.press.small(link.picture), look, f"Ancestor judged at look {look}")
        for link, look in zip(chain, looks, strict=True)
    ]
