"""What a guard must be to be stored, and what each kind is read back as."""

from collections.abc import Mapping
from typing import Any, Protocol, Self

from torch import Tensor

from trompe.core.types import Guard
from trompe.guards.certified import CertifiedGuard
from trompe.guards.density import DENSITIES, DensityGuard
from trompe.guards.features import FeatureNeighbourGuard, MahalanobisGuard
from trompe.guards.neighbours import NeighbourGuard
from trompe.guards.scale import Parts
from trompe.guards.scores import SCORES, ScoreGuard

AND = "+"
"""Between the kinds of a guard that is several."""


class Stored(Guard, Protocol):
    """A guard that can be taken apart into numbers and arrays, and put together again."""

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        ...

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        ...


TYPES: Mapping[str, type[Stored]] = {
    **dict.fromkeys(SCORES, ScoreGuard),
    "mahalanobis": MahalanobisGuard,
    "knn": FeatureNeighbourGuard,
    **dict.fromkeys(DENSITIES, DensityGuard),
    "neighbours": NeighbourGuard,
    "certified": CertifiedGuard,
}
"""What each kind of guard is read back as."""
