"""Rows of tokens: one gene a token, replaced by any other."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Int64
from torch import Tensor

from trompe.core.seeds import Stream
from trompe.core.tokens import TokenSpec
from trompe.core.types import Images


@dataclass(frozen=True)
class TokenGenomes:
    """Genomes of rows of tokens.

    Attributes:
        ids: Int64, shape (n, tokens): numbers in the vocabulary, 0 for none.

    Example:
        >>> both = TokenGenomes(torch.tensor([[1, 2]])).join([TokenGenomes(torch.tensor([[3, 4]]))])
        >>> len(both), both.take(torch.tensor([1])).ids.tolist()
        (2, [[3, 4]])
    """

    ids: Int64[Tensor, "n tokens"]

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Tensor) -> Self:
        """The genomes at the given rows, in that order."""
        return type(self)(self.ids[rows])

    def join(self, others: Sequence[Self]) -> Self:
        """These genomes followed by all of the others'."""
        return type(self)(torch.cat([self.ids, *(other.ids for other in others)]))

    def put(self, rows: Tensor, others: Self) -> Self:
        """These genomes with others at the given rows: the rows themselves are overwritten."""
        self.ids[rows] = others.ids
        return self

    def to_arrays(self) -> dict[str, Tensor]:
        """The numbers."""
        return {"ids": self.ids.cpu().contiguous()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Tensor]) -> Self:
        """Genomes from what `to_arrays` gave."""
        return cls(arrays["ids"])


@dataclass(frozen=True)
class TokenSettings:
    """How rows vary.

    Attributes:
        mutation_rate: Chance of each token to be replaced by one drawn from the vocabulary, all with equal chance.
        crossover_rate: Chance of each pair of parents to exchange their tokens from a place on.
    """

    mutation_rate: float = 0.2
    crossover_rate: float = 0.5


@dataclass(frozen=True)
class Tokens:
    """Rows of tokens, of one length, in which no number is nearer to any other.

    Reference: Holland 1975 (one-point crossover).

    Attributes:
        spec: The rows it makes.
        settings: How they vary.
    """

    name: ClassVar[str] = "tokens"
    genome_type: ClassVar[type[TokenGenomes]] = TokenGenomes
    spec: TokenSpec
    settings: TokenSettings = field(default_factory=TokenSettings)

    def random(self, n: int, stream: Stream) -> TokenGenomes:
        """Each token drawn from the vocabulary, all with equal chance, none among them."""
        return TokenGenomes(self._drawn(n * self.spec.width, stream.branch("tokens")).reshape(n, -1))

    def vary(self, parents: TokenGenomes, stream: Stream) -> TokenGenomes:
        """Children of the parents: crossed in pairs, then mutated; see `TokenSettings`."""
        ids = self._crossed(parents.ids, stream)
        where = stream.branch("mutated").rare(ids.numel(), self.settings.mutation_rate)
        ids.view(-1)[where] = self._drawn(len(where), stream.branch("tokens"))
        return TokenGenomes(ids)

    def express(self, genomes: TokenGenomes) -> Images:
        """The numbers as bytes."""
        return self.spec.inputs(genomes.ids)

    def describe(self) -> dict[str, Any]:
        """Name and every setting, JSON-ready."""
        return {"name": self.name, **asdict(self.settings)}

    def _drawn(self, count: int, stream: Stream) -> Int64[Tensor, " count"]:
        return stream.integers(count, len(self.spec.vocabulary))

    def _crossed(self, ids: Tensor, stream: Stream) -> Tensor:
        """A copy in which some pairs have exchanged their ends; an odd last row is left alone."""
        children, pairs, length = ids.clone(), len(ids) // 2, ids.shape[1]
        crossed = stream.branch("pairs").uniform(pairs) < self.settings.crossover_rate
        after = torch.arange(length) >= stream.branch("place").integers(pairs, length).unsqueeze(1)
        swapped = (after & crossed.unsqueeze(1)).repeat_interleave(2, 0)
        rows = torch.arange(2 * pairs) ^ 1
        children[: 2 * pairs] = torch.where(swapped, ids[rows], ids[: 2 * pairs])
        return children
