"""What a search costs beside its forward passes.

Wall time of `fool lenet-mnist`, recording included, over the time of the same number of forward passes of the same
batch size alone. Interleaved in pairs; the median ratio counts.

Asked for: at most 1.3 in torch; 1.25 in the fastest engine.
"""

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from common import keep, say

from trompe.search import search_judge
from trompe.settings import FoolSettings
from trompe.targets.engines import EngineTarget
from trompe.verbs.fool import Attempt, Session


def search_seconds(attempt: Attempt) -> tuple[float, int]:
    """Wall time from the open session to the last recorded step, and the forward batches it took."""
    with Session(attempt) as session:
        before = time.perf_counter()
        forwards = 0
        for step in session:
            forwards = step.forwards
        return time.perf_counter() - before, forwards // attempt.judge.batch


def forward_seconds(attempt: Attempt, batches: int) -> float:
    """The module alone, on that many batches of noise that is already there."""
    judge, inputs = (
        search_judge(attempt.target, attempt.judge),
        torch.rand(attempt.judge.batch, *attempt.target.spec.shape),
    )
    ask = judge.target.model if isinstance(judge.target, EngineTarget) else judge.target.module
    before = time.perf_counter()
    for _ in range(batches):
        ask(inputs)
    return time.perf_counter() - before


def main() -> None:
    """Measure pairs and print the ratios."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--generations", type=int, default=115)
    parser.add_argument("--engine", default=None, help="by default torch")
    parser.add_argument("--batch", type=int, default=None, help="candidates a step; by default as always, 50")
    options = parser.parse_args()
    pairs = []
    with tempfile.TemporaryDirectory() as scratch, torch.inference_mode():
        for i in range(options.pairs + 1):
            settings = FoolSettings(
                "lenet-mnist",
                confidence=None,
                generations=options.generations,
                out=Path(scratch) / str(i),
                engine=options.engine,
                batch=options.batch,
            )
            attempt = Attempt.prepare(settings)
            search, batches = search_seconds(attempt)
            forward = forward_seconds(attempt, batches)
            if i:  # the first pair warms up
                pairs.append({"search": search, "forward": forward, "ratio": search / forward})
                say(f"search {search:.2f} s  forward {forward:.2f} s  ratio {search / forward:.3f}")
    ratios = sorted(pair["ratio"] for pair in pairs)
    say(f"median ratio {median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f})")
    ending = "".join(f"-{word}" for word in (options.engine, options.batch) if word)
    keep(f"overhead{ending}", {"pairs": pairs, "median_ratio": median(ratios), "range": [ratios[0], ratios[-1]]})


if __name__ == "__main__":
    main()
