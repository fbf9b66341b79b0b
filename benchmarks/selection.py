"""Does it matter that candidates are compared by log-odds, not by a probability? Paired by seed, on lenet-mnist.

The paper compares probabilities. A float32 softmax is exactly 1.0 from a margin of about 17 logits on: from there no
candidate is better than another, and the occupant of such a class stays. Both ways see the same random beginnings, and
what a candidate is worth is always measured in log-odds; only the order in which candidates win differs.

Asked: after how many generations do the median of the ten digits, and all ten, have had an image of 99.99 %?
"""

import argparse
from dataclasses import dataclass, field, replace
from math import comb
from pathlib import Path
from statistics import median
from typing import Any

import torch
from common import keep, say

from trompe.core.numerics import level_odds
from trompe.core.types import Bids, Images, Outputs
from trompe.encodings import CPPN_PRESETS, Cppn
from trompe.search import Archive, Contest, EveryClass, Judge, evolve
from trompe.settings import FoolSettings
from trompe.verbs.fool import Attempt

TARGET, LEVEL = "lenet-mnist", 0.9999
RULES, COORDINATES = ("log-odds", "probability"), ("normalised", "raw")


@dataclass
class Watched:
    """Every class, bid for in one of two ways; remembers the best log-odds that any candidate had."""

    inner: EveryClass
    rule: str
    best: torch.Tensor = field(init=False)

    def __post_init__(self) -> None:
        self.best = torch.full((len(self.names),), -torch.inf, dtype=torch.float64)

    @property
    def names(self) -> tuple[str, ...]:
        """Labels of the classes."""
        return self.inner.names

    def bids(self, outputs: Outputs, inputs: Images) -> Bids:
        """Log-odds in float64, or the float32 softmax as a network in torch or Caffe gives it."""
        odds = self.inner.bids(outputs, inputs)
        self.best = self.best.maximum(odds.value.amax(0))
        if self.rule == "log-odds":
            return odds
        return Bids(outputs.logits.to(torch.float32).softmax(1)[:, list(self.inner.columns)].to(torch.float64))


def measure(seed: int, coordinates: str, rule: str, generations: int) -> dict[str, Any]:
    """One search until all ten have been reached: generations to the median and to all; None where not within it."""
    settings = FoolSettings(TARGET, encoding="cppn", seed=seed, generations=generations, out=Path())
    attempt = Attempt.prepare(settings)
    encoding = Cppn(attempt.target.spec, replace(CPPN_PRESETS["paper"], coordinates=coordinates))
    niches = Watched(attempt.niches, rule)
    contest = Contest(encoding, Judge(attempt.target, attempt.judge), niches, (LEVEL,))
    reached: dict[str, int | None] = {"median": None, "all": None}
    evaluations = 0
    for step in evolve(contest, Archive(len(niches.names), (LEVEL,)), attempt.plan):
        evaluations = step.evaluations
        for name, odds in (("median", median(niches.best.tolist())), ("all", float(niches.best.min()))):
            if reached[name] is None and odds >= level_odds(LEVEL):
                reached[name] = attempt.plan.generation(step.number)
        if reached["all"] is not None:
            break
    return {"coordinates": coordinates, "rule": rule, "seed": seed, **reached, "evaluations": evaluations}


def compare(rows: list[dict[str, Any]], coordinates: str, what: str) -> dict[str, Any]:
    """Both ways side by side over the seeds; a seed that did not get there counts as worse than any that did."""
    mine = [row for row in rows if row["coordinates"] == coordinates]
    found = {rule: [row[what] if row[what] is not None else float("inf") for row in mine if row["rule"] == rule]
             for rule in RULES}  # fmt: skip
    pairs = list(zip(found["log-odds"], found["probability"], strict=True))
    sooner, later = sum(a < b for a, b in pairs), sum(a > b for a, b in pairs)
    return {
        "coordinates": coordinates, "to": what, "seeds": len(pairs),
        **{rule: _say(values) for rule, values in found.items()},
        "log_odds_sooner": sooner, "equal": len(pairs) - sooner - later, "probability_sooner": later,
        "sign_test_p": round(sign_test(sooner, later), 3),
    }  # fmt: skip


def sign_test(sooner: int, later: int) -> float:
    """Chance of a split at least this uneven among pairs that differ, if neither way were better; two-sided."""
    n, most = sooner + later, max(sooner, later)
    return min(1.0, 2.0 * sum(comb(n, k) for k in range(most, n + 1)) / 2**n) if n else 1.0


def _say(values: list[float]) -> str:
    words = [f"{value:g}" if value != float("inf") else "not reached" for value in (min(values), max(values))]
    middle = median(values)
    return f"{middle:g} ({words[0]} to {words[1]})" if middle != float("inf") else f"not reached ({words[0]} to ...)"


def main() -> None:
    """Run every pair and print a line each, then the comparison."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--generations", type=int, default=400)
    options = parser.parse_args()
    rows = []
    for seed in range(options.seeds):
        for coordinates in COORDINATES:
            for rule in RULES:
                rows.append(measure(seed, coordinates, rule, options.generations))
                say(", ".join(f"{key} {value}" for key, value in rows[-1].items()))
    comparison = [compare(rows, coordinates, what) for coordinates in COORDINATES for what in ("median", "all")]
    for line in comparison:
        say(", ".join(f"{key} {value}" for key, value in line.items()))
    keep("selection", {"target": TARGET, "level": LEVEL, "generations": options.generations, "comparison": comparison,
                       "rows": [{key: "not reached" if value is None else value for key, value in row.items()}
                                for row in rows]})  # fmt: skip


if __name__ == "__main__":
    main()
