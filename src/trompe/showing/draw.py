"""`draw`: an image that a small network painted, drawn again at any size, and the network itself."""

import io
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from PIL import PngImagePlugin

from trompe.core.errors import BadInput, RunError
from trompe.run import ClassRecord, Run, open_run
from trompe.run.folder import write_whole
from trompe.run.painters import Painter, painters
from trompe.run.sheet import to_picture
from trompe.settings import DrawSettings
from trompe.showing.painted import legend, say_size
from trompe.verbs.keywords import keywords

LARGEST = 4096
"""Pixels a side, at most: a gigabyte of work."""
_SIZE = re.compile(r"([0-9]+)(?:x([0-9]+))?")


@dataclass(frozen=True)
class Drawing:
    """What was drawn, where it lies, and what the network is.

    Attributes:
        image: The picture.
        graph: The network's graph; None where it was not asked for.
        formula: The file with its formula; None where it was not asked for.
        text: The formula itself.
        nodes: Of the genome, beside the inputs.
        connections: Of the genome.
        painting: Nodes and connections that an output depends on.
    """

    image: Path
    graph: Path | None
    formula: Path | None
    text: str
    nodes: int
    connections: int
    painting: tuple[int, int]

    def __str__(self) -> str:
        return say_size((self.nodes, self.connections), self.painting)

    def told(self) -> Iterator[tuple[str, object]]:
        """What there is to tell a program, by name."""
        yield from (("image", self.image), ("nodes", self.nodes), ("connections", self.connections))
        yield from (("painting_nodes", self.painting[0]), ("painting_connections", self.painting[1]))
        if self.graph is not None:
            yield "graph", self.graph
        if self.formula is not None:
            yield from (("formula_file", self.formula), ("formula", self.text))


@keywords(DrawSettings)
def draw(settings: DrawSettings) -> Drawing:
    """Draw the strongest image of a class that a network painted again, at any size.

    Takes the fields of `DrawSettings`. What is drawn was not judged: at the target's own size it is the image that
    was, at another size another image.

    Raises:
        RunError: No run, nothing recorded for the class, or a file cannot be written.
        BadInput: The class was not attempted, or not by networks, or a setting is unusable.
    """
    run = open_run(settings.run)
    painter = find_painter(run, settings.label)
    height, width = read_size(settings.size, run.shape)
    number = run.about.target["labels"].index(settings.label)
    path = Path(settings.out or run.folder / f"draw-{number:04d}.png")
    _check_ending(path)
    about = (
        f"drawn again at {height}x{width} by the network that paints a {settings.label} for {run.about.target['name']}"
    )
    write_whole(path, _png(painter, (height, width), about))
    graph = _beside(path, ".svg", painter.graph()) if settings.graph else None
    text = f"{legend(painter)}\n{painter.formula()}\n"
    formula = _beside(path, ".txt", text) if settings.formula else None
    return Drawing(path, graph, formula, text, *painter.size, painter.painting)


def find_painter(run: Run, label: str) -> Painter:
    """The network behind the strongest image of a class that any network painted.

    Raises:
        RunError: Nothing is recorded for the class yet.
        BadInput: The class was not attempted, or by no method whose images are painted by networks.
    """
    run[label]  # refuses a class that was not attempted
    found = painters(run)
    records = [record for record in run.classes if record.label == label]
    painted = [record for record in records if (record.search, record.niche) in found]
    if painted:
        best = max(painted, key=_odds)
        return found[best.search, best.niche]
    best = max(records, key=_odds)
    if best.strongest is None:
        raise RunError(
            expected="a class with an image", got="nothing recorded yet", where=str(run.folder), do="Let it run on."
        )
    raise BadInput(
        expected="an image that a network painted (encoding cppn): only such a one has more to show at another size",
        got=f"one of {', '.join(dict.fromkeys(record.method for record in records))}, whose genes are its pixels",
        where=f"--class {label} in {run.folder}",
        do=f"Enlarge {best.strongest.file} with any program, or make a run with --encoding cppn.",
    )


def read_size(text: str, shape: tuple[int, int, int]) -> tuple[int, int]:
    """Height and width that a text stands for.

    Args:
        text: ``"512"`` for the longer side, or ``"300x400"``.
        shape: Of the target's inputs, whose proportions one number keeps.

    Raises:
        BadInput: It is no such text, or out of range.

    Example:
        >>> read_size("512", (1, 28, 28)), read_size("300x400", (1, 28, 28)), read_size("512", (3, 20, 40))
        ((512, 512), (300, 400), (256, 512))
    """
    match, longest = _SIZE.fullmatch(text), max(shape[1:])
    first, second = match.groups() if match else ("0", "0")
    if second is None:
        height, width = (max(1, round(int(first) * side / longest)) if int(first) else 0 for side in shape[1:])
    else:
        height, width = int(first), int(second)
    if not (1 <= height <= LARGEST and 1 <= width <= LARGEST):
        raise BadInput(
            expected=f"a size like 512 or 300x400, each side from 1 to {LARGEST}",
            got=repr(text),
            where="--size",
            do="Give a number of pixels for the longer side, or height x width.",
        )
    return height, width


def _odds(record: ClassRecord) -> float:
    return record.strongest.log_odds if record.strongest else float("-inf")


def _check_ending(path: Path) -> None:
    if path.suffix.lower() != ".png":
        raise BadInput(
            expected="a file name that ends in .png",
            got=path.name,
            where="--out",
            do="Use .png; graph and formula get the same name with .svg and .txt.",
        )


def _png(painter: Painter, size: tuple[int, int], about: str) -> bytes:
    note = PngImagePlugin.PngInfo()
    note.add_itxt("Comment", f"trompe: {about}; not judged at this size; not a photograph")
    file = io.BytesIO()
    to_picture(painter.paint(*size)[0]).save(file, format="PNG", pnginfo=note)
    return file.getvalue()


def _beside(path: Path, ending: str, text: str) -> Path:
    place = path.with_suffix(ending)
    write_whole(place, text.encode())
    return place
