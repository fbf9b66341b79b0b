"""What travels between a search and those who judge for it: parts of its candidates, and what of them beats it."""

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from typing import Generic

import safetensors.torch
import torch
from jaxtyping import Float64, UInt8
from torch import Tensor

from trompe.core.numerics import from_levels, to_levels
from trompe.core.types import Bids, Encoding, G, Images, Rows

_GENOME = "genome."


@dataclass(frozen=True)
class Beating:
    """The candidates whose bids may change an archive, of those that were judged together.

    Attributes:
        rows: Int64, ascending, which of them.
        inputs: Theirs, as they were judged.
        bids: Theirs; -inf where one is not among those that count.
    """

    rows: Rows
    inputs: Images
    bids: Bids


@dataclass(frozen=True)
class Part(Generic[G]):
    """Candidates to be judged together.

    Attributes:
        search: Its number in the run: which encoding, which niches.
        value: Shape (niches,), what is to be beaten.
        genomes: Of the candidates; None where their images are sent.
        levels: Bytes of their images; None where their genomes are sent, to be expressed where they are judged.
        only: Int64, the one niche that each bids for; None where each bids for all.
    """

    search: int
    value: Float64[Tensor, " niches"]
    genomes: G | None = None
    levels: UInt8[Tensor, "n channels height width"] | None = None
    only: Rows | None = None

    def pack(self) -> bytes:
        """The whole of it, for `unpack_part`."""
        arrays = {"search": torch.tensor([self.search]), "value": self.value}
        if self.only is not None:
            arrays["only"] = self.only
        if self.levels is not None:
            arrays["levels"] = self.levels
        if self.genomes is not None:
            arrays |= {f"{_GENOME}{name}": values for name, values in self.genomes.to_arrays().items()}
        return safetensors.torch.save(_plain(arrays))


def unpack_part(message: bytes, encodings: tuple[Encoding[G], ...]) -> Part[G]:
    """What `Part.pack` was called on.

    Args:
        message: From there.
        encodings: Of every search.
    """
    arrays = safetensors.torch.load(message)
    search = int(arrays["search"])
    own = {name.removeprefix(_GENOME): values for name, values in arrays.items() if name.startswith(_GENOME)}
    genomes = encodings[search].genome_type.from_arrays(own) if own else None
    return Part(search, arrays["value"], genomes, arrays.get("levels"), arrays.get("only"))


def pack_beating(found: Beating, *, with_inputs: bool) -> bytes:
    """Only the bids that count, and the judged bytes of who made them, for `unpack_beating`.

    Args:
        found: What is sent.
        with_inputs: Whether the judged bytes go along; not to where they came from.
    """
    value = found.bids.value
    row, niche = (value != -torch.inf).nonzero().to(torch.int32).unbind(1)
    arrays = {"rows": found.rows.to(torch.int32), "row": row, "niche": niche, "value": value[row.long(), niche.long()]}
    if with_inputs:
        arrays["levels"] = to_levels(found.inputs)
    return safetensors.torch.save(_plain(arrays))


def unpack_beating(message: bytes, niches: int, images: Images | None = None) -> Beating:
    """What `pack_beating` was given.

    Args:
        message: From there.
        niches: How many there are.
        images: All that were judged, where they were sent there.
    """
    arrays = safetensors.torch.load(message)
    rows = arrays["rows"].long()
    value = torch.full((len(rows), niches), -torch.inf, dtype=torch.float64)
    value[arrays["row"].long(), arrays["niche"].long()] = arrays["value"]
    return Beating(rows, from_levels(arrays["levels"]) if images is None else images[rows], Bids(value))


def beating(bids: Bids, value: Float64[Tensor, " niches"], inputs: Images) -> Beating:
    """Those bids that beat what is to be beaten and every earlier bid for the same niche.

    Nothing else can change an archive: who takes a niche is the earliest of the best, who is first at a level beats all
    that came before; both are among them. Of equals the earliest is kept. What is NaN stays, to be refused.

    Args:
        bids: Of all candidates, in their order.
        value: What is to be beaten; never above what the archive holds when the answer comes.
        inputs: Of all candidates.
    """
    highest = torch.cat([value.unsqueeze(0), bids.value[:-1]]).cummax(0).values
    counts = (bids.value > highest) | bids.value.isnan()
    rows = counts.any(1).nonzero().flatten()
    return Beating(rows, inputs[rows], Bids(bids.value[rows].masked_fill(~counts[rows], -torch.inf)))


def only_own(bids: Bids, only: Rows | None) -> Bids:
    """The bids of candidates that each bid for one niche alone; all of them where none is named.

    Args:
        bids: Of all for all.
        only: Int64, shape (n,), the one niche of each.
    """
    if only is None:
        return bids
    own: Tensor = torch.zeros_like(bids.value, dtype=torch.bool).scatter(1, only.unsqueeze(1), value=True)
    return Bids(bids.value.masked_fill(~own, -torch.inf))


def joined(parts: list[tuple[int, Beating]]) -> Beating:
    """The candidates of several parts as those of one, in the order of the parts.

    Args:
        parts: At least one; each with the place of its first candidate among all.
    """
    ordered = sorted(parts, key=lambda part: part[0])
    return Beating(
        torch.cat([first + part.rows for first, part in ordered]),
        torch.cat([part.inputs for _, part in ordered]),
        Bids(torch.cat([part.bids.value for _, part in ordered])),
    )


def lighter_as_genomes(genomes: G, shape: tuple[int, ...]) -> bool:
    """Whether genomes take fewer bytes than the images of this shape that they stand for."""
    arrays = genomes.to_arrays().values()
    return sum(values.numel() * values.element_size() for values in arrays) < len(genomes) * prod(shape)


def _plain(arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {name: values.contiguous() for name, values in arrays.items()}
