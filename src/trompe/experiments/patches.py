"""Shallow vision on MNIST: a bag of visual words, and a model of parts that know their places."""

from typing import Any

import torch
from jaxtyping import Float32, UInt8
from torch import Tensor, nn
from torch.nn.utils import skip_init

from trompe.core.errors import TargetError
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Images, Levels
from trompe.data import Split, load
from trompe.experiments.families import Lesson, as_target
from trompe.search.judge import with_threads
from trompe.targets import TorchTarget
from trompe.targets.architectures import initialise
from trompe.targets.training import Recipe, fit

SIDE = 7
"""Of a patch, in pixels; sixteen of them make up an image."""
_WORDS = 300
_SHARP = 10.0
_KEPT_BACK = 500
_DIRECTIONS, _CELL, _PART = 8, 4, 3
_ANCHORS = ((1, 1), (1, 3), (3, 1), (3, 3))
_STRETCHES = torch.logspace(-2.0, 2.0, 81)


class Bag(nn.Module):
    """A bag of visual words: how often each word occurs among the patches of an image, and a linear classifier.

    A patch counts for the words near it, mostly for the nearest, so that there is a gradient. Where a patch lies makes
    no difference at all.

    Args:
        words: Shape (words, 49), pixels in [0, 1].

    Reference: Csurka 2004.
    """

    words: Tensor

    def __init__(self, words: Float32[Tensor, "words pixels"]) -> None:
        super().__init__()
        self.register_buffer("words", words)
        self.last = skip_init(nn.Linear, len(words), 10)

    def counts(self, images: Images) -> Float32[Tensor, "n words"]:
        """Words an image, in all as many as it has patches."""
        patches = cut(images).flatten(2)
        gap = patches.square().sum(2, keepdim=True) - 2.0 * patches @ self.words.T + self.words.square().sum(1)
        return (-_SHARP * gap).softmax(2).sum(1)

    def forward(self, images: Images) -> Tensor:
        """Logits."""
        logits: Tensor = self.last(self.counts(images))
        return logits


class Parts(nn.Module):
    """A model of parts: a root filter over the whole image, and four parts a class that may move, at a price.

    Filters look at how much brightness rises in eight directions, in cells of 4x4 pixels, each relative to the cells
    around it. A part's score is the best over all places of filter response less a quadratic cost of its distance from
    where it belongs.

    Differs from Felzenszwalb 2010: one scale and one root position, no mixtures; where the parts belong is fixed, not
    found; trained by gradient descent.

    Reference: Dalal 2005; Felzenszwalb 2010.
    """

    costs: Tensor
    stretch: Tensor

    def __init__(self) -> None:
        super().__init__()
        cells = 28 // _CELL
        self.root = skip_init(nn.Linear, _DIRECTIONS * cells * cells, 10)
        self.parts = skip_init(nn.Conv2d, _DIRECTIONS, 10 * len(_ANCHORS), _PART)
        self.price = nn.Parameter(torch.zeros(10 * len(_ANCHORS)))
        self.register_buffer("stretch", torch.ones(()))
        places = torch.arange(cells - _PART + 1)
        rows, columns = torch.meshgrid(places, places, indexing="ij")
        costs = [((rows - up) ** 2 + (columns - left) ** 2).float() for up, left in _ANCHORS]
        self.register_buffer("costs", torch.stack(costs).repeat(10, 1, 1))

    def forward(self, images: Images) -> Tensor:
        """Logits."""
        rises = rising(images)
        price = nn.functional.softplus(self.price)[:, None, None]
        moved = self.parts(rises) - price * self.costs
        found = moved.flatten(2).amax(2).reshape(len(images), 10, len(_ANCHORS)).sum(2)
        logits: Tensor = self.stretch * (self.root(rises.flatten(1)) + found)
        return logits


def rising(images: Images) -> Float32[Tensor, "n directions rows columns"]:
    """How much brightness rises in each of eight directions, by cell, relative to the cells around."""
    framed = nn.functional.pad(images, (1, 1, 1, 1))
    across = framed[:, :, 1:-1, 2:] - framed[:, :, 1:-1, :-2]
    down = framed[:, :, 2:, 1:-1] - framed[:, :, :-2, 1:-1]
    angle = torch.arange(_DIRECTIONS) * (2.0 * torch.pi / _DIRECTIONS)
    along = angle.cos()[:, None, None] * across + angle.sin()[:, None, None] * down
    cells = nn.functional.avg_pool2d(along.relu(), _CELL)
    around = nn.functional.avg_pool2d(cells.square().sum(1, keepdim=True), 3, 1, 1, count_include_pad=False)
    return cells / (around + 0.01).sqrt()


