"""A target small enough for thousands of judgements a second, the same in every process."""

import torch
from torch import nn

from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.targets import TorchTarget

TINY_LABELS = ("north", "east", "south", "west")
TINY_SPEC = ImageSpec(1, 6, 6)


def make_tiny_target(seed: int = 0) -> TorchTarget:
    """A linear classifier of 6x6 greyscale images into four classes; another seed gives other weights."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 4))
    with torch.no_grad():
        net[1].weight.copy_(4.0 * Stream(seed, "tiny/weight", 0).uniform32(4, 36) - 2.0)
        net[1].bias.copy_(-net[1].weight.sum(1) / 2.0)  # an even grey says nothing
    net.eval().requires_grad_(False)
    return TorchTarget(f"tiny-{seed}", net, TINY_SPEC, TINY_LABELS)
