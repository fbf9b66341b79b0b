"""How gradient ascent moves: by sign and momentum, by Adam, by the rule of Nguyen 2015 with its four parameter sets."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import torch
from jaxtyping import Float32, Float64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import Link, class_log_odds, level_odds
from trompe.core.types import Outputs, Rows
from trompe.search import regularisers
from trompe.search.starts import Image, Start

Numbers = Float32[Tensor, "n numbers"]
Memory = Float32[Tensor, "n kinds numbers"]
"""What a rule keeps of the moves so far: one or more numbers for each that is moved, 0 at the start of a turn."""
Heights = Float64[Tensor, " n"]

_LEVELS = 255.0


@dataclass(frozen=True)
class Ground:
    """What a rule is told of the place it moves from.

    Attributes:
        gradient: Of the height, in the numbers that are moved.
        height: What was climbed, as `Rule.height` gave it.
        step: How many moves the turn has had, from 0.
        centre: The target's mean image.
    """

    gradient: Numbers
    height: Heights
    step: int
    centre: Image


class Rule(Protocol):
    """What is climbed, and how far a step goes. It holds no state; its memory comes in and goes out."""

    @property
    def start(self) -> Start:
        """Where a turn begins; one of `STARTS`."""
        ...

    @property
    def generations(self) -> int:
        """Steps it takes unless told otherwise."""
        ...

    @property
    def kinds(self) -> int:
        """How many numbers it remembers of each that it moves."""
        ...

    def height(self, outputs: Outputs, classes: Rows, link: Link) -> Heights:
        """What is climbed, of each row for its class, with a gradient."""
        ...

    def move(self, numbers: Numbers, memory: Memory, ground: Ground) -> tuple[Numbers, Memory]:
        """Where to go, and what to remember from there on; what was given is left as it was."""
        ...


@dataclass(frozen=True)
class SignMomentum:
    """Steps that are as large in every number, in the direction of the gradients' running sum.

    ``m <- momentum * m + g / mean|g|``, then ``x <- x + step * sign(m)`` (later smaller: see ``patience``), where g is
    the slope of the log-odds in float64, which do not saturate. Only signs and ratios of g matter, so the rule is the
    same for any scale of logits.

    Reference: Dong 2018 (momentum iterative method).

    Differs from it: no bound around a natural image, since there is none; log-odds, not the cross-entropy.

    Attributes:
        step: Of the range of a number; 0.1 is 25 grey levels.
        momentum: Share of the old direction that stays.
        patience: After so many steps a step is a half of the first, after twice as many a third, and so on: a class
            that is not there by then is being stepped over.
        start: Where a turn begins; one of `STARTS`.
        generations: Steps it takes unless told otherwise.
        kinds: It remembers the momentum.
    """

    kinds: ClassVar[int] = 1
    step: float = 0.1
    momentum: float = 0.75
    patience: int = 10
    start: Start = "uniform"
    generations: int = 30

    def height(self, outputs: Outputs, classes: Rows, link: Link) -> Heights:
        """Log-odds of the class where it is accepted, slack where it is not."""
        return _height(outputs, classes, link, as_probability=False)

    def move(self, numbers: Numbers, memory: Memory, ground: Ground) -> tuple[Numbers, Memory]:
        """One step of the given size."""
        size = ground.gradient.abs().mean(1, keepdim=True)
        direction = self.momentum * memory[:, 0] + ground.gradient / size.clamp(min=torch.finfo(torch.float32).tiny)
        step = self.step / (1 + ground.step // self.patience)
        return numbers + step * direction.sign(), direction.unsqueeze(1)


@dataclass(frozen=True)
class Hide(SignMomentum):
    """Sign and momentum towards a confident, accepted image that looks less like the class it is made for.

    The slope is ``g / mean|g| - weight * r / mean|r|``: g of the log-odds, which count up to the level only, and r of
    the correlation with the nearest natural image of the class, where that is above a threshold (`search.hide`).

    Attributes:
        level: Confidence from which on only hiding counts.
        weight: Of hiding, beside getting there.
    """

    level: float = 0.9999
    weight: float = 0.7
    start: Start = "uniform"
    generations: int = 60

    def height(self, outputs: Outputs, classes: Rows, link: Link) -> Heights:
        """As of sign-momentum, but no more than a little above the level."""
        return super().height(outputs, classes, link).clamp(max=level_odds(self.level) + 1.0)

    def combine(self, gradient: Tensor, closer: Tensor) -> Tensor:
        """The slope that is followed.

        Args:
            gradient: Of the height in each image.
            closer: Of the correlation with natural images of the class; 0 where nothing is left to hide.
        """
        tiny = torch.finfo(torch.float32).tiny
        unit, away = (g / g.abs().flatten(1).mean(1).clamp(min=tiny)[:, None, None, None] for g in (gradient, closer))
        return unit - self.weight * away


@dataclass(frozen=True)
class Adam:
    """Steps that are small in numbers whose gradients quarrel, made for numbers of unlike effect such as weights.

    ``m <- first * m + (1 - first) * g``, ``v <- second * v + (1 - second) * g^2``, each divided by what is missing of
    its weights (1 - first^t, 1 - second^t), then ``x <- x + step * m / (sqrt(v) + tiny)``, where g is the slope of the
    log-odds. Where g was always exactly 0, nothing moves.

    Reference: Kingma 2015.

    Attributes:
        step: About the most that a number moves in a step.
        first: Share of the old mean gradient that stays.
        second: Share of the old mean square that stays.
        tiny: Keeps a step finite.
        start: Where a turn begins; one of `STARTS`.
        generations: Steps it takes unless told otherwise.
        kinds: It remembers both means.
    """

    kinds: ClassVar[int] = 2
    step: float = 0.03
    first: float = 0.9
    second: float = 0.999
    tiny: float = 1e-8
    start: Start = "uniform"
    generations: int = 300

    def height(self, outputs: Outputs, classes: Rows, link: Link) -> Heights:
        """Log-odds of the class where it is accepted, slack where it is not."""
        return _height(outputs, classes, link, as_probability=False)

    def move(self, numbers: Numbers, memory: Memory, ground: Ground) -> tuple[Numbers, Memory]:
        """One step, and both means of the gradients so far."""
        mean = self.first * memory[:, 0] + (1.0 - self.first) * ground.gradient
        square = self.second * memory[:, 1] + (1.0 - self.second) * ground.gradient.square()
        count = ground.step + 1
        size = (square / (1.0 - self.second**count)).sqrt() + self.tiny
        moved = numbers + self.step * (mean / (1.0 - self.first**count)) / size
        return moved, torch.stack([mean, square], 1)


@dataclass(frozen=True)
class Progress:
    """The paper's rule: climb the probability itself, at a rate at which it should rise by a set amount a step.

    ``rate = min(max_rate, min(early, late * (1 - p)) / |g|^2)``; ``x <- x + rate * g``, then the regularisers in the
    order decay, blur, small norm, small benefit, all on x minus the mean image.

    Reference: Nguyen 2015, section 3.9 and supplement; values from the code released with it.

    Differs from the released code: the image is put on the 8-bit grid before it is judged (its gradient is taken
    there); the probability is formed in float64; where a guard refuses an image its slack is climbed; a network that
    subtracts no mean image has an even grey in its place. The code's "best" image is its last; here the archive keeps
    the strongest and the first at each level.

    Attributes:
        generations: Steps; N in the released code.
        early: Rise of the probability that a step aims at, at most.
        late: Share of what is missing to 1 that a step aims at, at most.
        decay: Share of the way to the mean image that each step goes back.
        blur_radius: Standard deviation of a Gaussian blur in pixels; 0 for none.
        blur_every: Steps from one blur to the next.
        norm_percentile: Of pixels whose norm is clipped to the mean.
        benefit_percentile: Of pixels whose contribution is clipped to the mean.
        max_rate: Of the learning rate, for images in 0 .. 255.
        start: Where a turn begins; one of `STARTS`.
        kinds: It remembers nothing; what it is given goes out as it came.
    """

    kinds: ClassVar[int] = 1
    generations: int
    early: float
    late: float
    decay: float = 0.0
    blur_radius: float = 0.0
    blur_every: int = 1
    norm_percentile: float = 0.0
    benefit_percentile: float = 0.0
    max_rate: float = 1e7
    start: Start = "mean"

    def height(self, outputs: Outputs, classes: Rows, link: Link) -> Heights:
        """Probability of the class where it is accepted, slack where it is not."""
        return _height(outputs, classes, link, as_probability=True)

    def move(self, numbers: Numbers, memory: Memory, ground: Ground) -> tuple[Numbers, Memory]:
        """One step towards the desired rise, and the regularisers.

        Raises:
            BadInput: The numbers are not the values of an image.
        """
        centre = ground.centre.to(torch.float64)
        if numbers.shape[1] != centre.numel():
            raise BadInput(
                expected=f"genomes whose numbers are the {centre.numel()} values of an image",
                got=f"{numbers.shape[1]} numbers",
                where="the rule of Nguyen 2015",
                do="Choose the encoding pixels, or another rule.",
            )
        images = numbers.to(torch.float64).reshape(-1, *centre.shape) - centre
        slope = ground.gradient.to(torch.float64).reshape(images.shape)
        moved = images + self.rate(ground)[:, None, None, None] * slope
        regular = self.regularise(moved, slope, ground.step)
        return (regular + centre).reshape(numbers.shape).to(torch.float32), memory

    def rate(self, ground: Ground) -> Heights:
        """The learning rate of each row, for images in [0, 1]."""
        desired = torch.clamp(self.late * (1.0 - ground.height), max=self.early)
        squared = ground.gradient.to(torch.float64).square().sum(1)
        return (desired / squared).clamp(max=self.max_rate / _LEVELS**2)

    def regularise(self, images: regularisers.Centred, slope: regularisers.Centred, step: int) -> regularisers.Centred:
        """The regularisers that are on, in the released code's order; the mean is subtracted from the images."""
        images = regularisers.decay(images, self.decay)
        if self.blur_radius and step % self.blur_every == 0:
            images = regularisers.blur(images, self.blur_radius)
        if self.norm_percentile:
            images = regularisers.clip_small_norm(images, self.norm_percentile)
        if self.benefit_percentile:
            images = regularisers.clip_small_benefit(images, slope, self.benefit_percentile)
        return images


