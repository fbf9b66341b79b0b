"""`guard`: fit a guard to trusted images, measure its false alarms on others, and write it."""

import hashlib
import platform
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from importlib.metadata import version
from pathlib import Path
from typing import Any, cast

import torch

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, level_odds, log_odds
from trompe.core.types import Guard, Outputs, Target
from trompe.data import NAMES, Split, load
from trompe.data.folders import read_photographs
from trompe.data.halves import fifths, half, half_name
from trompe.guards.combined import slack_of
from trompe.guards.doubt import CERTAIN
from trompe.guards.fit import Trusted, check_trusted, fit_guard
from trompe.guards.store import CARD, GuardCard, card_of, save_guard
from trompe.guards.types import Stored
from trompe.measure.statistics import Share, wilson
from trompe.settings import GuardSettings
from trompe.targets import Declaration, load_target
from trompe.targets.guarded import borne, named, with_none
from trompe.targets.ready import declared_of, prepared_of
from trompe.verbs.keywords import keywords

_AT_ONCE = 250
_KNOWN = 4
"""Of so many images of a class the last is kept from the guard, for its threshold."""


@dataclass(frozen=True)
class Measured:
    """What a guard does to natural images that it was not fitted to.

    Attributes:
        false_alarms: Refused as their own class.
        accuracy: Named rightly, accepted or not.
        coverage: Accepted as the class that they are named.
        accepted_and_correct: Accepted as the class that they are named, and that is right.
        certain: Accepted as the class that they are named, with confidence 0.99 or more.
    """

    false_alarms: Share
    accuracy: Share
    coverage: Share
    accepted_and_correct: Share
    certain: Share


@dataclass(frozen=True)
class Fitted:
    """A guard on disk.

    Attributes:
        folder: Stands wherever --guard is.
        card: What is known of it.
        measured: On images kept apart.
        caution: What to think of when more of them are refused than was asked for; "" where chance explains it.
    """

    folder: Path
    card: GuardCard
    measured: Measured
    caution: str


@keywords(GuardSettings)
def guard(settings: GuardSettings) -> Fitted:
    """Fit a guard to trusted images, take its threshold from others, measure it on others again, and write it.

    Takes the fields of `GuardSettings`.

    Raises:
        BadInput: The images cannot be fitted to, something that this kind needs is lacking, no image passes, or the
            folder holds something.
        DataError: The images cannot be had.
        TargetError: The classifier cannot.
    """
    _check(settings)
    target = load_target(settings.target, Declaration(layer=settings.layer, trust=settings.trust))
    images = trusted_images(target, settings.images)
    check_trusted(images.kept, named(target))
    made = cast("Stored", fit_guard(settings.kind, _trusted(settings, target, images), settings.also))
    measured = measure(made, target, images.kept)
    if not measured.coverage.count:
        raise BadInput(
            expected="a guard that some of the images kept apart pass",
            got=f"one that refuses all {measured.coverage.of}",
            where=f"guard {made.name}",
            do="Give images of the same kind in all folders, or allow more --false-alarms.",
        )
    card = card_of(made, target, _told(measured), _command(settings), _versions())
    settings.out.mkdir(parents=True, exist_ok=True)
    save_guard(settings.out, made, card)
    return Fitted(settings.out, card, measured, _caution(measured.false_alarms, settings.false_alarms, images))


def _caution(found: Share, asked: float, images: "Images") -> str:
    if found.low <= asked:
        return ""
    return (
        f"more than the {100 * asked:g} % asked for: it was fitted to {len(images.known):,} images, and the threshold "
        f"taken from {len(images.held):,} others. Give more images of each class"
    )


@dataclass(frozen=True)
class Images:
    """Trusted images in three parts that share none.

    Attributes:
        known: What a guard may hold on to; no reader knows them.
        held: For its threshold.
        kept: For its false alarms.
        data: What the first are called.
    """

    known: Split
    held: Split
    kept: Split
    data: str


def trusted_images(target: Target, images: str) -> Images:
    """The images of a data set or of a folder.

    Of a data set, thresholds and false alarms are taken from the images to choose on, half each: a network is surer of
    those it was trained on. Of a folder nothing is known of that.

    Raises:
        BadInput: A data set of other classes, or a folder without classes.
        DataError: They cannot be had.
    """
    abstain = declared_of(target).abstain
    if abstain in target.labels[:-1]:
        raise BadInput(
            expected="a class for none of these that is the last label, or none",
            got=f"{abstain!r}, number {target.labels.index(abstain)} of {len(target.labels)}",
            where=f"target {target.name}",
            do="Let the classifier give that output last.",
        )
    if images in NAMES:
        data = load(images)
        own = [label for label in target.labels if label != abstain]
        if list(data.labels) != own or tuple(data.train.images.shape[1:]) != tuple(target.spec.shape):
            raise _others(target, images, f"{len(data.labels)} classes {', '.join(data.labels[:3])}, ...")
        train = half(data.train, "even")
        return Images(train, half(data.choose, "even"), half(data.choose, "odd"), _name(images))
    found = read_photographs(Path(images), target.labels, target.spec.shape, fit=prepared_of(target).fit)
    if not found.labelled:
        raise _others(target, images, "images whose class is not known")
    train, kept = fifths(Split(found.images, found.classes))
    digest = hashlib.sha256(train.images.contiguous().numpy().tobytes()).hexdigest()
    return Images(*_quarters(half(train, "even")), kept, _name(f"images-{digest[:12]}"))


