"""`kill -9` at random moments of `trompe fool lenet-mnist`, then --resume: how many ends equal the uninterrupted one.

Asked for: 20 of 20.
"""

import argparse
import hashlib
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from common import keep, say

from trompe.run import open_run


def command(out: Path) -> list[str]:
    """The run, long enough to be hit anywhere."""
    words = [
        "fool",
        "lenet-mnist",
        "--generations",
        "40",
        "--confidence",
        "None",
        "--quiet",
        "--resume",
        "--out",
        str(out),
    ]
    return [sys.executable, "-c", "from trompe.cli.main import entry; entry()", *words]


def end(out: Path) -> tuple[str, str]:
    """Digest of what a run recorded, and of the bytes of its images."""
    images = hashlib.sha256()
    for path in sorted(out.rglob("*.png")):
        images.update(path.read_bytes())
    return open_run(out).digest(), images.hexdigest()


def main() -> None:
    """Kill, resume, compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance, rows = random.Random(options.seed), []  # noqa: S311  moments, not secrets
    with tempfile.TemporaryDirectory() as scratch:
        whole = Path(scratch) / "whole"
        before = time.monotonic()
        subprocess.run(command(whole), check=True, capture_output=True)
        duration, wanted = time.monotonic() - before, end(whole)
        for i in range(options.kills):
            out, moment = Path(scratch) / f"killed-{i}", chance.uniform(0.05, duration)
            process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(moment)
            process.kill()
            process.wait()
            kept = open_run(out).searches[0].steps if _recorded(out) else 0
            subprocess.run(command(out), check=True, capture_output=True)
            rows.append({"killed_after": round(moment, 3), "steps_kept": kept, "identical": end(out) == wanted})
            say(f"killed after {moment:.2f} s with {kept} steps kept: identical {rows[-1]['identical']}")
    identical = sum(row["identical"] for row in rows)
    say(f"{identical} of {len(rows)} ends identical")
    keep("resume", {"identical": identical, "kills": len(rows), "rows": rows})


def _recorded(out: Path) -> bool:
    from trompe.core.errors import RunError

    try:
        return bool(open_run(out).searches)
    except RunError:
        return False


if __name__ == "__main__":
    main()
