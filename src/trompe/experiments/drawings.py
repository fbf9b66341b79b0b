"""Drawn animals, photographs, and a photograph made a drawing; each with the ImageNet classes that it may be named."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy
import torch
from PIL import Image, ImageDraw, ImageFont, ImageOps

from trompe.core.types import Levels

FONT = Path("/usr/share/fonts/truetype/noto/NotoColorEmoji.ttf")
"""Of Debian's package fonts-noto-color-emoji."""
_STRIKE, _CANVAS = 109, 160
"""The one size that the font has, and a square with some room around it; in pixels."""
GROUNDS = {"white": (255, 255, 255), "grey": (128, 128, 128), "black": (0, 0, 0), "green": (96, 160, 80)}
"""Plain backgrounds: red, green and blue in 0 .. 255."""
CATS = range(281, 286)
_DOGS = range(151, 269)

ANIMALS: Mapping[str, tuple[str, Sequence[int]]] = {
    "cat": ("\N{CAT}", CATS),
    "cat's face": ("\N{CAT FACE}", CATS),
    "dog": ("\N{DOG}", _DOGS),
    "dog's face": ("\N{DOG FACE}", _DOGS),
    "poodle": ("\N{POODLE}", _DOGS),
    "wolf": ("\N{WOLF FACE}", range(269, 273)),
    "fox": ("\N{FOX FACE}", range(277, 281)),
    "lion": ("\N{LION FACE}", (291,)),
    "tiger": ("\N{TIGER}", (292,)),
    "leopard": ("\N{LEOPARD}", (288, 289, 290, 293)),
    "bear": ("\N{BEAR FACE}", range(294, 298)),
    "panda": ("\N{PANDA FACE}", (388,)),
    "koala": ("\N{KOALA}", (105,)),
    "elephant": ("\N{ELEPHANT}", (101, 385, 386)),
    "zebra": ("\N{ZEBRA FACE}", (340,)),
    "pig": ("\N{PIG}", (341, 342)),
    "boar": ("\N{BOAR}", (341, 342)),
    "hippopotamus": ("\N{HIPPOPOTAMUS}", (344,)),
    "ox": ("\N{OX}", (345,)),
    "water buffalo": ("\N{WATER BUFFALO}", (346,)),
    "ram": ("\N{RAM}", (348, 349)),
    "dromedary": ("\N{DROMEDARY CAMEL}", (354,)),
    "rabbit": ("\N{RABBIT}", range(330, 333)),
    "hamster": ("\N{HAMSTER FACE}", (333,)),
    "hedgehog": ("\N{HEDGEHOG}", (334,)),
    "beaver": ("\N{BEAVER}", (337,)),
    "otter": ("\N{OTTER}", (360,)),
    "sloth": ("\N{SLOTH}", (364,)),
    "orangutan": ("\N{ORANGUTAN}", (365,)),
    "gorilla": ("\N{GORILLA}", (366,)),
    "monkey": ("\N{MONKEY}", range(365, 383)),
    "rooster": ("\N{ROOSTER}", (7,)),
    "eagle": ("\N{EAGLE}", (22,)),
    "owl": ("\N{OWL}", (24,)),
    "peacock": ("\N{PEACOCK}", (84,)),
    "parrot": ("\N{PARROT}", range(87, 91)),
    "duck": ("\N{DUCK}", (97, 98)),
    "flamingo": ("\N{FLAMINGO}", (130,)),
    "penguin": ("\N{PENGUIN}", (145,)),
    "frog": ("\N{FROG FACE}", range(30, 33)),
    "turtle": ("\N{TURTLE}", range(33, 38)),
    "lizard": ("\N{LIZARD}", range(38, 49)),
    "crocodile": ("\N{CROCODILE}", (49, 50)),
    "snake": ("\N{SNAKE}", range(52, 69)),
    "shark": ("\N{SHARK}", range(2, 5)),
    "whale": ("\N{SPOUTING WHALE}", (147, 148)),
    "blowfish": ("\N{BLOWFISH}", (397,)),
    "crab": ("\N{CRAB}", range(118, 122)),
    "lobster": ("\N{LOBSTER}", (122, 123)),
    "snail": ("\N{SNAIL}", (113,)),
    "scorpion": ("\N{SCORPION}", (71,)),
    "spider": ("\N{SPIDER}", range(72, 78)),
    "ladybird": ("\N{LADY BEETLE}", (301,)),
    "bee": ("\N{HONEYBEE}", (309,)),
    "ant": ("\N{ANT}", (310,)),
    "cricket": ("\N{CRICKET}", (311, 312)),
    "butterfly": ("\N{BUTTERFLY}", range(321, 327)),
}
"""Emoji whose animal has ImageNet classes, and those; where the drawing does not say which kind, any of it counts."""

