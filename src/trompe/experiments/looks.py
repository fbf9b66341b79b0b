"""What an image is like, in numbers that know nothing of any classifier."""

import zlib
from collections.abc import Callable, Mapping

import torch

from trompe.core.types import Levels


def variation(levels: Levels) -> list[float]:
    """Mean step between neighbouring values, as a share of the range (total variation a pixel)."""
    values = levels.double() / 255.0
    steps = values.diff(dim=3).abs().mean((1, 2, 3)) + values.diff(dim=2).abs().mean((1, 2, 3))
    return list(map(float, steps / 2.0))


def low_frequencies(levels: Levels) -> list[float]:
    """Share of the power, the mean left out, in frequencies up to a quarter of the highest; 1 for an even image."""
    values = levels.double().mean(1)
    power = torch.fft.fft2(values - values.mean((1, 2), keepdim=True)).abs().square()
    rows, columns = (torch.fft.fftfreq(size).abs() for size in values.shape[1:])
    low = (rows[:, None] <= 0.125) & (columns[None] <= 0.125)
    whole = power.sum((1, 2))
    share = torch.where(whole > 0, (power * low).sum((1, 2)) / whole.clamp(min=1e-300), torch.ones(()).double())
    return list(map(float, share))


def symmetry(levels: Levels) -> list[float]:
    """Correlation of an image with its mirror image, left and right; 1 for an even image."""
    values = levels.double().flatten(1)
    turned = levels.double().flip(3).flatten(1)
    first, second = values - values.mean(1, keepdim=True), turned - turned.mean(1, keepdim=True)
    size = first.square().sum(1)
    found = torch.where(size > 0, (first * second).sum(1) / size.clamp(min=1e-300), torch.ones(()).double())
    return list(map(float, found))


def compressed(levels: Levels) -> list[float]:
    """Bytes after compression (zlib, level 9) for each byte before."""
    return [len(zlib.compress(image.contiguous().numpy().tobytes(), 9)) / image.numel() for image in levels]


LOOKS: Mapping[str, Callable[[Levels], list[float]]] = {
    "variation": variation, "low frequencies": low_frequencies, "symmetry": symmetry, "compressed": compressed,
}  # fmt: skip
"""Every number by its name."""
