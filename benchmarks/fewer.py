"""How many evaluations a search needs until the ten digits are reached, beside the paper's loop.

`lenet-mnist`, ten seeds each, OpenVINO where it is there: evaluations until the median of the ten digits, and all ten,
have an image of 99.99 %; seconds from the open engine to that step, without a record. Variants of the paper's loop are
settings of the encoding, a way to choose parents, or an emitter of the CMA family (Hansen 2016, package cma) for the
weights of small networks. Those that trompe has as presets are named so.
"""

import argparse
import json
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from statistics import median
from typing import Any

import numpy as np
import torch
from common import RESULTS, fastest, keep, say

from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.search import BEGINNING, Archive, Contest, EveryClass, Judge, Plan, evolve, named_settings
from trompe.targets import load_target
from trompe.targets.engines import engine_target
from trompe.verbs.methods import LEVELS

GOAL = level_odds(0.9999)
PAPER, NETWORKS = PIXEL_PRESETS["paper"], CPPN_PRESETS["paper"]


class Trying(Archive[Any]):
    """Parents by how often children of a niche's occupant won lately, whichever niche: goal switching in mind.

    Reference: Cully 2018 (curiosity).
    """

    def __init__(self, niches: int, levels: tuple[float, ...]) -> None:
        super().__init__(niches, levels)
        self.curiosity, self.chosen = torch.ones(niches, dtype=torch.float64), torch.empty(0, dtype=torch.int64)

    def offer(self, candidates: Any, bids: Any) -> Any:
        """As always; then winners make their parents' niches more likely, and losers less."""
        wins = super().offer(candidates, bids)
        won = torch.isin(candidates.ids, wins.winners.ids)
        if len(self.chosen) >= len(won):
            self.curiosity.index_add_(0, self.chosen[: len(won)], torch.where(won, 1.0, -0.1).to(torch.float64))
            self.curiosity.clamp_(0.1, 5.0)
        self.curiosity[wins.niche] = 1.0
        return wins

    def parents(self, n: int, stream: Stream, below: float = math.inf) -> tuple[Any, torch.Tensor]:  # noqa: ARG002
        """As always, but by that chance."""
        shares = self.curiosity.cumsum(0)
        self.chosen = torch.searchsorted(shares / shares[-1], stream.uniform(n)).clamp(max=len(shares) - 1)
        return self.elites.genomes.take(self.chosen), self.elites.ids[self.chosen]


