"""People made for looking at: a run with few classes, real images of them, and answers as good as a test wants."""

import csv
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from made import made_run

import trompe
from trompe.core.numerics import to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.data.folders import Photographs, read_photographs
from trompe.run import Run
from trompe.verbs.answers import COLUMNS, NONE
from trompe.verbs.stimuli import Stimulus, stimuli, write_key

SPEC = ImageSpec(1, 8, 8)
LABELS = ("cat", "dog", "=cow", "<b>hen</b>")


@dataclass(frozen=True)
class Asked:
    """A run, the folder of its real images, and the pictures of its page, whose key is written."""

    run: Run
    real: Path
    chosen: tuple[Stimulus, ...]

    def row(self, item: Stimulus, answer: str, rater: str = "r1", **other: object) -> dict[str, str]:
        row = {"rater": rater, "name": "", "page": "p1", "image": item.id, "repeat": 0, "answer": answer}
        return {key: str(value) for key, value in {**row, "milliseconds": 900, **other}.items()}

    def rows(self, see: Callable[[Stimulus], str], rater: str = "r1", **other: object) -> list[dict[str, str]]:
        """Everything answered by who sees in a kept picture what `see` says, and who looks at the rest."""
        answers = {"real": lambda item: item.label, "noise": lambda _: NONE, "kept": see}
        return [self.row(item, answers[item.kind](item), rater, **other) for item in self.chosen]


def asked(folder: Path, labels: Sequence[str] = LABELS, count: int = 20) -> Asked:
    run = made_run(folder / "run", labels, SPEC, by="ascend", generations=30, population=None, batch=len(labels))
    photographs(folder / "real", labels, count)
    chosen = stimuli(run, real_images(folder / "real", labels), count, 0)
    write_key(run, chosen)
    return Asked(trompe.open_run(run.folder), folder / "real", chosen)


def photographs(folder: Path, labels: Sequence[str], count: int) -> None:
    for number in range(count):
        part = folder / str(number % len(labels))
        part.mkdir(parents=True, exist_ok=True)
        levels = to_levels(Stream(number, "asked/real", 0).uniform32(1, *SPEC.shape) * 0.6)[0]
        SPEC.write(part / f"{number}.png", levels, "")


def real_images(folder: Path, labels: Sequence[str] = LABELS) -> Photographs:
    return read_photographs(folder, labels, SPEC.shape)


def save(path: Path, rows: Sequence[dict[str, str]], columns: Sequence[str] = COLUMNS) -> Path:
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns)
    writer.writeheader()
    writer.writerows(rows)
    path.write_bytes(text.getvalue().encode())
    return path
