"""The nouns: what is evolved, judged, bid for and won. Everything else is an instance of these.

First axis is the batch. Images are float32 in [0, 1] on the grid k/255, shape (n, channels, height, width).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Generic, Literal, Protocol, Self, TypeVar, runtime_checkable

import torch
from jaxtyping import Bool, Float, Float32, Float64, Int64, UInt8
from torch import Tensor

from trompe.core.seeds import Stream

Images = Float32[Tensor, "n channels height width"]
"""Inputs as the target sees them: float32 in [0, 1]."""
Levels = UInt8[Tensor, "n channels height width"]
"""Inputs as they are kept: bytes."""
Logits = Float[Tensor, "n classes"]
Classwise = Float64[Tensor, "n classes"]
Rows = Int64[Tensor, " n"]
Parents = Int64[Tensor, "n 2"]
"""Ids of both parents; -1 where there is none."""
Mask = Bool[Tensor, "..."]


class Genomes(Protocol):
    """A batch of genomes: a frozen record of tensors whose first axis is the genome."""

    def __len__(self) -> int: ...

    def take(self, rows: Tensor) -> Self:
        """The genomes at the given int64 rows, in that order, repeats allowed."""
        ...

    def join(self, others: Sequence[Self]) -> Self:
        """These genomes followed by all of the others'."""
        ...

    def put(self, rows: Tensor, others: Self) -> Self:
        """The same genomes with others at the given int64 rows, each once; may use up the memory of these."""
        ...

    def to_arrays(self) -> dict[str, Tensor]:
        """Plain CPU tensors by name, from which `from_arrays` makes equal genomes."""
        ...

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, Tensor]) -> Self:
        """Genomes from what `to_arrays` gave."""
        ...


@runtime_checkable
class Movable(Protocol):
    """Genomes that can live on a GPU: how wide they are is known without asking for a value."""

    @property
    def room(self) -> tuple[int, ...]:
        """How wide they are, in as many ways as they can be."""
        ...

    def with_room(self, room: tuple[int, ...]) -> Self:
        """The same genomes exactly so wide; what lies beyond must be unused."""
        ...

    def trimmed(self) -> Self:
        """The same genomes, no wider than the widest of them."""
        ...

    def to(self, device: str) -> Self:
        """The same genomes on a device, as torch names it."""
        ...

    def arrays(self) -> dict[str, Tensor]:
        """What `to_arrays` gives, where it is."""
        ...


G = TypeVar("G", bound=Genomes)
G_co = TypeVar("G_co", bound=Genomes, covariant=True)


class Encoding(Protocol[G]):
    """What evolves, and how it becomes an input. It never judges.

    Attributes:
        name: As in method names, for example ``"pixels"``.
        genome_type: The class of its genomes, for reading them back.
    """

    @property
    def name(self) -> str:
        """As in method names, for example ``"pixels"``."""
        ...

    @property
    def genome_type(self) -> type[G]:
        """The class of its genomes, for reading them back."""
        ...

    def random(self, n: int, stream: Stream) -> G:
        """Fresh genomes."""
        ...

    def vary(self, parents: G, stream: Stream) -> G:
        """One child a parent, rows 2i and 2i + 1 being a mating pair; the parents are left as they were."""
        ...

    def express(self, genomes: G) -> Images:
        """The inputs these genomes stand for, on the 8-bit grid; the same genomes always give the same bytes."""
        ...

    def describe(self) -> dict[str, Any]:
        """Every setting by name, JSON-ready, for the run's record."""
        ...


@runtime_checkable
class Climbable(Protocol[G]):
    """An encoding whose genomes are numbers that a gradient can move.

    Rounding to the 8-bit grid has no slope; `pull_back` takes it for the identity (a straight-through gradient), so
    the slope at the judged image is the slope of the genome.
    """

    def numbers(self, genomes: G) -> Tensor:
        """What can be moved of each genome: float32, shape (n, numbers)."""
        ...

    def with_numbers(self, genomes: G, numbers: Tensor) -> G:
        """The same genomes with other numbers, brought back into their range; what was given is left as it was."""
        ...

    def pull_back(self, genomes: G, slope: Images) -> Tensor:
        """The slope in the numbers, shape (n, numbers), of what has the given slope in the expressed images."""
        ...


