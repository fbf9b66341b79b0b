"""Where a search that moves one image begins."""

from typing import Literal, get_args

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.seeds import Stream
from trompe.core.types import Encoding, G, Images, Paintable, Target

Start = Literal["uniform", "mean", "black", "grey", "low-frequency"]
STARTS: tuple[str, ...] = get_args(Start)
"""The portfolio: a network that is calm about one kind of nonsense is often certain about another."""

_NOISE = 1.0 / 255.0
_CELLS = 7

Image = Float32[Tensor, "channels height width"]


def centre_image(target: Target) -> Image:
    """The mean training image of a target in [0, 1], where it is known; an even grey otherwise."""
    mean: Tensor | None = getattr(target, "mean_image", None)
    return torch.full(target.spec.shape, 0.5) if mean is None else mean.to(torch.float32)


def begin(encoding: Encoding[G], target: Target, start: Start, n: int, stream: Stream) -> G:
    """Genomes to begin with.

    - ``uniform``: the encoding's own random genomes; of pixels, uniform noise.
    - ``mean``, ``black``, ``grey``: one image for all, plus Gaussian noise of one grey level, so that repeats differ.
    - ``low-frequency``: uniform noise on a 7 x 7 grid, drawn out to full size bilinearly.

    Differs from Nguyen 2015, whose start is the mean image with that noise, before clipping to the range of a pixel.

    Args:
        encoding: One that `Paintable` describes, but for ``uniform``.
        target: Its mean image and its inputs' shape are used.
        start: Which.
        n: How many.
        stream: Drawn from once.

    Raises:
        BadInput: The encoding cannot begin at a given image.
    """
    if start == "uniform":
        return encoding.random(n, stream)
    if not isinstance(encoding, Paintable):
        raise BadInput(
            expected=f"the start uniform, the only one for the encoding {encoding.name}",
            got=start,
            where="--start",
            do="Leave the start out, or choose the encoding pixels.",
        )
    painted: G = encoding.paint(start_images(start, centre_image(target), n, stream))
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
    if start == "low-frequency":
        cells = stream.branch("cells").uniform32(n, len(centre), _CELLS, _CELLS)
        drawn: Tensor = torch.nn.functional.interpolate(cells, size=centre.shape[1:], mode="bilinear")
        return drawn.clamp(0.0, 1.0)
    plain = {"mean": centre, "black": torch.zeros_like(centre), "grey": torch.full_like(centre, 0.5)}[start]
    uniform = stream.branch("noise").uniform(*shape).clamp_(min=2.0**-53)
    noise: Tensor = torch.special.ndtri(uniform)
    return (plain + _NOISE * noise).clamp(0.0, 1.0).to(torch.float32)