def _name(data: str) -> str:
    return half_name(data, "even").removeprefix("data:")


def _quarters(images: Split) -> tuple[Split, Split]:
    """Three quarters of each class, and the last one."""
    held = torch.zeros(len(images), dtype=torch.bool)
    for c in images.classes.unique():
        held[(images.classes == c).nonzero().flatten()[_KNOWN - 1 :: _KNOWN]] = True
    known, rest = (Split(images.images[rows], images.classes[rows]) for rows in (~held, held))
    return known, rest


def measure(guard: Guard, target: Target, images: Split) -> Measured:
    """What a guard in front of a target does to natural images; at least one."""
    outputs = said(target, images)
    own_slack = slack_of(guard, images, outputs)
    slack, logits = with_none(own_slack, target), borne(guard, own_slack, outputs.logits, target)
    won = outputs.logits.argmax(1)
    own = slack.gather(1, images.classes.unsqueeze(1)).squeeze(1) >= 0.0
    passed = (slack.gather(1, won.unsqueeze(1)).squeeze(1) >= 0.0) & (won < named(target))  # none of these: refused
    if outputs.slack is not None:  # the classifier's own rule
        passed = passed & (outputs.slack.gather(1, won.unsqueeze(1)).squeeze(1) >= 0.0)
    right = won == images.classes
    sure = log_odds(logits, target.link).gather(1, won.unsqueeze(1)).squeeze(1) >= level_odds(CERTAIN)
    shares = (~own, right, passed, passed & right, passed & sure)
    return Measured(*(wilson(int(part.sum()), len(images)) for part in shares))


def said(target: Target, images: Split) -> Outputs:
    """What a target says of images, in batches."""
    with torch.inference_mode():
        return Outputs.join([target.judge(from_levels(part)) for part in images.images.split(_AT_ONCE)])


def _trusted(settings: GuardSettings, target: Target, images: Images) -> Trusted:
    known, held = images.known, images.held
    return Trusted(
        known, held, said(target, known), said(target, held), named(target), target.link, settings.layer,
        images.data, settings.false_alarms, settings.doubts, settings.seed, settings.iterations,
        settings.images not in NAMES,
    )  # fmt: skip


def _check(settings: GuardSettings) -> None:
    check_at_least(settings.iterations, 1, "--iterations")
    check_at_least(settings.seed, 0, "--seed")
    if not 0.0 < settings.false_alarms < 0.5:
        raise BadInput(
            expected="a share above 0 and below 0.5", got=f"{settings.false_alarms:g}", where="--false-alarms",
            do="Give for example 0.01.",
        )  # fmt: skip
    if settings.doubts and not settings.false_alarms < settings.doubts < 1.0:
        raise BadInput(
            expected=f"a share above --false-alarms, {settings.false_alarms:g}, and below 1",
            got=f"{settings.doubts:g}", where="--doubts", do="Give for example 0.3, or leave it out.",
        )  # fmt: skip
    out = settings.out
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        got = "a guard" if (out / CARD).exists() else "something"
        raise BadInput(
            expected="a folder that is empty or does not exist", got=f"one that holds {got}", where=f"--out {out}",
            do="Choose another folder, or delete this one.",
        )  # fmt: skip


def _others(target: Target, images: str, got: str) -> BadInput:
    return BadInput(
        expected=f"trusted images of the target's {len(target.labels)} classes, {', '.join(target.labels[:3])}, ...",
        got=got,
        where=f"--images {images}",
        do="Name a folder with a folder of images for every class.",
    )


def _told(measured: Measured) -> Mapping[str, Any]:
    return {name: asdict(share) for name, share in vars(measured).items()}


def _command(settings: GuardSettings) -> str:
    """The command that fits the guard again, without where it is written."""
    words = [f"trompe guard {settings.target}"]
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name not in ("target", "_", "out") and value != item.default:
            each = value if isinstance(value, tuple) else (value,)
            words += [f"--{item.name.replace('_', '-')} {one}" for one in each]
    return " ".join(words)


def _versions() -> dict[str, str]:
    return {"trompe": version("trompe"), "torch": str(torch.__version__), "python": platform.python_version()}
