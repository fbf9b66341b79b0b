"""Signs, before any search, that a guard leaves nothing to climb or a network has no slope where attacks begin."""

from collections.abc import Iterator

import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import bid_value, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Outputs, Target
from trompe.search import STARTS, Judge, JudgeSettings
from trompe.search.rules import RULES
from trompe.search.starts import centre_image, start_images
from trompe.targets.guarded import LEAST

_EACH = 4
_FEW = 0.1
"""Of refused images: where no more values of slack than this share are different, slack is a gate, not a slope."""
_ENOUGH = 8
_FLAT = 0.5


def suspicions(target: Target, judge: JudgeSettings) -> tuple[str, ...]:
    """What images at which attacks begin give away, in words; empty where nothing is suspect.

    Args:
        target: With its guards.
        judge: How it is asked.
    """
    images = begun(target)
    return (*_hard_gate(Judge(target, judge).judge(images)), *_flat(target, judge, images))


def begun(target: Target) -> Images:
    """Four images of every start that needs nothing."""
    centre = centre_image(target)
    drawn = [
        start_images(start, centre, _EACH, Stream(0, f"probe/{start}", 0))  # type: ignore[arg-type]
        for start in STARTS
    ]
    return quantise(torch.cat(drawn))


def _hard_gate(outputs: Outputs) -> Iterator[str]:
    if outputs.slack is None:
        return
    best = outputs.slack.amax(1)  # one number an image: a guard that is blind to the class says it for every class
    refused, bottomless = best[best < 0], int((outputs.slack <= LEAST).any(1).sum())
    if bottomless:
        yield f"hard gate: {bottomless} of {len(best)} images are refused without any finite slack to climb"
    elif len(refused) >= _ENOUGH and len(refused.unique()) <= _FEW * len(refused):
        yield f"hard gate: {len(refused)} refusals have only {len(refused.unique())} different values of slack"


def _flat(target: Target, settings: JudgeSettings, images: Images) -> Iterator[str]:
    """Whether the slope that ascent would follow, for the class that is bid for most, is exactly 0."""
    judge, rule = Judge(target, settings), RULES["sign-momentum"]
    best = bid_value(judge.judge(images), target.link).argmax(1)

    def height(outputs: Outputs, classes: Tensor) -> Tensor:
        return rule.height(outputs, classes, target.link)

    try:
        slope = judge.slope(images, height, best)
    except TargetError as failure:
        yield f"no gradient: {failure.got}"
        return
    rows = int((slope.gradient == 0.0).flatten(1).all(1).sum())
    if rows > _FLAT * len(images):
        yield f"masked gradients suspected: the slope is exactly 0 at {rows} of {len(images)} images of every start"
