"""The networks that trompe trains itself, small enough to ship."""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from trompe.core.seeds import Stream


class Centred(nn.Module):
    """A network behind the paper's preprocessing: (pixel in 0 .. 255 - mean image) / 256.

    Args:
        net: The network proper.
        mean: Mean training image in 0 .. 255, shape (channels, height, width); stored with the weights.
    """

    mean: Tensor

    def __init__(self, net: nn.Module, mean: Tensor) -> None:
        super().__init__()
        self.net = net
        self.register_buffer("mean", mean.to(torch.float32))

    def forward(self, images: Tensor) -> Tensor:
        """Logits of images in [0, 1]."""
        centred: Tensor = self.net((images * 255.0 - self.mean) / 256.0)
        return centred


def lenet() -> nn.Module:
    """The LeNet of the Caffe examples, as in Nguyen 2015: no non-linearity after the convolutions."""
    return nn.Sequential(
        skip_init(nn.Conv2d, 1, 20, 5),
        nn.MaxPool2d(2),
        skip_init(nn.Conv2d, 20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        skip_init(nn.Linear, 800, 500),
        nn.ReLU(),
        skip_init(nn.Linear, 500, 10),
    )


def mlp() -> nn.Module:
    """A fully connected network with two hidden layers of 256 and 128 rectified units."""
    return nn.Sequential(
        nn.Flatten(),
        skip_init(nn.Linear, 784, 256),
        nn.ReLU(),
        skip_init(nn.Linear, 256, 128),
        nn.ReLU(),
        skip_init(nn.Linear, 128, 10),
    )


def softmax() -> nn.Module:
    """A linear classifier: one template a class, the case of Karpathy's "Breaking linear classifiers"."""
    return nn.Sequential(nn.Flatten(), skip_init(nn.Linear, 784, 10))


ARCHITECTURES: dict[str, Callable[[], nn.Module]] = {"lenet": lenet, "mlp": mlp, "softmax": softmax}
"""Builders of untrained networks for 28x28 greyscale images and ten classes; weights are uninitialised."""


def initialise(net: nn.Module, seed: int) -> None:
    """Caffe's "xavier" weights, uniform within sqrt(3 / fan_in), and zero biases; the same for the same seed."""
    with torch.no_grad():
        for name, weight in net.named_parameters():
            if weight.ndim == 1:
                weight.zero_()
                continue
            bound = math.sqrt(3.0 / weight[0].numel())
            drawn = Stream(seed, f"train/initial/{name}", 0).uniform32(*weight.shape)
            weight.copy_((2.0 * drawn - 1.0) * bound)
