"""A variant of evolving networks that paint: some children are their parent's picture seen from elsewhere.

Tried by `imagenet.py` and not kept in trompe; see docs/design/0005-fewer-evaluations.md.
"""

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.encodings import Cppn
from trompe.encodings.cppn.genome import INPUTS, CppnGenomes

_OCTAVES = 1.0
"""A picture is zoomed by a factor between half and twice, each ratio as likely."""
_REACH = 0.5
"""It is moved by up to so much of x and y: a quarter of its sides, where these go from -1 to 1."""
SHARE = 0.3
"""Of the children that are views."""


class Views(Cppn):
    """Networks of which three children in ten are their parent moved, zoomed and stretched."""

    def vary(self, parents: CppnGenomes, stream: Stream) -> CppnGenomes:
        """Children by mutation, some replaced by their parents seen from elsewhere."""
        children, stream = super().vary(parents, stream), stream.branch("view")
        views = self.with_numbers(parents, moved(parents, self.numbers(parents), stream))
        own = torch.arange(len(parents))
        chosen = stream.branch("chosen").mask(SHARE, len(parents))
        return children.join([views]).take(torch.where(chosen, own + len(parents), own)).trimmed()


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
