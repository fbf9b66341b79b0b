"""What readers are calibrated on beside real images: the same ones spoilt, and noise of every kind that fools."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images
from trompe.densities.views import blurred

Spoil = Callable[[Images, Stream], Images]
Noise = Callable[[int, tuple[int, int, int], Stream], Images]


def _noisy(images: Images, stream: Stream) -> Images:
    return images + 0.6 * (stream.uniform32(*images.shape) - 0.5)


def _shifted(images: Images, stream: Stream) -> Images:
    del stream
    return functional.pad(images, (2, 0, 2, 0))[..., :-2, :-2]


def _occluded(images: Images, stream: Stream) -> Images:
    """A black square of a quarter of each side, somewhere."""
    _, _, height, width = images.shape
    tall, wide = max(1, height // 4), max(1, width // 4)
    top = stream.branch("top").integers(len(images), height - tall + 1).view(-1, 1, 1, 1)
    left = stream.branch("left").integers(len(images), width - wide + 1).view(-1, 1, 1, 1)
    y, x = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    inside = (y >= top) & (y < top + tall) & (x >= left) & (x < left + wide)
    return images.masked_fill(inside, 0.0)


def _cluttered(images: Images, stream: Stream) -> Images:
    """Uniform static of half the strength all over, the image in front of it."""
    return torch.maximum(images, 0.5 * stream.uniform32(*images.shape))


def _among_squares(images: Images, stream: Stream) -> Images:
    """Six grey squares of an eighth of each side behind the image."""
    _, _, height, width = images.shape
    side = max(1, height // 8)
    y, x = torch.arange(height).view(1, 1, -1, 1), torch.arange(width).view(1, 1, 1, -1)
    behind = torch.zeros_like(images)
    for i in range(6):
        top = stream.branch(f"top-{i}").integers(len(images), height - side + 1).view(-1, 1, 1, 1)
        left = stream.branch(f"left-{i}").integers(len(images), width - side + 1).view(-1, 1, 1, 1)
        inside = (y >= top) & (y < top + side) & (x >= left) & (x < left + side)
        behind = torch.where(inside, 0.6, behind)
    return torch.maximum(images, behind)


SPOILT: dict[str, Spoil] = {
    "blur": lambda images, _: blurred(images, 1.0),
    "noise": _noisy,
    "shift": _shifted,
    "contrast": lambda images, _: 0.3 * images,
    "grey": lambda images, _: 0.4 + 0.4 * images,
    "occlusion": _occluded,
    "static": _cluttered,
    "squares": _among_squares,
    "negative": lambda images, _: 1.0 - images,
}
"""Ways of spoiling a real image in which a person still reads it."""


def spoilt(kind: str, images: Images, seed: int) -> Images:
    """Real images spoilt in one of the ways of `SPOILT`, on the 8-bit grid."""
    return quantise(SPOILT[kind](images, Stream(seed, f"readers/spoilt/{kind}", 0)).clamp(0.0, 1.0))


def _blank(n: int, shape: tuple[int, int, int], stream: Stream) -> Images:
    return stream.uniform32(n, 1, 1, 1).expand(n, *shape)


def _coarse(n: int, shape: tuple[int, int, int], stream: Stream) -> Images:
    small = stream.uniform32(n, shape[0], max(2, shape[1] // 4), max(2, shape[2] // 4))
    return functional.interpolate(small, shape[1:], mode="bilinear", align_corners=False)


def _blocks(n: int, shape: tuple[int, int, int], stream: Stream) -> Images:
    small = stream.uniform32(n, shape[0], max(2, shape[1] // 4), max(2, shape[2] // 4))
    return functional.interpolate(small, shape[1:], mode="nearest")


def _salt(n: int, shape: tuple[int, int, int], stream: Stream) -> Images:
    return (stream.uniform32(n, *shape) < 0.05).to(torch.float32)


def _scribbles(n: int, shape: tuple[int, int, int], stream: Stream) -> Images:
    """Three crooked lines of ten random steps each, as bright as ink."""
    _, height, width = shape
    ink = torch.zeros(n, *shape)
    for line in range(3):
        steps = 0.5 * (stream.branch(f"steps-{line}").uniform(n, 10, 2) - 0.5)
        places = (stream.branch(f"start-{line}").uniform(n, 1, 2) + steps.cumsum(1)).clamp(0.0, 1.0)
        ink = torch.maximum(ink, _drawn(places, height, width).expand(n, *shape))
    return ink


def _drawn(places: Tensor, height: int, width: int) -> Images:
    """Straight lines through places in [0, 1], shape (n, points, 2), a pixel and a half wide."""
    far = torch.linspace(0.0, 1.0, 9, dtype=places.dtype).view(1, 1, -1, 1)
    points = (places[:, :-1, None] * (1.0 - far) + places[:, 1:, None] * far).flatten(1, 2)
    y = torch.arange(height).view(1, 1, -1) - points[..., :1] * (height - 1)
    x = torch.arange(width).view(1, 1, -1) - points[..., 1:] * (width - 1)
    near = (y.square().unsqueeze(3) + x.square().unsqueeze(2)).amin(1)
    return (1.75 - near.sqrt()).clamp(0.0, 1.0).to(torch.float32).unsqueeze(1)


def _faint_scribbles(n: int, shape: tuple[int, int, int], stream: Stream) -> Images:
    strength = 0.01 + 0.07 * stream.branch("strength").uniform32(n, 1, 1, 1)
    return strength * _scribbles(n, shape, stream)


NOISE: dict[str, Noise] = {
    "uniform": lambda n, shape, stream: stream.uniform32(n, *shape),
    "faint": lambda n, shape, stream: 0.08 * stream.uniform32(n, *shape),
    "salt": _salt,
    "low-frequency": _coarse,
    "blocks": _blocks,
    "blank": _blank,
    "near-black-scribbles": _faint_scribbles,
}
"""Images in which there is nothing to read, by kind."""

SCRIBBLES: Noise = _scribbles
"""Bright scribbles: some of them look like a 1 or a 7 to a person, too; counted apart, never as noise."""


def noise(kind: str, n: int, shape: tuple[int, int, int], seed: int) -> Images:
    """Noise of one of the kinds of `NOISE`, or ``"scribbles"``, on the 8-bit grid."""
    make = SCRIBBLES if kind == "scribbles" else NOISE[kind]
    return quantise(make(n, shape, Stream(seed, f"readers/noise/{kind}", 0)).contiguous())
