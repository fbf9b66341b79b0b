"""A small variational autoencoder for every class; each scores an image by the best latent that it has for it."""

import hashlib
import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from jaxtyping import Float
from safetensors.torch import load_file, save
from torch import Tensor
from torch.nn import functional

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Classwise, Images, Levels, Rows
from trompe.densities.damage import damaged
from trompe.densities.views import normalised, upright

Stack = Float[Tensor, "classes n numbers"]
"""One row an image, for every class's own autoencoder."""
Weights = Mapping[str, Tensor]


@dataclass(frozen=True)
class Build:
    """How the autoencoders are made and asked.

    Attributes:
        latent: Numbers in the bottleneck.
        narrow: Units of the decoder's first layer.
        wide: Units of its second, and of the encoder's.
        steps: Gauss-Newton steps from the encoder's latent to the best one.
        batch: Images of each class in an iteration of the training.
        rate: Learning rate of the first iteration (Adam); it falls to 0 along a cosine.
        upright: Whether the slant is taken out of an image first.
    """

    latent: int = 8
    narrow: int = 64
    wide: int = 128
    steps: int = 2
    batch: int = 64
    rate: float = 2e-3
    upright: bool = True


class Autoencoders:
    """log p(x, z) at the best latent z that each class's autoencoder has for an image, as a score for log p(x | c).

    As in analysis by synthesis: the latent begins where the encoder says and is then moved to where
    ``log p(x | z) - |z|^2 / 2`` is largest; the second term is the divergence of a unit Gaussian around z from the
    prior. Pixels are contrast-normalised, with the same Gaussian noise in all classes: with noise of its own a class
    that varies much would be believed too often. Nothing is drawn: the same image gives the same score.

    Differs from Schott 2019 in the optimiser (Gauss-Newton, a few steps), in the encoder as the start, in Gaussian
    pixels, and in having fully connected layers.

    Attributes:
        weights: One tensor a layer, the class as its first axis; all of them are exact in float16.
        build: How they are asked.

    Reference: Schott 2019; Kingma 2014.
    """

    def __init__(self, weights: Weights, build: Build) -> None:
        self.weights, self.build = dict(weights), build

    @classmethod
    def fit(cls, images: Levels, classes: Rows, build: Build, iterations: int, seed: int) -> Self:
        """Trained on images, all classes at once and each on its own; the same seed gives the same weights."""
        weights = _initial(images.shape[1:], int(classes.max()) + 1, build, seed)
        for value in weights.values():
            value.requires_grad_()
        optimiser = torch.optim.Adam(list(weights.values()), lr=build.rate)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
        seen = cls(weights, build)._view(from_levels(images))
        for step, batch in zip(range(iterations), _batches(seen, classes, build.batch, seed), strict=False):
            loss = _loss(weights, batch, seed, step)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            schedule.step()
        return cls({name: value.detach().half().float() for name, value in weights.items()}, build)

    def log_density(self, images: Images) -> Classwise:
        """Score for log p(x | c) in nats, shape (n, classes); row i depends on image i alone; it has a gradient.

        The gradient holds each best latent still, which is right where it is the best (envelope theorem).
        """
        images = self._view(images)
        pixels, seen = _pixels(images), _seen(images)
        with torch.no_grad():
            latent = self._best(pixels, _encode(self.weights, seen)[0])
        return self._joint(pixels, latent).to(torch.float64).T

    def rebuilt(self, images: Images) -> Float[Tensor, "classes n pixels"]:
        """What each autoencoder takes each image for: contrast-normalised pixels at unit root mean square."""
        with torch.no_grad():
            images = self._view(images)
            return _decode(self.weights, self._best(_pixels(images), _encode(self.weights, _seen(images))[0]))[0]

    def _view(self, images: Images) -> Images:
        return upright(images) if self.build.upright else images

    def _joint(self, pixels: Tensor, latent: Stack) -> Float[Tensor, "classes n"]:
        off = (pixels - _decode(self.weights, latent)[0]).square().sum(2)
        spread = self.weights["spread"]
        volume = pixels.shape[-1] * (spread + 0.5 * math.log(2.0 * math.pi))
        return -0.5 * off * (-2.0 * spread).exp() - volume - 0.5 * latent.square().sum(2)

    def _best(self, pixels: Tensor, latent: Stack) -> Stack:
        """Gauss-Newton from the given latents; a step that makes it no better is not taken, and the next is shorter."""
        value, damping = self._joint(pixels, latent), torch.ones(latent.shape[:2])
        precision = (-2.0 * self.weights["spread"]).exp().unsqueeze(2)
        out = self.weights["out"]
        among = (out @ out.transpose(1, 2)).unsqueeze(1)  # pixels are linear in the last layer: only its units are bent
        for _ in range(self.build.steps):
            rebuilt, slope = _decode(self.weights, latent, slope=True)
            misfit = (pixels - rebuilt) @ out.transpose(1, 2)
            pull = precision * (slope @ misfit.unsqueeze(3)).squeeze(3) - latent
            bend = precision.unsqueeze(3) * (slope @ among @ slope.transpose(2, 3))
            bend = bend + torch.diag_embed(damping.unsqueeze(2).expand_as(latent))
            moved = latent + torch.linalg.solve(bend, pull.unsqueeze(3)).squeeze(3)
            then = self._joint(pixels, moved)
            better = then > value
            latent = torch.where(better.unsqueeze(2), moved, latent)
            value = torch.maximum(value, then)
            damping = torch.where(better, 1.0, 10.0 * damping)
        return latent

    def fingerprint(self) -> str:
        """A hash of everything that decides its answers."""
        digest = hashlib.sha256(json.dumps(vars(self.build)).encode())
        for name in sorted(self.weights):
            digest.update(self.weights[name].contiguous().numpy().tobytes())
        return digest.hexdigest()

    def save(self, folder: Path) -> None:
        """Write ``vae.safetensors`` (float16, of which nothing is lost) and ``vae.json``."""
        halves = {name: value.half().contiguous() for name, value in self.weights.items()}
        (folder / "vae.safetensors").write_bytes(save(halves))
        (folder / "vae.json").write_text(json.dumps(vars(self.build), indent=2) + "\n", encoding="utf-8")

    @classmethod
    def load(cls, folder: Path) -> Self:
        """What `save` wrote.

        Raises:
            DataError: A file is missing or damaged.
        """
        try:
            build = Build(**json.loads((folder / "vae.json").read_text(encoding="utf-8")))
            weights = {name: value.float() for name, value in load_file(folder / "vae.safetensors").items()}
            return cls({name: weights[name] for name in _NAMES}, build)
        except Exception as cause:
            raise damaged(folder, "autoencoders", cause) from cause


