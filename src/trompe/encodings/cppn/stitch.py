"""Two pictures side by side as one network: the line between them is made of nodes that every network may have."""

import math

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.constants import constant
from trompe.core.seeds import Stream
from trompe.encodings.cppn.functions import NAMES
from trompe.encodings.cppn.genome import ABSENT, INPUTS, CppnGenomes, genes_of

_FIRST, _CONSTANT = len(INPUTS), INPUTS.index("1")
_LINEAR = NAMES.index("linear")
_CHAIN = 3
"""Nodes in a row that make the line sharp: with weights up to 10, each makes it up to 10 / 3 times as steep."""
_FURTHEST = 0.9
"""How far from the centre the line may pass, where the sides are at 1: beyond it there is little of one parent."""
LARGEST = 9.0
"""The largest weight that the seam needs."""


def seam(outputs: int) -> int:
    """Nodes that a stitched network has beside those of its parents."""
    return 3 * outputs + _CHAIN


def random_lines(n: int, limit: float, stream: Stream) -> Float32[Tensor, "n 3"]:
    """Weights of x, y and the constant, at most the limit, whose sum is positive on one side of a random line."""
    turn, place = stream.branch("line").uniform32(2, n)
    angle, offset = 2.0 * math.pi * turn, _FURTHEST * (2.0 * place - 1.0)
    return limit * torch.stack([angle.cos(), angle.sin(), -offset], 1)


def stitched(
    genomes: CppnGenomes, mates: CppnGenomes, outputs: int, limit: float, lines: Float32[Tensor, "n 3"]
) -> CppnGenomes:
    """Networks that paint one parent's picture on one side of a line, and the other's on the other side.

    With ``linear(p) = clip(p, -3, 3) / 3`` and e = 1 on the first parent's side and -1 beyond, an output a is behind a
    gate ``linear(a + 2 e - 2)``, which is a / 3 on its side and -1 beyond; b is behind ``linear(b - 2 e - 2)``, and the
    new output is linear(9 (first gate + second gate + 1)). Exact but for float32 and a seam 3 % of the picture wide.

    Differs from crossing in NEAT (Stanley 2002), which joins genes of one origin: pictures are joined, so that
    parents need have nothing in common.

    Args:
        genomes: First parents.
        mates: Second ones, as many.
        outputs: How many each network has; they are the first slots.
        limit: Genes in [0, 1] stand for weights from minus this to this; at least `LARGEST`.
        lines: As `random_lines` draws them; the first parent's side is the positive one.
    """
    mine, theirs = genomes.function.shape[1], mates.function.shape[1]
    left, right = _FIRST + outputs, _FIRST + outputs + mine
    gates = right + theirs
    edge = gates + 2 * outputs
    links = [(edge + i, edge + i + 1, limit) for i in range(_CHAIN - 1)]
    for k in range(outputs):
        links += _gated(k, (left + k, right + k), gates + 2 * k, edge + _CHAIN - 1)
    device, n = genomes.weight.device, len(genomes)
    begin, end, strength = zip(*links, strict=True)
    source = constant((*begin, 0, 1, _CONSTANT), torch.int16, device).expand(n, -1)
    target = constant((*end, edge, edge, edge), torch.int16, device).expand(n, -1)
    weight = constant(strength, torch.float32, device).expand(n, -1)
    new = torch.full((n, outputs), _LINEAR, dtype=torch.int8, device=device)
    whole = CppnGenomes(
        torch.cat([new, genomes.function, mates.function, new, new, new[:, :1].expand(n, _CHAIN)], 1),
        torch.cat([_moved(genomes.source, outputs), _moved(mates.source, outputs + mine), source], 1),
        torch.cat([_moved(genomes.target, outputs), _moved(mates.target, outputs + mine), target], 1),
        torch.cat([genomes.weight, mates.weight, genes_of(weight, limit), genes_of(lines, limit)], 1),
    )
    return _closed_up(whole)


def _gated(output: int, parents: tuple[int, int], gate: int, edge: int) -> list[tuple[int, int, float]]:
    """Connections of one output: source, target and weight."""
    links = [(_CONSTANT, _FIRST + output, LARGEST)]
    for i, (parent, side) in enumerate(zip(parents, (2.0, -2.0), strict=True)):
        links += [(parent, gate + i, 1.0), (edge, gate + i, side), (_CONSTANT, gate + i, -2.0)]
        links += [(gate + i, _FIRST + output, LARGEST)]
    return links


def _moved(nodes: Tensor, by: int) -> Tensor:
    """Numbers of nodes, those beyond the inputs that much higher."""
    return torch.where(nodes >= _FIRST, nodes + by, nodes)


def _closed_up(genomes: CppnGenomes) -> CppnGenomes:
    """The same networks with their nodes in the first slots, in their order."""
    order = (genomes.function == ABSENT).to(torch.uint8).argsort(dim=1, stable=True)
    place = order.argsort(dim=1) + _FIRST

    def renumbered(nodes: Tensor) -> Tensor:
        found = place.gather(1, (nodes.long() - _FIRST).clamp(min=0))
        return torch.where(nodes >= _FIRST, found, nodes).to(torch.int16)

    return CppnGenomes(
        genomes.function.gather(1, order), renumbered(genomes.source), renumbered(genomes.target), genomes.weight
    )
