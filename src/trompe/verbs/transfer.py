"""`transfer`: how many of one classifier's images convince another, beside random and natural images."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

import torch
from PIL import Image

from trompe.core.errors import BadInput, TrompeError
from trompe.core.numerics import bid_value, from_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Classwise, Target
from trompe.data.folders import Photographs, read_photographs
from trompe.measure.metrics import Answer
from trompe.measure.surviving import as_recorded, itself
from trompe.measure.transfer import Convinced, count_any, count_same
from trompe.run import Run, open_run
from trompe.run.folder import write_whole
from trompe.run.names import class_folders
from trompe.run.schema import DATABASE
from trompe.search import JudgeSettings, reference_judge
from trompe.settings import TransferSettings
from trompe.targets import load_target
from trompe.targets.ready import declared_of, prepared_of
from trompe.verbs.guarded import beside_target
from trompe.verbs.keywords import keywords
from trompe.verbs.methods import LEVELS
from trompe.verbs.natural import judge_natural, natural_images
from trompe.verbs.probes import Group, Probe, equally_confident, folder_labels, random_like, strongest
from trompe.verbs.thrift import remote_judge
from trompe.verbs.verify import check_same_target, trusting

FILE = "transfer.json"
_AT_ONCE = 50


@dataclass(frozen=True)
class Transfer:
    """What came of showing images to other classifiers.

    Attributes:
        source: The classifier the images were made for; of a folder of images, the folder.
        levels: Confidences that are counted.
        rows: One a classifier asked, method and kind of image.
        notes: What was not measured, and why.
    """

    source: str
    levels: tuple[float, ...]
    rows: tuple[Convinced, ...]
    notes: tuple[str, ...]

    def describe(self) -> dict[str, Any]:
        """Everything by name, JSON-ready."""
        asked = dict.fromkeys((row.fingerprint, row.target) for row in self.rows)
        entries = [
            {"target": name, "fingerprint": key, "notes": list(self.notes),
             "rows": [row.describe() for row in self.rows if row.fingerprint == key]}
            for key, name in asked
        ]  # fmt: skip
        return {"from": self.source, "levels": list(self.levels), "transfers": entries, "notes": list(self.notes)}


@keywords(TransferSettings)
def transfer(settings: TransferSettings) -> Transfer:
    """How many images of a run, or of any folder, convince other classifiers; written to ``transfer.json``.

    That file keeps one entry for each classifier, by fingerprint; one that is asked again replaces its former entry.

    Takes the fields of `TransferSettings`.

    Raises:
        BadInput: No classifier is named, or one cannot be shown these images.
        TargetError: A classifier cannot be loaded or asked.
        RunError: Neither a run nor a folder of images, or the result cannot be written.
        DataError: A folder holds no images.
    """
    source = Path(settings.run)
    declared = beside_target(settings.guard)
    found = transfer_to(source, [load_target(text, declared) for text in dict.fromkeys(settings.to)], settings.images)
    folder = settings.out or (source if _is_run(source) else None)
    if folder is not None:
        write_whole(Path(folder) / FILE, (_merged(found.describe(), Path(folder)) + "\n").encode())
    return found


def read_transfers(folder: Path) -> dict[str, Any]:
    """The content of a folder's ``transfer.json``; empty where there is none that this version wrote."""
    try:
        content = json.loads((folder / FILE).read_text(encoding="utf-8"))
        known = all(entry["fingerprint"] and entry["rows"] for entry in content["transfers"])
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return content if known else {}


def _merged(new: dict[str, Any], folder: Path) -> str:
    """What is new, behind what the file said before about other classifiers asked about the same images."""
    old = read_transfers(folder)
    same = all(old.get(key) == new[key] for key in ("from", "levels"))
    fresh = {entry["fingerprint"] for entry in new["transfers"]}
    kept = [entry for entry in old["transfers"] if entry["fingerprint"] not in fresh] if same else []
    whole = {**new, "transfers": [*kept, *new["transfers"]]}
    del whole["notes"]
    return json.dumps(whole, indent=2, ensure_ascii=False, allow_nan=False)


def transfer_to(source: Path, targets: Sequence[Target], images: Path | None = None) -> Transfer:
    """As `transfer`, to classifiers that are at hand as objects; nothing is written.

    Args:
        source: A run folder, or a folder of images.
        targets: At least one, all taking images.
        images: Natural images for the base rate; by default the samples beside a trained network.

    Raises:
        BadInput: There is no target, or it cannot be shown these images.
        RunError: Neither a run nor a folder of images.
        DataError: A folder holds no images.
    """
    if not targets:
        raise BadInput(expected="a classifier to ask", got="none", where="--to", do="Name one, for example --to lenet.")
    if not _is_run(source) and source.is_dir():
        rows = [_ask(target, _given(source, target), LEVELS) for target in targets]
        said = ("random and natural images: not measured beside a folder of images",)
        return Transfer(str(source), LEVELS, tuple(rows), said)
    run = open_run(source)
    groups, notes = _groups(run, images)
    asked = [_ask(target, group, run.about.levels) for target in targets for group in groups]
    return Transfer(run.about.target["name"], tuple(run.about.levels), tuple(asked), notes)


