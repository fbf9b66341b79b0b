"""Images to show to another classifier: a run's own, random ones, natural ones, a folder of them."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy
import torch
from PIL import Image
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.data.folders import Photographs
from trompe.encodings import Pixels
from trompe.measure.metrics import Answer
from trompe.run import Run
from trompe.run.painters import Painter, painters
from trompe.run.sheet import to_picture

_MODES = {1: "L", 3: "RGB"}


@dataclass(frozen=True, eq=False)
class Probe:
    """One image and the class it is about.

    Attributes:
        levels: Bytes, shape (channels, height, width).
        label: Of the class; empty where it has none.
        log_odds: Of that class on the target it was made for, where they are known.
        painter: The network that painted it, where one did.
        brought: How it got the size it has, where that is not the one it came with.
    """

    levels: Tensor
    label: str
    log_odds: float | None = None
    painter: Painter | None = None
    brought: str = "same"

    def fitted(self, spec: ImageSpec) -> tuple[Tensor, str]:
        """Its bytes at another size, and how they got it: ``same``, ``redrawn`` or ``resized``.

        Raises:
            BadInput: Neither 1 nor 3 channels, which no other number can be made of.
        """
        if tuple(self.levels.shape) == spec.shape:
            return self.levels, self.brought
        if self.painter is not None:
            drawn = self.painter.paint(spec.height, spec.width)[0]
            return _brought(drawn, spec), "redrawn"
        return _brought(self.levels, spec), "resized"


@dataclass(frozen=True, eq=False)
class Group:
    """Images of one kind that are counted together."""

    method: str
    images: str
    probes: tuple[Probe, ...]


def strongest(run: Run) -> list[Group]:
    """The strongest image of every class that counts, one group a method."""
    networks, groups = painters(run), []
    for method in dict.fromkeys(search.method for search in run.searches):
        probes = [
            Probe(best.levels, record.label, best.log_odds, networks.get((record.search, record.niche)))
            for record in run.classes
            if record.method == method
            and record.label not in run.about.spared
            and (best := record.strongest) is not None
        ]
        groups.append(Group(method, "strongest", tuple(probes)))
    return groups


def random_like(run: Run, group: Group) -> Group:
    """As many images of random genomes of the same encoding, each about the class of the image it stands beside."""
    n, spec = len(group.probes), ImageSpec(*run.shape)
    stream = Stream(int(run.about.settings.get("seed", 0)), f"transfer/random/{group.method}", 0)
    some = next((probe.painter for probe in group.probes if probe.painter), None)
    found: list[Probe] = []
    if some is None:
        pixels = Pixels(spec)
        images = to_levels(pixels.express(pixels.random(n, stream)))
        found = [Probe(levels, probe.label) for levels, probe in zip(images, group.probes, strict=True)]
    else:
        genomes = some.encoding.random(n, stream)
        for i, probe in enumerate(group.probes):
            painter = Painter(some.encoding, genomes.take(torch.tensor([i])))
            found.append(Probe(painter.paint(spec.height, spec.width)[0], probe.label, None, painter))
    return Group(group.method, "random", tuple(found))


def equally_confident(
    group: Group, photographs: Photographs, answers: Sequence[Answer], labels: Sequence[str],
    spared: Collection[str] = (),
) -> Group:  # fmt: skip
    """Natural images that their target is as sure of: for each image the nearest in log-odds that is not taken yet.

    Each is about the class that the target names, right or wrong; what it names one of the spared classes is left out.
    There may be fewer of them than images.
    """
    free = {i: one for i, one in enumerate(answers) if one.accepted and labels[one.named] not in spared}
    found = []
    for probe in sorted(group.probes, key=lambda probe: probe.log_odds or 0.0):
        if not free or probe.log_odds is None:
            continue
        own = probe.log_odds
        nearest = min(free, key=lambda i: (abs(free[i].log_odds - own), i))
        answer = free.pop(nearest)
        found.append(Probe(photographs.images[nearest], labels[answer.named], answer.log_odds))
    return Group(group.method, "natural", tuple(found))


def folder_labels(folder: Path) -> list[str]:
    """Names of the folders in a folder: the classes its images are about; none where it holds only images."""
    return [part.name for part in sorted(folder.iterdir()) if part.is_dir() and not part.name.startswith(".")]


def _brought(levels: Tensor, spec: ImageSpec) -> Tensor:
    if len(levels) not in _MODES or spec.channels not in _MODES:
        raise BadInput(
            expected=f"images and a target of 1 or 3 channels, or of one shape {spec.shape}",
            got=f"images of shape {tuple(levels.shape)}",
            where="--to",
            do="Name a target that takes images of the same shape.",
        )
    picture = to_picture(levels).convert(_MODES[spec.channels])
    if picture.size != (spec.width, spec.height):
        picture = picture.resize((spec.width, spec.height), Image.Resampling.BICUBIC)
    array = torch.from_numpy(numpy.array(picture))
    return array.reshape(spec.height, spec.width, spec.channels).permute(2, 0, 1).contiguous()
