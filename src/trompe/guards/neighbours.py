"""A guard that asks whether an input looks like some trusted image of the very class that is bid for."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels
from trompe.core.types import Classwise, Images, Levels, Outputs, Rows
from trompe.guards.scale import Parts, Scale, scale_numbers, scales_from, scales_of

_SMALL = 1e-6
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class NeighbourGuard:
    """Refuses a class where the input's correlation with the nearest trusted image of that class is low.

    Both are freed of their mean and scaled to length 1, so neither brightness nor contrast matters: a faint scribble is
    no nearer than a bold one.

    Attributes:
        trusted: Bytes, shape (n, channels, height, width), sorted by class.
        counts: How many there are of each class, at least one.
        scales: From correlation to slack, one a class.
        data: Name of the images, as in ``uses``.
    """

    trusted: Levels
    counts: tuple[int, ...]
    scales: tuple[Scale, ...]
    data: str = "unnamed"

    @property
    def name(self) -> str:
        """Always ``neighbours``."""
        return "neighbours"

    @property
    def needs(self) -> frozenset[str]:
        """Inputs."""
        return frozenset({"inputs"})

    @property
    def uses(self) -> frozenset[str]:
        """The function and the pixels, under the names that a reader of this kind has too, and the data."""
        own = {"function:nearest-neighbour", "features:contrast-normalised-pixels"}
        return frozenset(own | {f"data:{self.data}"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): correlation with the nearest image of each class, on that class's scale."""
        del outputs
        nearest = self.nearest(inputs)
        return torch.stack([scale.slack(nearest[:, c]) for c, scale in enumerate(self.scales)], 1)

    def nearest(self, inputs: Images) -> Classwise:
        """Shape (n, classes): correlation with the nearest trusted image of each class, in [-1, 1]."""
        rows, own = centred(inputs), self._centred
        near = [(rows @ part.T).amax(1) for part in own.split(self.counts)]
        return torch.stack(near, 1).to(torch.float64)

    @property
    def _centred(self) -> Tensor:
        known: Tensor | None = self.__dict__.get("_known")
        if known is None:
            with torch.inference_mode(mode=False):
                known = centred(from_levels(self.trusted))
            self.__dict__["_known"] = known
        return known

    def fingerprint(self) -> str:
        """sha256 over images and scales."""
        head = repr((tuple(self.trusted.shape), self.counts, self.scales))
        return hashlib.sha256(head.encode() + self.trusted.contiguous().numpy().tobytes()).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers = {"counts": list(self.counts), "scales": scale_numbers(self.scales), "data": self.data}
        return numbers, {"trusted": self.trusted}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        return cls(arrays["trusted"], tuple(numbers["counts"]), scales_from(numbers["scales"]), numbers["data"])


def fit_neighbours(
    images: Levels, classes: Rows, labels: int, *, false_alarms: float = 0.01, data: str = "unnamed"
) -> NeighbourGuard:
    """A guard of one half of the images, with a scale for each class from the other half.

    Args:
        images: Bytes of trusted images, at least four a class.
        classes: Int64, shape (n,), their classes.
        labels: How many classes there are.
        false_alarms: Share of the other half that is refused, of each class.
        data: Name of the images.

    Raises:
        BadInput: Fewer than four images of some class, or they are all alike.
    """
    parts = [images[classes == c] for c in range(labels)]
    least = min((len(part) for part in parts), default=0)
    if least < 4:
        raise BadInput(
            expected="at least four trusted images of every class", got=f"{least}", where="guard", do="Give more."
        )
    return neighbours_of([part[::2] for part in parts], [part[1::2] for part in parts], false_alarms, data)


def neighbours_of(
    kept: Sequence[Tensor], held: Sequence[Tensor], false_alarms: float, data: str = "unnamed"
) -> NeighbourGuard:
    """A guard that knows some images of each class, with its scales from others.

    Args:
        kept: Bytes, of each class at least one.
        held: Bytes, of each class at least one.
        false_alarms: Share of those that is refused; of each class where it has enough for that, see `own_by_class`.
        data: Name of the images.

    Raises:
        BadInput: The images are all alike.
    """
    trusted, counts = torch.cat(list(kept)), tuple(len(part) for part in kept)
    bare = NeighbourGuard(trusted, counts, (Scale(0.0, 1.0),) * len(counts), data)
    near = torch.cat([bare.nearest(from_levels(chunk)) for chunk in torch.cat(list(held)).split(_AT_ONCE)])
    classes = torch.repeat_interleave(torch.tensor([len(part) for part in held]))
    return NeighbourGuard(trusted, counts, scales_of(near, classes, len(counts), false_alarms), data)


def centred(images: Images) -> Float64[Tensor, "n values"] | Tensor:
    """Every image freed of its mean and scaled to length 1, float32, shape (n, values); an even one is all 0."""
    flat = images.flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    return flat / (flat.square().sum(1, keepdim=True) + _SMALL).sqrt()
