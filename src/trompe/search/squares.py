"""Random squares: the search that asks least of a target it knows nothing of."""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import ClassVar

import torch

from trompe.core.errors import BadInput
from trompe.core.seeds import Stream
from trompe.core.types import G, Images, Paintable, Rows, Step
from trompe.search.archive import Archive
from trompe.search.contest import BEGINNING, Contest, Plan, Tally
from trompe.search.starts import NATURAL_STARTS, Start, begin
from trompe.search.turns import Turn


@dataclass(frozen=True)
class SquareSettings:
    """Where squares begin and how large they are.

    Attributes:
        area: Share of the image that the first square covers.
        halving: Steps of a turn after which a square covers half of that, then a third, a quarter, ...
        start: Where a turn begins; one of `STARTS`.
        generations: Steps of a turn unless told otherwise.
        fill: Whether classes that are left get the looks of those that are there.
    """

    fill: ClassVar[bool] = False

    area: float = 0.3
    halving: int = 10
    start: Start = "uniform"
    generations: int = 1000

    def side(self, step: int, height: int, width: int) -> int:
        """Side of the squares of a step of a turn, in pixels, at least 1 and at most the image's shorter side."""
        share = self.area / (1.0 + step / self.halving)
        return max(1, min(height, width, round(math.sqrt(share * height * width))))


@dataclass(frozen=True)
class SeveralSquares(SquareSettings):
    """Each class that is left gets several squares a step: fewer steps, where one costs the same for any looks."""

    fill: ClassVar[bool] = True


SQUARES = {"random-squares": SquareSettings(), "several-squares": SeveralSquares()}
"""Presets of `squares`."""


def squares(
    contest: Contest[G], archive: Archive[G], plan: Plan, tally: Tally = BEGINNING,
    settings: SquareSettings = SQUARES["random-squares"],
) -> Iterator[Step[G]]:  # fmt: skip
    """Paint a square into the strongest image of each class, and keep what is strictly better, for whichever class.

    Classes take turns in groups. A turn begins with one fresh image a class; from then on each step makes one
    candidate for each class of the group that is below the goal: its current image with a square at a random place,
    each channel either 0 or 1. The current image of a class is the archive's, so a class goes on from whatever image
    is strongest for it, whoever it was made for; and a search taken up from a recorded archive goes on as if it had
    never stopped. In a later round (see `Turn`) it goes on from there too, with squares as small as they had become.

    Reference: Andriushchenko 2020 (Square Attack, the L-infinity form).

    Differs from it: no distance to keep, so squares take the colours at the ends of the range and start from noise;
    what is climbed is the log-odds of a class; every candidate counts for every class; the area falls as 1 / (1 + t /
    10) where it is halved at set fractions of a budget; a square that would change nothing is inverted; with ``fill``
    an image gets several squares, each by itself, of which the best is kept.

    Args:
        contest: Where candidates are made and judged. Its encoding must be `Paintable`.
        archive: Changed in place.
        plan: How long; ``batch`` is the largest group.
        tally: Where to go on from; by default at the beginning.
        settings: Where a turn begins, and how large the squares are.

    Yields:
        Each step after it happened.

    Raises:
        BadInput: The encoding has no genome for every image.
    """
    encoding, target = _paintable(contest), contest.judge.target
    turn = Turn.restore(tally.state)
    while True:
        members = turn.open(archive.elites.value, plan)
        if not len(members):
            following = turn.next(archive.elites.value, plan, tally.evaluations)
            if following is None:
                return
            turn, members = following, torch.arange(len(following.niches))
        members = members[: plan.admitted(len(members), tally.evaluations)]
        if not len(members):
            return
        stream = Stream(plan.seed, f"squares/{contest.encoding.name}", tally.number + 1)
        going_on = bool(turn.steps or turn.before)
        each = _each(turn, members, plan, tally) if settings.fill and going_on else 1
        niches = turn.niches[members].repeat_interleave(each)
        if going_on and archive.elites.genomes is not None:
            images = contest.encoding.express(archive.elites.genomes.take(niches))
            side = settings.side(turn.before + turn.steps - 1, *images.shape[2:])
            genomes, mothers = encoding.paint(paint_squares(images, side, stream)), archive.elites.ids[niches]
        else:
            columns = torch.tensor(contest.niches.columns)[niches]
            genomes = begin(contest.encoding, target, settings.start, columns, stream, contest.material)
            mothers = torch.full_like(niches, -1)
        turn = turn.after(members)
        parents = torch.stack([mothers, torch.full_like(mothers, -1)], 1)
        only = niches if settings.start in NATURAL_STARTS else None
        step, tally = contest.hold(archive, genomes, parents, replace(tally, state=turn.to_state()), only)
        yield step


def _each(turn: Turn, members: Rows, plan: Plan, tally: Tally) -> int:
    """How many looks each member of a group gets, so that all of them are no more than the group, or the budget."""
    rows = plan.admitted(len(turn.niches), tally.evaluations)
    return max(1, rows // len(members))


def paint_squares(images: Images, side: int, stream: Stream) -> Images:
    """Copies of the images with one square each, uniform over the places where it fits.

    Each channel of a square is 0 or 1 with equal chance; where that leaves an image as it was, all are the other way
    round, so that no copy equals its original unless both choices do.

    Args:
        images: Shape (n, channels, height, width).
        side: Of the squares, in pixels, at most the shorter side of the images.
        stream: Drawn from once.
    """
    n, channels, height, width = images.shape
    top = stream.branch("top").integers(n, height - side + 1)
    left = stream.branch("left").integers(n, width - side + 1)
    colour = (stream.branch("colour").uniform(n, channels) < 0.5).to(images.dtype)[:, :, None, None]
    inside = _between(top, side, height).unsqueeze(2) & _between(left, side, width).unsqueeze(1)
    painted = torch.where(inside.unsqueeze(1), colour, images)
    same = (painted == images).flatten(1).all(1)
    painted[same] = torch.where(inside[same].unsqueeze(1), 1.0 - colour[same], images[same])
    return painted


def _between(first: torch.Tensor, length: int, size: int) -> torch.Tensor:
    """Shape (n, size): whether each place lies within ``length`` places from each first one."""
    place = torch.arange(size)
    return (place >= first.unsqueeze(1)) & (place < first.unsqueeze(1) + length)


def _paintable(contest: Contest[G]) -> Paintable[G]:
    if isinstance(contest.encoding, Paintable):
        return contest.encoding
    raise BadInput(
        expected="an encoding that has a genome for every image, such as pixels",
        got=contest.encoding.name,
        where="--by squares",
        do="Choose another encoding, or another search.",
    )
