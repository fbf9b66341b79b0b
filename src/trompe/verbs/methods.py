"""From the names in the settings to the objects that do the work."""

from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from functools import partial
from math import inf, isfinite
from typing import Any, cast

from trompe.core.check import check_at_least, check_level, check_name
from trompe.core.errors import BadInput
from trompe.core.numerics import level_odds
from trompe.core.specs import ImageSpec
from trompe.core.tokens import TokenSpec
from trompe.core.types import Encoding, Step
from trompe.encodings import CPPN_PRESETS, LAYERED, PIXEL_PRESETS, Cppn, Pixels, Tokens
from trompe.search import (
    RULES,
    SQUARES,
    Archive,
    Contest,
    Plan,
    Tally,
    ascend,
    evolve,
    evolve_asynchronously,
    scatter,
    squares,
)
from trompe.settings import FoolSettings, Preset

LEVELS = (0.5, 0.9, 0.99, 0.9999)
"""Confidence levels for which every run keeps the first image."""

Search = Callable[[Contest[Any], Archive[Any], Plan, Tally], Iterator[Step[Any]]]

SEARCHES: dict[str, Search] = {"evolve": evolve, "ascend": ascend, "squares": squares, "scatter": scatter}
"""Every search, as it is without further settings."""

GROUPED = ("ascend", "squares")
"""Searches in which groups of classes take turns; in the others all classes compete at once."""

LEAVING_ALONE = ("thrifty",)
"""Presets of evolve in which a class that is as sure as was asked for gives no more parents."""

_RULES_OF = {"cppn": ("adam",)}
"""Of an encoding whose numbers are not the values of an image: rules that work on it, the default first.

Steps of 0.1 by sign, taken in weights, leave more than half of the digits below 99.99 % after 200 steps.
"""

_GENERATIONS = _POPULATION = 200
_BATCH = 50
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def presets(settings: FoolSettings) -> tuple[str, ...]:
    """Names of the presets of the method that the settings name, the default first."""
    if settings.by == "ascend":
        return _RULES_OF.get(settings.encoding, tuple(RULES))
    if settings.by == "squares":
        return tuple(SQUARES)
    if settings.encoding == "tokens":
        return ("paper",)
    return tuple(CPPN_PRESETS if settings.encoding == "cppn" else PIXEL_PRESETS)


def resolve(settings: FoolSettings) -> FoolSettings:
    """The settings with every default that depends on the method filled in; resolving twice changes nothing.

    Raises:
        BadInput: The preset or the start is none of this method's, or a population is given to one without.
    """
    allowed = presets(settings)
    preset = settings.preset or allowed[0]
    check_name(preset, allowed, f"--preset of {settings.encoding}-{settings.by}")
    settings = replace(settings, preset=cast("Preset", preset))
    if settings.by not in GROUPED:
        _refuse(settings, "start", settings.start)
        return replace(
            settings,
            generations=_GENERATIONS if settings.generations is None else settings.generations,
            population=_POPULATION if settings.population is None else settings.population,
        )
    _refuse(settings, "population", settings.population)
    _refuse_unpainted(settings)
    own = RULES[preset] if settings.by == "ascend" else SQUARES[preset]
    generations = own.generations if settings.generations is None else settings.generations
    return replace(settings, generations=generations, start=settings.start or own.start)


def make_search(settings: FoolSettings) -> Search:
    """The search that the settings name, with its preset and start."""
    settings = resolve(settings)
    start = settings.start or "uniform"
    if settings.by == "ascend":
        return partial(ascend, rule=replace(RULES[str(settings.preset)], start=start))
    if settings.by == "squares":
        return partial(squares, settings=replace(SQUARES[str(settings.preset)], start=start))
    return evolve_asynchronously if settings.asynchronous and settings.by == "evolve" else SEARCHES[settings.by]


def describe_search(settings: FoolSettings, plan: Plan) -> dict[str, Any]:
    """Preset and every number of the search, JSON-ready: what a preset's name stands for may change."""
    settings, search = resolve(settings), make_search(settings)
    rules = search.keywords.values() if isinstance(search, partial) else ()
    numbers = {name: value for rule in rules for name, value in asdict(rule).items()}
    size = {} if settings.by in GROUPED else {"population": plan.population}
    whose = {"goal": plan.goal} if _leaves_alone(settings) and isfinite(plan.goal) else {}
    return {**numbers, **size, **whose, "preset": settings.preset, "generations": plan.generations, "batch": plan.batch}


def make_encoding(settings: FoolSettings, plan: Plan, spec: ImageSpec, threads: int = 1) -> Encoding[Any]:
    """The encoding that the settings name, for inputs of the given kind; as many threads paint as judge."""
    if isinstance(spec, TokenSpec) != (settings.encoding == "tokens"):
        raise BadInput(
            expected=f"--encoding {'tokens' if isinstance(spec, TokenSpec) else 'pixels or cppn'} for such a target",
            got=settings.encoding,
            where="--encoding",
            do="Choose the encoding that makes what the target takes.",
        )
    return _ENCODINGS[settings.encoding](settings, plan, spec, threads)


