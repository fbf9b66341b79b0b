"""Survival: every kept image judged again after what happens to images on their way to a classifier."""

from collections.abc import Iterator, Sequence

import torch

from trompe.core.numerics import VALUE_LIMIT, from_levels, log_odds
from trompe.core.types import Target
from trompe.measure.survival import Transform
from trompe.measure.surviving import itself
from trompe.run import ClassRecord, Kept, Run
from trompe.search import Judge, JudgeSettings, reference_judge

SurvivalRow = tuple[int, int, float, str, float]
"""Search, niche, level (0 for the strongest image), transform, log-odds."""


def survive(run: Run, target: Target, transforms: Sequence[Transform]) -> list[SurvivalRow]:
    """How sure the target is of each kept image after each transform.

    Args:
        run: Its kept images are judged, as its reference did.
        target: The run's target; where it was asked about transformed versions itself, the plain one is asked here.
        transforms: Each by itself.

    Returns:
        One row an image and transform, in the order of the run.
    """
    target, kept = itself(target), [(record, item) for record in run.classes for item in record.kept()]
    judge = reference_judge(target, JudgeSettings(**run.about.judge))
    return [
        (record.search, record.niche, item.level or 0.0, transform.name, value)
        for transform in transforms
        for part in _parts(kept, judge.settings.batch)
        for (record, item), value in zip(part, _odds(judge, [item for _, item in part], transform), strict=True)
    ]


def _parts(kept: list[tuple[ClassRecord, Kept]], size: int) -> Iterator[list[tuple[ClassRecord, Kept]]]:
    """So many at a time: a thousand classes of large images are not unpacked all at once."""
    yield from (kept[i : i + size] for i in range(0, len(kept), size))


def _odds(judge: Judge, images: list[Kept], transform: Transform) -> list[float]:
    target = judge.target
    changed = transform.apply(torch.stack([item.levels for item in images]))
    odds = log_odds(judge.judge(from_levels(changed)).logits, target.link)
    columns = torch.tensor([target.labels.index(item.label) for item in images])
    values: list[float] = odds[torch.arange(len(images)), columns].clamp(-VALUE_LIMIT, VALUE_LIMIT).tolist()
    return values
