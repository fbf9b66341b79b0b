"""Gaussians as classifiers: naive Bayes, and linear and quadratic discriminants with a density over all pixels."""

import math
from typing import Any

import numpy
import torch
from jaxtyping import Float64
from torch import Tensor, nn

from trompe.core.errors import TargetError
from trompe.core.numerics import from_levels
from trompe.core.types import Images
from trompe.data import Split

PIXELS = 784
KEPT = 64
"""Principal components that a `Reduced` density looks at closely."""
_SMOOTHED = 0.1
_SHRUNK = 0.01


class Diagonal(nn.Module):
    """Naive Bayes: every pixel a Gaussian of its own in every class, independent of the others.

    Args:
        classes: How many.

    Reference: Duda 1973.
    """

    centres: Tensor
    variances: Tensor
    prior: Tensor
    mean: Tensor

    def __init__(self, classes: int = 10) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(classes, PIXELS))
        self.register_buffer("variances", torch.ones(classes, PIXELS))
        self.register_buffer("prior", torch.zeros(classes))
        self.register_buffer("mean", torch.zeros(1, 28, 28))

    def forward(self, images: Images) -> Float64[Tensor, "n classes"]:
        """Log p(x, c) in nats."""
        rows, spread = images.flatten(1).double(), self.variances.double()
        off = (rows.unsqueeze(1) - self.centres.double()).square()
        volume = (2.0 * math.pi * spread).log().sum(1)
        joint: Float64[Tensor, "n classes"] = self.prior.double() - 0.5 * ((off / spread).sum(2) + volume)
        return joint


class Bells(nn.Module):
    """A Gaussian for every class in a few dimensions.

    Args:
        classes: How many.
        numbers: Dimensions.
    """

    centres: Tensor
    whiten: Tensor
    volume: Tensor

    def __init__(self, classes: int, numbers: int) -> None:
        super().__init__()
        self.register_buffer("centres", torch.zeros(classes, numbers))
        self.register_buffer("whiten", torch.eye(numbers).repeat(classes, 1, 1))
        self.register_buffer("volume", torch.zeros(classes))

    def forward(self, numbers: Float64[Tensor, "n numbers"]) -> Float64[Tensor, "n classes"]:
        """Log p(z | c) in nats."""
        off = (numbers.unsqueeze(1) - self.centres.double()).unsqueeze(3)
        even = (self.whiten.double() @ off).squeeze(3)
        half = 0.5 * numbers.shape[1] * math.log(2.0 * math.pi)
        told: Float64[Tensor, "n classes"] = -0.5 * even.square().sum(2) - 0.5 * self.volume.double() - half
        return told


class Reduced(nn.Module):
    """A density of every class in the principal components, and the same Gaussian noise in all of them beside those.

    So log p(x, c) is a density over all pixels, and what the classes differ in is the components alone.

    Args:
        head: From components to log p(z | c) in nats.
        classes: How many.

    Reference: Tipping 1999.
    """

    mean: Tensor
    basis: Tensor
    residual: Tensor
    prior: Tensor

    def __init__(self, head: nn.Module, classes: int) -> None:
        super().__init__()
        self.head = head
        self.register_buffer("mean", torch.zeros(1, 28, 28))
        self.register_buffer("basis", torch.eye(KEPT, PIXELS))
        self.register_buffer("residual", torch.ones(()))
        self.register_buffer("prior", torch.zeros(classes))

    def components(self, images: Images) -> tuple[Float64[Tensor, "n kept"], Float64[Tensor, " n"]]:
        """The principal components of images, and the squared length of what is left beside them."""
        off = (images.double() - self.mean.double() / 255.0).flatten(1)
        numbers = _apart(off, self.basis.double().T)
        left = (off - _apart(numbers, self.basis.double())).square().sum(1)
        return numbers, left

    def forward(self, images: Images) -> Float64[Tensor, "n classes"]:
        """Log p(x, c) in nats."""
        numbers, left = self.components(images)
        spread = self.residual.double()
        beside = -0.5 * (left / spread + (PIXELS - KEPT) * (2.0 * math.pi * spread).log())
        joint: Float64[Tensor, "n classes"] = self.head(numbers) + self.prior.double() + beside.unsqueeze(1)
        return joint


