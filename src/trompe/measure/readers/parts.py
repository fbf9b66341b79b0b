"""The reader that looks for the parts of strokes, each by itself: what lies between them may be cluttered."""

import hashlib
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import ClassVar, Self

import torch
from jaxtyping import Float, Int64
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Classwise, Images, Levels, Rows
from trompe.data import Split
from trompe.densities.damage import damaged
from trompe.densities.views import blurred, contrast
from trompe.measure.readers.spoil import spoilt

SIDE = 7
"""Pixels a side of a part."""
_STEP, _REACH, _SMOOTH = 3, 2, 0.5
_FLAT = 0.15
"""Share of an image's variance below which a part of it is flat, and nothing is found in it."""
_WORDS, _DRAWN, _ROUNDS = 64, 20_000, 10
_EACH = 300
_SHIFTS = 2
_SHARP = 3.0
_RATE, _DECAY, _BATCH = 5e-3, 2e-6, 500
_LEARNT = 2000
"""Batches of the logistic regression at most."""

Found = Float[Tensor, "n words places"]


@dataclass(frozen=True)
class Parts:
    """Evidence is how well the strokes of some prototype of the class are found, part by part.

    A prototype is a list of parts on a grid: a word of a small code for each place, weighted by the ink there. In an
    image each part is looked for within two pixels of its place, by the correlation with what is there, contrast taken
    out locally. The evidence is the weighted mean over the parts of the best prototype of the class; what the image has
    elsewhere does not count. A class is taken to be inside another one (a 1 in a 4): which of them it is, a linear
    map of all that was found everywhere decides: logistic regression, fitted to shifted and cluttered images too.

    Attributes:
        words: Parts of length 1 and mean 0, shape (words, channels * SIDE * SIDE), exact in float16.
        word: The word at each place of each prototype, shape (m, places).
        weight: Its share in 1/255 of the heaviest, shape (m, places).
        classes: Of the prototypes, shape (m,), ascending.
        linear: What decides between classes, shape (words * places + 1, classes), exact in float16.

    Reference: Hinterstoisser 2012, for parts that are looked for near their place; Fidler 2007, for codes of parts.
    """

    words: Float[Tensor, "words pixels"]
    word: Int64[Tensor, "m places"]
    weight: Int64[Tensor, "m places"]
    classes: Rows
    linear: Float[Tensor, "numbers classes"]
    name: ClassVar[str] = "parts"
    uses: ClassVar[frozenset[str]] = frozenset({"function:parts", "features:local-patches"})

    @classmethod
    def fit(cls, images: Levels, classes: Rows, iterations: int, seed: int) -> Self:
        """A code, prototypes in it (the first of each class) and the linear map, from images of every class."""
        with torch.no_grad():
            count = int(classes.max()) + 1
            rows = torch.cat([(classes == c).nonzero().flatten()[:_EACH] for c in range(count)])
            words = _code(images[rows], seed).half().float()
            coded = [_coded(words, from_levels(part)) for part in images[rows].split(100)]
            linear = _linear(words, images, classes, min(iterations, _LEARNT), seed).half().float()
        word, weight = (torch.cat(parts) for parts in zip(*coded, strict=True))
        return cls(words, word, weight, classes[rows], linear)

    @cached_property
    def _templates(self) -> Float[Tensor, "numbers m"]:
        """One column a prototype, adding up to 1: which word counts how much at which place."""
        weight = self.weight.to(torch.float32)
        weight = weight / weight.sum(1, keepdim=True).clamp(min=1.0)
        where = torch.zeros(len(weight), len(self.words), weight.shape[1])
        return where.scatter_(1, self.word.unsqueeze(1), weight.unsqueeze(1)).flatten(1).T.contiguous()

    def evidence(self, images: Images) -> tuple[Classwise, Classwise]:
        """How well each class's strokes are found, from 0 to 1, and by how much the linear map prefers it."""
        found = _found(self.words, images).flatten(1)
        match = (found @ self._templates).split(torch.bincount(self.classes).tolist(), 1)
        near = torch.stack([part.amax(1) for part in match], 1)
        return near.to(torch.float64), _told(self.linear, found).to(torch.float64)

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        digest = hashlib.sha256()
        for part in (self.words, self.word, self.weight, self.classes, self.linear):
            digest.update(part.contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``parts.safetensors``."""
        exact = {"words": self.words.half(), "linear": self.linear.half()}
        small = {name: getattr(self, name).to(torch.int32) for name in ("word", "weight", "classes")}
        arrays = {name: value.contiguous() for name, value in (exact | small).items()}
        (folder / "parts.safetensors").write_bytes(save(arrays))

    @classmethod
    def load(cls, folder: Path, known: Split) -> Self:
        """What `save` wrote.

        Raises:
            DataError: The file is missing or damaged.
        """
        del known
        try:
            arrays = load_file(folder / "parts.safetensors")
            whole = {name: arrays[name].to(torch.int64) for name in ("word", "weight", "classes")}
            return cls(words=arrays["words"].float(), linear=arrays["linear"].float(), **whole)
        except Exception as cause:
            raise damaged(folder, "a reader of parts", cause) from cause


def _patches(images: Images) -> tuple[Float[Tensor, "n pixels places"], Float[Tensor, "n 1 places"]]:
    """Every part of an image about its mean, one around each pixel, and its squared length."""
    above = images - images.amin((1, 2, 3), keepdim=True)  # as dark as what comes in from outside
    parts = functional.unfold(blurred(above, _SMOOTH), SIDE, padding=SIDE // 2)
    parts = parts - parts.mean(1, keepdim=True)
    return parts, parts.square().sum(1, keepdim=True)


def _responses(words: Tensor, images: Images) -> tuple[Tensor, Tensor]:
    """Correlation of every word with every part, and the parts' squared lengths, shape (n, words or 1, h, w)."""
    n, _, height, width = images.shape
    parts, squared = _patches(images)
    flat = _FLAT * contrast(images).square().view(-1, 1, 1) * words.shape[1]
    alike = (words @ parts) / (squared + flat + 1e-9).sqrt()
    return alike.view(n, len(words), height, width), squared.view(n, 1, height, width)


def _grid(maps: Tensor) -> Tensor:
    return maps[:, :, _STEP // 2 :: _STEP, _STEP // 2 :: _STEP].flatten(2)


def _found(words: Tensor, images: Images) -> Found:
    """The best correlation of every word near every place of the grid, at least 0."""
    alike, _ = _responses(words, images)
    return _grid(functional.max_pool2d(alike, 2 * _REACH + 1, 1, _REACH)).clamp(min=0.0)


def _coded(words: Tensor, images: Images) -> tuple[Int64[Tensor, "n places"], Int64[Tensor, "n places"]]:
    """The word at each place of the grid, and its weight in 0 .. 255."""
    alike, squared = _responses(words, images)
    value, word = _grid(alike).max(1)
    ink = _grid(squared).squeeze(1).sqrt() * value.clamp(min=0.0)
    weight = (255.0 * ink / ink.amax(1, keepdim=True).clamp(min=1e-9)).round()
    return word, weight.to(torch.int64)


def _code(images: Levels, seed: int) -> Float[Tensor, "words pixels"]:
    """Words by k-means on the sphere, from parts with at least three tenths of the ink of the most inked."""
    parts = torch.cat([_patches(from_levels(part))[0] for part in images[::10].split(100)])
    rows = parts.transpose(1, 2).flatten(0, 1)
    length = rows.norm(dim=1)
    rows = rows[length > 0.3 * length.max()]
    drawn = Stream(seed, "parts/code", 0).uniform(len(rows)).argsort()[:_DRAWN]
    rows = functional.normalize(rows[drawn], dim=1)
    words = rows[torch.arange(_WORDS) % len(rows)].clone()
    for _ in range(_ROUNDS):
        nearest = (rows @ words.T).argmax(1)
        total = torch.zeros_like(words).index_add(0, nearest, rows)
        words = torch.where(total.norm(dim=1, keepdim=True) > 0.0, functional.normalize(total, dim=1), words)
    return words


def _linear(words: Tensor, images: Levels, classes: Rows, steps: int, seed: int) -> Float[Tensor, "numbers classes"]:
    """The linear map from what is found in images to their classes, by logistic regression."""
    found, sides = _examples(words, images, classes, seed)
    weight = torch.zeros(found.shape[1] + 1, int(classes.max()) + 1)
    with torch.enable_grad():
        weight.requires_grad_()
        optimiser = torch.optim.Adam([weight], lr=_RATE)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, steps)
        for step in range(steps):
            rows = Stream(seed, "parts/learn", step).integers(_BATCH, len(sides))
            loss = functional.cross_entropy(_told(weight, found[rows].float()), sides[rows])
            loss = loss + _DECAY * weight.square().sum()
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
    return weight.detach()


def _told(linear: Tensor, found: Tensor) -> Tensor:
    return found.pow(_SHARP) @ linear[:-1] + linear[-1]


def _examples(words: Tensor, images: Levels, classes: Rows, seed: int) -> tuple[Tensor, Tensor]:
    """What is found in images that are shifted a little, and in half of them again before clutter; in float16."""
    parts, sides = [], []
    order = Stream(seed, "parts/order", 0).uniform(len(classes)).argsort()
    for step, rows in enumerate(order.split(200)):
        moves = Stream(seed, "parts/shift", step).integers(2, 2 * _SHIFTS + 1) - _SHIFTS
        shifted = from_levels(images[rows]).roll(tuple(moves.tolist()), (2, 3))
        kinds = (shifted, spoilt(("static", "squares")[step // 2 % 2], shifted, step))[: 2 - step % 2]
        parts += [_found(words, kind).flatten(1).half() for kind in kinds]
        sides += [classes[rows]] * len(kinds)
    return torch.cat(parts), torch.cat(sides)
