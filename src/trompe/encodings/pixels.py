"""Direct encoding: one gene a value of the image, mutated polynomially (Nguyen 2015, section 2.2; Deb 2001)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, ClassVar, Self

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Images

_SAME = 1e-10
"""Parents whose genes are closer than this have nothing to cross."""
_CHUNK = 1 << 17
"""Genes of each of two parents that are crossed at a time: all that is computed on the way stays in the cache."""


@dataclass(frozen=True)
class PixelGenomes:
    """Genomes of the direct encoding.

    Attributes:
        genes: Float32 in [0, 1], shape (n, channels * height * width), channels first.

    Example:
        >>> both = PixelGenomes(torch.zeros(1, 4)).join([PixelGenomes(torch.ones(2, 4))])
        >>> len(both), both.take(torch.tensor([2])).genes.tolist()
        (3, [[1.0, 1.0, 1.0, 1.0]])
    """

    genes: Float32[Tensor, "n genes"]

    def __len__(self) -> int:
        return len(self.genes)

    def take(self, rows: Tensor) -> Self:
        """The genomes at the given rows, in that order."""
        return type(self)(self.genes.index_select(0, rows))

    def join(self, others: Sequence[Self]) -> Self:
        """These genomes followed by all of the others'."""
        return type(self)(torch.cat([self.genes, *(other.genes for other in others)]))

    def put(self, rows: Tensor, others: Self) -> Self:
        """These genomes with others at the given rows: the rows themselves are overwritten."""
        self.genes[rows] = others.genes
        return self

    @property
    def room(self) -> tuple[int, ...]:
        """Nothing that could be wider."""
        return ()

    def with_room(self, room: tuple[int, ...]) -> Self:
        """These genomes."""
        del room
        return self

    def trimmed(self) -> Self:
        """These genomes."""
        return self

    def to(self, device: str) -> Self:
        """The same genomes on a device."""
        return type(self)(self.genes.to(device))

    def arrays(self) -> dict[str, Tensor]:
        """The genes, where they are."""
        return {"genes": self.genes}

    def to_arrays(self) -> dict[str, Tensor]:
        """The genes."""
        return {"genes": self.genes.cpu().contiguous()}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Tensor]) -> Self:
        """Genomes from what `to_arrays` gave."""
        return cls(arrays["genes"])


@dataclass(frozen=True)
class PixelSettings:
    """How genes vary.

    Attributes:
        mutation_rate: Chance of each gene to mutate, independently; 0.1 in paper and code.
        halving_period: Steps after which the rate is halved, again and again; 0 never. 1000 generations in the
            paper (a generation may be several steps), absent from the released code.
        mutation_index: Polynomial mutation's eta; the paper's "mutation strength of 15". The mean step is
            1 / (eta + 2) of the range.
        crossover_rate: Chance of each pair of parents to be crossed (SBX, simulated binary). The paper describes
            none for this encoding; 0.5 in the released code.
        crossover_index: SBX's eta; 10 in the released code.
        equal_becomes_grey: In a crossed pair, a gene that both parents share becomes 0.5: a slip of the released
            code, which writes only genes that differ into children that start grey.
    """

    mutation_rate: float = 0.1
    halving_period: int = 1000
    mutation_index: float = 15.0
    crossover_rate: float = 0.0
    crossover_index: float = 10.0
    equal_becomes_grey: bool = False


PRESETS: Mapping[str, PixelSettings] = {
    "paper": PixelSettings(),
    "released-code": PixelSettings(halving_period=0, crossover_rate=0.5, equal_becomes_grey=True),
    "thrifty": PixelSettings(mutation_rate=0.02, halving_period=0, mutation_index=0.0),
}
"""Paper and released code disagree; ``thrifty`` takes few and large steps, which reaches digits in a third of the
evaluations."""


