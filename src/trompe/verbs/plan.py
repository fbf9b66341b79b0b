"""What an audit would do: classes, methods, repeats, evaluations, and how long that takes at most."""

import time

import torch

from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.search import Judge
from trompe.targets.pacing import RATE
from trompe.verbs.fool import Attempt
from trompe.verbs.judges import judge_of
from trompe.verbs.thrift import line_of

_CALLS = 2


def audit_plan(attempts: tuple[Attempt, ...], *, seconds: float | None) -> list[str]:
    """The plan, in lines for people. The target is asked twice to see how fast it answers; a remote one is not.

    Args:
        attempts: Of the audit.
        seconds: That it may take; None where that is not bounded.
    """
    first = attempts[0]
    methods = list(dict.fromkeys(attempt.method for attempt in attempts))
    most = [attempt.most for attempt in attempts]
    line = line_of(first.target)
    repeats = len(attempts) // len(methods)
    head = f"plan       {len(first.niches.names)} classes x {len(methods)} methods ({', '.join(methods)}) x {repeats}"
    lines = [f"{head} {'run' if repeats == 1 else 'runs'}", f"           at most {sum(most):,} evaluations"]
    if line is not None:
        rate = line.request.rate or (None if line.address.loopback else RATE)
        hours = "" if rate is None else f", {sum(most) / rate / 3600:.1f} hours at {rate:g} requests a second"
        lines.append(f"           at most {sum(most):,} rows to {line.address.url}{hours}")
    else:
        minutes = sum(most) * _seconds_each(judge_of(first.target, first.judge, climbs=False)) / 60.0
        lines.append(f"           at most {minutes:.1f} minutes of this network's own time")
    if seconds is not None:
        lines.append(f"           it ends after about {seconds / 60.0:.1f} minutes in any case")
    return lines


def _seconds_each(judge: Judge) -> float:
    size = judge.settings.batch
    images = quantise(Stream(0, "plan", 0).uniform32(size, *judge.target.spec.shape))
    with torch.inference_mode():
        judge.judge(images)
        before = time.perf_counter()
        for _ in range(_CALLS):
            judge.judge(images)
    return (time.perf_counter() - before) / (_CALLS * size)
