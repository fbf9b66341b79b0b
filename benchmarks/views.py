"""Variants of evolving networks that paint, for `imagenet.py`; what they gain stands in design note 0005.

``Views``: some children are their parent's picture seen from elsewhere. ``Steady``: also, most children change little.
"""

import math

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.encodings import Cppn
from trompe.encodings.cppn.genome import INPUTS, CppnGenomes
from trompe.encodings.cppn.vary import choose
from trompe.encodings.pixels import polynomial_step

_OCTAVES = 1.0
"""A picture is zoomed by a factor between half and twice, each ratio as likely."""
_REACH = 0.5
"""It is moved by up to so much of x and y: a quarter of its sides, where these go from -1 to 1."""
SHARE = 0.3
"""Of the children that are views."""
_MOST, _INDEX = 0.1, 8.0
"""Of a child that changes little: the highest rate of mutation it may draw, and how small its steps are."""
_ODDS = (0.35, 0.2, 0.1, 0.2)
"""Of `Steady`: a rate drawn for each child, one node louder or softer, one weight, a view; the rest as the paper."""


class Views(Cppn):
    """Networks of which three children in ten are their parent moved, zoomed and stretched."""

    def vary(self, parents: CppnGenomes, stream: Stream) -> CppnGenomes:
        """Children by mutation, some replaced by their parents seen from elsewhere."""
        children, stream = super().vary(parents, stream), stream.branch("view")
        views = self.with_numbers(parents, moved(parents, self.numbers(parents), stream))
        own = torch.arange(len(parents))
        chosen = stream.branch("chosen").mask(SHARE, len(parents))
        return children.join([views]).take(torch.where(chosen, own + len(parents), own)).trimmed()


class Steady(Cppn):
    """Networks of which few children change much: a large one has hundreds of weights, and a tenth of them is many."""

    def vary(self, parents: CppnGenomes, stream: Stream) -> CppnGenomes:
        """Children of five kinds, by chance."""
        weights, views = self.numbers(parents), stream.branch("view")
        changed = (
            drawn_rate(parents, weights, stream.branch("rate"), self.settings.weight_limit),
            louder(parents, weights, stream.branch("node")),
            one_weight(parents, weights, stream.branch("one"), self.settings.weight_limit),
            moved(parents, weights, views),
        )
        made = [self.with_numbers(parents, numbers) for numbers in changed]
        ends = torch.tensor(_ODDS, dtype=torch.float64).cumsum(0)
        kind = torch.bucketize(stream.branch("kind").uniform(len(parents)), ends)
        rows = torch.arange(len(parents)) + kind * len(parents)
        return made[0].join([*made[1:], super().vary(parents, stream)]).take(rows).trimmed()


def drawn_rate(genomes: CppnGenomes, weights: Tensor, stream: Stream, limit: float) -> Tensor:
    """Each weight changed with a chance that is the network's own: from one weight to a tenth, each ratio as likely."""
    present = genomes.source >= 0
    least = (1.0 / present.sum(1).clamp(min=1).to(torch.float64)).log()
    rate = (least + stream.branch("share").uniform(len(genomes)) * (math.log(_MOST) - least)).exp().unsqueeze(1)
    chosen = (stream.branch("which").uniform(*weights.shape) < rate) & present
    chosen |= _one(present, stream)
    step = polynomial_step(stream.branch("step").uniform(*weights.shape), _INDEX).to(torch.float32)
    return torch.where(chosen, weights + 2.0 * limit * step, weights)


def louder(genomes: CppnGenomes, weights: Tensor, stream: Stream) -> Tensor:
    """All weights into one node times a factor between half and twice."""
    slot = choose(genomes.function >= 0, stream.branch("slot").uniform(len(genomes)))
    factor = (2.0 * stream.branch("factor").uniform32(len(genomes), 1) - 1.0).mul_(_OCTAVES).exp2_()
    return torch.where(genomes.target == (slot + len(INPUTS)).unsqueeze(1), weights * factor, weights)


def one_weight(genomes: CppnGenomes, weights: Tensor, stream: Stream, limit: float) -> Tensor:
    """One weight moved by up to a factor between 1 / 80 and 4 / 10 of the limit, each ratio as likely."""
    reach = 0.4 * limit * (-5.0 * stream.branch("reach").uniform32(len(genomes), 1)).exp2_()
    step = (2.0 * stream.branch("step").uniform32(len(genomes), 1) - 1.0) * reach
    return torch.where(_one(genomes.source >= 0, stream), weights + step, weights)


def _one(present: Tensor, stream: Stream) -> Tensor:
    """In each row one of the true columns."""
    column = choose(present, stream.branch("pick").uniform(len(present)))
    return (torch.arange(present.shape[1]) == column.unsqueeze(1)) & present


def moved(
    genomes: CppnGenomes, weights: Float32[Tensor, "n connections"], stream: Stream
) -> Float32[Tensor, "n connections"]:
    """Weights with which each network paints its picture zoomed and moved; one half of them also stretched.

    What comes from x and y is multiplied, and what a node loses by the move is added to its connection from the
    constant; a node without one stays where it is. The distance d is multiplied as x is: exact without a move.

    Args:
        genomes: The networks.
        weights: Theirs, 0 where there is no connection.
        stream: Draws factors and moves.
    """
    factors, moves, stretched = stream.branch("factors"), stream.branch("moves"), stream.branch("stretched")
    across, down = (2.0 * factors.uniform32(2, len(genomes), 1) - 1.0).mul_(_OCTAVES).exp2_()
    down = torch.where(stretched.mask(0.5, len(genomes), 1), down, across)
    right, low = (2.0 * moves.uniform32(2, len(genomes), 1) - 1.0).mul_(_REACH)
    x, y, d, constant = (genomes.source == number for number in range(len(INPUTS)))
    node = torch.arange(len(INPUTS) + genomes.function.shape[1], device=weights.device)
    hearing = (genomes.target.unsqueeze(2) == node).to(weights.dtype)
    # A product of matrices, as a GPU adds up a scattered sum in an order of its own every time.
    told = torch.stack([weights * (x * right + y * low), constant.to(weights.dtype)], 1)
    lost, shares = torch.bmm(told, hearing).unbind(1)
    own = torch.bmm(hearing, (lost / shares.clamp(min=1.0)).unsqueeze(2)).squeeze(2)
    scaled = torch.where(x | d, weights * across, torch.where(y, weights * down, weights))
    return torch.where(constant, scaled + own, scaled)
