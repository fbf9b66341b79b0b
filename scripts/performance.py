"""Write docs/performance.md from benchmarks/results/*.json; what was not measured is said to be so.

`python scripts/performance.py` writes it, `--check` says whether it is what the results say.
"""

import json
import sys
from collections.abc import Callable
from functools import partial
from operator import itemgetter
from pathlib import Path
from statistics import median
from typing import Any

ROOT = Path(__file__).parent.parent
PAGE = ROOT / "docs" / "performance.md"
RESULTS = ROOT / "benchmarks" / "results"
MISSING = "not measured"
SHOWN = (2000, 6000, 10_000)
"""Evaluations of a curve's beginning that the page shows beside every 20,000."""

Result = dict[str, Any]


def load(name: str) -> Result | None:
    """A stored result, None where there is none."""
    path = RESULTS / f"{name}.json"
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else None


def told(name: str, say: Callable[[Result], str], load_of: Callable[[Result], float] = itemgetter("load")) -> str:
    """What a result says, with the load it was measured under."""
    result = load(name)
    if result is None:
        return MISSING
    try:
        return f"{say(result)} (load {load_of(result):.0f} on {result['cores']} cores)"
    except KeyError:
        return MISSING


def variant(name: str) -> str:
    """Evaluations and seconds of one way to search."""

    def say(found: Result) -> str:
        row = found["variants"][name]
        return f"{count(row['all'])} evaluations, {span(row['seconds'])} s"

    return told("fewer", say, lambda found: found["variants"][name]["load"])


def number(value: Any) -> str:
    """With thousands, or to two digits behind the point."""
    if isinstance(value, str):
        return value
    return f"{value:,.0f}" if value >= 100 else f"{value:.2f}"


def count(row: Result) -> str:
    """Median, range, how many seeds."""
    seeds = f"{row['reached']} of {row['of']} seeds"
    if not row["reached"]:
        return f"{row['median']} ({seeds})"
    return f"{number(row['median'])} ({number(row['best'])} to {number(row['worst'])}; {seeds})"


def span(row: Result) -> str:
    """Median and worst."""
    if not row["reached"]:
        return str(row["median"])
    return f"{number(row['median'])} (worst {number(row['worst'])})"


def squares(found: Result, preset: str) -> str:
    """The ten digits from uniform noise."""
    one = found[f"lenet-mnist squares {preset}"]
    rows, engine = one["rows"], one["engine"]
    most, seconds = max(row["evaluations"] for row in rows), [row["seconds"] for row in rows]
    return (
        f"{most} evaluations at most, {median(seconds):.2f} s in the median, {max(seconds):.2f} s at most, "
        f"{len(rows)} seeds, by {engine}"
    )


def kept(found: Result) -> str:
    """Search over forward passes alone."""
    return (
        f"{found['median_ratio']:.2f} ({found['range'][0]:.2f} to {found['range'][1]:.2f}, {len(found['pairs'])} pairs)"
    )


def lite(found: Result) -> str:
    """The same of EfficientNet-Lite0, from the share that `engines.py` stores."""
    last = found["efficientnet-lite0"]["marks"][-1]
    wall, whole, without = (1 / last[share] for share in ("share", "cpu_share", "cpu_share_without_reference"))
    return (
        f"{wall:.2f} of wall time, {whole:.2f} of processor time, {without:.2f} without the reference, over "
        f"{last['evaluations']:,} evaluations"
    )


def book(found: Result, classes: int) -> str:
    """Offer, statistics and parents at steps of 50 and 200."""
    rows = [found["microseconds"][f"{classes} classes, steps of {n}"] for n in (50, 200)]
    sums = [row["offer, nobody wins"] + row["statistics"] + row["parents"] for row in rows]
    odds = [row["log-odds"] for row in rows]
    return f"{sums[0]:.2f} in steps of 50, {sums[1]:.2f} of 200; log-odds {odds[0]:.2f} and {odds[1]:.2f} more"


def curve(found: Result) -> str:
    """The last point that was reached."""
    last = found["curve"][-1]
    where = f"{last['evaluations']:,} evaluations, {last['wall_seconds'] / 60:.1f} minutes"
    seen = f"by the reference {found['reference_median']:.3f}"
    return f"median {last['median']:.3f} after {where} with {found['threads']} threads; {seen}"


def climbed(found: Result) -> str:
    """Classes that were made certain, and how long it took."""
    seen = "each verified" if found["verified"] else "NOT verified"
    return (
        f"{found['certain']} of {found['classes']} classes, {found['wall_seconds'] / 60:.1f} minutes with "
        f"{found['threads']} threads ({found['cpu_seconds'] / 60:.1f} of processor time), {seen}"
    )


