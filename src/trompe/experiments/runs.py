"""What experiments with searches share: runs that go on where they stopped, and what is asked of them."""

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import VALUE_LIMIT, from_levels, log_odds
from trompe.core.types import Classwise, Levels, Target
from trompe.experiments.nouns import Data
from trompe.experiments.wording import counted
from trompe.run import Run
from trompe.run.blobs import pack_levels, unpack_levels
from trompe.search import JudgeSettings, reference_judge
from trompe.search.judge import with_threads
from trompe.settings import FoolSettings, TrainSettings
from trompe.targets import load_target
from trompe.targets.trained import CARD
from trompe.verbs.fool import fool_with
from trompe.verbs.readable import SKIP
from trompe.verbs.train import train

POPULATION = 200
"""Candidates a generation, and in the random beginning, as in the released code."""


def searched(folder: Path, target: str | Target, **settings: Any) -> Run:
    """A finished `fool` in a folder: begun, taken up again, or found there.

    Args:
        folder: Of the run.
        target: Its name or folder, or the object.
        **settings: Further fields of `FoolSettings`.
    """
    name = target if isinstance(target, str) else target.name
    # What can be read is asked where a claim is about it: of all images of all runs it would take too long.
    chosen = FoolSettings(name, out=folder, resume=True, confidence=None, readers=SKIP, **settings)
    return fool_with(chosen, load_target(target) if isinstance(target, str) else target)


def beside(folder: Path, experiment: str, unit: str) -> Path:
    """Where another experiment keeps the runs of a unit, seen from the folder of a unit of one's own.

    Args:
        folder: Of one's own unit.
        experiment: The other's name.
        unit: Of the other.
    """
    return folder.parent.parent / experiment / unit


def forget(run: Run) -> None:
    """Remove a run that takes tens of megabytes, once what the claims are about has been taken from it."""
    gone = run.folder.with_name(f".{run.folder.name}.gone")
    shutil.rmtree(gone, ignore_errors=True)
    run.folder.replace(gone)  # at once: a run of which only a part is left could not be taken up again
    shutil.rmtree(gone)


def trained(folder: Path, architecture: str, seed: int, iterations: int, data: str = "mnist") -> str:
    """The folder of a network that stands wherever a TARGET does: found there, or trained and then put there."""
    if not (folder / CARD).exists():
        part = folder.with_name(f".{folder.name}.part")
        shutil.rmtree(part, ignore_errors=True)
        settings = TrainSettings(architecture, data=data, seed=seed, iterations=iterations, out=part)  # type: ignore[arg-type]
        with with_threads(1):  # more threads would make other weights
            train(**vars(settings))
        part.replace(folder)
    return str(folder)


def curve(run: Run, key: str) -> list[list[float]]:
    """Evaluations and a statistic of the archive, where either changed; JSON-ready."""
    steps = [[step["evaluations"], step[key]] for step in run.steps() if key in step]
    return [step for i, step in enumerate(steps) if i in (0, len(steps) - 1) or step[1] != steps[i - 1][1]]


def lenets(data: Data) -> str:
    """On how many networks the units were measured, for the population of a verdict."""
    nets = len({one["target"] for one in data.values()})
    return f"{counted(nets, 'LeNet')} and MNIST"


def short_of(data: Data, generations: int) -> str:
    """How the shortest unit is shorter than a claim; empty where none is."""
    least = min((one["generations"] for one in data.values()), default=0)
    return f"{least} of {generations} generations" if least < generations else ""


def at(points: Sequence[Sequence[float]], evaluations: int) -> float:
    """The last value of a curve until so many evaluations."""
    return max((point for point in points if point[0] <= evaluations), key=lambda point: point[0])[1]


def generation(number: int) -> int:
    """Evaluations at the end of a generation; 0 is the random beginning."""
    return POPULATION * (number + 1)


def strongest(run: Run) -> list[float]:
    """Of each class the log-odds of its strongest image as it was verified, read back from disk."""
    return [run.judgements()[record.search, record.niche, 0.0] for record in run.classes]


def pack(images: Tensor) -> list[str]:
    """Images as texts that JSON takes: bytes in hexadecimal digits, packed as in a run.

    Args:
        images: Bytes, shape (n, channels, height, width).
    """
    return [pack_levels(image).hex() for image in images]


def unpack(texts: Sequence[str], shape: tuple[int, int, int]) -> Tensor:
    """The bytes that `pack` packed."""
    return torch.stack([unpack_levels(bytes.fromhex(text), shape) for text in texts])


def pictures(run: Run) -> list[str]:
    """The strongest image of every class, packed."""
    return pack(kept(run))


def kept(run: Run) -> Levels:
    """The strongest image of every class, as bytes."""
    return torch.stack([record.strongest.levels for record in run.classes if record.strongest])


def odds(target: Target, levels: Levels) -> Classwise:
    """What a target says of images: log-odds of every class, clipped as everywhere they are compared."""
    outputs = reference_judge(target, JudgeSettings(50)).judge(from_levels(levels))
    return log_odds(outputs.logits, target.link).clamp(-VALUE_LIMIT, VALUE_LIMIT)


def own_odds(target: Target, levels: Levels) -> list[float]:
    """What a target says of image i for its i-th class."""
    own: list[float] = odds(target, levels).diagonal().tolist()
    return own
