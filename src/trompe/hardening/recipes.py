"""How a classifier is hardened: what its training passes through, and what each batch is made to cost."""

from dataclasses import dataclass, field
from typing import Any, ClassVar, Protocol

import torch
from torch import Tensor, nn

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Images, Levels
from trompe.data import Split
from trompe.hardening.inner import climbed
from trompe.hardening.outliers import Means, mixed

_FAINT = 0.05
"""Brightest value of faint noise: thirteen grey levels."""


class Recipe(Protocol):
    """A way to harden. It holds no state: what it draws in an iteration comes from that iteration's stream."""

    @property
    def name(self) -> str:
        """As in ``--recipe``."""
        ...

    @property
    def manner(self) -> str:
        """After whom it is, and in what it differs; for cards and pages, which never print another's name alone."""
        ...

    @property
    def none(self) -> bool:
        """Whether the network gets one more class, for none of these."""
        ...

    def lesson(self, train: Split) -> Split:
        """What training passes through; with `none`, images of the class after the last are none of these."""
        ...

    def loss(self, module: nn.Module, images: Images, classes: Tensor, stream: Stream) -> Tensor:
        """What is descended, of a module in training and a batch of the lesson; draws from the stream alone."""
        ...

    def describe(self) -> dict[str, Any]:
        """Every number of it, JSON-ready."""
        ...


@dataclass(frozen=True, eq=False)
class NegativeClass:
    """One more class, for images that fooled earlier networks: each is a lesson like any other.

    Reference: Nguyen 2015, sections 3.6 to 3.8.

    Attributes:
        negatives: Bytes of those images.
    """

    name: ClassVar[str] = "negative-class"
    manner: ClassVar[str] = (
        "in the manner of Nguyen 2015: an n+1st class of images evolved against the networks before; differs: "
        "fewer images; how long attacks and training took there could not be sourced"
    )
    none: ClassVar[bool] = True
    negatives: Levels

    def lesson(self, train: Split) -> Split:
        """The training images and all negatives, those as the class after the last."""
        column = int(train.classes.max()) + 1
        own = torch.full((len(self.negatives),), column)
        return Split(torch.cat([train.images, self.negatives]), torch.cat([train.classes, own]))

    def loss(self, module: nn.Module, images: Images, classes: Tensor, stream: Stream) -> Tensor:
        """Cross-entropy."""
        del stream
        return nn.functional.cross_entropy(module(images), classes)

    def describe(self) -> dict[str, Any]:
        """How many negatives there are."""
        return {"negatives": len(self.negatives)}


@dataclass(frozen=True, eq=False)
class OutlierExposure:
    """Beside each batch, images that mean nothing, for which every class should be as likely.

    Reference: Hendrycks 2019.

    Attributes:
        means: The mean image of each class.
        others: Images of another data set; None for noise alone.
        share: Nonsense images for each image of the batch.
        weight: Of what they cost, beside the cross-entropy of the batch.
    """

    name: ClassVar[str] = "outlier-exposure"
    manner: ClassVar[str] = (
        "in the manner of Hendrycks 2019, reduced: seven kinds of noise and at most one other data set in the place of "
        "millions of photographs, trained from the beginning"
    )
    none: ClassVar[bool] = False
    means: Means
    others: Split | None = None
    share: float = 0.5
    weight: float = 0.5

    def lesson(self, train: Split) -> Split:
        """The training images."""
        return train

    def loss(self, module: nn.Module, images: Images, classes: Tensor, stream: Stream) -> Tensor:
        """Cross-entropy of the batch, and of as many outliers as their share against an even answer."""
        outliers = mixed(_count(self.share, images), self.means, stream, self.others)
        return _calm_beside(module, images, classes, outliers, self.weight)

    def describe(self) -> dict[str, Any]:
        """Share, weight, and how many images of another data set there are."""
        others = 0 if self.others is None else len(self.others)
        return {"share": self.share, "weight": self.weight, "others": others}


