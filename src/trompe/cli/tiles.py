"""The images themselves on a true-colour terminal, two pixels a character: while they evolve, and what came of it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from rich.color import Color
from rich.console import Console, ConsoleOptions, RenderResult
from rich.segment import Segment
from rich.style import Style
from torch import Tensor

from trompe.cli.parse import plain
from trompe.core.numerics import say_confidence
from trompe.core.types import Step
from trompe.run import Run
from trompe.run.sheet import shown

LARGEST = 64
"""Images with a longer side are not shown live."""
_GAP = 2


@dataclass(frozen=True)
class Layout:
    """How tiles are laid out: how many in a row, and by how much they are shrunk."""

    in_row: int
    shrink: int


def fit(count: int, height: int, width: int, columns: int, lines: int) -> Layout | None:
    """The largest layout that fits a terminal; None where even tiles of four pixels do not.

    Args:
        count: Tiles.
        height: Of an image, in pixels.
        width: Of an image, in pixels.
        columns: Of the terminal.
        lines: Of the terminal.

    Example:
        >>> fit(10, 28, 28, columns=160, lines=40)
        Layout(in_row=5, shrink=1)
    """
    for shrink in range(1, max(1, max(height, width) // 4) + 1):
        wide, high = -(-width // shrink), -(-height // (2 * shrink)) + 1
        in_row = min(count, (columns + _GAP) // (wide + _GAP))
        if in_row and -(-count // in_row) * high <= lines:
            return Layout(in_row, shrink)
    return None


class Tiles:
    """A grid of the images that hold the niches now, each under its label.

    Args:
        labels: One a niche.
    """

    def __init__(self, labels: Sequence[str]) -> None:
        self._labels = labels
        self._images: dict[int, Tensor] = {}

    def follow(self, step: Step[Any]) -> None:
        """Take over the images that won niches in a step."""
        wins = step.wins
        for niche, row in zip(wins.niche.tolist(), wins.row.tolist(), strict=True):
            self._images[niche] = wins.winners.inputs[row]

    @classmethod
    def of(cls, run: Run) -> "Tiles":
        """What the contact sheet of a run shows: the first image of a class at 99 %, otherwise its strongest."""
        labels = list(dict.fromkeys(record.label for record in run.classes))
        found = [shown(run, label) for label in labels]
        says = [f" {say_confidence(one[1].log_odds)}" if one else "" for one in found]
        tiles = cls([label + odds for label, odds in zip(labels, says, strict=True)])
        tiles._images = {niche: one[1].image for niche, one in enumerate(found) if one}
        return tiles

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        if not self._images:
            return
        _, height, width = next(iter(self._images.values())).shape
        layout = fit(len(self._labels), height, width, options.max_width, console.size.height - 3)
        if layout is None:
            return
        for start in range(0, len(self._labels), layout.in_row):
            yield from self._row(range(start, min(start + layout.in_row, len(self._labels))), layout.shrink)

    def _row(self, niches: range, shrink: int) -> RenderResult:
        tiles = [_colours(self._images[niche], shrink) for niche in niches if niche in self._images]
        labels = [self._labels[niche] for niche in niches if niche in self._images]
        if not tiles:
            return
        width = tiles[0].shape[1]
        for label in labels:
            yield Segment(plain(label)[:width].ljust(width + _GAP))
        yield Segment.line()
        for line in range(0, tiles[0].shape[0], 2):
            for tile in tiles:
                yield from (Segment("▀", _style(*pair)) for pair in zip(*tile[line : line + 2].tolist(), strict=True))
                yield Segment(" " * _GAP)
            yield Segment.line()


def supported(console: Console, height: int, width: int) -> bool:
    """Whether this terminal can show images of this size live."""
    return console.is_terminal and console.color_system == "truecolor" and max(height, width) <= LARGEST


def _colours(image: Tensor, shrink: int) -> Tensor:
    """Bytes of an image, shrunk, an even number of rows: shape (rows, columns, 3)."""
    shown = image if len(image) == 3 else image[:1].expand(3, -1, -1)
    small = torch.nn.functional.avg_pool2d(shown, shrink, ceil_mode=True) if shrink > 1 else shown
    if small.shape[1] % 2:
        small = torch.nn.functional.pad(small, (0, 0, 0, 1))
    return (small * 255).round().to(torch.uint8).permute(1, 2, 0)


def _style(upper: Sequence[int], lower: Sequence[int]) -> Style:
    return Style(color=Color.from_rgb(*upper), bgcolor=Color.from_rgb(*lower))
