"""The class-by-generation map: how sure the archive was of every class, as the search went on."""

from dataclasses import dataclass

import numpy
import torch
from PIL import Image

from trompe.core.numerics import confidence
from trompe.run.history import Takeover
from trompe.run.read import SearchRecord
from trompe.showing.evidence import Evidence
from trompe.showing.pictures import address
from trompe.showing.words import say_count

COLUMNS = 200
"""At most; more steps share a column, which shows the last of them."""
NAMED_ROWS = 24
"""Rows are named up to this many classes."""
_NAME = 14
_CEILING = 8.0
"""In nines: the top of the colour scale is 99.999999 %."""
# Viridis at 16 evenly spaced places (matplotlib, CC0): even steps of lightness, readable without colour vision.
_VIRIDIS = (
    "440154 481a6c 472f7d 414487 39568c 31688e 2a788e 23888e 1f988b 22a884 35b779 54c568 7ad151 a5db36 d2e21b fde725"
)


@dataclass(frozen=True)
class Map:
    """The map of one search: an image with one row a class and one column a stretch of steps."""

    method: str
    source: str
    columns: int
    names: list[str]
    classes: int
    end: str
    middle: str
    generation: str
    text: str


def maps(evidence: Evidence) -> list[Map]:
    """One map a method that has begun: of its first run where it has several."""
    begun: dict[str, SearchRecord] = {}
    for search in evidence.run.searches:
        if search.steps:
            begun.setdefault(search.method, search)
    return [_map(evidence, search) for search in begun.values()]


def grid(search: SearchRecord, taken: list[Takeover]) -> torch.Tensor:
    """The value of every niche at the end of every column, shape (niches, columns), -infinity where still empty."""
    columns = min(COLUMNS, search.steps)
    held = torch.full((len(search.niches), columns), -torch.inf, dtype=torch.float64)
    for change in taken:
        column = change.step * columns // search.steps
        held[change.niche, column:] = change.value
    return held


def nines(odds: torch.Tensor) -> torch.Tensor:
    """How many nines a confidence has, 0 .. 8: minus the decimal logarithm of the doubt."""
    return (-torch.log10(confidence(-odds))).clamp(0.0, _CEILING)


def palette(share: torch.Tensor) -> torch.Tensor:
    """Viridis for numbers in 0 .. 1, uint8 with a last axis of red, green, blue."""
    stops = torch.tensor([[int(code[i : i + 2], 16) for i in (0, 2, 4)] for code in _VIRIDIS.split()])
    place = share.clamp(0.0, 1.0) * (len(stops) - 1)
    below = place.floor().long().clamp(max=len(stops) - 2)
    weight = (place - below).unsqueeze(-1)
    return (stops[below] * (1 - weight) + stops[below + 1] * weight).round().to(torch.uint8)


def legend() -> str:
    """The colour scale from 0 to 8 nines, as a picture."""
    return _picture(palette(torch.linspace(0, 1, 64)).unsqueeze(0))


def _map(evidence: Evidence, search: SearchRecord) -> Map:
    held = grid(search, evidence.run.takeovers(search.number))
    named = search.niches if len(search.niches) <= NAMED_ROWS else ()
    population = evidence.run.about.settings.get("population")
    generation = f"one generation is {say_count(population)} looks" if isinstance(population, int) else ""
    return Map(
        method=search.method + (f", the first of {evidence.run.repeats} runs" if evidence.run.repeats > 1 else ""),
        source=_picture(palette(nines(held) / _CEILING)),
        columns=held.shape[1],
        names=[name if len(name) <= _NAME else f"{name[: _NAME - 1]}…" for name in named],
        classes=len(search.niches),
        end=say_count(search.evaluations),
        middle=say_count(search.evaluations // 2),
        generation=generation,
        text=f"Map of {search.method}: one row a class, {len(search.niches)} in all, from the first to look "
        f"{say_count(search.evaluations)}; lighter is surer. The table below says the same in numbers.",
    )


def _picture(colours: torch.Tensor) -> str:
    return address(Image.fromarray(numpy.ascontiguousarray(colours.numpy())))
