"""How soon pixels and MAP-Elites make lenet-mnist certain: 10 seeds of `trompe fool lenet-mnist`, every image verified.

Asked for: the median of the ten digits at 99.99 % by generation 60, all ten by generation 150.
"""

import argparse
import tempfile
from pathlib import Path
from statistics import median

from common import keep, say

from trompe.core.numerics import level_odds
from trompe.run import Run
from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.verbs.fool import Attempt, Session
from trompe.verbs.methods import make_plan
from trompe.verbs.verify import confirm


def generations(run: Run, settings: FoolSettings) -> tuple[int | None, int | None]:
    """Generations at which the median, and all classes, stood at 99.99 %; None where not within the run."""
    plan, threshold = make_plan(settings), level_odds(0.9999)
    steps = run.steps()
    middle = next((step["number"] for step in steps if step["median"] >= threshold), None)
    whole = next((step["number"] for step in steps if step["lowest"] >= threshold), None)
    return tuple(None if number is None else plan.generation(number) for number in (middle, whole))


def main() -> None:
    """Run the seeds and print a row each."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--preset", default="paper", choices=["paper", "released-code"])
    parser.add_argument("--target", default="lenet-mnist")
    options = parser.parse_args()
    rows, target = [], load_target(options.target)
    with tempfile.TemporaryDirectory() as scratch:
        for seed in range(options.seeds):
            settings = FoolSettings(options.target, preset=options.preset, seed=seed, out=Path(scratch) / str(seed))
            with Session(Attempt.prepare(settings)) as session:
                for _ in session:
                    pass
                run = session.finish()
            middle, whole = generations(run, settings)
            verified = confirm(run, target).passed
            seconds, evaluations = run.searches[0].seconds, run.searches[0].evaluations
            rows.append({"seed": seed, "median_generation": middle, "all_generation": whole, "verified": verified,
                         "evaluations": evaluations, "seconds": round(seconds, 2)})  # fmt: skip
            say(f"seed {seed}  median at generation {middle}  all ten at {whole}  verified {verified}  {seconds:.1f} s")
    numbers = {"target": options.target, "preset": options.preset, "rows": rows}
    for name in ("median_generation", "all_generation"):
        reached = [row[name] for row in rows if row[name] is not None]
        numbers[name] = {"reached": len(reached), "of": len(rows), "median": median(reached) if reached else "none",
                         "worst": max(reached) if len(reached) == len(rows) else "not within the run"}  # fmt: skip
        say(f"{name}: {numbers[name]}")
    keep(f"reach-{options.target}-{options.preset}", numbers)


if __name__ == "__main__":
    main()
