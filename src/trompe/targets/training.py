"""Training as Caffe trains its LeNet: stochastic gradient descent, momentum, the inverse schedule."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Protocol

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


class Bookmark(Protocol):
    """Where an interrupted training is taken up again."""

    def restore(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        """Bring both to where they were kept; how many iterations that was after, 0 where nothing was."""
        ...

    def keep(self, done: int, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Is told after each iteration, and keeps what it likes."""
        ...


def fit(  # noqa: PLR0913  one for each thing that a training is made of
    module: nn.Module, data: Split, recipe: Recipe, seed: int, loss: Loss = cross_entropy,
    bookmark: Bookmark | None = None,
) -> Iterator[tuple[int, float]]:  # fmt: skip
    """Train a module in place, iteration by iteration.

    The data are passed through in a new order each epoch; the same seed gives the same orders. Differs from Caffe,
    which passes through one order again and again. From a bookmark on, iterations are what they would have been, but
    where a module draws random numbers of its own.

    Yields:
        Iterations done and the loss of the last one, after each.
    """
    weights = [value for value in module.parameters() if value.ndim > 1]
    biases = [value for value in module.parameters() if value.ndim == 1]
    groups = [{"params": weights, "lr": recipe.rate}, {"params": biases, "lr": 2 * recipe.rate}]
    optimiser = torch.optim.SGD(groups, lr=recipe.rate, momentum=recipe.momentum, weight_decay=recipe.decay)
    rates = [group["lr"] for group in groups]
    done = bookmark.restore(module, optimiser) if bookmark else 0
    module.train()
    every = zip(range(recipe.iterations), batches(len(data), recipe.batch, seed), strict=False)
    for iteration, rows in islice(every, done, None):
        for group, rate in zip(optimiser.param_groups, rates, strict=True):
            group["lr"] = rate * (1 + recipe.gamma * iteration) ** -recipe.power
        height = loss(module, from_levels(data.images[rows]), data.classes[rows], iteration)
        optimiser.zero_grad(set_to_none=True)
        height.backward()
        optimiser.step()
        if bookmark:
            bookmark.keep(iteration + 1, module, optimiser)
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
    """Rows of n images in batches of a size (of all where they are fewer), a new order each epoch, without end.

    The same for the same seed.
    """
    size, epoch = min(size, n), 0
    while True:
        order = Stream(seed, "train/order", epoch).uniform(n).argsort(stable=True)
        yield from order[: n - n % size].split(size)
        epoch += 1
