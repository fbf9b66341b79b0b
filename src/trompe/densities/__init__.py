"""What images of a class look like: densities that are fitted once and asked by readers, guards and targets."""

from trompe.densities.base import Density
from trompe.densities.kde import KernelDensity, View

__all__ = ["Density", "KernelDensity", "View"]
