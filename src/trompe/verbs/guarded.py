"""A classifier behind a stored guard: for commands, and for use in a product."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch

from trompe.core.check import check_images
from trompe.core.numerics import log_odds, probability
from trompe.core.types import Classwise, Images, Outputs, Target
from trompe.targets import Declaration, load_target
from trompe.targets.guarded import Guarded, guards_of, undefended

_AT_ONCE = 256


def beside_target(guard: Path | str | None, trust: tuple[str, ...] = ()) -> Declaration:
    """What a command's options declare of its target beside what the target says itself."""
    return Declaration(guard="" if guard is None else str(Path(guard).resolve()), trust=trust)


@runtime_checkable
class Reasoned(Protocol):
    """A guard that asks several things, and can say which."""

    def reasons(self, outputs: Outputs, inputs: Images) -> Mapping[str, Classwise]:
        """By name, each shape (n, classes): below 0 is not usual."""
        ...


@dataclass(frozen=True)
class Verdict:
    """What a guarded classifier says of one image.

    Attributes:
        label: The class that it names, believed or not.
        confidence: Of that class, from 0 to 1: as the classifier says it, or less where a guard doubts.
        accepted: Whether the guards believe it.
        why: Why they do not, in words; empty where they do.
    """

    label: str
    confidence: float
    accepted: bool
    why: str


@dataclass(frozen=True)
class GuardedClassifier:
    """A classifier behind its guards, to be called with images.

    Attributes:
        target: With at least one guard in front.
    """

    target: Guarded

    def __call__(self, images: Images) -> tuple[Verdict, ...]:
        """A verdict on each image.

        Args:
            images: Float32 in [0, 1], shape (n, channels, height, width).

        Raises:
            BadInput: They are something else.
        """
        check_images(images, self.target.spec.shape, "images")
        return tuple(verdict for part in images.split(_AT_ONCE) for verdict in self._verdicts(part))

    def _verdicts(self, images: Images) -> Iterator[Verdict]:
        with torch.inference_mode():
            outputs = self.target.judge(images)
            odds = log_odds(outputs.logits, self.target.link)
            named = odds.argmax(1)
            assert outputs.slack is not None  # noqa: S101  for the type checker: a guard always gives it
            for row, column in enumerate(named.tolist()):
                slack = float(outputs.slack[row, column])
                why = "" if slack >= 0.0 else self._why(images[row : row + 1], column)
                yield Verdict(self.target.labels[column], probability(float(odds[row, column])), slack >= 0.0, why)

    def _why(self, image: Images, column: int) -> str:
        """Which guard refuses most, and of what it asks the least usual."""
        said = undefended(self.target).judge(image)
        own = Outputs(said.logits, None, said.features)
        told = [(float(guard.slack(own, image)[0, column]), guard) for guard in guards_of(self.target)]
        slack, guard = min(told, key=lambda one: one[0])
        if slack >= 0.0:
            return "the classifier's own class for none of these wins"
        where = f"guard {guard.name}: {slack:.2f}, where 0 is accepted and 1 usual of {self.target.labels[column]}"
        if not isinstance(guard, Reasoned):
            return where
        parts = {name: float(value[0, min(column, value.shape[1] - 1)])  # one column where it is blind to the class
                 for name, value in guard.reasons(own, image).items()}  # fmt: skip
        return f"{where}; least usual is its {min(parts, key=lambda name: parts[name])}"


def load_guarded(target: Target | str | Any, guard: Path | str, trust: tuple[str, ...] = ()) -> GuardedClassifier:
    """A classifier behind a stored guard.

    Args:
        target: What `load_target` takes.
        guard: Folder that `trompe guard` wrote.
        trust: As for `load_target`.

    Returns:
        Called with images, it gives label, confidence, accepted and why of each.

    Raises:
        BadInput: The guard was fitted for another classifier.
        DataError: The guard is missing or damaged.
        TargetError: The classifier is.
    """
    found = load_target(target, beside_target(guard, trust))
    assert isinstance(found, Guarded)  # noqa: S101  for the type checker: a guard was declared
    return GuardedClassifier(found)
