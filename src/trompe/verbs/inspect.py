"""`inspect`: what a target is, what is strange about it, and whether its preprocessing is right."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median, stdev
from typing import Any

from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import from_levels
from trompe.core.types import Target
from trompe.data.folders import Photographs
from trompe.measure.metrics import accuracy
from trompe.measure.statistics import Share
from trompe.search import Judge, JudgeSettings
from trompe.settings import InspectSettings
from trompe.targets import Preprocessing, load_target, write_declaration
from trompe.targets.load import lasting
from trompe.targets.preprocessing import CAFFE, EFFICIENTNET_LITE, IMAGENET
from trompe.targets.ready import Ready, declared_of, make_ready, prepared_of, with_preprocessing
from trompe.verbs.guarded import beside_target
from trompe.verbs.keywords import keywords
from trompe.verbs.natural import answers, natural_images, right_log_likelihood

_BATCH = 32
_ENOUGH, _MANY = 10, 30
_SATURATED = 40.0
_BYTES = (0.0, 255.0)

_PLAUSIBLE: dict[str, Preprocessing] = {
    "0..1": Preprocessing(),
    "0..255": Preprocessing(range=_BYTES),
    "-1..1": Preprocessing(range=(-1.0, 1.0)),
    "ImageNet": IMAGENET,
    "EfficientNet-Lite": EFFICIENTNET_LITE,
    "Caffe BGR": CAFFE,
    "0..1 BGR": Preprocessing(colour="bgr"),
    "0..16": Preprocessing(range=(0.0, 16.0)),
    "inverted": Preprocessing(range=(1.0, 0.0)),
}
_OF_CHANNELS = {
    1: ("0..1", "0..255", "-1..1", "0..16", "inverted"),
    3: ("0..1", "0..255", "-1..1", "ImageNet", "EfficientNet-Lite", "Caffe BGR", "0..1 BGR"),
}


@dataclass(frozen=True)
class Trial:
    """One preprocessing, tried on labelled images.

    Attributes:
        name: Of the preprocessing; "as it stands" for the target's own.
        preprocessing: The preprocessing.
        accuracy: Share of images named rightly.
        likelihood: Mean log-probability of the right class.
        each: The same of each image.
        right: Of each image, whether it is named rightly.
        typical: Median log-odds of the class that an image is named.
    """

    name: str
    preprocessing: Preprocessing
    accuracy: Share
    likelihood: float
    each: Sequence[float]
    right: Sequence[bool] = ()
    typical: float = 0.0


@dataclass(frozen=True)
class Inspection:
    """What was found out about a target.

    Attributes:
        ready: The target after preflight.
        trials: Every plausible preprocessing, the likeliest first; empty without labelled images.
        confirmed: Whether labelled images show that the preprocessing it has is right; None where they were not asked.
    """

    ready: Ready
    trials: tuple[Trial, ...]
    confirmed: bool | None


@keywords(InspectSettings)
def inspect(settings: InspectSettings) -> Inspection:
    """What a target is, what is strange about it, and, with labelled images, which preprocessing suits it.

    Takes the fields of `InspectSettings`. Writes nothing but the target file that ``save`` names.

    Raises:
        TargetError: The target cannot be loaded, or nothing can be measured about it.
        DataError: The images cannot be read, or their folders are no labels.
    """
    target = load_target(settings.target, beside_target(settings.guard, settings.trust))
    found = examine(target, settings.images, settings.limit)
    if settings.save is not None:
        save_target_file(settings.save, settings.target, found)
    return found


def examine(target: Target, images: Path | None, limit: int | None) -> Inspection:
    """Preflight, and where labelled images are given every plausible preprocessing on them."""
    ready = make_ready(target)
    if images is None:
        return Inspection(ready, (), None)
    trials = tuple(sorted(_trials(ready.target, images, limit), key=lambda trial: -trial.likelihood))
    confirmed = confirms(trials, len(target.labels)) if trials else None
    status = ready.preprocessing
    wrong = contradicts(trials, len(target.labels))
    if status == "unverified" and confirmed and not wrong:
        status = "confirmed"
    elif status == "declared" and wrong:
        status = "contradicted"
    return Inspection(replace(ready, preprocessing=status), trials, confirmed)


def confirms(trials: Sequence[Trial], classes: int) -> bool:
    """Whether the target's own preprocessing is right beyond doubt: twice better than chance, and none clearly better.

    Clearly better is a higher mean log-probability of the right class, image by image, by more than two standard
    errors. Fewer than ten images confirm nothing.
    """
    own = next(trial for trial in trials if trial.name == OWN)
    if own.accuracy.of < _ENOUGH or own.accuracy.low < 2.0 / (classes + 1):
        return False
    return not any(_clearly_better(trial.each, own.each) for trial in trials if trial is not own)


def contradicts(trials: Sequence[Trial], classes: int) -> bool:
    """Whether labelled images speak against the target's own preprocessing, so that a declaration is not believed.

    They do where another preprocessing names more of them rightly, by over three standard errors image by image; where,
    of at least thirty, it names no more rightly than chance would; and where it makes the target sure of real images
    as no network is (median log-odds above 40), but another, that names no fewer of them rightly, does not: numbers
    far too large leave the names as they are. How an image is brought to size is left out: it does not touch what is
    searched.
    """
    own = next((trial for trial in trials if trial.name == OWN), None)
    if own is None:
        return False
    if own.accuracy.of >= _MANY and own.accuracy.low < 1.0 / classes:
        return True
    others = [trial for trial in trials if trial.preprocessing.fit == own.preprocessing.fit]
    saturated = own.accuracy.of >= _ENOUGH and own.typical > _SATURATED
    return any(
        _names_more(trial.right, own.right)
        or (saturated and trial.typical < _SATURATED and not _names_more(own.right, trial.right))
        for trial in others
    )


OWN = "as it stands"


def _names_more(one: Sequence[bool], other: Sequence[bool]) -> bool:
    won = sum(a and not b for a, b in zip(one, other, strict=True))
    lost = sum(b and not a for a, b in zip(one, other, strict=True))
    return won - lost > 3.0 * math.sqrt(won + lost)


def _clearly_better(one: Sequence[float], other: Sequence[float]) -> bool:
    gaps = [a - b for a, b in zip(one, other, strict=True)]
    return fmean(gaps) > 2.0 * stdev(gaps) / math.sqrt(len(gaps)) and fmean(gaps) > 1e-6


def _trials(target: Target, images: Path, limit: int | None) -> Iterator[Trial]:
    own = prepared_of(target)
    tried = [(OWN, own)]
    for name in _OF_CHANNELS.get(target.spec.shape[0], ()):
        for layout in ("nchw", "nhwc"):
            for fit in ("centre", "stretch"):
                changed = _variant(_PLAUSIBLE[name], own.dtype, layout, fit)
                if changed is not None and changed not in [preprocessing for _, preprocessing in tried]:
                    tried.append((f"{name}, {layout.upper()}, {fit}", changed))
    photographs: dict[str, Photographs | None] = {}
    for name, preprocessing in tried:
        changed_target = target if name == OWN else with_preprocessing(target, preprocessing)
        if changed_target is None:
            continue
        if preprocessing.fit not in photographs:
            photographs[preprocessing.fit] = natural_images(changed_target, images, limit)
        if trial := _try(name, preprocessing, changed_target, photographs[preprocessing.fit]):
            yield trial


def _variant(plausible: Preprocessing, dtype: Any, layout: Any, fit: Any) -> Preprocessing | None:
    try:
        return replace(plausible, layout=layout, fit=fit, dtype=dtype)
    except BadInput:  # bytes cannot be centred
        return None


def _try(name: str, preprocessing: Preprocessing, target: Target, photographs: Photographs | None) -> Trial | None:
    if photographs is None or not photographs.labelled:
        return None
    try:
        outputs = Judge(target, JudgeSettings(_BATCH)).judge(from_levels(photographs.images))
    except TargetError:  # a layout or a type that this model refuses
        if name == OWN:
            raise
        return None
    said, each = answers(photographs, outputs, target.link), right_log_likelihood(photographs, outputs, target.link)
    share = accuracy(said)
    if share is None:
        return None
    right, typical = [answer.right for answer in said], median(answer.log_odds for answer in said)
    return Trial(name, preprocessing, share, fmean(each), each, right, typical)


def save_target_file(path: Path, text: str, found: Inspection) -> None:
    """Write a target file with everything that is known; an unverified preprocessing is suggested in a comment only."""
    target = found.ready.target
    declared = declared_of(target)
    model = declared.model or lasting(text)
    sure = found.ready.preprocessing in ("declared", "confirmed")
    full = replace(
        declared,
        model=model,
        shape=target.spec.shape,
        labels=target.labels,
        outputs=declared.reading.kind,
        link=declared.reading.link,
        preprocessing=declared.prepared if sure else None,
    )
    heading = f"A trompe target file: what {model} needs. Written by `trompe inspect`.\n"
    heading += "\n".join(str(finding) for finding in found.ready.findings)
    if not sure:
        best = found.trials[0].preprocessing.describe() if found.trials else {"range": [0.0, 1.0]}
        heading += f"\nThe preprocessing is {found.ready.preprocessing}. "
        heading += "Declare the right one, for example:\n[preprocessing]\n"
        heading += "\n".join(f"{key} = {value!r}" for key, value in best.items())
    write_declaration(path, full, heading)
