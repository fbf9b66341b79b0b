"""Every command's settings: one frozen record each. A field is a keyword argument, a flag and a stored key.

Only the standard library and the command-line library are imported here, so that `--help` is instant.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tyro.conf import Positional


@dataclass(frozen=True, kw_only=True)
class TrainSettings:
    """Train one of trompe's own small networks and write it as a target folder."""

    architecture: Positional[Literal["lenet", "mlp", "softmax"]]
    """The network: the paper's LeNet, a fully connected one, or a linear classifier."""
    data: Literal["mnist", "fashion-mnist"] = "mnist"
    """What to train on: 50,000 images; 10,000 more to choose on; the 10,000 test images are opened once, at the end."""
    seed: int = 0
    """Of the initial weights and the order of the data."""
    iterations: int = 10_000
    """Batches of 64 images."""
    out: Path
    """Folder to write: weights, card, a hundred test images."""
