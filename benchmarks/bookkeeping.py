"""What the archive costs a candidate, and what a search costs as a whole.

Bookkeeping: offering a step of candidates that win nothing, or one niche, the statistics after it, and choosing as many
parents; the log-odds of the answers apart. Microseconds a candidate, best of many, 10, 100 and 1,000 classes, steps of
50 and 200.

Cost: seconds = a + b * evaluations of `fool` with pixels on a LeNet of that many outputs (untrained above ten), record
included, by least squares over four budgets.

Asked for: bookkeeping of at most 0.5 microseconds a candidate at 10 classes, 6 at 1,000.
"""

import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from common import keep, say
from torch import nn

from trompe.core.numerics import bid_value
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Bids, Candidates, Outputs
from trompe.encodings import PixelGenomes
from trompe.search import Archive
from trompe.search.contest import archive_statistics
from trompe.settings import FoolSettings
from trompe.targets import TorchTarget
from trompe.verbs.fool import Attempt, Session
from trompe.verbs.methods import LEVELS

BUDGETS = (500, 1000, 2000, 4000)


def best(call: Callable[[], Any], n: int, rounds: int = 60) -> float:
    """Microseconds a candidate, the best of so many calls."""
    call()
    found = float("inf")
    for _ in range(rounds):
        begun = time.perf_counter()
        call()
        found = min(found, time.perf_counter() - begun)
    return 1e6 * found / n


def bookkeeping(n: int, classes: int) -> dict[str, float]:
    """The parts, by name."""
    logits = 4.0 * torch.randn(n, classes, generator=torch.Generator().manual_seed(0))
    value = bid_value(Outputs(logits))
    archive: Archive[PixelGenomes] = Archive(classes, LEVELS)
    genomes = PixelGenomes(torch.rand(n, 784, generator=torch.Generator().manual_seed(1)))
    candidates = Candidates(torch.arange(n), torch.full((n, 2), -1), genomes, torch.zeros(n, 1, 28, 28))
    archive.offer(candidates, Bids(value))
    lower = Bids(value - 1.0)

    def one_wins() -> None:
        archive.elites.value[3] -= 1.0
        archive.offer(candidates, Bids(value))

    return {
        "log-odds": best(lambda: bid_value(Outputs(logits)), n),
        "offer, nobody wins": best(lambda: archive.offer(candidates, lower), n),
        "offer, one wins": best(one_wins, n),
        "statistics": best(lambda: archive_statistics(archive.elites.value, LEVELS), n),
        "parents": best(lambda: archive.parents(n, Stream(0, "bench", 0)), n),
    }


def lenet(classes: int) -> TorchTarget:
    """An untrained network of the paper's shape with so many outputs."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 20, 5), nn.MaxPool2d(2), nn.Conv2d(20, 50, 5), nn.MaxPool2d(2), nn.Flatten(),
                        nn.Linear(800, 500), nn.ReLU(), nn.Linear(500, classes)).eval()  # fmt: skip
    return TorchTarget(f"lenet-{classes}", net, ImageSpec(1, 28, 28), tuple(map(str, range(classes))))


def cost(classes: int) -> dict[str, Any]:
    """Seconds before the first and for each evaluation, and what they were fitted to."""
    target, points = lenet(classes), []
    with tempfile.TemporaryDirectory() as scratch:
        for budget in (200, *BUDGETS):
            settings = FoolSettings(target.name, confidence=None, budget=budget, out=Path(scratch) / str(budget))
            begun, wall = time.process_time(), time.perf_counter()
            with Session(Attempt.prepare(settings, target)) as session:
                for _ in session:
                    pass
            points.append((budget, time.process_time() - begun, time.perf_counter() - wall))
    points = points[1:]  # the first warms up
    rows = torch.tensor([[1.0, evaluations] for evaluations, _, _ in points], dtype=torch.float64)
    fits = {
        name: torch.linalg.lstsq(rows, torch.tensor([[p[i]] for p in points], dtype=torch.float64)).solution.flatten()
        for i, name in ((1, "processor"), (2, "wall"))
    }
    return {"points": points, **{name: {"a": fit[0].item(), "b": fit[1].item()} for name, fit in fits.items()}}


def main() -> None:
    """Measure, print, keep."""
    parts = {
        f"{classes} classes, steps of {n}": bookkeeping(n, classes) for classes in (10, 100, 1000) for n in (50, 200)
    }
    for name, row in parts.items():
        say(f"{name}: " + ", ".join(f"{part} {number:.2f}" for part, number in row.items()))
    model = {str(classes): cost(classes) for classes in (10, 100, 1000)}
    for classes, row in model.items():
        say(f"{classes} classes: {row['processor']['a']:.2f} s + {1e6 * row['processor']['b']:.0f} us an evaluation")
    keep("bookkeeping", {"microseconds": parts, "cost": model})


if __name__ == "__main__":
    main()
