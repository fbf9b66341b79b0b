"""`train`: make one of trompe's own small networks, the same way for the same seed."""

import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from torch import nn

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.data import Dataset, load
from trompe.settings import TrainSettings
from trompe.targets.architectures import Centred, build
from trompe.targets.generative import GENERATIVE
from trompe.targets.trained import Card, sample_images, save_trained
from trompe.targets.training import Recipe, errors, fit
from trompe.verbs.keywords import keywords
from trompe.verbs.place import check_folder
from trompe.verbs.train_readers import training_readers


def training(settings: TrainSettings) -> Iterator[tuple[int, float]]:
    """Train as `train` does.

    Yields:
        Iterations done and the loss of the last one, after each; nothing while a generative classifier is fitted.
    """
    check_at_least(settings.iterations, 1, "--iterations")
    check_at_least(settings.seed, 0, "--seed")
    if settings.images is not None:
        raise BadInput(
            expected="no folder of images for a network",
            got=str(settings.images),
            where="--images",
            do="Leave it out, or fit readers: trompe train readers --images FOLDER.",
        )
    check_folder(settings.out)
    data = load(settings.data)
    if settings.architecture in GENERATIVE:
        module: nn.Module = GENERATIVE[settings.architecture].fit(data.train, settings.iterations, settings.seed)
        recipe: dict[str, Any] = {"iterations": settings.iterations}
    else:
        schedule = Recipe(iterations=settings.iterations)
        net = build(settings.architecture, len(data.labels), settings.seed)
        module, recipe = Centred(net, data.train.images.to(torch.float64).mean(0)), asdict(schedule)
        yield from fit(module, data.train, schedule, settings.seed)
    save_trained(settings.out, module, _card(settings, recipe, module, data), sample_images(data.test))


def _card(settings: TrainSettings, recipe: dict[str, Any], module: nn.Module, data: Dataset) -> Card:
    return Card(
        architecture=settings.architecture,
        data=settings.data,
        seed=settings.seed,
        labels=data.labels,
        command=f"trompe train {settings.architecture} --data {settings.data} --seed {settings.seed} "
        f"--iterations {settings.iterations}",
        choose_errors=errors(module, data.choose),
        test_errors=errors(module, data.test),
        recipe=recipe,
        versions={"trompe": version("trompe"), "torch": str(torch.__version__), "python": platform.python_version()},
    )


@keywords(TrainSettings)
def train(settings: TrainSettings) -> Path:
    """Train a network, or fit readers, and write the folder; see `training` and `training_readers` for progress.

    Takes the fields of `TrainSettings`.

    Returns:
        The folder, which stands wherever a TARGET is expected; of readers, wherever a folder of readers is.

    Raises:
        BadInput: The folder holds a network or readers already, or a setting is out of range.
        DataError: The data cannot be had.
    """
    steps: Iterator[Any] = training_readers(settings) if settings.architecture == "readers" else training(settings)
    for _ in steps:
        pass
    return settings.out
