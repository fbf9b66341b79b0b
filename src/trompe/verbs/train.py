"""`train`: make one of trompe's own small networks, the same way for the same seed."""

import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.data import Dataset, Split, load
from trompe.settings import TrainSettings
from trompe.targets.architectures import ARCHITECTURES, Centred, initialise
from trompe.targets.trained import Card, save_trained
from trompe.targets.training import Recipe, errors, fit
from trompe.verbs.keywords import keywords
from trompe.verbs.place import check_folder
from trompe.verbs.train_readers import training_readers


def training(settings: TrainSettings) -> Iterator[tuple[int, float]]:
    """Train as `train` does.

    Yields:
        Iterations done and the loss of the last one, after each.
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
    recipe = Recipe(iterations=settings.iterations)
    net = ARCHITECTURES[settings.architecture]()
    initialise(net, settings.seed)
    module = Centred(net, data.train.images.to(torch.float64).mean(0))
    yield from fit(module, data.train, recipe, settings.seed)
    save_trained(settings.out, module, _card(settings, recipe, module, data), _samples(data.test))


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


def _samples(test: Split) -> Split:
    rows = torch.cat([(test.classes == name).nonzero().flatten()[:10] for name in range(int(test.classes.max()) + 1)])
    return Split(test.images[rows], test.classes[rows])


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
