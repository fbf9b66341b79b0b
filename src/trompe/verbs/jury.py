"""Which readers may say of a defence whether its images can be read, and why the others may not."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Guard, Images, Outputs, Reader, Target
from trompe.measure.trials import NONE
from trompe.search.hide import HIDE_READER
from trompe.search.starts import start_images
from trompe.targets.guarded import undefended
from trompe.verbs.readable import readable_labels

_NOISE = 100
_READS_NOISE = 0.05
"""Of images of nothing: who reads more of them reads everything."""
_SAME = 0.999
_AT_ONCE = 256
_SENSELESS = ("uniform", "black", "grey")


@dataclass(frozen=True)
class Juror:
    """A reader, and whether it counts.

    Attributes:
        reader: Who is asked.
        excluded: Why it does not count; empty where it does.
    """

    reader: Reader
    excluded: str

    def describe(self) -> dict[str, Any]:
        """Name, what it is made of, fingerprint and whether it counts, JSON-ready."""
        reader = self.reader
        return {"name": reader.name, "uses": sorted(reader.uses), "fingerprint": reader.fingerprint(),
                "counts": not self.excluded, "excluded": self.excluded or "no"}  # fmt: skip


def jury(readers: Iterable[Reader], target: Target, guards: Sequence[tuple[Guard, Target]]) -> tuple[Juror, ...]:
    """Every reader, with the reason why it does not count.

    It does not where it shares a function, features or fitting data with a guard or with what `hide` evades; where
    it puts images into the order in which a guard puts them, whatever it says of itself; and where it reads noise.

    Args:
        readers: Who was brought along.
        target: What they are to read images for.
        guards: In front of it and of other networks, each with the network that it stands in front of.

    Raises:
        BadInput: A reader reads other classes, or images of another shape.
    """
    return tuple(Juror(reader, _why_not(_checked(reader, target), undefended(target), guards)) for reader in readers)


def read_labels(reader: Reader, images: Images) -> list[str]:
    """The class that a reader sees in each image, or ``"none"``."""
    said: list[str] = []
    for part in images.split(_AT_ONCE):
        best, column = reader.scores(part).max(1)
        said += [reader.labels[c] if b >= 0.0 else NONE for b, c in zip(best.tolist(), column.tolist(), strict=True)]
    return said


def _checked(reader: Reader, target: Target) -> Reader:
    labels = readable_labels(target)
    if reader.labels == labels and tuple(reader.shape) == tuple(target.spec.shape):
        return reader
    raise BadInput(
        expected=f"a reader of {len(labels)} classes {', '.join(labels[:3])}, ... in {target.spec.shape}",
        got=f"{len(reader.labels)} classes {', '.join(reader.labels[:3])}, ... in {tuple(reader.shape)}",
        where=f"reader {reader.name}",
        do="Fit readers on images of the target's own classes.",
    )


def _why_not(reader: Reader, target: Target, guards: Sequence[tuple[Guard, Target]]) -> str:
    for guard, _ in guards:
        if shared := sorted(reader.uses & guard.uses):
            return f"shares {', '.join(shared)} with the guard {guard.name}"
    if shared := sorted(reader.uses & {use for use in HIDE_READER["uses"] if use.startswith("function:")}):
        return f"shares {', '.join(shared)} with what hide evades"
    images = senseless(target)
    for guard, network in guards:
        if _same_order(reader, network, guard, images):
            return f"puts images into the same order as the guard {guard.name}"
    seen = sum(label != NONE for label in read_labels(reader, images))
    return f"reads {seen} of {len(images)} images of nothing" if seen > _READS_NOISE * len(images) else ""


def senseless(target: Target) -> Images:
    """Images in which nobody sees anything: uniform noise, and black and grey with a trace of it."""
    centre = torch.zeros(target.spec.shape)
    drawn = [start_images(start, centre, _NOISE, Stream(0, f"jury/{start}", 0)) for start in _SENSELESS]  # type: ignore[arg-type]
    return quantise(torch.cat(drawn))


def _same_order(reader: Reader, target: Target, guard: Guard, images: Images) -> bool:
    """Whether reader and guard rank the images alike, class by class (Spearman's correlation, middle class)."""
    parts = [guard.slack(_outputs(target, part), part) for part in images.split(_AT_ONCE)]
    columns = [target.labels.index(label) for label in reader.labels]
    slack = torch.cat(parts).detach()[:, columns]
    scores = torch.cat([reader.scores(part) for part in images.split(_AT_ONCE)])
    return float(_rank_correlation(slack, scores.detach()).median()) > _SAME


def _outputs(target: Target, images: Images) -> Outputs:
    with torch.inference_mode():
        return target.judge(images)


def _rank_correlation(one: Tensor, other: Tensor) -> Tensor:
    """Shape (classes,): Spearman's, ties in the order of rows; 0 where one of both never changes."""
    ranks = [values.argsort(dim=0, stable=True).argsort(dim=0).to(torch.float64) for values in (one, other)]
    centred = [rank - rank.mean(0) for rank in ranks]
    moves = torch.stack([(values != values[:1]).any(0) for values in (one, other)]).all(0)
    product = (centred[0] * centred[1]).sum(0) / (centred[0].square().sum(0) * centred[1].square().sum(0)).sqrt()
    return torch.where(moves, product, 0.0)


def names(jurors: Sequence[Juror]) -> tuple[str, ...]:
    """Of those who count."""
    return tuple(juror.reader.name for juror in jurors if not juror.excluded)
