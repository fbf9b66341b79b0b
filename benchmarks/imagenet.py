"""How far networks that paint get with a thousand classes of photographs: confidence against evaluations.

`efficientnet-lite0`, black box, `cppn-evolve` in the fastest engine, painted by numba, without a record
(what recording costs is in `overhead.py`). After every 2,000 evaluations: the median confidence of the 1,000 classes as
the engine sees it, how many are at 0.88 and at 0.99, and processor time. In the end the reference judges the elites.

Asked for: a median of 0.88 within 200,000 evaluations and 15 minutes on 2 cores; at least 0.70.
"""

import argparse
import time
from typing import Any

import torch
from common import RESULTS, fastest, keep, say

from trompe.core.numerics import confidence, log_odds
from trompe.search import Archive, Contest, EveryClass, Judge, Plan, evolve, named_settings, reference_judge
from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.targets.engines import engine_target
from trompe.verbs.methods import LEVELS, make_encoding

STEP, ROWS = 50, 10
"""Candidates before the archive changes, and of those judged in one call: the next call's are painted meanwhile."""


def point(value: torch.Tensor, evaluations: int, begun: tuple[float, float]) -> dict[str, Any]:
    """Where a search stands."""
    sure = confidence(value)
    return {
        "evaluations": evaluations,
        "median": sure.median().item(),
        "at 0.88": int((sure >= 0.88).sum()),
        "at 0.99": int((sure >= 0.99).sum()),
        "wall_seconds": time.perf_counter() - begun[0],
        "cpu_seconds": time.process_time() - begun[1],
    }


def reference_median(judge: Judge, contest: Contest[Any], archive: Archive[Any]) -> float:
    """The median confidence of the elites as torch in float32 sees them."""
    plain, odds = reference_judge(load_target("efficientnet-lite0"), judge.settings), []
    for rows in torch.arange(len(archive.elites.value)).split(20):
        assert archive.elites.genomes is not None  # noqa: S101  for the type checker
        logits = plain.judge(contest.encoding.express(archive.elites.genomes.take(rows))).logits
        odds.append(log_odds(logits).gather(1, rows.unsqueeze(1)).squeeze(1))
    return confidence(torch.cat(odds)).median().item()


def main() -> None:
    """Search, print the curve as it grows, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--variant", choices=("paper", "stitched"), default="stitched")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--budget", type=int, default=200_000)
    parser.add_argument("--seconds", type=float, default=1800.0, help="of processor time, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--until", type=float, default=900.0, help="seconds of wall time, at most")
    options = parser.parse_args()
    target = load_target("efficientnet-lite0")
    name = fastest(target)
    asked = named_settings(target, name, ROWS, options.threads)
    judge = Judge(engine_target(target, asked), asked)
    plan = Plan(options.seed, generations=options.budget // 200, population=200, batch=STEP, budget=options.budget)
    cppn = FoolSettings("efficientnet-lite0", out=RESULTS, encoding="cppn", preset=options.variant, renderer="numba")
    encoding = make_encoding(cppn, plan, target.spec, options.threads)
    contest: Contest[Any] = Contest(encoding, judge, EveryClass.of(target), LEVELS)
    archive: Archive[Any] = Archive(len(target.labels), LEVELS)
    place = f"imagenet-{options.variant}" + (f"-{options.seed}" if options.seed else "")
    about = {"variant": options.variant, "engine": name, "threads": options.threads, "seed": options.seed}
    begun, curve = (time.perf_counter(), time.process_time()), []
    for step in evolve(contest, archive, plan):
        if step.evaluations % 2000 == 0:
            curve.append(point(archive.elites.value, step.evaluations, begun))
            say(f"{curve[-1]}")
            keep(place, {**about, "curve": curve})  # a stop loses nothing
        if time.process_time() - begun[1] > options.seconds or time.perf_counter() - begun[0] > options.until:
            break
    curve.append(point(archive.elites.value, step.evaluations, begun))
    reference = reference_median(judge, contest, archive)
    say(f"reference: median {reference:.3f}")
    keep(place, {**about, "curve": curve, "reference_median": reference})
    say(f"{RESULTS}/{place}.json")


if __name__ == "__main__":
    main()
