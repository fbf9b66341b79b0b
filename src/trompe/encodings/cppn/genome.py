"""A batch of networks as one record of tensors, wide enough for the widest."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Self

import torch
from jaxtyping import Float32, Int8, Int16
from torch import Tensor
from torch.nn.functional import pad

INPUTS = ("x", "y", "d", "1")
"""Nodes 0 to 3 of every network: column, row, distance from the centre, and a constant."""
ABSENT = -1


@dataclass(frozen=True)
class CppnGenomes:
    """Networks without cycles. Nodes 0 to 3 are the inputs; node 4 + s is the one in slot s: first the outputs, then
    hidden nodes in any order. Slots and connections that a network does not use are marked absent.

    Attributes:
        function: What the node in each slot computes, an index into `FUNCTIONS`; -1 where there is no node.
        source: Node that each connection comes from; -1 where there is no connection.
        target: Node that it goes to, 4 or more; -1 where there is no connection.
        weight: Genes in [0, 1], which stand for weights in -limit .. limit.
    """  # noqa: D205

    function: Int8[Tensor, "n slots"]
    source: Int16[Tensor, "n connections"]
    target: Int16[Tensor, "n connections"]
    weight: Float32[Tensor, "n connections"]

    def __len__(self) -> int:
        return len(self.function)

    def take(self, rows: Tensor) -> Self:
        """The genomes at the given rows, in that order."""
        return type(self)(self.function[rows], self.source[rows], self.target[rows], self.weight[rows])

    def join(self, others: Sequence[Self]) -> Self:
        """These genomes followed by all of the others', padded to the widest."""
        every = [self, *others]
        slots = max(genomes.function.shape[1] for genomes in every)
        connections = max(genomes.source.shape[1] for genomes in every)
        padded = [genomes.widened(slots, connections) for genomes in every]
        return type(self)(
            torch.cat([genomes.function for genomes in padded]),
            torch.cat([genomes.source for genomes in padded]),
            torch.cat([genomes.target for genomes in padded]),
            torch.cat([genomes.weight for genomes in padded]),
        )

    def put(self, rows: Tensor, others: Self) -> Self:
        """These genomes with others at the given rows; padded to the wider of both."""
        slots = max(self.function.shape[1], others.function.shape[1])
        connections = max(self.source.shape[1], others.source.shape[1])
        mine, new = self.widened(slots, connections), others.widened(slots, connections)
        mine.function[rows], mine.weight[rows] = new.function, new.weight
        mine.source[rows], mine.target[rows] = new.source, new.target
        return mine

    def widened(self, slots: int, connections: int) -> Self:
        """The same networks with room for at least that many slots and connections."""
        nodes = max(0, slots - self.function.shape[1])
        links = max(0, connections - self.source.shape[1])
        return type(self)(
            pad(self.function, (0, nodes), value=ABSENT),
            pad(self.source, (0, links), value=ABSENT),
            pad(self.target, (0, links), value=ABSENT),
            pad(self.weight, (0, links)),
        )

    def trimmed(self) -> Self:
        """The same networks without columns that none of them uses; each one's connections keep their order."""
        links = int((self.source >= 0).sum(1).max()) if len(self) else 0
        used = (self.function >= 0).any(0).nonzero()
        slots = int(used.max()) + 1 if len(used) else 0
        return self.packed(links).with_room((slots, links))

    def packed(self, links: int | None = None) -> Self:
        """The same networks with each one's connections in front, in their order; by default as wide as before.

        Args:
            links: How many columns of connections to keep, at least as many as any network has.
        """
        absent = self.source < 0
        order = absent.to(torch.uint8).argsort(dim=1, stable=True)[:, :links]
        weight = torch.where(absent, 0.0, self.weight)
        ends = self.source.gather(1, order), self.target.gather(1, order)
        return type(self)(self.function, *ends, weight.gather(1, order))

    @property
    def room(self) -> tuple[int, ...]:
        """How many slots and connections there is room for."""
        return self.function.shape[1], self.source.shape[1]

    def with_room(self, room: tuple[int, ...]) -> Self:
        """The same networks with exactly so much room; what lies beyond it must be unused."""
        slots, links = room
        wide = self.widened(slots, links)
        return type(self)(
            wide.function[:, :slots].contiguous(),
            wide.source[:, :links].contiguous(),
            wide.target[:, :links].contiguous(),
            wide.weight[:, :links].contiguous(),
        )

    def to(self, device: str) -> Self:
        """The same networks on a device."""
        return type(self)(
            self.function.to(device), self.source.to(device), self.target.to(device), self.weight.to(device)
        )

    def sizes(self) -> tuple[Tensor, Tensor]:
        """Nodes beside the inputs, and connections, of each network: int64, shape (n,)."""
        return (self.function >= 0).sum(1), (self.source >= 0).sum(1)

    def arrays(self) -> dict[str, Tensor]:
        """All four tensors, where they are."""
        return {"function": self.function, "source": self.source, "target": self.target, "weight": self.weight}

    def to_arrays(self) -> dict[str, Tensor]:
        """All four tensors."""
        return {name: values.cpu().contiguous() for name, values in self.arrays().items()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Tensor]) -> Self:
        """Genomes from what `to_arrays` gave."""
        return cls(arrays["function"], arrays["source"], arrays["target"], arrays["weight"])


def genes_of(weights: Tensor, limit: float) -> Tensor:
    """Genes in [0, 1] that stand for these weights, or for the nearest in -limit .. limit."""
    return (0.5 + weights / (2.0 * limit)).clamp(0.0, 1.0)


def layered(outputs: int, hidden: Sequence[int]) -> tuple[Int16[Tensor, " c"], Int16[Tensor, " c"]]:
    """Source and target of every connection of a network whose layers are fully connected, each to the next.

    Args:
        outputs: How many outputs it has; they are the first slots.
        hidden: Nodes in each layer between inputs and outputs; the slots after the outputs, in this order.

    Example:
        >>> [ends.tolist() for ends in layered(1, (2,))]
        [[0, 1, 2, 3, 0, 1, 2, 3, 5, 6], [5, 5, 5, 5, 6, 6, 6, 6, 4, 4]]
    """
    layers, first = [torch.arange(len(INPUTS))], len(INPUTS) + outputs
    for size in hidden:
        layers.append(torch.arange(size) + first)
        first += size
    layers.append(torch.arange(outputs) + len(INPUTS))
    pairs = [torch.cartesian_prod(after, before) for before, after in pairwise(layers)]
    target, source = torch.cat(pairs).to(torch.int16).unbind(1)
    return source.contiguous(), target.contiguous()
