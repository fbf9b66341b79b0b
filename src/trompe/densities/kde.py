"""Gaussian kernels on contrast-normalised pixels, a sum of them for every class."""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float64
from safetensors.torch import load_file, save
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.types import Classwise, Images, Levels, Rows
from trompe.data import Split
from trompe.densities.damage import damaged
from trompe.densities.mosaic import read_mosaic, write_mosaic
from trompe.densities.views import Flat, blurred, normalised, tangents, upright

BANDWIDTHS = (0.025, 0.035, 0.05, 0.07, 0.1, 0.14, 0.2, 0.28, 0.4)
"""Of which the fit keeps the one that makes held-out images likeliest."""
_AT_ONCE = 100
"""Images prepared together: few enough to stay in the cache."""


@dataclass(frozen=True)
class View:
    """How kernels look at an image before they compare it.

    Attributes:
        upright: Whether the slant is taken out first.
        blur: Standard deviation in pixels of the smoothing; 0 for none.
        tangents: Whether what a small shift, scaling, turn or thickening changes is left out of the distance.
    """

    upright: bool = True
    blur: float = 0.0
    tangents: bool = True

    def prepare(self, images: Images) -> Images:
        """The images as they are compared, before normalisation."""
        straight = upright(images) if self.upright else images
        return blurred(straight, self.blur) if self.blur > 0.0 else straight


class KernelDensity:
    """p(x | c) as the mean of Gaussians around the prototypes of class c.

    The distance is between contrast-normalised pixels. With `View.tangents` it is taken beside the tangent space of
    the image (one-sided): then the value is no normalised density, and higher is still likelier.

    Attributes:
        prototypes: Bytes, shape (m, channels, height, width), ordered by class.
        classes: Shape (m,), ascending.
        bandwidth: Standard deviation of the Gaussians, where images have length 1.
        view: How images are looked at.

    Reference: Keysers 2000.
    """

    def __init__(self, prototypes: Levels, classes: Rows, bandwidth: float, view: View) -> None:
        order = classes.argsort(stable=True)
        self.prototypes, self.classes = prototypes[order], classes[order]
        self.bandwidth, self.view = bandwidth, view

    @classmethod
    def fit(cls, known: Split, held: Split, view: View) -> Self:
        """Kernels around images, with the bandwidth that makes the held-out ones likeliest in their own classes.

        Args:
            known: The prototypes; every class has one.
            held: Others, of the same classes.
            view: How images are looked at.
        """
        kernels = cls(known.images, known.classes, 1.0, view)
        with torch.no_grad():
            parts = [from_levels(part) for part in held.images.split(100)]
            squared = torch.cat([kernels.distances(part) for part in parts])
        fitted = [kernels.with_bandwidth(width) for width in BANDWIDTHS]
        own = held.classes.unsqueeze(1)
        return max(fitted, key=lambda one: float(one.from_distances(squared).gather(1, own).mean()))

    def with_bandwidth(self, bandwidth: float) -> Self:
        """The same prototypes under another bandwidth."""
        return type(self)(self.prototypes, self.classes, bandwidth, self.view)

    @cached_property
    def counts(self) -> list[int]:
        """Prototypes of every class."""
        return torch.bincount(self.classes).tolist()

    @cached_property
    def _points(self) -> Flat:
        with torch.inference_mode(mode=False), torch.no_grad():  # or no gradient could pass by them later
            parts = [normalised(self.view.prepare(from_levels(part))) for part in self.prototypes.split(_AT_ONCE)]
            return torch.cat(parts).T.contiguous()

    def distances(self, images: Images) -> Float64[Tensor, "n prototypes"]:
        """Squared distance of every image to every prototype, >= 0, float64 from float32 products."""
        prepared = self.view.prepare(images)
        points = normalised(prepared)
        squared = 1.0 + points.square().sum(1, keepdim=True) - 2.0 * (points @ self._points)
        if self.view.tangents:
            for along in tangents(prepared).unbind(1):
                squared = squared - ((points * along).sum(1, keepdim=True) - along @ self._points).square()
        return squared.clamp(min=0.0).to(torch.float64)

    def from_distances(self, squared: Float64[Tensor, "n prototypes"]) -> Classwise:
        """Log density in every class, shape (n, classes)."""
        parts = (squared / (-2.0 * self.bandwidth**2)).split(self.counts, 1)
        volume = 0.5 * self._points.shape[0] * math.log(2.0 * math.pi * self.bandwidth**2)
        sums = [part.logsumexp(1) - math.log(part.shape[1]) - volume for part in parts]
        return torch.stack(sums, 1)

    def log_density(self, images: Images) -> Classwise:
        """Log p(x | c) in nats, shape (n, classes); row i depends on image i alone; it has a gradient."""
        return self.from_distances(self.distances(images))

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        digest = hashlib.sha256(json.dumps([self.bandwidth, vars(self.view)]).encode())
        for part in (self.prototypes, self.classes):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``kde.json``, ``kde.png`` (the prototypes) and ``kde.safetensors`` (their classes)."""
        write_mosaic(folder / "kde.png", self.prototypes)
        (folder / "kde.safetensors").write_bytes(save({"classes": self.classes.to(torch.int32)}))
        card = {"bandwidth": self.bandwidth, "view": vars(self.view)}
        (folder / "kde.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            DataError: A file is missing or damaged.
        """
        try:
            card = json.loads((folder / "kde.json").read_text(encoding="utf-8"))
            classes = load_file(folder / "kde.safetensors")["classes"].to(torch.int64)
            return cls(read_mosaic(folder / "kde.png"), classes, card["bandwidth"], View(**card["view"]))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise damaged(folder, "kernels", cause) from cause
