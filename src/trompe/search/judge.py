"""The seam between searching and judging: one engine, one batch size, one thread count, chosen once and stored."""

import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from typing import Any, TypeVar

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.check import check_outputs, with_faults_marked
from trompe.core.errors import Notice, TargetError
from trompe.core.numerics import filled_up, from_levels
from trompe.core.types import Images, Outputs, Target

S = TypeVar("S")
T = TypeVar("T")

REMOTE = "remote"
"""Engine of a target behind a URL."""


@dataclass(frozen=True)
class JudgeSettings:
    """How a target is asked. Logits differ in their last bits between batch sizes, so this is part of a run.

    Attributes:
        batch: Rows a call; the last batch is padded with copies of its last row.
        threads: Of torch, on the CPU.
        engine: What computes the network; ``remote`` where a server does, which is then sent batches of this size by
            the target itself, several at a time. ``torch:cuda`` is torch on a GPU, where all of a search then stays.
        precision: Of its weights and arithmetic.
        reference: The engine whose float32 values count; see `trompe.search.reference`.
        abreast: Batches that are computed at the same time; where more than one, each by one thread of torch.
    """

    batch: int
    threads: int = 1
    engine: str = "torch"
    precision: str = "float32"
    reference: str = "torch"
    abreast: int = 1

    def describe(self) -> dict[str, Any]:
        """As a run stores it; what is computed one batch after the other says nothing of it, as ever."""
        return {key: value for key, value in asdict(self).items() if key != "abreast" or self.abreast > 1}

    @property
    def device(self) -> str:
        """Where a search stays, as torch names it; empty for the CPU, where whoever wants to know a value may look."""
        engine, _, device = self.engine.partition(":")
        return device if engine == "torch" else ""

    @property
    def counts(self) -> bool:
        """Whether what is said by a target asked in this way is what the reference says."""
        return self.engine == self.reference and self.precision == "float32"


@dataclass(frozen=True, eq=False)
class Slope:
    """What a target says of n inputs, and which way is up there.

    Attributes:
        outputs: As from `Judge.judge`, bit for bit.
        height: Shape (n,), the number that is climbed.
        gradient: Its gradient in each input, of the inputs' shape.
    """

    outputs: Outputs
    height: Float64[Tensor, " n"]
    gradient: Images


@dataclass(eq=False)
class Room:
    """How often the batch of a judge was halved because there was no memory left on a GPU.

    Attributes:
        halved: So often.
        notices: What was said of it.
    """

    halved: int = 0
    notices: list[str] = field(default_factory=list)

    def rows(self, batch: int) -> int:
        """Rows a call that there is room for, of a batch of so many."""
        return -(-batch >> self.halved)


