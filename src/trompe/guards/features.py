"""Guards that look at an inner layer of the classifier they stand in front of."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import filled_up
from trompe.core.types import Classwise, Images, Outputs, Rows
from trompe.guards.scale import Parts, Scale, on_scales, scale_numbers, scales_from, scales_of

_SHRINK = 1e-3
"""Of the mean variance, added to every direction: without it a direction in which nothing varied would decide all."""
_SMALL = 1e-12


def features_of(outputs: Outputs, layer: str) -> Tensor:
    """What the layer gave, float64, shape (n, d).

    Raises:
        TargetError: The classifier gave no features.
    """
    if outputs.features is None:
        raise TargetError(
            expected=f"features of the inner layer {layer}",
            got="outputs alone",
            where="guard",
            do="Ask the classifier in torch, with the layer declared; another engine does not show inner layers.",
        )
    return outputs.features.to(torch.float64)


@dataclass(frozen=True, eq=False)
class MahalanobisGuard:
    """Refuses a class where an inner layer is far from that class's mean, in units of the spread within classes.

    Differs from Lee 2018: one layer, no added noise, and the class that is asked about instead of the nearest one.

    Attributes:
        layer: Name of the layer.
        means: Float64, shape (classes, d).
        whitening: Float64, shape (d, d): what makes the shared covariance the identity.
        scales: From minus the distance to slack, one a class.
        data: Name of the images, as in ``uses``.

    Reference: Lee 2018.
    """

    layer: str
    means: Tensor
    whitening: Tensor
    scales: tuple[Scale, ...]
    data: str = "unnamed"

    @property
    def name(self) -> str:
        """Always ``mahalanobis``."""
        return "mahalanobis"

    @property
    def needs(self) -> frozenset[str]:
        """Features."""
        return frozenset({"features"})

    @property
    def uses(self) -> frozenset[str]:
        """The function, the classifier's layer and the data."""
        return frozenset({"function:mahalanobis", f"features:classifier-{self.layer}", f"data:{self.data}"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): minus the distance to each class's mean, on that class's scale."""
        del inputs
        return on_scales(self.nearness(features_of(outputs, self.layer)), self.scales)

    def nearness(self, features: Tensor) -> Classwise:
        """Shape (n, classes): minus the Mahalanobis distance to each class's mean."""
        rows, means = filled_up(features) @ self.whitening, self.means @ self.whitening
        rows = rows[: len(features)]
        squared = (rows.unsqueeze(1) - means).square().sum(2)
        return -(squared + _SMALL).sqrt()

    def fingerprint(self) -> str:
        """sha256 over all of it."""
        digest = hashlib.sha256(repr((self.layer, self.scales)).encode())
        for part in (self.means, self.whitening):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers = {"layer": self.layer, "scales": scale_numbers(self.scales), "data": self.data}
        return numbers, {"means": self.means, "whitening": self.whitening}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        scales = scales_from(numbers["scales"])
        return cls(numbers["layer"], arrays["means"], arrays["whitening"], scales, numbers["data"])


@dataclass(frozen=True, eq=False)
class FeatureNeighbourGuard:
    """Refuses a class where the k-th nearest trusted image of that class is far, in an inner layer at length 1.

    Differs from Sun 2022: neighbours are those of the class that is asked about.

    Attributes:
        layer: Name of the layer.
        trusted: Float32, shape (n, d), rows of length 1, sorted by class.
        counts: How many there are of each class.
        k: Which neighbour.
        scales: From minus the distance to slack, one a class.
        data: Name of the images, as in ``uses``.

    Reference: Sun 2022.
    """

    layer: str
    trusted: Tensor
    counts: tuple[int, ...]
    k: int
    scales: tuple[Scale, ...]
    data: str = "unnamed"

    @property
    def name(self) -> str:
        """Always ``knn``."""
        return "knn"

    @property
    def needs(self) -> frozenset[str]:
        """Features."""
        return frozenset({"features"})

    @property
    def uses(self) -> frozenset[str]:
        """The function, the classifier's layer and the data."""
        return frozenset({"function:nearest-neighbour", f"features:classifier-{self.layer}", f"data:{self.data}"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): minus the distance to the k-th neighbour of each class, on that class's scale."""
        del inputs
        return on_scales(self.nearness(features_of(outputs, self.layer)), self.scales)

    def nearness(self, features: Tensor) -> Classwise:
        """Shape (n, classes): minus the distance to the k-th nearest trusted row of each class, in [-2, 0]."""
        rows = unit(features)
        parts = self.trusted.to(torch.float64).split(self.counts)
        near = [(rows @ part.T).topk(min(self.k, len(part)), 1).values[:, -1] for part in parts]
        return -((2.0 - 2.0 * torch.stack(near, 1)).clamp(min=0.0) + _SMALL).sqrt()

    def fingerprint(self) -> str:
        """sha256 over all of it."""
        head = repr((self.layer, self.counts, self.k, self.scales))
        return hashlib.sha256(head.encode() + self.trusted.contiguous().numpy().tobytes()).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers = {"layer": self.layer, "counts": list(self.counts), "k": self.k, "data": self.data}
        return {**numbers, "scales": scale_numbers(self.scales)}, {"known": self.trusted}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        counts, scales = tuple(numbers["counts"]), scales_from(numbers["scales"])
        return cls(numbers["layer"], arrays["known"], counts, int(numbers["k"]), scales, numbers["data"])


def unit(features: Tensor) -> Tensor:
    """Every row at length 1, float64; a row of zeros stays one."""
    rows = features.to(torch.float64)
    return rows / (rows.square().sum(1, keepdim=True) + _SMALL).sqrt()


def fit_mahalanobis(  # noqa: PLR0913  one for each thing a guard is made of
    layer: str, known: Outputs, classes: Rows, held: Outputs, held_classes: Rows, *, labels: int,
    false_alarms: float = 0.01, data: str = "unnamed",
) -> MahalanobisGuard:  # fmt: skip
    """Means and one covariance from some natural images, scales from others.

    Args:
        layer: Name of the layer.
        known: What the classifier says of the first, with features.
        classes: Theirs; every class has one.
        held: Of the others.
        held_classes: Theirs.
        labels: How many classes there are.
        false_alarms: Share of the others that is refused.
        data: Name of the images.

    Raises:
        BadInput: The features do not tell images apart.
        TargetError: There are no features.
    """
    rows = features_of(known, layer)
    means = torch.stack([rows[classes == c].mean(0) for c in range(labels)])
    within = rows - means[classes]
    covariance = within.T @ within / max(1, len(rows) - labels)
    ground = _SHRINK * covariance.diagonal().mean().clamp(min=_SMALL)
    values, vectors = torch.linalg.eigh(covariance)
    whitening = (vectors * (values.clamp(min=0.0) + ground).rsqrt()).contiguous()  # as it will be read back
    bare = MahalanobisGuard(layer, means, whitening, (), data)
    near = bare.nearness(features_of(held, layer))
    return MahalanobisGuard(layer, means, whitening, scales_of(near, held_classes, labels, false_alarms), data)


def fit_feature_neighbours(  # noqa: PLR0913  one for each thing a guard is made of
    layer: str, known: Outputs, classes: Rows, held: Outputs, held_classes: Rows, *, labels: int, k: int = 5,
    false_alarms: float = 0.01, data: str = "unnamed",
) -> FeatureNeighbourGuard:  # fmt: skip
    """Neighbours from some natural images, scales from others; arguments as for `fit_mahalanobis`.

    Raises:
        BadInput: The features do not tell images apart.
        TargetError: There are no features.
    """
    rows = unit(features_of(known, layer)).to(torch.float32)
    parts = [rows[classes == c] for c in range(labels)]
    counts = tuple(map(len, parts))
    bare = FeatureNeighbourGuard(layer, torch.cat(parts), counts, k, (), data)
    near = bare.nearness(features_of(held, layer))
    scales = scales_of(near, held_classes, labels, false_alarms)
    return FeatureNeighbourGuard(layer, bare.trusted, counts, k, scales, data)
