"""How much of an image lies outside the directions in which natural ones vary."""

import hashlib
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save
from torch import Tensor

from trompe.core.numerics import filled_up, from_levels
from trompe.core.types import Classwise, Images, Levels
from trompe.densities.damage import damaged

_KEPT = 0.95


class PrincipalComponents:
    """Minus half the squared distance of an image from the plane of its data's principal components.

    That is, up to a constant, the log density of a Gaussian of unit width around that plane, the same everywhere along
    it. It knows no classes: there is one column.

    Attributes:
        mean: Float32, shape (values,).
        components: Float32, shape (k, values), orthonormal rows.
    """

    def __init__(self, mean: Float[Tensor, " values"], components: Float[Tensor, "k values"]) -> None:
        self.mean, self.components = mean, components

    @classmethod
    def fit(cls, images: Levels, kept: float = _KEPT) -> Self:
        """The fewest components that keep that share of the variance of some images.

        Args:
            images: Bytes, at least two that differ.
            kept: Share of the variance, below 1.
        """
        rows = from_levels(images).flatten(1).to(torch.float64)
        mean = rows.mean(0)
        values, vectors = torch.linalg.eigh((rows - mean).T @ (rows - mean) / len(rows))
        share = values.flip(0).clamp(min=0.0).cumsum(0) / values.clamp(min=0.0).sum().clamp(min=1e-12)
        k = min(int((share < kept).sum()) + 1, len(share))
        return cls(mean.to(torch.float32), vectors.flip(1)[:, :k].T.contiguous().to(torch.float32))

    def log_density(self, images: Images) -> Classwise:
        """Shape (n, 1); row i depends on image i alone; it has a gradient."""
        rows = filled_up((images.flatten(1) - self.mean).to(torch.float64))
        components = self.components.to(torch.float64)
        outside = rows - (rows @ components.T) @ components
        return -0.5 * outside.square().sum(1, keepdim=True)[: len(images)]

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        digest = hashlib.sha256(self.mean.numpy().tobytes())
        digest.update(self.components.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``pca.safetensors``."""
        (folder / "pca.safetensors").write_bytes(save({"mean": self.mean, "components": self.components}))

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        try:
            found = load_file(folder / "pca.safetensors")
            return cls(found["mean"], found["components"])
        except Exception as cause:
            raise damaged(folder, "principal components", cause) from cause
