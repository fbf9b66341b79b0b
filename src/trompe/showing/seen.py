"""Words for what readers see: in one picture, and in how many classes the target is fooled."""

from trompe.measure.trials import Measured
from trompe.run.reads import say_range
from trompe.showing.evidence import Evidence, Key
from trompe.showing.words import not_measured, say_count, say_level
from trompe.verbs.people import ENOUGH

_SEEN = {"unreadable": "unreadable", "disagree": "readers disagree", "readable": "readable: {}"}


def seen_words(evidence: Evidence, key: Key, label: str) -> str:
    """Whether a picture can be read, in a word or two; empty where no reader was asked."""
    return _SEEN.get(evidence.reads.seen(key, label), "").format(label)


def read_as(evidence: Evidence, key: Key) -> str:
    """What every reader reads in a picture; that it was not measured where none was asked."""
    said = dict(evidence.reads.said.get(key, {}))
    if key in evidence.reads.people:
        said["people"] = evidence.reads.people[key]
    if key in evidence.reads.beside:
        said["people"] = " or ".join(evidence.reads.beside[key])
    return ", ".join(f"{name}: {label}" for name, label in said.items()) if said else not_measured()


def say_classes(found: Measured) -> str:
    """The classes fooled by both rules, as a range: ``7 to 9 of 10``."""
    return say_range(found.pairs)


def fooled_sentence(evidence: Evidence, found: Measured) -> str:
    """How many classes are fooled, what both ends mean, and whether only people can settle it."""
    words = f"{say_classes(found)} {_are(found.pairs.high.of)} fooled at {say_level(found.level)}: {_ends(found)}."
    if found.pairs.disagree:
        words += " The readers disagree, and only people can settle it."
    if decided := sum(key in evidence.reads.said for key in evidence.reads.people):
        words += f" Of {say_count(decided)} of the pictures, people decided."
    if asked := sum(key in evidence.reads.said for key in evidence.reads.beside):
        words += f" On {say_count(asked)} people are one more reader: fewer than {ENOUGH} of them, or divided."
    if evidence.run.repeats > 1:
        words += f" Open trials, a class and a seed: {say_range(found.open)}."
    return words


def _are(of: int) -> str:
    return "class is" if of == 1 else "classes are"


def _ends(found: Measured) -> str:
    low, high = found.pairs.low.count, found.pairs.high.count
    if low == high:
        none = "every such picture is read as its class by every reader"
        return "each with a picture that no reader reads as the class" if low else none
    return (
        f"{say_count(low)} with a picture that no reader reads as the class, {say_count(high)} with one that "
        "not every reader does"
    )
