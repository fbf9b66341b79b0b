"""Thirteen families of classifier, each trained here on MNIST: small, plain, and good enough to be asked."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from trompe.core.numerics import from_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Levels, Target
from trompe.data import Split, load
from trompe.densities import Autoencoders, Build
from trompe.search.judge import with_threads
from trompe.targets import Declaration, TorchTarget
from trompe.targets.architectures import ARCHITECTURES, Centred, initialise
from trompe.targets.generative import Kernels
from trompe.targets.generative.kernels import nearest
from trompe.targets.sklearn import from_estimator
from trompe.targets.training import Recipe, fit

LABELS = tuple("0123456789")
_SPEC = ImageSpec(1, 28, 28)
_CENTRES = 300
_WIDTH = 1.5
"""Of a kernel, in units of the distance of a training image to its nearest neighbour, in the median."""


@dataclass(frozen=True)
class Lesson:
    """What a family is trained on, and how long.

    Attributes:
        train: For networks.
        part: The first of these, for families whose cost goes with the number of images.
        iterations: Batches of 64 images, for networks.
        seed: Of weights and orders.
    """

    train: Split
    part: Split
    iterations: int
    seed: int


def lesson(iterations: int, images: int, seed: int) -> Lesson:
    """MNIST's training images for one seed: so many in a part that no other seed has."""
    train = load("mnist").train
    rows = slice(seed * images, (seed + 1) * images)
    return Lesson(train, Split(train.images[rows], train.classes[rows]), iterations, seed)


