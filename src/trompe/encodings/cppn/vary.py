"""The six mutations of a network, each on a whole population at once, in the order of the released code."""

import torch
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.encodings.cppn.genome import ABSENT, INPUTS, CppnGenomes
from trompe.encodings.pixels import polynomial_step

_FIRST = len(INPUTS)


class Workshop:
    """A population under change: widened so that each network has room for what one round of mutation can add.

    Args:
        genomes: The parents; they are left as they were.
        outputs: How many outputs each network has.
        functions: Indices of the functions a node may compute.
        stream: Randomness of this round.
    """

    def __init__(self, genomes: CppnGenomes, outputs: int, functions: Tensor, stream: Stream) -> None:
        slots, links = genomes.function.shape[1] + 1, genomes.source.shape[1] + 2
        wide = genomes.widened(slots, links)
        self._function, self._weight = wide.function.clone(), wide.weight.clone()
        self._source, self._target = wide.source.long(), wide.target.long()
        self._outputs, self._functions, self._stream = outputs, functions, stream
        self._rows = torch.arange(len(genomes))

    def mutate_weights(self, rate: float, index: float) -> None:
        """Each connection's gene, independently: polynomial mutation, clamped to [0, 1]."""
        stream = self._stream.branch("weights")
        where = stream.rare(self._weight.numel(), rate)
        where = where[self._source.reshape(-1)[where] >= 0]
        delta = polynomial_step(stream.branch("steps").uniform(len(where)), index).to(torch.float32)
        flat = self._weight.view(-1)
        flat[where] = (flat[where] + delta).clamp_(0.0, 1.0)

    def mutate_functions(self, rate: float) -> None:
        """Each node's function, independently: drawn anew, perhaps the same."""
        stream = self._stream.branch("functions")
        flat = self._function.view(-1)
        where = stream.rare(flat.numel(), rate)
        where = where[flat[where] >= 0]
        flat[where] = self._draw_functions(len(where), stream)

    def add_connections(self, rate: float) -> None:
        """In some networks, a connection from a random input or hidden node to a random node it does not depend on.

        There may be one already: parallel connections are allowed.
        """
        stream = self._stream.branch("add-connection")
        chance, pick, aim, weight = stream.uniform(4, len(self._rows))
        present = self._present_nodes()
        senders = present.clone()
        senders[:, _FIRST : _FIRST + self._outputs] = False
        source = choose(senders, pick)
        present[:, :_FIRST] = False
        target = choose(present & ~self._ancestors(source), aim)
        rows = ((chance < rate) & (source >= 0) & (target >= 0)).nonzero().flatten()
        self._link(rows, source[rows], target[rows], weight[rows].to(torch.float32))

    def delete_connections(self, rate: float) -> None:
        """In some networks, a random connection."""
        chance, pick = self._stream.branch("delete-connection").uniform(2, len(self._rows))
        which = choose(self._source >= 0, pick)
        rows = ((chance < rate) & (which >= 0)).nonzero().flatten()
        self._source[rows, which[rows]] = ABSENT

    def add_nodes(self, rate: float) -> None:
        """In some networks, a node in the middle of a random connection; both halves get the old weight."""
        stream = self._stream.branch("add-node")
        chance, pick = stream.uniform(2, len(self._rows))
        which = choose(self._source >= 0, pick)
        rows = ((chance < rate) & (which >= 0)).nonzero().flatten()
        which = which[rows]
        slot = (self._function[rows] < 0).to(torch.uint8).argmax(1)
        self._function[rows, slot] = self._draw_functions(len(rows), stream)
        target = self._target[rows, which]
        self._target[rows, which] = slot + _FIRST
        self._link(rows, slot + _FIRST, target, self._weight[rows, which])

    def delete_nodes(self, rate: float) -> None:
        """In some networks, a random hidden node with all its connections."""
        chance, pick = self._stream.branch("delete-node").uniform(2, len(self._rows))
        hidden = self._function >= 0
        hidden[:, : self._outputs] = False
        slot = choose(hidden, pick)
        rows = ((chance < rate) & (slot >= 0)).nonzero().flatten()
        self._function[rows, slot[rows]] = ABSENT
        node = (slot[rows] + _FIRST).unsqueeze(1)
        loose = (self._source[rows] == node) | (self._target[rows] == node)
        self._source[rows] = self._source[rows].masked_fill(loose, ABSENT)

    def genomes(self) -> CppnGenomes:
        """The children."""
        target = self._target.masked_fill(self._source < 0, ABSENT)
        return CppnGenomes(self._function, self._source.to(torch.int16), target.to(torch.int16), self._weight).trimmed()

    def _present_nodes(self) -> Tensor:
        inputs = torch.ones(len(self._rows), _FIRST, dtype=torch.bool)
        return torch.cat([inputs, self._function >= 0], 1)

    def _ancestors(self, source: Tensor) -> Tensor:
        """Nodes from which a path leads to the given node of each network, itself included; bool, (n, nodes)."""
        nodes = _FIRST + self._function.shape[1]
        found = torch.zeros(len(self._rows), nodes + 1, dtype=torch.bool)
        found[self._rows, source] = True
        origin = self._source.masked_fill(self._source < 0, nodes)
        target = self._target.masked_fill(self._source < 0, nodes)
        while True:
            found[:, nodes] = False
            more = found.scatter_reduce(1, origin, found.gather(1, target), "amax")
            more[:, nodes] = False
            if bool((more == found).all()):
                return found[:, :nodes]
            found = more

    def _link(self, rows: Tensor, source: Tensor, target: Tensor, weight: Tensor) -> None:
        free = (self._source[rows] < 0).to(torch.uint8).argmax(1)
        self._source[rows, free], self._target[rows, free] = source, target
        self._weight[rows, free] = weight

    def _draw_functions(self, count: int, stream: Stream) -> Tensor:
        return self._functions[stream.branch("kind").integers(count, len(self._functions))]


def choose(mask: Tensor, uniform: Tensor) -> Tensor:
    """In each row, one of the true columns, each as likely; -1 where there is none.

    Args:
        mask: Bool, shape (n, k).
        uniform: Float64 in [0, 1), shape (n,).
    """
    count = mask.sum(1)
    rank = torch.minimum((uniform * count).long(), count - 1)
    column = (mask.cumsum(1) > rank.unsqueeze(1)).to(torch.uint8).argmax(1)
    return torch.where(count > 0, column, -1)
