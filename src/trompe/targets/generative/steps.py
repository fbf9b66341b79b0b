"""What all that is trained by steps share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.data import Split
from trompe.targets.training import batches

Loss = Callable[[Tensor, Tensor, Stream], Tensor]
"""Of images in [0, 1], their classes, and a stream for what is drawn."""


def descend(module: nn.Module, data: Split, loss: Loss, iterations: int, seed: int) -> None:
    """Train a module in place: Adam in batches of 64, a rate that falls from 0.001 to 0 along a cosine.

    Args:
        module: Its weights are where it begins.
        data: Passed through in a new order each epoch.
        loss: To be descended; of a batch.
        iterations: How many.
        seed: Of the orders and of what the loss draws.
    """
    optimiser = torch.optim.Adam(module.parameters(), lr=1e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    for step, rows in zip(range(iterations), batches(len(data), 64, seed), strict=False):
        height = loss(from_levels(data.images[rows]), data.classes[rows], Stream(seed, "generative/draw", step))
        optimiser.zero_grad(set_to_none=True)
        height.backward()
        optimiser.step()
        schedule.step()
    module.eval()


def normal(stream: Stream, *shape: int) -> Tensor:
    """Standard normal numbers, float32."""
    drawn: Tensor = torch.special.ndtri(stream.uniform(*shape).clamp(2.0**-53, 1.0 - 2.0**-53)).float()
    return drawn
