"""Fitting readers: prototypes from one part of the images, thresholds from another, numbers from a third."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch

from trompe.core.errors import DataError
from trompe.core.numerics import from_levels
from trompe.core.types import Images
from trompe.data import Split
from trompe.densities import Autoencoders, Build, KernelDensity, View
from trompe.densities.views import contrast, shrunk
from trompe.measure.readers.dense import Coders, Kernels
from trompe.measure.readers.neighbours import Neighbours
from trompe.measure.readers.parts import Parts
from trompe.measure.readers.reader import Evidence, MachineReader, fit_rule
from trompe.measure.readers.rule import FAINTEST
from trompe.measure.readers.spoil import NOISE, noise

_WRITTEN, _OTHER = 20_000, 6_000
"""Known images at most, of writing and of others, which are harder to pack; equally many of every class."""
_FEWEST = 10
_OF_NOISE, _APART = 200, 1_000_003
"""Images of each kind of noise that thresholds are fixed on, and how far their seed is from that of the measuring."""


@dataclass(frozen=True)
class Material:
    """Images to fit to: all are shrunk already.

    Attributes:
        known: To know.
        held: To fix thresholds on: every fifth image of each class.
        written: Whether taking the slant out makes them easier to tell apart, as it does with writing.
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
    written = _is_written(known, kept)
    return Material(_at_most(known, (_WRITTEN if written else _OTHER) // len(labels)), kept, written, seed, iterations)


def fit_readers(
    given: Material, shape: tuple[int, int, int], labels: tuple[str, ...], data: str
) -> Iterator[MachineReader]:
    """Every kind of reader for these images, one after the other; thresholds are fixed here and never again.

    Args:
        given: What to fit to; see `material`.
        shape: Of the images before they were shrunk.
        labels: One name a class.
        data: What the images are called, for example ``data:mnist-train-odd``.
    """
    images = from_levels(given.held.images)
    faintest = FAINTEST * float(contrast(images).median())
    channels, height, width = images.shape[1:]
    empty = torch.cat([noise(kind, _OF_NOISE, (channels, height, width), given.seed + _APART) for kind in NOISE])
    for fitted in FITS:
        basis = fitted(given)
        rule = fit_rule(basis, images, given.held.classes, faintest, empty)
        yield MachineReader(basis, rule, labels, shape, data)


def _kernels(given: Material) -> Evidence:
    some = _at_most(given.held, 100)
    view = View(upright=given.written, tangents=given.written)
    return Kernels(KernelDensity.fit(given.known, some, view))


def _neighbours(given: Material) -> Evidence:
    return Neighbours.fit(given.known.images, given.known.classes, straighten=given.written)


def _coders(given: Material) -> Evidence:
    build = Build(upright=given.written)
    return Coders(Autoencoders.fit(given.known.images, given.known.classes, build, given.iterations, given.seed))


def _parts(given: Material) -> Evidence:
    return Parts.fit(given.known.images, given.known.classes, given.iterations, given.seed)


FITS: tuple[Callable[[Material], Evidence], ...] = (_kernels, _coders, _neighbours, _parts)
"""How each kind of reader is fitted, in the order of `KINDS`."""


def _is_written(known: Split, held: Split) -> bool:
    """Whether the nearest of a few known images is more often of the right class once the slant is taken out."""
    if known.images.shape[1] != 1:
        return False
    few, asked = _at_most(known, 200), _at_most(held, 50)
    right = []
    for straighten in (False, True):
        with torch.no_grad():
            near, _ = Neighbours.fit(few.images, few.classes, straighten=straighten).evidence(from_levels(asked.images))
        right.append(int((near.argmax(1) == asked.classes).sum()))
    return right[1] > right[0]


def _small(split: Split) -> Split:
    def one(part: Images) -> torch.Tensor:
        return (shrunk(part) * 255.0).round().to(torch.uint8)

    return Split(torch.cat([one(from_levels(part)) for part in split.images.split(1000)]), split.classes)


def _at_most(split: Split, each: int) -> Split:
    """The first so many of every class."""
    rows = torch.cat([(split.classes == c).nonzero().flatten()[:each] for c in split.classes.unique().tolist()])
    return Split(split.images[rows], split.classes[rows])
