"""Is a network that was retrained fourteen times hard to fool, or only slow? The same attack, given more time.

Takes the loops of a finished `trompe paper retrain-mnist --out DIR` and attacks the fifteenth network of each with
networks that paint, six runs each, for 50 generations, as the experiment does, for 200 and for 800.
"""

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from common import keep, say

from trompe.core.numerics import confidence, level_odds
from trompe.core.seeds import Stream
from trompe.data import load
from trompe.experiments.retrain_mnist import ROUNDS
from trompe.hardening import Keep, Siege
from trompe.hardening.evolved import Fooling, besiege
from trompe.hardening.networks import as_target, new_network

GENERATIONS, RUNS = (50, 200, 800), 6


def attacked(folder: Path) -> Iterator[dict[str, Any]]:
    """The last network of a loop, attacked for longer and longer; every time from the same seeds."""
    data = load("mnist")
    found = Keep(folder).read(ROUNDS, lambda: new_network(data, "lenet", 0, none=True))
    if found is None:
        raise SystemExit(f"{folder} has no network {ROUNDS}: finish `trompe paper retrain-mnist` there first")
    target = as_target("last", found[0], data, none=True, abstains=False)
    for generations in GENERATIONS:
        siege, stream = Siege(("cppn-evolve",), generations), Stream(9, "x", 0)
        odds = Fooling.of(list(besiege(target, len(data.labels), siege, RUNS, stream))).log_odds
        yield {
            "loop": folder.name,
            "generations": generations,
            "median": confidence(odds.median()).item(),
            "certain": (odds >= level_odds(0.9999)).double().mean().item(),
        }


def main() -> None:
    """Attack, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="of a finished `trompe paper retrain-mnist`")
    options = parser.parse_args()
    rows = []
    for loop in sorted(path for path in (options.folder / "retrain-mnist").glob("loop-*") if path.is_dir()):
        for row in attacked(loop):
            rows.append(row)
            say(f"{row}")
    keep("retrained", {"runs": RUNS, "rows": rows})


if __name__ == "__main__":
    main()
