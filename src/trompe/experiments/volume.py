"""How large a region is: its share of the box of all images, by splitting levels and walking at random."""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.core.types import Images

Score = Callable[[Images], Float64[Tensor, " n"]]
"""Of images, float32 in [0, 1]: the region is where it is at least a level."""

_KEPT = 0.5
_MOVED = 0.35
"""Share of accepted steps that the length of a step is steered to."""


@dataclass(frozen=True)
class Walks:
    """How a region is walked.

    Attributes:
        walkers: How many, even.
        moves: Steps of each in a round.
        most: Rounds after which it stops; the share is then less than what it gives.
    """

    walkers: int = 100
    moves: int = 12
    most: int = 20_000


USUAL = Walks()


def log_share(score: Score, level: float, shape: tuple[int, ...], stream: Stream, walks: Walks = USUAL) -> float:
    """log10 of the share of the box [0, 1]^d in which a score is at least a level.

    Adaptive multilevel splitting: walkers begin anywhere; again and again the lower half is dropped, the others are
    doubled, and all walk at random above the dropped half's best. Each round halves the share. Walks
    that mix badly make the share too large; see the tests for regions whose size is known.

    Args:
        score: Of a batch of images.
        level: From which on an image is in the region.
        shape: Of one image.
        stream: Drawn from; the same gives the same.
        walks: How many walkers, and how far.

    Returns:
        0 at most.

    Reference: Cérou 2007; Skilling 2006.
    """
    images = stream.branch("begin").uniform32(walks.walkers, *shape)
    found, length, log = score(images), 0.2, 0.0
    for number in range(walks.most):
        inside = found >= level
        if float(inside.double().mean()) >= _KEPT:
            return (log + math.log(float(inside.double().mean()))) / math.log(10.0)
        order = found.argsort(descending=True)
        kept = order[: walks.walkers // 2]
        floor = float(found[order[walks.walkers // 2 - 1]])
        log += math.log(0.5)
        rows = torch.cat([kept, kept])
        before = _Walkers(images[rows], found[rows])
        after, moved = before.walk(score, floor, length, stream.branch(f"{number}"), walks.moves)
        images, found = after.images, after.found
        length = min(1.0, max(1e-5, length * math.exp(moved - _MOVED)))
    return log / math.log(10.0)


@dataclass(frozen=True)
class _Walkers:
    images: Images
    found: Tensor

    def walk(self, score: Score, floor: float, length: float, stream: Stream, moves: int) -> tuple["_Walkers", float]:
        """Random steps that stay in the box, by reflection, and at or above a floor; with the share of steps taken."""
        images, found, taken = self.images, self.found, 0.0
        for step in range(moves):
            drawn = stream.branch(f"step-{step}").uniform32(*images.shape) - 0.5
            proposed = 1.0 - (1.0 - (images + length * drawn).abs()).abs()
            value = score(proposed)
            allowed = value >= floor
            images = torch.where(allowed.view(-1, *[1] * (images.ndim - 1)), proposed, images)
            found = torch.where(allowed, value, found)
            taken += float(allowed.double().mean()) / moves
        return _Walkers(images, found), taken
