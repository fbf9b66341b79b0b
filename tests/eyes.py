"""Readers small enough for a test: they know what they read by a few images, or by rote."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from trompe.core.numerics import to_levels
from trompe.targets import bundled_targets
from trompe.targets.trained import read_samples

DIGITS = tuple("0123456789")


@dataclass(frozen=True, eq=False)
class Likeness:
    """Reads an image as the class of the sample digit it is most alike, from some likeness on."""

    name: str
    least: float
    labels: tuple[str, ...] = DIGITS
    shape: tuple[int, int, int] = (1, 28, 28)
    uses: frozenset[str] = frozenset()
    calibration: Mapping[str, float] = field(default_factory=dict)

    def scores(self, images: Tensor) -> Tensor:
        """The greatest cosine to a sample of each class, above the least."""
        samples = read_samples(bundled_targets()["lenet-mnist"])
        known, asked = (_unit(each) for each in (samples.images.double(), images.double()))
        likeness = asked @ known.T
        best = [likeness[:, samples.classes == column].amax(1) for column in range(len(self.labels))]
        return torch.stack(best, 1) - self.least

    def fingerprint(self) -> str:
        """Of what decides its answers."""
        return f"{self.name} {self.least}"


@dataclass(frozen=True, eq=False)
class Rote:
    """Reads what it was told to: a class for each image it knows by its bytes, another one for all others."""

    name: str
    labels: tuple[str, ...]
    known: Mapping[bytes, str] = field(default_factory=dict)
    others: str = "none"
    shape: tuple[int, int, int] = (1, 6, 6)
    uses: frozenset[str] = frozenset()
    calibration: Mapping[str, float] = field(default_factory=dict)
    asked: list[int] = field(default_factory=list)

    def scores(self, images: Tensor) -> Tensor:
        """1 for the class it was told, -1 for all others."""
        self.asked.append(len(images))
        said = [self.known.get(image.numpy().tobytes(), self.others) for image in to_levels(images)]
        return torch.tensor([[1.0 if label == own else -1.0 for label in self.labels] for own in said]).double()

    def fingerprint(self) -> str:
        """Of what decides its answers."""
        return repr((self.name, self.labels, sorted(self.known.items()), self.others))


def _unit(images: Tensor) -> Tensor:
    flat = images.flatten(1) - images.flatten(1).mean(1, keepdim=True)
    return flat / flat.norm(dim=1, keepdim=True).clamp(min=1e-9)