@dataclass(frozen=True, eq=False)
class Judge:
    """A target behind a fixed way of asking it: the same image gets the same bits, wherever in a batch it stands.

    Where a GPU has no room for a batch, it is halved until there is, for good, and a `Notice` says so: from then on the
    last bits may be others than those of another run.

    Attributes:
        target: The classifier.
        settings: How it is asked.
        abreast: Batches that are computed at the same time, each in a thread of Python's own. Where more than one,
            each is computed by one thread of torch, whatever the settings say; the bits are those of one after another.
        room: What has become of its batches.
    """

    target: Target
    settings: JudgeSettings
    abreast: int = 1
    room: Room = field(default_factory=Room)

    def judge(self, inputs: Images) -> Outputs:
        """What the target says of each input, checked at the door.

        Raises:
            TargetError: The answers have the wrong shape or are not numbers.
        """
        with torch.inference_mode(), with_threads(self._threads):
            if self.abreast == 1:
                return self._answers(inputs)
            return Outputs.join(self._each(self._alone, inputs.split(self.settings.batch)))

    def _alone(self, batch: Images) -> Outputs:
        with torch.inference_mode():  # which is a matter of each thread
            return self._answers(batch)

    def _each(self, make: Callable[[S], T], parts: Sequence[S]) -> list[T]:
        """What is made of each part, as many at the same time as are computed abreast."""
        if self.abreast == 1 or len(parts) < 2:
            return [make(part) for part in parts]
        with ThreadPoolExecutor(self.abreast, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            return list(pool.map(make, parts))

    @property
    def _threads(self) -> int:
        """Of torch, that compute one batch."""
        return 1 if self.abreast > 1 else self.settings.threads

    def slope(self, inputs: Images, height: Callable[..., Tensor], *given: Tensor) -> "Slope":
        """What the target says of each input, and which way is up there.

        The answers have the bits that `judge` gives: the same forward pass, once, with its gradient recorded. (That a
        module computes the same with a gradient and without is tested, not assumed.) Each batch is gone back through
        at once, so that no more of them are remembered than are computed abreast.

        Args:
            inputs: What is judged, on the 8-bit grid.
            height: The number to be climbed, of each row of the answers, shape (n,); is called with the answers to a
                batch, and what is given of its rows.
            given: What `height` needs to know of each row.

        Raises:
            TargetError: The answers cannot be judged, or have no gradient, or one that is not a number.
        """
        with torch.inference_mode(mode=False), with_threads(self._threads):
            values = (inputs.detach(), *given)
            parts = zip(*(each.split(self.settings.batch) for each in values), strict=True)
            found = self._each(lambda part: self._climbed(part[0], height, part[1:]), list(parts))
        gradient = torch.cat([slope.gradient for slope in found])
        if not bool(torch.isfinite(gradient).all()):
            raise _no_gradient(self.target, "a gradient that is not a number")
        heights = torch.cat([slope.height for slope in found])
        return Slope(Outputs.join([slope.outputs for slope in found]), heights, gradient)

    def _climbed(self, batch: Images, height: Callable[..., Tensor], given: Sequence[Tensor]) -> Slope:
        """The slope of one batch; may be asked for in a thread of its own."""
        with torch.enable_grad():
            leaf = batch.clone().requires_grad_()
            outputs = self._answers(leaf)
            heights = height(outputs, *given)
            if not heights.requires_grad:
                raise _no_gradient(self.target, "answers that no gradient can be taken of")
            (gradient,) = torch.autograd.grad(heights.sum(), leaf, allow_unused=True)
        if gradient is None:
            raise _no_gradient(self.target, "answers whose gradient does not reach the inputs")
        return Slope(outputs.detach(), heights.detach(), gradient)

    def check_slope(self) -> None:
        """Make sure that a gradient can be taken through the target, by taking one.

        Of one image with many levels: of an even grey, a network that divides by an image's own spread has no answer.

        Raises:
            TargetError: As for `slope`.
        """
        shape = self.target.spec.shape
        levels = (torch.arange(math.prod(shape)) % 256).to(torch.uint8).reshape(1, *shape)
        self.slope(from_levels(levels), lambda outputs: outputs.logits.to(torch.float64).sum(1))

    @property
    def rows(self) -> int:
        """Rows judged in one call; where a server is asked, which takes several calls at once, all there are."""
        return sys.maxsize if self.settings.engine == REMOTE else self.settings.batch * self.abreast

    def forwards(self, n: int) -> int:
        """Rows that judging n inputs sends to the network, padding included, ten crops as ten."""
        rows: int = getattr(self.target, "rows", 1)
        return -(-n // self.settings.batch) * self.settings.batch * rows

    def _answers(self, inputs: Images) -> Outputs:
        if not len(inputs):
            return Outputs(torch.empty(0, len(self.target.labels)))
        if self.settings.engine == REMOTE:
            outputs = self.target.judge(inputs)
            check_outputs(outputs, len(inputs), self.target.labels, f"target {self.target.name}")
            return outputs
        parts = self.in_parts(lambda rows: [self._ask(batch, rows) for batch in inputs.split(rows)])
        return parts[0] if len(parts) == 1 else Outputs.join(parts)

    def in_parts(self, make: Callable[[int], T]) -> T:
        """What is made of a batch so many rows at a time; where a GPU has no room for so many, with half of them.

        Args:
            make: Is given how many rows to take at a time. Begins anew where there was no room.

        Raises:
            TargetError: There is no room for a single row.
        """
        while True:
            rows = self.room.rows(self.settings.batch)
            try:
                return make(rows)
            except torch.OutOfMemoryError as cause:
                self._halve(rows, cause)

    def _halve(self, rows: int, cause: RuntimeError) -> None:
        """Go on with half as many rows a call; a single one cannot be halved."""
        if rows == 1:
            raise TargetError(
                expected="a GPU with room for one image",
                got="no memory left on it",
                where=f"target {self.target.name}",
                do="Free the GPU, or hide it (CUDA_VISIBLE_DEVICES=); what was recorded is kept: go on with --resume.",
            ) from cause
        self.room.halved += 1
        if torch.cuda.is_initialized():
            torch.cuda.empty_cache()
        fewer = self.room.rows(self.settings.batch)
        said = f"no memory left on the GPU for {rows} images of {self.target.name} at a time: {fewer} from here on"
        self.room.notices.append(said)
        warnings.warn(said, Notice, stacklevel=2)

    def _ask(self, batch: Images, size: int) -> Outputs:
        n = len(batch)
        outputs = self.target.judge(filled_up(batch, size))
        stays = bool(self.settings.device)
        check_outputs(outputs, size, self.target.labels, f"target {self.target.name}", look=not stays)
        if stays:
            outputs = replace(outputs, logits=with_faults_marked(outputs.logits))
        if n == size:
            return outputs
        return outputs.take(slice(n))


def _no_gradient(target: Target, got: str) -> TargetError:
    return TargetError(
        expected="a target that torch can take a gradient through",
        got=got,
        where=f"target {target.name}",
        do="Climb a differentiable model, or choose a search that only asks: evolve or squares.",
    )


@contextmanager
def with_threads(count: int) -> Iterator[None]:
    """So many threads of torch inside, as many as before afterwards."""
    before = torch.get_num_threads()
    if before == count:
        yield
        return
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
