"""What a target says of natural images: the user's own, or the samples that lie beside a trained network."""

from collections.abc import Sequence
from pathlib import Path

import torch

from trompe.core.numerics import VALUE_LIMIT, Link, from_levels, log_odds
from trompe.core.types import Outputs, Target
from trompe.data.folders import Photographs, read_photographs
from trompe.measure.metrics import Answer
from trompe.measure.surviving import itself
from trompe.search import Judge, JudgeSettings
from trompe.targets import bundled_targets
from trompe.targets.guarded import undefended
from trompe.targets.ready import prepared_of
from trompe.targets.trained import read_samples


def natural_images(target: Target, images: Path | None, limit: int | None = None) -> Photographs | None:
    """The images of a folder; where none is named, the samples that lie beside a trained network; None elsewhere.

    Raises:
        DataError: The folder holds no images, or its folders are no labels.
    """
    if images is not None:
        fit = prepared_of(target).fit
        return read_photographs(images, target.labels, target.spec.shape, fit=fit, limit=limit)
    folder = samples_folder(target)
    if folder is None:
        return None
    samples = read_samples(folder)
    files = tuple(folder / f"sample-{i}" for i in range(len(samples)))
    return Photographs(samples.images, samples.classes, files)


def samples_folder(target: Target) -> Path | None:
    """Where the sample images of a trained network lie, its guards and transforms apart; None of any other target."""
    own = undefended(itself(target))
    folder: Path | None = getattr(own, "folder", None)
    return folder or bundled_targets().get(own.name)


def judge_natural(target: Target, photographs: Photographs, judge: JudgeSettings) -> list[Answer]:
    """What the target says of each image.

    Raises:
        TargetError: It gives answers that cannot be judged.
    """
    return answers(photographs, Judge(target, judge).judge(from_levels(photographs.images)), target.link)


def answers(photographs: Photographs, outputs: Outputs, link: Link) -> list[Answer]:
    """What was said of each image, from all that was put out."""
    odds = log_odds(outputs.logits, link).clamp(-VALUE_LIMIT, VALUE_LIMIT)
    named = odds.argmax(1)
    rows = torch.arange(len(odds))
    accepted = torch.ones(len(odds), dtype=torch.bool) if outputs.slack is None else outputs.slack[rows, named] >= 0
    best = odds[rows, named]
    return [
        Answer(int(true), int(column), float(value), bool(passed))
        for true, column, value, passed in zip(photographs.classes, named, best, accepted, strict=True)
    ]


def right_log_likelihood(photographs: Photographs, outputs: Outputs, link: Link) -> Sequence[float]:
    """Log-probability of each labelled image's own class."""
    odds = log_odds(outputs.logits, link).gather(1, photographs.classes.unsqueeze(1)).squeeze(1)
    likelihood: list[float] = torch.nn.functional.logsigmoid(odds).clamp(min=-50.0).tolist()
    return likelihood
