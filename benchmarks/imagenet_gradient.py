"""How long gradient ascent takes to make a network certain about each of a thousand classes of photographs.

`efficientnet-lite0`, `fool --by ascend --threads 2 --batch 64 --generations 90`, every class from uniform noise; the
record is written as in any run, and read back and judged again at the end, all of which is in the time.

Asked for: at least 995 of 1,000 classes at 99.99 % within 15 minutes on 2 cores.
"""

import argparse
import tempfile
import time
from pathlib import Path

from common import keep, say

from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.verbs.fool import Attempt, Session
from trompe.verbs.verify import confirm


def main() -> None:
    """Climb, verify, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=64, help="classes attempted at a time")
    parser.add_argument("--generations", type=int, default=90, help="steps of a class, at most")
    parser.add_argument("--time", default=None, help="at most, for example 15m")
    options = parser.parse_args()
    name = "efficientnet-lite0"
    target = load_target(name)
    with tempfile.TemporaryDirectory() as scratch:
        settings = FoolSettings(
            name, by="ascend", out=Path(scratch) / "run", seed=options.seed, threads=options.threads,
            batch=options.batch, time=options.time, generations=options.generations,
        )  # fmt: skip
        wall, processor = time.perf_counter(), time.process_time()
        with Session(Attempt.prepare(settings, target)) as session:
            for step in session:
                if step.number % 100 == 0:
                    say(f"{step.evaluations} evaluations, {time.perf_counter() - wall:.0f} s")
            run = session.finish()
        wall, processor = time.perf_counter() - wall, time.process_time() - processor
        found = {
            "seed": options.seed,
            "threads": options.threads,
            "classes": len(run.classes),
            "certain": sum(record.first(0.9999) is not None for record in run.classes),
            "evaluations": run.searches[0].evaluations,
            "wall_seconds": wall,
            "cpu_seconds": processor,
            "verified": confirm(run, target).passed,
        }
    say(f"{found}")
    keep("imagenet-gradient", found)


if __name__ == "__main__":
    main()
