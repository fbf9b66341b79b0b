"""What evolves, and how it becomes an input."""

from trompe.encodings.pixels import PRESETS, PixelGenomes, Pixels, PixelSettings

__all__ = ["PRESETS", "PixelGenomes", "PixelSettings", "Pixels"]
