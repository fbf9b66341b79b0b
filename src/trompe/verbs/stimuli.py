"""The pictures that people are shown: images that a run keeps, and among them real ones and noise as a check."""

import hashlib
import json
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import torch
from torch import Tensor

from trompe.core.errors import BadInput, RunError
from trompe.core.numerics import level_odds, to_levels
from trompe.core.seeds import Stream
from trompe.data.folders import Photographs
from trompe.run import ClassRecord, Kept, Run
from trompe.run.folder import write_whole
from trompe.run.sheet import SHOWN_LEVEL

KEY = "read-key.json"
LEAST, PART = 20, 4
"""Pictures at least, and what their number is a multiple of: a quarter is real, a quarter noise."""
_KEY_VERSION = 1

Kind = Literal["kept", "real", "noise"]
Entry = tuple[ClassRecord, Kept]


def image_id(levels: Tensor) -> str:
    """A name for an image's bytes: ``x`` and 16 hexadecimal digits of sha256 over shape and bytes.

    The letter keeps spreadsheets from taking digits with an ``e`` among them for a number.

    Example:
        >>> image_id(torch.zeros(1, 2, 2, dtype=torch.uint8))
        'x4d70de1c6a8419ed'
    """
    content = f"{tuple(levels.shape)}".encode() + levels.contiguous().numpy().tobytes()
    return f"x{hashlib.sha256(content).hexdigest()[:16]}"


@dataclass(frozen=True, eq=False)
class Stimulus:
    """One picture that a person is shown.

    Attributes:
        levels: Bytes, shape (channels, height, width).
        kind: ``kept`` by the run, ``real``, or ``noise``.
        label: The class it was made for, or is of; empty for noise.
        method: That made it; empty where it was not made by one.
    """

    levels: Tensor
    kind: Kind
    label: str = ""
    method: str = ""

    @cached_property
    def id(self) -> str:
        """Of its bytes."""
        return image_id(self.levels)


def spared(run: Run) -> frozenset[str]:
    """Labels that say "nothing is there": harmless classes, and the one for none of these."""
    target = run.about.target
    return frozenset({*target.get("harmless", ()), target.get("abstain") or ""} - {""})


def confident_level(run: Run) -> float:
    """The confidence that a kept image must have to be shown."""
    return SHOWN_LEVEL if SHOWN_LEVEL in run.about.levels else max(run.about.levels)


