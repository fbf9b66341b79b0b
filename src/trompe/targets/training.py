"""Training as Caffe trains its LeNet: stochastic gradient descent, momentum, the inverse schedule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.data import Split


@dataclass(frozen=True)
class Recipe:
    """How to train; the defaults are those of Caffe's LeNet example.

    Attributes:
        rate: Learning rate of the first iteration; biases learn twice as fast.
        momentum: Of the gradient.
        decay: Weight decay (L2), biases included.
        gamma: The rate of iteration i is rate * (1 + gamma * i) ** -power.
        power: See gamma.
        batch: Images an iteration.
        iterations: How many.
    """

    rate: float = 0.01
    momentum: float = 0.9
    decay: float = 5e-4
    gamma: float = 1e-4
    power: float = 0.75
    batch: int = 64
    iterations: int = 10_000


Loss = Callable[[nn.Module, Tensor, Tensor, int], Tensor]
"""Of a module in training, a batch of images in [0, 1], their classes, and the iteration, from 0: what is descended."""


def cross_entropy(module: nn.Module, images: Tensor, classes: Tensor, iteration: int) -> Tensor:
    """The mean cross-entropy of a batch, whatever the iteration."""
    del iteration
    return nn.functional.cross_entropy(module(images), classes)


def fit(
    module: nn.Module, data: Split, recipe: Recipe, seed: int, loss: Loss = cross_entropy
) -> Iterator[tuple[int, float]]:
    """Train a module in place, iteration by iteration.

    The data are passed through in a new order each epoch; the same seed gives the same orders. Differs from Caffe,
    which passes through one order again and again.

    Yields:
        Iterations done and the loss of the last one, after each.
    """
    weights = [value for value in module.parameters() if value.ndim > 1]
    biases = [value for value in module.parameters() if value.ndim == 1]
    groups = [{"params": weights, "lr": recipe.rate}, {"params": biases, "lr": 2 * recipe.rate}]
    optimiser = torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.decay)
    schedule = torch.optim.lr_scheduler.LambdaLR(optimiser, lambda i: (1 + recipe.gamma * i) ** -recipe.power)
    module.train()
    for iteration, rows in zip(range(recipe.iterations), batches(len(data), recipe.batch, seed), strict=False):
        height = loss(module, from_levels(data.images[rows]), data.classes[rows], iteration)
        optimiser.zero_grad(set_to_none=True)
        height.backward()
        optimiser.step()
        schedule.step()
        yield iteration + 1, height.item()
    module.eval()


def errors(module: nn.Module, data: Split) -> int:
    """How many images of a split are named wrongly."""
    with torch.inference_mode():
        return sum(
            int((module(from_levels(images)).argmax(1) != classes).sum().item())
            for images, classes in zip(data.images.split(500), data.classes.split(500), strict=True)
        )


def batches(n: int, size: int, seed: int) -> Iterator[Tensor]:
    """Rows of n images in batches of a size, a new order each epoch, without end; the same for the same seed."""
    epoch = 0
    while True:
        order = Stream(seed, "train/order", epoch).uniform(n).argsort(stable=True)
        yield from order[: n - n % size].split(size)
        epoch += 1
