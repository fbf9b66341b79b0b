"""What evolves, and how it becomes an input."""

from trompe.encodings.cppn import LAYERED, Cppn, CppnGenomes, CppnSettings
from trompe.encodings.cppn import PRESETS as CPPN_PRESETS
from trompe.encodings.pixels import PRESETS as PIXEL_PRESETS
from trompe.encodings.pixels import PixelGenomes, Pixels, PixelSettings
from trompe.encodings.tokens import TokenGenomes, Tokens, TokenSettings

__all__ = [
    "CPPN_PRESETS",
    "LAYERED",
    "PIXEL_PRESETS",
    "Cppn",
    "CppnGenomes",
    "CppnSettings",
    "PixelGenomes",
    "PixelSettings",
    "Pixels",
    "TokenGenomes",
    "TokenSettings",
    "Tokens",
]