def stimuli(run: Run, real: Photographs, count: int, seed: int) -> tuple[Stimulus, ...]:
    """Pictures in random order: half kept by the run, a quarter real, a quarter noise; all different.

    The kept ones are balanced over classes, then over methods, then over first and strongest, and reach
    `confident_level`. Where the run keeps fewer, there are fewer of them; real ones and noise stay as many.

    Args:
        run: With at least one image that reaches that level.
        real: Labelled images of the target's shape.
        count: A multiple of `PART`, at least `LEAST`.
        seed: The same seed chooses the same pictures.

    Raises:
        BadInput: ``count`` is neither, or there are too few real images.
        RunError: No kept image reaches the level.
    """
    if count < LEAST or count % PART:
        raise BadInput(
            expected=f"a multiple of {PART}, at least {LEAST}", got=str(count), where="--count",
            do="A quarter of the pictures is real and a quarter noise; 40 take two minutes.",
        )  # fmt: skip
    stream = Stream(seed, "read", 0)
    kept = _kept(run, 2 * count // PART, stream.branch("kept"))
    natural = _real(run, real, count // PART, stream.branch("real"))
    chosen = [*kept, *natural, *_noise(natural, stream.branch("noise"))]
    return tuple(_shuffled(chosen, stream.branch("order")))


def write_key(run: Run, chosen: Iterable[Stimulus]) -> Path:
    """Note beside the run which pictures of a page are real and which noise; what other pages noted stays.

    The run's own images are not in it: they are recognised by their bytes.

    Raises:
        RunError: The folder cannot be written, or the key that is there is damaged.
    """
    noted = {item.id: {"kind": item.kind, "label": item.label} for item in chosen if item.kind != "kept"}
    content = {"schema_version": _KEY_VERSION, "images": {**read_key(run), **noted}}
    path = run.folder / KEY
    try:
        write_whole(path, (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode())
    except RunError as cause:
        raise RunError(
            expected="a run folder that can be written: the key to a page stays with its run", got=cause.got,
            where=str(run.folder), do="Copy the run folder to a place of your own, and use the copy.",
        ) from cause  # fmt: skip
    return path


def read_key(run: Run) -> dict[str, dict[str, str]]:
    """By id, kind and label of every real picture and noise that pages of a run showed; empty where none was made.

    Raises:
        RunError: The key is damaged.
    """
    path = run.folder / KEY
    try:
        content = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {"images": {}}
        return {str(name): _entry(entry) for name, entry in content["images"].items()}
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as cause:
        raise RunError(
            expected="the key that `trompe read` wrote", got=f"{type(cause).__name__} ({cause})", where=str(path),
            do="Restore it, or remove it and make the page again with the same --seed.",
        ) from cause  # fmt: skip


def _entry(entry: Any) -> dict[str, str]:
    if entry["kind"] not in ("real", "noise") or not isinstance(entry["label"], str):
        raise ValueError(f"neither a real image nor noise: {entry}")
    return {"kind": entry["kind"], "label": entry["label"]}


def _kept(run: Run, most: int, stream: Stream) -> list[Stimulus]:
    pool = _shuffled(_confident(run), stream)
    if not pool:
        raise RunError(
            expected=f"a run that keeps an image with at least {100 * confident_level(run):g} % confidence",
            got="none", where=str(run.folder), do="Go on with it by --resume, or make one with a larger --budget.",
        )  # fmt: skip
    taken: dict[str, Stimulus] = {}
    used: Counter[object] = Counter()
    while pool and len(taken) < most:
        record, kept = pool.pop(min(range(len(pool)), key=lambda i: _weight(pool[i], used)))
        item = Stimulus(kept.levels, "kept", kept.label, record.method)
        if item.id not in taken:
            taken[item.id] = item
            used.update(_marks((record, kept)))
    return list(taken.values())


def _confident(run: Run) -> list[Entry]:
    """Of every class that counts, by every method, the first image at the level and the strongest, if it reaches it."""
    level, count = confident_level(run), set(run.labels_that_count)
    found = [(record, record.first(level)) for record in run.classes]
    found += [(record, record.strongest) for record in run.classes]
    return [
        (record, kept)
        for record, kept in found
        if kept is not None and record.label in count and kept.log_odds >= level_odds(level)
    ]


def _marks(entry: Entry) -> tuple[object, ...]:
    """What is to be balanced, the most important first."""
    record, kept = entry
    strongest = kept.level is None
    return record.label, (record.method,), (record.label, strongest), (strongest,)


def _weight(entry: Entry, used: Counter[object]) -> tuple[int, ...]:
    return tuple(used[mark] for mark in _marks(entry))


def _real(run: Run, real: Photographs, count: int, stream: Stream) -> list[Stimulus]:
    labels, nothing = run.about.target["labels"], spared(run)
    own = {image_id(kept.levels) for record in run.classes for kept in record.kept()}
    pool = [
        Stimulus(levels, "real", labels[column])
        for levels, column in zip(real.images, real.classes.tolist(), strict=True)
        if column >= 0 and labels[column] not in nothing
    ]
    taken: dict[str, Stimulus] = {}
    used: Counter[str] = Counter()
    pool = [item for item in _shuffled(pool, stream) if item.id not in own]
    while pool and len(taken) < count:
        item = pool.pop(min(range(len(pool)), key=lambda i: used[pool[i].label]))
        if taken.setdefault(item.id, item) is item:
            used[item.label] += 1
    if len(taken) < count:
        raise BadInput(
            expected=f"{count} different real images whose classes are known, to see whether people look at all",
            got=str(len(taken)), where="--images", do="Name a folder with a folder of photographs for each label.",
        )  # fmt: skip
    return list(taken.values())


def _noise(natural: Sequence[Stimulus], stream: Stream) -> list[Stimulus]:
    """One a real picture, by turns uniform noise and that picture with its pixels scrambled: as much ink, no shape."""
    made = []
    for number, item in enumerate(natural):
        part = stream.branch(str(number))
        if number % 2:
            order = part.uniform(item.levels[0].numel()).argsort()
            levels = item.levels.flatten(1)[:, order].reshape(item.levels.shape)
        else:
            levels = to_levels(part.uniform32(1, *item.levels.shape))[0]
        made.append(Stimulus(levels, "noise"))
    return made


def _shuffled(items: Sequence[Any], stream: Stream) -> list[Any]:
    return [items[place] for place in torch.argsort(stream.uniform(len(items))).tolist()]