def _is_run(folder: Path) -> bool:
    return (folder / DATABASE).is_file()


def _groups(run: Run, images: Path | None) -> tuple[list[Group], tuple[str, ...]]:
    """Of every method its images, then as many random and as many natural ones."""
    found, notes = [], []
    natural = _natural(run, images)
    for group in strongest(run):
        if not group.probes:
            notes.append(f"{group.method}: no image has been recorded")
            continue
        found += [group, random_like(run, group)]
        if isinstance(natural, _Natural):
            found.append(
                equally_confident(group, natural.photographs, natural.answers, natural.labels, run.about.spared)
            )
    notes += [f"natural images: not measured: {natural}"] if isinstance(natural, str) else []
    return [group for group in found if group.probes], tuple(notes)


@dataclass(frozen=True, eq=False)
class _Natural:
    """Natural images and what the run's own target says of them."""

    photographs: Photographs
    answers: list[Answer]
    labels: tuple[str, ...]


def _natural(run: Run, images: Path | None) -> _Natural | str:
    """Or, in words, why there are none."""
    if "remote" in run.about.target:
        return "each would be a query to the server of the run's target"
    try:
        loaded = as_recorded(load_target(run.about.target["text"], trusting(run)), run.about.target)
        check_same_target(run.about.target, loaded, run.folder)
    except TrompeError as cause:
        return f"the run's target cannot be asked ({cause})"
    own = itself(loaded)
    photographs = natural_images(own, images)
    if photographs is None:
        return "the run's target has no samples; name some with --images FOLDER"
    answers = judge_natural(own, photographs, JudgeSettings(**run.about.judge))
    return _Natural(photographs, answers, own.labels)


def _given(folder: Path, target: Target) -> Group:
    """The images of a folder at a target's size, each about the class that its folder is named after."""
    spec, names = _spec(target), folder_labels(folder)
    found = read_photographs(folder, names, spec.shape, fit=prepared_of(target).fit)
    labels = [names[column] if column >= 0 else "" for column in found.classes.tolist()]
    known = {name: label for label, name in class_folders(target.labels).items()}
    probes = []
    for levels, label, file in zip(found.images, labels, found.files, strict=True):
        with Image.open(file) as picture:
            how = "same" if picture.size == (spec.width, spec.height) else "resized"
        probes.append(Probe(levels, label if label in target.labels else known.get(label, label), brought=how))
    return Group(folder.name, "given", tuple(probes))


def _ask(target: Target, group: Group, levels: Sequence[float]) -> Convinced:
    target, spec = itself(target), _spec(target)
    fitted = [probe.fitted(spec) for probe in group.probes]
    value = _values(target, [image for image, _ in fitted])
    declared = declared_of(target)
    spared = {*declared.harmless, declared.abstain}
    place = {label: i for i, label in enumerate(target.labels) if label not in spared}
    labels = [probe.label for probe in group.probes]
    columns = [place.get(label) for label in labels]
    odds = [probe.log_odds for probe in group.probes if probe.log_odds is not None]
    return Convinced(
        target.name, target.fingerprint(), group.method, group.images, " and ".join(sorted({how for _, how in fitted})),
        of=len(labels), comparable=sum(column is not None for column in columns),
        same={level: count_same(value, columns, level) for level in levels},
        any={level: count_any(value, list(place.values()), level) for level in levels},
        missing=tuple(dict.fromkeys(label for label in labels if label and label not in target.labels)),
        spared=tuple(dict.fromkeys(label for label in labels if label and label in spared)),
        source_log_odds=median(odds) if odds else None,
    )  # fmt: skip


def _values(target: Target, images: Sequence[torch.Tensor]) -> Classwise:
    """Bid values of every class: log-odds, and where the target refuses an image, less than any."""
    settings = remote_judge(target) or JudgeSettings(min(_AT_ONCE, len(images)))
    judge = reference_judge(target, settings)
    parts = [torch.stack(list(images[i : i + _AT_ONCE])) for i in range(0, len(images), _AT_ONCE)]
    return torch.cat([bid_value(judge.judge(from_levels(part)), target.link) for part in parts])


def _spec(target: Target) -> ImageSpec:
    if isinstance(target.spec, ImageSpec):
        return target.spec
    raise BadInput(
        expected="a target that takes images", got=repr(target.spec), where="--to", do="Choose another target."
    )
