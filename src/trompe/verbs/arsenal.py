"""A portfolio against one target: its searches made ready, and in words those that cannot be had."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from trompe.core.errors import BadInput, TargetError
from trompe.portfolio import Attack, Portfolio
from trompe.search import JudgeSettings, Material
from trompe.settings import FoolSettings, Preset, TrialSettings
from trompe.targets.ready import Ready
from trompe.verbs.fool import Attempt
from trompe.verbs.judges import judge_settings
from trompe.verbs.readable import readable_labels

_TOGETHER = 50
"""Classes that are attempted in one batch, at most."""


@dataclass(frozen=True)
class Arsenal:
    """The searches of a portfolio against one target.

    Attributes:
        attempts: One a method and seed, in the portfolio's order, the seeds of each method together.
        seeds: Of each attempt.
        left_out: By method, why it cannot be had here.
    """

    attempts: tuple[Attempt, ...]
    seeds: tuple[int, ...]
    left_out: Mapping[str, str]


def arm(  # noqa: PLR0913  one for each thing that decides a search
    settings: TrialSettings, portfolio: Portfolio, ready: Ready, seeds: range, material: Material, out: Any
) -> Arsenal:
    """Every search of a portfolio against a target.

    Args:
        settings: Of the command: classes, threads, budget.
        portfolio: What to try.
        ready: The target, after preflight.
        seeds: Of every search.
        material: Images that starts are made of.
        out: The run folder.

    Raises:
        BadInput: A setting is unusable, or no attack is left.
        TargetError: The target is.
    """
    labels = settings.classes or readable_labels(ready.target)  # nobody makes an image for the class for none of these
    plain = FoolSettings(settings.target, by="squares", classes=labels, threads=settings.threads, out=out)
    checked = Attempt.prepare(plain, ready)  # what is wrong with all of them is no reason to leave one out
    classes = len(checked.niches.names)
    judge = judge_settings(plain, checked.target, min(_TOGETHER, classes))
    attempts: list[Attempt] = []
    numbers: list[int] = []
    left_out: dict[str, str] = {}
    for attack in portfolio.attacks:
        for start, method in zip(attack.starts or (None,), attack.methods(), strict=True):
            wanted = replace(_fool(plain, attack, start, settings), confidence=portfolio.confidence)
            try:
                made = [_prepare(replace(wanted, seed=seed), ready, judge, material, method) for seed in seeds]
            except (BadInput, TargetError) as failure:
                left_out[method] = f"expected {failure.expected}, got {failure.got}"
                continue
            attempts += made
            numbers += seeds
    if not attempts:
        raise BadInput(
            expected="a portfolio with an attack that this target can be tried with",
            got="; ".join(left_out.values()),
            where="--portfolio",
            do="Choose another portfolio.",
        )
    resumed = replace(attempts[0], settings=replace(attempts[0].settings, resume=settings.resume))
    return Arsenal((resumed, *attempts[1:]), tuple(numbers), left_out)


def _prepare(settings: FoolSettings, ready: Ready, judge: JudgeSettings, material: Material, method: str) -> Attempt:
    return replace(Attempt.prepare(settings, ready, judge, material), called=method)


def _fool(plain: FoolSettings, attack: Attack, start: str | None, settings: TrialSettings) -> FoolSettings:
    """The settings of one search of an attack, at the budget that is asked for."""
    more: dict[str, Any] = {"start": start} if start else {}
    more["generations"] = attack.generations * settings.budget_scale
    return replace(plain, by=attack.by, encoding=attack.encoding, preset=cast("Preset", attack.preset), **more)
