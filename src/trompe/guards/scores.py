"""Guards that look at nothing but a classifier's own outputs."""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.check import check_name
from trompe.core.numerics import VALUE_LIMIT, Link, log_odds
from trompe.core.types import Classwise, Images, Outputs, Rows
from trompe.guards.scale import Parts, Scale, scales_from

Score = Callable[[Tensor, Link], Classwise]


def maximum_probability(logits: Tensor, link: Link) -> Classwise:
    """Log-odds of the class that is asked about: the same order as its probability, which saturates.

    Reference: Hendrycks 2017 (for the class that is named).
    """
    z = logits.to(torch.float64)
    if link == "independent" or not z.requires_grad:
        return log_odds(z, link).clamp(-VALUE_LIMIT, VALUE_LIMIT)
    others = _others(z).logsumexp(2)  # `log_odds` has no gradient from a margin of 745 logits on
    return (z - others).clamp(-VALUE_LIMIT, VALUE_LIMIT)


def margin(logits: Tensor, link: Link) -> Classwise:
    """Logit of the class that is asked about, minus the highest of the others."""
    del link
    z = logits.to(torch.float64)
    return z - _others(z).amax(2)


def energy(logits: Tensor, link: Link) -> Classwise:
    """Log sum exp of all logits, for every class alike: this guard is blind to the class.

    Of a generative classifier (`trompe.targets.generative`) it is log p(x).

    Reference: Liu 2020.
    """
    del link
    z = logits.to(torch.float64)
    return z.logsumexp(1, keepdim=True).expand_as(z)


def logit(logits: Tensor, link: Link) -> Classwise:
    """Logit of the class that is asked about; of a generative classifier log p(x, c)."""
    del link
    return logits.to(torch.float64)


def entropy(logits: Tensor, link: Link) -> Classwise:
    """Minus the logarithm of the entropy of all probabilities, for every class alike: blind to the class.

    The entropy itself is 0 to the last bit wherever a network is sure; its logarithm is not.
    """
    odds = maximum_probability(logits, link)
    surprise = torch.nn.functional.softplus(-odds)
    each = (-surprise).exp() * surprise
    if link == "independent":  # a yes or no each: both answers surprise
        other = torch.nn.functional.softplus(odds)
        each = each + (-other).exp() * other
    return -(each.sum(1, keepdim=True) + 1e-300).log().expand_as(each)


SCORES: Mapping[str, Score] = {
    "maximum-probability": maximum_probability, "margin": margin, "energy": energy, "entropy": entropy,
    "logit": logit,
}  # fmt: skip
"""What `ScoreGuard` can look at, by name; higher is more natural."""


@dataclass(frozen=True)
class ScoreGuard:
    """Refuses what has a low score of a classifier's own outputs.

    Attributes:
        score: A key of `SCORES`.
        scale: From score to slack.
        link: Of the classifier.
        data: Name of what it was fitted on, as in ``uses``.
    """

    score: str
    scale: Scale
    link: Link = "softmax"
    data: str = "unnamed"

    @property
    def name(self) -> str:
        """The score's."""
        return self.score

    @property
    def needs(self) -> frozenset[str]:
        """Logits."""
        return frozenset({"logits"})

    @property
    def uses(self) -> frozenset[str]:
        """The score, the attacked classifier's own logits, and the data."""
        return frozenset({f"function:{self.score}", "features:classifier-logits", f"data:{self.data}"})

    def slack(self, outputs: Outputs, inputs: Images) -> Classwise:
        """Shape (n, classes): the score of each class on the guard's scale."""
        del inputs
        return self.scale.slack(SCORES[self.score](outputs.logits, self.link))

    def fingerprint(self) -> str:
        """sha256 over all of it."""
        return hashlib.sha256(repr(self).encode()).hexdigest()

    def parts(self) -> Parts:
        """Numbers and arrays from which `from_parts` makes an equal guard."""
        numbers = {"score": self.score, "scales": [[self.scale.threshold, self.scale.median]], "link": self.link}
        return {**numbers, "data": self.data}, {}

    @classmethod
    def from_parts(cls, numbers: Mapping[str, Any], arrays: Mapping[str, Tensor]) -> Self:
        """What `parts` gave."""
        del arrays
        (scale,) = scales_from(numbers["scales"])
        return cls(str(numbers["score"]), scale, numbers["link"], numbers["data"])


def fit_score(  # noqa: PLR0913  one for each thing a guard is made of
    score: str, outputs: Outputs, classes: Rows, *, link: Link = "softmax", false_alarms: float = 0.01,
    data: str = "unnamed",
) -> ScoreGuard:  # fmt: skip
    """A guard that refuses so many of the natural inputs, asked about their own classes.

    Args:
        score: A key of `SCORES`.
        outputs: Of the classifier, of natural inputs.
        classes: Int64, shape (n,), their classes.
        link: Of the classifier.
        false_alarms: Share of them that is refused.
        data: Name of the inputs.

    Raises:
        BadInput: No such score, or nothing can be told from these inputs.
    """
    check_name(score, SCORES, "guard")
    own: Float64[Tensor, " n"] = SCORES[score](outputs.logits, link).gather(1, classes.unsqueeze(1)).squeeze(1)
    return ScoreGuard(score, Scale.of(own, false_alarms), link, data)


def _others(z: Tensor) -> Tensor:
    """Shape (n, classes, classes): row c holds the logits, with -infinity in place of class c."""
    own = torch.eye(z.shape[1], dtype=torch.bool)
    return z.unsqueeze(1).masked_fill(own, -torch.inf)
