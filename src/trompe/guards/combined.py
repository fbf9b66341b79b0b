"""Several guards as one: what it accepts, all of them accept."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.types import Classwise, Guard, Images, Outputs
from trompe.data import Split
from trompe.guards.scale import Parts, Scale, on_scales, scale_numbers, scales_from, scales_of
from trompe.guards.types import AND, TYPES, Stored

_AT_ONCE = 256


@dataclass(frozen=True, eq=False)
class CombinedGuard:
    """Accepts an image as a class only where every one of its guards does.

    Asked is the least of their slacks, each 0 at a threshold of its own and 1 at the median natural image.

    Attributes:
        guards: Two or more, of different kinds; those that look at an inner layer look at the same.
        scales: From the least to slack, one a class; no threshold is below 0.
    """

    guards: tuple[Stored, ...]
    scales: tuple[Scale, ...]

    @property
    def name(self) -> str:
        """The names of all, joined by ``+``."""
        return AND.join(guard.name for guard in self.guards)

    @property
    def needs(self) -> frozenset[str]:
        """What any of them needs."""
        return frozenset().union(*(guard.needs for guard in self.guards))

    @property
    def uses(self) -> frozenset[str]:
        """What any of them uses: a reader that shares something with one of them is not independent."""
        return frozenset().union(*(guard.uses for guard in self.guards))

    @property
    def layer(self) -> str:
        """Name of the inner layer that some of them look at; "" where none does."""
        return next((layer for guard in self.guards if (layer := getattr(guard, "layer", ""))), "")

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): how far the one that accepts least is on the accepted side."""
        return on_scales(self.least(outputs, inputs), self.scales)

    def reasons(self, outputs: Outputs, inputs: Images) -> Mapping[str, Classwise]:
        """By name, each shape (n, classes): the slack of every one of them, for the classes that have a scale."""
        return {guard.name: guard.slack(outputs, inputs)[:, : len(self.scales)] for guard in self.guards}

    def least(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): the least of the `reasons`."""
        return torch.stack(list(self.reasons(outputs, inputs).values())).amin(0)

    def fingerprint(self) -> str:
        """sha256 over those of all, and the scales."""
        words = repr(([guard.fingerprint() for guard in self.guards], self.scales))
        return hashlib.sha256(words.encode()).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard; arrays have the guard's name in front."""
        made = {guard.name: guard.parts() for guard in self.guards}
        numbers = {name: own for name, (own, _) in made.items()}
        arrays = {f"{name}.{key}": array for name, (_, own) in made.items() for key, array in own.items()}
        return {"guards": numbers, "scales": scale_numbers(self.scales)}, arrays

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        guards = tuple(TYPES[name].from_parts(own, _of(name, arrays)) for name, own in numbers["guards"].items())
        return cls(guards, scales_from(numbers["scales"]))


def combine(guards: Sequence[Stored], held: Split, outputs: Outputs, labels: int, false_alarms: float) -> CombinedGuard:
    """Several guards as one, whose share of false alarms is the one asked for where they refuse less by themselves.

    Where they refuse more together, the thresholds stay theirs: what is accepted is accepted by all, always.

    Args:
        guards: Fitted, each for its share of the false alarms.
        held: Natural images, of every class, that no guard holds on to.
        outputs: Of the classifier, of these images.
        labels: How many classes there are.
        false_alarms: Share of the images that is refused.

    Raises:
        BadInput: The images do not differ.
    """
    bare = CombinedGuard(tuple(guards), (Scale(0.0, 1.0),) * labels)
    least = slack_of(bare, held, outputs)
    scales = scales_of(least, held.classes, labels, false_alarms)
    return replace(bare, scales=tuple(Scale(max(0.0, scale.threshold), scale.median) for scale in scales))


def slack_of(guard: Guard, images: Split, outputs: Outputs) -> Classwise:
    """The slack of a guard of images that a classifier was asked about, in batches and without a gradient."""
    rows = torch.arange(len(images)).split(_AT_ONCE)
    with torch.inference_mode():
        return torch.cat([guard.slack(outputs.take(part), from_levels(images.images[part])) for part in rows])


def type_of(kind: str) -> type[Stored]:
    """What a guard of one kind, or of several joined by ``+``, is read back as."""
    return CombinedGuard if AND in kind else TYPES[kind]


def _of(name: str, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    head = f"{name}."
    return {key.removeprefix(head): array for key, array in arrays.items() if key.startswith(head)}
