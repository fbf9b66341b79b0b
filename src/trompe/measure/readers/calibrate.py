"""What a reader is worth: how often it sees what is there, and how seldom what is not."""

from collections.abc import Sequence
from typing import Any

import torch

from trompe.core.numerics import from_levels
from trompe.core.types import Reader, Rows
from trompe.data import Split
from trompe.measure.readers.agree import NONE, disagreement, read, reads_by
from trompe.measure.readers.spoil import NOISE, SPOILT, noise, spoilt

SPOILT_IMAGES = 1000
"""Real images that each way of spoiling is tried on."""


def calibrate(reader: Reader, real: Split, *, seed: int = 0, of_noise: int = 1000) -> dict[str, Any]:
    """Everything that is measured of a reader, JSON-ready.

    ``sensitivity`` is the share of real images read as themselves, ``specificity`` the share of all noise read as
    nothing. Noise is of every kind of `NOISE`, equally much.

    Args:
        reader: Whose thresholds were fixed before.
        real: Images that nothing was fitted to.
        seed: Of the noise and the spoiling.
        of_noise: Images of each kind of noise.
    """
    images = from_levels(real.images)
    found = {"real": _told(read(reader, images), real.classes)}
    rows = torch.arange(0, len(real), max(1, len(real) // SPOILT_IMAGES))[:SPOILT_IMAGES]
    for kind in SPOILT:
        found[f"spoilt {kind}"] = _told(read(reader, spoilt(kind, images[rows], seed)), real.classes[rows])
    empty = {kind: read(reader, noise(kind, of_noise, reader.shape, seed)) for kind in (*NOISE, "scribbles")}
    seen = {kind: int((reads != NONE).sum()) for kind, reads in empty.items()}
    nothing = sum(of_noise - seen[kind] for kind in NOISE)
    return {
        "sensitivity": found["real"]["itself"] / len(real),
        "specificity": nothing / (of_noise * len(NOISE)),
        "real": found["real"],
        "spoilt": {kind: found[f"spoilt {kind}"] for kind in SPOILT},
        "noise": {kind: {"of": of_noise, "read": seen[kind]} for kind in NOISE},
        "scribbles": {"of": of_noise, "read": seen["scribbles"]},
        "seed": seed,
    }


def disagreements(readers: Sequence[Reader], real: Split, *, seed: int = 0, of_noise: int = 500) -> dict[str, Any]:
    """The share of images that two readers read differently, for every pair: of real, of spoilt images, of noise."""
    rows = torch.arange(0, len(real), max(1, len(real) // SPOILT_IMAGES))[:SPOILT_IMAGES]
    images, shape = from_levels(real.images[rows]), readers[0].shape
    every = torch.cat([spoilt(kind, images[i :: len(SPOILT)], seed) for i, kind in enumerate(SPOILT)])
    empty = torch.cat([noise(kind, of_noise // len(NOISE), shape, seed) for kind in NOISE])
    sets = {"real": images, "spoilt": every, "noise": empty}
    return {
        "readers": [reader.name for reader in readers],
        **{name: disagreement(reads_by(readers, images)) for name, images in sets.items()},
    }


def _told(reads: Rows, classes: Rows) -> dict[str, int]:
    itself, nothing = int((reads == classes).sum()), int((reads == NONE).sum())
    return {"of": len(reads), "itself": itself, "nothing": nothing, "another": len(reads) - itself - nothing}
