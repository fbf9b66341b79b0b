"""What the experiments of `why` share."""

from importlib.util import find_spec

from trompe.experiments.nouns import Effort, Prediction

MODEL = "trained model"
WRITTEN = "2026-11-21"
"""When the expectations were written down: before the runs of full size, not always before every smaller one."""
UNSHOWN = (
    "What was expected was written down on the day of the first runs; the record does not show that it stood before a "
    "first, smaller run."
)
"""For an experiment whose claims came into the record together with what ran them."""


def guess(text: str) -> Prediction:
    """An expectation that nothing had shown when it was written down: no pilot, and no paper."""
    return Prediction(text, WRITTEN, seen=False)


def few(effort: Effort) -> str:
    """How a quick look falls short of what a claim is about; empty otherwise."""
    return "a quick look: models trained for a tenth of the usual time" if effort.size == "quick" else ""


def scikit() -> str:
    """Why generative classifiers cannot be fitted here; empty where they can."""
    return "" if find_spec("sklearn") else "scikit-learn is not installed (extra sklearn)"
