"""Guards that ask how likely an input is, without looking at the classifier: p(x), or p(x | class) with typicality."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.numerics import from_levels, to_levels
from trompe.core.types import Classwise, Images, Levels, Outputs, Rows
from trompe.data import Split
from trompe.densities import Autoencoders, Build, KernelDensity, PrincipalComponents, View
from trompe.densities.views import shrunk
from trompe.guards.neighbours import NeighbourGuard
from trompe.guards.scale import Parts, Scale, on_scales, scale_numbers, scales_from, scales_of
from trompe.guards.typicality import Typicality


class Nearest:
    """Correlation with the nearest known image of each class, asked as if it were a log density.

    Attributes:
        guard: That knows the images; its scales are not asked.
    """

    def __init__(self, known: Levels, counts: tuple[int, ...]) -> None:
        self.guard = NeighbourGuard(known, counts, (Scale(0.0, 1.0),) * len(counts))

    def log_density(self, images: Images) -> Classwise:
        """Shape (n, classes), in [-1, 1]."""
        return self.guard.nearest(images)

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        return self.guard.fingerprint()


Dense = PrincipalComponents | KernelDensity | Autoencoders | Nearest
_AT_ONCE = 256
_PROTOTYPES = 6000
"""Of kernels, at most, shared out evenly among the classes."""
_NARROWEST = 0.05
"""Bandwidth: in narrower kernels the rounding of float32 would show."""
_VIEW = View(upright=False, blur=0.7, tangents=False)
DENSITIES = ("pca-residual", "kde", "vae", "class-kde", "class-vae", "class-neighbours")
"""Kinds: three of p(x), blind to the class, then three of p(x | class) with two-sided typicality."""


@dataclass(frozen=True, eq=False)
class DensityGuard:
    """Refuses what is unlikely under a density of natural images, or whose contrast, ink or detail is not usual.

    Images larger than 32 pixels a side are averaged down to that first. A density of p(x) says the same of every
    class; there is then no typicality.

    Attributes:
        kind: One of `DENSITIES`.
        density: With one column (blind to the class) or one a class.
        inner: From log density to a slack of its own.
        typical: What else must be usual; None where nothing else is asked.
        scales: From the least of all these to slack, one a class.
        data: Name of the images, as in ``uses``.
    """

    kind: str
    density: Dense
    inner: tuple[Scale, ...]
    typical: Typicality | None
    scales: tuple[Scale, ...]
    data: str = "unnamed"

    @property
    def name(self) -> str:
        """The kind."""
        return self.kind

    @property
    def needs(self) -> frozenset[str]:
        """Inputs."""
        return frozenset({"inputs"})

    @property
    def uses(self) -> frozenset[str]:
        """The density, under the name that a reader of its kind has too, and the data."""
        kind = self.kind.removeprefix("class-")
        function = "nearest-neighbour" if kind == "neighbours" else kind
        return frozenset({f"function:{function}", f"features:{_FEATURES[kind]}", f"data:{self.data}"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): how far the least usual of everything that is asked is on the accepted side."""
        del outputs
        return on_scales(self.least(inputs), self.scales)

    def reasons(self, outputs: Outputs, inputs: Images) -> Mapping[str, Classwise]:
        """By name, each shape (n, classes): everything that is asked; below 0 is not usual."""
        del outputs
        return self._asked(inputs)

    def least(self, inputs: Images) -> Classwise:
        """Shape (n, classes): the least of the `reasons`."""
        return torch.stack(list(self._asked(inputs).values())).amin(0)

    def _asked(self, inputs: Images) -> Mapping[str, Classwise]:
        likely = on_scales(self.density.log_density(shrunk(inputs)), self.inner)
        return {"likelihood": likely, **(self.typical.slack(inputs) if self.typical else {})}

    def fingerprint(self) -> str:
        """sha256 over all of it."""
        head = repr((self.kind, self.density.fingerprint(), self.inner, self.scales))
        bounds = self.typical.bounds.contiguous().numpy().tobytes() if self.typical else b""
        return hashlib.sha256(head.encode() + bounds).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers, arrays = _parts(self.density)
        numbers |= {"kind": self.kind, "inner": scale_numbers(self.inner), "scales": scale_numbers(self.scales)}
        bounds = {"bounds": self.typical.bounds} if self.typical else {}
        return {**numbers, "data": self.data}, {**arrays, **bounds}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        typical = Typicality(arrays["bounds"]) if "bounds" in arrays else None
        inner, scales = scales_from(numbers["inner"]), scales_from(numbers["scales"])
        density = _density(numbers["kind"], numbers, arrays)
        return cls(numbers["kind"], density, inner, typical, scales, numbers["data"])


