"""What readers see, whom they may judge, and how far they agree: always a range, never one reader's word."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from jaxtyping import Int64
from torch import Tensor

from trompe.core.numerics import filled_up, quantise
from trompe.core.types import Images, Mask, Reader, Rows

NONE = -1
"""Read as no class."""
FEWEST = 2
"""Independent readers that a range needs."""
WIDEST = 0.1
"""A wider range is no result: the readers disagree."""
_BATCH = 50

Reads = Int64[Tensor, "readers n"]


def read(reader: Reader, images: Images) -> Rows:
    """The class that a reader sees in each image, shape (n,); -1 where it sees none.

    The best class where its score is at least 0. Asked 50 at a time, the last ones filled up, so that the bits do not
    depend on how many images there are. What is read is the image on the 8-bit grid.
    """
    seen = [torch.empty(0, dtype=torch.int64)]
    with torch.no_grad():
        for part in quantise(images).split(_BATCH) if len(images) else ():
            score, column = reader.scores(filled_up(part, _BATCH))[: len(part)].max(1)
            seen.append(torch.where(score >= 0.0, column, NONE))
    return torch.cat(seen)


def reads_by(readers: Sequence[Reader], images: Images) -> Reads:
    """What every reader sees in every image, shape (readers, n)."""
    if not readers:
        return torch.empty(0, len(images), dtype=torch.int64)
    return torch.stack([read(reader, images) for reader in readers])


def independent(readers: Sequence[Reader], guard_uses: Collection[str] = ()) -> tuple[Reader, ...]:
    """The readers that share no function, feature or fitting data with a guard; all of them where there is none.

    Example:
        >>> independent((), {"function:kde"})
        ()
    """
    return tuple(reader for reader in readers if not reader.uses & frozenset(guard_uses))


@dataclass(frozen=True)
class NotMeasured:
    """Why there is no number."""

    reason: str

    def __str__(self) -> str:
        return f"not measured: {self.reason}"


@dataclass(frozen=True)
class Readability:
    """In which images readers see the class that each was made for.

    Attributes:
        every: Shape (n,): every reader sees it. What a defence may call readable.
        some: Shape (n,): at least one reader sees it. Only where none does is it called nonsense.
        another: Shape (n,): at least one reader sees another class, and none sees this one.
    """

    every: Mask
    some: Mask
    another: Mask

    @property
    def of(self) -> int:
        """Images."""
        return len(self.every)

    @property
    def readable(self) -> tuple[int, int]:
        """Images that every reader reads, and that some reader reads: fewest and most."""
        return int(self.every.sum()), int(self.some.sum())

    @property
    def unreadable(self) -> tuple[int, int]:
        """Images that no reader reads (to say that a model is certain about nonsense), and that not every one reads."""
        fewest, most = self.readable
        return self.of - most, self.of - fewest

    @property
    def disagree(self) -> bool:
        """Whether the range is wider than 10 points, so that only people can tell."""
        fewest, most = self.readable
        return most - fewest > WIDEST * self.of


def readable_range(reads: Reads, classes: Rows) -> Readability | NotMeasured:
    """Both rules at once: doubt counts against the claim that is being made.

    Args:
        reads: What every independent reader saw, shape (readers, n), -1 for none; see `reads_by`.
        classes: What each image was made for, shape (n,).

    Returns:
        `NotMeasured` where fewer than two readers are independent, or there is no image.

    Example:
        >>> reads = torch.tensor([[3, 3, -1, 5], [3, -1, -1, -1]])
        >>> found = readable_range(reads, torch.tensor([3, 3, 3, 3]))
        >>> found.readable, found.unreadable, found.another.tolist(), found.disagree
        ((1, 2), (2, 3), [False, False, False, True], True)
        >>> print(readable_range(reads[:1], torch.tensor([3, 3, 3, 3])))
        not measured: 1 independent reader, and it takes 2
    """
    count = len(reads)
    if count < FEWEST:
        return NotMeasured(f"{count or 'no'} independent reader{'' if count == 1 else 's'}, and it takes {FEWEST}")
    if not len(classes):
        return NotMeasured("no image")
    own = reads == classes
    other = ((reads != NONE) & ~own).any(0)
    return Readability(own.all(0), own.any(0), other & ~own.any(0))


def disagreement(reads: Reads) -> list[list[float]]:
    """Share of images that two readers read differently, for every pair of them; 0 on the diagonal.

    Example:
        >>> disagreement(torch.tensor([[1, -1, 2, 2], [1, 1, 2, -1]]))
        [[0.0, 0.5], [0.5, 0.0]]
    """
    return (reads.unsqueeze(0) != reads.unsqueeze(1)).to(torch.float64).mean(2).tolist()
