"""Readers under attack, and the tables of docs/readers.md: what each reader is worth, how far they disagree.

Images are made from real test digits that every reader reads: the network's log-odds of their class are kept above
those of 99.99 % while the score of one reader is descended by sign gradient. Then every reader is asked.
"""

import argparse
import json
import re
from pathlib import Path
from typing import Any

import torch
from common import keep, say
from torch import Tensor

from trompe.core.numerics import class_log_odds, from_levels, level_odds, quantise
from trompe.core.types import Reader
from trompe.data import load
from trompe.measure.readers import load_readers, read, reads_by
from trompe.measure.readers.store import CALIBRATION, SHIPPED
from trompe.targets import TorchTarget, load_target

LEVEL = 0.9999
DOCS = Path(__file__).parent.parent / "docs" / "readers.md"
RESULTS = Path(__file__).parent / "results" / "readers.json"


def hidden(target: TorchTarget, reader: Reader, images: Tensor, classes: Tensor, steps: int) -> Tensor:
    """Images of the same classes that the reader should not read, as sure as before to the network."""
    odds, x = level_odds(LEVEL), images.clone()
    best, found = images.clone(), torch.zeros(len(images), dtype=torch.bool)
    for _ in range(steps):
        x = quantise(x).requires_grad_()
        sure = class_log_odds(target.judge(x).logits, classes)
        score = reader.scores(x).gather(1, classes[:, None])[:, 0]
        with torch.no_grad():
            done = (read(reader, x) != classes) & (sure >= odds)
            best[done], found = x[done].detach(), found | done
        # Where the network is less than sure by a margin it comes first; otherwise the reader is left behind.
        aim = torch.where(sure < odds + 2.0, sure, -score).sum()
        (slope,) = torch.autograd.grad(aim, x)
        x = (x.detach() + 6.0 / 255.0 * slope.sign()).clamp(0.0, 1.0)
    return best[found]


def attack(each: int, steps: int) -> dict[str, Any]:
    """Of images hidden from one reader, how many each of the others still reads as their class."""
    data, target = load("mnist"), load_target("lenet-mnist")
    readers = load_readers(data.labels, (1, 28, 28))
    images, classes = _readable(readers, target, data.test.images, data.test.classes, each)
    rows = {}
    for reader in readers:
        kept, made_for = [], []
        for c in range(10):
            own = classes == c
            made = hidden(target, reader, images[own], classes[own], steps)
            kept.append(made)
            made_for += [c] * len(made)
        found, wanted = torch.cat(kept), torch.tensor(made_for)
        told = (reads_by(readers, found) == wanted).sum(1).tolist()
        rows[reader.name] = {
            "attempted": len(classes),
            "hidden": len(found),
            "read_by": dict(zip([one.name for one in readers], told, strict=True)),
        }
        say(f"hidden from {reader.name}: {rows[reader.name]}")
    return {"target": "lenet-mnist", "level": LEVEL, "steps": steps, "rows": rows}


def _readable(
    readers: tuple[Reader, ...], target: TorchTarget, levels: Tensor, classes: Tensor, each: int
) -> tuple[Tensor, Tensor]:
    """The first test images of every class that the network is sure of and every reader reads."""
    first = torch.cat([(classes == c).nonzero().flatten()[: 3 * each] for c in range(10)])
    images, own = from_levels(levels[first]), classes[first]
    sure = class_log_odds(target.judge(images).logits, own) >= level_odds(LEVEL)
    good = (reads_by(readers, images) == own).all(0) & sure
    rows = torch.cat([((own == c) & good).nonzero().flatten()[:each] for c in range(10)])
    return images[rows], own[rows]


def table(head: list[str], rows: list[list[str]]) -> str:
    """A table in Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def percent(count: float, of: float = 1.0) -> str:
    """A share in per cent, one decimal."""
    return f"{100.0 * count / of:.1f}"


def shipped_tables(place: Path) -> str:
    """Everything measured of the readers of one data set."""
    record = json.loads((place / CALIBRATION).read_text(encoding="utf-8"))
    readers, apart = record["readers"], record["disagreement"]
    names, first = list(readers), next(iter(readers.values()))

    def told(found: dict[str, int]) -> list[str]:
        return [percent(found[key], found["of"]) for key in ("itself", "another", "nothing")]

    def noise(name: str, kind: str) -> str:
        found = readers[name]["noise"][kind] if kind in readers[name]["noise"] else readers[name][kind]
        return percent(found["read"], found["of"])

    real = [[name, *told(readers[name]["real"]), percent(readers[name]["specificity"])] for name in names]
    spoilt = [[kind, *(told(readers[name]["spoilt"][kind])[0] for name in names)] for kind in first["spoilt"]]
    empty = [[kind, *(noise(name, kind) for name in names)] for kind in (*first["noise"], "scribbles")]
    parts = [
        f"### {place.name}\n\n`{record['command']}`; per cent of the test images, and of all noise.",
        table(["reader", "read as itself", "as another", "as none", "noise read as none"], real),
        "Spoilt test images read as themselves, per cent:",
        table(["spoilt by", *names], spoilt),
        "Noise read as anything, per cent (bright scribbles are no noise, and counted apart):",
        table(["noise", *names], empty),
    ]
    for kind in ("real", "spoilt", "noise"):
        rows = [[name, *map(percent, row)] for name, row in zip(apart["readers"], apart[kind], strict=True)]
        parts += [f"Read differently by two readers, per cent of {kind} images:", table(["", *apart["readers"]], rows)]
    return "\n\n".join(parts)


def attack_table() -> str:
    """What the others read of images that were hidden from one."""
    found = json.loads(RESULTS.read_text(encoding="utf-8"))
    rows = [[name, f"{row['hidden']} of {row['attempted']}",
             *(f"{count} of {row['hidden']}" for count in row["read_by"].values())]
            for name, row in found["rows"].items()]  # fmt: skip
    return table(["hidden from", "hidden", *(f"read by {name}" for name in found["rows"])], rows)


def write() -> None:
    """Put the tables between the marks of docs/readers.md."""
    places = sorted(place for place in SHIPPED.iterdir() if (place / CALIBRATION).exists())
    parts = [*map(shipped_tables, places), "### Under attack", attack_table()]
    text = DOCS.read_text(encoding="utf-8")
    inside = "<!-- measured -->\n\n" + "\n\n".join(parts) + "\n\n<!-- /measured -->"
    text = re.sub(r"<!-- measured -->.*<!-- /measured -->", lambda _: inside, text, flags=re.DOTALL)
    DOCS.write_text(text, encoding="utf-8")


def main() -> None:
    """Attack, keep the numbers, write the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--each", type=int, default=5, help="test images of every class")
    parser.add_argument("--steps", type=int, default=40)
    parser.add_argument("--only-write", action="store_true", help="write the tables from what was kept")
    options = parser.parse_args()
    if not options.only_write:
        keep("readers", attack(options.each, options.steps))
    write()


if __name__ == "__main__":
    main()