@dataclass(frozen=True)
class Pixels:
    """The direct encoding of images.

    Differs from the released code: values are rounded to the 8-bit grid, not truncated; colour genes are red, green
    and blue as they stand, not hue, lightness and saturation.

    Reference: Nguyen 2015, section 2.2.

    Attributes:
        spec: The images it makes.
        settings: How genes vary.
    """

    name: ClassVar[str] = "pixels"
    genome_type: ClassVar[type[PixelGenomes]] = PixelGenomes
    spec: ImageSpec
    settings: PixelSettings = field(default_factory=PixelSettings)

    def random(self, n: int, stream: Stream) -> PixelGenomes:
        """Uniform noise."""
        return PixelGenomes(stream.branch("genes").uniform32(n, *self.spec.shape).reshape(n, -1))

    def vary(self, parents: PixelGenomes, stream: Stream) -> PixelGenomes:
        """Children of the parents: crossed in pairs where the settings say so, then mutated.

        The rate of mutation halves with ``stream.step``, the step of the search.
        """
        genes = self._cross(parents.genes, stream.branch("crossover"))
        rate = self.settings.mutation_rate * halved(self.settings.halving_period, stream)
        if stream.device:
            return PixelGenomes(mutated(genes, rate, self.settings.mutation_index, stream))
        where = stream.branch("mutated").rare(genes.numel(), rate)
        delta = polynomial_step(stream.branch("steps").uniform(len(where)), self.settings.mutation_index)
        flat = genes.reshape(-1)
        flat[where] = (flat[where] + delta.to(torch.float32)).clamp_(0.0, 1.0)
        return PixelGenomes(genes)

    def express(self, genomes: PixelGenomes) -> Images:
        """The genes as an image, rounded to the 8-bit grid."""
        return quantise(genomes.genes.reshape(-1, *self.spec.shape))

    def paint(self, images: Images) -> PixelGenomes:
        """Genomes whose genes are the images' values."""
        return PixelGenomes(images.reshape(len(images), -1))

    def numbers(self, genomes: PixelGenomes) -> Float32[Tensor, "n genes"]:
        """The genes."""
        return genomes.genes

    def with_numbers(self, genomes: PixelGenomes, numbers: Float32[Tensor, "n genes"]) -> PixelGenomes:
        """Genomes of other genes, clamped to [0, 1]."""
        del genomes
        return PixelGenomes(numbers.clamp(0.0, 1.0))

    def pull_back(self, genomes: PixelGenomes, slope: Images) -> Float32[Tensor, "n genes"]:
        """The slope itself, a gene a value."""
        del genomes
        return slope.reshape(len(slope), -1)

    def describe(self) -> dict[str, Any]:
        """Name and every setting, JSON-ready."""
        return {"name": self.name, **asdict(self.settings)}

    def _cross(self, genes: Tensor, stream: Stream) -> Tensor:
        """A copy of the genes in which some pairs of rows have been crossed; an odd last row is left alone."""
        children = genes.clone()
        if self.settings.crossover_rate <= 0.0:
            return children
        chance = stream.branch("pairs").uniform(len(genes) // 2) < self.settings.crossover_rate
        crossed = torch.arange(len(chance), device=genes.device) if stream.device else chance.nonzero().flatten()
        if not len(crossed):
            return children
        spread, swap = stream.branch("spread").uniform(2, len(crossed), genes.shape[1])
        few = len(crossed) if stream.device else max(1, _CHUNK // genes.shape[1])
        parts = zip(crossed.split(few), chance[crossed].split(few), spread.split(few), swap.split(few), strict=True)
        for pairs, both, *drawn in parts:
            one, other = genes[2 * pairs], genes[2 * pairs + 1]
            first, second = self._of_two(one, other, *drawn)
            children[2 * pairs] = torch.where(both.unsqueeze(1), first, one)
            children[2 * pairs + 1] = torch.where(both.unsqueeze(1), second, other)
        return children

    def _of_two(self, one: Tensor, other: Tensor, spread: Tensor, swap: Tensor) -> tuple[Tensor, Tensor]:
        """Both children of each pair of parents."""
        first, second = one.to(torch.float64), other.to(torch.float64)
        low, high = simulated_binary(first, second, spread, self.settings.crossover_index)
        swapped, differ = swap < 0.5, (first - second).abs() > _SAME
        rest = torch.full_like(first, 0.5) if self.settings.equal_becomes_grey else first
        return (
            torch.where(differ, torch.where(swapped, high, low), rest).to(torch.float32),
            torch.where(differ, torch.where(swapped, low, high), rest).to(torch.float32),
        )


def mutated(genes: Float32[Tensor, "n genes"], rate: float, index: float, stream: Stream) -> Float32[Tensor, "n genes"]:
    """Genes in [0, 1], each mutated with the given rate: polynomially, clamped; for streams that stay on a device.

    A step is drawn for every gene, whether it mutates or not: on a GPU that costs less than waiting for how many do.
    """
    return torch.where(stream.branch("mutated").mask(rate, *genes.shape), stepped(genes, index, stream), genes)


def stepped(genes: Float32[Tensor, "n genes"], index: float, stream: Stream) -> Float32[Tensor, "n genes"]:
    """Genes in [0, 1], every one of them mutated: polynomially, clamped."""
    delta = polynomial_step(stream.branch("steps").uniform(*genes.shape), index).to(torch.float32)
    return (genes + delta).clamp_(0.0, 1.0)


def halved(period: int, stream: Stream) -> float:
    """What is left of a rate that halves after every so many steps of a search; all of it where the period is 0."""
    return 0.5 ** (stream.step // period) if period else 1.0


def polynomial_step(uniform: Float64[Tensor, "..."], index: float) -> Float64[Tensor, "..."]:
    """Steps of polynomial mutation for numbers uniform in [0, 1): symmetric, in (-1, 1), mean size 1 / (index + 2).

    Reference: Deb 2001.
    """
    reach = torch.minimum(uniform, 1.0 - uniform).mul_(2.0).pow_(1.0 / (index + 1.0))  # nearer edge, in place: hot path
    return torch.copysign(1.0 - reach, uniform - 0.5)


def simulated_binary(first: Tensor, second: Tensor, uniform: Tensor, index: float) -> tuple[Tensor, Tensor]:
    """Children below and above the middle of two parents in [0, 1]: simulated binary crossover within bounds.

    Args:
        first: Genes of one parent, float64.
        second: Genes of the other, same shape.
        uniform: Numbers in [0, 1), same shape.
        index: Higher keeps the children nearer to the parents.

    Reference: Deb 2001.
    """
    low, high = torch.minimum(first, second), torch.maximum(first, second)
    gap = (high - low).clamp(min=_SAME)
    middle = 0.5 * (low + high)

    def reach(room: Tensor) -> Tensor:
        alpha = 2.0 - (1.0 + 2.0 * room / gap) ** -(index + 1.0)
        inner = uniform <= 1.0 / alpha
        base = torch.where(inner, uniform * alpha, 1.0 / (2.0 - uniform * alpha))
        return 0.5 * gap * base ** (1.0 / (index + 1.0))

    return (middle - reach(low)).clamp(0.0, 1.0), (middle + reach(1.0 - high)).clamp(0.0, 1.0)
