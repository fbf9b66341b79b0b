"""`train`: make one of trompe's own small networks, the same way for the same seed."""

import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import torch

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.data import Dataset, load
from trompe.settings import TrainSettings
from trompe.targets.architectures import Centred, build
from trompe.targets.trained import CARD, Card, sample_images, save_trained
from trompe.targets.training import Recipe, errors, fit
from trompe.verbs.keywords import keywords


def training(settings: TrainSettings) -> Iterator[tuple[int, float]]:
    """Train as `train` does.

    Yields:
        Iterations done and the loss of the last one, after each.
    """
    check_at_least(settings.iterations, 1, "--iterations")
    check_at_least(settings.seed, 0, "--seed")
    check_new(settings.out)
    data = load(settings.data)
    recipe = Recipe(iterations=settings.iterations)
    net = build(settings.architecture, len(data.labels), settings.seed)
    module = Centred(net, data.train.images.to(torch.float64).mean(0))
    yield from fit(module, data.train, recipe, settings.seed)
    save_trained(settings.out, module, _card(settings, recipe, module, data), sample_images(data.test))


def check_new(folder: Path) -> None:
    """Make a folder for a network, and refuse one that holds a network already.

    Raises:
        BadInput: It does, is a file, or cannot be written.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(expected="a folder", got="a file", where=f"--out {folder}", do="Choose another place.")
    if (folder / CARD).exists():
        raise BadInput(
            expected="a folder without a network",
            got="one with a trained network in it",
            where=f"--out {folder}",
            do="Choose another folder, or delete this one.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise BadInput(
            expected="a folder that can be written",
            got=cause.strerror or str(cause),
            where=f"--out {folder}",
            do="Choose another place, or change its permissions.",
        ) from cause


def _card(settings: TrainSettings, recipe: Recipe, module: Centred, data: Dataset) -> Card:
    return Card(
        architecture=settings.architecture,
        data=settings.data,
        seed=settings.seed,
        labels=data.labels,
        command=f"trompe train {settings.architecture} --data {settings.data} --seed {settings.seed} "
        f"--iterations {settings.iterations}",
        choose_errors=errors(module, data.choose),
        test_errors=errors(module, data.test),
        recipe=asdict(recipe),
        versions={"trompe": version("trompe"), "torch": str(torch.__version__), "python": platform.python_version()},
    )


@keywords(TrainSettings)
def train(settings: TrainSettings) -> Path:
    """Train a network and write its folder; see `training` for progress.

    Takes the fields of `TrainSettings`.

    Returns:
        The folder, which stands wherever a TARGET is expected.

    Raises:
        BadInput: The folder holds a network already, or a setting is out of range.
        DataError: The data cannot be had.
    """
    for _ in training(settings):
        pass
    return settings.out
