"""Hardening: training a classifier that is harder to make certain about nonsense, and counting what it costs."""

from trompe.hardening import negative_class
from trompe.hardening.evolved import Fooling, Siege, besiege
from trompe.hardening.found import found_images
from trompe.hardening.hardened import Hardened, save_hardened
from trompe.hardening.kept import Halfway, Keep
from trompe.hardening.negative_class import Loop, Progress, Round
from trompe.hardening.networks import NONE, Counts, as_target, count, new_network, train_by
from trompe.hardening.outliers import KINDS, class_means, drawn, mixed
from trompe.hardening.recipes import (
    LowConfidence,
    LowConfidenceAll,
    LowConfidenceFar,
    NegativeClass,
    OutlierExposure,
    Recipe,
    Refine,
)

__all__ = [
    "KINDS",
    "NONE",
    "Counts",
    "Fooling",
    "Halfway",
    "Hardened",
    "Keep",
    "Loop",
    "LowConfidence",
    "LowConfidenceAll",
    "LowConfidenceFar",
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
