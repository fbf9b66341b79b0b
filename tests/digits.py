"""Real digits that come with `lenet-mnist`, as guards want them: enough of each class, in two parts, or in folders."""

from pathlib import Path

import torch
from PIL import Image

from trompe.core.numerics import from_levels
from trompe.data import Split
from trompe.guards import Trusted
from trompe.targets.load import bundled_targets
from trompe.targets.trained import read_samples


def moved_digits() -> Split:
    """The samples of the bundled network, each in nine places a pixel apart."""
    found = read_samples(bundled_targets()["lenet-mnist"])
    moved = torch.cat([found.images.roll((dy, dx), (2, 3)) for dy in (-1, 0, 1) for dx in (-1, 0, 1)])
    return Split(moved, found.classes.repeat(9))


def trusted_digits(samples: Split, target, **more) -> Trusted:
    """Two thirds to hold on to, one third for thresholds, and what a target says of both."""
    held = torch.arange(len(samples)) % 3 == 0
    known, rest = (Split(samples.images[rows], samples.classes[rows]) for rows in (~held, held))
    said = [target.judge(from_levels(part.images)) for part in (known, rest)]
    return Trusted(known, rest, *said, labels=10, data="samples", false_alarms=0.05, iterations=15, **more)


def write_digits(place: Path, samples: Split) -> Path:
    """The same place, with a folder of PNGs for each class in it."""
    for i, (image, c) in enumerate(zip(samples.images, samples.classes.tolist(), strict=True)):
        (place / str(c)).mkdir(exist_ok=True)
        Image.fromarray(image[0].numpy()).save(place / str(c) / f"{i:03}.png")
    return place
