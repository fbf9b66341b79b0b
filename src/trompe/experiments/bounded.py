"""Classifiers beside `families` that are asked far away: a saturating network, and one that knows where images are."""

import math

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn.utils import skip_init

from trompe.core.numerics import from_levels
from trompe.core.types import Images
from trompe.data import Split
from trompe.experiments.families import kernels

_CENTRES = 1000
_STRETCH = 3.0
_DOUBTED = 0.01


def tanh() -> nn.Module:
    """The fully connected network of trompe with tanh in place of its rectified units; weights are uninitialised."""
    return nn.Sequential(
        nn.Flatten(),
        skip_init(nn.Linear, 784, 256),
        nn.Tanh(),
        skip_init(nn.Linear, 256, 128),
        nn.Tanh(),
        skip_init(nn.Linear, 128, 10),
    )


class Mixed(nn.Module):
    """A network that is believed where training images are; elsewhere all classes are alike.

    Its answer is ``p(y | x) p(in | x) + p(out | x) / classes``. ``p(in | x)`` weighs two densities against each other:
    kernels around training images, and the same kernels stretched threefold, which win far away, whatever the network
    says. Their prior is set so that of training images that are no centres one in a hundred is doubted.

    Differs from Meinke 2020 in the densities (kernels, not mixtures fitted with the network) and in the prior.

    Args:
        net: Takes images to logits; trained alone.
        part: Images for the centres, and at least as many others for the prior.

    Reference: Meinke 2020.
    """

    def __init__(self, net: nn.Module, part: Split) -> None:
        super().__init__()
        centres = min(_CENTRES, len(part) // 2)
        self.net = net
        self.kernels = kernels(Split(part.images[:centres], part.classes[:centres]))
        ratio = self._ratio(from_levels(part.images[centres : 2 * centres]))
        self.prior = float(ratio.quantile(_DOUBTED))

    def forward(self, images: Images) -> Float64[Tensor, "n classes"]:
        """Log-probabilities."""
        believed = (self._ratio(images) - self.prior).unsqueeze(1)
        own = self.net(images).double().log_softmax(1)
        even = torch.full_like(own, -math.log(own.shape[1]))
        inside, outside = nn.functional.logsigmoid(believed), nn.functional.logsigmoid(-believed)
        return torch.logaddexp(own + inside, even + outside)

    def extra_repr(self) -> str:
        """What is no weight, so that it is part of the fingerprint."""
        return f"{self.prior}"

    def _ratio(self, images: Images) -> Float64[Tensor, " n"]:
        """Logarithm of the inner density over the outer, up to a constant."""
        gap = torch.cdist(images.flatten(1).double(), self.kernels.centres.double()) / self.kernels.width
        inner, outer = (-0.5 * (gap / stretch).square() for stretch in (1.0, _STRETCH))
        return inner.logsumexp(1) - outer.logsumexp(1)
