"""From the names in the settings to the objects that do the work."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from trompe.core.check import check_at_least, check_level, check_name
from trompe.core.errors import BadInput
from trompe.core.specs import ImageSpec
from trompe.core.types import Encoding, Step
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.search import Archive, Contest, Plan, Tally, evolve, scatter
from trompe.settings import FoolSettings

LEVELS = (0.5, 0.9, 0.99, 0.9999)
"""Confidence levels for which every run keeps the first image."""

Search = Callable[[Contest[Any], Archive[Any], Plan, Tally], Iterator[Step[Any]]]

SEARCHES: dict[str, Search] = {"evolve": evolve, "scatter": scatter}

S = TypeVar("S")

_BATCH = 50
_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0}


def make_encoding(settings: FoolSettings, plan: Plan, spec: ImageSpec) -> Encoding[Any]:
    """The encoding that the settings name, for inputs of the given kind."""
    return _ENCODINGS[settings.encoding](settings, plan, spec)


def make_plan(settings: FoolSettings) -> Plan:
    """How long the settings let the search go on.

    Raises:
        BadInput: A number is out of range, or the batch does not divide the population.
    """
    check_at_least(settings.seed, 0, "--seed")
    check_at_least(settings.generations, 0, "--generations")
    check_at_least(settings.population, 1, "--population")
    check_at_least(settings.threads, 1, "--threads")
    if settings.budget is not None:
        check_at_least(settings.budget, 1, "--budget")
    if settings.confidence is not None:
        check_level(settings.confidence, "--confidence")
    batch = _default_batch(settings) if settings.batch is None else settings.batch
    check_at_least(batch, 1, "--batch")
    if settings.population % batch:
        raise BadInput(
            expected=f"a divisor of the population {settings.population}",
            got=str(batch),
            where="--batch",
            do="Choose a batch that fits into the population without a rest.",
        )
    size = settings.population
    return Plan(settings.seed, settings.generations, size, batch, size, settings.budget)


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


def _default_batch(settings: FoolSettings) -> int:
    whole = settings.preset == "released-code" or settings.population % _BATCH
    return settings.population if whole else _BATCH


def _cppn(settings: FoolSettings, plan: Plan, spec: ImageSpec) -> Cppn:
    del plan
    return Cppn(spec, _preset(settings, CPPN_PRESETS))


def _preset(settings: FoolSettings, presets: Mapping[str, S]) -> S:
    check_name(settings.preset, presets, f"--preset (of --encoding {settings.encoding})")
    return presets[settings.preset]


def _pixels(settings: FoolSettings, plan: Plan, spec: ImageSpec) -> Pixels:
    preset = _preset(settings, PIXEL_PRESETS)
    steps_a_generation = plan.population // plan.batch
    return Pixels(spec, replace(preset, halving_period=preset.halving_period * steps_a_generation))


_ENCODINGS: dict[str, Callable[[FoolSettings, Plan, ImageSpec], Encoding[Any]]] = {"cppn": _cppn, "pixels": _pixels}
