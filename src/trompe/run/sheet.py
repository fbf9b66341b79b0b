"""The contact sheet: one picture of a run, for a notebook or a talk."""

import io
import math
import unicodedata
from dataclasses import dataclass
from functools import cache

import numpy
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from trompe.core.numerics import say_confidence
from trompe.run.read import Kept, Run

SHOWN_LEVEL = 0.99
"""The first image of a class that reached this level is the one shown: climbing on slowly draws what can be read."""

_INK, _QUIET, _PAPER, _FRAME = (20, 20, 24), (96, 96, 104), (255, 255, 255), (200, 200, 206)
_SIDE, _MARGIN = 1400, 40
_LACKING = "\ue000"
"""For private use, so that no font of words has it."""
_SPELT = str.maketrans({
    "ß": "ss", "æ": "ae", "Æ": "Ae", "œ": "oe", "Œ": "Oe", "ø": "o", "Ø": "O", "ł": "l", "Ł": "L", "đ": "d", "Đ": "D",
    "ð": "d", "Ð": "D", "þ": "th", "Þ": "Th", "ı": "i", "–": "-", "—": "-",
})  # fmt: skip


@dataclass(frozen=True)
class _Grid:
    """Where tiles go: columns, pixels a tile's image, size of the letters under it (0: none), space between tiles."""

    columns: int
    side: int
    letters: int
    gap: int

    @classmethod
    def of(cls, tiles: int, longest: int) -> "_Grid":
        columns = max(1, min(tiles, 5) if tiles <= 10 else math.ceil(math.sqrt(tiles * 1.4)))
        gap = 14 if tiles <= 200 else 5
        side = max(24, min(240, (_SIDE - 2 * _MARGIN + gap) // max(columns, 4) - gap))
        if longest <= side:  # whole pixels, so that no tile has a border of its own
            side -= side % longest
        return cls(columns, side, 0 if side < 56 else 12 if side < 160 else 17, gap)

    @property
    def words(self) -> int:
        """Height of the two lines under a tile."""
        return 2 * self.letters + 10 if self.letters else 0

    def place(self, number: int) -> tuple[int, int]:
        """Left and top of a tile, from the grid's own corner."""
        row, column = divmod(number, self.columns)
        return column * (self.side + self.gap), row * (self.side + self.words + self.gap)


def contact_sheet(run: Run) -> Image.Image:
    """One tile a class in the target's order: the first image at 99 %, otherwise the strongest, and what is claimed."""
    labels = list(dict.fromkeys(record.label for record in run.classes))
    grid = _Grid.of(len(labels), max(run.shape[1:]))
    right, below = grid.place(max(grid.columns * -(-len(labels) // grid.columns) - 1, 0))
    head = 2 * _MARGIN + 40
    width = max(right + grid.side + 2 * _MARGIN, 900)
    sheet = Image.new("RGB", (width, head + below + grid.side + grid.words + _MARGIN + 44), _PAPER)
    draw = ImageDraw.Draw(sheet)
    write(draw, (_MARGIN, _MARGIN, width - 2 * _MARGIN), _title(run), 26)
    for number, label in enumerate(labels):
        left, top = grid.place(number)
        name = drawable(label, f"class {run.about.target['labels'].index(label)}")
        found = shown(run, label)
        method = f"  {found[0]}" if found and len(run.searches) > 1 else ""
        _tile(sheet, (left + _MARGIN, top + head), grid, (found[1], method) if found else None, name)
    write(draw, (_MARGIN, sheet.height - _MARGIN - 6, width - 2 * _MARGIN), _made(run), 15, _QUIET)
    return sheet


def shown(run: Run, label: str) -> tuple[str, Kept] | None:
    """Method and image that stand for a class: the earliest at `SHOWN_LEVEL`, otherwise the strongest; or None."""
    records = [record for record in run.classes if record.label == label]
    firsts = [(record.method, first) for record in records if (first := record.first(SHOWN_LEVEL))]
    if firsts:
        return min(firsts, key=lambda pair: pair[1].evaluations)
    best = run[label]
    return (best.method, best.strongest) if best.strongest else None


def to_picture(levels: Tensor) -> Image.Image:
    """The bytes of an input as a picture: greyscale, colour, or its channels one below the other."""
    channels, _, width = levels.shape
    rows = levels.permute(1, 2, 0) if channels == 3 else levels.reshape(-1, width)
    return Image.fromarray(numpy.ascontiguousarray(rows.numpy()))


def fit(picture: Image.Image, side: int) -> Image.Image:
    """The picture within a square: small ones by whole pixels and never smoothed, large ones averaged down."""
    longest = max(picture.size)
    if longest > side:
        return picture.reduce(-(-longest // side))
    scale = side // longest
    return picture.resize((picture.width * scale, picture.height * scale), Image.Resampling.NEAREST)


def png(picture: Image.Image) -> bytes:
    """The picture as the content of a PNG file."""
    file = io.BytesIO()
    picture.save(file, format="PNG", optimize=False)
    return file.getvalue()


def drawable(text: str, otherwise: str) -> str:
    """The text in letters that Pillow's own font has; what to say otherwise where one can be written in no way.

    That font has the letters of ASCII, quotation marks and a few signs; it is asked about each. Other Latin letters are
    spelt with these.

    Example:
        >>> drawable("«Straße» nach Łódź", "class 3"), drawable("Ελλάς", "class 4")
        ('«Strasse» nach Lodz', 'class 4')
    """
    spelt = [_spell(letter) for letter in text]
    return otherwise if None in spelt else "".join(part for part in spelt if part)


@cache
def _spell(letter: str) -> str | None:
    """A letter in those that the font has, an accent of its own as nothing; None where that cannot be."""
    if letter.isprintable() and _has_glyph(letter):
        return letter
    bare = "".join(c for c in unicodedata.normalize("NFKD", letter) if not unicodedata.combining(c))
    spelt = bare.translate(_SPELT)
    return spelt if all(c.isprintable() and _has_glyph(c) for c in spelt) else None


@cache
def _has_glyph(letter: str) -> bool:
    """Whether the font draws a letter as anything but the box that stands for what it lacks."""
    font = ImageFont.load_default(20)
    masks = [font.getmask(which) for which in (letter, _LACKING)]
    return masks[0].size != masks[1].size or bytes(masks[0]) != bytes(masks[1])


def write(
    draw: ImageDraw.ImageDraw, line: tuple[int, int, int], text: str, size: int, ink: tuple[int, int, int] = _INK
) -> None:
    """Write one line at left, top, within so much room: cut with dots where it is longer."""
    left, top, room = line
    font = ImageFont.load_default(size)
    if draw.textlength(text, font) > room:
        while text and draw.textlength(f"{text}...", font) > room:
            text = text[:-1]
        text += "..."
    draw.text((left, top), text, ink, font)


def _title(run: Run) -> str:
    name = drawable(run.about.target["name"], "a classifier")
    state = "" if run.state == "done" else f" (not finished: {run.state})"
    if SHOWN_LEVEL not in run.about.levels or not run.classes:
        return f"{name}{state}"
    return f"{name}: at least 99 % sure of nonsense in {_say_count(run)}{state}"


def _say_count(run: Run) -> str:
    count = run.confident(SHOWN_LEVEL)
    return f"at least {count.at_least} of {count.attempted} classes attempted"


def _tile(sheet: Image.Image, place: tuple[int, int], grid: _Grid, found: tuple[Kept, str] | None, name: str) -> None:
    left, top = place
    draw = ImageDraw.Draw(sheet)
    draw.rectangle((left - 1, top - 1, left + grid.side, top + grid.side), outline=_FRAME)
    if found is not None:
        picture = fit(to_picture(found[0].levels), grid.side)
        sheet.paste(picture, (left + (grid.side - picture.width) // 2, top + (grid.side - picture.height) // 2))
    if grid.words:
        write(draw, (left, top + grid.side + 4, grid.side), name, grid.letters)
        says = f"{say_confidence(found[0].log_odds)}{found[1]}" if found else "not measured"
        write(draw, (left, top + grid.side + 6 + grid.letters, grid.side), says, max(11, grid.letters - 3), _QUIET)


def _made(run: Run) -> str:
    methods = ", ".join(dict.fromkeys(search.method for search in run.searches))
    looks = sum(search.evaluations for search in run.searches)
    seed = run.about.settings.get("seed", "not recorded")
    which = "the first picture of each class at 99 %, or its strongest"
    return drawable(
        f"{methods}; {looks:,} looks at the answers, seed {seed}; {which}; trompe {run.about.versions['trompe']}",
        "made by trompe",
    )