@dataclass(frozen=True, eq=False)
class LowConfidence:
    """Beside each batch, noise that was climbed towards some class, for which every class should be as likely.

    The start of each is one of seven kinds; it moves for a number of steps drawn anew for each batch, through the whole
    range of images. The first iterations are plain, so that there is a slope to climb.

    Reference: Hein 2019.

    Attributes:
        means: The mean image of each class.
        share: Nonsense images for each image of the batch.
        weight: Of what they cost, beside the cross-entropy of the batch.
        steps: Of the inner attack, at most.
        warm: Iterations before it begins.
    """

    name: ClassVar[str] = "low-confidence"
    manner: ClassVar[str] = (
        "in the manner of Hein 2019, reduced: few inner steps, few iterations, noise for a part of each batch "
        "only; differs: seven kinds of start, the whole range instead of a ball, a class drawn at random"
    )
    none: ClassVar[bool] = False
    means: Means
    share: float = 0.25
    weight: float = 1.0
    steps: int = 10
    warm: int = 500

    def lesson(self, train: Split) -> Split:
        """The training images."""
        return train

    def loss(self, module: nn.Module, images: Images, classes: Tensor, stream: Stream) -> Tensor:
        """Cross-entropy of the batch, and of what was climbed against the answer that it should have."""
        if stream.step < self.warm:
            return nn.functional.cross_entropy(module(images), classes)
        starts, towards = self.starts(images, classes, stream)
        steps = int(stream.branch("steps").integers(1, self.steps + 1))
        moved = climbed(module, starts, towards, steps, self.shares(len(starts), stream))
        return self.cost(module, images, classes, starts, moved)

    def starts(self, images: Images, classes: Tensor, stream: Stream) -> tuple[Tensor, Tensor]:
        """Where each climb begins, and towards which class."""
        del classes
        noise = self.noise(images, stream)
        return noise, stream.branch("towards").integers(len(noise), len(self.means))

    def noise(self, images: Images, stream: Stream) -> Tensor:
        """The nonsense that is climbed beside a batch."""
        return mixed(_count(self.share, images), self.means, stream)

    def shares(self, n: int, stream: Stream) -> Tensor | None:
        """Of the inner attack's step that each of n images takes; None for all of it."""
        del n, stream
        return None

    def cost(self, module: nn.Module, images: Images, classes: Tensor, starts: Tensor, moved: Tensor) -> Tensor:
        """Of a batch, and of what was climbed from its starts."""
        del starts
        return _calm_beside(module, images, classes, moved, self.weight)

    def describe(self) -> dict[str, Any]:
        """Every number."""
        return {key: value for key, value in vars(self).items() if key != "means"}


@dataclass(frozen=True, eq=False)
class LowConfidenceAll(LowConfidence):
    """As `LowConfidence`, beside natural images climbed towards other classes, further, and in steps of many sizes.

    What is climbed is noise of the seven kinds, noise of a few grey levels, and natural images of the batch, each
    towards a class that it is not of. For all of them every class should be as likely: what a search makes of
    nonsense, and of another class, is nothing until it is the class.

    Reference: Hein 2019; Stutz 2020.

    Attributes:
        steps: Of the inner attack, at most.
        faint: Faint noise for each image of the batch.
        natural: Natural images of the batch that are climbed, of all.
        least: Share of the rule's step that the slowest takes; drawn evenly in its logarithm for each image.
    """

    name: ClassVar[str] = "low-confidence-all"
    manner: ClassVar[str] = (
        "in the manner of Hein 2019 and Stutz 2020, reduced: few inner steps, few iterations, a part of each batch; "
        "differs: eight kinds of start, the whole range instead of a ball, a class drawn at random, and an even answer "
        "for natural images that were climbed, however far they came"
    )
    steps: int = 20
    faint: float = 0.03
    natural: float = 0.15
    least: float = 0.1

    def starts(self, images: Images, classes: Tensor, stream: Stream) -> tuple[Tensor, Tensor]:
        """Where each climb begins, natural images last, and towards which class."""
        noise, towards = super().starts(images, classes, stream)
        natural = _count(self.natural, images)
        other = 1 + stream.branch("other").integers(natural, len(self.means) - 1)
        return (
            torch.cat([noise, images[:natural]]),
            torch.cat([towards, (classes[:natural] + other) % len(self.means)]),
        )

    def noise(self, images: Images, stream: Stream) -> Tensor:
        """The same, and faint noise after it."""
        faint = _count(self.faint, images)
        own = stream.branch("own").uniform32(faint, 1, 1, 1)
        dim = _FAINT * own * stream.branch("faint").uniform32(faint, *images.shape[1:])
        return torch.cat([super().noise(images, stream), dim])

    def shares(self, n: int, stream: Stream) -> Tensor | None:
        """Of each image one of its own."""
        return self.least ** stream.branch("shares").uniform32(n)


