"""From evidence for each class to a score: thresholds fixed on held-out images, before anything was judged."""

from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.types import Classwise, Images, Rows
from trompe.densities.views import contrast

PASS = 0.005
"""Share of held-out images of a class that may fall below its threshold."""
FAINTEST = 0.2
"""Least contrast, as a share of the median training image's: below it nobody is asked to see anything."""
_LEAST = 1e-9


@dataclass(frozen=True)
class Rule:
    """When evidence is enough.

    The score of class c is the smallest of three: how far its evidence is above the threshold, how far it is above that
    of every other class, and how far the contrast is above the faintest. Each is 0 at its border; the first two are 1
    for the median held-out image of the class.

    Attributes:
        threshold: Evidence that all but a small share of held-out images of the class have, shape (classes,).
        usual: Evidence that half of them have.
        lead: By how much the class is ahead of the best other in half of them.
        faintest: Contrast below which nothing is read.
    """

    threshold: Float64[Tensor, " classes"]
    usual: Float64[Tensor, " classes"]
    lead: Float64[Tensor, " classes"]
    faintest: float

    @classmethod
    def fit(cls, evidence: Classwise, classes: Rows, faintest: float) -> Self:
        """Thresholds from held-out images with their classes; every class has some.

        The threshold is the lowest evidence among the held-out images of the class after `PASS` of them are left out.
        """
        columns = [evidence[classes == c] for c in range(evidence.shape[1])]
        own = [rows[:, c].sort().values for c, rows in enumerate(columns)]
        ahead = [lead_over_others(rows)[:, c] for c, rows in enumerate(columns)]
        threshold = torch.stack([values[int(PASS * len(values))] for values in own])
        usual = torch.stack([values[len(values) // 2] for values in own])
        lead = torch.stack([values.quantile(0.5) for values in ahead])
        return cls(threshold, torch.maximum(usual, threshold + _LEAST), lead.clamp(min=_LEAST), faintest)

    def scores(self, evidence: Classwise, images: Images) -> Classwise:
        """Shape (n, classes); 0 is the border of being read."""
        enough = (evidence - self.threshold) / (self.usual - self.threshold)
        ahead = lead_over_others(evidence) / self.lead
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