_NAMES = ("in", "in0", "code", "code0", "narrow", "narrow0", "wide", "wide0", "out", "out0", "spread")


def _initial(shape: tuple[int, ...], classes: int, build: Build, seed: int) -> dict[str, Tensor]:
    channels, height, width = shape
    seen = channels * math.ceil(height / 2) * math.ceil(width / 2)
    sizes = {
        "in": (seen, build.wide),
        "code": (build.wide, 2 * build.latent),
        "narrow": (build.latent, build.narrow),
        "wide": (build.narrow, build.wide),
        "out": (build.wide, channels * height * width),
    }
    weights = {}
    for name, (rows, columns) in sizes.items():
        drawn = 2.0 * Stream(seed, f"vae/{name}", 0).uniform32(classes, rows, columns) - 1.0
        weights[name] = drawn * math.sqrt(3.0 / rows)
        weights[f"{name}0"] = torch.zeros(classes, 1, columns)
    return {**weights, "spread": torch.zeros(1, 1)}


def _batches(images: Images, classes: Rows, size: int, seed: int) -> Iterator[Tensor]:
    """Batches of every class, shape (classes, size, channels, height, width), without end."""
    own = [images[classes == c] for c in range(int(classes.max()) + 1)]
    step = 0
    while True:
        stream = Stream(seed, "vae/order", step)
        rows = [part[stream.branch(str(c)).integers(size, len(part))] for c, part in enumerate(own)]
        yield torch.stack(rows)
        step += 1


def _loss(weights: Weights, batch: Tensor, seed: int, step: int) -> Tensor:
    """Mean negative evidence bound of a batch, one draw of the latent."""
    classes, size = batch.shape[:2]
    images = batch.flatten(0, 1)
    pixels, seen = _pixels(images).view(classes, size, -1), _seen(images).view(classes, size, -1)
    middle, log_width = _encode(weights, seen)
    uniform = Stream(seed, "vae/latent", step).uniform32(*middle.shape).clamp(1e-6, 1.0 - 1e-6)
    normal = math.sqrt(2.0) * torch.erfinv(2.0 * uniform - 1.0)
    rebuilt = _decode(weights, middle + normal * log_width.exp())[0]
    spread = weights["spread"]
    misfit = 0.5 * (pixels - rebuilt).square().sum(2) * (-2.0 * spread).exp() + pixels.shape[2] * spread
    apart = 0.5 * (middle.square() + (2.0 * log_width).exp() - 1.0 - 2.0 * log_width).sum(2)
    return (misfit + apart).mean()


def _pixels(images: Images) -> Float[Tensor, "n pixels"]:
    flat = normalised(images)
    return flat * math.sqrt(flat.shape[1])


def _seen(images: Images) -> Float[Tensor, "n pixels"]:
    """What the encoder looks at: half the size each way."""
    small = normalised(functional.avg_pool2d(images, 2, ceil_mode=True))
    return small * math.sqrt(small.shape[1])


def _encode(weights: Weights, seen: Tensor) -> tuple[Stack, Stack]:
    """Middle and logarithm of the width of the latent, of every class."""
    hidden = torch.tanh(seen @ weights["in"] + weights["in0"])
    middle, log_width = (hidden @ weights["code"] + weights["code0"]).chunk(2, 2)
    return middle, log_width.clamp(-5.0, 2.0)


def _decode(weights: Weights, latent: Stack, *, slope: bool = False) -> tuple[Tensor, Tensor]:
    """Pixels for latents; with `slope` how the last layer's units change, shape (classes, n, latent, wide)."""
    first = torch.tanh(latent @ weights["narrow"] + weights["narrow0"])
    second = torch.tanh(first @ weights["wide"] + weights["wide0"])
    pixels = second @ weights["out"] + weights["out0"]
    if not slope:
        return pixels, pixels
    bend = (1.0 - first.square()).unsqueeze(2) * weights["narrow"].unsqueeze(1)  # (classes, n, latent, narrow)
    return pixels, (1.0 - second.square()).unsqueeze(2) * (bend @ weights["wide"].unsqueeze(1))
