"""The same pictures for a GPU: node after node, all networks together, and no size that follows a value.

The reference sorts nodes into blocks of one kind, whose sizes it has to look at; on a GPU each look waits for all that
was asked before. Here every connection has its place in a matrix, absent ones as zeros, and every node is computed.
"""

from collections.abc import Sequence

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.encodings.cppn.functions import FUNCTIONS
from trompe.encodings.cppn.genome import INPUTS, CppnGenomes
from trompe.encodings.cppn.render import depths

_FIRST = len(INPUTS)


def outputs_of(
    genomes: CppnGenomes,
    weights: Float32[Tensor, "n connections"],
    inputs: Float32[Tensor, "4 pixels"],
    count: int,
    kinds: Sequence[int],
) -> Float32[Tensor, "n count pixels"]:
    """Values of the output nodes at every pixel, in [-1, 1], on the device of the networks.

    Differs from `trompe.encodings.cppn.render` in the order of its sums, so that now and then a pixel is another level.

    Args:
        genomes: The networks.
        weights: Their decoded weights, one a connection slot; those of absent connections do not matter.
        inputs: What the input nodes hold at every pixel.
        count: How many outputs each network has; they are the first slots.
        kinds: Indices of the functions that nodes compute.
    """
    n, slots = genomes.function.shape
    depth = depths(genomes, look=False).masked_fill(genomes.function < 0, slots + 1)  # nobody stands last
    order = depth.argsort(dim=1, stable=True)
    strength = _in_order(_strengths(genomes, weights), order)
    function = genomes.function.gather(1, order)
    state = inputs.new_empty(n, _FIRST + slots, inputs.shape[1])
    state[:, :_FIRST] = inputs
    for slot in range(slots):
        end = _FIRST + slot
        potential = torch.bmm(strength[:, slot : slot + 1, :end], state[:, :end]).squeeze(1)
        state[:, end] = _activated(potential, function[:, slot : slot + 1], kinds)
    place = order.argsort(dim=1)[:, :count] + _FIRST
    return state.gather(1, place.unsqueeze(2).expand(-1, -1, state.shape[2]))


def _strengths(genomes: CppnGenomes, weights: Tensor) -> Float32[Tensor, "n slots nodes"]:
    """The weight with which each slot hears each node; of parallel connections the sum.

    A product of matrices rather than a scattered sum, which a GPU adds up in an order of its own every time.
    """
    slots = genomes.function.shape[1]
    node = torch.arange(_FIRST + slots, device=weights.device)
    heard = genomes.source.unsqueeze(2) == node  # nothing where a connection is absent
    hearing = genomes.target.unsqueeze(2) == node[_FIRST:]
    weighted = torch.where(hearing, weights.unsqueeze(2), 0.0)
    return torch.bmm(weighted.transpose(1, 2), heard.to(weights.dtype))


def _in_order(strength: Float32[Tensor, "n slots nodes"], order: Tensor) -> Float32[Tensor, "n slots nodes"]:
    """The same with slots, as those who hear and as those who are heard, in another order."""
    n, slots, nodes = strength.shape
    rows = strength.gather(1, order.unsqueeze(2).expand(-1, -1, nodes))
    inputs = torch.arange(_FIRST, device=order.device).expand(n, _FIRST)
    columns = torch.cat([inputs, order + _FIRST], 1)
    return rows.gather(2, columns.unsqueeze(1).expand(-1, slots, -1))


def _activated(potential: Float32[Tensor, "n pixels"], function: Tensor, kinds: Sequence[int]) -> Tensor:
    """What nodes, one a row, make of their potentials; 0 where there is no node."""
    value = torch.zeros_like(potential)
    for kind in kinds:
        value = torch.where(function == kind, FUNCTIONS[kind][1](potential), value)
    return value
