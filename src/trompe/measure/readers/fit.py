"""Fitting readers: prototypes from one part of the images, thresholds from another, numbers from a third."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from trompe.core.errors import DataError
from trompe.core.numerics import from_levels
from trompe.core.types import Images
from trompe.data import Split
from trompe.densities import KernelDensity, View
from trompe.densities.views import contrast, shrunk
from trompe.measure.readers.kernels import Kernels
from trompe.measure.readers.neighbours import Neighbours
from trompe.measure.readers.reader import Evidence, MachineReader, fit_rule
from trompe.measure.readers.rule import FAINTEST

PROTOTYPES = 12_000
"""Known images at most, of every class equally many as far as there are."""
_FEWEST = 10


@dataclass(frozen=True)
class Material:
    """Images to fit to: all are shrunk already.

    Attributes:
        known: To know.
        held: To fix thresholds on: every fifth image of each class.
        written: Whether they are of one channel, as writing is.
        seed: Of what is drawn.
        iterations: Of what is trained.
    """

    known: Split
    held: Split
    written: bool
    seed: int
    iterations: int


def material(split: Split, labels: tuple[str, ...], seed: int, iterations: int) -> Material:
    """Images parted into what is known and what is held out.

    Raises:
        DataError: A class has fewer than ten images.
    """
    counts = torch.bincount(split.classes, minlength=len(labels))
    if int(counts.min()) < _FEWEST:
        raise DataError(
            expected=f"at least {2 * _FEWEST} images of every class, half of which readers are fitted to",
            got=f"{int(counts.min())} in that half for {labels[int(counts.argmin())]!r}",
            where="images",
            do="Give more images of that class.",
        )
    held = torch.zeros(len(split), dtype=torch.bool)
    for c in range(len(labels)):
        held[(split.classes == c).nonzero().flatten()[4::5]] = True
    small = _small(split)
    known, kept = (Split(small.images[rows], small.classes[rows]) for rows in (~held, held))
    return Material(_at_most(known, PROTOTYPES // len(labels)), kept, split.images.shape[1] == 1, seed, iterations)


def fit_readers(
    split: Split, labels: tuple[str, ...], data: str, *, seed: int = 0, iterations: int = 10_000
) -> Iterator[MachineReader]:
    """Every kind of reader for these images, one after the other; thresholds are fixed here and never again.

    Args:
        split: The half of the images that is for readers.
        labels: One name a class.
        data: What the images are called, for example ``data:mnist-train-odd``.
        seed: Of what is drawn.
        iterations: Of what is trained.

    Raises:
        DataError: A class has too few images.
    """
    channels, height, width = split.images.shape[1:]
    given = material(split, labels, seed, iterations)
    images = from_levels(given.held.images)
    faintest = FAINTEST * float(contrast(images).median())
    for fitted in FITS:
        basis = fitted(given)
        rule = fit_rule(basis, images, given.held.classes, faintest)
        yield MachineReader(basis, rule, labels, (channels, height, width), data)


def _kernels(given: Material) -> Evidence:
    some = _at_most(given.held, 100)
    view = View(upright=given.written, tangents=given.written)
    return Kernels(KernelDensity.fit(given.known.images, given.known.classes, some.images, some.classes, view))


def _neighbours(given: Material) -> Evidence:
    return Neighbours.fit(given.known.images, given.known.classes, straighten=given.written)


FITS: tuple[Callable[[Material], Evidence], ...] = (_kernels, _neighbours)
"""How each kind of reader is fitted, in the order of `KINDS`."""


def _small(split: Split) -> Split:
    def one(part: Images) -> torch.Tensor:
        return (shrunk(part) * 255.0).round().to(torch.uint8)

    return Split(torch.cat([one(from_levels(part)) for part in split.images.split(1000)]), split.classes)


def _at_most(split: Split, each: int) -> Split:
    """The first so many of every class."""
    rows = torch.cat([(split.classes == c).nonzero().flatten()[:each] for c in split.classes.unique().tolist()])
    return Split(split.images[rows], split.classes[rows])
