"""The reader that asks kernel densities."""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Self

from trompe.core.types import Classwise, Images
from trompe.densities import KernelDensity


@dataclass(frozen=True)
class Kernels:
    """Evidence is the log density of the class under Gaussian kernels on contrast-normalised pixels.

    Attributes:
        density: The kernels.
    """

    density: KernelDensity
    name: ClassVar[str] = "kde"
    uses: ClassVar[frozenset[str]] = frozenset({"function:kde", "features:contrast-normalised-pixels"})

    def evidence(self, images: Images) -> Classwise:
        """Log p(x | c), shape (n, classes)."""
        return self.density.log_density(images)

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        return self.density.fingerprint()

    def save(self, folder: Path) -> None:
        """Write its files."""
        self.density.save(folder)

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote."""
        return cls(KernelDensity.load(folder))
