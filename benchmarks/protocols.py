"""Published protocols against a defence, in their own terms, with what differs here said beside each number.

In all of them a refused image has the confidence of ignorance, one over the number of classes, and the lowest score; an
accepted one its confidence as the network says it. Scores are bid values: log-odds in float64, below them by slack
where an image is refused.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import bid_value, from_levels, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Outputs, Target
from trompe.data import load
from trompe.measure.metrics import auroc
from trompe.targets.guarded import named

IMAGES, STEPS, RADIUS = 100, 60, 0.3
OTHER = {"mnist": "fashion-mnist", "fashion-mnist": "mnist"}
DIFFERS = {
    "rubbish": "Goodfellow 2015: N(0, I) clipped to [0, 1] and put on the 8-bit grid, where the paper clips nothing; "
    "no gradient step. Error: accepted with more than 0.5.",
    "adversarial noise": f"Hein 2019: uniform noise, not smoothed and no permuted images; {STEPS} sign steps with "
    f"momentum within {RADIUS} in the largest pixel, one start, where the paper's code takes 80 to 200. Judged on the "
    "8-bit grid.",
    "distal": f"Stutz 2020: the same images as for adversarial noise, so {STEPS} steps of one start where the paper "
    "takes up to 2,000 of several.",
    "attacked other data": f"Bitterwolf 2020: {IMAGES} test images of the other data set, {STEPS} steps of one start "
    f"within {RADIUS}; the paper's portfolio is larger. An attacked AUC is an upper bound of the worst.",
}
"""What is not as published, by protocol."""


def scores(target: Target, images: Tensor) -> Tensor:
    """Of each image the bid value of its best class, float64, shape (n,); a class for none of these is none."""
    with torch.inference_mode():
        return torch.cat([_bids(target, target.judge(part)).amax(1) for part in images.split(100)])


def _bids(target: Target, outputs: Outputs) -> Tensor:
    return bid_value(outputs, target.link)[:, : named(target)]


def attacked(target: Target, images: Tensor, steps: int = STEPS, radius: float = RADIUS) -> Tensor:
    """The image of highest score that was met within a distance of each, on the 8-bit grid.

    Climbs the class that is ahead; where it is refused, its slack.
    """
    return torch.cat([_attacked(target, part, steps, radius) for part in images.split(100)])


def _attacked(target: Target, images: Tensor, steps: int, radius: float) -> Tensor:
    low, high = (images - radius).clamp(min=0.0), (images + radius).clamp(max=1.0)
    here, best, top = images.clone(), images.clone(), torch.full((len(images),), -torch.inf, dtype=torch.float64)
    memory = torch.zeros_like(images)
    for step in range(steps + 1):
        leaf = quantise(here).requires_grad_()
        outputs = target.judge(leaf)
        value, column = _bids(target, outputs).max(1)
        better = value.detach() > top
        best[better], top[better] = leaf.detach()[better], value.detach()[better]
        (slope,) = torch.autograd.grad(_height(outputs, column).sum(), leaf)
        memory = 0.9 * memory + slope / slope.abs().flatten(1).mean(1).clamp(min=1e-30)[:, None, None, None]
        size = radius * max(0.02, 0.2 * (1.0 - step / (steps + 1)))
        here = torch.minimum(torch.maximum(here + size * memory.sign(), low), high)
    return best


def _height(outputs: Outputs, column: Tensor) -> Tensor:
    """Log-odds of the column where it is accepted, slack where it is refused."""
    rows = torch.arange(len(column))
    own = outputs.logits[rows, column]
    others = outputs.logits.scatter(1, column[:, None], -torch.inf).logsumexp(1)
    odds = (own - others).to(torch.float64)
    return (
        odds
        if outputs.slack is None
        else torch.where(outputs.slack[rows, column] >= 0.0, odds, outputs.slack[rows, column])
    )


def confidences(score: Tensor, classes: int) -> Tensor:
    """Of scores: the confidence where an image is accepted, one over the classes where it is refused."""
    return torch.where(score > -1e3, score.sigmoid(), torch.full_like(score, 1.0 / classes))


def protocols(target: Target, data: str, natural: Tensor) -> Mapping[str, Any]:
    """The numbers of all of them.

    Args:
        target: With its guard.
        data: What it was trained on.
        natural: Scores of natural test images.
    """
    shape, classes = target.spec.shape, named(target)
    stream = Stream(0, "protocols", 0)
    uniform = stream.branch("normal").uniform32(1000, *shape).clamp(1e-6, 1.0 - 1e-6)
    rubbish = quantise((2.0**0.5 * torch.erfinv(2.0 * uniform - 1.0)).clamp(0.0, 1.0))
    noise = quantise(stream.branch("noise").uniform32(IMAGES, *shape))
    other = from_levels(load(OTHER[data]).test.images[:IMAGES])
    said = confidences(scores(target, rubbish), classes)
    wrong = said > 0.5
    worst, out, worst_out = (scores(target, x) for x in (attacked(target, noise), other, attacked(target, other)))
    low = natural.quantile(torch.tensor([0.05, 0.01], dtype=torch.float64))
    return {
        "rubbish": {
            "error": float(wrong.to(torch.float64).mean()),
            "mean_confidence_of_errors": float(said[wrong].mean()) if bool(wrong.any()) else "no error",
        },
        "adversarial noise": {
            "mean_confidence": float(confidences(worst, classes).mean()),
            "auroc": auroc(natural, worst),
            "fpr_at_95": float((worst >= low[0]).to(torch.float64).mean()),
        },
        "distal": {"auroc": auroc(natural, worst), "fpr_at_99": float((worst >= low[1]).to(torch.float64).mean())},
        "attacked other data": {"auc": auroc(natural, out), "attacked_auc": auroc(natural, worst_out)},
    }
