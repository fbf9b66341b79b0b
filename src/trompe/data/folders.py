"""A folder of photographs: one folder a class, or all in one; every image brought to one size."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy
import torch
from jaxtyping import Int64
from PIL import Image, ImageOps
from torch import Tensor

from trompe.core.errors import DataError
from trompe.core.specs import UNREADABLE
from trompe.core.types import Levels

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff", ".gif", ".ppm", ".pgm")
UNKNOWN = -1

_MODES = {1: "L", 3: "RGB", 4: "RGBA"}
_SIXTEEN = 65535


@dataclass(frozen=True)
class Photographs:
    """Images from files, all of one shape.

    Attributes:
        images: Bytes, shape (n, channels, height, width).
        classes: Shape (n,), the place of each image's label among the labels; -1 where it is not known.
        files: Where each came from.
    """

    images: Levels
    classes: Int64[Tensor, " n"]
    files: tuple[Path, ...]

    def __len__(self) -> int:
        return len(self.files)

    @property
    def labelled(self) -> bool:
        """Whether every image's class is known."""
        return bool(len(self)) and bool((self.classes >= 0).all())


def read_photographs(
    folder: Path,
    labels: Sequence[str],
    shape: tuple[int, ...],
    *,
    fit: Literal["stretch", "centre"] = "centre",
    limit: int | None = None,
) -> Photographs:
    """Every image in a folder, in order of its path.

    With folders in it that are named after labels (or numbered by their place), each image has the class of its folder;
    without any folder in it, no class is known.

    Args:
        folder: Where they are.
        labels: Of the target.
        shape: Channels, height, width to bring them to; 1, 3 or 4 channels.
        fit: Whether an image is stretched, or scaled and cropped at the centre.
        limit: Images at most, spread evenly over the folder's.

    Raises:
        DataError: There is no image, an image cannot be read, or a folder's name is no label.
    """
    found = image_files(folder, labels)
    if not found:
        raise DataError(
            expected=f"images ({', '.join(ENDINGS[:4])}, ...), or one folder of them for each label",
            got="none",
            where=f"--images {folder}",
            do="Name a folder of photographs.",
        )
    if shape[0] not in _MODES:
        raise DataError(
            expected="a target of 1, 3 or 4 channels",
            got=f"{shape[0]}",
            where=f"--images {folder}",
            do="Photographs cannot be read for this target: leave them out.",
        )
    if limit is not None and len(found) > limit:
        found = [found[i * len(found) // limit] for i in range(limit)]
    images = torch.stack([_read(path, shape, fit) for path, _ in found])
    return Photographs(images, torch.tensor([column for _, column in found]), tuple(path for path, _ in found))


def image_files(folder: Path, labels: Sequence[str]) -> list[tuple[Path, int]]:
    """Every image file in a folder, in order of its path, and the place of its label; -1 where it is not known.

    Raises:
        DataError: The folder cannot be read, or a folder's name in it is no label.
    """
    parts = listed(folder, "--images", "Name a folder of photographs.")
    inner = [part for part in parts if part.is_dir() and not part.name.startswith(".")]
    if not inner:
        return [(part, UNKNOWN) for part in parts if _is_image(part, folder)]
    return [
        (path, _column(part, labels)) for part in inner for path in sorted(part.rglob("*")) if _is_image(path, folder)
    ]


def _is_image(path: Path, folder: Path) -> bool:
    """By its name: what is hidden (previews, what an archive of another system leaves) is none."""
    hidden = any(part.startswith(".") for part in path.relative_to(folder).parts)
    return path.suffix.lower() in ENDINGS and not hidden and path.is_file()


def listed(folder: Path, option: str, do: str) -> list[Path]:
    """What is in a folder, in order.

    Raises:
        DataError: It cannot be read; the option that named it and what to do are told.
    """
    try:
        return sorted(folder.iterdir())
    except OSError as cause:
        raise DataError(
            expected="a folder that can be read",
            got=cause.strerror or str(cause),
            where=f"{option} {folder}",
            do=do,
        ) from cause


def _column(folder: Path, labels: Sequence[str]) -> int:
    name = folder.name.casefold()
    plain = [label.casefold() for label in labels]
    for known in (plain, [label.replace(" ", "_") for label in plain], [label.replace("/", "-") for label in plain]):
        if known.count(name) == 1:
            return known.index(name)
    if name.isdecimal() and int(name) < len(labels):
        return int(name)
    raise DataError(
        expected="folders named after the target's labels, or numbered by their place",
        got=repr(folder.name),
        where=f"--images {folder.parent}",
        do="Rename the folder; `trompe inspect TARGET` lists the labels.",
    )


def _read(path: Path, shape: tuple[int, ...], fit: str) -> Tensor:
    channels, height, width = shape
    try:
        with Image.open(path) as opened:
            image = _eight_bits(ImageOps.exif_transpose(opened), path).convert(_MODES[channels])
    except DataError:
        raise
    except UNREADABLE as cause:
        raise DataError(
            expected="an image that can be read",
            got=f"{type(cause).__name__} ({cause})",
            where=str(path),
            do="Remove or repair the file.",
        ) from cause
    if image.size != (width, height):
        method = Image.Resampling.BICUBIC
        stretched = fit == "stretch"
        image = image.resize((width, height), method) if stretched else ImageOps.fit(image, (width, height), method)
    array = numpy.array(image)
    return torch.from_numpy(array).reshape(height, width, channels).permute(2, 0, 1).contiguous()


def _eight_bits(image: Image.Image, path: Path) -> Image.Image:
    """The image with bytes for levels: of 16 bits the nearest of 256, where Pillow would make most of it white.

    Raises:
        DataError: Its range is not known: numbers with a point, or whole ones beyond 16 bits.
    """
    if not image.mode.startswith(("I", "F")):
        return image
    levels = numpy.asarray(image)
    if image.mode == "F" or levels.min() < 0 or levels.max() > _SIXTEEN:
        raise DataError(
            expected="an image of 8 or 16 bits a channel",
            got=f"numbers from {levels.min():g} to {levels.max():g}",
            where=str(path),
            do="Store it with 8 or 16 bits.",
        )
    return Image.fromarray((levels / (_SIXTEEN / 255.0) + 0.5).astype(numpy.uint8))
