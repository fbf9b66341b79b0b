"""The networks that trompe trains itself, small enough to ship."""

import math
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.utils import skip_init

from trompe.core.check import check_name
from trompe.core.errors import TargetError
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


def lenet(classes: int = 10) -> nn.Module:
    """The LeNet of the Caffe examples, as in Nguyen 2015: no non-linearity after the convolutions."""
    return nn.Sequential(
        skip_init(nn.Conv2d, 1, 20, 5),
        nn.MaxPool2d(2),
        skip_init(nn.Conv2d, 20, 50, 5),
        nn.MaxPool2d(2),
        nn.Flatten(),
        skip_init(nn.Linear, 800, 500),
        nn.ReLU(),
        skip_init(nn.Linear, 500, classes),
    )


def mlp(classes: int = 10) -> nn.Module:
    """A fully connected network with two hidden layers of 256 and 128 rectified units."""
    return nn.Sequential(
        nn.Flatten(),
        skip_init(nn.Linear, 784, 256),
        nn.ReLU(),
        skip_init(nn.Linear, 256, 128),
        nn.ReLU(),
        skip_init(nn.Linear, 128, classes),
    )


def softmax(classes: int = 10) -> nn.Module:
    """A linear classifier: one template a class, the case of Karpathy's "Breaking linear classifiers"."""
    return nn.Sequential(nn.Flatten(), skip_init(nn.Linear, 784, classes))


ARCHITECTURES: dict[str, Callable[..., nn.Module]] = {"lenet": lenet, "mlp": mlp, "softmax": softmax}
"""Builders of untrained networks for 28x28 greyscale images and so many classes; weights are uninitialised."""


def build(architecture: str, classes: int, seed: int) -> nn.Module:
    """An untrained network with initial weights; the same for the same seed.

    Args:
        architecture: A key of `ARCHITECTURES`, or ``package.module:factory``, a function of the number of classes that
            returns a module with initial weights of its own. This runs that code.
        classes: How many outputs.
        seed: Of the initial weights. What a factory draws of torch's global generator is drawn with this seed, and the
            generator is left as it was.

    Raises:
        BadInput: No such architecture.
        TargetError: The factory cannot be imported or called, or gives no module.
    """
    if architecture in ARCHITECTURES:
        net = ARCHITECTURES[architecture](classes)
        initialise(net, seed)
        return net
    if ":" not in architecture:
        check_name(architecture, ARCHITECTURES, "--architecture (or package.module:factory)")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(int(Stream(seed, f"train/initial/{architecture}", 0).integers(1, 2**53)))
        return _made(architecture, classes)


def _made(architecture: str, classes: int) -> nn.Module:
    module_name, _, attribute = architecture.partition(":")
    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    try:
        net = getattr(import_module(module_name), attribute)(classes)
    except Exception as cause:
        raise _no_network(architecture, f"{type(cause).__name__}: {cause}") from cause
    if not isinstance(net, nn.Module):
        raise _no_network(architecture, type(net).__name__)
    return net


def _no_network(architecture: str, got: str) -> TargetError:
    return TargetError(
        expected="package.module:factory, a function of the number of classes that returns an untrained torch module",
        got=got,
        where=f"--architecture {architecture}",
        do="Try it in Python, from this folder: import it and call it.",
    )


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
