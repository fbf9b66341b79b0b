"""Images that mean nothing, drawn without asking a network: what a classifier should be calm about."""

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Images
from trompe.data import Split

Means = Float32[Tensor, "classes channels height width"]

KINDS = ("uniform", "near-black", "grey", "low-frequency", "salt", "blocks", "class-mean")
"""Kinds of nonsense; each has a brightness or density of its own in every image, so that none is learnt by heart."""

_FAINT = 0.3


def class_means(data: Split) -> Means:
    """The mean image of each class, in [0, 1]."""
    classes = int(data.classes.max()) + 1
    return torch.stack([data.images[data.classes == c].to(torch.float64).mean(0) for c in range(classes)]).to(
        torch.float32
    ) / 255.0  # fmt: skip


def drawn(kind: str, n: int, means: Means, stream: Stream) -> Images:
    """So many images of one of `KINDS`, in [0, 1], not yet rounded.

    - ``uniform``: each value of its own. ``near-black``: the same, at most a tenth as bright.
    - ``grey``: one grey for all, with noise of a tenth of the range.
    - ``low-frequency``: uniform noise on a coarse grid, for 28 x 28 one of 4 x 4 to 10 x 10, drawn out bilinearly.
    - ``blocks``: the same without blending.
    - ``salt``: black, with up to three tenths of the pixels white.
    - ``class-mean``: the mean image of some class at 0.3 of its brightness, with noise of a tenth of the range.

    Args:
        kind: Which.
        n: How many.
        means: The mean image of each class; their shape is the images'.
        stream: Drawn from once.
    """
    shape = means.shape[1:]
    noise = stream.branch("noise").uniform32(n, *shape)
    own = stream.branch("own").uniform32(n, 1, 1, 1)
    if kind == "uniform":
        return noise
    if kind == "near-black":
        return 0.1 * own * noise
    if kind == "grey":
        return (own + 0.1 * (noise - 0.5)).clamp(0.0, 1.0)
    if kind == "salt":
        return (noise < 0.3 * own).to(torch.float32)
    if kind == "class-mean":
        chosen = stream.branch("class").integers(n, len(means))
        return (_FAINT * means[chosen] + 0.1 * own * noise).clamp(0.0, 1.0)
    least, most = max(2, min(shape[1:]) // 7), max(3, round(0.36 * min(shape[1:])))
    cells = least + int(stream.branch("cells").integers(1, most - least + 1))
    coarse = stream.branch("coarse").uniform32(n, shape[0], cells, cells)
    mode = "bilinear" if kind == "low-frequency" else "nearest"
    large: Tensor = torch.nn.functional.interpolate(coarse, size=tuple(shape[1:]), mode=mode)
    return large.clamp(0.0, 1.0)


def mixed(n: int, means: Means, stream: Stream, others: Split | None = None) -> Images:
    """So many images of all `KINDS` in turn, and, where there are any, as many of another data set as of one kind.

    Args:
        n: How many.
        means: As for `drawn`.
        stream: Drawn from once.
        others: Images of another data set, of the same shape.
    """
    sources = [*KINDS, "others"] if others is not None else list(KINDS)
    parts = []
    for place, kind in enumerate(sources):
        count = len(range(place, n, len(sources)))
        if kind == "others" and others is not None:
            parts.append(from_levels(others.images[stream.branch("others").integers(count, len(others))]))
        else:
            parts.append(drawn(kind, count, means, stream.branch(kind)))
    return torch.cat(parts)
