"""How sure a target is of a superclass: of all its classes together."""

from collections.abc import Iterator, Sequence

import torch

from trompe.core.numerics import VALUE_LIMIT, superclass_log_odds
from trompe.core.types import Logits, Target
from trompe.measure.surviving import Surviving, itself
from trompe.run.about import About
from trompe.targets.ready import LowestOfFive

Placed = tuple[int, int, float, str, float]
"""Search, niche, level (0 for the strongest image), name of the superclass, log-odds."""


def why_no_superclasses(target: Target) -> str:
    """Why a superclass has no confidence on this target; empty where it has."""
    if isinstance(target, Surviving):
        return "with --survive each class has its lowest log-odds over several images, and such do not add up"
    if isinstance(itself(target), LowestOfFive):
        return "the target wavers, and the lowest of five log-odds of each class do not add up"
    if target.link != "softmax":
        return "the classes do not exclude each other, so their probabilities do not add up"
    return ""


def superclass_rows(
    about: About, labels: Sequence[str], logits: Logits, images: Sequence[tuple[int, int, float, str]]
) -> Iterator[Placed]:
    """The log-odds of every superclass of each image's class, clipped as everything that is stored.

    Args:
        about: Of the run; holds the superclasses.
        labels: Of the target.
        logits: Shape (images, classes).
        images: Search, niche, level and label of each.
    """
    for name, members in about.superclasses.items():
        columns = torch.tensor([labels.index(label) for label in members])
        odds = superclass_log_odds(logits, columns).clamp(-VALUE_LIMIT, VALUE_LIMIT).tolist()
        for (search, niche, level, label), value in zip(images, odds, strict=True):
            if label in members:
                yield search, niche, level, name, value