def cut(images: Tensor) -> Tensor:
    """The sixteen patches of each image: shape (n, 16, 7, 7)."""
    return images.unfold(2, SIDE, SIDE).unfold(3, SIDE, SIDE).reshape(len(images), -1, SIDE, SIDE)


def shuffled(levels: Levels, seed: int) -> UInt8[Tensor, "n 1 28 28"]:
    """The images with their patches in another order, one of its own for each."""
    patches = cut(levels)
    order = Stream(seed, "why/patches", 0).uniform(len(levels), patches.shape[1]).argsort(1)
    mixed = torch.stack([own[rows] for own, rows in zip(patches, order, strict=True)])
    across = 28 // SIDE
    return mixed.reshape(-1, 1, across, across, SIDE, SIDE).permute(0, 1, 2, 4, 3, 5).reshape(levels.shape)


def bag(wanted: Lesson) -> TorchTarget:
    """Words by k-means, weights by a linear support vector machine, its scores stretched to be probabilities.

    Raises:
        TargetError: scikit-learn is missing.
    """
    taught, back = wanted.part.images[:-_KEPT_BACK], wanted.part.images[-_KEPT_BACK:]
    patches = cut(from_levels(taught)).flatten(2).flatten(0, 1)
    module = Bag(_words(patches, wanted.seed))
    with torch.no_grad():
        weights, biases = _machine(module.counts(from_levels(taught)), wanted.part.classes[:-_KEPT_BACK], wanted.seed)
        module.last.weight.copy_(weights)
        module.last.bias.copy_(biases)
        stretch = fitting(module(from_levels(back)), wanted.part.classes[-_KEPT_BACK:])
        module.last.weight.mul_(stretch)
        module.last.bias.mul_(stretch)
    return as_target("bag of visual words", module)


def parts(wanted: Lesson) -> TorchTarget:
    """A model of parts, trained by a multi-class hinge loss, its scores stretched to be probabilities."""
    module = Parts()
    initialise(module, wanted.seed)
    for _ in fit(module, wanted.train, Recipe(iterations=wanted.iterations, rate=0.02), wanted.seed, _hinge):
        pass
    back = wanted.part.images[-_KEPT_BACK:]
    with torch.no_grad():
        module.stretch.copy_(fitting(module(from_levels(back)), wanted.part.classes[-_KEPT_BACK:]))
    return as_target("parts", module)


def even_lesson(iterations: int, images: int, seed: int) -> Lesson:
    """MNIST's training images at even positions, the others being the readers'; a part of them drawn by the seed."""
    train = load("mnist").train
    even = Split(train.images[::2], train.classes[::2])
    rows = Stream(seed, "why/part", 0).uniform(len(even)).argsort()[:images]
    return Lesson(even, Split(even.images[rows], even.classes[rows]), iterations, seed)


def bag_of_words() -> TorchTarget:
    """A target for any command: a bag of visual words, fitted to 4,000 training images of MNIST."""
    with with_threads(1):
        return bag(even_lesson(0, 4000, 0))


def deformable_parts() -> TorchTarget:
    """A target for any command: a model of parts, trained on 64,000 images of MNIST."""
    with with_threads(1):
        return parts(even_lesson(1000, 2000, 0))


def fitting(scores: Tensor, classes: Tensor) -> Tensor:
    """By what to multiply scores so that their softmax is the likeliest for images that were kept back."""
    losses = [nn.functional.cross_entropy(stretch * scores, classes) for stretch in _STRETCHES]
    return _STRETCHES[int(torch.stack(losses).argmin())]


def _hinge(module: nn.Module, images: Tensor, classes: Tensor, iteration: int) -> Tensor:
    del iteration
    return nn.functional.multi_margin_loss(module(images), classes)


def _words(patches: Tensor, seed: int) -> Tensor:
    found: Any = _sklearn("cluster").MiniBatchKMeans(_WORDS, random_state=seed, n_init=1, max_iter=10)
    return torch.from_numpy(found.fit(patches.numpy()).cluster_centers_).float().contiguous()


def _machine(rows: Tensor, classes: Tensor, seed: int) -> tuple[Tensor, Tensor]:
    machine: Any = _sklearn("svm").LinearSVC(random_state=seed, dual=False, C=0.1)
    machine.fit(rows.numpy(), classes.numpy())
    return torch.from_numpy(machine.coef_).float(), torch.from_numpy(machine.intercept_).float()


def _sklearn(module: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"sklearn.{module}")
    except ImportError as cause:
        raise TargetError(
            expected="the package scikit-learn", got=str(cause), where="bag of visual words",
            do="pip install 'trompe[sklearn]'",
        ) from cause  # fmt: skip
