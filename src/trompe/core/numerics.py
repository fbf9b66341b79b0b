"""The numbers that decide: log-odds, bid values and the 8-bit grid, exact where fooling images live."""

import math
from typing import Literal

import torch
from jaxtyping import Float64, Int64
from torch import Tensor

from trompe.core.types import Classwise, Images, Levels, Logits, Outputs, Rows

Link = Literal["softmax", "independent"]

VALUE_LIMIT = 1e3
"""Log-odds are clipped to this range where they are compared or stored."""
REJECTED = -2e3
"""Bid value of a candidate exactly at the guard's threshold; below every accepted one."""
SLACK_WEIGHT = 100.0
"""How many units of bid value one unit of slack is worth."""
_NOTHING = 1e4
"""So many logits below the strongest, a class counts as one of probability 0."""
_CACHED = 65_536
"""Numbers whose log-odds are formed together on the CPU: a dozen arrays of so many doubles stay in its cache."""
_BLOCK = 16
"""Products of matrices come in blocks of so many rows, or a part of it, and a rest that some processors compute in
another order: without a rest an answer does not depend on its place in the batch."""
_LANES = 8
"""Rows of which a multiple is taken together, so that its vectors begin where they would without, to the same bits."""
_ROUNDING = 1e-9
"""Relative error that a doubt may carry from its own computation; without it, 0.9999 would read 99.98 %."""


