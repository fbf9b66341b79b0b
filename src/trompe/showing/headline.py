"""What happened: one sentence and four figures, each computed."""

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import median

from trompe.measure.trials import Measured
from trompe.run.trust import first_line, reservations
from trompe.showing.evidence import Evidence
from trompe.showing.people import people_figure, people_sentence
from trompe.showing.seen import fooled_sentence, say_classes
from trompe.showing.words import not_measured, say, say_count, say_level

_GROWN = {
    "pixels-evolve": "pictures grown from noise",
    "cppn-evolve": "shapes painted by small networks",
    "pixels-ascend": "noise climbed by gradient",
    "cppn-ascend": "shapes climbed by gradient",
    "pixels-squares": "random squares",
    "pixels-scatter": "random noise",
    "cppn-scatter": "random shapes",
}
# With a rule or a start of its own (``pixels-ascend:adam:class-mean``) a search may have begun from anything.
_VARIED = {**_GROWN, "pixels-ascend": "pictures climbed by gradient", "pixels-squares": "pictures changed by squares"}
_NAMED = 3


@dataclass(frozen=True)
class Figure:
    """A number with the words beneath it."""

    value: str
    words: str


def warnings(evidence: Evidence) -> list[str]:
    """What must be known before anything is believed, but for what the first line says; empty where all is well."""
    run = evidence.run
    said = [words for words in reservations(run) if words != first_line(run.about.target)]
    if not evidence.finished:
        said.insert(0, f"This run is not finished (state: {run.state}). What follows is what it had recorded so far.")
    kept = {(record.search, record.niche, item.level or 0.0): item.log_odds
            for record in run.classes for item in record.kept()}  # fmt: skip
    missing = [key for key in kept if key not in evidence.verified]
    if missing and kept:
        said.append(f"{say_count(len(missing))} of {say_count(len(kept))} kept images are not verified.")
    gaps = [abs(odds - evidence.verified[key]) for key, odds in kept.items() if key in evidence.verified]
    if gaps and max(gaps) > 0:
        said.append(f"Verified values differ from the recorded ones by up to {max(gaps):.2g} in log-odds.")
    if not kept:
        said.append("No image has been recorded.")
    return [*evidence.said, *said]


def sentence(evidence: Evidence) -> str:
    """What the target gave to what, in how many classes, after how many looks."""
    name = evidence.run.about.target["name"]
    attempted = f"{say_count(len(evidence.labels))} {_classes(len(evidence.labels))}"
    if not evidence.strongest:
        return f"{name} was asked about {attempted}; no image has been recorded. {people_sentence(evidence)}"
    made = pictures(search.method for search in evidence.run.searches)
    for level in sorted(evidence.run.about.levels, reverse=True):
        if looks := evidence.looks_to(level):
            count, best = max(len(looks), evidence.reached(level)), _best(evidence)
            return (
                f"{name} gave at least {say_level(level)} to {made} in at least {say_count(count)} of {attempted} "
                f"attempted{best} (median {say_count(median(looks))} looks at its answers). {_read(evidence, level)}"
            )
    spent = sum(search.evaluations for search in evidence.run.searches)
    return (
        f"{name} gave at most {say(max(evidence.strongest))} to {made} in {attempted} attempted "
        f"within {say_count(spent)} looks at its answers. {_read(evidence, None)}"
    )


def _read(evidence: Evidence, level: float | None) -> str:
    """What machines and people can read of what reached a level; None where none was reached."""
    found = evidence.reads.at(evidence.level if level is None else level)
    if not isinstance(found, Measured):
        return people_sentence(evidence)
    said = "No class is confident, and so none is fooled." if level is None else fooled_sentence(evidence, found)
    return f"{said} {people_sentence(evidence)}" if _asked(evidence) else said


def _asked(evidence: Evidence) -> bool:
    """Whether people read the pictures: what they say goes before what machines do."""
    return evidence.people is not None and evidence.people.rates is not None


def pictures(methods: Iterable[str]) -> str:
    """What images made by at least one method are, in words that claim no more than the methods do."""
    kinds = dict.fromkeys(map(_grown, methods))
    if len(kinds) > _NAMED and any("made by" in kind for kind in kinds):
        return f"pictures made by {len(kinds)} methods"
    *most, last = kinds
    return f"{', '.join(most)} and {last}" if most else last


def _grown(method: str) -> str:
    kind, _, variant = method.partition(":")
    return (_VARIED if variant else _GROWN).get(kind, f"pictures made by {method}")


def figures(evidence: Evidence) -> list[Figure]:
    """Four figures: classes confident, share above natural images, median looks, readable share."""
    attempted, level = len(evidence.labels), evidence.level
    looks, above = evidence.looks_to(level), evidence.above_natural()
    natural = evidence.natural_median()
    return [
        Figure(
            f"at least {say_count(evidence.reached(level))} of {say_count(attempted)}",
            f"classes confident at {say_level(level)}{_best(evidence)}",
        ),
        Figure(
            not_measured() if above is None else f"{say_count(above)} of {say_count(attempted)}",
            "classes with a picture as sure as the median real one named rightly"
            + ("" if natural is None else f" ({say(natural)})"),
        ),
        Figure(
            say_count(median(looks)) if looks else f"not within {say_count(_most(evidence))}",
            f"looks to {say_level(level)}, median of the {say_count(len(looks))} {_classes(len(looks))} that reached it"
            f"{_best(evidence)}" if looks else f"looks did any class reach {say_level(level)}",
        ),
        _fooled(evidence),
    ]  # fmt: skip


def _fooled(evidence: Evidence) -> Figure:
    found = evidence.reads.at(evidence.level)
    if _asked(evidence) or not isinstance(found, Measured):
        return Figure(*people_figure(evidence))
    low, high = found.pairs.low.count, found.pairs.high.count
    ends = f"no reader ({low}), or not every one ({high}), reads" if low != high else "no reader reads"
    words = f"classes fooled at {say_level(evidence.level)}: with a picture that {ends} as the class"
    return Figure(say_classes(found), f"{words}; readers: {', '.join(evidence.reads.independent)}")


def _best(evidence: Evidence) -> str:
    """Which of several runs of a method a number is about."""
    return f", each in the best of {say_count(evidence.run.repeats)} runs" if evidence.run.repeats > 1 else ""


def _most(evidence: Evidence) -> int:
    return max((search.evaluations for search in evidence.run.searches), default=0)


def _classes(count: int) -> str:
    return "class" if count == 1 else "classes"
