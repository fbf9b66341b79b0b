"""The network that is hardened: made, trained by a recipe, counted on natural images, opened as a target."""

from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, level_odds, log_odds
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.data import Dataset, Split
from trompe.hardening.recipes import Recipe
from trompe.targets import Declaration, TorchTarget
from trompe.targets.architectures import ARCHITECTURES, Centred, build
from trompe.targets.preprocessing import PLAIN
from trompe.targets.training import Bookmark, fit
from trompe.targets.training import Recipe as Schedule

NONE = "none of these"
"""Label of the class for what belongs to no class."""
_SURE = 0.99


def new_network(data: Dataset, architecture: str, seed: int, *, none: bool = False) -> Centred:
    """An untrained network for a data set, with one more class where asked for; the same for the same seed.

    Raises:
        BadInput: No such architecture, or the data have a label for none of these themselves.
        TargetError: The architecture's factory fails, or the network does not take the data's images.
    """
    if none and NONE in data.labels:
        raise BadInput(
            expected="labels of things",
            got=repr(NONE),
            where=f"--data {data.name}",
            do="Rename that folder, or choose a recipe without a class for none.",
        )
    mean = data.train.images.to(torch.float64).mean(0)
    net = build(architecture, len(data.labels) + none, seed)
    if architecture in ARCHITECTURES:  # in this layout a LeNet answers in half the time; another's code may not bear it
        net = net.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
    return Centred(net, mean)


def train_by(  # noqa: PLR0913  one for each thing that a training is made of
    module: nn.Module, data: Dataset, recipe: Recipe, schedule: Schedule, stream: Stream,
    bookmark: Bookmark | None = None,
) -> Iterator[tuple[int, float]]:  # fmt: skip
    """Train a network in place by a recipe.

    Args:
        module: Untrained.
        data: Its training images are passed through.
        recipe: What is added to them, and what they cost.
        schedule: Rates, batch, iterations.
        stream: Of this training.
        bookmark: Where it goes on from.

    Yields:
        Iterations done and the loss of the last one, after each.
    """
    seed = int(stream.branch("order").integers(1, 2**53))

    def loss(module: nn.Module, images: Tensor, classes: Tensor, iteration: int) -> Tensor:
        return recipe.loss(module, images, classes, Stream(stream.seed, f"{stream.purpose}/loss", iteration))

    yield from fit(module, recipe.lesson(data.train), schedule, seed, loss, bookmark)


def as_target(name: str, module: nn.Module, data: Dataset, *, none: bool, abstains: bool = True) -> TorchTarget:
    """A trained network as a target.

    Args:
        name: Of the target.
        module: In evaluation mode.
        data: What it was trained on.
        none: Whether its last class is for none of these.
        abstains: Whether an image that this class wins is refused; otherwise it is a class like any other.
    """
    labels = (*data.labels, NONE) if none else data.labels
    channels, height, width = data.train.images.shape[1:]
    declared = Declaration(labels=labels, preprocessing=PLAIN, abstain=NONE if none and abstains else "")
    return TorchTarget(name, module, ImageSpec(channels, height, width), labels, declared=declared)


@dataclass(frozen=True)
class Counts:
    """What a network says of natural images whose classes are known.

    Attributes:
        images: How many.
        right: Named rightly among the real classes, accepted or not.
        accepted: Let through: no class for none of these won.
        accepted_and_right: Both.
        sure: Accepted, with the log-odds of confidence 0.99 or more for the class that won.
    """

    images: int
    right: int
    accepted: int
    accepted_and_right: int
    sure: int

    @property
    def accuracy(self) -> float:
        """Share named rightly, accepted or not."""
        return self.right / self.images

    @property
    def coverage(self) -> float:
        """Share accepted."""
        return self.accepted / self.images

    @property
    def accuracy_of_accepted(self) -> float | None:
        """Of those accepted, the share named rightly; None where none is."""
        return self.accepted_and_right / self.accepted if self.accepted else None

    @property
    def accepted_and_correct(self) -> float:
        """Share accepted and named rightly."""
        return self.accepted_and_right / self.images

    def describe(self) -> dict[str, Any]:
        """Counts and shares by name, JSON-ready; a share that cannot be formed is said to be not measured."""
        share = self.accuracy_of_accepted
        return {
            **asdict(self),
            "accuracy": self.accuracy,
            "coverage": self.coverage,
            "accuracy_of_accepted": {"not_measured": "nothing was accepted"} if share is None else share,
            "accepted_and_correct": self.accepted_and_correct,
        }


def count(module: nn.Module, data: Split, classes: int) -> Counts:
    """Ask a network about natural images.

    Args:
        module: In evaluation mode; its outputs after the first `classes` are for none of these.
        data: Images with their classes.
        classes: How many real ones there are.
    """
    with torch.inference_mode():
        logits = torch.cat([module(from_levels(images)) for images in data.images.split(500)])
    named = logits[:, :classes].argmax(1)
    right, accepted = named == data.classes, logits.argmax(1) == named
    odds = log_odds(logits).gather(1, named.unsqueeze(1)).squeeze(1)
    sure = accepted & (odds >= level_odds(_SURE))
    totals = (right, accepted, accepted & right, sure)
    return Counts(len(data), *(int(part.sum()) for part in totals))
