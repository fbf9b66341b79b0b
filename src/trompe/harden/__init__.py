"""Hardening: training a classifier that is harder to make certain about nonsense, and counting what it costs."""

from trompe.harden import negative_class
from trompe.harden.evolved import Fooling, Siege, besiege
from trompe.harden.found import found_images
from trompe.harden.hardened import Hardened, save_hardened
from trompe.harden.kept import Keep
from trompe.harden.negative_class import Loop, Progress, Round
from trompe.harden.networks import NONE, Counts, as_target, count, new_network, train_by
from trompe.harden.outliers import KINDS, class_means, drawn, mixed
from trompe.harden.recipes import LowConfidence, NegativeClass, OutlierExposure, Recipe, Refine

__all__ = [
    "KINDS",
    "NONE",
    "Counts",
    "Fooling",
    "Hardened",
    "Keep",
    "Loop",
    "LowConfidence",
    "NegativeClass",
    "OutlierExposure",
    "Progress",
    "Recipe",
    "Refine",
    "Round",
    "Siege",
    "as_target",
    "besiege",
    "class_means",
    "count",
    "drawn",
    "found_images",
    "mixed",
    "negative_class",
    "new_network",
    "save_hardened",
    "train_by",
]
