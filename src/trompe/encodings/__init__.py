"""What evolves, and how it becomes an input."""

from trompe.encodings.cppn import PRESETS as CPPN_PRESETS
from trompe.encodings.cppn import Cppn, CppnGenomes, CppnSettings
from trompe.encodings.pixels import PRESETS as PIXEL_PRESETS
from trompe.encodings.pixels import PixelGenomes, Pixels, PixelSettings

__all__ = [
    "CPPN_PRESETS",
    "PIXEL_PRESETS",
    "Cppn",
    "CppnGenomes",
    "CppnSettings",
    "PixelGenomes",
    "PixelSettings",
    "Pixels",
]
