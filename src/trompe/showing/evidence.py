"""Everything a page may say, gathered once; what is not in here cannot be claimed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from trompe.core.numerics import level_odds
from trompe.measure.metrics import Answer, usual_log_odds
from trompe.run import ClassRecord, Kept, Run
from trompe.run.history import Ancestor, lineages
from trompe.run.painters import Painter, Place, painters
from trompe.run.reads import Reads, reads_of
from trompe.run.sheet import SHOWN_LEVEL
from trompe.showing.networks import Natural, Network, natural, own_network, second_network
from trompe.showing.pictures import Press
from trompe.verbs.audit import answers_of
from trompe.verbs.gate import best_odds
from trompe.verbs.people import People
from trompe.verbs.transfer import read_transfers

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
        told: What the target said of real images: those that the run judged, otherwise those of `natural`.
        answers: What the target says of each shown image, shape (classes,).
        opinions: What the second network says of each.
        verified: Log-odds that verification found, for every kept image it saw.
        strips: The lineage of the strongest image, by search and niche.
        painters: The network behind it, where one painted it.
        reads: What readers said of the kept images.
        people: What people saw in the images; None where nobody was asked.
        transfers: What `trompe transfer` measured of this run, one entry a classifier; empty where it was not asked to.
        said: What else must be known before anything is believed, one sentence each.
    """

    run: Run
    public: bool
    level: float
    press: Press
    own: Network
    second: Network
    natural: Natural | None
    told: list[Answer]
    answers: dict[Key, Tensor]
    opinions: dict[Key, Tensor]
    verified: dict[Key, float]
    strips: dict[Place, list[Ancestor]]
    painters: dict[Place, Painter]
    reads: Reads
    people: People | None = None
    transfers: Sequence[dict[str, Any]] = ()
    said: tuple[str, ...] = ()

    @property
    def labels(self) -> list[str]:
        """The classes attempted that count, each once, in the target's order."""
        count = set(self.run.labels_that_count)
        return [label for label in self.run.about.target["labels"] if label in count]

    @property
    def spared(self) -> list[str]:
        """The classes attempted that stay out of every rate, in the target's order."""
        left = {record.label for record in self.run.classes}.difference(self.labels)
        return [label for label in self.run.about.target["labels"] if label in left]

    @property
    def counted(self) -> list[ClassRecord]:
        """What was kept for the classes that count."""
        count = set(self.labels)
        return [record for record in self.run.classes if record.label in count]

    @cached_property
    def superclasses(self) -> dict[tuple[int, int, float, str], float]:
        """Log-odds that verification found for superclasses, by key of the image and name."""
        return self.run.superclasses()

    @property
    def strongest(self) -> list[float]:
        """Log-odds of the strongest image of every class that counts and has one, whatever the method."""
        found = [best for label in self.labels if (best := self.run[label].strongest)]
        return [kept.log_odds for kept in found]

    @property
    def finished(self) -> bool:
        """Whether every search came to its end."""
        return self.run.state == "done"

    def looks_to(self, level: float) -> list[int]:
        """For every class that reached a level: how many evaluations the quickest search needed."""
        found: dict[str, int] = {}
        for record in self.counted:
            if kept := record.first(level):
                found[record.label] = min(kept.evaluations, found.get(record.label, kept.evaluations))
        return list(found.values())

    def natural_median(self) -> float | None:
        """Median log-odds of the real images that are named rightly and accepted."""
        return usual_log_odds(self.told)

    def above_natural(self) -> int | None:
        """How many classes have a verified image that reaches that median; None where either was not measured."""
        middle = self.natural_median()
        if middle is None or not self.verified:
            return None
        return sum(odds >= middle for odds in best_odds(self.run).values())

    def reached(self, level: float) -> int:
        """In how many classes some kept image reaches a level."""
        least = level_odds(level)
        return len({record.label for record in self.counted if any(kept.log_odds >= least for kept in record.kept())})


def shown_images(record: ClassRecord, level: float) -> list[tuple[Key, Kept]]:
    """What a tile shows: the first image at the level, and the strongest."""
    return [((record.search, record.niche, kept.level or 0.0), kept)
            for kept in (record.first(level), record.strongest) if kept]  # fmt: skip


def gather(
    run: Run, *, public: bool = False, second: str | None = None, people: People | None = None,
    said: tuple[str, ...] = (),
) -> Evidence:  # fmt: skip
    """Read the run, ask its target and a second network about the images that are shown; ``said`` goes above all."""
    level = SHOWN_LEVEL if SHOWN_LEVEL in run.about.levels else max(run.about.levels)
    images = dict(pair for record in run.classes for pair in shown_images(record, level))
    press = Press.of(len(run.classes), len(images), run.shape)
    own, other = own_network(run), second_network(run, second)
    real = natural(own, run)
    keys, levels = list(images), [kept.levels for kept in images.values()]
    return Evidence(
        run, public, level, press, own, other, real, answers_of(run) or _answers(real),
        answers=dict(_rows(keys, own.ask(levels))), opinions=dict(_rows(keys, other.ask(levels))),
        verified=run.judgements(), strips=_strips(run, press.links), painters=painters(run),
        reads=reads_of(run).with_people(people.decided(), people.beside()) if people else reads_of(run),
        people=people, transfers=_transfers(run), said=said,
    )  # fmt: skip


def _transfers(run: Run) -> list[dict[str, Any]]:
    told = read_transfers(run.folder)
    entries: list[dict[str, Any]] = told["transfers"] if told.get("from") == run.about.target["name"] else []
    return entries


def _answers(real: Natural | None) -> list[Answer]:
    if real is None:
        return []
    return [Answer(*row) for row in zip(real.classes, real.says, real.confidence, strict=True)]


def _rows(keys: list[Key], odds: Tensor | None) -> Iterator[tuple[Key, Tensor]]:
    if odds is not None:
        yield from zip(keys, odds, strict=True)


def _strips(run: Run, links: int) -> dict[Place, list[Ancestor]]:
    if not links:
        return {}
    found = [(record.search, record.niche, record.strongest.candidate) for record in run.classes if record.strongest]
    chains = lineages(run.folder, run.shape, [(search, candidate) for search, _, candidate in found], links)
    return {(search, niche): chain for (search, niche, _), chain in zip(found, chains, strict=True)}
