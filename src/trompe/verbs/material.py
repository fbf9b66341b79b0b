"""The images that some starts are made of: natural ones of every class, and those that an undefended network took."""

from collections.abc import Sequence
from functools import partial

import torch

from trompe.core.numerics import level_odds, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Levels, Rows, Target
from trompe.data.folders import Photographs
from trompe.encodings import Pixels
from trompe.search import MATERIAL_STARTS, RULES, Archive, Contest, EveryClass, JudgeSettings, Material, Plan, ascend
from trompe.search.hide import closeness
from trompe.search.reference import reference_judge
from trompe.search.starts import material_images
from trompe.settings import FoolSettings
from trompe.verbs.natural import natural_images

_LEVEL = 0.9999
_STEPS = 60


def needs_material(settings: FoolSettings) -> bool:
    """Whether a search begins at images that are made of others, or keeps away from some."""
    return settings.start in MATERIAL_STARTS or settings.preset == "hide"


def material_for(
    settings: FoolSettings, target: Target, columns: Sequence[int], material: Material | None
) -> Material | None:
    """What a search needs, checked; None where it needs nothing.

    Args:
        settings: Of the search.
        target: The classifier; its samples are taken where nothing is given.
        columns: Its outputs that are attempted.
        material: Where given, taken as it is.

    Raises:
        BadInput: Images are needed that are not there.
    """
    if not needs_material(settings):
        return None
    material = material or make_material(target, natural_images(target, None), nothing(target))
    if settings.start in MATERIAL_STARTS:
        material_images(str(settings.start), material, torch.tensor(columns), Stream(0, "material/check", 0))
    if settings.preset == "hide":
        closeness(torch.zeros(len(columns), *target.spec.shape), torch.tensor(columns), material)
    return material


def make_material(target: Target, natural: Photographs | None, convinced: tuple[Levels, Rows]) -> Material:
    """Material of natural images, where there are any, and of images that convinced a network."""
    images, classes = nothing(target)
    if natural is not None:
        known = natural.classes >= 0
        images, classes = natural.images[known], natural.classes[known]
    return Material(images, classes, *convinced)


def nothing(target: Target) -> tuple[Levels, Rows]:
    """No images of a target's shape, and no classes."""
    return torch.empty(0, *target.spec.shape, dtype=torch.uint8), torch.empty(0, dtype=torch.int64)


def convincing(target: Target, seed: int, threads: int = 1) -> tuple[Levels, Rows]:
    """Images that a network is certain of, one a class where gradient ascent found one, and their classes.

    Raises:
        TargetError: No gradient can be taken through it.
    """
    if not isinstance(target.spec, ImageSpec):
        return nothing(target)
    niches, encoding = EveryClass.of(target), Pixels(target.spec)
    classes = len(niches.names)
    judge = reference_judge(target, JudgeSettings(min(classes, 50), threads))
    archive = Archive(classes, (_LEVEL,))  # type: ignore[var-annotated]
    plan = Plan(seed, _STEPS, min(classes, 50), min(classes, 50), 0, None, level_odds(_LEVEL), -(-classes // 50))
    for _ in partial(ascend, rule=RULES["sign-momentum"])(Contest(encoding, judge, niches, (_LEVEL,)), archive, plan):
        pass
    if archive.elites.genomes is None:
        return nothing(target)
    sure = (archive.elites.value >= level_odds(_LEVEL)).nonzero().flatten()
    images = encoding.express(archive.elites.genomes.take(sure))
    return to_levels(images), torch.tensor(niches.columns)[sure]


def transferred(source: Target, target: Target, seed: int, threads: int = 1) -> tuple[Levels, Rows]:
    """Images that a network is certain of, with the outputs that their classes have in another network.

    A class that the other network does not have is left out, such as one for none of these.

    Raises:
        TargetError: No gradient can be taken through the source.
    """
    images, columns = convincing(source, seed, threads)
    labels = [source.labels[column] for column in columns.tolist()]
    known = [i for i, label in enumerate(labels) if label in target.labels]
    return images[known], torch.tensor([target.labels.index(labels[i]) for i in known], dtype=torch.int64)
