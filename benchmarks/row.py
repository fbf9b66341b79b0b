"""The row of the plain LeNet under the whole portfolio, and the seconds that portfolio and screen take.

Written between the marks of docs/portfolio.md, with a picture of what got through: of every digit, and of some
attacks and starts, the first image of 99 % that no reader reads.
"""

import argparse
import re
import tempfile
import time
from pathlib import Path
from typing import Any

from common import keep, say

import trompe
from trompe.portfolio import PORTFOLIO_1, SCREEN_1
from trompe.run import Run, open_run
from trompe.run.reads import reads_of
from trompe.run.sheet import to_picture
from trompe.settings import TrialSettings

DOCS = Path(__file__).parent.parent / "docs"
PICTURE = DOCS / "images" / "lenet-mnist-open.png"
LEVEL = 0.99
SHOWN = {
    "noise": "pixels-ascend:sign-momentum:uniform", "near-black": "pixels-ascend:adam:near-black",
    "low-frequency": "pixels-ascend:hide:low-frequency", "salt": "pixels-ascend:adam:salt",
    "blocks": "pixels-ascend:hide:blocks", "other class": "pixels-ascend:hide:other-class",
    "class mean": "pixels-ascend:hide:class-mean", "squares": "pixels-squares:random-squares:grey",
    "evolved": "pixels-evolve", "CPPN, evolved": "cppn-evolve", "CPPN, climbed": "cppn-ascend",
}  # fmt: skip


def judged(portfolio: str, out: Path) -> tuple[dict[str, Any], float, float]:
    """The judgement, and the seconds that it took: of wall and of processor time."""
    wall, used = time.perf_counter(), time.process_time()
    settings = TrialSettings("lenet-mnist", undefended="lenet-mnist-b", out=out)
    found = trompe.judge(
        "lenet-mnist", portfolio={"screen": SCREEN_1, "full": PORTFOLIO_1}[portfolio], out=out, settings=settings
    )
    return found.describe(), time.perf_counter() - wall, time.process_time() - used


def say_open(found: dict[str, Any]) -> str:
    """A range of counts: ``27 to 30 of 30``."""
    low, high = found["low"]["count"], found["high"]["count"]
    return f"{low}{'' if low == high else f' to {high}'} of {found['high']['of']}"


def rows(found: dict[str, Any]) -> str:
    """The headline, and the table of attacks by starts; the largest share first."""
    measured = found["open_trials"]
    cells = measured["cells"]
    starts = list(dict.fromkeys(cell["start"] for cell in cells))
    attacks = list(dict.fromkeys(cell["attack"] for cell in cells))
    told = {(cell["attack"], cell["start"]): say_open(cell["open"]) for cell in cells}
    head = [f"| attack | {' | '.join(starts)} |", f"|---{'|---' * len(starts)}|"]
    body = [f"| `{attack}` | {' | '.join(told.get((attack, start), '') for start in starts)} |" for attack in attacks]
    readable = measured["readable"]
    return "\n".join(
        [
            f"Of {measured['trials']} trials {measured['confident']['count']} reached 99 %, and "
            f"**{say_open(measured['open'])} are open** (no reader reads the digit, to not every one does). Of the "
            f"{readable['images']} images of 99 % every reader reads {readable['by_every']}, some reader "
            f"{readable['by_some']}. Verdict: {found['verdict']}. Readers: {', '.join(measured['readers'])}.",
            "",
            "Open trials, by attack and start:",
            "",
            *head,
            *body,
        ]
    )


def unread(run: Run, method: str) -> list[Any]:
    """Of every digit the first image of the level, by methods whose name begins so, that no reader reads; or None."""
    reads, found = reads_of(run), dict.fromkeys(run.about.target["labels"])
    for record in run.classes:
        kept = record.first(LEVEL)
        if kept is None or not record.method.startswith(method) or found[record.label] is not None:
            continue
        if reads.seen((record.search, record.niche, kept.level or 0.0), record.label) == "unreadable":
            found[record.label] = kept
    return list(found.values())


def draw(run: Run) -> None:
    """A column a digit, a row an attack and its start; an empty place where every such image is read by some reader."""
    from PIL import Image, ImageDraw

    side, left = 64, 110
    sheet = Image.new("RGB", (left + 10 * side, len(SHOWN) * side), (128, 128, 128))
    for y, (name, method) in enumerate(SHOWN.items()):
        ImageDraw.Draw(sheet).text((6, y * side + side // 2 - 6), name, fill=(255, 255, 255))
        for x, kept in enumerate(unread(run, method)):
            if kept is not None:
                picture = to_picture(kept.levels).resize((side - 4, side - 4), Image.Resampling.NEAREST)
                sheet.paste(picture.convert("RGB"), (left + x * side + 2, y * side + 2))
    PICTURE.parent.mkdir(exist_ok=True)
    sheet.save(PICTURE)


def main() -> None:
    """Judge, keep the numbers, write the row."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--work", type=Path, help="where the runs are kept; by default nowhere")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        work = options.work or Path(folder)
        screen, *screen_seconds = judged("screen", work / "screen")
        full, *full_seconds = judged("full", work / "full")
        draw(open_run(next((work / "full" / "models").iterdir())))
    took = {"screen": screen_seconds, "full": full_seconds}
    for name, (wall, used) in took.items():
        say(f"{name}: {wall:.0f} s, {used:.0f} s of processor time")
    keep("row", {"seconds": took, "screen": screen, "full": full})
    words = (
        f"{rows(full)}\n\nThis took {full_seconds[0]:.0f} s ({full_seconds[1]:.0f} s of processor time), the screen "
        f"{screen_seconds[0]:.0f} s ({screen_seconds[1]:.0f} s)."
    )
    page = DOCS / "portfolio.md"
    inside = f"<!-- row: benchmarks/row.py -->\n{words}\n<!-- end of row -->"
    text = re.sub(
        r"<!-- row:.*<!-- end of row -->", lambda _: inside, page.read_text(encoding="utf-8"), flags=re.DOTALL
    )
    page.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
