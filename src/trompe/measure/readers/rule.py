"""From evidence for each class to a score: thresholds fixed on held-out images, before anything was judged."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.types import Classwise, Images, Rows
from trompe.densities.views import contrast

PASS = 0.003
"""Share of held-out images of a class that may fall below its threshold."""
WIDER = (1.3, 1.15, 1.0, 0.85, 0.7, 0.55, 0.4)
"""How far the threshold may be below the usual nearness, as a multiple of what held-out images ask for: those were
written by the hands that wrote the known ones, and strange hands are further away."""
FOR_NOISE = 0.01
FOR_REAL = 0.05
"""Share of noise that may be read as something, and of held-out images that may be lost to keep to it."""
FAINTEST = 0.1
"""Least contrast, as a share of the median training image's: below it nobody is asked to see anything."""
_LEAST = 1e-9


@dataclass(frozen=True)
class Noise:
    """Images of noise and the evidence for every class in them: how near, and what tells classes apart."""

    near: Classwise
    apart: Classwise
    images: Images


@dataclass(frozen=True)
class Rule:
    """When evidence is enough.

    The score of class c is the smallest of three: how far the image is above the threshold of nearness, how far the
    class is ahead of every other one, and how far the contrast is above the faintest. Each is 0 at its border; the
    first two are 1 for the median held-out image of the class.

    Attributes:
        threshold: Nearness that nearly all images of the class have, shape (classes,).
        usual: Nearness that half of them have.
        lead: By how much the class is ahead of the best other in half of them.
        faintest: Contrast below which nothing is read.
    """

    threshold: Float64[Tensor, " classes"]
    usual: Float64[Tensor, " classes"]
    lead: Float64[Tensor, " classes"]
    faintest: float

    @classmethod
    def fit(cls, near: Classwise, apart: Classwise, classes: Rows, faintest: float, empty: Noise | None = None) -> Self:
        """Thresholds from held-out images with their classes; every class has some.

        The lowest nearness among the held-out images of the class, after `PASS` of them are left out, is so far below
        the median; the threshold is a multiple as far below: the largest of `WIDER` at which at most `FOR_NOISE` of
        the noise is read as something, but none that costs more than `FOR_REAL` of the held-out images. Without noise
        it is the largest.
        """
        widest, *narrower = (cls._fit(near, apart, classes, faintest, wider) for wider in WIDER)
        if empty is None:
            return widest
        kept, own = widest, torch.arange(len(near))
        for rule in narrower:
            passing = (near >= rule.threshold)[own, classes].double().mean()
            if kept.read(empty) <= FOR_NOISE or passing < 1.0 - FOR_REAL:
                break
            kept = rule
        return kept

    @classmethod
    def _fit(cls, near: Classwise, apart: Classwise, classes: Rows, faintest: float, wider: float) -> Self:
        columns = range(near.shape[1])
        own = [near[classes == c, c].sort().values for c in columns]
        ahead = [lead_over_others(apart[classes == c])[:, c] for c in columns]
        lowest = torch.stack([values[int(PASS * len(values))] for values in own])
        usual = torch.stack([values[len(values) // 2] for values in own])
        threshold = usual - wider * (usual - lowest)
        lead = torch.stack([values.quantile(0.5) for values in ahead])
        return cls(threshold, torch.maximum(usual, threshold + _LEAST), lead.clamp(min=_LEAST), faintest)

    def read(self, noise: Noise) -> float:
        """The share of noise that is read as something."""
        return float((self.scores(noise.near, noise.apart, noise.images).amax(1) >= 0.0).double().mean())

    def scores(self, near: Classwise, apart: Classwise, images: Images) -> Classwise:
        """Shape (n, classes); 0 is the border of being read."""
        enough = (near - self.threshold) / (self.usual - self.threshold)
        ahead = lead_over_others(apart) / self.lead
        seen = contrast(images).to(torch.float64).unsqueeze(1) / self.faintest - 1.0
        return torch.minimum(torch.minimum(enough, ahead), seen)

    def to_json(self) -> dict[str, Any]:
        """Every number by name."""
        named = {name: getattr(self, name).tolist() for name in ("threshold", "usual", "lead")}
        return {**named, "faintest": self.faintest}

    @classmethod
    def from_json(cls, fields: dict[str, Any]) -> Self:
        """What `to_json` gave."""
        named = {name: torch.tensor(fields[name], dtype=torch.float64) for name in ("threshold", "usual", "lead")}
        return cls(**named, faintest=float(fields["faintest"]))


def lead_over_others(evidence: Classwise) -> Classwise:
    """Evidence for each class less that for the best other one, shape (n, classes); a gradient flows to both."""
    best = evidence.topk(2, 1)
    other = best.values[:, :1].expand_as(evidence)
    own = torch.arange(evidence.shape[1]) == best.indices[:, :1]
    return evidence - torch.where(own, best.values[:, 1:2], other)
