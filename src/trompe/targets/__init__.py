"""Classifiers under test, each a pure function from inputs to logits."""

from trompe.targets.declaration import Declaration, Request, read_declaration, write_declaration
from trompe.targets.foreign import ForeignTarget
from trompe.targets.load import bundled_targets, load_target
from trompe.targets.preprocessing import Preprocessing
from trompe.targets.torch import TorchTarget

__all__ = [
    "Declaration",
    "ForeignTarget",
    "Preprocessing",
    "Request",
    "TorchTarget",
    "bundled_targets",
    "load_target",
    "read_declaration",
    "write_declaration",
]
