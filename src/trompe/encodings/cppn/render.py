"""Painting a whole population at once: level by level, every node of every network once. The readable reference."""

import torch
from jaxtyping import Float, Float32
from torch import Tensor

from trompe.encodings.cppn.functions import FUNCTIONS
from trompe.encodings.cppn.genome import ABSENT, INPUTS, CppnGenomes

_FIRST = len(INPUTS)


def depths(genomes: CppnGenomes, *, look: bool = True) -> Tensor:
    """Length of the longest path from an input to the node in each slot, at least 1; int64, shape (n, slots).

    Args:
        genomes: The networks.
        look: Whether to look after each round if all is settled, and stop; on a GPU going on costs less than looking.
    """
    n, slots = genomes.function.shape
    nowhere = _FIRST + slots  # where absent connections point
    source, target = genomes.source.long(), genomes.target.long()
    absent = source < 0
    source, target = source.masked_fill(absent, nowhere), target.masked_fill(absent, nowhere)
    depth = torch.ones(n, nowhere + 1, dtype=torch.int64, device=source.device)
    depth[:, :_FIRST] = 0
    for _ in range(slots + 1):
        through = depth.gather(1, source) + 1
        deeper = depth.scatter_reduce(1, target, through, "amax")
        deeper[:, nowhere] = 0
        if look and bool((deeper == depth).all()):
            break
        depth = deeper
    return depth[:, _FIRST:nowhere]


def without_idle(genomes: CppnGenomes, outputs: int) -> CppnGenomes:
    """The same networks without nodes from which no path leads to an output, and without their connections.

    What they paint is the same; evolution leaves many such nodes behind.
    """
    n, slots = genomes.function.shape
    nowhere = _FIRST + slots
    absent = genomes.source < 0
    source = genomes.source.long().masked_fill(absent, nowhere)
    target = genomes.target.long().masked_fill(absent, nowhere)
    heard = torch.zeros(n, nowhere + 1, dtype=torch.bool)
    heard[:, _FIRST : _FIRST + outputs] = True
    while True:
        more = heard.scatter_reduce(1, source, heard.gather(1, target), "amax")
        more[:, nowhere] = False
        if bool((more == heard).all()):
            break
        heard = more
    function = genomes.function.masked_fill(~heard[:, _FIRST:nowhere], ABSENT)
    mute = ~heard.gather(1, target)
    return CppnGenomes(
        function, genomes.source.masked_fill(mute, ABSENT), genomes.target.masked_fill(mute, ABSENT), genomes.weight
    )


def outputs_of(
    genomes: CppnGenomes, weights: Float[Tensor, "n connections"], inputs: Float32[Tensor, "4 pixels"], count: int
) -> Float32[Tensor, "n count pixels"]:
    """Values of the output nodes at every pixel, in [-1, 1]; gradients flow to the weights.

    Args:
        genomes: The networks.
        weights: Their decoded weights, one a connection slot; those of absent connections do not matter.
        inputs: What the input nodes hold at every pixel.
        count: How many outputs each network has; they are the first slots.
    """
    genomes = without_idle(genomes, count)
    n, slots = genomes.function.shape
    function, depth = genomes.function.reshape(-1).long(), depths(genomes).reshape(-1)
    present = (function >= 0).nonzero().flatten()
    blocks, order = (depth[present] * len(FUNCTIONS) + function[present]).sort(stable=True)
    place = torch.full((n * slots,), -1)
    place[present[order]] = torch.arange(len(present)) + _FIRST
    source, target, weight = _links(genomes, weights, place)
    state = torch.empty(_FIRST + len(present), inputs.shape[1])
    state[:_FIRST] = inputs
    starts = torch.cat([torch.ones(1, dtype=torch.bool), blocks[1:] != blocks[:-1]]).nonzero().flatten().tolist()
    for start, end in zip(starts, [*starts[1:], len(present)], strict=True):
        first, last = torch.searchsorted(target, torch.tensor([start + _FIRST, end + _FIRST])).tolist()
        flow = weight[first:last].unsqueeze(1) * state[source[first:last]]
        potential = torch.zeros(end - start, state.shape[1]).index_add(0, target[first:last] - start - _FIRST, flow)
        state[start + _FIRST : end + _FIRST] = FUNCTIONS[int(blocks[start]) % len(FUNCTIONS)][1](potential)
    output = place.reshape(n, slots)[:, :count]
    return state[output]


def _links(genomes: CppnGenomes, weights: Tensor, place: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Source and target rows in the state, and weights, of all present connections, ordered by target."""
    slots = genomes.function.shape[1]
    row, column = (genomes.source >= 0).nonzero().unbind(1)
    source, target = genomes.source[row, column].long(), genomes.target[row, column].long()
    inner = place[(row * slots + source - _FIRST).clamp_(min=0)]
    source = torch.where(source < _FIRST, source, inner)
    target, order = place[row * slots + target - _FIRST].sort(stable=True)
    return source[order], target, weights[row, column][order]