@runtime_checkable
class Paintable(Protocol[G_co]):
    """An encoding that has a genome for every image."""

    def paint(self, images: Images) -> G_co:
        """Genomes that express to these images, values rounded to the 8-bit grid."""
        ...


class InputSpec(Protocol):
    """The kind of input a target takes, and how one is written down, read back and shown."""

    @property
    def shape(self) -> tuple[int, ...]:
        """Shape of one input, without the batch axis."""
        ...

    def write(self, path: Path, levels: Tensor, note: str) -> None:
        """Store one input's bytes in a file that a person can open, with a note inside it."""
        ...

    def read(self, path: Path) -> Tensor:
        """The bytes of one input from a file that `write` made."""
        ...

    def describe(self) -> dict[str, Any]:
        """Every setting by name, JSON-ready."""
        ...


@dataclass(frozen=True)
class Outputs:
    """What a target says of n inputs.

    Attributes:
        logits: Shape (n, classes); log-probabilities are as good.
        slack: Shape (n, classes), from a guard: 0 is its threshold, >= 0 accepted, 1 the median natural input.
            None where nothing is ever refused.
        features: Shape (n, d), of a named inner layer, where asked for.
    """

    logits: Logits
    slack: Float[Tensor, "n classes"] | None = None
    features: Float[Tensor, "n features"] | None = None

    def take(self, rows: Tensor | slice) -> "Outputs":
        """What was said of the inputs at the given rows."""
        slack, features = self.slack, self.features
        return Outputs(
            self.logits[rows], None if slack is None else slack[rows], None if features is None else features[rows]
        )

    @staticmethod
    def join(parts: "Sequence[Outputs]") -> "Outputs":
        """What was said of the inputs of several batches, at least one, in order."""
        slack = [part.slack for part in parts if part.slack is not None]
        features = [part.features for part in parts if part.features is not None]
        return Outputs(
            torch.cat([part.logits for part in parts]),
            torch.cat(slack) if slack else None,
            torch.cat(features) if features else None,
        )

    def detach(self) -> "Outputs":
        """The same without a gradient."""
        slack, features = self.slack, self.features
        return Outputs(
            self.logits.detach(),
            None if slack is None else slack.detach(),
            None if features is None else features.detach(),
        )


class Target(Protocol):
    """A classifier under test: a function of inputs, with no memory of what it was asked.

    Attributes:
        name: What it is called in commands, files and pages.
        spec: The inputs it takes.
        labels: One name a class, in output order, all different.
        link: How its outputs become probabilities.
    """

    @property
    def name(self) -> str:
        """What it is called in commands, files and pages."""
        ...

    @property
    def spec(self) -> InputSpec:
        """The inputs it takes."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """One name a class, in output order, all different."""
        ...

    @property
    def link(self) -> Literal["softmax", "independent"]:
        """How its outputs become probabilities."""
        ...

    def judge(self, inputs: Images) -> Outputs:
        """What it says of each input; row i depends on input i alone."""
        ...

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers: weights, preprocessing, shape, labels."""
        ...


class Guard(Protocol):
    """A detector that stands in front of a classifier and says, class by class, whether to believe it.

    It holds no model. `Guarded` joins it to a target, and every attack on that is an attack on both.

    Attributes:
        name: What it is called in files and on pages.
        needs: Any of ``logits``, ``features`` (of a named inner layer), ``inputs``, ``gradients``.
        uses: What it is made of: ``function:NAME``, ``features:NAME``, ``data:NAME``; a reader that shares one of them
            cannot judge it.
    """

    @property
    def name(self) -> str:
        """What it is called in files and on pages."""
        ...

    @property
    def needs(self) -> frozenset[str]:
        """Any of ``logits``, ``features``, ``inputs``, ``gradients``."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """What it is made of: ``function:NAME``, ``features:NAME``, ``data:NAME``."""
        ...

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): 0 is its threshold, >= 0 accepted, 1 the median natural input; climbs when rejected."""
        ...

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        ...


