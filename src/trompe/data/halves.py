"""Two halves of what may be trained on: even positions for guards, odd ones for readers; neither knows the other's."""

from typing import Literal

import torch

from trompe.data.dataset import Split

Half = Literal["even", "odd"]


def half(split: Split, which: Half) -> Split:
    """The images at the even or at the odd positions (0 is even), in their order.

    Example:
        >>> import torch
        >>> split = Split(torch.zeros(5, 1, 2, 2, dtype=torch.uint8), torch.arange(5))
        >>> half(split, "odd").classes.tolist(), half(split, "even").classes.tolist()
        ([1, 3], [0, 2, 4])
    """
    first = 0 if which == "even" else 1
    return Split(split.images[first::2], split.classes[first::2])


def fifths(split: Split) -> tuple[Split, Split]:
    """Four fifths of the images of each class to fit to, and every fifth one to measure on, in their order.

    Example:
        >>> import torch
        >>> split = Split(torch.zeros(6, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 0, 0, 0, 0, 1]))
        >>> [part.classes.tolist() for part in fifths(split)]
        [[0, 0, 0, 0, 1], [0]]
    """
    last = torch.zeros(len(split), dtype=torch.bool)
    for c in split.classes.unique():
        last[(split.classes == c).nonzero().flatten()[4::5]] = True
    fit, measure = (Split(split.images[rows], split.classes[rows]) for rows in (~last, last))
    return fit, measure


def half_name(data: str, which: Half) -> str:
    """What a guard or a reader that was fitted on it says that it uses.

    Example:
        >>> half_name("mnist", "odd")
        'data:mnist-train-odd'
    """
    return f"data:{data}-train-{which}"
