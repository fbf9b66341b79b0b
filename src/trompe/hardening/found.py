"""Images that earlier runs found: what is mixed back in so that a network learns to be calm about them."""

from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.types import Levels
from trompe.data import Dataset
from trompe.run import Run, open_run

_STRONGEST = 0.0


def found_images(folders: Sequence[Path], data: Dataset, level: float = 0.5) -> Levels:
    """Every image that runs kept and that reached a confidence, each once, in the order of runs.

    An image is left out where a reader of its run read the class in it that it was made for: it is no nonsense.

    Args:
        folders: Of runs.
        data: What is classified: the images must be of its shape.
        level: Least confidence, in (0, 1).

    Returns:
        Bytes, shape (n, channels, height, width), n at least 1.

    Raises:
        BadInput: A run is about images of another shape, or no run kept such an image.
        RunError: A folder holds no run.
    """
    shape = tuple(data.train.images.shape[1:])
    images = [levels for folder in folders for levels in _kept(open_run(folder), shape, level)]
    if not images:
        raise BadInput(
            expected=f"runs that kept an image of at least {level:g} that no reader could read",
            got=f"none in {len(folders)} runs",
            where="--runs",
            do="Attack a network first, for example with `trompe fool`.",
        )
    once: Tensor = torch.unique(torch.stack(images), dim=0)
    return once


def _kept(run: Run, shape: tuple[int, ...], level: float) -> list[Tensor]:
    if run.shape != shape:
        raise BadInput(
            expected=f"images of shape {shape}",
            got=f"{run.shape}",
            where=f"--runs {run.folder}",
            do="Name runs against networks of the same images.",
        )
    readable = _readable(run)
    counted = run.labels_that_count
    return [
        kept.levels
        for record in run.classes
        if record.label in counted
        for kept in record.kept()
        if kept.confidence >= level and (record.search, record.niche, kept.level or _STRONGEST) not in readable
    ]


def _readable(run: Run) -> set[tuple[int, int, float]]:
    """Search, niche and level of the images in which some reader saw the class they were made for."""
    labels = {(record.search, record.niche): record.label for record in run.classes}
    reads = run.measured.get("readers", {}).get("reads", ())
    return {
        (search, niche, level) for search, niche, level, seen in reads if labels.get((search, niche)) in tuple(seen)
    }
