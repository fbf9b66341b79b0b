"""`harden`: train a classifier that is harder to make certain about nonsense."""

from collections.abc import Generator
from dataclasses import fields
from typing import Any

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.core.seeds import Stream
from trompe.data import NAMES, Dataset
from trompe.data.labelled import load_any
from trompe.hardening import (
    Halfway,
    Hardened,
    Keep,
    Loop,
    LowConfidence,
    LowConfidenceAll,
    LowConfidenceFar,
    NegativeClass,
    OutlierExposure,
    Progress,
    Recipe,
    Refine,
    Round,
    Siege,
    class_means,
    found_images,
    new_network,
    save_hardened,
    train_by,
)
from trompe.hardening.negative_class import working
from trompe.settings import HardenSettings
from trompe.targets.architectures import Centred
from trompe.targets.training import Recipe as Schedule
from trompe.verbs.keywords import keywords
from trompe.verbs.place import check_folder

_ROUNDS = 4
_FOR = {
    "rounds": "negative-class", "negatives": "negative-class", "generations": "negative-class",
    "methods": "negative-class", "outliers": "outlier-exposure", "runs": "refine",
}  # fmt: skip
"""Options that only one recipe takes."""
_NOT_STORED = ("out", "resume")


def hardening(settings: HardenSettings) -> Generator[Progress, None, Hardened]:
    """Harden as `harden` does.

    Yields:
        How far it has come.

    Returns:
        The hardened network, written.
    """
    _check(settings)
    data = load_any(settings.data, settings.shape)
    schedule = Schedule(iterations=settings.iterations)
    check_folder(settings.out)
    halfway: Halfway | None = None
    if settings.recipe == "negative-class":
        module, recipe, more = yield from _rounds(settings, data, schedule)
    else:
        recipe, more = _recipe(settings, data), {}
        halfway = Halfway.open(settings.out, _wanted(settings, data, recipe), resume=settings.resume)
        module = yield from _once(settings, data, recipe, schedule, halfway)
    made = save_hardened(
        settings.out, module, data, recipe, schedule,
        architecture=settings.architecture, seed=settings.seed, command=_command(settings), more=more,
    )  # fmt: skip
    if halfway:
        halfway.done()
    return made


def _wanted(settings: HardenSettings, data: Dataset, recipe: Recipe) -> dict[str, Any]:
    """Everything that decides what a training will be: settings, the recipe's numbers, the images."""
    items = {item.name: getattr(settings, item.name) for item in fields(settings) if item.name not in _NOT_STORED}
    return {**items, "numbers": recipe.describe(), "images": data.train.fingerprint()}


