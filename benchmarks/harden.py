"""One LeNet a recipe, attacked anew by gradient from every start: the table of docs/harden.md.

Each row: what the recipe costs on natural images, then in how many of the ten digits the attack (200 gradient steps at
most, no image given up on) found an image of 99 % that the network accepts. Whether a person can read those images is
not measured here. One network and a few attack seeds a recipe: sizing evidence, no ranking.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from statistics import median
from typing import Any

from climb import looks
from common import RESULTS, keep, say

import trompe
from trompe.data import load
from trompe.hardening import Hardened, count
from trompe.run import Run
from trompe.search import STARTS
from trompe.targets.trained import load_trained, read_card
from trompe.verbs.harden import harden

ROOT = Path(__file__).parent.parent
DOCS, BEGIN, END = ROOT / "docs" / "harden.md", "<!-- table: benchmarks/harden.py -->", "<!-- end of table -->"
STEPS = 200
LEVEL = 0.99


def attack(hardened: Hardened, start: str, seed: int, out: Path) -> Run:
    """A gradient attack on every digit, from one start, to the end."""
    digits = hardened.card.labels[:10]
    return trompe.fool(
        str(hardened.folder), by="ascend", start=start, generations=STEPS, confidence=0.9999, classes=digits,
        seed=seed, out=out,
    )  # fmt: skip


def assailed(hardened: Hardened, seeds: int, scratch: Path) -> dict[str, Any]:
    """Of each start and of all together: digits of 99 %, a class and seed being one trial; steps to the first."""
    found: dict[str, Any] = {}
    open_trials: set[tuple[str, int]] = set()
    for start in STARTS:
        first: list[float] = []
        for seed in range(seeds):
            run = attack(hardened, start, seed, scratch / f"{start}-{seed}")
            steps = looks(run, LEVEL)
            first += [float("inf") if step is None else step for step in steps]
            open_trials |= {(r.label, seed) for r in run.classes if r.first(LEVEL) is not None}
        middle = median(first)
        found[start] = {
            "reached": sum(step < float("inf") for step in first),
            "trials": len(first),
            "median_steps": "not within the run" if middle == float("inf") else middle,
        }
    return {"starts": found, "open": len(open_trials), "trials": 10 * seeds}


def plain(folder: Path, seed: int, iterations: int) -> Hardened:
    """The same network without any recipe, counted in the same way."""
    trompe.train("lenet", iterations=iterations, seed=seed, out=folder)
    card, module = read_card(folder), load_trained(folder, "plain").module
    return Hardened(folder, card, count(module, load("mnist").test, len(card.labels)))


def trained(recipe: str, work: Path, options: argparse.Namespace) -> Hardened:
    """A LeNet by that recipe; of refine, with what attacks on the plain one found."""
    settings: dict[str, Any] = {"iterations": options.iterations, "seed": options.seed, "out": work / recipe}
    if recipe == "plain":
        return plain(work / recipe, options.seed, options.iterations)
    if recipe == "refine":
        before = plain(work / "before", options.seed + 1000, options.iterations)
        runs = []
        for start in STARTS:
            for seed in range(100, 103):
                runs.append(work / f"found-{start}-{seed}")
                attack(before, start, seed, runs[-1])
        settings["runs"] = tuple(runs)
    if recipe == "negative-class":
        settings |= {"rounds": options.rounds, "negatives": options.negatives}
    return harden(recipe=recipe, **settings)


def row(recipe: str, options: argparse.Namespace) -> dict[str, Any]:
    """Train, count, attack."""
    with tempfile.TemporaryDirectory() as scratch:
        work = Path(scratch)
        before = time.process_time()
        hardened = trained(recipe, work, options)
        seconds = time.process_time() - before
        numbers = {
            "command": hardened.card.command,
            "manner": "no recipe" if recipe == "plain" else hardened.card.hardened["manner"],
            "test": hardened.test.describe(),
            "seconds": round(seconds),
            **assailed(hardened, options.seeds, work),
        }
    say(f"{recipe}: {json.dumps({key: numbers[key] for key in ('test', 'seconds', 'open', 'trials', 'starts')})}")
    return numbers


def table(rows: dict[str, dict[str, Any]]) -> str:
    """The rows in Markdown."""
    head = ["recipe", "accuracy", "accepted", "accuracy of accepted", "accepted and correct", "real at 99 %", "s"]
    lines = ["| " + " | ".join([*head, "reached trials", *STARTS]) + " |", "|" + "---|" * (len(head) + 1 + len(STARTS))]
    for recipe, numbers in rows.items():
        test = numbers["test"]
        shares = [test[key] for key in ("accuracy", "coverage", "accuracy_of_accepted", "accepted_and_correct")]
        words = [f"{100 * share:.2f} %" if isinstance(share, float) else "not measured" for share in shares]
        starts = [_say(numbers["starts"][start]) for start in STARTS]
        real = f"{100 * test['sure'] / test['images']:.1f} %"
        lines.append(
            "| " + " | ".join([recipe, *words, real, str(numbers["seconds"]),
                               f"{numbers['open']} of {numbers['trials']}", *starts]) + " |"
        )  # fmt: skip
    return "\n".join(lines)


def _say(found: dict[str, Any]) -> str:
    middle = found["median_steps"]
    steps = "–" if middle == "not within the run" else f"{middle:g} steps"
    return f"{found['reached']} of {found['trials']}, {steps}"


def main() -> None:
    """Measure the recipes, keep the numbers, and write the table into the documentation."""
    parser = argparse.ArgumentParser(description=__doc__)
    recipes = ["plain", "negative-class", "outlier-exposure", "low-confidence", "refine"]
    parser.add_argument("--recipes", nargs="*", default=recipes)
    parser.add_argument("--iterations", type=int, default=3000)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--negatives", type=int, default=1500)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--seeds", type=int, default=3, help="of the attack, for each start")
    options = parser.parse_args()
    stored = json.loads((RESULTS / "harden.json").read_text()) if (RESULTS / "harden.json").exists() else {}
    rows = {**stored.get("rows", {})}
    for recipe in options.recipes:
        rows[recipe] = row(recipe, options)
        rows = {name: rows[name] for name in recipes if name in rows}
        keep("harden", {"rows": rows})
    write(rows)


def write(rows: dict[str, dict[str, Any]]) -> None:
    """Put the table between its marks in the documentation."""
    if DOCS.exists():
        text = DOCS.read_text(encoding="utf-8")
        before, after = text.split(BEGIN)[0], text.split(END)[1]
        DOCS.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")
    say(table(rows))


if __name__ == "__main__":
    main()