class Residual(nn.Module):
    """Convolutions with two residual blocks, no normalisation."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(1, 16, 5, stride=2, padding=2)
        self.blocks = nn.ModuleList(
            nn.Sequential(nn.Conv2d(16, 16, 3, padding=1), nn.ReLU(), nn.Conv2d(16, 16, 3, padding=1)) for _ in range(2)
        )
        self.last = nn.Linear(16 * 49, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        values = self.first(images)
        for block in self.blocks:
            values = nn.functional.relu(values + block(values))
        logits: Tensor = self.last(nn.functional.max_pool2d(values, 2).flatten(1))
        return logits


class Transformer(nn.Module):
    """Attention over sixteen patches of 7x7 pixels, two layers of 64 values."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.place = nn.Linear(49, 64), nn.Parameter(torch.zeros(16, 64))
        self.attend = nn.ModuleList(nn.MultiheadAttention(64, 4, batch_first=True) for _ in range(2))
        self.think = nn.ModuleList(nn.Sequential(nn.Linear(64, 128), nn.ReLU(), nn.Linear(128, 64)) for _ in range(2))
        self.norm = nn.LayerNorm(64, elementwise_affine=False)
        self.last = nn.Linear(64, 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        patches = images.unfold(2, 7, 7).unfold(3, 7, 7).reshape(len(images), 16, 49)
        values = self.embed(patches) + self.place
        for attend, think in zip(self.attend, self.think, strict=True):
            known = self.norm(values)
            values = values + attend(known, known, known, need_weights=False)[0]
            values = values + think(self.norm(values))
        logits: Tensor = self.last(self.norm(values).mean(1))
        return logits


class Radial(nn.Module):
    """Gaussians of the distance to training images, and a linear layer: confidence has to fall far away from all."""

    centres: Tensor

    def __init__(self, images: Levels) -> None:
        super().__init__()
        self.register_buffer("centres", from_levels(images).flatten(1))
        self.width = _WIDTH * nearest(self.centres)
        self.last = nn.Linear(len(self.centres), 10)

    def forward(self, images: Tensor) -> Tensor:
        """Logits."""
        gap = torch.cdist(images.flatten(1), self.centres) / self.width
        logits: Tensor = self.last(torch.exp(-0.5 * gap.square()))
        return logits


def kernels(part: Split) -> Kernels:
    """Wide kernels around all images of a part."""
    return Kernels(part, _WIDTH * nearest(from_levels(part.images).flatten(1)))


class Coders(nn.Module):
    """A variational autoencoder of every class, and Bayes' rule; its logits are scores for log-densities.

    Args:
        part: Images and classes; every class must occur.
        iterations: Of the training, batches of 64 images of each class.
        seed: Of weights and batches.
    """

    def __init__(self, part: Split, iterations: int, seed: int) -> None:
        super().__init__()
        self.density = Autoencoders.fit(part.images, part.classes, Build(), iterations, seed)
        for name, value in self.density.weights.items():  # which make it the model that it is
            self.register_buffer(name, value)

    def forward(self, images: Tensor) -> Tensor:
        """Scores for the log-densities of the classes."""
        return self.density.log_density(images)


def network(name: str, build: Callable[[Lesson], nn.Module], wanted: Lesson, *, centred: bool = True) -> TorchTarget:
    """A network trained by the plain recipe, behind the paper's preprocessing or on pixels in [0, 1].

    Its images are of the shape of those that it is trained on.
    """
    with torch.random.fork_rng(devices=[]):  # builders draw weights that are overwritten below
        net = build(wanted)
    initialise(net, wanted.seed)
    mean = wanted.train.images.to(torch.float64).mean(0)
    module = Centred(net, mean) if centred else net
    recipe = Recipe(iterations=wanted.iterations, rate=0.01 if centred else 0.1)
    for _ in fit(module, wanted.train, recipe, wanted.seed):
        pass
    return as_target(name, module, ImageSpec(*wanted.train.images.shape[1:]))


def as_target(name: str, module: nn.Module, spec: ImageSpec = _SPEC) -> TorchTarget:
    """A module on MNIST's images, or on others of the same ten digits, as a target."""
    return TorchTarget(name, module.eval().requires_grad_(requires_grad=False), spec, LABELS)


def _estimator(name: str, make: Callable[[int], Any], wanted: Lesson) -> Target:
    rows = from_levels(wanted.part.images).flatten(1).numpy()
    fitted = make(wanted.seed).fit(rows, wanted.part.classes.numpy())
    return replace(from_estimator(name, fitted, Declaration(labels=LABELS)), name=name)


def _machine(seed: int) -> Any:
    from sklearn.calibration import CalibratedClassifierCV
    from sklearn.svm import SVC

    return CalibratedClassifierCV(SVC(random_state=seed), ensemble=False, cv=3)


def _neighbours(seed: int) -> Any:
    from sklearn.neighbors import KNeighborsClassifier

    del seed
    return KNeighborsClassifier(5, weights="distance")


def _forest(seed: int) -> Any:
    from sklearn.ensemble import RandomForestClassifier

    return RandomForestClassifier(100, random_state=seed)


def _boosting(seed: int) -> Any:
    from sklearn.ensemble import HistGradientBoostingClassifier

    return HistGradientBoostingClassifier(max_iter=30, random_state=seed)


def _bayes(seed: int) -> Any:
    from sklearn.naive_bayes import GaussianNB

    del seed
    return GaussianNB(var_smoothing=0.1)


NETWORKS: Mapping[str, Callable[[Lesson], Target]] = {
    "mlp": lambda wanted: network("mlp", lambda _: ARCHITECTURES["mlp"](), wanted),
    "lenet": lambda wanted: network("lenet", lambda _: ARCHITECTURES["lenet"](), wanted),
    "residual": lambda wanted: network("residual", lambda _: Residual(), wanted),
    "transformer": lambda wanted: network("transformer", lambda _: Transformer(), wanted),
}
"""Deep networks, which the paper is about."""

OTHERS: Mapping[str, Callable[[Lesson], Target]] = {
    "linear": lambda wanted: network("linear", lambda _: ARCHITECTURES["softmax"](), wanted),
    "radial basis": lambda wanted: network(
        "radial basis", lambda own: Radial(own.part.images[:_CENTRES]), wanted, centred=False
    ),
    "support vectors": lambda wanted: _estimator("support vectors", _machine, wanted),
    "nearest neighbours": lambda wanted: _estimator("nearest neighbours", _neighbours, wanted),
    "forest": lambda wanted: _estimator("forest", _forest, wanted),
    "boosting": lambda wanted: _estimator("boosting", _boosting, wanted),
    "naive Bayes": lambda wanted: _estimator("naive Bayes", _bayes, wanted),
    "kernel Bayes": lambda wanted: as_target("kernel Bayes", kernels(wanted.part)),
    "autoencoder Bayes": lambda wanted: as_target(
        "autoencoder Bayes", Coders(wanted.part, max(1, wanted.iterations // 5), wanted.seed)
    ),
}
"""Families that are no deep networks."""

FAMILIES: Mapping[str, Callable[[Lesson], Target]] = {**NETWORKS, **OTHERS}


def made(name: str, wanted: Lesson) -> Target:
    """A classifier of that family, trained; the same for the same lesson."""
    with with_threads(1):
        return FAMILIES[name](wanted)


def error(target: Target, images: int) -> float:
    """Share of the first so many test images that it names wrongly."""
    test = load("mnist").test
    shown: Images = from_levels(test.images[:images])
    with torch.inference_mode(), with_threads(1):
        named = torch.cat([target.judge(part).logits.argmax(1) for part in shown.split(100)])
    return float((named != test.classes[:images]).double().mean())
