"""Selecting on log-odds or on a probability: what is lost where a float32 softmax is exactly 1?"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import torch

from trompe.core.numerics import level_odds, say_confidence, to_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Bids, Images, Niches, Outputs
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.experiments.figures import Strip, strips
from trompe.experiments.mnist_direct import NETWORKS
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.runs import lenets, own_odds, short_of
from trompe.experiments.wording import counted
from trompe.search import Archive, Contest, EveryClass, Judge, JudgeSettings, Plan, evolve
from trompe.targets import load_target

_SPEC = ImageSpec(1, 28, 28)
ENCODINGS = {
    "pixels": Pixels(_SPEC, PIXEL_PRESETS["released-code"]), "cppn": Cppn(_SPEC, CPPN_PRESETS["released-code"]),
}  # fmt: skip
GENERATIONS = 200

CLAIMS = tuple(
    Claim(
        f"{name}-{what}",
        f"With {words}, selecting on log-odds ends with a higher {said} digit than selecting on a float32 probability.",
        "direction", "run", "", "asked here; the released code selects on a softmax probability", 0.0, scale="log-odds",
    )
    for name, words in (("pixels", "the direct encoding"), ("cppn", "CPPNs"))
    for what, said in (("median", "median"), ("lowest", "worst"))
)  # fmt: skip


@dataclass(frozen=True)
class ByProbability:
    """Niches of every class in which candidates bid a float32 softmax, as the original compared a softmax.

    Attributes:
        inner: The same niches with bids in log-odds.
    """

    inner: EveryClass

    @property
    def names(self) -> tuple[str, ...]:
        """One name a niche."""
        return self.inner.names

    @property
    def columns(self) -> tuple[int, ...]:
        """The output that each niche is about."""
        return self.inner.columns

    def bids(self, outputs: Outputs, inputs: Images) -> Bids:
        """Probabilities as float32 knows them: exactly 1 from a margin of 17 logits on."""
        del inputs
        probability = outputs.logits.to(torch.float32).softmax(1)
        return Bids(probability[:, torch.tensor(self.columns)].to(torch.float64))


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One pair of runs with one seed, for each encoding."""
    return [Unit(f"{name}-{seed:02d}", partial(both, name=name, seed=seed, generations=effort.pick(10, GENERATIONS)))
            for name in ENCODINGS for seed in seeds]  # fmt: skip


def both(folder: Path, name: str, seed: int, generations: int) -> dict[str, Any]:
    """The same beginning evolved by either selection; ends in log-odds, by class."""
    del folder
    target = load_target(NETWORKS[seed % len(NETWORKS)])
    plain = EveryClass.of(target)
    ends = {}
    choices: dict[str, Niches] = {"log-odds": plain, "probability": ByProbability(plain)}
    for kind, niches in choices.items():
        encoding: Any = ENCODINGS[name]
        contest: Contest[Any] = Contest(encoding, Judge(target, JudgeSettings(200)), niches, (0.5,))
        archive: Archive[Any] = Archive(len(plain.names), (0.5,))
        for _ in evolve(contest, archive, Plan(seed, generations, 200, 200)):
            pass
        ends[kind] = own_odds(target, to_levels(encoding.express(archive.elites.genomes)))
    return {"encoding": name, "generations": generations, "target": target.name, "ends": ends}


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Differences by pair: log-odds minus probability."""
    del effort
    found = {}
    for claim in CLAIMS:
        name, _, what = claim.name.partition("-")
        pairs = [one for one in data.values() if one["encoding"] == name]
        take = median if what == "median" else min
        values = tuple(take(one["ends"]["log-odds"]) - take(one["ends"]["probability"]) for one in pairs)
        where = f"on {counted(len(pairs), 'pair of runs')}, {lenets(data)}"
        found[claim.name] = Measured(values, where, short_of(data, GENERATIONS))
    return found


def figures(data: Data) -> list[Figure]:
    """The median digit in the end, by encoding and selection."""
    rows = [
        Strip(f"{name}, by {kind}",
              tuple(median(one["ends"][kind]) for one in data.values() if one["encoding"] == name))
        for name in ENCODINGS for kind in ("log-odds", "probability")
    ]  # fmt: skip
    return [strips("Median digit in the end, one dot a run", rows, say_confidence, (level_odds(0.9999), "99.99 %"))]


EXPERIMENT = Experiment(
    "log-odds",
    "Selecting on log-odds, or on a probability",
    CLAIMS,
    seeds=12,
    differences=(
        "Both arms start from the same images and draw the same random numbers until they first differ.",
        "The probability is torch's float32 softmax; the original's was Caffe's, whose precision could not be sourced.",
    ),
    cost="48 runs of 40,200 evaluations; about 5 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
)
