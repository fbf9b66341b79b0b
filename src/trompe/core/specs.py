"""Kinds of input: how one is written to a file that people can open, and read back bit for bit."""

import io
import struct
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image, PngImagePlugin, UnidentifiedImageError
from torch import Tensor

from trompe.core.errors import BadInput, RunError

UNREADABLE = (OSError, UnidentifiedImageError, SyntaxError, ValueError, Image.DecompressionBombError, struct.error)
"""What Pillow raises of a file that is missing, damaged, no image, or far too large."""


@dataclass(frozen=True)
class ImageSpec:
    """Images of one size: greyscale (1 channel), colour (3, red green blue) or any other number of channels.

    Attributes:
        channels: At least 1.
        height: In pixels.
        width: In pixels.

    Example:
        >>> ImageSpec(1, 28, 28).shape
        (1, 28, 28)
    """

    channels: int
    height: int
    width: int

    def __post_init__(self) -> None:
        if min(self.shape) < 1:
            raise BadInput(
                expected="at least one channel and one pixel each way",
                got=f"channels, height, width = {self.shape}",
                where="ImageSpec",
                do="Give the shape of one input of the classifier, channels first.",
            )

    @property
    def shape(self) -> tuple[int, ...]:
        """Channels, height, width."""
        return self.channels, self.height, self.width

    def write(self, path: Path, levels: Tensor, note: str) -> None:
        """Store one image losslessly as PNG with a text chunk ``Comment``.

        Neither 1 nor 3 channels fit a PNG as they are: such an image is stored as its channels, one below the other,
        in greyscale.

        Args:
            path: The file; written as a whole or not at all.
            levels: Bytes, shape (channels, height, width).
            note: What the file says of itself.
        """
        part = path.with_name(f".{path.name}.part")
        part.write_bytes(self.encode(levels, note))
        part.replace(path)

    def encode(self, levels: Tensor, note: str = "") -> bytes:
        """The content of the file that `write` makes; without a note, the same but for its text chunk."""
        text = PngImagePlugin.PngInfo()
        if note:
            text.add_itxt("Comment", note)
        file = io.BytesIO()
        Image.fromarray(self._to_rows(levels)).save(file, format="PNG", pnginfo=text, optimize=False)
        return file.getvalue()

    def read(self, path: Path) -> Tensor:
        """The bytes of one image, shape (channels, height, width).

        Raises:
            RunError: The file is missing, is no PNG, or has another size or colour mode.
        """
        try:
            with Image.open(path, formats=["PNG"]) as image:
                rows = numpy.array(image)
        except UNREADABLE as cause:
            raise RunError(
                expected="a PNG written by trompe",
                got=f"{type(cause).__name__} ({cause})",
                where=str(path),
                do="Restore the file, or make the run again with `trompe rerun`.",
            ) from cause
        wanted = self._to_rows(torch.zeros(self.shape, dtype=torch.uint8))
        if rows.shape != wanted.shape or rows.dtype != wanted.dtype:
            raise RunError(
                expected=f"a PNG of shape {wanted.shape} with 8 bits a value",
                got=f"shape {rows.shape}, {rows.dtype}",
                where=str(path),
                do="Restore the file as it was written; a resized or re-encoded image is another image.",
            )
        return torch.from_numpy(rows).reshape(self._planes()).permute(self._order()).contiguous()

    def describe(self) -> dict[str, Any]:
        """Kind and size by name, JSON-ready."""
        return {"kind": "image", **asdict(self)}

    def _to_rows(self, levels: Tensor) -> "numpy.ndarray[Any, numpy.dtype[numpy.uint8]]":
        rows = levels.permute(1, 2, 0) if self.channels == 3 else levels.reshape(-1, self.width)
        return rows.contiguous().numpy()

    def _planes(self) -> tuple[int, int, int]:
        if self.channels == 3:
            return self.height, self.width, 3
        return self.channels, self.height, self.width

    def _order(self) -> tuple[int, int, int]:
        return (2, 0, 1) if self.channels == 3 else (0, 1, 2)
