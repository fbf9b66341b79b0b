"""What a node does with the weighted sum of its inputs; every function has values in [-1, 1]."""

from collections.abc import Callable

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]


def sine(potential: Tensor) -> Tensor:
    """sin(p): repetition."""
    return torch.sin(potential)


def sigmoid(potential: Tensor) -> Tensor:
    """2 / (1 + exp(-p)) - 1, which is tanh(p / 2): a soft edge."""
    return torch.tanh(0.5 * potential)


def gaussian(potential: Tensor) -> Tensor:
    """exp(-p^2): a ridge, and symmetry."""
    return torch.exp(-(potential * potential))


def linear(potential: Tensor) -> Tensor:
    """Clip p to -3 .. 3, over 3: a slope."""
    return potential.clamp(-3.0, 3.0) / 3.0


def steep(potential: Tensor) -> Tensor:
    """tanh(5 p): a hard edge; stands in for the sine in Innovation Engines (Nguyen 2015b)."""
    return torch.tanh(5.0 * potential)


FUNCTIONS: tuple[tuple[str, Activation], ...] = (
    ("sine", sine),
    ("sigmoid", sigmoid),
    ("gaussian", gaussian),
    ("linear", linear),
    ("steep", steep),
)
"""Name and function, in the order that genomes refer to them by."""

NAMES = tuple(name for name, _ in FUNCTIONS)