class Reader(Protocol):
    """One who says which class can be seen in an image, without asking the classifier.

    Attributes:
        name: What it is called in files and on pages.
        labels: The classes it knows, in the order of its scores.
        shape: Of the images it reads: channels, height, width.
        uses: What it is made of: ``function:NAME``, ``features:NAME``, ``data:NAME``.
    """

    @property
    def name(self) -> str:
        """What it is called in files and on pages."""
        ...

    @property
    def labels(self) -> tuple[str, ...]:
        """The classes it knows, in the order of its scores."""
        ...

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the images it reads: channels, height, width."""
        ...

    @property
    def uses(self) -> frozenset[str]:
        """What it is made of: ``function:NAME``, ``features:NAME``, ``data:NAME``."""
        ...

    def scores(self, images: Images) -> Classwise:
        """How well each class can be seen: shape (n, classes), 0 is the threshold fixed beforehand.

        An image is read as its best class where that is >= 0, as none otherwise. Row i depends on image i alone.
        """
        ...

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        ...


@dataclass(frozen=True)
class Candidates(Generic[G]):
    """Inputs that were made to be judged, with where they came from.

    Attributes:
        ids: The evaluation at which each was judged, counted from 0 within its search.
        parents: Ids of both parents; -1 where there is none.
        genomes: What they were expressed from.
        inputs: What was judged, on the 8-bit grid.
    """

    ids: Rows
    parents: Parents
    genomes: G
    inputs: Images

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: Tensor) -> Self:
        """The candidates at the given rows, in that order."""
        genomes = self.genomes.take(rows)
        return type(self)(self.ids[rows], self.parents[rows], genomes, self.inputs[rows])


@dataclass(frozen=True)
class Bids:
    """What each candidate offers for each niche; higher is better.

    Attributes:
        value: Shape (n, niches), float64; -inf is no bid at all.
    """

    value: Float64[Tensor, "n niches"]


class Niches(Protocol):
    """The places that candidates compete for."""

    @property
    def names(self) -> tuple[str, ...]:
        """One name a niche, all different."""
        ...

    @property
    def columns(self) -> tuple[int, ...]:
        """The output of the target that each niche is about."""
        ...

    def bids(self, outputs: Outputs, inputs: Images) -> Bids:
        """What each candidate offers for each niche."""
        ...


@dataclass(frozen=True)
class Wins(Generic[G]):
    """What one offer changed in an archive.

    Attributes:
        niche: Shape (m,), niches that were taken over, ascending.
        row: Shape (m,), which of `winners` took each.
        value: Shape (m,), the bid values that won.
        winners: Every candidate that took a niche, once each.
        first_niche: Shape (f,), niches in which a level was reached for the first time.
        first_level: Shape (f,), index of that level.
        first_row: Shape (f,), which of `firsts` reached it.
        first_value: Shape (f,), the bid values that reached it.
        firsts: Every candidate that was first somewhere, once each.
    """

    niche: Rows
    row: Rows
    value: Float64[Tensor, " n"]
    winners: Candidates[G]
    first_niche: Int64[Tensor, " f"]
    first_level: Int64[Tensor, " f"]
    first_row: Int64[Tensor, " f"]
    first_value: Float64[Tensor, " f"]
    firsts: Candidates[G]


@dataclass(frozen=True)
class Step(Generic[G]):
    """One round of a search, after it happened.

    Attributes:
        number: Counted from 0, the random beginning.
        evaluations: Candidates judged since the search began.
        forwards: Rows sent to the target since then, padding included.
        backwards: Gradient rows since then.
        wins: What changed.
        statistics: Numbers about the archive after the step, by name, all finite.
        state: What a search must know to go on after this step, beyond the archive.
    """

    number: int
    evaluations: int
    forwards: int
    backwards: int
    wins: Wins[G]
    statistics: Mapping[str, float]
    state: Mapping[str, Tensor] = field(default_factory=dict)
