"""A data set and networks small enough to be hardened within a test."""

import torch
from torch import nn

from trompe.core.seeds import Stream
from trompe.data import Dataset, Split

LABELS = ("left", "right", "below")
SIDE = 8
FACTORY = "small:network"


def network(classes: int) -> nn.Module:
    """A small network with initial weights of its own, drawn from torch's global generator."""
    return nn.Sequential(nn.Flatten(), nn.Linear(SIDE * SIDE, 24), nn.ReLU(), nn.Linear(24, classes))


def normed(classes: int) -> nn.Module:
    """One with statistics of its own, which differ between training and evaluation."""
    return nn.Sequential(nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Flatten(), nn.Linear(144, classes))


def split(n: int, part: int) -> Split:
    """Bars on one of three sides, of any brightness from a half on, with noise."""
    stream = Stream(7, "small", part)
    classes = stream.branch("class").integers(n, 3)
    images = 0.2 * stream.branch("noise").uniform32(n, 1, SIDE, SIDE)
    light = 0.5 + 0.3 * stream.branch("light").uniform32(n)
    for i, c in enumerate(classes.tolist()):
        place = [(slice(None), slice(0, 3)), (slice(None), slice(5, 8)), (slice(5, 8), slice(None))][c]
        images[i, 0][place] += light[i]
    return Split((255 * images).round().clamp(0, 255).to(torch.uint8), classes)


def bars() -> Dataset:
    """Three classes of 8x8 images, which a small network learns in a hundred batches."""
    return Dataset("bars", LABELS, split(600, 0), split(90, 1), split(150, 2))


def _pair(classes: int) -> tuple[int, int]:
    """No network."""
    return classes, classes
