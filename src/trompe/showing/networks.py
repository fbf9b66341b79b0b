"""Asking networks: the run's own target, a second one, and what they say of real images."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from trompe.core.errors import TrompeError
from trompe.core.numerics import from_levels, log_odds
from trompe.core.types import Target
from trompe.measure.surviving import as_recorded
from trompe.run import Run
from trompe.search import REMOTE, JudgeSettings, reference_judge
from trompe.targets import bundled_targets, load_target
from trompe.targets.ready import beside
from trompe.targets.trained import CARD, Card, read_card, read_samples

PAIRS = {
    "lenet-mnist": "lenet-mnist-b",
    "lenet-mnist-b": "lenet-mnist",
    "mlp-mnist": "lenet-mnist",
    "softmax-mnist": "lenet-mnist",
}
"""Which bundled network gives the second opinion on another's images, where nothing else is asked for."""
_AT_ONCE = 64


@dataclass(frozen=True, eq=False)
class Network:
    """A network that can be asked again, as the run's reference was asked; or why it cannot.

    Attributes:
        name: Of the network; empty where there is none.
        target: None where it cannot be asked.
        judge: How it is asked.
        reason: Why it cannot be asked; empty where it can.
    """

    name: str
    target: Target | None
    judge: JudgeSettings
    reason: str = ""

    def ask(self, images: Sequence[Tensor]) -> Tensor | None:
        """Log-odds of every class for images given as bytes, shape (n, classes); None where it cannot be asked."""
        if self.target is None or not images:
            return None
        judge = reference_judge(self.target, self.judge)
        parts = [images[i : i + _AT_ONCE] for i in range(0, len(images), _AT_ONCE)]
        logits = torch.cat([judge.judge(from_levels(torch.stack(list(part)))).logits for part in parts])
        return log_odds(logits, self.target.link)


@dataclass(frozen=True, eq=False)
class Natural:
    """Real images of the target's own test set, none of them trained on.

    Attributes:
        images: Bytes, one an image.
        classes: The true class of each.
        odds: What the target says of each, shape (n, classes).
        data: Name of the data set.
    """

    images: tuple[Tensor, ...]
    classes: tuple[int, ...]
    odds: Tensor
    data: str

    @property
    def says(self) -> list[int]:
        """The class the target names for each."""
        named: list[int] = self.odds.argmax(1).tolist()
        return named

    @property
    def confidence(self) -> list[float]:
        """Log-odds of the class it names for each."""
        highest: list[float] = self.odds.amax(1).tolist()
        return highest

    @property
    def right(self) -> list[bool]:
        """Whether the class it names is the true one."""
        return [said == true for said, true in zip(self.says, self.classes, strict=True)]

    def nearest(self, levels: Tensor) -> tuple[int, float]:
        """Which of the images is nearest to another, of any class, and its Euclidean distance in units of [0, 1]."""
        gaps = torch.stack(self.images).to(torch.float64) - levels.to(torch.float64)
        distance = gaps.flatten(1).norm(dim=1) / 255.0
        row = int(distance.argmin())
        return row, float(distance[row])


def own_network(run: Run) -> Network:
    """The run's target, where it can be loaded and is still the one the run was made on."""
    judge, recorded = JudgeSettings(**run.about.judge), run.about.target
    if judge.engine == REMOTE:  # whoever allowed a search of so many rows did not allow a page to send more
        return Network(recorded["name"], None, judge, "the target is a remote service, which a page does not ask")
    try:
        target = as_recorded(load_target(recorded["text"], beside(recorded)), recorded)
    except TrompeError:
        return Network(recorded["name"], None, judge, "the target cannot be loaded by its name")
    if target.fingerprint() != recorded["fingerprint"]:
        return Network(recorded["name"], None, judge, "the target that bears this name now is another one")
    return Network(recorded["name"], target, judge)


def second_network(run: Run, text: str | None) -> Network:
    """The network that gives a second opinion: the one asked for, otherwise the one bundled as a pair.

    Raises:
        BadInput: The one asked for is unknown.
        TargetError: The one asked for is damaged.
    """
    judge, recorded = JudgeSettings(**run.about.judge), run.about.target
    bundled = as_recorded(load_target(recorded["text"]), recorded) if recorded["text"] in bundled_targets() else None
    known = bundled is not None and bundled.fingerprint() == recorded["fingerprint"]
    text = text or (PAIRS.get(recorded["text"]) if known else None)
    if text is None:
        return Network("", None, judge, "there is no second network for this target")
    target = load_target(text)
    if list(target.labels) != recorded["labels"] or target.spec.describe() != recorded["spec"]:
        return Network(target.name, None, judge, f"{target.name} takes other images or names other classes")
    return Network(target.name, target, judge)


def natural(own: Network, run: Run) -> Natural | None:
    """The target's hundred sample images and what it says of them; None where it has none."""
    card, folder = read_own_card(own, run), target_folder(run)
    if card is None or folder is None or own.target is None:
        return None
    try:
        samples = read_samples(folder)
    except TrompeError:
        return None
    images = tuple(samples.images)
    odds = own.ask(images)
    return None if odds is None else Natural(images, tuple(samples.classes.tolist()), odds, card.data)


def read_own_card(own: Network, run: Run) -> Card | None:
    """How the run's target came to be, where it is one that trompe trained."""
    folder = target_folder(run)
    try:
        return read_card(folder) if folder is not None and own.target is not None else None
    except TrompeError:
        return None


def target_folder(run: Run) -> Path | None:
    """Where the run's target lies, if it is a trained network on disk."""
    text = run.about.target["text"]
    return Path(text) if (Path(text) / CARD).is_file() else bundled_targets().get(text)
