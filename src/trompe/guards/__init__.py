"""Guards: detectors that stand in front of a classifier, hold no model, and are asked class by class."""

from trompe.guards.certified import CertifiedGuard, coverage, fit_certified, least_readable
from trompe.guards.neighbours import NeighbourGuard, fit_neighbours
from trompe.guards.scale import Scale
from trompe.guards.scores import SCORES, ScoreGuard, fit_score

__all__ = [
    "SCORES",
    "CertifiedGuard",
    "NeighbourGuard",
    "Scale",
    "ScoreGuard",
    "coverage",
    "fit_certified",
    "fit_neighbours",
    "fit_score",
    "least_readable",
]
