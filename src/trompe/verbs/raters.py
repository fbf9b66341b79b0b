"""People who answered: did they look at all? Who did not is shown, and counted apart."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Any

from trompe.verbs.answers import NONE, Reading

ATTENTION = 0.9
"""The share of real pictures to be named rightly, and of noise to be called none, at least."""
CHECKED = 5
"""Answers of either kind without which nobody's attention is known."""
FASTEST = 400.0
"""Milliseconds in which nobody reads a picture and chooses: a median below it is no reading."""


@dataclass(frozen=True)
class Part:
    """So many of so many."""

    count: int
    of: int

    def __str__(self) -> str:
        return f"{self.count} of {self.of}"


@dataclass(frozen=True)
class Known:
    """What is known of a picture: kind and label as in `trompe.verbs.stimuli.Stimulus`."""

    kind: str
    label: str


@dataclass(frozen=True)
class Rater:
    """One person, and what came of the attention checks.

    Attributes:
        id: Random.
        name: What the person wished to be called; empty where nothing.
        real: Real pictures named rightly, of those answered.
        noise: Noise called none, of that answered.
        alike: Pictures shown twice that got the same answer both times, of those that did.
        own: The run's pictures read as the class they were made for.
        other: Those read as another class.
        none: Those in which no class was seen.
        milliseconds: The median time to an answer.
        failures: Which checks failed, in words; empty where none did.
    """

    id: str
    name: str
    real: Part
    noise: Part
    alike: Part
    own: int
    other: int
    none: int
    milliseconds: float
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether the answers count."""
        return not self.failures

    def describe(self) -> dict[str, Any]:
        """Everything by name, JSON-ready."""
        parts = {key: str(getattr(self, key)) for key in ("real", "noise", "alike")}
        counts = {key: getattr(self, key) for key in ("own", "other", "none", "milliseconds")}
        return {"id": self.id, "name": self.name, **parts, **counts, "passed": self.passed,
                "failures": list(self.failures)}  # fmt: skip


def rater(readings: Sequence[Reading], known: Mapping[str, Known]) -> Rater:
    """One person's answers, all about pictures that are known, against what those are."""
    first = {reading.image: reading.answer for reading in readings if not reading.repeat}
    again = {reading.image: reading.answer for reading in readings if reading.repeat}
    by_kind = {
        kind: [(answer, known[image].label) for image, answer in first.items() if known[image].kind == kind]
        for kind in ("kept", "real", "noise")
    }
    real = Part(sum(answer == label for answer, label in by_kind["real"]), len(by_kind["real"]))
    noise = Part(sum(answer == NONE for answer, _ in by_kind["noise"]), len(by_kind["noise"]))
    both = [image for image in again if image in first]
    own = sum(answer == label for answer, label in by_kind["kept"])
    none = sum(answer == NONE for answer, _ in by_kind["kept"])
    time = median(reading.milliseconds for reading in readings)
    return Rater(
        readings[0].rater, readings[0].name, real, noise,
        Part(sum(first[image] == again[image] for image in both), len(both)),
        own, len(by_kind["kept"]) - own - none, none, time, _failures(real, noise, time),
    )  # fmt: skip


def _failures(real: Part, noise: Part, time: float) -> tuple[str, ...]:
    said = []
    for part, words in ((real, "real pictures named rightly"), (noise, "noise called none")):
        if part.of < CHECKED:
            said.append(f"{words}: not measured, fewer than {CHECKED} answered")
        elif part.count / part.of < ATTENTION:
            said.append(f"{words}: {part}, less than {100 * ATTENTION:.0f} %")
    if time < FASTEST:
        said.append(f"median time to an answer {time:.0f} ms, less than {FASTEST:.0f}")
    return tuple(said)
