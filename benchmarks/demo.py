"""What `trompe demo` costs and reaches, and how fast painted images are beside pixels.

The demo runs once in a process of its own: wall and processor time, peak memory, and for each method how many digits
have an image that was read back from disk and verified at 99.99 %. Then `evolve` runs without stopping at a confidence
on `pixels` and on `cppn`, in interleaved pairs; the median ratio of evaluations a second of processor time counts,
since the machine has other things to do.

Asked for: at most 45 s and 1.5 GB on two cores, ten of ten digits by every method; a ratio of at least 0.5.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from statistics import median
from typing import Any

from common import keep, say

from trompe.settings import FoolSettings
from trompe.verbs.fool import fool_session

_DEMO = "from trompe.cli.main import entry; entry()"


def demo(folder: Path) -> dict[str, Any]:
    """The demo in a process of its own."""
    before = time.perf_counter()
    process = subprocess.Popen([sys.executable, "-c", _DEMO, "demo", "--out", str(folder), "--quiet"],
                               stdout=subprocess.DEVNULL)  # fmt: skip
    _, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - before
    if status:
        raise SystemExit(f"the demo ended with status {status}")
    classes = json.loads((folder / "results.json").read_text())["classes"]
    counts = Counter({entry["method"]: 0 for entry in classes})
    counts.update(entry["method"] for entry in classes if entry["verified_confidence"] >= 0.9999)
    processor = usage.ru_utime + usage.ru_stime
    return {"wall": wall, "processor": processor, "peak_bytes": usage.ru_maxrss * 1024, "digits": dict(counts)}


def rate(encoding: str, generations: int, folder: Path) -> float:
    """Evaluations a second of processor time of `evolve`, recording included."""
    settings = FoolSettings("lenet-mnist", encoding=encoding, confidence=None, generations=generations, out=folder)
    with fool_session(settings) as session:
        before = time.process_time()
        return max(step.evaluations for step in session) / (time.process_time() - before)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=7)
    parser.add_argument("--generations", type=int, default=40)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        shown = demo(Path(scratch) / "demo")
        gigabytes = shown["peak_bytes"] / 1e9
        say(f"demo {shown['wall']:.1f} s ({shown['processor']:.1f} s of one core)  peak {gigabytes:.2f} GB")
        say(f"digits verified at 99.99 %: {shown['digits']}")
        ratios = []
        for i in range(options.pairs + 1):
            pixels, cppn = (
                rate(name, options.generations, Path(scratch) / f"{name}-{i}") for name in ("pixels", "cppn")
            )
            if i:  # the first pair warms up
                ratios.append(cppn / pixels)
                say(f"pixels {pixels:,.0f}/s  cppn {cppn:,.0f}/s  ratio {ratios[-1]:.3f}")
    ratios.sort()
    say(f"median ratio {median(ratios):.3f} (from {ratios[0]:.3f} to {ratios[-1]:.3f})")
    keep("demo", {**shown, "cppn_to_pixels": ratios, "median_ratio": median(ratios)})


if __name__ == "__main__":
    main()