def _apart(rows: Tensor, matrix: Tensor) -> Tensor:
    """Each row times a matrix, by itself: in one product the last bits of a row depend on its place among the rows."""
    return torch.bmm(rows.unsqueeze(1), matrix.unsqueeze(0).expand(len(rows), -1, -1)).squeeze(1)


def empty_gaussians(classes: int) -> Reduced:
    """Unfitted linear or quadratic discriminants."""
    return Reduced(Bells(classes, KEPT), classes)


def fit_naive_bayes(data: Split, iterations: int, seed: int) -> Diagonal:
    """scikit-learn's GaussianNB, with a tenth of the largest variance added to all; nothing in it is drawn."""
    del iterations, seed
    rows, classes = _arrays(data)
    fitted = _sklearn("naive_bayes").GaussianNB(var_smoothing=_SMOOTHED).fit(rows, classes)
    module = Diagonal(len(fitted.classes_))
    _fill(module.centres, fitted.theta_)
    _fill(module.variances, fitted.var_)
    _fill(module.prior, numpy.log(fitted.class_prior_))
    return module


def fit_linear_discriminant(data: Split, iterations: int, seed: int) -> Reduced:
    """scikit-learn's LinearDiscriminantAnalysis (all classes share a covariance) on 64 principal components."""
    del iterations, seed
    module = empty_gaussians(int(data.classes.max()) + 1)
    numbers, classes = reduce(module, data)
    analysis = _sklearn("discriminant_analysis").LinearDiscriminantAnalysis(solver="lsqr")
    fitted = analysis.fit(numbers, classes)
    values, axes = numpy.linalg.eigh(fitted.covariance_)
    _fill(module.prior, numpy.log(fitted.priors_))
    head: Any = module.head
    _fill(head.centres, fitted.means_)
    _fill(head.whiten, numpy.broadcast_to((axes / numpy.sqrt(values)).T, tuple(head.whiten.shape)))
    _fill(head.volume, numpy.full(len(fitted.priors_), numpy.log(values).sum()))
    return module


def fit_quadratic_discriminant(data: Split, iterations: int, seed: int) -> Reduced:
    """scikit-learn's QuadraticDiscriminantAnalysis (a covariance for every class) on 64 principal components."""
    del iterations, seed
    module = empty_gaussians(int(data.classes.max()) + 1)
    numbers, classes = reduce(module, data)
    fitted = _sklearn("discriminant_analysis").QuadraticDiscriminantAnalysis(reg_param=_SHRUNK).fit(numbers, classes)
    _fill(module.prior, numpy.log(fitted.priors_))
    head: Any = module.head
    _fill(head.centres, fitted.means_)
    pairs = zip(fitted.rotations_, fitted.scalings_, strict=True)
    _fill(head.whiten, numpy.stack([(axes / numpy.sqrt(values)).T for axes, values in pairs]))
    _fill(head.volume, numpy.stack([numpy.log(values).sum() for values in fitted.scalings_]))
    return module


def reduce(module: Reduced, data: Split) -> tuple[Any, Any]:
    """Fit the components and the noise beside them (scikit-learn's PCA).

    Returns:
        The components of the data, shape (n, 64), float64, and the classes, as arrays.
    """
    rows, classes = _arrays(data)
    fitted = _sklearn("decomposition").PCA(KEPT, svd_solver="covariance_eigh").fit(rows)
    module.mean.copy_(mean_image(data))
    _fill(module.basis, fitted.components_)
    _fill(module.residual, fitted.noise_variance_)
    return module.components(from_levels(data.images))[0].numpy(), classes


def mean_image(data: Split) -> Tensor:
    """The mean image in 0 .. 255, float64."""
    return data.images.to(torch.float64).mean(0)


def priors(data: Split) -> Tensor:
    """Logarithm of the share of every class."""
    return (torch.bincount(data.classes).double() / len(data)).log().float()


def _arrays(data: Split) -> tuple[Any, Any]:
    return from_levels(data.images).flatten(1).double().numpy(), data.classes.numpy()


def _fill(buffer: Tensor, values: Any) -> None:
    buffer.copy_(torch.from_numpy(numpy.array(values, dtype=numpy.float32)))


def _sklearn(part: str) -> Any:
    from importlib import import_module

    try:
        return import_module(f"sklearn.{part}")
    except ImportError as cause:
        raise TargetError(
            expected="the package scikit-learn, which fits this classifier", got=str(cause), where="fit",
            do="pip install 'trompe[sklearn]'",
        ) from cause  # fmt: skip
