"""Indirect encoding: a small network of simple functions paints the image (Nguyen 2015, section 2.2; Stanley 2007)."""

from trompe.encodings.cppn.compiled import installed as numba_installed
from trompe.encodings.cppn.encoding import LAYERED, PRESETS, Cppn, CppnSettings, Renderer
from trompe.encodings.cppn.genome import CppnGenomes

__all__ = ["LAYERED", "PRESETS", "Cppn", "CppnGenomes", "CppnSettings", "Renderer", "numba_installed"]
