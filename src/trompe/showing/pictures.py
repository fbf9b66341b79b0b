"""Images inside the page: lossless data addresses, reduced only where the page would become too heavy."""

import base64
import io
import math
from dataclasses import dataclass

from PIL import Image
from torch import Tensor

from trompe.run.sheet import png, to_picture

MANY = 64
"""From more tiles than this on, images are WebP (lossless) and files are linked, not embedded a second time."""
_BUDGET_FEW, _BUDGET_MANY = 3_000_000, 10_000_000
_STRIP_FEW, _STRIP_MANY = 600_000, 5_000_000
_LINKS = 8
_STRIP_SIDE = 64


@dataclass(frozen=True)
class Press:
    """How large the images of a page may be, decided once from how many there are.

    Attributes:
        many: Whether there are more tiles than `MANY`.
        reduction: Pixels averaged into one, each way; 1 shows every pixel.
        links: Pictures in a lineage strip; 0 where there is no room for strips.
    """

    many: bool
    reduction: int
    links: int

    @classmethod
    def of(cls, tiles: int, images: int, shape: tuple[int, int, int]) -> "Press":
        """For so many tiles and images of a shape: noise does not compress, so every byte is counted."""
        many = tiles > MANY
        channels, height, width = shape
        most = (_BUDGET_MANY if many else _BUDGET_FEW) * 3 / 4
        raw = max(1, images) * channels * height * width
        small = channels * min(_STRIP_SIDE, height) * min(_STRIP_SIDE, width) * 4 / 3
        links = int((_STRIP_MANY if many else _STRIP_FEW) / (max(1, tiles) * small))
        return cls(many, max(1, math.ceil(math.sqrt(raw / most))), min(_LINKS, links) if links > 1 else 0)

    def print(self, levels: Tensor) -> str:
        """The data address of an image."""
        picture = to_picture(levels)
        return address(picture if self.reduction == 1 else picture.reduce(self.reduction), small=self.many)

    def small(self, picture: Tensor) -> str:
        """The data address of a small picture, as it was stored."""
        return address(to_picture(picture), small=self.many)


def address(picture: Image.Image, *, small: bool = False) -> str:
    """A picture as a data address: PNG, or where it must be small, lossless WebP."""
    if not small:
        return f"data:image/png;base64,{base64.b64encode(png(picture)).decode()}"
    file = io.BytesIO()
    picture.save(file, format="WEBP", lossless=True, quality=0, method=0)
    return f"data:image/webp;base64,{base64.b64encode(file.getvalue()).decode()}"
