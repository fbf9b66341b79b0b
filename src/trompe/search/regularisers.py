"""The four regularisers of gradient ascent in Nguyen 2015 (supplement), on images from which the mean is subtracted.

All take and give float64, shape (n, channels, height, width), each image for itself.
"""

import math

import torch
from jaxtyping import Float64
from torch import Tensor

Centred = Float64[Tensor, "n channels height width"]

_TRUNCATE = 4.0
"""Standard deviations after which a Gaussian is cut off, as in SciPy's filter, which the released code calls."""


def decay(images: Centred, rate: float) -> Centred:
    """L2 decay: every value nearer to the mean by a factor of ``1 - rate``."""
    return images * (1.0 - rate)


def blur(images: Centred, radius: float) -> Centred:
    """Gaussian blur of standard deviation ``radius`` pixels, each channel for itself, mirrored at the edges.

    Cut off after four standard deviations, edge pixels repeated in the mirror, as SciPy's ``gaussian_filter`` does.
    """
    half = int(_TRUNCATE * radius + 0.5)
    offsets = torch.arange(-half, half + 1, dtype=torch.float64)
    weights = torch.exp(-0.5 * (offsets / radius) ** 2)
    weights = weights / weights.sum()
    for axis in (-2, -1):
        size = images.shape[axis]
        places = torch.arange(size).unsqueeze(0) + offsets.long().unsqueeze(1)
        mirrored = torch.where(places % (2 * size) < size, places % size, size - 1 - places % size)
        shifted = images.index_select(axis, mirrored.reshape(-1)).unflatten(axis, (len(offsets), size))
        shape = [-1, 1, 1] if axis == -2 else [-1, 1]
        images = (shifted * weights.reshape(shape)).sum(axis - 1)
    return images


def clip_small_norm(images: Centred, percentile: float) -> Centred:
    """To the mean with every pixel whose norm over the channels is below this percentile of the image's norms."""
    return _drop_below(images, images.square().sum(1).sqrt(), percentile)


def clip_small_benefit(images: Centred, slope: Centred, percentile: float) -> Centred:
    """To the mean with every pixel whose removal would change the objective least, to first order.

    The benefit of a pixel is ``|sum over channels of slope * value|``; those below this percentile of the image go.

    Args:
        images: From which the mean is subtracted.
        slope: Of the objective in the images, same shape.
        percentile: From 0 to 100.
    """
    return _drop_below(images, (slope * images).sum(1).abs(), percentile)


def _drop_below(images: Tensor, measure: Tensor, percentile: float) -> Tensor:
    """Zero, in all channels, where the measure is strictly below its percentile (linear interpolation)."""
    flat = measure.flatten(1).sort(1).values
    place = (flat.shape[1] - 1) * percentile / 100.0
    low = math.floor(place)
    high = min(low + 1, flat.shape[1] - 1)
    threshold = flat[:, low] + (place - low) * (flat[:, high] - flat[:, low])
    return torch.where((measure < threshold[:, None, None]).unsqueeze(1), 0.0, images)
