"""What a hardening leaves: a target folder, as `trompe train` writes it, whose card says what it cost."""

import platform
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch

from trompe.data import Dataset
from trompe.hardening.networks import NONE, Counts, count
from trompe.hardening.recipes import Recipe
from trompe.targets import TorchTarget
from trompe.targets.architectures import Centred
from trompe.targets.trained import Card, load_trained, sample_images, save_trained
from trompe.targets.training import Recipe as Schedule


@dataclass(frozen=True)
class Hardened:
    """A hardened network on disk.

    Attributes:
        folder: Stands wherever a TARGET is expected.
        card: How it came to be.
        test: What it says of the natural test images, which were opened once, for this.
    """

    folder: Path
    card: Card
    test: Counts

    def target(self) -> TorchTarget:
        """The network as a target; its class for none of these, if it has one, refuses what it wins."""
        return load_trained(self.folder, self.folder.resolve().name, (self.card.architecture,))


def save_hardened(  # noqa: PLR0913  one for each thing a card says
    folder: Path, module: Centred, data: Dataset, recipe: Recipe, schedule: Schedule,
    *, architecture: str, seed: int, command: str, more: dict[str, Any],
) -> Hardened:  # fmt: skip
    """Count what a network says of natural images and write its folder.

    Args:
        folder: Which; it exists.
        module: Trained, in evaluation mode.
        data: What it was trained on.
        recipe: By which.
        schedule: By which.
        architecture: A key of `ARCHITECTURES`, or ``package.module:factory``.
        seed: Of the command.
        command: That makes it again.
        more: What else is to be said of the hardening, JSON-ready.
    """
    classes = len(data.labels)
    module.to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]  # as it will be read back
    choose, test = count(module, data.choose, classes), count(module, data.test, classes)
    channels, height, width = data.train.images.shape[1:]
    told = {"recipe": recipe.name, "manner": recipe.manner, **recipe.describe(), **more}
    card = Card(
        architecture=architecture,
        data=data.name,
        seed=seed,
        labels=(*data.labels, NONE) if recipe.none else data.labels,
        command=command,
        choose_errors=choose.images - choose.accepted_and_right,
        test_errors=test.images - test.accepted_and_right,
        recipe=asdict(schedule),
        versions={"trompe": version("trompe"), "torch": str(torch.__version__), "python": platform.python_version()},
        shape=(channels, height, width),
        abstain=NONE if recipe.none else "",
        hardened={**told, "choose": choose.describe(), "test": test.describe()},
    )
    save_trained(folder, module, card, sample_images(data.test))
    return Hardened(folder, card, test)
