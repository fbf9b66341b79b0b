"""The readers that ask a class-conditional density: kernels, and autoencoders."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from trompe.core.types import Classwise, Images
from trompe.data import Split
from trompe.densities import Autoencoders, KernelDensity, View
from trompe.densities.damage import damaged


@dataclass(frozen=True)
class Kernels:
    """Evidence is the log density of the class under Gaussian kernels on contrast-normalised pixels.

    Attributes:
        density: The kernels, around all known images.
    """

    density: KernelDensity
    name: ClassVar[str] = "kde"
    uses: ClassVar[frozenset[str]] = frozenset({"function:kde", "features:contrast-normalised-pixels"})

    def evidence(self, images: Images) -> tuple[Classwise, Classwise]:
        """Log p(x | c), shape (n, classes), twice."""
        near = self.density.log_density(images)
        return near, near

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        return self.density.fingerprint()

    def save(self, folder: Path) -> None:
        """Write ``kde.json``; the known images lie beside."""
        card = {"bandwidth": self.density.bandwidth, "view": vars(self.density.view)}
        (folder / "kde.json").write_text(json.dumps(card, indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path, known: Split) -> Self:
        """What `save` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            card = json.loads((folder / "kde.json").read_text(encoding="utf-8"))
            return cls(KernelDensity(known.images, known.classes, float(card["bandwidth"]), View(**card["view"])))
        except (OSError, ValueError, KeyError, TypeError) as cause:
            raise damaged(folder, "kernels", cause) from cause


@dataclass(frozen=True)
class Coders:
    """Evidence is the score of the class's own autoencoder at the best latent it has for the image.

    Attributes:
        density: The autoencoders.
    """

    density: Autoencoders
    name: ClassVar[str] = "vae"
    uses: ClassVar[frozenset[str]] = frozenset({"function:vae", "features:vae"})

    def evidence(self, images: Images) -> tuple[Classwise, Classwise]:
        """The score for log p(x | c), shape (n, classes), twice."""
        near = self.density.log_density(images)
        return near, near

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        return self.density.fingerprint()

    def save(self, folder: Path) -> None:
        """Write ``vae.safetensors`` and ``vae.json``."""
        self.density.save(folder)

    @classmethod
    def load(cls, folder: Path, known: Split) -> Self:
        """What `save` wrote."""
        del known
        return cls(Autoencoders.load(folder))
