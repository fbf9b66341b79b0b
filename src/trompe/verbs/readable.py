"""Whether a run's kept images can be read: every one of them, read back from disk, shown to every reader there is."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.errors import BadInput, DataError, RunError
from trompe.core.numerics import from_levels
from trompe.core.types import Reader, Target
from trompe.data.folders import Photographs
from trompe.measure.readers import independent, load_readers, read
from trompe.measure.surviving import itself
from trompe.measure.trials import NONE, Key
from trompe.run import Run
from trompe.run.results import read_spec
from trompe.targets.guarded import guards_of
from trompe.targets.ready import declared_of
from trompe.verbs.natural import natural_images

SKIP = "none"
"""Of ``--readers``: nobody is asked."""
SUIT = 0.9
"""Of the share of real images that a reader read as themselves when it was calibrated, what it must read of a target's
own natural images."""
NO_READERS = (
    "no readers for these classes and this image size; `trompe read` asks people, `trompe train readers --images "
    "FOLDER` fits some"
)
_NATURAL = 100
_TRIED: dict[str, int] = {}
_AT_ONCE = 64


def check_readers(asked: str, target: Target) -> None:
    """Refuse a folder of readers that cannot read a target's images, before anything is searched.

    Raises:
        BadInput: It holds no readers, or such as read another data set.
    """
    if asked not in ("", SKIP):
        readers_of(asked, target)


def why_unsuited(readers: Sequence[Reader], target: Target, images: Path | None, *, chosen: bool) -> str:
    """Why readers are not believed about a target, tried on its own natural images; empty where they are.

    Args:
        readers: Who is tried.
        target: It is not asked anything.
        images: Natural images of the user, a folder for each class; by default the samples.
        chosen: Whether the user named the readers; only then are they believed where there are no such images.

    Raises:
        DataError: The folder holds no images, or its folders are no labels.
    """
    if not readers:
        return ""
    return _unsuited(_read_natural(readers, target, natural_images(target, images)), readers, chosen=chosen)


def readers_of(asked: str, target: Target) -> tuple[Reader, ...]:
    """The readers for every class but the one for none of these, which nobody can see in an image.

    Args:
        asked: A folder of readers; empty for those that come with trompe; or ``"none"``.
        target: Whose images they are to read.

    Raises:
        BadInput: The folder holds no readers, or such as read another data set.
        DataError: A file is missing or damaged.
    """
    if asked == SKIP:
        return ()
    channels, height, width = target.spec.shape
    return load_readers(readable_labels(target), (channels, height, width), Path(asked) if asked else None)


def readable_labels(target: Target) -> tuple[str, ...]:
    """A target's classes without the one for none of these."""
    abstain = declared_of(target).abstain
    return tuple(label for label in target.labels if label != abstain)


def read_kept(run: Run, target: Target, photographs: Photographs | None = None) -> dict[str, Any]:
    """What a run keeps of its readers, JSON-ready; see docs/run-format.md.

    The readers are those of the run's settings; the target itself is not asked anything. Before they read what was
    made, they must read the target's own natural images as their labels nearly as often as they read real images when
    they were calibrated. Where there are no such images, only readers that the user named are believed.

    Args:
        run: Its PNGs are read back from disk.
        target: The run's target.
        photographs: Natural images of the user; by default the samples that come with the target.
    """
    asked, target = str(run.about.settings.get("readers", "")), itself(target)
    if asked == SKIP:
        return _not_measured("no reader was asked (--readers none)")
    if NONE in target.labels:
        return _not_measured(f"a class is called {NONE!r}, which is what a reader says who sees no class")
    try:
        readers = readers_of(asked, target)
    except (BadInput, DataError) as cause:  # a run that has ended is not lost for it
        return _not_measured(f"the readers cannot be had: {cause}")
    if not readers:
        return _not_measured(NO_READERS)
    checked = _read_natural(readers, target, photographs or natural_images(target, None))
    if unsuited := _unsuited(checked, readers, chosen=bool(asked)):
        return _not_measured(unsuited)
    alone = independent(readers, frozenset[str]().union(*(guard.uses for guard in guards_of(target))))
    return {**readings(run, readers, alone), "natural": [list(one) for one in checked] or "not measured"}


