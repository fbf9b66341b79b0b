"""A guard whose acceptance proves something of the whole space of images: nothing else is accepted, wherever it is."""

import hashlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, quantise
from trompe.core.types import Classwise, Images, Levels, Outputs, Rows
from trompe.guards.scale import Parts, Scale

_ERROR = 1e-10
"""Of sums of terms without a sign, relative to their size, in float64: more than any that is formed here.

A sum of k terms is off by at most the share k * 2^-53 of the sum of their sizes. A blurred value is twice a sum of 5
products, a scalar product of two blurred images of d values sums d more, and so does their mean: at most 3 (d + 40)
2^-53 in all, which is below 7e-11 for the largest d that is taken.
"""
MARGIN = 1e-12
"""By how much the computed lower end of a cosine must exceed the bound: a dozen operations are left after the sums."""
_KERNEL = (1.0, 4.0, 6.0, 4.0, 1.0)
"""Binomial, standard deviation 1 pixel; over 16, which is exact in float64."""
_MOST = 200_000
_AT_ONCE = 512


@dataclass(frozen=True, eq=False)
class CertifiedGuard:
    """Accepts an image as a class only beside a witness: a trusted image of that class within a blurred cosine of t.

    The certificate: for every image x in [0, 1]^d and class c, if the slack of c is at least 0, then some trusted image
    of c has, both blurred and freed of their means, a cosine of at least ``bound`` with x, and the sum of x is within
    ``1 / reach`` to ``reach`` times that of the same trusted image. It holds by construction, for exact values: the
    witness is looked for in float32, which may miss one and refuse; then a lower end of its cosine, below the exact one
    whatever the rounding, is formed in float64.

    The blur is a binomial kernel of 5 x 5, with zeros outside the image.

    Attributes:
        trusted: Bytes, shape (n, channels, height, width), sorted by class, none of them black.
        counts: How many there are of each class, at least one.
        bound: t, the least cosine, in (0, 1).
        median: Cosine of the median natural image with its witness; slack 1.
        reach: How much brighter or darker in all than its witness an image may be; above 1.
        data: Name of the images, as in ``uses``.
    """

    trusted: Levels
    counts: tuple[int, ...]
    bound: float
    median: float
    reach: float = 3.0
    data: str = "unnamed"

    @property
    def name(self) -> str:
        """Always ``certified``."""
        return "certified"

    @property
    def needs(self) -> frozenset[str]:
        """Inputs."""
        return frozenset({"inputs"})

    @property
    def uses(self) -> frozenset[str]:
        """The function and the data."""
        return frozenset({"function:blurred-cosine", f"data:{self.data}"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): the lesser of how far cosine and brightness are on the accepted side of their bounds."""
        del outputs
        cosine, ratio = self.certify(inputs)
        scale = Scale(self.bound + MARGIN, self.median)
        reach = math.log(self.reach) - MARGIN
        bright = (reach - ratio.clamp(min=1e-30).log().abs()) / reach
        return torch.minimum(scale.slack(cosine), bright)

    def certify(self, inputs: Images) -> tuple[Classwise, Classwise]:
        """Of the witness for each class: the lower end of its cosine with an input, and how much brighter that is.

        Returns:
            Both float64 of shape (n, classes); a black or even input has a cosine of about 0 with everything.
        """
        witnesses = self.witnesses(inputs)
        own = inputs.to(torch.float64)
        known = from_levels(self.trusted[witnesses.flatten()]).to(torch.float64)
        cosine = lower_cosine(blurred(own).unsqueeze(1), blurred(known).reshape(*witnesses.shape, -1))
        sums = own.flatten(1).sum(1, keepdim=True)
        return cosine, sums / known.flatten(1).sum(1).reshape(witnesses.shape)

    def witnesses(self, inputs: Images) -> Tensor:
        """Int64, shape (n, classes): of each class the trusted image whose cosine in float32 is highest."""
        with torch.no_grad():
            rows = _centred(inputs.detach()) @ self._unit.T
            starts = [sum(self.counts[:c]) for c in range(len(self.counts))]
            parts = rows.split(self.counts, 1)
            return torch.stack([part.argmax(1) + start for part, start in zip(parts, starts, strict=True)], 1)

    @property
    def _unit(self) -> Tensor:
        """Every trusted image blurred, freed of its mean, at length 1, float32; made once."""
        known: Tensor | None = self.__dict__.get("_known")
        if known is None:
            with torch.inference_mode(mode=False), torch.no_grad():
                known = torch.cat([_centred(from_levels(chunk)) for chunk in self.trusted.split(_AT_ONCE)])
            self.__dict__["_known"] = known
        return known

    def fingerprint(self) -> str:
        """sha256 over images and numbers."""
        head = repr((tuple(self.trusted.shape), self.counts, self.bound, self.median, self.reach))
        return hashlib.sha256(head.encode() + self.trusted.contiguous().numpy().tobytes()).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers = {"counts": list(self.counts), "bound": self.bound, "median": self.median, "reach": self.reach}
        return {**numbers, "data": self.data}, {"trusted": self.trusted}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        bounds = (numbers["bound"], numbers["median"], numbers["reach"])
        return cls(arrays["trusted"], tuple(numbers["counts"]), *bounds, numbers["data"])


def fit_certified(  # noqa: PLR0913  one for each thing a guard is made of
    images: Levels, classes: Rows, labels: int, *, bound: float = 0.85, reach: float = 3.0, data: str = "unnamed"
) -> CertifiedGuard:
    """A guard of trusted images; the bound is given, not fitted, and its price is coverage: see `coverage`.

    Args:
        images: Bytes of trusted images, at least two a class, none of them black.
        classes: Int64, shape (n,), their classes.
        labels: How many classes there are.
        bound: The least cosine, in (0, 1).
        reach: How much brighter or darker in all than its witness an image may be; above 1.
        data: Name of the images.

    Raises:
        BadInput: A class has fewer than two images, one is black, the images are too large for the margin, or a number
            is out of range.
    """
    parts = [images[classes == c] for c in range(labels)]
    counts = tuple(len(part) for part in parts)
    size = images[0].numel() if len(images) else 0
    black = bool((images.flatten(1).amax(1) == 0).any()) if size else False
    if min(counts, default=0) < 2 or black or not 0 < size <= _MOST or not 0.0 < bound < 1.0 or not reach > 1.0:
        raise BadInput(
            expected=f"two images of each class or more, none black, of at most {_MOST} values; a bound in (0, 1); a "
            "reach above 1",
            got=f"at least {min(counts, default=0)} a class{', one black' if black else ''}, {size} values, "
            f"{bound:g}, {reach:g}",
            where="guard certified",
            do="Give other images or numbers.",
        )
    trusted = torch.cat(parts)
    bare = CertifiedGuard(trusted, counts, bound, 1.0, reach, data)
    median = max(_usual(bare), bound + 2.0 * MARGIN)
    return CertifiedGuard(trusted, counts, bound, median, reach, data)


def coverage(guard: CertifiedGuard, images: Levels, classes: Rows) -> float:
    """Share of natural images that the guard accepts as their own class.

    Args:
        guard: Fitted on other images.
        images: Bytes, at least one.
        classes: Int64, their classes.
    """
    passed = 0
    for chunk, own in zip(images.split(_AT_ONCE), classes.split(_AT_ONCE), strict=True):
        slack = guard.slack(Outputs(torch.zeros(len(chunk), len(guard.counts))), from_levels(chunk))
        passed += int((slack.gather(1, own.unsqueeze(1)) >= 0.0).sum())
    return passed / len(images)


def least_readable(
    guard: CertifiedGuard, image: Images, column: int, score: Callable[[Images], Tensor], steps: int = 100
) -> Images:
    """The least readable image that the guard accepts as a class, found by descent from one that it accepts.

    Descends the score by sign, in steps of 8 to 1 grey levels; where the guard refuses, its slack is climbed instead.
    What is given back is on the 8-bit grid and accepted. Optimisation finds a lower score or not; it proves nothing.

    Args:
        guard: It is left as it was.
        image: Shape (1, channels, height, width), accepted as the class.
        column: The class.
        score: Of images, shape (n,): how well the class can be read; differentiable.
        steps: How many.

    Returns:
        The accepted image of the lowest score among all that were met, the one given included.

    Raises:
        BadInput: The guard does not accept the image given.
    """
    if not float(_asked(guard, image, column)) >= 0.0:
        raise BadInput(
            expected="an image that the guard accepts as the class",
            got=f"slack {float(_asked(guard, image, column)):g}",
            where="least_readable",
            do="Begin with a trusted image of the class.",
        )
    here, best, lowest = image, image, math.inf
    for step in range(steps + 1):
        leaf = quantise(here).detach().requires_grad_()
        slack, value = _asked(guard, leaf, column), score(leaf)[0]
        accepted = bool(slack >= 0.0)
        if accepted and float(value.detach()) < lowest:
            best, lowest = leaf.detach(), float(value.detach())
        (slope,) = torch.autograd.grad(-value if accepted else slack, leaf)
        size = (1.0 + 7.0 * (1.0 - step / (steps + 1))) / 255.0
        here = (leaf.detach() + size * slope.sign()).clamp(0.0, 1.0)
    return best


def _asked(guard: CertifiedGuard, image: Images, column: int) -> Tensor:
    return guard.slack(Outputs(torch.zeros(1, len(guard.counts))), image)[0, column]


def blurred(images: Tensor) -> Tensor:
    """Every image blurred with the binomial kernel, zeros outside, shape (n, values), in the type of the images."""
    pad = len(_KERNEL) // 2
    for axis, around in ((2, (0, 0, pad, pad)), (3, (pad, pad, 0, 0))):
        size, wide = images.shape[axis], torch.nn.functional.pad(images, around)
        shifted = [weight / sum(_KERNEL) * wide.narrow(axis, i, size) for i, weight in enumerate(_KERNEL)]
        images = torch.stack(shifted).sum(0)
    return images.flatten(1)


def lower_cosine(some: Tensor, others: Tensor) -> Tensor:
    """At most the exact cosine of vectors freed of their means, whatever the rounding; near it where they are not even.

    Args:
        some: Float64, none below 0, the last axis at most 200,000 values.
        others: The same, of a shape that goes with it.

    Returns:
        Without the last axis: (a'b' - e |a| |b|) / sqrt((|a'|^2 + e |a|^2) (|b'|^2 + e |b|^2)) with e = 1e-10, where a'
        is a freed of its mean; where that is below 0 it is no bound, and no bound is needed.
    """
    size = some.shape[-1]
    product = (some * others).sum(-1) - some.sum(-1) * others.sum(-1) / size
    squares = [(part.square().sum(-1), part.sum(-1).square() / size) for part in (some, others)]
    whole = (squares[0][0] * squares[1][0]).clamp(min=1e-300).sqrt()
    spread = [(square - even).clamp(min=0.0) + _ERROR * square for square, even in squares]
    return (product - _ERROR * whole) / (spread[0] * spread[1]).clamp(min=1e-300).sqrt()


def _centred(images: Tensor) -> Tensor:
    rows = blurred(images)
    return torch.nn.functional.normalize(rows - rows.mean(1, keepdim=True))


def _usual(guard: CertifiedGuard) -> float:
    """Median cosine of up to 40 trusted images of each class with the nearest other one of it."""
    found = []
    for part in guard._unit.split(guard.counts):
        some = part[:: max(1, len(part) // 40)]
        found.append((some @ part.T).topk(2, 1).values[:, 1])
    return float(torch.cat(found).median())
