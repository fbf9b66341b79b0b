"""The loop of Nguyen 2015: fool the network, call what fooled it none of these, train anew, and again."""

from collections.abc import Generator, Iterator
from dataclasses import asdict, dataclass, field
from functools import partial
from typing import Any

import torch
from torch import nn

from trompe.core.errors import BadInput
from trompe.core.seeds import Stream
from trompe.core.types import Levels
from trompe.data import Dataset, Split
from trompe.hardening.evolved import Fooling, Siege, besiege
from trompe.hardening.kept import Keep
from trompe.hardening.networks import Counts, as_target, count, new_network, train_by
from trompe.hardening.recipes import NegativeClass
from trompe.targets.architectures import Centred
from trompe.targets.training import Recipe as Schedule


@dataclass(frozen=True)
class Loop:
    """How often the network is fooled and trained, on how many images.

    Attributes:
        networks: How many are trained; the first is plain.
        first: Images of none of these that the second network is trained on.
        more: That each later one is trained on besides.
        held: For each so many images to train on one more is held back, to test on; none where 0.
        architecture: A key of `ARCHITECTURES`, or ``package.module:factory``.
        siege: How each network is attacked.
        schedule: How each is trained, from the beginning.
    """

    networks: int = 15
    first: int = 6000
    more: int = 1000
    held: int = 6
    architecture: str = "lenet"
    siege: Siege = field(default_factory=lambda: Siege(makers=("cppn-evolve",)))
    schedule: Schedule = field(default_factory=lambda: Schedule(iterations=3000))

    def __post_init__(self) -> None:
        if min(self.networks, self.first, self.more) < 1 or self.held < 0:
            raise BadInput(
                expected="at least one network, and at least one image",
                got=f"{self.networks} networks, {self.first} and {self.more} images",
                where="--rounds, --negatives",
                do="Give larger numbers.",
            )

    def wanted(self, number: int) -> tuple[int, int]:
        """Images to train on and to test on that are made against network `number`."""
        train = self.first if number == 1 else self.more
        return train, train // self.held if self.held else 0

    def runs(self, number: int, classes: int) -> int:
        """Runs that this takes: each gives the first and the last image of every class."""
        return -(-sum(self.wanted(number)) // (2 * classes))

    def describe(self) -> dict[str, Any]:
        """Every number, JSON-ready."""
        return asdict(self)


@dataclass(frozen=True, eq=False)
class Round:
    """One network of the loop, and what became of it.

    Attributes:
        number: Counted from 1; network 1 has no class for none of these.
        module: The network.
        negatives: Images of none of these that it was trained on.
        tests: Of those held back, how many there are.
        refused: Of those, how many it calls none of these.
        counts: What it says of the natural test images.
        attack: What new runs against it ended with.
    """

    number: int
    module: Centred
    negatives: int
    tests: int
    refused: int
    counts: Counts
    attack: Fooling


@dataclass(frozen=True)
class Progress:
    """How far a hardening has come: parts done, of how many, and what is being done."""

    done: int
    total: int
    words: str


def rounds(data: Dataset, loop: Loop, seed: int, keep: Keep | None = None) -> Iterator[Round]:
    """Fool the network, call what fooled it none of these, train it anew on all such images so far, and again.

    Network 1 is trained on the data alone. Each network is attacked with the same number of evaluations (a run ends
    early where every class is there); the images of the random beginning and of the end enter the class for none of
    these, half and half, some of them held back to test on.

    Reference: Nguyen 2015, sections 3.6 to 3.8 and table S1.

    Differs from the paper: every network is attacked as often as it takes to get the next one's images. How long the
    paper's runs and its training took could not be sourced; here a run ends at saturation, at the latest after the
    siege's generations.

    Args:
        data: What is classified.
        loop: How often and how much.
        seed: Of everything that is drawn; the same seed gives the same rounds.
        keep: Where rounds are kept, so that those that are there are not done again; None to keep nothing.

    Yields:
        Each round after it was done, or read back.
    """
    for event in working(data, loop, seed, keep):
        if isinstance(event, Round):
            yield event


def working(data: Dataset, loop: Loop, seed: int, keep: Keep | None = None) -> Iterator[Round | Progress]:
    """As `rounds`, with its progress between them."""
    work = _Work(data, loop, seed)
    train = held = data.train.images[:0]
    for number in range(1, loop.networks + 1):
        found = keep.read(number, partial(work.network, number)) if keep else None
        if found is None:
            found = yield from work.round(number, train)
            if keep:
                keep.write(number, *found)
        module, attack = found
        yield Progress(work.before(number + 1), work.total, f"network {number} done")
        counts = count(module, data.test, len(data.labels))
        yield Round(number, module, len(train), len(held), _refused(module, held, data), counts, attack)
        images, (wanted, tests) = attack.images(), loop.wanted(number)
        train, held = torch.cat([train, images[:wanted]]), torch.cat([held, images[wanted : wanted + tests]])


_RUN = 20
"""Iterations that a run takes about as long as."""


@dataclass(frozen=True, eq=False)
class _Work:
    """One loop over one data set: all of it that stays the same."""

    data: Dataset
    loop: Loop
    seed: int

    def network(self, number: int) -> Centred:
        """An untrained network of the kind of that round."""
        seed = int(Stream(self.seed, "harden/network", number).integers(1, 2**53))
        return new_network(self.data, self.loop.architecture, seed, none=number > 1)

    def before(self, number: int) -> int:
        """Parts of progress before that round."""
        iterations, classes = self.loop.schedule.iterations, len(self.data.labels)
        return sum(iterations + _RUN * self.loop.runs(before, classes) for before in range(1, number))

    @property
    def total(self) -> int:
        """Parts of progress in all."""
        return self.before(self.loop.networks + 1)

    def round(self, number: int, negatives: Levels) -> Generator[Progress, None, tuple[Centred, Fooling]]:
        """Train a network and attack it."""
        module, stream = self.network(number), Stream(self.seed, f"harden/train-{number}", 0)
        for done, loss in train_by(module, self.data, NegativeClass(negatives), self.loop.schedule, stream):
            yield Progress(self.before(number) + done, self.total, f"network {number}: loss {loss:.4f}")
        trained = self.before(number) + self.loop.schedule.iterations
        runs: list[Fooling] = []
        for run in self.attack(number, module):
            runs.append(run)
            yield Progress(trained + _RUN * len(runs), self.total, f"network {number}: attack {len(runs)}")
        return module, Fooling.of(runs)

    def attack(self, number: int, module: Centred) -> Iterator[Fooling]:
        """Every run against a network."""
        # That the class for none wins is no refusal here: as in the paper, an image is worth its log-odds among all.
        target = as_target(f"network-{number}", module, self.data, none=number > 1, abstains=False)
        classes, stream = len(self.data.labels), Stream(self.seed, f"harden/attack-{number}", 0)
        return besiege(target, classes, self.loop.siege, self.loop.runs(number, classes), stream)


def _refused(module: nn.Module, held: Levels, data: Dataset) -> int:
    """Of images that mean nothing, how many no real class wins."""
    if not len(held):
        return 0
    told = count(module, Split(held, torch.zeros(len(held), dtype=torch.int64)), len(data.labels))
    return told.images - told.accepted
