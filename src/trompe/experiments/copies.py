"""Finding an element that an image repeats, and taking its copies out or putting another one in."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from jaxtyping import UInt8
from torch import Tensor

from trompe.core.seeds import Stream

CELLS = 32
"""Rows and columns of the grid on which elements are looked for."""
SIDE = 6
"""Of an element, in cells: about a fifth of the image."""
ALIKE = 0.8
"""Correlation from which on two windows are copies."""
FEWEST = 3
"""Of an element that counts as repeated, itself included."""
_FLAT = 0.02
"""Standard deviation, of a range of 1, below which a window is too even to be an element."""
_TRIES = 100
"""Times that windows are strewn anew where the last one found no room."""

Picture = UInt8[Tensor, "channels height width"]
"""The bytes of one image."""
Place = tuple[int, int]
"""Row and column of a window's upper left cell."""


@dataclass(frozen=True)
class Element:
    """A window that an image repeats.

    Attributes:
        place: Of the one that is kept.
        copies: Of the others; no two windows overlap, that one included.
    """

    place: Place
    copies: tuple[Place, ...]


def element(image: Picture) -> Element | None:
    """The window with the most copies in an image, first come where there are several; None where none has enough.

    Copies are found greedily, the most alike first, by the correlation of all channels on a grid of 32 x 32 cells.

    Args:
        image: Bytes, shape (channels, height, width), both sides multiples of 32.
    """
    unit, flat = _windows(image)
    places = CELLS - SIDE + 1
    best: Element | None = None
    for start in range(0, len(unit), 3):
        if flat[start] or start // places % 3:
            continue
        alike = (unit @ unit[start]).masked_fill(flat, -1.0)
        alike[start] = 2.0  # itself first
        found = _apart(alike, places)
        if len(found) >= FEWEST and (best is None or len(found) > 1 + len(best.copies)):
            best = Element(found[0], tuple(found[1:]))
    return best


def _windows(image: Picture) -> tuple[Tensor, Tensor]:
    """Every window as a vector of mean 0 and length 1, shape (places, values), and which are too even."""
    size = (image.shape[1] // CELLS, image.shape[2] // CELLS)
    small = torch.nn.functional.avg_pool2d(image.to(torch.float64).unsqueeze(0) / 255.0, size)
    rows = torch.nn.functional.unfold(small, SIDE)[0].T
    centred = rows - rows.mean(1, keepdim=True)
    length = centred.square().sum(1).sqrt()
    flat = length < _FLAT * rows.shape[1] ** 0.5
    return centred / length.clamp(min=1e-12).unsqueeze(1), flat


def _apart(alike: Tensor, places: int) -> list[Place]:
    """Windows that are alike enough, the most alike first, none of which overlaps one before it."""
    near = (alike >= ALIKE).nonzero().flatten()
    found: list[Place] = []
    for number in near[alike[near].argsort(descending=True, stable=True)].tolist():
        place = divmod(number, places)
        if not overlaps(place, found):
            found.append(place)
    return found


def overlaps(place: Place, others: Sequence[Place]) -> bool:
    """Whether a window shares a cell with one of the others."""
    return any(abs(place[0] - row) < SIDE and abs(place[1] - column) < SIDE for row, column in others)


def free_places(taken: Sequence[Place]) -> list[Place]:
    """Every place whose window shares no cell with those taken, row by row."""
    places = range(CELLS - SIDE + 1)
    return [(row, column) for row in places for column in places if not overlaps((row, column), taken)]


def strewn(count: int, taken: Sequence[Place], stream: Stream) -> list[Place] | None:
    """So many places at random, whose windows share no cell with each other nor with those taken.

    Windows that are put down one by one can leave gaps too small for the next: then all are put down anew.

    Returns:
        The places; None where each of a hundred tries ran out of room.
    """
    for number in range(_TRIES):
        found = _packed(count, taken, stream.branch(str(number)))
        if len(found) == count:
            return found
    return None


def _packed(count: int, taken: Sequence[Place], stream: Stream) -> list[Place]:
    """Places one after another where there is room, at most so many."""
    places = CELLS - SIDE + 1
    draws = stream.uniform(places, places)
    for place in taken:
        _block(draws, place)
    found: list[Place] = []
    while len(found) < count and float(draws.max()) >= 0.0:
        row, column = divmod(int(draws.argmax()), places)
        found.append((row, column))
        _block(draws, (row, column))
    return found


def _block(draws: Tensor, place: Place) -> None:
    """Rule out every window that shares a cell with one."""
    rows, columns = (slice(max(0, at - SIDE + 1), at + SIDE) for at in place)
    draws[rows, columns] = -1.0


def without(image: Picture, places: Sequence[Place]) -> Picture:
    """The image with windows painted over, each in the mean colour of what surrounds it, one pixel wide."""
    changed = image.clone()
    for place in places:
        around, inner = _window(changed, place, 1), _window(changed, place)
        rest = around.to(torch.float64).sum((1, 2)) - inner.to(torch.float64).sum((1, 2))
        count = around[0].numel() - inner[0].numel()
        inner[:] = (rest / count).round().to(torch.uint8)[:, None, None]
    return changed


def with_copy(image: Picture, source: Place, place: Place) -> Picture:
    """The image with one window put in the place of another."""
    changed = image.clone()
    _window(changed, place)[:] = _window(image, source)
    return changed


def _window(image: Tensor, place: Place, more: int = 0) -> Tensor:
    """The part of an image, with so many pixels more on each side where there are any."""
    height, width = image.shape[1] // CELLS, image.shape[2] // CELLS
    top, left = place[0] * height, place[1] * width
    rows = slice(max(0, top - more), top + SIDE * height + more)
    return image[:, rows, max(0, left - more) : left + SIDE * width + more]
