"""What a GPU makes of a search: beside its forward passes, in the paper's budget, and whether it paints the same.

Needs a GPU; says "not measured (no GPU)" where there is none, and keeps nothing. `--device cpu` is a trial of this
script itself, in small numbers that are not kept either.

- Images a second of four networks, alone (batches that are already there) and while `fool --device cuda` searches with
  painted networks, the record included, the reference's questions on the CPU counted apart; how often a step waits for
  the device, as torch itself reports it. AlexNet and ResNet-50 have random weights, which change no time.
- The paper's budget: 2 million evaluations of a network of AlexNet's shape with ten crops. With fewer `--evaluations`
  the minutes are extrapolated, and said to be.
- Pixels painted on the device beside the reference on the CPU.
"""

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from common import keep, say
from engines import Clock, load
from networks import target as shaped

from trompe.core.numerics import quantise, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings.cppn import PRESETS, Cppn
from trompe.search import JudgeSettings, search_judge
from trompe.settings import FoolSettings
from trompe.targets import TorchTarget
from trompe.verbs.fool import Attempt, Session

BUDGET = 2_000_000
NETWORKS = ("lenet", "alexnet", "resnet-50", "efficientnet-lite0")
ASKED = (*(f"images a second, {name}" for name in NETWORKS), "the paper's 2 million evaluations", "painting")


def settle(device: str) -> None:
    """Wait for all that was asked of the device."""
    if device == "cuda":
        torch.cuda.synchronize()


def judge_on(device: str, batch: int) -> JudgeSettings:
    """A judge there in float32, TF32 off."""
    return JudgeSettings(batch, engine=f"torch:{device}", reference="torch")


def bare(target: TorchTarget, device: str, batch: int, seconds: float) -> float:
    """Images a second of the network alone, on a batch that is already there."""
    judge = search_judge(target, judge_on(device, batch))
    images = quantise(Stream(0, "bench", 0, device).uniform32(batch, *target.spec.shape))
    with torch.inference_mode():
        judge.target.judge(images)
        settle(device)
        calls, begun = 0, time.perf_counter()
        while calls < 2 or time.perf_counter() - begun < seconds:
            judge.target.judge(images)
            settle(device)
            calls += 1
    return calls * batch / (time.perf_counter() - begun)


def searched(target: TorchTarget, device: str, batch: int, evaluations: int) -> dict[str, float]:
    """A search with painted networks from its first step to its last, recorded; and how often a step waited."""
    steps = max(2, evaluations // batch)
    words = FoolSettings(
        target.name, encoding="cppn", renderer="dense", generations=steps - 1, population=batch, batch=batch,
        confidence=None, readers="none", out=Path("run"),
    )  # fmt: skip
    asking, whole, done = Clock(), Clock(), 0
    with tempfile.TemporaryDirectory() as scratch, warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        attempt = Attempt.prepare(replace(words, out=Path(scratch) / "run"), target, judge_on(device, batch))
        with Session(attempt) as session:
            tell = session._recorder.tell

            def timed(search: int, *, checkpoint: bool) -> None:
                with asking:
                    tell(search, checkpoint=checkpoint)

            session._recorder.tell = timed
            watch_waits(device, on=True)
            with whole:
                for step in session:
                    done = step.evaluations
            watch_waits(device, on=False)
        waits = sum("synchroniz" in str(one.message) for one in caught)
    return {"evaluations": done, "seconds": whole.wall, "reference_seconds": asking.wall, "waits_a_step": waits / steps}


def watch_waits(device: str, *, on: bool) -> None:
    """Let torch warn of every wait for the GPU."""
    if device == "cuda":
        torch.cuda.set_sync_debug_mode("warn" if on else "default")


def rate(row: dict[str, float]) -> float:
    """Evaluations a second without the reference's questions."""
    return row["evaluations"] / (row["seconds"] - row["reference_seconds"])


def network(name: str, options: argparse.Namespace) -> dict[str, float]:
    """One network, alone and searched."""
    target = load(name) if name == "efficientnet-lite0" else shaped(name)
    alone = bare(target, options.device, options.batch, options.seconds)
    row = searched(target, options.device, options.batch, options.steps * options.batch)
    share = rate(row) / alone
    waits = f"{row['waits_a_step']:.2f} waits" if options.device == "cuda" else "waits not measured (no GPU)"
    say(f"{name:<20} {alone:12,.0f} images a second alone, {rate(row):12,.0f} searching ({share:.0%}), {waits} a step")
    return {"alone": alone, "searching": rate(row), "share": share, **row}


def paper(options: argparse.Namespace) -> dict[str, Any]:
    """The paper's budget, measured or extrapolated."""
    row = searched(shaped("alexnet-ten-crops"), options.device, options.batch, options.evaluations)
    minutes = (BUDGET / rate(row) + row["reference_seconds"] * BUDGET / row["evaluations"]) / 60.0
    extrapolated = row["evaluations"] < BUDGET
    said = f"extrapolated from {row['evaluations']:,}" if extrapolated else "measured"
    say(f"2 million evaluations, ten crops: {minutes:.1f} minutes ({said})")
    return {**row, "minutes": minutes, "extrapolated": extrapolated}


def painting(options: argparse.Namespace) -> dict[str, Any]:
    """Shares of pixels within a level of the reference, and the largest difference, by preset."""
    found = {}
    for preset, settings in PRESETS.items():
        reference = Cppn(ImageSpec(3, 224, 224), settings)
        genomes = reference.random(options.pictures, Stream(0, "bench/random", 0))
        for step in range(25):
            genomes = reference.vary(genomes, Stream(0, "bench/vary", step))
        dense = replace(reference, renderer="dense").express(genomes.to(options.device)).cpu()
        gap = (to_levels(dense).int() - to_levels(reference.express(genomes)).int()).abs()
        row = found[preset] = {"within_a_level": (gap <= 1).double().mean().item(), "largest": int(gap.max())}
        say(f"painting, {preset:<14} within a level {row['within_a_level']:.4%}, largest difference {row['largest']}")
    return found


def main() -> None:
    """Measure, print rows, and keep them where they are a GPU's."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--networks", nargs="*", default=list(NETWORKS))
    parser.add_argument("--batch", type=int, default=200)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--evaluations", type=int, default=BUDGET)
    parser.add_argument("--pictures", type=int, default=50)
    options = parser.parse_args()
    if options.device == "cuda" and not torch.cuda.is_available():
        for asked in ASKED:
            say(f"{asked}: not measured (no GPU)")
        return
    found: dict[str, Any] = {"networks": {name: network(name, options) for name in options.networks}}
    found |= {"painting": painting(options)}
    found |= {"paper": paper(options)} if options.evaluations else {}
    if options.device == "cpu":
        say("a trial on the CPU: nothing is kept")
        return
    keep("gpu", {"gpu": torch.cuda.get_device_name(), "batch": options.batch, **found})


if __name__ == "__main__":
    main()
