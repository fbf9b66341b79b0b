"""Everything a page may say, gathered once; what is not in here cannot be claimed."""

from collections.abc import Iterator
from dataclasses import dataclass
from statistics import median

from torch import Tensor

from trompe.core.numerics import level_odds
from trompe.run import ClassRecord, Kept, Run
from trompe.run.history import Ancestor, lineages
from trompe.run.painters import Painter, Place, painters
from trompe.run.sheet import SHOWN_LEVEL
from trompe.showing.networks import Natural, Network, natural, own_network, second_network
from trompe.showing.pictures import Press

Key = tuple[int, int, float]
"""Search, niche and level of a kept image; level 0 for the strongest."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """A run, and what was asked about it for the page.

    Attributes:
        run: As it was opened.
        public: Whether natural images, paths, machine, user and commit are left out.
        level: Of the first images that are shown.
        press: How large images may be.
        own: The run's target, if it can be asked again.
        second: Another network.
        natural: Real images, if the target has some.
        answers: What the target says of each shown image, shape (classes,).
        opinions: What the second network says of each.
        verified: Log-odds that verification found, for every kept image it saw.
        strips: The lineage of the strongest image, by search and niche.
        painters: The network behind it, where one painted it.
    """

    run: Run
    public: bool
    level: float
    press: Press
    own: Network
    second: Network
    natural: Natural | None
    answers: dict[Key, Tensor]
    opinions: dict[Key, Tensor]
    verified: dict[Key, float]
    strips: dict[Place, list[Ancestor]]
    painters: dict[Place, Painter]

    @property
    def labels(self) -> list[str]:
        """The classes attempted that count, each once, in the target's order."""
        counted = set(self.run.counted)
        return [label for label in self.run.about.target["labels"] if label in counted]

    @property
    def strongest(self) -> list[float]:
        """Log-odds of the strongest image of every class that has one, whatever the method."""
        found = [best for label in self.labels if (best := self.run[label].strongest)]
        return [kept.log_odds for kept in found]

    @property
    def finished(self) -> bool:
        """Whether every search came to its end."""
        return self.run.state == "done"

    def looks_to(self, level: float) -> list[int]:
        """For every class that reached a level: how many evaluations the quickest search needed."""
        found: dict[str, int] = {}
        labels = set(self.labels)
        for record in self.run.classes:
            if record.label in labels and (kept := record.first(level)):
                found[record.label] = min(kept.evaluations, found.get(record.label, kept.evaluations))
        return list(found.values())

    def natural_median(self) -> float | None:
        """Median log-odds of the class the target names for real images."""
        return None if self.natural is None else median(self.natural.confidence)

    def above_natural(self) -> int | None:
        """How many classes have an image above the natural median."""
        middle = self.natural_median()
        return None if middle is None else sum(odds > middle for odds in self.strongest)

    def reached(self, level: float) -> int:
        """In how many classes some kept image reaches a level."""
        least, labels = level_odds(level), set(self.labels)
        found = [record for record in self.run.classes if any(kept.log_odds >= least for kept in record.kept())]
        return len(labels & {record.label for record in found})


def shown_images(record: ClassRecord, level: float) -> list[tuple[Key, Kept]]:
    """What a tile shows: the first image at the level, and the strongest."""
    return [((record.search, record.niche, kept.level or 0.0), kept)
            for kept in (record.first(level), record.strongest) if kept]  # fmt: skip


def gather(run: Run, *, public: bool = False, second: str | None = None) -> Evidence:
    """Read the run, ask its target and a second network about the images that are shown."""
    level = SHOWN_LEVEL if SHOWN_LEVEL in run.about.levels else max(run.about.levels)
    images = dict(pair for record in run.classes for pair in shown_images(record, level))
    press = Press.of(len(run.classes), len(images), run.shape)
    own, other = own_network(run), second_network(run, second)
    keys, levels = list(images), [kept.levels for kept in images.values()]
    return Evidence(
        run, public, level, press, own, other, natural(own, run),
        answers=dict(_rows(keys, own.ask(levels))), opinions=dict(_rows(keys, other.ask(levels))),
        verified=run.judgements(), strips=_strips(run, press.links), painters=painters(run),
    )  # fmt: skip


def _rows(keys: list[Key], odds: Tensor | None) -> Iterator[tuple[Key, Tensor]]:
    if odds is not None:
        yield from zip(keys, odds, strict=True)


def _strips(run: Run, links: int) -> dict[Place, list[Ancestor]]:
    if not links:
        return {}
    found = [(record.search, record.niche, record.strongest.candidate) for record in run.classes if record.strongest]
    chains = lineages(run.folder, run.shape, [(search, candidate) for search, _, candidate in found], links)
    return {(search, niche): chain for (search, niche, _), chain in zip(found, chains, strict=True)}
