"""The positive control of an audit: the same methods and budgets against a target that they must get through."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from trompe.core.numerics import level_odds
from trompe.measure.surviving import itself, surviving
from trompe.search import Archive, Contest, EveryClass, Judge, JudgeSettings, Tally
from trompe.targets.control import linear_control
from trompe.targets.ready import declared_of
from trompe.verbs.fool import Attempt
from trompe.verbs.methods import LEVELS, make_search


@dataclass(frozen=True)
class Control:
    """What one method reached against the control, in the classes that count.

    Attributes:
        method: Its name.
        reached: Classes with an image at the level.
        attempted: Of how many; where none of the audit's classes counts, of all.
        evaluations: Candidates judged.
        level: The confidence asked for.
    """

    method: str
    reached: int
    attempted: int
    evaluations: int
    level: float


def control(attempts: Sequence[Attempt], spent: Sequence[int], level: float) -> list[dict[str, Any]]:
    """Run every method once against a random linear classifier of the same shape, classes and link.

    Args:
        attempts: Of the audit, one a method.
        spent: Evaluations that each may use at most.
        level: The confidence to be reached; a method stops once every class is there.
    """
    first = attempts[0]
    plain, names = itself(first.target), first.niches.names
    target = surviving(linear_control(plain, names if len(names) > 1 else plain.labels), first.settings.survive)
    niches = EveryClass.of(target, first.niches.names)
    return [asdict(_one(attempt, target, niches, limit, level)) for attempt, limit in zip(attempts, spent, strict=True)]


def _one(attempt: Attempt, target: Any, niches: EveryClass, limit: int, level: float) -> Control:
    judge = Judge(target, JudgeSettings(max(min(attempt.judge.batch, 256), 16)))
    contest = Contest(attempt.encoding, judge, niches, LEVELS)
    archive: Archive[Any] = Archive(len(niches.names), LEVELS)
    plan = replace(attempt.plan, budget=max(limit, 1))
    evaluations, goal = 0, level_odds(level)
    for step in make_search(attempt.settings)(contest, archive, plan, Tally()):
        evaluations = step.evaluations
        if bool((archive.elites.value >= goal).all()):
            break
    declared = declared_of(itself(attempt.target))
    spared = {*declared.harmless, declared.abstain}
    count = [i for i, name in enumerate(niches.names) if name not in spared] or list(range(len(niches.names)))
    reached = int((archive.elites.value[count] >= goal).sum())
    return Control(attempt.method, reached, len(count), evaluations, level)
