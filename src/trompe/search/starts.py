"""Where a search that moves one image begins."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Literal, get_args

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Encoding, G, Images, Levels, Paintable, Rows, Target

Start = Literal[
    "uniform", "mean", "black", "grey", "low-frequency", "near-black", "salt", "blocks",
    "class-mean", "other-class", "transferred",
]  # fmt: skip
MATERIAL_STARTS: tuple[str, ...] = ("class-mean", "other-class", "transferred")
"""Starts that are made of images, one kind for each class; see `Material`."""
STARTS: tuple[str, ...] = tuple(start for start in get_args(Start) if start not in MATERIAL_STARTS)
"""Starts that need nothing: a network that is calm about one kind of nonsense is often certain about another."""

NATURAL_STARTS: tuple[str, ...] = ("other-class",)
"""Starts that are whole natural images: a candidate then bids only for the class it was made for, or a real image of
another class would take that class and end the search for it."""

_NOISE = 1.0 / 255.0
_CELLS = 7
_NEARLY = 10.0 / 255.0
_SALT = 0.05
_BLOCKS = 6
_FAINT = 0.3

Image = Float32[Tensor, "channels height width"]


@dataclass(frozen=True, eq=False)
class Material:
    """Images that starts are made of, each with a class of the target's.

    Attributes:
        natural: Bytes of natural images; may be none.
        classes: Int64, the output of the target that each is of.
        transferred: Bytes of images that an undefended network was certain of; may be none.
        certain: Int64, the output that each of those was made for.
    """

    natural: Levels
    classes: Rows
    transferred: Levels
    certain: Rows

    def pool(self, start: str, column: int) -> Images:
        """The images that a start for this class is made of; empty where there are none."""
        if start == "transferred":
            return from_levels(self.transferred[self.certain == column])
        own = self.classes == column
        return from_levels(self.natural[own if start == "class-mean" else ~own])

    def fingerprint(self) -> str:
        """sha256 over every image and class."""
        digest = sha256()
        for part in (self.natural, self.classes, self.transferred, self.certain):
            digest.update(f"{tuple(part.shape)}".encode() + part.contiguous().numpy().tobytes())
        return digest.hexdigest()


def centre_image(target: Target) -> Image:
    """The mean training image of a target in [0, 1], where it is known; an even grey otherwise."""
    mean: Tensor | None = getattr(target, "mean_image", None)
    return torch.full(target.spec.shape, 0.5) if mean is None else mean.to(torch.float32)


def begin(  # noqa: PLR0913  one for each thing a start depends on
    encoding: Encoding[G], target: Target, start: Start, columns: Rows, stream: Stream, material: Material | None = None
) -> G:
    """Genomes to begin with, one for each of the given classes.

    - ``uniform``: the encoding's own random genomes; of pixels, uniform noise.
    - ``mean``, ``black``, ``grey``: one image for all, plus Gaussian noise of one grey level, so that repeats differ.
    - ``low-frequency``: uniform noise on a 7 x 7 grid, drawn out to full size bilinearly.
    - ``near-black``: uniform noise of at most 10 grey levels: faint scribbles look likely to a density.
    - ``salt``: black, with each pixel white with a chance of 5 %.
    - ``blocks``: black, with six rectangles of one colour each.
    - ``class-mean``: the mean of natural images of the class, at 0.3 of its brightness, plus the same noise.
    - ``other-class``: a natural image of another class.
    - ``transferred``: an image that an undefended network was certain of, made for the same class.

    Differs from Nguyen 2015, whose start is the mean image with that noise, before clipping to the range of a pixel.

    Args:
        encoding: One that `Paintable` describes, but for ``uniform``.
        target: Its mean image and its inputs' shape are used.
        start: Which.
        columns: Int64, the output of the target that each genome is for.
        stream: Drawn from once.
        material: What the last three are made of.

    Raises:
        BadInput: The encoding cannot begin at a given image, or there are no images to begin with.
    """
    if start == "uniform":
        return encoding.random(len(columns), stream)
    if not isinstance(encoding, Paintable):
        raise BadInput(
            expected=f"the start uniform, the only one for the encoding {encoding.name}",
            got=start,
            where="--start",
            do="Leave the start out, or choose the encoding pixels.",
        )
    if start in MATERIAL_STARTS:
        images = material_images(start, material, columns, stream)
    else:
        images = start_images(start, centre_image(target), len(columns), stream)
    painted: G = encoding.paint(images)
    return painted


def start_images(start: Start, centre: Image, n: int, stream: Stream) -> Images:
    """Images to begin with, in [0, 1], not yet rounded; see `begin`.

    Args:
        start: Any of `STARTS`.
        centre: The mean image; its shape is the images'.
        n: How many.
        stream: Drawn from once.
    """
    shape = (n, *centre.shape)
    if start == "uniform":
        return stream.branch("uniform").uniform32(*shape)
    if start == "near-black":
        return _NEARLY * stream.branch("near-black").uniform32(*shape)
    if start == "salt":
        white = stream.branch("salt").uniform32(n, 1, *centre.shape[1:]) < _SALT
        return white.to(torch.float32).expand(shape).clone()
    if start == "blocks":
        return _blocks(n, centre, stream)
    if start == "low-frequency":
        cells = stream.branch("cells").uniform32(n, len(centre), _CELLS, _CELLS)
        drawn: Tensor = torch.nn.functional.interpolate(cells, size=centre.shape[1:], mode="bilinear")
        return drawn.clamp(0.0, 1.0)
    plain = {"mean": centre, "black": torch.zeros_like(centre), "grey": torch.full_like(centre, 0.5)}[start]
    return _noisy(plain.expand(shape), stream)


def material_images(start: str, material: Material | None, columns: Rows, stream: Stream) -> Images:
    """Images to begin with that are made of others, in [0, 1], not yet rounded; see `begin`.

    Args:
        start: Any of `MATERIAL_STARTS`.
        material: Where they come from.
        columns: Int64, shape (n,), the class of each.
        stream: Drawn from once.

    Raises:
        BadInput: There are none for some class.
    """
    pools = [material.pool(start, int(column)) if material else torch.empty(0) for column in columns]
    bare = [int(column) for column, pool in zip(columns, pools, strict=True) if not len(pool)]
    if bare:
        convinced = "images that convinced an undefended network"
        raise BadInput(
            expected=convinced if start == "transferred" else "natural images with their classes",
            got=f"none for output {bare[0]}",
            where=f"--start {start}",
            do="Choose another start, or a target that comes with samples.",
        )
    if start == "class-mean":
        return _noisy(_FAINT * torch.stack([pool.mean(0) for pool in pools]), stream)
    drawn = stream.branch("drawn").uniform(len(pools))
    return torch.stack([pool[int(share * len(pool))] for share, pool in zip(drawn.tolist(), pools, strict=True)])


def _noisy(images: Tensor, stream: Stream) -> Images:
    uniform = stream.branch("noise").uniform(*images.shape).clamp_(min=2.0**-53)
    noise: Tensor = torch.special.ndtri(uniform)
    return (images + _NOISE * noise).clamp(0.0, 1.0).to(torch.float32)


def _blocks(n: int, centre: Image, stream: Stream) -> Images:
    """Later rectangles over earlier ones; sides from a tenth to a half of the image's."""
    channels, height, width = centre.shape
    images = torch.zeros(n, channels, height, width)
    colour = stream.branch("colour").uniform32(_BLOCKS, n, channels, 1, 1)
    for i in range(_BLOCKS):
        rows = _span(height, n, stream.branch(f"rows-{i}"))
        columns = _span(width, n, stream.branch(f"columns-{i}"))
        images = torch.where((rows[:, :, None] & columns[:, None])[:, None], colour[i], images)
    return images


def _span(size: int, n: int, stream: Stream) -> Tensor:
    """Shape (n, size): which places lie within a span of a random length at a random place."""
    length = (size * (0.1 + 0.4 * stream.branch("length").uniform(n))).ceil().clamp(min=1.0)
    first = (stream.branch("first").uniform(n) * (size - length + 1.0)).floor()
    place = torch.arange(size)
    return (place >= first[:, None]) & (place < (first + length)[:, None])
