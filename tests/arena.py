"""Small places to search in: targets that answer in microseconds, and a search that can be stopped anywhere."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

import trompe
from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Outputs, Step
from trompe.encodings import Pixels
from trompe.run import open_run
from trompe.run.blobs import pack_arrays, unpack_arrays
from trompe.search import BEGINNING, Archive, Contest, EveryClass, Judge, JudgeSettings, Plan, Tally
from trompe.settings import FoolSettings
from trompe.targets import TorchTarget, load_target
from trompe.verbs.fool import Attempt, Session

torch.set_num_threads(1)

LEVELS = (0.5, 0.9, 0.99, 0.9999)
SURE = level_odds(0.9999)


def noise(*shape: int, seed: int = 0) -> Tensor:
    """Uniform in [0, 1), float64, the same every time."""
    return Stream(seed, "test/noise", 0).uniform(*shape)


class Curved(nn.Module):
    """A network with one bent layer, computed in float64, so that finite differences of it mean something."""

    def __init__(self, inputs: int, classes: int, seed: int = 0) -> None:
        super().__init__()
        first = 2.0 * Stream(seed, "arena/first", 0).uniform(16, inputs) - 1.0
        second = 2.0 * Stream(seed, "arena/second", 0).uniform(classes, 16) - 1.0
        self.register_buffer("first", 8.0 * first / inputs**0.5)
        self.register_buffer("second", 6.0 * second)

    def forward(self, images: Tensor) -> Tensor:
        hidden = ((images.double().flatten(1) - 0.5) @ self.first.T).tanh()
        return hidden @ self.second.T


def curved(channels: int = 1, height: int = 6, width: int = 6, classes: int = 4, seed: int = 0) -> TorchTarget:
    """A target of any input size."""
    spec = ImageSpec(channels, height, width)
    labels = tuple(f"class {i}" for i in range(classes))
    return TorchTarget("curved", Curved(channels * height * width, classes, seed).eval(), spec, labels)


class Wrapped:
    """A target whose answers are changed, and which remembers what it is sent."""

    link = "softmax"

    def __init__(self, inner: TorchTarget, change: Callable[[Images, Outputs], Outputs] | None = None) -> None:
        self.name, self.spec, self.labels = "wrapped", inner.spec, inner.labels
        self._inner, self._change = inner, change
        self.sent, self.asked = 0, []

    def judge(self, inputs: Images) -> Outputs:
        self.sent += len(inputs)
        self.asked.append(inputs.detach().clone())
        outputs = self._inner.judge(inputs)
        return self._change(inputs, outputs) if self._change else outputs

    def fingerprint(self) -> str:
        return self._inner.fingerprint()


def contest_on(target: Any, batch: int, encoding: Any = None) -> Contest[Any]:
    """Pixels unless told otherwise, every class, the judge's batch as given."""
    return Contest(encoding or Pixels(target.spec), Judge(target, JudgeSettings(batch)), EveryClass.of(target), LEVELS)


def group_plan(target: Any, batch: int, generations: int = 30, goal: float = SURE, budget: int | None = None) -> Plan:
    """A plan in which groups of so many classes take turns."""
    return Plan(0, generations, batch, batch, batch, budget, goal, -(-len(target.labels) // batch))


def restored(step: Step[Any]) -> Tally:
    """The tally that a run folder gives back after this step."""
    state = unpack_arrays(pack_arrays(step.state))
    return Tally(step.number, step.evaluations, step.forwards, step.backwards, state)


def said(step: Step[Any]) -> tuple[Any, ...]:
    """Everything a step says, comparable by ==, floats bit for bit."""
    wins = step.wins
    return (
        step.number, step.evaluations, step.forwards, step.backwards, dict(step.statistics),
        pack_arrays(step.state), wins.niche.tolist(), wins.row.tolist(), wins.value.tolist(),
        wins.winners.ids.tolist(), wins.winners.parents.tolist(), wins.winners.inputs.tolist(),
        pack_arrays(wins.winners.genomes.to_arrays()), wins.first_niche.tolist(), wins.first_level.tolist(),
        wins.first_value.tolist(), wins.firsts.ids.tolist(), wins.firsts.inputs.tolist(),
    )  # fmt: skip


def held(archive: Archive[Any]) -> tuple[Any, ...]:
    """Everything an archive holds, comparable by ==."""
    elites = archive.elites
    genes = None if elites.genomes is None else pack_arrays(elites.genomes.to_arrays())
    return elites.value.tolist(), elites.ids.tolist(), genes, elites.crossed.tolist()


Searched = Callable[[Contest[Any], Archive[Any], Plan, Tally], Iterator[Step[Any]]]


def finish(search: Searched, contest: Contest[Any], plan: Plan) -> tuple[Archive[Any], list[Step[Any]]]:
    """A search from beginning to end."""
    archive: Archive[Any] = Archive(len(contest.niches.names), contest.levels)
    return archive, list(search(contest, archive, plan, BEGINNING))


def assert_resumes_anywhere(search: Searched, contest: Contest[Any], plan: Plan) -> int:
    """A search stopped after any step and taken up from what is stored ends in the same bits; returns how many."""
    whole, steps = finish(search, contest, plan)
    wanted = [said(step) for step in steps]
    for cut in range(1, len(steps) + 1):
        archive: Archive[Any] = Archive(len(contest.niches.names), contest.levels)
        begun = search(contest, archive, plan, BEGINNING)
        before = [next(begun) for _ in range(cut)]
        begun.close()
        after = list(search(contest, archive, plan, restored(before[-1])))
        assert [said(step) for step in before + after] == wanted, f"stopped after step {cut - 1}"
        assert held(archive) == held(whole)
    return len(steps)


def assert_run_resumes(words: dict[str, Any], cuts: tuple[int, ...], folder: Path) -> None:
    """A run on the bundled LeNet that was cut off after so many steps and taken up again equals the whole one."""
    trompe.fool("lenet-mnist", **words, out=folder / "whole")
    wanted = open_run(folder / "whole")
    for cut in cuts:
        settings = FoolSettings("lenet-mnist", **words, out=folder / str(cut))
        with Session(Attempt.prepare(settings, load_target("lenet-mnist"))) as session:
            for _, _step in zip(range(cut), session, strict=False):
                pass
        again = trompe.fool("lenet-mnist", **words, out=folder / str(cut), resume=True)
        assert again.searches[0].steps == wanted.searches[0].steps > cut
        assert again.digest() == wanted.digest()
