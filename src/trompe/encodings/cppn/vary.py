"""The six mutations of a network, each on a whole population at once, in the order of the released code."""

import torch
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.encodings.cppn.genome import ABSENT, INPUTS, CppnGenomes
from trompe.encodings.pixels import polynomial_step, stepped

_FIRST = len(INPUTS)


class Workshop:
    """A population under change: widened so that each network has room for what one round of mutation can add.

    Where the stream stays on a device, everything is done to every network, and kept where it was meant: no size
    follows a value, and nobody waits for the device.

    Args:
        genomes: The parents; they are left as they were.
        outputs: How many outputs each network has.
        functions: Indices of the functions a node may compute.
        stream: Randomness of this round.
        share: Of the rates of genes in each network, shape (n,); None for all of them.
    """

    def __init__(
        self,
        genomes: CppnGenomes,
        outputs: int,
        functions: Tensor,
        stream: Stream,
        share: Tensor | None = None,
    ) -> None:
        slots, links = genomes.function.shape[1] + 1, genomes.source.shape[1] + 2
        wide = genomes.widened(slots, links)
        self._function, self._weight = wide.function.clone(), wide.weight.clone()
        self._source, self._target = wide.source.long(), wide.target.long()
        self._outputs, self._functions, self._stream, self._share = outputs, functions, stream, share
        self._rows = torch.arange(len(genomes), device=genomes.weight.device)

    def mutate_weights(self, rate: float, index: float) -> None:
        """Each connection's gene, independently: polynomial mutation, clamped to [0, 1].

        Where only a share of them is to change, one is drawn at least: a copy of its parent would teach nothing.
        """
        stream = self._stream.branch("weights")
        if stream.device:
            chosen = (self._source >= 0) & self._kept(self._weight.shape, stream)
            chosen &= stream.branch("mutated").mask(rate, *chosen.shape)
            if self._share is not None:
                one = self._one_each(self._share, stream).unsqueeze(1)
                alone = one == torch.arange(chosen.shape[1], device=chosen.device)
                chosen |= alone & ~chosen.any(1, keepdim=True)
            self._weight = torch.where(chosen, stepped(self._weight, index, stream), self._weight)
            return
        columns = self._weight.shape[1]
        where = self._thinned(stream.rare(self._weight.numel(), rate), columns, stream)
        where = where[self._source.reshape(-1)[where] >= 0]
        if self._share is not None:
            one = self._one_each(self._share, stream)
            one[where // columns] = ABSENT
            rows = (one >= 0).nonzero().flatten()
            where = torch.cat([where, rows * columns + one[rows]])
        delta = polynomial_step(stream.branch("steps").uniform(len(where)), index).to(torch.float32)
        flat = self._weight.view(-1)
        flat[where] = (flat[where] + delta).clamp_(0.0, 1.0)

    def mutate_functions(self, rate: float) -> None:
        """Each node's function, independently: drawn anew, perhaps the same."""
        stream = self._stream.branch("functions")
        if stream.device:
            new = self._draw_functions(self._function.numel(), stream).reshape(self._function.shape)
            chosen = stream.mask(rate, *self._function.shape) & (self._function >= 0)
            chosen &= self._kept(self._function.shape, stream)
            self._function = torch.where(chosen, new, self._function)
            return
        flat = self._function.view(-1)
        where = self._thinned(stream.rare(flat.numel(), rate), self._function.shape[1], stream)
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
        chosen = (chance < rate) & (source >= 0) & (target >= 0)
        self._link(chosen, source, target, weight.to(torch.float32))

    def delete_connections(self, rate: float) -> None:
        """In some networks, a random connection."""
        chance, pick = self._stream.branch("delete-connection").uniform(2, len(self._rows))
        which = choose(self._source >= 0, pick)
        _put(self._source, which, ABSENT, (chance < rate) & (which >= 0))

    def add_nodes(self, rate: float) -> None:
        """In some networks, a node in the middle of a random connection; both halves get the old weight."""
        stream = self._stream.branch("add-node")
        chance, pick = stream.uniform(2, len(self._rows))
        which = choose(self._source >= 0, pick)
        chosen = (chance < rate) & (which >= 0)
        slot = (self._function < 0).to(torch.uint8).argmax(1)
        # As many are drawn as there are networks; those that get a node take the first of them, in their order.
        drawn = self._draw_functions(len(self._rows), stream)[chosen.cumsum(0).sub_(1).clamp_(min=0)]
        _put(self._function, slot, drawn, chosen)
        target, weight = _get(self._target, which), _get(self._weight, which)
        _put(self._target, which, slot + _FIRST, chosen)
        self._link(chosen, slot + _FIRST, target, weight)

    def delete_nodes(self, rate: float) -> None:
        """In some networks, a random hidden node with all its connections."""
        chance, pick = self._stream.branch("delete-node").uniform(2, len(self._rows))
        hidden = self._function >= 0
        hidden[:, : self._outputs] = False
        slot = choose(hidden, pick)
        chosen = (chance < rate) & (slot >= 0)
        _put(self._function, slot, ABSENT, chosen)
        node = (slot + _FIRST).unsqueeze(1)
        loose = chosen.unsqueeze(1) & ((self._source == node) | (self._target == node))
        self._source = self._source.masked_fill(loose, ABSENT)

    def genomes(self) -> CppnGenomes:
        """The children; from a device, as wide as there was room, with what each uses in front."""
        target = self._target.masked_fill(self._source < 0, ABSENT)
        made = CppnGenomes(self._function, self._source.to(torch.int16), target.to(torch.int16), self._weight)
        return made.packed() if self._stream.device else made.trimmed()

    def _present_nodes(self) -> Tensor:
        inputs = torch.ones(len(self._rows), _FIRST, dtype=torch.bool, device=self._rows.device)
        return torch.cat([inputs, self._function >= 0], 1)

    def _ancestors(self, source: Tensor) -> Tensor:
        """Nodes from which a path leads to the given node of each network, itself included; bool, (n, nodes)."""
        nodes = _FIRST + self._function.shape[1]
        kind = torch.int32 if self._stream.device else torch.bool  # not every device has a largest of booleans
        found = torch.zeros(len(self._rows), nodes + 1, dtype=kind, device=self._rows.device)
        found.scatter_(1, source.masked_fill(source < 0, nodes).unsqueeze(1), value=1)
        origin = self._source.masked_fill(self._source < 0, nodes)
        target = self._target.masked_fill(self._source < 0, nodes)
        for _ in range(nodes):  # no path is longer
            found[:, nodes] = 0
            more = found.scatter_reduce(1, origin, found.gather(1, target), "amax")
            more[:, nodes] = 0
            if not self._stream.device and bool((more == found).all()):
                break
            found = more
        return found[:, :nodes].bool()

    def _link(self, chosen: Tensor, source: Tensor, target: Tensor, weight: Tensor) -> None:
        """A new connection in each of the chosen networks, in its first free slot."""
        free = (self._source < 0).to(torch.uint8).argmax(1)
        for table, values in ((self._source, source), (self._target, target), (self._weight, weight)):
            _put(table, free, values, chosen)

    def _thinned(self, where: Tensor, columns: int, stream: Stream) -> Tensor:
        """Of positions in a table with so many columns, each with the share of its row."""
        if self._share is None:
            return where
        return where[stream.branch("share").uniform(len(where)) < self._share[where // columns]]

    def _kept(self, shape: torch.Size, stream: Stream) -> Tensor | bool:
        """The same for every position of a table."""
        return True if self._share is None else stream.branch("share").uniform(*shape) < self._share.unsqueeze(1)

    def _one_each(self, share: Tensor, stream: Stream) -> Tensor:
        """A random connection of each network of which only a share changes; -1 of others, or where there is none."""
        slot = choose(self._source >= 0, stream.branch("one").uniform(len(self._rows)))
        return torch.where(share < 1.0, slot, ABSENT)

    def _draw_functions(self, count: int, stream: Stream) -> Tensor:
        return self._functions[stream.branch("kind").integers(count, len(self._functions))]


def _get(table: Tensor, column: Tensor) -> Tensor:
    """Of each row the value in its column; in the first one where it has none (-1)."""
    return table.gather(1, column.clamp(min=0).unsqueeze(1)).squeeze(1)


def _put(table: Tensor, column: Tensor, values: Tensor | int, chosen: Tensor) -> None:
    """Overwrite, in each of the chosen rows, the value in its column."""
    kept = torch.where(chosen, values, _get(table, column)).to(table.dtype)
    table.scatter_(1, column.clamp(min=0).unsqueeze(1), kept.unsqueeze(1))


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
