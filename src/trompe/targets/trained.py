"""A trained network on disk: weights, a card that says how it came to be, and a hundred real test images."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import nn

from trompe.core.errors import TargetError
from trompe.core.specs import ImageSpec
from trompe.data import Split
from trompe.targets.architectures import ARCHITECTURES, Centred, build
from trompe.targets.declaration import Declaration
from trompe.targets.generative import GENERATIVE
from trompe.targets.preprocessing import PLAIN
from trompe.targets.torch import TorchTarget

WEIGHTS, CARD, SAMPLES = "model.safetensors", "card.json", "samples.safetensors"


@dataclass(frozen=True)
class Card:
    """What stands beside the weights.

    Attributes:
        architecture: A key of `ARCHITECTURES` or of `GENERATIVE`, or ``package.module:factory``.
        data: The data set it was trained on.
        seed: Of its initial weights and the order of its data.
        labels: One name a class.
        command: The command that makes it again.
        choose_errors: Images named wrongly of the 10,000 to choose on.
        test_errors: Images named wrongly of the 10,000 test images, which were opened once, for this number.
        recipe: Every setting of the training.
        versions: Of what trained it.
        shape: Of one image: channels, height, width.
        abstain: The label that stands for "none of these", one of `labels`; empty where there is none.
        hardened: How it was hardened and what came of it; empty of a network trained in the plain way.
    """

    architecture: str
    data: str
    seed: int
    labels: tuple[str, ...]
    command: str
    choose_errors: int
    test_errors: int
    recipe: dict[str, Any]
    versions: dict[str, str]
    shape: tuple[int, int, int] = (1, 28, 28)
    abstain: str = ""
    hardened: dict[str, Any] = field(default_factory=dict)


def save_trained(folder: Path, module: nn.Module, card: Card, samples: Split) -> None:
    """Write the three files of a trained network into a folder that exists."""
    # Not by save_file, whose files nobody but their owner may read, whatever the umask.
    (folder / WEIGHTS).write_bytes(save({name: value.contiguous() for name, value in module.state_dict().items()}))
    usual: dict[str, Any] = {"shape": Card.shape, "abstain": Card.abstain, "hardened": {}}
    # What a network trained in the plain way needs no word about is left out: its card is as it always was.
    told = {key: value for key, value in vars(card).items() if key not in usual or value != usual[key]}
    (folder / CARD).write_text(json.dumps(told, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
    (folder / SAMPLES).write_bytes(save({"images": samples.images.contiguous(), "classes": samples.classes}))


def sample_images(test: Split) -> Split:
    """The first ten images of each class."""
    rows = torch.cat([(test.classes == c).nonzero().flatten()[:10] for c in range(int(test.classes.max()) + 1)])
    return Split(test.images[rows], test.classes[rows])


def load_trained(folder: Path, name: str, trust: Sequence[str] = ()) -> TorchTarget:
    """The network that `save_trained` wrote, as a target.

    Args:
        folder: Where it is.
        name: What it is to be called.
        trust: Names ``package.module:factory`` of architectures that may be imported and called.

    Raises:
        TargetError: A file is missing, damaged, or of another architecture, or its architecture is code not trusted.
    """
    card = read_card(folder)
    _check_architecture(folder, card.architecture, trust)
    module = _untrained(card)
    try:
        module.load_state_dict(load_file(folder / WEIGHTS))
    except (OSError, SafetensorError, RuntimeError) as cause:
        raise _damaged(folder / WEIGHTS, f"whole weights of a {card.architecture}", str(cause)) from cause
    module.eval().requires_grad_(False)
    mean: Any = module.mean
    declared = Declaration(labels=card.labels, preprocessing=PLAIN, abstain=card.abstain)
    spec = ImageSpec(*card.shape)
    return TorchTarget(name, module, spec, card.labels, mean_image=mean / 255.0, declared=declared, folder=folder)


def read_card(folder: Path) -> Card:
    """The card beside the weights.

    Raises:
        TargetError: It is missing or damaged.
    """
    try:
        fields = json.loads((folder / CARD).read_text(encoding="utf-8"))
        shape = ImageSpec(*fields["shape"]).shape if "shape" in fields else Card.shape
        return Card(**{**fields, "labels": tuple(fields["labels"]), "shape": shape})
    except (OSError, ValueError, TypeError, KeyError) as cause:
        raise _damaged(folder / CARD, "the card of a trained network", str(cause)) from cause


def read_samples(folder: Path) -> Split:
    """A hundred real test images, ten a class, the first of each class in the test set's order.

    Raises:
        TargetError: The file is missing or damaged.
    """
    try:
        arrays = load_file(folder / SAMPLES)
        return Split(arrays["images"], arrays["classes"])
    except (OSError, SafetensorError, KeyError) as cause:
        raise _damaged(folder / SAMPLES, "the sample images of a trained network", str(cause)) from cause


def _untrained(card: Card) -> nn.Module:
    if card.architecture in GENERATIVE:
        return GENERATIVE[card.architecture].empty(len(card.labels))
    return Centred(build(card.architecture, len(card.labels), card.seed), torch.zeros(card.shape))


def _check_architecture(folder: Path, architecture: str, trust: Sequence[str]) -> None:
    if architecture in ARCHITECTURES or architecture in GENERATIVE or architecture in trust:
        return
    if ":" not in architecture:
        raise _damaged(
            folder / CARD, f"an architecture among {', '.join([*ARCHITECTURES, *GENERATIVE])}", repr(architecture)
        )
    raise TargetError(
        expected=f"leave to run the code {architecture}, which makes this network",
        got="none",
        where=str(folder / CARD),
        do=f"Where you know that code, add --trust {architecture}.",
    )


def _damaged(path: Path, expected: str, got: str) -> TargetError:
    return TargetError(
        expected=expected, got=got, where=str(path), do="Train it again with `trompe train`, or install trompe again."
    )