def readings(run: Run, readers: Sequence[Reader], alone: Sequence[Reader]) -> dict[str, Any]:
    """What readers say of every kept image, JSON-ready, as a run keeps it.

    Args:
        run: Its PNGs are read back from disk.
        readers: Who is asked.
        alone: Those of them that are independent of the target's guards.
    """
    if not readers:
        return _not_measured(NO_READERS)
    return {
        "readers": [_describe(reader) for reader in readers],
        "independent": [reader.name for reader in alone],
        "reads": [[*key, said] for key, said in _read_images(run, readers)],
    }


def _not_measured(reason: str) -> dict[str, Any]:
    return {"not_measured": reason}


def _read_natural(
    readers: Sequence[Reader], target: Target, photographs: Photographs | None
) -> list[tuple[str, int, int]]:
    """By reader: its name, how many labelled natural images it reads as their labels, and of how many."""
    if photographs is None:
        return []
    known = [i for i, column in enumerate(photographs.classes.tolist()) if column >= 0]
    known = [known[i * len(known) // _NATURAL] for i in range(_NATURAL)] if len(known) > _NATURAL else known
    if not known:
        return []
    labels = [target.labels[int(photographs.classes[i])] for i in known]
    images = photographs.images[known]
    return [(reader.name, _right(reader, images, labels), len(known)) for reader in readers]


def _right(reader: Reader, images: Tensor, labels: Sequence[str]) -> int:
    """How many natural images a reader reads as their labels. The same ones again, in one process, cost nothing."""
    words = repr((reader.name, reader.fingerprint(), list(labels), hashlib.sha256(images.numpy().tobytes()).digest()))
    if words not in _TRIED:
        _TRIED[words] = sum(said == label for said, label in zip(_say(reader, images), labels, strict=True))
    return _TRIED[words]


def _unsuited(checked: Sequence[tuple[str, int, int]], readers: Sequence[Reader], *, chosen: bool) -> str:
    """Why the readers are not believed about this target; empty where they are."""
    if not checked:
        return "" if chosen else (
            "there are no labelled natural images of this target to try the readers on; `trompe audit --images FOLDER` "
            "gives some"
        )  # fmt: skip
    for (name, right, of), reader in zip(checked, readers, strict=True):
        usual = getattr(reader, "calibration", {}).get("sensitivity", 1.0)
        if right < SUIT * usual * of:
            return f"the readers do not read this target's own natural images ({right} of {of} by {name})"
    return ""


def _read_images(run: Run, readers: Sequence[Reader]) -> Iterator[tuple[Key, list[str]]]:
    """By kept image what every reader says of its PNG; an image whose PNG cannot be read is left out."""
    spec, files = read_spec(run), {}
    for record in run.classes:
        for kept in record.kept():
            with suppress(RunError):
                files[record.search, record.niche, kept.level or 0.0] = spec.read(run.folder / kept.file)
    if not files:
        return
    # The first at one level is often the first at the next, and the strongest: each image is read once.
    content = {key: image.numpy().tobytes() for key, image in files.items()}
    distinct = {content[key]: image for key, image in files.items()}
    images = torch.stack(list(distinct.values()))
    said = [dict(zip(distinct, _say(reader, images), strict=True)) for reader in readers]
    for key in files:
        yield key, [each[content[key]] for each in said]


def _say(reader: Reader, images: Tensor) -> list[str]:
    """The class that a reader reads in each image, given as bytes."""
    found = torch.cat([read(reader, from_levels(part)) for part in images.split(_AT_ONCE)]).tolist()
    return [NONE if column < 0 else reader.labels[column] for column in found]


def _describe(reader: Reader) -> dict[str, Any]:
    return {
        "name": reader.name,
        "uses": sorted(reader.uses),
        "fingerprint": reader.fingerprint(),
        "calibration": dict(getattr(reader, "calibration", {})),
    }
