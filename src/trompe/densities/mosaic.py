"""Many small images in one lossless picture: small on disk, and a person can look at what a density knows."""

import math
from pathlib import Path

import numpy
import torch
from PIL import Image

from trompe.core.errors import DataError
from trompe.core.specs import UNREADABLE
from trompe.core.types import Levels

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_SHAPE = "shape"


def fits(images: Levels) -> bool:
    """Whether one picture may hold them: of 1, 3 or 4 channels, and of no more pixels than PIL reads without a word."""
    n, channels, height, width = images.shape
    return channels in _MODES and 1.1 * n * height * width <= (Image.MAX_IMAGE_PIXELS or math.inf)


def write_mosaic(path: Path, images: Levels) -> None:
    """Store images that fit in one PNG, row by row; `read_mosaic` gives the same bytes back."""
    from PIL.PngImagePlugin import PngInfo

    n, channels, height, width = images.shape
    across = max(1, math.ceil(math.sqrt(n)))
    rows = math.ceil(n / across)
    field = torch.zeros(rows * across, channels, height, width, dtype=torch.uint8)
    field[:n] = images
    whole = field.view(rows, across, channels, height, width).permute(0, 3, 1, 4, 2)
    array = whole.reshape(rows * height, across * width, channels).contiguous().numpy()
    note = PngInfo()
    note.add_text(_SHAPE, " ".join(map(str, images.shape)))
    picture = Image.fromarray(array[:, :, 0] if channels == 1 else array, _MODES[channels])
    picture.save(path, format="PNG", pnginfo=note, optimize=True)


def read_mosaic(path: Path) -> Levels:
    """The images that `write_mosaic` stored.

    Raises:
        DataError: The file is missing, damaged, or no mosaic.
    """
    try:
        with Image.open(path) as picture:
            n, channels, height, width = map(int, picture.info[_SHAPE].split())
            array = numpy.array(picture)
        across = array.shape[1] // width
        field = torch.from_numpy(array).reshape(-1, height, across, width, channels).permute(0, 2, 4, 1, 3)
        return field.reshape(-1, channels, height, width)[:n].contiguous()
    except (*UNREADABLE, KeyError, RuntimeError, ZeroDivisionError) as cause:
        raise DataError(
            expected="a mosaic of images",
            got=f"{type(cause).__name__} ({cause})",
            where=str(path),
            do="Fit the readers again with `trompe train readers`.",
        ) from cause
