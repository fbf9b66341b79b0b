"""What is usual of a class beside its shape: contrast, ink and detail. Too much is as strange as too little."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.types import Classwise, Images, Rows

Statistic = Callable[[Images], Float64[Tensor, " n"]]


def contrast(images: Images) -> Float64[Tensor, " n"]:
    """Standard deviation of an image's values, from 0 to 0.5."""
    rows = images.flatten(1).to(torch.float64)
    return ((rows - rows.mean(1, keepdim=True)).square().mean(1) + 1e-12).sqrt()


def ink(images: Images) -> Float64[Tensor, " n"]:
    """Mean of an image's values, from 0 to 1."""
    return images.flatten(1).to(torch.float64).mean(1)


def total_variation(images: Images) -> Float64[Tensor, " n"]:
    """Mean size of the steps between neighbouring pixels, across and down, from 0 to 1."""
    values = images.to(torch.float64)
    across, down = values.diff(dim=3).abs().flatten(1), values.diff(dim=2).abs().flatten(1)
    return torch.cat([across, down], 1).mean(1)


STATISTICS: Mapping[str, Statistic] = {"contrast": contrast, "ink": ink, "total-variation": total_variation}
"""What is looked at, by name."""


@dataclass(frozen=True, eq=False)
class Typicality:
    """For each class and statistic the least, the middle and the largest value of natural images.

    Attributes:
        bounds: Float64, shape (statistics, classes, 3), ascending along the last axis.
    """

    bounds: Tensor

    @classmethod
    def of(cls, images: Images, classes: Rows, labels: int, tail: float) -> "Typicality":
        """The bounds of natural images, with that share of each class beyond each of them.

        Raises:
            BadInput: A statistic is the same for all images of a class, or there are none.
        """
        found = torch.empty(len(STATISTICS), labels, 3, dtype=torch.float64)
        shares = torch.tensor([tail, 0.5, 1.0 - tail], dtype=torch.float64)
        for i, (name, statistic) in enumerate(STATISTICS.items()):
            values = torch.cat([statistic(part) for part in images.split(512)])
            for c in range(labels):
                own = values[classes == c]
                if len(own):
                    found[i, c] = own.quantile(shares)
                if not len(own) or not bool((found[i, c].diff() > 0.0).all()):
                    raise BadInput(
                        expected="images of every class that differ",
                        got=f"{len(own)} of class {c}, with one {name}",
                        where="guard",
                        do="Give more images of every class.",
                    )
        return cls(found)

    def slack(self, images: Images) -> Mapping[str, Classwise]:
        """By name, shape (n, classes): 0 at either bound, 1 in the middle, below 0 beyond."""
        found = {}
        for (name, statistic), bounds in zip(STATISTICS.items(), self.bounds, strict=True):
            low, middle, high = bounds.unbind(1)
            value = statistic(images).unsqueeze(1)
            found[name] = torch.minimum((value - low) / (middle - low), (high - value) / (high - middle))
        return found
