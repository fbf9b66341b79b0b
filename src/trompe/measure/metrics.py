"""Numbers about natural images, exact at confidences of 0 and 1, at ties, and for no images at all."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import torch
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.measure.statistics import Share, wilson

BINS = 15


@dataclass(frozen=True)
class Answer:
    """What a target says of one natural image.

    Attributes:
        true: The place of its label; -1 where it is not known.
        named: The place of the label with the highest log-odds.
        log_odds: Of the label it is named.
        accepted: Whether the target lets it through.
    """

    true: int
    named: int
    log_odds: float
    accepted: bool = True

    @property
    def right(self) -> bool:
        """Whether it is named rightly."""
        return self.true == self.named


def accuracy(answers: Sequence[Answer]) -> Share | None:
    """Share of labelled images that are named rightly, with a Wilson interval; None without labelled images."""
    known = [answer for answer in answers if answer.true >= 0]
    return wilson(sum(answer.right for answer in known), len(known)) if known else None


def calibration_error(answers: Sequence[Answer]) -> float | None:
    """Expected calibration error in 15 bins of equal width, in [0, 1]; None without labelled images.

    A confidence on a border belongs to the bin below it; 0 to the lowest and 1 to the highest.

    Reference: Naeini 2015; Guo 2017.

    Example:
        >>> calibration_error([Answer(0, 0, math.inf), Answer(0, 1, math.inf)])
        0.5
    """
    known = [answer for answer in answers if answer.true >= 0]
    if not known:
        return None
    bins: list[list[Answer]] = [[] for _ in range(BINS)]
    for answer in known:
        bins[max(math.ceil(_probability(answer) * BINS) - 1, 0)].append(answer)
    gaps = [abs(sum(a.right for a in part) - math.fsum(map(_probability, part))) for part in bins if part]
    return math.fsum(gaps) / len(known)


def usual_log_odds(answers: Sequence[Answer]) -> float | None:
    """Median log-odds of rightly named, accepted images; None where there are none."""
    odds = [answer.log_odds for answer in answers if answer.right and answer.accepted]
    return median(odds) if odds else None


def odds_that_pass(answers: Sequence[Answer], share: float = 0.95) -> float | None:
    """The highest log-odds that at least this share of rightly named images reach; None where there are none.

    Example:
        >>> odds_that_pass([Answer(0, 0, float(i)) for i in range(20)])
        1.0
    """
    odds = sorted((answer.log_odds for answer in answers if answer.right), reverse=True)
    return odds[math.ceil(share * len(odds) - 1e-9) - 1] if odds else None


def _probability(answer: Answer) -> float:
    odds = answer.log_odds
    return 1.0 / (1.0 + math.exp(-odds)) if odds > -700.0 else 0.0


def auroc(higher: Tensor, lower: Tensor) -> float:
    """Chance that one of the first is above one of the second, a tie counting half: exact, from ranks.

    Only the order of the scores matters, so log-odds in float64 are to be given and never probabilities: those are
    exactly 1 long before their order ends, and ties would stand for what was told apart.

    Args:
        higher: Scores that should be the higher ones, shape (n,), at least one.
        lower: Those that should be lower, shape (m,), at least one.

    Raises:
        BadInput: One of both is empty, or a score is not a number.

    Example:
        >>> auroc(torch.tensor([1.0, 2.0]), torch.tensor([0.0, 1.0]))
        0.875
    """
    both = torch.cat([higher, lower]).to(torch.float64)
    if not len(higher) or not len(lower) or bool(both.isnan().any()):
        raise BadInput(
            expected="scores of both kinds, all of them numbers",
            got=f"{len(higher)} and {len(lower)}, {int(both.isnan().sum())} of them not numbers",
            where="AUROC",
            do="Give at least one score of each kind.",
        )
    _, place, counts = both.unique(sorted=True, return_inverse=True, return_counts=True)
    middle = counts.cumsum(0).to(torch.float64) - (counts - 1).to(torch.float64) / 2.0  # mid-ranks, from 1
    n, m = len(higher), len(lower)
    return float((middle[place[:n]].sum() - n * (n + 1) / 2.0) / (n * m))
