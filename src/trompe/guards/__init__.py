"""Guards: detectors that stand in front of a classifier, hold no model, and are asked class by class."""

from trompe.guards.certified import CertifiedGuard, coverage, fit_certified, least_readable
from trompe.guards.combined import CombinedGuard, combine
from trompe.guards.density import DENSITIES, DensityGuard, fit_density
from trompe.guards.doubt import CERTAIN, DoubtingGuard, doubting
from trompe.guards.features import FeatureNeighbourGuard, MahalanobisGuard, fit_feature_neighbours, fit_mahalanobis
from trompe.guards.fit import KINDS, Trusted, fit_guard
from trompe.guards.neighbours import NeighbourGuard, fit_neighbours
from trompe.guards.scale import Scale
from trompe.guards.scores import SCORES, ScoreGuard, fit_score
from trompe.guards.store import GuardCard, card_of, check_fits, load_guard, read_card, save_guard
from trompe.guards.typicality import STATISTICS, Typicality

__all__ = [
    "CERTAIN",
    "DENSITIES",
    "KINDS",
    "SCORES",
    "STATISTICS",
    "CertifiedGuard",
    "CombinedGuard",
    "DensityGuard",
    "DoubtingGuard",
    "FeatureNeighbourGuard",
    "GuardCard",
    "MahalanobisGuard",
    "NeighbourGuard",
    "Scale",
    "ScoreGuard",
    "Trusted",
    "Typicality",
    "card_of",
    "check_fits",
    "combine",
    "coverage",
    "doubting",
    "fit_certified",
    "fit_density",
    "fit_feature_neighbours",
    "fit_guard",
    "fit_mahalanobis",
    "fit_neighbours",
    "fit_score",
    "least_readable",
    "load_guard",
    "read_card",
    "save_guard",
]
