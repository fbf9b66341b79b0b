"""Generative classifiers: p(x, y) first, and p(y | x) from it by Bayes' rule.

Each is a torch module whose logits are log p(x, c) in nats, float64, pixels in [0, 1]. So the softmax of its logits is
p(y | x), their log-sum-exp is log p(x) (`log_evidence`), and it stands wherever a classifier does. Of `energy` log p(x)
is known but for a constant.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from jaxtyping import Float64
from torch import Tensor, nn

from trompe.core.types import Logits
from trompe.data import Split
from trompe.targets.generative.energy import empty_energy, fit_energy
from trompe.targets.generative.flow import empty_flow, fit_flow
from trompe.targets.generative.gaussian import (
    Diagonal,
    empty_gaussians,
    fit_linear_discriminant,
    fit_naive_bayes,
    fit_quadratic_discriminant,
    mean_image,
)
from trompe.targets.generative.kernels import Kernels, empty_kernels, fit_kernels
from trompe.targets.generative.vae import empty_vae, fit_vae

__all__ = ["GENERATIVE", "Family", "Kernels", "log_evidence"]


@dataclass(frozen=True)
class Family:
    """One kind of generative classifier.

    Attributes:
        empty: An unfitted one for so many classes, of the shape that its weights have.
        make: From images and classes, iterations where it is trained by steps, and a seed; the same gives the same.
    """

    empty: Callable[[int], nn.Module]
    make: Callable[[Split, int, int], nn.Module]

    def fit(self, data: Split, iterations: int, seed: int) -> nn.Module:
        """One that is fitted, ready to be asked; it keeps the mean training image, in 0 .. 255, as ``mean``.

        Args:
            data: 28x28 grey images, for `kernel-bayes` and `vae` of any shape; every class must occur.
            iterations: Batches of 64, where it is trained by steps.
            seed: Of initial weights, orders and what is drawn.

        Raises:
            TargetError: scikit-learn, which fits some of them, is missing.
        """
        module: Any = self.make(data, iterations, seed)
        module.mean.copy_(mean_image(data))
        module.eval().requires_grad_(requires_grad=False)
        found: nn.Module = module
        return found


GENERATIVE: Mapping[str, Family] = {
    "naive-bayes": Family(Diagonal, fit_naive_bayes),
    "lda": Family(empty_gaussians, fit_linear_discriminant),
    "qda": Family(empty_gaussians, fit_quadratic_discriminant),
    "kernel-bayes": Family(empty_kernels, fit_kernels),
    "vae": Family(empty_vae, fit_vae),
    "flow": Family(empty_flow, fit_flow),
    "energy": Family(empty_energy, fit_energy),
}
"""Every kind by its name, which is also that of its architecture."""


def log_evidence(logits: Logits) -> Float64[Tensor, " n"]:
    """Log p(x) in nats from what a generative classifier answers, log p(x, c).

    Example:
        >>> import torch
        >>> log_evidence(torch.tensor([[0.25, 0.75]]).log()).abs().item() < 1e-7
        True
    """
    found: Float64[Tensor, " n"] = logits.double().logsumexp(1)
    return found