def loop_of(settings: HardenSettings, data: Dataset) -> Loop:
    """The loop that the settings name; by default as many negatives as a class has images, and a sixth a round."""
    first = settings.negatives or max(1, len(data.train) // len(data.labels))
    makers = settings.methods or ("pixels-evolve", "cppn-evolve")
    return Loop(
        networks=(settings.rounds or _ROUNDS) + 1,
        first=first,
        more=max(1, first // 6),
        architecture=settings.architecture,
        siege=Siege(makers, settings.generations or 50),
        schedule=Schedule(iterations=settings.iterations),
    )


Made = tuple[Centred, Recipe, dict[str, Any]]


def _rounds(settings: HardenSettings, data: Dataset, schedule: Schedule) -> Generator[Progress, None, Made]:
    del schedule
    loop = loop_of(settings, data)
    wanted = {
        "data": settings.data, "images": data.train.fingerprint(), "shape": settings.shape, "seed": settings.seed,
        "loop": loop.describe(),
    }  # fmt: skip
    keep = Keep.open(settings.out, wanted, resume=settings.resume)
    done: list[Round] = []
    for event in working(data, loop, settings.seed, keep):
        if isinstance(event, Progress):
            yield event
        else:
            done.append(event)
    last = done[-1]
    recipe = NegativeClass(data.train.images[:0])
    more = {"negatives": last.negatives, "rounds": [_say_round(found) for found in done]}
    return last.module, recipe, more


def _say_round(found: Round) -> dict[str, Any]:
    odds = found.attack.log_odds
    return {
        "round": found.number,
        "negatives": found.negatives,
        "refused": [found.refused, found.tests],
        "test": found.counts.describe(),
        "attack": {
            "runs": len(found.attack),
            "evaluations": int(found.attack.evaluations.sum()),
            "median_log_odds": odds.median().item(),
        },
    }


def _recipe(settings: HardenSettings, data: Dataset) -> Recipe:
    if settings.recipe == "refine":
        found = found_images(settings.runs, data)
        return Refine(found, tuple(folder.name for folder in settings.runs))
    means = class_means(data.train)
    climbing = {made.name: made for made in (LowConfidence, LowConfidenceAll, LowConfidenceFar)}
    if settings.recipe in climbing:
        made = climbing[settings.recipe]
        return made(means, warm=min(made.warm, settings.iterations // 4))
    others = _others(settings, data)
    return OutlierExposure(means, others.train if others else None)


def _others(settings: HardenSettings, data: Dataset) -> Dataset | None:
    """Another data set for outliers: the one named, of MNIST the clothes and of the clothes the digits, else none."""
    channels, height, width = data.train.images.shape[1:]
    pair = {NAMES[0]: NAMES[1], NAMES[1]: NAMES[0]}
    name = settings.outliers or pair.get(data.name, "")
    found = load_any(name, (channels, height, width)) if name else None
    if found and found.train.images.shape[1:] != data.train.images.shape[1:]:
        raise BadInput(
            expected=f"outliers of shape {(channels, height, width)}",
            got=str(tuple(found.train.images.shape[1:])),
            where=f"--outliers {name}",
            do="Name a folder of images; they are brought to the shape.",
        )
    return found


def _once(
    settings: HardenSettings, data: Dataset, recipe: Recipe, schedule: Schedule, halfway: Halfway
) -> Generator[Progress, None, Centred]:
    module = new_network(data, settings.architecture, settings.seed, none=recipe.none)
    stream = Stream(settings.seed, f"harden/{recipe.name}", 0)
    yield Progress(0, schedule.iterations, "begins")
    for done, loss in train_by(module, data, recipe, schedule, stream, halfway):
        yield Progress(done, schedule.iterations, f"loss {loss:.4f}")
    return module


def _check(settings: HardenSettings) -> None:
    check_at_least(settings.iterations, 1, "--iterations")
    check_at_least(settings.seed, 0, "--seed")
    for option in ("rounds", "negatives", "generations"):
        value = getattr(settings, option)
        if value is not None:
            check_at_least(value, 1, f"--{option}")
    for option, recipe in _FOR.items():
        value = getattr(settings, option)
        if value and settings.recipe != recipe:
            raise BadInput(
                expected=f"no --{option} with --recipe {settings.recipe}; it is for {recipe}",
                got=str(value),
                where=f"--{option}",
                do="Leave it out, or choose another recipe.",
            )
    if settings.recipe == "refine" and not settings.runs:
        raise BadInput(
            expected="--runs with --recipe refine",
            got="none",
            where="--runs",
            do="Attack a network first, for example with `trompe fool`, and name its run folder.",
        )


def _command(settings: HardenSettings) -> str:
    words = ["trompe harden"]
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.name in _NOT_STORED or value in (None, (), "") or value == item.default:
            continue
        many = value if isinstance(value, tuple) else (value,)
        words.append(f"--{item.name.replace('_', '-')} {' '.join(map(str, many))}")
    return " ".join(words)


@keywords(HardenSettings)
def harden(settings: HardenSettings) -> Hardened:
    """Train a classifier that is harder to make certain about nonsense, and write it as a target folder.

    Takes the fields of `HardenSettings`; see `hardening` for progress. What was done before an
    interruption stays and can be resumed: finished rounds, or where the training stood a few seconds before.

    Returns:
        The network, its card, and what it says of natural test images.

    Raises:
        BadInput: A setting is unusable, or the folder holds a network already.
        DataError: The data cannot be had.
        RunError: A run cannot be read, or the folder holds another hardening.
        TargetError: The architecture is code that fails.
    """
    work = hardening(settings)
    while True:
        try:
            next(work)
        except StopIteration as end:
            found: Hardened = end.value
            return found
