"""What a cluster gains, what travels, and how much one archive can take.

Scaling: the same search on a local Ray cluster with one worker and with two, interleaved; evaluations a second of wall
time after the first steps, which wait for workers to warm up, and processor time of the searching process.

Travel: bytes of the messages to workers and of their answers, an evaluation. What Ray itself adds is not in it.

Saturation: the searching process alone. Workers sit in it, and the processor time that they take is left out: what
remains is making offspring, packing, comparing and recording, which no cluster takes over.

Asked for: 2 workers at least 1.7 times as fast as 1 on 2 idle cores.
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median
from typing import Any

from common import keep, say
from torch import nn

import trompe.search.on_ray
from trompe.core.errors import Notice
from trompe.core.specs import ImageSpec
from trompe.core.types import Target
from trompe.search.cluster import Event
from trompe.search.worker import Worker
from trompe.settings import FoolSettings
from trompe.targets import TorchTarget, load_target
from trompe.verbs.fool import Session, fool_session

SCALED = "efficientnet-lite0"
CASES = {
    "lenet-mnist, pixels": ("lenet-mnist", "pixels"),
    "lenet-mnist, cppn": ("lenet-mnist", "cppn"),
    "1,000 classes, 224 x 224 in colour, cppn": ("pooled", "cppn"),
}


class Inline:
    """A worker in this very process, in place of Ray's."""

    cpu = 0.0

    def __init__(self, worker: Worker, workers: int | None, address: str | None) -> None:
        del workers, address
        self._worker, self._events, self.size = worker, [Event(1)], 1

    def send(self, worker: int, message: bytes) -> None:
        """Answer at once; the processor time is added up."""
        before = time.process_time()
        self._events.append(Event(worker, self._worker.answer(message)))
        Inline.cpu += time.process_time() - before

    def receive(self, seconds: float | None = None) -> Event | None:
        """The answer."""
        del seconds
        return self._events.pop(0) if self._events else None

    def close(self) -> None:
        """Nothing to let go."""


def pooled() -> TorchTarget:
    """A network that costs next to nothing, with the inputs and outputs of one for ImageNet."""
    net = nn.Sequential(nn.AvgPool2d(28), nn.Flatten(), nn.Linear(192, 1000)).eval().requires_grad_(requires_grad=False)
    net[2].weight.mul_(8.0)
    return TorchTarget("pooled", net, ImageSpec(3, 224, 224), tuple(map(str, range(1000))))


def open_case(name: str) -> Target:
    """The target of a case."""
    return pooled() if name == "pooled" else load_target(name)


def settings_for(name: str, batch: int, steps: int, out: Path, **more: Any) -> FoolSettings:
    """A search of so many steps after the random beginning."""
    size = {"population": batch, "batch": batch, "generations": steps}
    return FoolSettings(name, engine="ray", confidence=None, readers="none", out=out, **size, **more)


def timed(session: Session, warm: int) -> dict[str, float]:
    """Run all steps; numbers of those after the first few."""
    begun: tuple[float, ...] = ()
    with session:
        cluster = session._cluster
        for step in session:
            now = (time.perf_counter(), time.process_time(), step.evaluations, cluster.sent, cluster.received)
            begun = begun or (now if step.number >= warm else ())
            if step.number == session.attempt.plan.last:  # before the reference is asked
                break
    wall, cpu, evaluations, sent, received = (b - a for a, b in zip(begun, now, strict=True))
    return {
        "evaluations": evaluations, "rate": evaluations / wall, "searching_cpu": cpu / evaluations,
        "sent": sent / evaluations, "received": received / evaluations,
    }  # fmt: skip


def scaling(rounds: int, batch: int, steps: int, scratch: Path) -> dict[str, Any]:
    """One worker and two, in turn. Ten classes: at first every candidate takes over dozens of a thousand."""
    found: dict[str, Any] = {"target": SCALED, "classes": 10, "batch": batch, "load": [], "1": [], "2": []}
    target = load_target(SCALED)
    for number in range(rounds):
        for workers in (1, 2):
            found["load"].append(os.getloadavg()[0])
            more = {"workers": workers, "encoding": "cppn", "classes": target.labels[:10]}
            settings = settings_for(SCALED, batch, steps, scratch / f"{number}-{workers}", **more)
            found[str(workers)].append(timed(fool_session(settings, target), 1))
            say(f"{workers} workers  {found[str(workers)][-1]['rate']:8.1f} a second  load {found['load'][-1]:.1f}")
    found["gain"] = [two["rate"] / one["rate"] for one, two in zip(found["1"], found["2"], strict=True)]
    say(f"2 workers over 1: {median(found['gain']):.2f} ({min(found['gain']):.2f} to {max(found['gain']):.2f})")
    return found


def saturation(batch: int, steps: int, scratch: Path) -> dict[str, Any]:
    """What the searching process can take, and what travels: from the random beginning on, and in the second half."""
    real, trompe.search.on_ray.RayCrew = trompe.search.on_ray.RayCrew, Inline
    found = {}
    try:
        for case, (name, encoding) in CASES.items():
            target, own = open_case(name), {}
            settings = settings_for(name, batch, steps, scratch / f"{name}-{encoding}", encoding=encoding)
            marks = marked(fool_session(settings, target))
            for part, first in (("all", 0), ("second half", len(marks) // 2)):
                own[part] = between(marks[first], marks[-1])
                each = own[part]
                say(f"{case:<42} {part:<12} {each['most']:9,.0f} a second at most  {each['sent']:7,.0f} bytes out")
                say(f"{'':<55} {each['received']:9,.0f} bytes back  {each['takeovers']:.3f} takeovers")
            found[case] = own
    finally:
        trompe.search.on_ray.RayCrew = real
    return {"batch": batch, "steps": steps, "cases": found}


def marked(session: Session) -> list[tuple[float, ...]]:
    """Before and after every step: processor time without the worker's, evaluations, takeovers, bytes out and back."""
    takeovers = 0.0

    def mark(evaluations: int) -> tuple[float, ...]:
        return (time.process_time() - Inline.cpu, evaluations, takeovers, cluster.sent, cluster.received)

    with session:
        cluster = session._cluster
        marks = [mark(0)]
        for step in session:
            takeovers += step.statistics["takeovers"]
            marks += [mark(step.evaluations)]
            if step.number == session.attempt.plan.last:  # before the reference is asked
                break
    return marks


def between(first: tuple[float, ...], last: tuple[float, ...]) -> dict[str, float]:
    """The rate at which the searching process alone would have gone, and what travelled an evaluation."""
    cpu, evaluations, *counts = (b - a for a, b in zip(first, last, strict=True))
    names = ("takeovers", "sent", "received")
    return {"most": evaluations / cpu} | {name: count / evaluations for name, count in zip(names, counts, strict=True)}


def main() -> None:
    """Measure, print, and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--only", choices=("scaling", "saturation"))
    options = parser.parse_args()
    warnings.simplefilter("ignore", Notice)
    found: dict[str, Any] = {}
    with tempfile.TemporaryDirectory() as scratch:
        if options.only != "saturation":
            found["scaling"] = scaling(options.rounds, options.batch, options.steps, Path(scratch))
            keep("ray-scaling", found["scaling"])
        if options.only != "scaling":
            keep("ray-saturation", saturation(200, 40, Path(scratch)))


if __name__ == "__main__":
    main()