def log_odds(logits: Logits, link: Link = "softmax") -> Classwise:
    """Log-odds of every class against all others together, in float64.

    For class c under a softmax this is ``z_c - logsumexp(z_j, j != c)``; where the link is independent (one sigmoid a
    class) it is ``z_c``. Nothing saturates: a margin of 700 logits gives 700, where a float32 probability reads 1.0
    from 17 on. The sum over the others is formed without the class itself, never as total minus own.

    Args:
        logits: Shape (n, classes), any float type, at least two classes for a softmax. Log-probabilities are as good.
        link: How the outputs become probabilities.

    Returns:
        Shape (n, classes), float64; infinite where all other classes have probability 0.

    Example:
        >>> log_odds(torch.tensor([[800.0, 100.0, 0.0]]))[0].tolist()
        [700.0, -700.0, -800.0]
    """
    z = logits.to(torch.float64)
    if link == "independent":
        return z
    rows = max(1, _CACHED // (_LANES * z.shape[1])) * _LANES
    if z.is_cpu and len(z) > rows:
        return torch.cat([_softmax_log_odds(part) for part in z.split(rows)])
    return _softmax_log_odds(z)


def _softmax_log_odds(z: Classwise) -> Classwise:
    peak, top = z.max(1, keepdim=True)
    against_top = z.scatter(1, top, -math.inf).logsumexp(1, keepdim=True)
    weight = (z - peak).exp()
    others = _sum_before(weight) + _sum_before(weight.flip(1)).flip(1)
    return z - others.log_().add_(peak).scatter_(1, top, against_top)


def class_log_odds(logits: Logits, classes: Rows, link: Link = "softmax") -> Float64[Tensor, " n"]:
    """Log-odds of one class a row, to be climbed: the values of `log_odds`, with a gradient that is always finite.

    `log_odds` passes through the logarithm of a sum that is 0 in float64 from a margin of 745 logits on; there its
    values are right and its gradient is not.

    Args:
        logits: Shape (n, classes), any float type, finite.
        classes: Int64, shape (n,), the class of each row.
        link: How the outputs become probabilities.

    Example:
        >>> logits = torch.tensor([[800.0, 0.0]], requires_grad=True)
        >>> odds = class_log_odds(logits, torch.tensor([0]))
        >>> odds.item(), torch.autograd.grad(odds.sum(), logits)[0].tolist()
        (800.0, [[1.0, -1.0]])
    """
    z = logits.to(torch.float64)
    column = classes.unsqueeze(1)
    own = z.gather(1, column).squeeze(1)
    if link == "independent":
        return own
    return own - z.scatter(1, column, -math.inf).logsumexp(1)


def limit_odds(logits: Logits, ceiling: Classwise, link: Link = "softmax") -> Logits:
    """Logits whose strongest class has no higher log-odds than its ceiling; where it has none, they stay as they are.

    What the strongest class gives up goes to the others in their proportions, so that it stays the strongest and
    probabilities sum to what they did. Nothing saturates, and a class at its ceiling has the ceiling's gradient. Where
    the link is independent, all classes are lowered by as much as the strongest, and no other is above its own ceiling.

    Args:
        logits: Shape (n, classes), any float type, at least two classes for a softmax; some may be -infinite.
        ceiling: Float64 of the same shape, above 0; infinite where there is none.
        link: How logits become probabilities.

    Returns:
        Float64 of the same shape.

    Example:
        >>> most = torch.full((1, 3), 2.0, dtype=torch.float64)
        >>> round(log_odds(limit_odds(torch.tensor([[800.0, 1.0, 0.0]]), most))[0, 0].item(), 12)
        2.0
    """
    z = logits.to(torch.float64)
    peak, strongest = z.max(1, keepdim=True)
    most = ceiling.gather(1, strongest)
    if link == "independent":
        return torch.minimum(z - (peak - most).clamp(min=0.0), ceiling)
    some = torch.maximum(z, peak - _NOTHING)  # of a class of probability 0, so that it can be given something
    others = some.scatter(1, strongest, -math.inf).logsumexp(1, keepdim=True)
    lowered = some.scatter(1, strongest, torch.minimum(peak, others + most))
    lowered = lowered + (some.logsumexp(1, keepdim=True) - lowered.logsumexp(1, keepdim=True))
    return torch.where(peak - others > most, lowered, z)


def superclass_log_odds(logits: Logits, members: Int64[Tensor, " members"]) -> Float64[Tensor, " n"]:
    """Log-odds of several classes of a softmax together against all others, in float64.

    ``logsumexp(z_j, j in members) - logsumexp(z_j, j not in members)``: the log-odds of the sum of their probabilities,
    which itself reads 1.0 where the others no longer count.

    Args:
        logits: Shape (n, classes), any float type.
        members: Int64, columns, each once; at least one, and not all.

    Example:
        >>> superclass_log_odds(torch.tensor([[800.0, 800.0, 0.0]]), torch.tensor([0, 1]))[0].item() - math.log(2)
        800.0
    """
    z = logits.to(torch.float64)
    inside = torch.zeros(z.shape[1], dtype=torch.bool)
    inside[members] = True
    return z[:, inside].logsumexp(1) - z[:, ~inside].logsumexp(1)


def _sum_before(weight: Tensor) -> Tensor:
    return torch.nn.functional.pad(weight, (1, 0))[:, :-1].cumsum(1)


def confidence(odds: Tensor) -> Tensor:
    """Probability for given log-odds, float64 in [0, 1]; for people to read, never to be maximised."""
    return torch.sigmoid(odds.to(torch.float64))


def probability(odds: float) -> float:
    """`confidence` of one number."""
    return float(confidence(torch.tensor(odds, dtype=torch.float64)))


def level_odds(level: float) -> float:
    """Log-odds of a confidence level strictly between 0 and 1.

    Example:
        >>> round(level_odds(0.9999), 3)
        9.21
    """
    return math.log(level) - math.log1p(-level)


def say_confidence(odds: float) -> str:
    """A confidence as a person writes it, with as many nines as it has, and never a false 100 %.

    Example:
        >>> say_confidence(level_odds(0.5)), say_confidence(level_odds(0.999997)), say_confidence(300.0)
        ('50.0 %', '99.9997 %', 'all but 1e-130')
    """
    doubt = 1.0 / (1.0 + math.exp(min(odds, 700.0)))
    if doubt >= 0.005:
        return f"{100 * (1 - doubt):.1f} %"
    percent = 100.0 * doubt * (1.0 - _ROUNDING)
    digits = -math.floor(math.log10(percent))
    tail = math.ceil(percent * 10.0**digits)
    if tail == 10:
        digits, tail = digits - 1, 1
    if digits > 12:
        return f"all but 1e{math.ceil(math.log10(percent / 100.0)):d}"
    return f"{100 - tail * 10.0**-digits:.{digits}f} %"


def bid_value(outputs: Outputs, link: Link = "softmax") -> Classwise:
    """What a candidate is worth in every class; the one order in which candidates compete.

    Accepted: log-odds clipped to +-1e3. Rejected (slack below 0): -2e3 + 100 * slack, so that any accepted candidate
    beats any rejected one and a rejected one can still climb towards the threshold.

    Args:
        outputs: Logits of shape (n, classes) and, where a guard stands in front, slack of the same shape.
        link: How the outputs become probabilities.

    Returns:
        Shape (n, classes), float64, finite for finite slack.
    """
    value = log_odds(outputs.logits, link).clamp(-VALUE_LIMIT, VALUE_LIMIT)
    if outputs.slack is None:
        return value
    slack = outputs.slack.to(torch.float64)
    return torch.where(slack >= 0, value, REJECTED + SLACK_WEIGHT * slack.clamp(max=0.0))


def quantise(images: Images) -> Images:
    """The nearest image on the 8-bit grid k/255; halves go to the even level. Values outside [0, 1] are clamped.

    Differs from the released code of Nguyen 2015, which truncates.
    """
    return from_levels(to_levels(images))


def filled_up(rows: Tensor, size: int = _BLOCK) -> Tensor:
    """The rows, and their last one again until their number is a multiple of a size: bits may hang on it."""
    rest = -len(rows) % size
    return torch.cat([rows, rows[-1:].expand(rest, *rows.shape[1:])]) if rest else rows


def to_levels(images: Images) -> Levels:
    """The bytes of an image: uint8 in 0 .. 255, same shape, rounded to the nearest level."""
    return (images * 255.0).round_().clamp_(0.0, 255.0).to(torch.uint8)


def from_levels(levels: Levels) -> Images:
    """The image of given bytes: float32 k/255, same shape. `to_levels` gives the bytes back exactly."""
    values = levels.to(torch.float32)
    # A GPU multiplies by the reciprocal of a plain number, which is not always k / 255; by a tensor it divides.
    return values.div_(255.0 if values.device.type == "cpu" else torch.full((), 255.0, device=values.device))
