"""Classifiers under test, each a pure function from inputs to logits."""

from trompe.targets.load import bundled_targets, load_target
from trompe.targets.torch import TorchTarget

__all__ = ["TorchTarget", "bundled_targets", "load_target"]