def cost(found: Result) -> str:
    """The constant and the slope, by number of classes."""
    fits = [(k, row["processor"]) for k, row in found["cost"].items()]
    return "; ".join(f"{k} classes: {fit['a']:.2f} s + {1e6 * fit['b']:.0f} us x evaluations" for k, fit in fits)


def slower(found: Result) -> str:
    """Overhead beside pyribs as an archive, and wall time."""
    ours, theirs = found["overhead_us"]["ours"]["median"], found["overhead_us"]["pyribs as the archive"]["median"]
    wall = found["loops_us"]["pyribs as the archive"]["median"] / found["loops_us"]["ours"]["median"]
    return f"overhead {ours:.0f} and {theirs:.0f} us an evaluation; wall {wall:.2f} times"


def demo(found: Result) -> str:
    """Wall time."""
    return f"{found['wall']:.1f} s"


def grey(found: Result) -> str:
    """Painting small greyscale images."""
    row = found["28x28 grey, 10 hidden"]
    return f"{row['numba_us']:.1f} us of one core (torch: {row['torch_us']:.0f})"


def coloured(found: Result) -> str:
    """Painting the paper's networks after 25 rounds of mutation, in turns with the passes of EfficientNet-Lite0."""
    row, torch_us = found["beside the network"], found["224x224 paper, 25 rounds"]["torch_us"]
    cost = f"{row['paint_us']:.0f} of {row['network_us']:.0f} us of one core in {row['engine']}"
    return f"{row['share']:.1%}: {cost} (torch paints in {torch_us:,.0f})"


def close(found: Result) -> str:
    """The least share of pixels, and the largest difference, over all populations."""
    every = [row for row in found.values() if isinstance(row, dict) and "within_a_level" in row]
    least, most = min(row["within_a_level"] for row in every), max(row["largest"] for row in every)
    return f"{least:.2%} at least, largest difference {most} levels, {len(every)} populations"


def workers(found: Result) -> str:
    """Two over one."""
    gain = found["gain"]
    return f"{median(gain):.2f} ({min(gain):.2f} to {max(gain):.2f}, {len(gain)} pairs)"


def on_gpu(say: Callable[[Result], str]) -> str:
    """What was measured on a GPU, with its name."""
    result = load("gpu")
    return f"{MISSING} (no GPU)" if result is None else told("gpu", lambda found: f"{say(found)}; {found['gpu']}")


def beside_forward(found: Result) -> str:
    """Of each network: images a second while searching, and of the network alone."""
    rows = found["networks"].items()
    return "; ".join(f"{name} {number(row['searching'])} of {number(row['alone'])}" for name, row in rows)


def budget(found: Result) -> str:
    """Minutes, and whether they were measured to the end."""
    row = found["paper"]
    how = f"extrapolated from {row['evaluations']:,.0f} evaluations" if row["extrapolated"] else "to the end"
    return f"{row['minutes']:.1f} minutes ({how})"


def painted(found: Result) -> str:
    """The least share, and the largest difference."""
    rows = found["painting"].values()
    least, most = min(row["within_a_level"] for row in rows), max(row["largest"] for row in rows)
    return f"{least:.4%}, largest difference {most} levels"


