"""A reader: something that gives evidence for every class, and the rule that says when it is enough."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import torch

from trompe.core.check import check_images
from trompe.core.types import Classwise, Images
from trompe.data import Split
from trompe.densities.views import shrunk
from trompe.measure.readers.rule import Noise, Rule


class Evidence(Protocol):
    """What a reader rests on.

    Attributes:
        name: What the reader is called.
        uses: What it is made of, beside the data it was fitted on.
    """

    name: ClassVar[str]
    uses: ClassVar[frozenset[str]]

    def evidence(self, images: Images) -> tuple[Classwise, Classwise]:
        """How near an image is to each class, and what tells the classes apart; both higher for more.

        Shape (n, classes) each; often the same. Row i depends on image i alone; both have a gradient.
        """
        ...

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files into a folder that exists; known images that readers share are not among them."""
        ...

    @classmethod
    def load(cls, folder: Path, known: Split) -> Self:
        """What `save` wrote, with the known images."""
        ...


@dataclass(frozen=True)
class MachineReader:
    """One who says which class can be seen in an image; see `trompe.core.types.Reader`.

    Attributes:
        basis: What gives the evidence.
        rule: When that is enough.
        labels: The classes it knows.
        shape: Of the images it reads.
        data: What it was fitted on, for example ``data:mnist-train-odd``.
        calibration: What was measured of it when it was fitted; empty before.
    """

    basis: Evidence
    rule: Rule
    labels: tuple[str, ...]
    shape: tuple[int, int, int]
    data: str
    calibration: Mapping[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """What it is called in files and on pages."""
        return self.basis.name

    @property
    def uses(self) -> frozenset[str]:
        """What it is made of."""
        return self.basis.uses | {self.data}

    def scores(self, images: Images) -> Classwise:
        """How well each class can be seen, shape (n, classes); read where the best is >= 0.

        Raises:
            BadInput: These are no images of its shape in [0, 1].
        """
        check_images(images, self.shape, f"reader {self.name}")
        small = shrunk(images)
        return self.rule.scores(*self.basis.evidence(small), small)

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        words = [self.name, self.labels, self.shape, sorted(self.uses), self.rule.to_json(), self.basis.fingerprint()]
        return hashlib.sha256(json.dumps(words).encode()).hexdigest()


def fit_rule(basis: Evidence, images: Images, classes: torch.Tensor, faintest: float, empty: torch.Tensor) -> Rule:
    """The rule for held-out images, and for as many of noise as there are."""
    return Rule.fit(*_evidence(basis, images), classes, faintest, Noise(*_evidence(basis, empty), empty))


def _evidence(basis: Evidence, images: Images) -> tuple[Classwise, Classwise]:
    """Asked a hundred at a time."""
    with torch.no_grad():
        near, apart = zip(*(basis.evidence(part) for part in images.split(100)), strict=True)
    return torch.cat(near), torch.cat(apart)
