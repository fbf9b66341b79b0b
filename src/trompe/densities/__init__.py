"""What images of a class look like: densities that are fitted once and asked by readers, guards and targets."""

from trompe.densities.base import Density
from trompe.densities.kde import KernelDensity, View
from trompe.densities.pca import PrincipalComponents
from trompe.densities.vae import Autoencoders, Build

__all__ = ["Autoencoders", "Build", "Density", "KernelDensity", "PrincipalComponents", "View"]