def rows() -> list[tuple[str, str, str]]:
    """What is asked for, and what was reached."""
    return [
        ("painting, 28 x 28, 10 hidden nodes", "≤ 8 us of one core", told("render", grey)),
        ("painting, 224 x 224 in colour / EfficientNet-Lite0 in bf16", "≤ 5 %", told("render", coloured)),
        ("painted pixels within one level of the reference", "≥ 99.9 %", told("render", close)),
        (
            "`squares --preset several-squares`, ten digits at 99.99 %",
            "≤ 2,500 evaluations, ≤ 0.2 s",
            told("climb-squares", partial(squares, preset="several-squares")),
        ),
        ("the same by `random-squares`", "(beside it)", told("climb-squares", partial(squares, preset="uniform"))),
        ("pixels `evolve`, the paper's loop", "(beside it)", variant("pixels: paper")),
        ("pixels `evolve --preset thrifty`", "≤ 0.5 s, 10 of 10 seeds", variant("pixels: thrifty")),
        ("cppn `evolve`, the paper's loop", "≤ 3 s", variant("cppn: paper")),
        ("search / forward passes, LeNet in torch", "≤ 1.3", told("overhead", kept)),
        ("search / forward passes, LeNet in OpenVINO bf16", "≤ 1.25", told("overhead-openvino-bf16", kept)),
        ("the same in steps of 200", "(beside it)", told("overhead-openvino-bf16-200", kept)),
        ("search / forward passes, EfficientNet-Lite0", "≤ 1.05", told("engines", lite)),
        ("bookkeeping, 10 classes", "≤ 0.5 us a candidate", told("bookkeeping", lambda found: book(found, 10))),
        ("bookkeeping, 1,000 classes", "≤ 6 us a candidate", told("bookkeeping", lambda found: book(found, 1000))),
        (
            "ImageNet, cppn, black box",
            "median 0.88 by 200,000 evaluations, 15 minutes",
            told("imagenet-stitched", curve),
        ),
        ("ImageNet, gradient", "≥ 995 of 1,000 classes, 15 minutes", told("imagenet-gradient", climbed)),
        ("beside pyribs as an archive", "overhead ≤ 1/5, wall ≥ 2 times", told("peers", slower)),
        (
            "a cluster of 2 workers over 1, on 2 cores",
            "≥ 1.7",
            told("ray-scaling", workers, lambda found: median(found["load"])),
        ),
        ("`trompe demo`", "≤ 15 s", told("demo", demo)),
        ("cost of `fool`, torch, one core", "measured", told("bookkeeping", cost)),
        (
            "GPU: images/s beside the bare forward pass, four networks",
            "measured where there is one",
            on_gpu(beside_forward),
        ),
        ("GPU: the paper's 2 million evaluations, ten crops", "minutes", on_gpu(budget)),
        ("GPU: painted pixels within one level of the reference", "≥ 99.9 %", on_gpu(painted)),
    ]


HEAD = """# Performance

Written by `scripts/performance.py` from `benchmarks/results/`; a test holds it to them. The machine is shared: the load
beside each number says how many others wanted its cores. Wall times under a load far above the number of cores say
little; counts of evaluations are what they are.

| what | asked for | measured |
|---|---|---|
"""


def peers() -> str:
    """Tables of the comparison with other libraries."""
    found = load("peers")
    if found is None:
        return f"{MISSING}\n"
    lines = ["| | median | range |", "|---|---|---|"]
    for part, unit in (("loops_us", "us an evaluation"), ("painting_us", "us a picture"), ("climbing_s", "s")):
        lines += [f"| {name}, {unit} | {number(row['median'])} | {number(row['least'])} to {number(row['most'])} |"
                  for name, row in found[part].items()]  # fmt: skip
    lines += [f"| {name}, digits verified of 10 | {' '.join(map(str, values))} | |"
              for name, values in found["verified_of_10"].items()]  # fmt: skip
    return "\n".join(lines) + "\n"


def variants() -> str:
    """Every variant that was measured."""
    found = load("fewer")
    if found is None:
        return f"{MISSING}\n"
    lines = ["| variant | the median digit | all ten | seconds |", "|---|---|---|---|"]
    lines += [f"| {name} | {count(row['median'])} | {count(row['all'])} | {span(row['seconds'])} |"
              for name, row in found["variants"].items()]  # fmt: skip
    return "\n".join(lines) + "\n"


def imagenet() -> str:
    """The curve."""
    found = load("imagenet-stitched")
    if found is None:
        return f"{MISSING}\n"
    lines = ["| evaluations | median confidence | classes at 0.88 | at 0.99 | s of one core |", "|---|---|---|---|---|"]
    lines += [f"| {p['evaluations']:,} | {p['median']:.3f} | {p['at 0.88']} | {p['at 0.99']} | {p['cpu_seconds']:.0f} |"
              for p in found["curve"] if p["evaluations"] % 20_000 == 0 or p["evaluations"] in SHOWN]  # fmt: skip
    return "\n".join(lines) + "\n"


def page() -> str:
    """The whole of it."""
    table = "\n".join(f"| {' | '.join(row)} |" for row in rows())
    return (
        f"{HEAD}{table}\n\nWhat is not met, and why, stands in"
        " [note 0005](design/0005-fewer-evaluations.md).\n"
        f"\n## Evaluations to the ten digits\n\n{variants()}"
        f"\n## A thousand classes of photographs (`benchmarks/imagenet.py`)\n\n{imagenet()}"
        f"\n## Beside other libraries (`benchmarks/peers.py`)\n\n{peers()}"
    )


if __name__ == "__main__":
    if "--check" in sys.argv:
        sys.exit(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