_FEATURES = {
    "pca-residual": "pixels",
    "kde": "contrast-normalised-pixels",
    "vae": "vae",
    "neighbours": "contrast-normalised-pixels",
}


def fit_density(  # noqa: PLR0913  one for each thing a guard is made of
    kind: str, known: Split, held: Split, *, labels: int, false_alarms: float = 0.01, seed: int = 0,
    iterations: int = 2000, data: str = "unnamed",
) -> DensityGuard:  # fmt: skip
    """A density of some natural images with its bounds, and scales from others.

    With typicality, each of the seven bounds gets an even share of the false alarms first; then the least of all is put
    on a scale of its own, so that the share of images refused is the one asked for. That holds of images to come since
    the bounds are not of those that the scale is taken from: of the same, so few are beyond them that many others are.

    Args:
        kind: One of `DENSITIES`.
        known: What the density is fitted to and bounds are taken from, of every class.
        held: What scales are taken from, of every class.
        labels: How many classes there are.
        false_alarms: Share of the latter that is refused.
        seed: Of autoencoders.
        iterations: Of autoencoders.
        data: Name of the images.

    Raises:
        BadInput: The images do not differ.
    """
    density = _fitted(kind, known, held, seed, iterations)
    likely = _of_all(density, held.images)
    classwise = kind.startswith("class-")
    typical, share = None, false_alarms
    if classwise:
        share = false_alarms / 7.0
        typical = Typicality.of(from_levels(known.images), known.classes, labels, share)
    inner = scales_of(likely, held.classes, labels, share)
    bare = DensityGuard(kind, density, inner, typical, (Scale(0.0, 1.0),) * labels, data)
    least = torch.cat([bare.least(from_levels(part)).detach() for part in held.images.split(_AT_ONCE)])
    asked = least if classwise else least[:, :1]
    return replace(bare, scales=scales_of(asked, held.classes, labels, false_alarms))


def _of_all(density: Dense, images: Levels) -> Classwise:
    parts = [density.log_density(shrunk(from_levels(part))).detach() for part in images.split(_AT_ONCE)]
    return torch.cat(parts)


def _fitted(kind: str, known: Split, held: Split, seed: int, iterations: int) -> Dense:
    images, classes = _small(known.images), known.classes
    if kind == "pca-residual":
        return PrincipalComponents.fit(images)
    if kind == "class-neighbours":
        order = classes.argsort(stable=True)
        return Nearest(images[order], tuple(torch.bincount(classes).tolist()))
    if not kind.startswith("class-"):
        classes = torch.zeros_like(classes)
    if kind.endswith("vae"):
        return Autoencoders.fit(images, classes, Build(), iterations, seed)
    some = _spread(classes, _PROTOTYPES)
    held_classes = held.classes if kind.startswith("class-") else torch.zeros_like(held.classes)
    few = _spread(held_classes, 500)
    fitted = KernelDensity.fit(
        Split(images[some], classes[some]), Split(_small(held.images[few]), held_classes[few]), _VIEW
    )
    return fitted.with_bandwidth(max(_NARROWEST, fitted.bandwidth))


def _small(images: Levels) -> Levels:
    return torch.cat([to_levels(shrunk(from_levels(part))) for part in images.split(_AT_ONCE)])


def _spread(classes: Rows, most: int) -> Rows:
    """Rows, ascending, at most so many, evenly from every class."""
    labels = int(classes.max()) + 1
    rows = []
    for c in range(labels):
        own = (classes == c).nonzero().flatten()
        n = min(len(own), max(1, most // labels))
        rows.append(own[torch.arange(n) * len(own) // n])
    return torch.cat(rows).sort().values


def _parts(density: Dense) -> Parts:
    if isinstance(density, PrincipalComponents):
        return {}, {"mean": density.mean, "components": density.components}
    if isinstance(density, Autoencoders):
        return {"build": vars(density.build)}, {f"vae.{name}": value for name, value in density.weights.items()}
    if isinstance(density, Nearest):
        return {"counts": list(density.guard.counts)}, {"trusted": density.guard.trusted}
    numbers: dict[str, Any] = {"bandwidth": density.bandwidth, "view": vars(density.view)}
    return numbers, {"trusted": density.prototypes, "classes": density.classes}


def _density(kind: str, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Dense:
    if kind == "pca-residual":
        return PrincipalComponents(arrays["mean"], arrays["components"])
    if kind == "class-neighbours":
        return Nearest(arrays["trusted"], tuple(numbers["counts"]))
    if kind.endswith("vae"):
        weights = {name.removeprefix("vae."): value for name, value in arrays.items() if name.startswith("vae.")}
        return Autoencoders(weights, Build(**numbers["build"]))
    return KernelDensity(arrays["trusted"], arrays["classes"], numbers["bandwidth"], View(**numbers["view"]))
