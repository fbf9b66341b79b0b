"""The reader that looks for the nearest known image by cosine."""

import hashlib
import json
import math
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import torch
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.types import Classwise, Images, Levels, Rows
from trompe.data import Split
from trompe.densities.damage import damaged
from trompe.densities.views import edges, normalised, upright

_AT_ONCE = 100
"""Images prepared together: few enough to stay in the cache."""


@dataclass(frozen=True)
class Neighbours:
    """Evidence is the largest cosine to a known image of the class: mean of that of pixels and of their edges.

    Attributes:
        known: Bytes, shape (m, channels, height, width), ordered by class.
        classes: Shape (m,), ascending.
        straighten: Whether the slant is taken out first.
    """

    known: Levels
    classes: Rows
    straighten: bool = True
    name: ClassVar[str] = "nearest"
    uses: ClassVar[frozenset[str]] = frozenset({"function:nearest-neighbour", "features:contrast-normalised-pixels"})

    @classmethod
    def fit(cls, images: Levels, classes: Rows, *, straighten: bool = True) -> Self:
        """All of these images are known; every class has one."""
        order = classes.argsort(stable=True)
        return cls(images[order], classes[order], straighten)

    @cached_property
    def _bank(self) -> Tensor:
        with torch.no_grad():
            return torch.cat([self._features(from_levels(part)) for part in self.known.split(_AT_ONCE)]).T.contiguous()

    def _features(self, images: Images) -> Tensor:
        straight = upright(images) if self.straighten else images
        both = [normalised(straight), normalised(edges(straight))]
        return torch.cat(both, 1) / math.sqrt(len(both))

    def evidence(self, images: Images) -> tuple[Classwise, Classwise]:
        """The largest cosine by class, in [-1, 1], shape (n, classes), twice."""
        cosines = (self._features(images) @ self._bank).to(torch.float64)
        near = torch.stack([part.amax(1) for part in cosines.split(torch.bincount(self.classes).tolist(), 1)], 1)
        return near, near

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        digest = hashlib.sha256(json.dumps(self.straighten).encode())
        for part in (self.known, self.classes):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``nearest.json``; the known images lie beside."""
        card = json.dumps({"straighten": self.straighten}, indent=2)
        (folder / "nearest.json").write_text(card + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, known: Split) -> Self:
        """What `save` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            card = json.loads((folder / "nearest.json").read_text(encoding="utf-8"))
            return cls.fit(known.images, known.classes, straighten=bool(card["straighten"]))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise damaged(folder, "nearest neighbours", cause) from cause
