"""Randomness as a value: named streams, each drawn from afresh, so that no draw depends on what was drawn before."""

import hashlib
import math
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor


@dataclass(frozen=True)
class Stream:
    """One named source of uniform numbers: the same name gives the same numbers, in any process, in any order.

    A stream holds no state. Each name is drawn from once; what needs two draws takes two names with `branch`.
    The generator is torch's, seeded with 63 bits of blake2b("seed/purpose/step"). That of a GPU is another algorithm
    than the CPU's: the same name gives other numbers there.

    Attributes:
        seed: The run's seed, at least 0.
        purpose: What the numbers are for, for example ``"evolve/mutation"``.
        step: The step of the search, 0 for its first generation.
        device: Where the numbers are drawn and stay, as torch names it; what draws from such a stream lets no value
            decide a size, so that nobody has to wait for the device. Empty for the CPU where sizes may follow values.

    Example:
        >>> stream = Stream(seed=1, purpose="example", step=0)
        >>> bool((stream.uniform(3) == stream.uniform(3)).all())
        True
        >>> bool((stream.uniform(3) == stream.branch("other").uniform(3)).any())
        False
    """

    seed: int
    purpose: str
    step: int
    device: str = ""

    def branch(self, name: str) -> Self:
        """A stream of its own for one part of the purpose."""
        return replace(self, purpose=f"{self.purpose}/{name}")

    def uniform(self, *shape: int) -> Tensor:
        """Float64 numbers, uniform in [0, 1), of the given shape."""
        return self._drawn(math.prod(shape), torch.float64).reshape(shape)

    def uniform32(self, *shape: int) -> Tensor:
        """Float32 numbers, uniform in [0, 1), of the given shape: half the time and memory, 24 bits each."""
        return self._drawn(math.prod(shape), torch.float32).reshape(shape)

    def integers(self, count: int, below: int) -> Tensor:
        """Int64 numbers, uniform over 0 .. below - 1, of shape (count,)."""
        return (self.uniform(count) * below).long().clamp_(max=below - 1)

    def mask(self, rate: float, *shape: int) -> Tensor:
        """Bool, of the given shape, each true with the given rate, independently; `rare` without a size to wait for."""
        return self.uniform32(*shape) < rate

    def rare(self, total: int, rate: float) -> Tensor:
        """Positions in 0 .. total - 1, ascending, each drawn independently with the given rate.

        Draws the gaps between them (geometric), so the cost goes with what is drawn and not with the total.
        """
        if rate <= 0.0 or total == 0:
            return torch.empty(0, dtype=torch.int64)
        drawn: list[Tensor] = []
        last = -1
        while last < total:
            expected = (total - last) * rate
            count = int(expected + 6.0 * math.sqrt(expected) + 16.0)
            # In place, as everything here is on the hot path: the same numbers without a dozen arrays.
            gaps = self.branch(f"gaps-{len(drawn)}").uniform(count).neg_().log1p_()
            gaps = gaps.div_(math.log1p(-min(rate, 1.0 - 1e-16))).floor_().clamp_(max=float(total))
            drawn.append(gaps.long().add_(1).cumsum(0).add_(last))
            last = int(drawn[-1][-1])
        positions = drawn[0] if len(drawn) == 1 else torch.cat(drawn)
        return positions[: positions.numpy().searchsorted(total)]  # they ascend

    def _drawn(self, count: int, dtype: torch.dtype) -> Tensor:
        generator = self._generator()
        return torch.rand(count, dtype=dtype, generator=generator, device=generator.device)

    def _generator(self) -> torch.Generator:
        digest = hashlib.blake2b(f"{self.seed}/{self.purpose}/{self.step}".encode(), digest_size=8).digest()
        return torch.Generator(self.device or "cpu").manual_seed(int.from_bytes(digest, "big") >> 1)