PHOTOGRAPHS: Mapping[str, Sequence[int]] = {
    "chelsea": CATS, "coffee": (504, 967, 968), "stereo_motorcycle": (665, 670), "clock": (409, 892),
    "rocket": (657, 744, 812), "camera": (732, 759, 872),
}  # fmt: skip
"""Photographs that scikit-image carries of things that are ImageNet classes: a cat, a cup, a moped, a clock, ..."""

VERSIONS = ("8 levels", "4 levels", "2 levels", "slopes", "lines")
"""How the cat's photograph is made a drawing: fewer levels a channel, then its edges, dark on white."""


@dataclass(frozen=True)
class Picture:
    """Something to be named.

    Attributes:
        name: What it is.
        drawn: At its own size.
        right: The ImageNet classes that it may be named, from 0.
    """

    name: str
    drawn: Image.Image
    right: Sequence[int]

    def at(self, side: int) -> Levels:
        """Its middle square at a size, bicubic: bytes of shape (1, 3, side, side)."""
        fitted = ImageOps.fit(self.drawn, (side, side), Image.Resampling.BICUBIC)
        return torch.from_numpy(numpy.array(fitted)).permute(2, 0, 1).unsqueeze(0)


def absent() -> str:
    """Which package of pictures is missing, in words; empty where none is."""
    if not FONT.is_file():
        return "package fonts-noto-color-emoji missing"
    return "" if find_spec("skimage") else "scikit-image is not installed"


def animals(names: Sequence[str], ground: str) -> Iterator[Picture]:
    """Emoji of animals on a plain background.

    Args:
        names: Keys of `ANIMALS`.
        ground: A key of `GROUNDS`.
    """
    font = ImageFont.truetype(FONT, _STRIKE)
    for name in names:
        emoji, right = ANIMALS[name]
        drawn = Image.new("RGB", (_CANVAS, _CANVAS), GROUNDS[ground])
        middle = (_CANVAS // 2, _CANVAS // 2)
        ImageDraw.Draw(drawn).text(middle, emoji, font=font, anchor="mm", embedded_color=True)
        yield Picture(name, drawn, right)


def photographs() -> Iterator[Picture]:
    """Those of `PHOTOGRAPHS`."""
    for name, right in PHOTOGRAPHS.items():
        yield Picture(name, photograph(name), right)


def photograph(name: str) -> Image.Image:
    """A photograph that scikit-image carries; of a pair for both eyes the left one."""
    found: Any = getattr(import_module("skimage.data"), name)()
    return Image.fromarray(found[0] if isinstance(found, tuple) else found).convert("RGB")


def versions() -> Iterator[Picture]:
    """The cat's photograph in each of `VERSIONS`."""
    cat = photograph("chelsea")
    drawn = [*(ImageOps.posterize(cat, bits) for bits in (3, 2, 1)), *_edges(cat)]
    for name, one in zip(VERSIONS, drawn, strict=True):
        yield Picture(name, one, CATS)


def _edges(shown: Image.Image) -> Iterator[Image.Image]:
    """How steep a photograph is (Sobel's filters), and the lines along its ridges (Canny 1986); dark on white."""
    grey = numpy.asarray(shown.convert("L")) / 255.0
    steep = import_module("skimage.filters").sobel(grey)
    lines = import_module("skimage.feature").canny(grey, sigma=2.0)
    for dark in (steep / steep.max(), lines):
        yield Image.fromarray(numpy.rint(255.0 * (1.0 - dark)).astype(numpy.uint8)).convert("RGB")
