"""MNIST in smaller images and in colour, and classifiers that take any of them."""

from collections.abc import Callable, Mapping
from functools import partial

import torch
from jaxtyping import Float64, UInt8
from torch import Tensor, nn
from torch.nn.utils import skip_init

from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Levels, Target
from trompe.data import Split
from trompe.experiments.families import Lesson, as_target, network
from trompe.search.judge import with_threads
from trompe.targets.generative import GENERATIVE

FORMS: Mapping[str, tuple[int, bool]] = {
    "7 pixels": (7, False), "14 pixels": (14, False), "28 pixels": (28, False), "28, in colour": (28, True),
}  # fmt: skip
"""What an image may be: its side, and whether its ink has a colour."""


def shape(form: str) -> tuple[int, int, int]:
    """Channels, height and width of images in one of `FORMS`."""
    side, in_colour = FORMS[form]
    return (3 if in_colour else 1), side, side


def dressed(data: Split, form: str, stream: Stream) -> Split:
    """MNIST's images in one of `FORMS`; classes stay.

    Args:
        data: 28x28 grey images.
        form: A key of `FORMS`.
        stream: Drawn from once, where there is colour.
    """
    side, in_colour = FORMS[form]
    levels = smaller(data.images, side)
    return Split(coloured(levels, stream.uniform(len(levels))) if in_colour else levels, data.classes)


def smaller(levels: Levels, side: int) -> UInt8[Tensor, "n channels side side"]:
    """Images of so many pixels a side, each the mean of a block of them; sides divide."""
    return torch.nn.functional.avg_pool2d(levels.double(), levels.shape[3] // side).round().to(torch.uint8)


def coloured(levels: Levels, hues: Float64[Tensor, " n"]) -> UInt8[Tensor, "n 3 height width"]:
    """Grey images with their ink in colour, on black: white becomes the fully saturated colour of a hue.

    Args:
        levels: Shape (n, 1, height, width).
        hues: Shape (n,), in [0, 1): 0 is red, a third green, two thirds blue.
    """
    turns = (6.0 * hues.unsqueeze(1) + torch.tensor([0.0, 4.0, 2.0]).double()) % 6.0
    ink = ((turns - 3.0).abs() - 1.0).clamp(0.0, 1.0)[:, :, None, None]
    return (levels.double() * ink).round().to(torch.uint8)


def convolutions(wanted: Lesson) -> nn.Module:
    """Two layers of rectified convolutions and a linear one, of the size that the images ask for."""
    channels, height, width = wanted.train.images.shape[1:]
    return nn.Sequential(
        skip_init(nn.Conv2d, channels, 16, 5, stride=2, padding=2),
        nn.ReLU(),
        skip_init(nn.Conv2d, 16, 32, 3, padding=1),
        nn.ReLU(),
        nn.Flatten(),
        skip_init(nn.Linear, 32 * ((height + 1) // 2) * ((width + 1) // 2), 10),
    )


def _generative(family: str, data: Split, iterations: int, seed: int) -> Target:
    with with_threads(1):
        fitted = GENERATIVE[family].fit(data, iterations, seed)
    return as_target(family, fitted, ImageSpec(*data.images.shape[1:]))


def _network(data: Split, iterations: int, seed: int) -> Target:
    with with_threads(1):
        return network("network", convolutions, Lesson(data, data, iterations, seed))


GENERATIVES = ("kernel-bayes", "vae")
KINDS: Mapping[str, Callable[[Split, int, int], Target]] = {
    **{family: partial(_generative, family) for family in GENERATIVES}, "network": _network,
}  # fmt: skip
"""Makers, each of images of any shape, iterations where it is trained by steps, and a seed."""