@dataclass(frozen=True, eq=False)
class LowConfidenceFar(LowConfidenceAll):
    """As `LowConfidenceAll`, but natural images keep something of their class while they are near where they were.

    One that came as far as d in its largest pixel stays of its own class by ``(1 - d / radius) ** power``, and is even
    for the rest. So the network may stay sure of natural images themselves.

    Reference: Stutz 2020.

    Attributes:
        radius: From which on nothing is left of a natural image's class; of the range of a pixel.
        power: How fast it fades on the way.
    """

    name: ClassVar[str] = "low-confidence-far"
    manner: ClassVar[str] = (
        "in the manner of Hein 2019 and Stutz 2020, reduced: few inner steps, few iterations, a part of each batch; "
        "differs: eight kinds of start, the whole range instead of a ball, a class drawn at random, a slower fading"
    )
    radius: float = 0.3
    power: float = 3.0

    def cost(self, module: nn.Module, images: Images, classes: Tensor, starts: Tensor, moved: Tensor) -> Tensor:
        """As above, natural images against what is left of their class."""
        answers = self.answers(moved, starts, classes[: _count(self.natural, images)])
        logits = module(torch.cat([images, moved]))
        own = nn.functional.cross_entropy(logits[: len(images)], classes)
        total: Tensor = own + self.weight * nn.functional.cross_entropy(logits[len(images) :], answers)
        return total

    def answers(self, moved: Images, starts: Images, classes: Tensor) -> Tensor:
        """What each should be answered: probabilities of shape (n, classes); the last are natural, of these classes."""
        labels = len(self.means)
        even = torch.full((len(moved), labels), 1.0 / labels)
        far = (moved - starts)[-len(classes) :].abs().flatten(1).amax(1)
        left = (1.0 - far / self.radius).clamp(min=0.0).pow(self.power).unsqueeze(1)
        even[-len(classes) :] += left * (nn.functional.one_hot(classes, labels) - 1.0 / labels)
        return even


@dataclass(frozen=True, eq=False)
class Refine:
    """Beside each batch, images that were found against other networks, for which every class should be as likely.

    Attributes:
        found: Bytes of those images.
        sources: Where they were found, for the record.
        share: Of them for each image of the batch.
        weight: Of what they cost, beside the cross-entropy of the batch.
    """

    name: ClassVar[str] = "refine"
    manner: ClassVar[str] = "images that earlier attacks ended with, mixed back as examples without a class"
    none: ClassVar[bool] = False
    found: Levels
    sources: tuple[str, ...] = field(default=())
    share: float = 0.25
    weight: float = 1.0

    def lesson(self, train: Split) -> Split:
        """The training images."""
        return train

    def loss(self, module: nn.Module, images: Images, classes: Tensor, stream: Stream) -> Tensor:
        """Cross-entropy of the batch, and of some found images against an even answer."""
        rows = stream.branch("found").integers(_count(self.share, images), len(self.found))
        return _calm_beside(module, images, classes, from_levels(self.found[rows]), self.weight)

    def describe(self) -> dict[str, Any]:
        """How many images were found, and where."""
        return {"found": len(self.found), "sources": list(self.sources), "share": self.share, "weight": self.weight}


def calmness(logits: Tensor) -> Tensor:
    """Mean cross-entropy of an even answer, the least where every class is as likely; in nats, at least log n."""
    return -logits.log_softmax(1).mean()


def _calm_beside(module: nn.Module, images: Tensor, classes: Tensor, nonsense: Tensor, weight: float) -> Tensor:
    logits = module(torch.cat([images, nonsense]))
    own = nn.functional.cross_entropy(logits[: len(images)], classes)
    total: Tensor = own + weight * calmness(logits[len(images) :])
    return total


def _count(share: float, images: Tensor) -> int:
    return max(1, round(share * len(images)))