def make_plan(settings: FoolSettings, classes: int = 1) -> Plan:
    """How long the settings let the search go on.

    Args:
        settings: Of the command.
        classes: How many are attempted; matters only where groups of them take turns.

    Raises:
        BadInput: A number is out of range, or the batch does not divide the population.
    """
    settings = resolve(settings)
    generations = settings.generations or 0
    check_at_least(settings.seed, 0, "--seed")
    check_at_least(settings.repeats, 1, "--repeats")
    check_at_least(generations, 0, "--generations")
    check_at_least(settings.threads, 1, "--threads")
    if settings.batch is not None:
        check_at_least(settings.batch, 1, "--batch")
    if settings.budget is not None:
        check_at_least(settings.budget, 1, "--budget")
    if settings.confidence is not None:
        check_level(settings.confidence, "--confidence")
    if settings.by in GROUPED:
        batch = min(settings.batch or _BATCH, classes)
        goal = inf if settings.confidence is None else level_odds(settings.confidence)
        return Plan(settings.seed, generations, batch, batch, batch, settings.budget, goal, -(-classes // batch))
    size = _POPULATION if settings.population is None else settings.population
    check_at_least(size, 1, "--population")
    batch = settings.batch or _default_batch(settings, size)
    if size % batch:
        raise BadInput(
            expected=f"a divisor of the population {size}",
            got=str(batch),
            where="--batch",
            do="Choose a batch that fits into the population without a rest.",
        )
    goal = level_odds(settings.confidence) if _leaves_alone(settings) and settings.confidence is not None else inf
    return Plan(settings.seed, generations, size, batch, size, settings.budget, goal)


def parse_time(text: str | None) -> float | None:
    """Seconds that a text like ``90s``, ``10m`` or ``1.5h`` stands for; None for None.

    Raises:
        BadInput: It is no such text, or not above 0.

    Example:
        >>> parse_time("1.5h"), parse_time("90")
        (5400.0, 90.0)
    """
    if text is None:
        return None
    unit = _UNITS.get(text[-1:], 1.0)
    try:
        seconds = float(text.removesuffix(text[-1:]) if text[-1:] in _UNITS else text) * unit
    except ValueError:
        seconds = 0.0
    if not 0.0 < seconds < float("inf"):
        raise BadInput(
            expected="a time above 0 like 90s, 10m or 2h",
            got=repr(text),
            where="--time",
            do="Give a number and a unit.",
        )
    return seconds


def _default_batch(settings: FoolSettings, size: int) -> int:
    return size if settings.preset == "released-code" or size % _BATCH else _BATCH


def _leaves_alone(settings: FoolSettings) -> bool:
    """Whether classes that are sure enough give no more parents."""
    return settings.by == "evolve" and settings.preset in LEAVING_ALONE


def _refuse(settings: FoolSettings, option: str, value: object) -> None:
    if value is not None:
        takers = GROUPED if option == "start" else [name for name in SEARCHES if name not in GROUPED]
        raise BadInput(
            expected=f"no --{option} with --by {settings.by}; it is for {' and '.join(takers)}",
            got=str(value),
            where=f"--{option}",
            do="Leave it out, or choose another search.",
        )


def _refuse_unpainted(settings: FoolSettings) -> None:
    """Neither squares nor a given image can be put into a network that paints; words have no squares and no slope."""
    if settings.encoding == "pixels":
        return
    if settings.by == "squares" or settings.encoding == "tokens":
        raise BadInput(
            expected=f"--encoding pixels with --by {settings.by}",
            got=settings.encoding,
            where="--encoding",
            do="Choose another --by for other encodings.",
        )
    if settings.start is not None:
        check_name(settings.start, ("uniform",), f"--start of {settings.encoding}-{settings.by}")


def _cppn(settings: FoolSettings, plan: Plan, spec: ImageSpec, threads: int) -> Cppn:
    if settings.by in GROUPED:  # a gradient goes through what torch paints
        return Cppn(spec, LAYERED)
    preset = CPPN_PRESETS[settings.preset or "paper"]
    preset = replace(preset, halving_period=preset.halving_period * _steps_a_generation(plan))
    return Cppn(spec, preset, settings.renderer or "torch", threads)


def _pixels(settings: FoolSettings, plan: Plan, spec: ImageSpec, threads: int) -> Pixels:
    del threads
    if settings.by in GROUPED:  # nothing is varied
        return Pixels(spec)
    preset = PIXEL_PRESETS[settings.preset or "paper"]
    return Pixels(spec, replace(preset, halving_period=preset.halving_period * _steps_a_generation(plan)))


def _steps_a_generation(plan: Plan) -> int:
    """By which what a preset counts in generations is multiplied."""
    return plan.population // plan.batch


def _tokens(settings: FoolSettings, plan: Plan, spec: ImageSpec, threads: int) -> Tokens:
    del settings, plan, threads
    return Tokens(cast("TokenSpec", spec))


_Maker = Callable[[FoolSettings, Plan, ImageSpec, int], Encoding[Any]]
_ENCODINGS: dict[str, _Maker] = {"cppn": _cppn, "pixels": _pixels, "tokens": _tokens}
