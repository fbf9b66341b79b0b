"""From what the output nodes say to red, green and blue."""

import torch
from torch import Tensor


def hsv_to_rgb(hue: Tensor, saturation: Tensor, value: Tensor) -> Tensor:
    """Red, green, blue in [0, 1], stacked on a new axis 1.

    Args:
        hue: In turns; whole turns do not matter.
        saturation: In [0, 1].
        value: In [0, 1], same shape as the others.
    """
    chroma = value * saturation
    return torch.stack([_channel(hue, offset, value - chroma, chroma) for offset in (0.0, 2.0, 1.0)], 1)


def hls_to_rgb(hue: Tensor, lightness: Tensor, saturation: Tensor) -> Tensor:
    """Red, green, blue in [0, 1], stacked on a new axis 1; arguments as for `hsv_to_rgb`."""
    chroma = (1.0 - (2.0 * lightness - 1.0).abs()) * saturation
    return torch.stack([_channel(hue, offset, lightness - 0.5 * chroma, chroma) for offset in (0.0, 2.0, 1.0)], 1)


def _channel(hue: Tensor, offset: float, floor: Tensor, chroma: Tensor) -> Tensor:
    """One primary: full within a sixth of a turn of its own hue, gone beyond a third."""
    turned = hue + (offset / 3.0 + 0.5)
    away = (turned - turned.floor() - 0.5).abs()  # in turns, from the primary's own hue
    return floor + chroma * (2.0 - 6.0 * away).clamp(0.0, 1.0)
