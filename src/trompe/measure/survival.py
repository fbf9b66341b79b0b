"""What happens to an image on its way to a classifier: re-encoding, resizing, cropping, a shift; bytes to bytes."""

import io
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy
import torch
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from trompe.core.errors import BadInput
from trompe.core.types import Images, Levels

TRANSFORMS = ("jpeg95", "jpeg90", "jpeg75", "resize2x", "crop90", "shift1", "shift8")
"""What every kept image of an audit is put through, each by itself."""

_PATTERN = re.compile(r"(jpeg|resize|crop|shift)(\d{1,4})(x?)")
_RANGES = {"jpeg": (1, 100), "resize": (2, 8), "crop": (10, 100), "shift": (1, 9999)}


@dataclass(frozen=True)
class Transform:
    """One named change of 8-bit images that keeps their shape.

    Attributes:
        name: For example ``"jpeg75"``, or ``"crop90+jpeg75"`` for one after the other.
        parts: The kind and the number of each.

    Example:
        >>> parse_transform("crop90+jpeg75").parts
        (('crop', 90), ('jpeg', 75))
    """

    name: str
    parts: tuple[tuple[str, int], ...]

    def apply(self, levels: Levels) -> Levels:
        """The changed images: uint8, same shape; what was given is left as it was."""
        for kind, number in self.parts:
            levels = _KINDS[kind](levels, number)
        return levels

    def smooth(self, images: Images) -> Images:
        """Nearly the same on numbers, for a slope to go back through; JPEG and resizing there and back are left out.

        Rounding and quantising have no slope; taking them for the identity is the straight-through gradient.
        """
        for kind, number in self.parts:
            if kind == "crop":
                images = _crop_smooth(images, number)
            elif kind == "shift":
                images = shift(images, number)
        return images


def parse_transform(name: str) -> Transform:
    """The transform of that name.

    - ``jpegQ``: encoded as JPEG of quality Q (1 to 100) and decoded; of other than 1 or 3 channels, each as grey.
    - ``resizeFx``: F times as large (2 to 8) and back, bilinearly.
    - ``cropP``: enlarged bilinearly so that P per cent (10 to 100) of it fill its size, and the centre cut out.
    - ``shiftP``: P pixels to the right and down; the edge is repeated.
    - several joined by ``+``: one after the other.

    Raises:
        BadInput: No such name.
    """
    parts = tuple(_parse_part(part, name) for part in name.split("+"))
    return Transform(name, parts)


def parse_transforms(names: Iterable[str]) -> tuple[Transform, ...]:
    """The transforms of these names, each of which may be several with commas between them.

    Raises:
        BadInput: No such name, or one twice.
    """
    every = [name.strip() for text in names for name in text.split(",")]
    if len(set(every)) < len(every):
        raise BadInput(expected="each transform once", got=", ".join(every), where="transforms", do="Name it once.")
    return tuple(parse_transform(name) for name in every)


def _parse_part(part: str, name: str) -> tuple[str, int]:
    found = _PATTERN.fullmatch(part)
    if found and (found[3] == "x") == (found[1] == "resize"):
        kind, number = found[1], int(found[2])
        low, high = _RANGES[kind]
        if low <= number <= high:
            return kind, number
    raise BadInput(
        expected="names such as jpeg75, resize2x, crop90, shift8, or several joined by +",
        got=repr(name),
        where="transforms",
        do="jpeg takes a quality (1 to 100), resize a factor (2x to 8x), crop per cent (10 to 100), shift pixels.",
    )


def jpeg(levels: Levels, quality: int) -> Levels:
    """Encoded as JPEG and decoded again; colour loses half its resolution each way, as encoders do by default."""

    def through(picture: Image.Image) -> Image.Image:
        file = io.BytesIO()
        picture.save(file, format="JPEG", quality=quality)
        with Image.open(file) as decoded:
            decoded.load()
            return decoded

    return _each(levels, through)


def resize(levels: Levels, factor: int) -> Levels:
    """Enlarged bilinearly and brought back to its size bilinearly, every pixel weighed in."""
    return _each(
        levels,
        lambda picture: picture.resize((picture.width * factor, picture.height * factor), _BILINEAR).resize(
            picture.size, _BILINEAR
        ),
    )


def crop(levels: Levels, percent: int) -> Levels:
    """The central part, enlarged bilinearly to the whole size."""

    def centre(picture: Image.Image) -> Image.Image:
        height, width = _enlarged(picture.height, percent), _enlarged(picture.width, percent)
        left, top = (width - picture.width) // 2, (height - picture.height) // 2
        large = picture.resize((width, height), _BILINEAR)
        return large.crop((left, top, left + picture.width, top + picture.height))

    return _each(levels, centre)


def shift(values: Tensor, pixels: int) -> Tensor:
    """Moved to the right and down; the edge is repeated."""
    _, _, height, width = values.shape
    rows = (torch.arange(height) - pixels).clamp(min=0)
    columns = (torch.arange(width) - pixels).clamp(min=0)
    return values[:, :, rows][:, :, :, columns]


_BILINEAR = Image.Resampling.BILINEAR
_KINDS: dict[str, Callable[[Levels, int], Levels]] = {"jpeg": jpeg, "resize": resize, "crop": crop, "shift": shift}


def _enlarged(size: int, percent: int) -> int:
    """The size of which so many per cent are the given size, rounded; never below it."""
    return max(size, (200 * size + percent) // (2 * percent))


def _crop_smooth(images: Images, percent: int) -> Images:
    height, width = images.shape[2:]
    tall, wide = _enlarged(height, percent), _enlarged(width, percent)
    top, left = (tall - height) // 2, (wide - width) // 2
    large = interpolate(images, size=(tall, wide), mode="bilinear", align_corners=False)
    return large[:, :, top : top + height, left : left + width]


def _each(levels: Levels, change: Callable[[Image.Image], Image.Image]) -> Levels:
    """Every image as a picture, changed: three channels together as colour, any other number each as grey."""
    n, channels, height, width = levels.shape
    if channels == 3:
        rows = levels.permute(0, 2, 3, 1).contiguous().numpy()
        changed = _changed(list(rows), change)
        return changed.reshape(n, height, width, 3).permute(0, 3, 1, 2).contiguous()
    planes = levels.reshape(n * channels, height, width).numpy()
    return _changed(list(planes), change).reshape(n, channels, height, width)


def _changed(
    pictures: list["numpy.ndarray[Any, numpy.dtype[numpy.uint8]]"], change: Callable[[Image.Image], Image.Image]
) -> Tensor:
    if not pictures:
        return torch.empty(0, dtype=torch.uint8)
    return torch.from_numpy(numpy.stack([numpy.array(change(Image.fromarray(picture))) for picture in pictures]))
