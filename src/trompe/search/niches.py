"""What candidates compete for."""

from dataclasses import dataclass
from typing import Self

import torch

from trompe.core.check import check_name
from trompe.core.constants import constant
from trompe.core.errors import BadInput
from trompe.core.numerics import bid_value
from trompe.core.types import Bids, Images, Outputs, Target


@dataclass(frozen=True)
class EveryClass:
    """One niche a class, and every candidate bids for every one of them (Nguyen 2015, section 2.2).

    Differs from the paper: the bid is a log-odds in float64, where the paper compares probabilities, which saturate.

    Attributes:
        names: Labels of the classes that are competed for.
        columns: Their places among the target's outputs.
        link: How the target's outputs become probabilities.
    """

    names: tuple[str, ...]
    columns: tuple[int, ...]
    link: str

    @classmethod
    def of(cls, target: Target, chosen: tuple[str, ...] = ()) -> Self:
        """Niches for the chosen labels of a target, in the target's order; for all where none is chosen.

        Raises:
            BadInput: A label is not the target's, or is chosen twice.
        """
        for label in chosen:
            check_name(label, target.labels, "--classes")
        if len(set(chosen)) < len(chosen):
            raise BadInput(expected="each class once", got=", ".join(chosen), where="--classes", do="Name it once.")
        columns = tuple(i for i, label in enumerate(target.labels) if not chosen or label in chosen)
        return cls(tuple(target.labels[i] for i in columns), columns, target.link)

    def bids(self, outputs: Outputs, inputs: Images) -> Bids:
        """The bid value of each candidate for each chosen class; the inputs themselves do not matter here."""
        del inputs
        value = bid_value(outputs, "independent" if self.link == "independent" else "softmax")
        if len(self.columns) == value.shape[1]:  # all of them, in the target's order
            return Bids(value)
        return Bids(value[:, constant(self.columns, torch.int64, value.device)])