class Poorest(Trying):
    """Parents from the half of the niches that is worth least."""

    def parents(self, n: int, stream: Stream, below: float = math.inf) -> tuple[Any, torch.Tensor]:  # noqa: ARG002
        """As always, among those."""
        poor = self.elites.value.argsort()[: max(1, len(self.elites.value) // 2)]
        self.chosen = poor[stream.integers(n, len(poor))]
        return self.elites.genomes.take(self.chosen), self.elites.ids[self.chosen]


def loop(contest: Contest[Any], archive: Archive[Any], plan: Plan) -> Iterator[int]:
    """The search as it is; evaluations so far after each step."""
    for step in evolve(contest, archive, plan):
        yield step.evaluations


def emitters(contest: Contest[Any], archive: Archive[Any], plan: Plan) -> Iterator[int]:
    """One CMA-ES a digit over the weights of one random network's topology; every candidate bids for every digit."""
    import cma

    tally, n = BEGINNING, len(archive.elites.value)
    sizes = {"seed": plan.seed + 1, "verbose": -9, "bounds": [0.0, 1.0], "popsize": 20}
    base = contest.encoding.random(n, Stream(plan.seed, "fewer/cma", 0))
    makers = [cma.CMAEvolutionStrategy(base.weight[i].double().numpy(), 0.2, sizes) for i in range(n)]
    while True:
        for i in range(n):
            if archive.elites.value[i] >= GOAL:
                continue
            asked = makers[i].ask()
            rows = torch.full((len(asked),), i)
            genomes = replace(base.take(rows), weight=torch.tensor(np.stack(asked), dtype=torch.float32))
            candidates = contest.candidates(genomes, torch.full((len(asked), 2), -1), tally)
            outputs = contest.judge.judge(candidates.inputs)
            makers[i].tell(asked, (-contest.niches.bids(outputs, candidates.inputs).value[:, i]).tolist())
            _, tally = contest.enter(archive, candidates, outputs, tally)
            yield tally.evaluations


@dataclass(frozen=True)
class Variant:
    """One way to search.

    Attributes:
        settings: Of the encoding.
        archive: Who chooses parents.
        search: Yields evaluations so far.
        leaves: Whether digits at the goal give no more parents.
        batch: Candidates a step.
    """

    settings: Any
    archive: type[Archive[Any]] = Archive
    search: Callable[..., Iterator[int]] = loop
    leaves: bool = False
    batch: int = 50


def bold(rate: float, index: float) -> Any:
    """Pixels that mutate at another rate, by other steps."""
    return replace(PAPER, mutation_rate=rate, mutation_index=index, halving_period=0)


VARIANTS = {
    "pixels: paper": Variant(PAPER),
    "pixels: paper, archive after 200": Variant(PAPER, batch=200),
    "pixels: rate halves every 10 generations": Variant(replace(PAPER, halving_period=40)),
    "pixels: rate 0.02": Variant(bold(0.02, 15.0)),
    "pixels: index 5": Variant(bold(0.1, 5.0)),
    "pixels: index 0": Variant(bold(0.1, 0.0)),
    "pixels: rate 0.05, index 0": Variant(bold(0.05, 0.0)),
    "pixels: rate 0.02, index 0": Variant(bold(0.02, 0.0)),
    "pixels: rate 0.01, index 0": Variant(bold(0.01, 0.0)),
    "pixels: parents by curiosity": Variant(PAPER, Trying),
    "pixels: parents from the poorest half": Variant(PAPER, Poorest),
    "pixels: parents below the goal": Variant(PAPER, leaves=True),
    "pixels: thrifty": Variant(PIXEL_PRESETS["thrifty"], leaves=True),
    "cppn: paper": Variant(NETWORKS),
    "cppn: weights up to 25": Variant(replace(NETWORKS, weight_limit=25.0, initial_weight=25.0)),
    "cppn: parents by curiosity": Variant(NETWORKS, Trying),
    "cppn: parents from the poorest half": Variant(NETWORKS, Poorest),
    "cppn: parents below the goal": Variant(NETWORKS, leaves=True),
    "cppn: stitched": Variant(replace(CPPN_PRESETS["stitched"], halving_period=800)),
    "cppn: a hidden layer of 10 to begin with": Variant(replace(NETWORKS, hidden=(10,))),
    "cppn: CMA-ES a digit, 8 hidden nodes": Variant(replace(NETWORKS, hidden=(8,)), search=emitters, batch=20),
}


def reach(judge: Judge, variant: Variant, seed: int, most: int) -> dict[str, Any]:
    """Evaluations and seconds of one seed."""
    settings, target = variant.settings, judge.target
    encoding = Cppn(target.spec, settings, "numba") if hasattr(settings, "hidden") else Pixels(target.spec, settings)
    contest: Contest[Any] = Contest(encoding, judge, EveryClass.of(target), LEVELS)
    archive, found = variant.archive(10, LEVELS), {"median": None, "all": None, "seconds": None}
    goal = GOAL if variant.leaves else math.inf
    plan = Plan(seed, generations=most // 200, batch=variant.batch, initial=200, goal=goal)
    begun = time.perf_counter()
    for evaluations in variant.search(contest, archive, plan):
        value = archive.elites.value
        if found["median"] is None and int((value >= GOAL).sum()) >= 5:
            found["median"] = evaluations
        if bool((value >= GOAL).all()):
            found["all"], found["seconds"] = evaluations, time.perf_counter() - begun
            break
        if evaluations >= most:
            break
    return found


def summed_up(found: list[float | None]) -> dict[str, Any]:
    """Of several seeds: the median, best and worst, and how many got there; what did not, took longest."""
    there = sorted(one for one in found if one is not None)
    every = there + [math.inf] * (len(found) - len(there))
    middle = median(every)
    return {
        "median": middle if math.isfinite(middle) else "not within the budget",
        "best": there[0] if there else "not within the budget",
        "worst": there[-1] if len(there) == len(found) else "not within the budget",
        "reached": len(there),
        "of": len(found),
    }


def stored() -> dict[str, Any]:
    """Rows that were measured before, each with the load it was measured under."""
    path = RESULTS / "fewer.json"
    if not path.exists():
        return {}
    found = json.loads(path.read_text(encoding="utf-8"))
    return {label: {"load": found["load"], **row} for label, row in found["variants"].items()}


def main() -> None:
    """Measure every variant and print its row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--most", type=int, default=40_000, help="evaluations of pixels; of networks half")
    parser.add_argument("--only", default="", help="names of variants, by semicolons; the other rows stay")
    options = parser.parse_args()
    target = load_target("lenet-mnist")
    name = fastest(target)
    judges = {size: Judge(engine_target(target, asked), asked)
              for size in (20, 50, 200) for asked in [named_settings(target, name, size, 1)]}  # fmt: skip
    rows = stored() if options.only else {}
    for label, variant in VARIANTS.items():
        if options.only and label not in options.only.split(";"):
            continue
        judge, most = judges[variant.batch], options.most // (2 if "cppn" in label else 1)
        reach(judge, variant, 10_000, 1000)  # warms up
        seeds = [reach(judge, variant, seed, most) for seed in range(options.seeds)]
        row: dict[str, Any] = {"seeds": seeds, "budget": most, "load": os.getloadavg()[0]}
        for key in ("median", "all", "seconds"):
            row[key] = summed_up([one[key] for one in seeds])
        rows[label] = row
        say(f"{label:45s} median digit {row['median']}  all {row['all']}  seconds {row['seconds']}")
        keep("fewer", {"engine": name, "variants": rows})


if __name__ == "__main__":
    main()