RULES: Mapping[str, SignMomentum | Hide | Adam | Progress] = {
    "sign-momentum": SignMomentum(),
    "adam": Adam(),
    "hide": Hide(),
    "nguyen-unregularised": Progress(generations=500, early=0.02, late=0.1),
    "nguyen-l2": Progress(generations=1500, early=0.03, late=0.02, decay=0.01),
    "nguyen-blur": Progress(generations=1000, early=0.03, late=0.05, decay=0.001, blur_radius=0.4, blur_every=2),
    "nguyen-sparse": Progress(
        generations=1500, early=0.03, late=0.05, decay=0.001, blur_radius=0.3, norm_percentile=20.0,
        benefit_percentile=20.0,
    ),
}  # fmt: skip
"""Presets of `ascend`. The four of Nguyen 2015 are hp_seed -1, 169, 188 and 360 of the released code."""


def _height(outputs: Outputs, classes: Rows, link: Link, *, as_probability: bool) -> Tensor:
    if outputs.slack is None:
        odds = class_log_odds(outputs.logits, classes, link)
        return odds.sigmoid() if as_probability else odds
    height = outputs.slack.to(torch.float64).gather(1, classes.unsqueeze(1)).squeeze(1)
    accepted = height.detach() >= 0.0
    # Rows are picked before their log-odds are formed: what is refused then cannot spoil a gradient by an infinity.
    odds = class_log_odds(outputs.logits[accepted], classes[accepted], link)
    return height.masked_scatter(accepted, odds.sigmoid() if as_probability else odds)
