"""How soon gradients and squares make a network certain: 10 seeds a start and target, every image verified.

Gradients move the pixels from five starts, and the weights of networks that paint from random ones.

Asked for, on lenet-mnist: `ascend` has all ten classes at 99.99 % within 10 gradient steps from each of the five
starts; `squares` needs a median of at most 100 looks a class for 99 %, and at most 2,500 in all for ten at 99.99 %.
"""

import argparse
import tempfile
from bisect import bisect_left
from pathlib import Path
from statistics import median
from typing import Any

from common import keep, say

from trompe.run import Run
from trompe.search import RULES, STARTS
from trompe.settings import FoolSettings
from trompe.targets import bundled_targets, load_target
from trompe.verbs.fool import Attempt, Session
from trompe.verbs.verify import confirm


def looks(run: Run, level: float) -> list[int | None]:
    """Of each class: how many candidates it had been given when some candidate first reached the level for it."""
    ends = [step["evaluations"] for step in run.steps()]
    firsts = [record.first(level) for record in run.classes]
    return [None if first is None else bisect_left(ends, first.evaluations) + 1 for first in firsts]


def measure(settings: FoolSettings, target: Any) -> dict[str, Any]:
    """One run: what it reached, at what cost, and whether its images say so when they are read back."""
    with Session(Attempt.prepare(settings, target)) as session:
        for _ in session:
            pass
        run = session.finish()
    search, certain, sure = run.searches[0], looks(run, 0.9999), looks(run, 0.99)
    return {
        "seed": settings.seed,
        "confident": sum(look is not None for look in certain),
        "median_confidence": median(record.strongest.confidence for record in run.classes if record.strongest),
        "looks_to_99": sure,
        "looks_to_9999": certain,
        "evaluations": search.evaluations,
        "forwards": search.forwards,
        "backwards": search.backwards,
        "seconds": round(search.seconds, 3),
        "verified": confirm(run, target).passed,
    }


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """What the seeds have in common; a class that was not reached counts as worse than any that was."""
    every = {key: [look for row in rows for look in row[key]] for key in ("looks_to_99", "looks_to_9999")}
    reached = [look for look in every["looks_to_9999"] if look is not None]
    whole = len(reached) == len(every["looks_to_9999"])
    return {
        "classes_at_9999": f"{len(reached)} of {len(every['looks_to_9999'])}",
        "median_looks_to_99": _middle(every["looks_to_99"]),
        "median_looks_to_9999": _middle(every["looks_to_9999"]),
        "most_looks_to_9999": max(reached) if whole else "not within the run",
        "median_evaluations": median(row["evaluations"] for row in rows),
        "most_evaluations": max(row["evaluations"] for row in rows),
        "median_forwards": median(row["forwards"] for row in rows),
        "median_confidence": median(row["median_confidence"] for row in rows),
        "verified": all(row["verified"] for row in rows),
    }


def _middle(values: list[int | None]) -> float | str:
    middle = median(float("inf") if value is None else value for value in values)
    return "not within the run" if middle == float("inf") else middle


def _flat(row: dict[str, Any]) -> dict[str, Any]:
    """A row whose lists are words on one line."""
    return {key: " ".join(map(str, value)) if isinstance(value, list) else value for key, value in row.items()}


_FAST = "openvino-bf16"
"""Engine of the searches whose seconds count; what they find is told by torch all the same."""
Row = tuple[str, Any, Any, Any, Any, int]


def table(plans: list[Row], engine: str = "torch") -> dict[str, Any]:
    """Every seed of every row (target, encoding, search, preset, start, seeds), with a line printed for each row."""
    numbers: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for name, encoding, by, preset, start, seeds in plans:
            target, rows = load_target(name), []
            for seed in range(seeds):
                out = Path(scratch) / str(len(numbers)) / str(seed)
                fixed: dict[str, Any] = {"preset": preset, "start": start, "seed": seed, "engine": engine, "out": out}
                rows.append(measure(FoolSettings(name, by=by, encoding=encoding, **fixed), target))
            key = f"{name} {'' if encoding == 'pixels' else f'{encoding}-'}{by} {preset or start}"
            numbers[key] = {**summary(rows), "engine": engine, "rows": [_flat(row) for row in rows]}
            say(f"{key}: " + ", ".join(f"{word} {value}" for word, value in summary(rows).items()))
    return numbers


def main() -> None:
    """Run every start and seed on every target, and print a line each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--targets", nargs="*", default=sorted(bundled_targets()))
    parser.add_argument("--starts", nargs="*", default=list(STARTS))
    parser.add_argument(
        "--parts", nargs="*", default=["pixels", "weights", "squares"], help="what to measure; the rest stays"
    )
    parser.add_argument("--rule-seeds", type=int, default=3, help="seeds of each of the paper's rules, on lenet-mnist")
    options = parser.parse_args()
    if "pixels" in options.parts:
        static = [(name, "pixels", by, None, start, options.seeds)
                  for name in options.targets for by in ("ascend", "squares") for start in options.starts]  # fmt: skip
        paper = [("lenet-mnist", "pixels", "ascend", rule, None, options.rule_seeds)
                 for rule in RULES if rule.startswith("nguyen")]  # fmt: skip
        keep("climb", table(static + paper))
    if "squares" in options.parts:  # by itself, as its seconds count and a busy machine is soon seen in them
        head = ("lenet-mnist", "pixels", "squares")
        table([(*head, None, "uniform", 1)])  # not counted: the first search of all loads what the others have
        alone = table([(*head, None, "uniform", options.seeds)])
        table([(*head, "several-squares", "uniform", 1)], _FAST)
        keep("climb-squares", alone | table([(*head, "several-squares", "uniform", options.seeds)], _FAST))
    if "weights" in options.parts:
        shapes: list[Row] = [(name, "cppn", "ascend", "adam", None, options.seeds) for name in options.targets]
        keep("climb-weights", table([*shapes, ("lenet-mnist", "pixels", "ascend", "adam", None, options.seeds)]))


if __name__ == "__main__":
    main()
