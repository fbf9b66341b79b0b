"""A target that any working attack gets through: the positive control of an audit."""

import torch
from torch import Tensor, nn

from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Target
from trompe.targets.declaration import Declaration
from trompe.targets.preprocessing import PLAIN
from trompe.targets.torch import TorchTarget

_CELLS = 32
_SPREAD = 2.0
"""Standard deviation of a logit over uniform noise: nothing random is certain, and a few steps are enough."""
_PROBES = 64


def linear_control(target: Target, labels: tuple[str, ...], seed: int = 0) -> TorchTarget:
    """A random linear classifier of images of the same shape, with these labels and the target's link.

    Large images are averaged over cells first, 32 each way at most, so that it stays small.
    """
    channels, height, width = target.spec.shape
    cells = (min(height, _CELLS), min(width, _CELLS))
    linear = nn.Linear(channels * cells[0] * cells[1], len(labels), bias=True)
    with torch.no_grad():
        linear.weight.copy_(2.0 * Stream(seed, "control/weights", 0).uniform32(*linear.weight.shape) - 1.0)
        linear.bias.zero_()
        net = nn.Sequential(nn.AdaptiveAvgPool2d(cells), nn.Flatten(), linear).eval()
        answers: Tensor = net(quantise(Stream(seed, "control/noise", 0).uniform32(_PROBES, *target.spec.shape)))
        linear.weight.mul_(_SPREAD / answers.std(0).mean())
        answers = net(quantise(Stream(seed, "control/noise", 0).uniform32(_PROBES, *target.spec.shape)))
        linear.bias.sub_(answers.mean(0))
    declared = Declaration(labels=labels, preprocessing=PLAIN)
    spec = target.spec if isinstance(target.spec, ImageSpec) else ImageSpec(channels, height, width)
    return TorchTarget("control", net.requires_grad_(requires_grad=False), spec, labels, target.link, declared=declared)
