"""Runs made for looking at: tiny linear targets with as many classes, and labels as nasty, as a test wants."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import nn

from trompe import FoolSettings, Run, TorchTarget, fool_with
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec

HOSTILE = (
    "<script>alert(1)</script>",
    '"onmouseover="alert(2)',
    "非常长的标签",
    "a" * 80,
    "T-shirt/top",
    "&amp; </style><b>",
)


def made_target(labels: Sequence[str], spec: ImageSpec, strength: float = 1.0) -> TorchTarget:
    """A linear classifier, the same in every process."""
    size = spec.channels * spec.height * spec.width
    net = nn.Sequential(nn.Flatten(), nn.Linear(size, len(labels)))
    with torch.no_grad():
        net[1].weight.copy_(strength * (2.0 * Stream(0, "made/weight", 0).uniform32(len(labels), size) - 1.0))
        net[1].bias.copy_(-net[1].weight.sum(1) / 2.0)
    return TorchTarget("made", net.eval().requires_grad_(False), spec, tuple(labels))


def made_run(folder: Path, labels: Sequence[str], spec: ImageSpec, **settings: object) -> Run:
    """A finished run of a few generations against such a target."""
    kwargs = {"generations": 6, "population": 40, "batch": 40, "confidence": None, **settings}
    return fool_with(FoolSettings("made", out=folder, **kwargs), made_target(labels, spec))
