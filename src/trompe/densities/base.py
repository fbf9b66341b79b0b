"""What every class-conditional density can do."""

from pathlib import Path
from typing import Protocol, Self

from trompe.core.types import Classwise, Images


class Density(Protocol):
    """How likely an image is in every class, without a classifier."""

    def log_density(self, images: Images) -> Classwise:
        """Log p(x | c) in nats or a lower bound of it, shape (n, classes); row i depends on image i alone."""
        ...

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        ...

    def save(self, folder: Path) -> None:
        """Write its files into a folder that exists; no pickle among them."""
        ...

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            DataError: A file is missing or damaged.
        """
        ...
