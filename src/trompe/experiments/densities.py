"""Small densities of digits by other principles than maximum likelihood: noise as a foil, a forger as a foil."""

from collections.abc import Callable, Mapping
from typing import Any

import torch
from jaxtyping import Float64
from torch import Tensor, nn
from torch.nn.utils import skip_init

from trompe.core.seeds import Stream
from trompe.core.types import Images
from trompe.data import Split
from trompe.targets.architectures import initialise
from trompe.targets.generative import GENERATIVE, log_evidence
from trompe.targets.generative.gaussian import reduce
from trompe.targets.generative.steps import descend, normal

_HIDDEN, _LATENT = 128, 16


class Likely(nn.Module):
    """A density as a classifier of two: the log-odds of "likely" are how far log p(x) is above that of a median image.

    Args:
        log_density: Takes images to log p(x), up to a constant.
        real: Images that no density was fitted to; half of them come out above.
    """

    def __init__(self, log_density: Callable[[Images], Tensor], real: Images) -> None:
        super().__init__()
        self.log_density = log_density
        with torch.no_grad():
            self.middle = float(log_density(real).median())

    def forward(self, images: Images) -> Tensor:
        """Logits of "unlikely" and "likely"."""
        above = self.log_density(images).double() - self.middle
        return torch.stack([torch.zeros_like(above), above], 1)

    def extra_repr(self) -> str:
        """What is no weight, so that it is part of the fingerprint."""
        return f"{self.middle}"


class Summed(nn.Module):
    """Log p(x), up to a constant, as the sum of what its parts give: logits of shape (n, classes), log-sum-exps each.

    A module, so that its weights are part of a target's fingerprint.

    Args:
        *parts: Each from images to log-densities of one class or more.
    """

    def __init__(self, *parts: nn.Module) -> None:
        super().__init__()
        self.parts = nn.ModuleList(parts).requires_grad_(requires_grad=False)

    def forward(self, images: Images) -> Float64[Tensor, " n"]:
        """Log p(x) in nats, up to a constant."""
        return torch.stack([log_evidence(part(images)) for part in self.parts]).sum(0)


def _critic() -> nn.Module:
    return nn.Sequential(
        nn.Flatten(), skip_init(nn.Linear, 784, _HIDDEN), nn.LeakyReLU(0.2), skip_init(nn.Linear, _HIDDEN, _HIDDEN),
        nn.LeakyReLU(0.2), skip_init(nn.Linear, _HIDDEN, 1),
    )  # fmt: skip


def by_likelihood(data: Split, iterations: int, seed: int) -> Callable[[Images], Tensor]:
    """A flow's log p(x): forward KL, exactly."""
    return Summed(GENERATIVE["flow"].fit(data, iterations, seed))


def by_noise(data: Split, iterations: int, seed: int) -> Callable[[Images], Tensor]:
    """Noise-contrastive estimation against a Gaussian with the data's mean and covariance.

    Reference: Gutmann 2010.
    """
    kept: Any = GENERATIVE["lda"].empty(1)
    numbers, _ = reduce(kept, data)
    critic = _critic()
    widths = torch.from_numpy(numbers.std(0)).float()
    kept.head.whiten.copy_(torch.diag(1.0 / widths).unsqueeze(0))
    kept.head.volume.copy_(2.0 * widths.log().sum().reshape(1))
    initialise(critic, seed)

    def loss(images: Images, classes: Tensor, stream: Stream) -> Tensor:
        del classes
        latent = normal(stream.branch("latent"), len(images), len(widths)) * widths
        noise = normal(stream.branch("beside"), *images.shape) * kept.residual.sqrt()
        drawn = kept.mean / 255.0 + (latent @ kept.basis).view_as(images) + noise
        return _told_apart(critic(images), critic(drawn))

    descend(critic, data, loss, iterations, seed)
    return Summed(critic, kept)


def by_forger(data: Split, iterations: int, seed: int) -> Callable[[Images], Tensor]:
    """The discriminator of an adversarial pair: its logit is a log-density against the forger's own.

    Reference: Goodfellow 2014.
    """
    critic = _critic()
    forger = nn.Sequential(
        skip_init(nn.Linear, _LATENT, _HIDDEN), nn.ReLU(), skip_init(nn.Linear, _HIDDEN, 784), nn.Sigmoid()
    )
    initialise(critic, seed)
    initialise(forger, seed + 1_000_000)
    skilled = torch.optim.Adam(forger.parameters(), lr=1e-3, betas=(0.5, 0.999))

    def loss(images: Images, classes: Tensor, stream: Stream) -> Tensor:
        del classes
        forged = forger(normal(stream, len(images), _LATENT)).view_as(images)
        skilled.zero_grad(set_to_none=True)
        nn.functional.softplus(-critic(forged)).mean().backward()
        skilled.step()
        return _told_apart(critic(images), critic(forged.detach()))

    descend(critic, data, loss, iterations, seed)
    return Summed(critic)


def _told_apart(real: Tensor, foil: Tensor) -> Tensor:
    return nn.functional.softplus(-real).mean() + nn.functional.softplus(foil).mean()


PRINCIPLES: Mapping[str, Callable[[Split, int, int], Callable[[Images], Tensor]]] = {
    "maximum likelihood": by_likelihood, "noise-contrastive": by_noise, "adversarial": by_forger,
}  # fmt: skip
"""How a density is fitted: from images, iterations and a seed to log p(x), up to a constant."""
