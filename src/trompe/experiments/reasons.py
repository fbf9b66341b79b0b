"""What the experiments of `why` share."""

from importlib.util import find_spec

from trompe.experiments.nouns import Effort, Prediction

MODEL = "trained model"
WRITTEN = "2026-11-21"
"""When the expectations were written down, before any of these experiments had run."""


def guess(text: str) -> Prediction:
    """An expectation that no pilot had shown when it was written down."""
    return Prediction(text, WRITTEN, seen=False)


def few(effort: Effort) -> str:
    """How a quick look falls short of what a claim is about; empty otherwise."""
    return "a quick look: models trained for a tenth of the usual time" if effort.size == "quick" else ""


def scikit() -> str:
    """Why generative classifiers cannot be fitted here; empty where they can."""
    return "" if find_spec("sklearn") else "scikit-learn is not installed (extra sklearn)"
