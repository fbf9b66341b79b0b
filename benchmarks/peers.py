"""Beside others: ours, pyribs, QDax, neat-python, foolbox, ART and a plain torch loop, on one target, interleaved.

Peers are installed into an environment of their own (``--environment``, by default build/peers), which sees this one's
torch and engines; the script runs itself there. Five seeds, medians and ranges. Success is checked in one way for all:
the image is put on the 8-bit grid and the reference must give its class 99.99 %.

QDax searches in JAX; it asks the same engine by a call back to the host, so that all loops pay for the same passes.
"""

import argparse
import os
import subprocess
import sys
import sysconfig
import time
import venv
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from common import fastest, keep, say

from trompe.core.numerics import bid_value, level_odds, log_odds, quantise
from trompe.core.seeds import Stream
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, Pixels
from trompe.encodings.pixels import PixelGenomes
from trompe.search import Archive, Contest, EveryClass, Judge, Plan, ascend, evolve, named_settings
from trompe.targets import load_target
from trompe.targets.engines import engine_target
from trompe.verbs.methods import LEVELS

PACKAGES = (
    "ribs==0.12.0",
    "qdax==0.5.0",
    "neat-python==2.0.0",
    "foolbox==3.3.4",
    "adversarial-robustness-toolbox==1.20.1",
    "packaging",
)
"""The last is one that ART needs and does not ask for."""
GOAL = level_odds(0.9999)
SIZE, BATCH = 784, 50


def inside(folder: Path) -> None:
    """Run this script in the environment of the peers, made where it is not there yet."""
    python = folder / "bin" / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
        (found,) = folder.glob("lib/python*/site-packages")
        (found / "zz-host.pth").write_text(sysconfig.get_paths()["purelib"] + "\n")  # last, so peers' own go first
        subprocess.run([python, "-m", "pip", "install", "--quiet", *PACKAGES], check=True)
    source = str(Path(__file__).parents[1] / "src")
    paths = os.pathsep.join([source, os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run([python, *sys.argv], env={**os.environ, "PYTHONPATH": paths, "TROMPE_PEERS": "1"})
    sys.exit(ran.returncode)


def verified(target: Any, images: torch.Tensor) -> int:
    """How many of ten images, one a digit, are what they claim to be: on the 8-bit grid, by the reference."""
    odds = log_odds(target.judge(quantise(images)).logits)
    return int((odds.diagonal() >= GOAL).sum())


def ours_evolving(judge: Judge, seed: int, evaluations: int) -> float:
    """Seconds of the paper's loop, without a record."""
    encoding = Pixels(judge.target.spec, PIXEL_PRESETS["paper"])
    contest: Contest[Any] = Contest(encoding, judge, EveryClass.of(judge.target), LEVELS)
    begun = time.perf_counter()
    plan = Plan(seed, generations=10_000, batch=BATCH, budget=evaluations)
    for _ in evolve(contest, Archive(10, LEVELS), plan):
        pass
    return time.perf_counter() - begun


def ribs_evolving(judge: Judge, seed: int, evaluations: int) -> float:
    """Seconds of the same loop with pyribs as the archive: each candidate is added for every class."""
    from ribs.archives import GridArchive

    encoding, classes = Pixels(judge.target.spec, PIXEL_PRESETS["paper"]), np.tile(np.arange(10), BATCH)[:, None]
    archive = GridArchive(solution_dim=SIZE, dims=[10], ranges=[(-0.5, 9.5)], seed=seed, dtype=np.float32)
    begun, genomes = time.perf_counter(), encoding.random(BATCH, Stream(seed, "peers", 0))
    for step in range(evaluations // BATCH):
        value = bid_value(judge.judge(encoding.express(genomes)))
        archive.add(np.repeat(genomes.genes.numpy(), 10, axis=0), value.numpy().ravel(), classes)
        parents = torch.from_numpy(archive.sample_elites(BATCH)["solution"])
        genomes = encoding.vary(PixelGenomes(parents), Stream(seed, "peers/vary", step))
    return time.perf_counter() - begun


def ribs_tutorial(judge: Judge, seed: int, evaluations: int) -> float:
    """Seconds of pyribs' own example for this task: Gaussian noise on every pixel, one bid a candidate."""
    from ribs.archives import GridArchive
    from ribs.emitters import GaussianEmitter
    from ribs.schedulers import Scheduler

    archive = GridArchive(solution_dim=SIZE, dims=[10], ranges=[(0, 10)], seed=seed)
    emitter = GaussianEmitter(
        archive, sigma=0.5, x0=np.zeros(SIZE), batch_size=BATCH, bounds=[(0, 1)] * SIZE, seed=seed
    )
    scheduler, begun = Scheduler(archive, [emitter]), time.perf_counter()
    for _ in range(evaluations // BATCH):
        images = torch.from_numpy(scheduler.ask().astype(np.float32)).reshape(-1, 1, 28, 28)
        best, label = judge.judge(images).logits.softmax(1).max(1)
        scheduler.tell(best.numpy(), label.numpy()[:, None])
    return time.perf_counter() - begun


def qdax_tutorial(judge: Judge, seed: int, evaluations: int) -> float:
    """Seconds of QDax's own example for this task: iso and line variation of every pixel, one bid a candidate."""
    import jax
    from qdax.core.emitters.mutation_operators import isoline_variation
    from qdax.core.emitters.standard_emitters import MixingEmitter
    from qdax.core.map_elites import MAPElites

    shapes = (jax.ShapeDtypeStruct((BATCH,), np.float32), jax.ShapeDtypeStruct((BATCH, 1), np.float32))

    def asked(genes: Any) -> tuple[Any, Any]:
        images = torch.from_numpy(np.array(genes)).reshape(-1, 1, 28, 28)
        best, label = judge.judge(images).logits.softmax(1).max(1)
        return best.numpy().astype(np.float32), label.numpy().astype(np.float32)[:, None]

    def scoring(genes: Any, key: Any) -> tuple[Any, Any, dict[str, Any]]:
        del key
        return *jax.pure_callback(asked, shapes, genes), {}

    def varied(one: Any, other: Any, key: Any) -> Any:
        return isoline_variation(one, other, key, iso_sigma=0.005, line_sigma=0.05, minval=0.0, maxval=1.0)

    emitter = MixingEmitter(None, varied, variation_percentage=1.0, batch_size=BATCH)
    search = MAPElites(scoring, emitter, metrics_function=lambda _: {})
    key, first, rest = jax.random.split(jax.random.key(seed), 3)
    centroids = np.arange(10, dtype=np.float32)[:, None]
    state = search.init(jax.random.uniform(first, (BATCH, SIZE)), centroids, rest)[:2]
    update = jax.jit(search.update)
    update(*state, key)  # compiled before the clock starts
    begun = time.perf_counter()
    for _ in range(evaluations // BATCH):
        key, own = jax.random.split(key)
        state = update(*state, own)[:2]
    jax.block_until_ready(state[0].fitnesses)
    return time.perf_counter() - begun


def forwards(judge: Judge, seed: int, evaluations: int) -> float:
    """Seconds of the forward passes alone."""
    images = quantise(Stream(seed, "peers/bare", 0).uniform32(BATCH, *judge.target.spec.shape))
    begun = time.perf_counter()
    for _ in range(evaluations // BATCH):
        judge.judge(images)
    return time.perf_counter() - begun


Climb = Callable[[Any, torch.Tensor, int], torch.Tensor]


def ours_climbing(target: Any, noise: torch.Tensor, seed: int) -> torch.Tensor:
    """Sign and momentum on the 8-bit grid until every digit is at the goal."""
    del noise  # its own, of the same kind
    judge, encoding = Judge(target, named_settings(target, None, 10, 1)), Pixels(target.spec)
    archive: Archive[Any] = Archive(10, LEVELS)
    contest: Contest[Any] = Contest(encoding, judge, EveryClass.of(target), LEVELS)
    for _ in ascend(contest, archive, Plan(seed, 30, 10, 10, 10, goal=GOAL, groups=1)):
        pass
    return encoding.express(archive.elites.genomes)


def plain_climbing(target: Any, noise: torch.Tensor, seed: int) -> torch.Tensor:
    """Projected sign steps as everybody writes them, thirty of them."""
    del seed
    images, classes = noise.clone(), torch.arange(10)
    for _ in range(30):
        images.requires_grad_()
        loss = torch.nn.functional.cross_entropy(target.module(images), classes, reduction="sum")
        (slope,) = torch.autograd.grad(loss, images)
        images = (images.detach() - 0.1 * slope.sign()).clamp(0.0, 1.0)
    return images


def foolbox_climbing(target: Any, noise: torch.Tensor, seed: int) -> torch.Tensor:
    """LinfPGD from the same noise, thirty steps of 0.1 in the whole box."""
    import foolbox

    del seed
    model = foolbox.PyTorchModel(target.module, bounds=(0, 1), device="cpu")
    attack = foolbox.attacks.LinfPGD(abs_stepsize=0.1, steps=30, random_start=False)
    aim = foolbox.criteria.TargetedMisclassification(torch.arange(10))
    return attack(model, noise, aim, epsilons=1.0)[1].detach()


def art_climbing(target: Any, noise: torch.Tensor, seed: int) -> torch.Tensor:
    """Projected gradient descent from the same noise, thirty steps of 0.1 in the whole box."""
    from art.attacks.evasion import ProjectedGradientDescentPyTorch
    from art.estimators.classification import PyTorchClassifier

    del seed
    model = PyTorchClassifier(target.module, torch.nn.CrossEntropyLoss(), (1, 28, 28), 10, clip_values=(0, 1))
    attack = ProjectedGradientDescentPyTorch(model, eps=1.0, eps_step=0.1, max_iter=30, targeted=True, verbose=False)
    return torch.from_numpy(attack.generate(noise.numpy(), np.eye(10, dtype=np.float32)))


CLIMBERS: dict[str, Climb] = {
    "ours, until certain": ours_climbing, "plain torch, 30 steps": plain_climbing,
    "foolbox, 30 steps": foolbox_climbing, "ART, 30 steps": art_climbing,
}  # fmt: skip


def neat_painting(nodes: int) -> float:
    """Seconds a picture of 28 x 28 takes neat-python, of a network with so many hidden nodes."""
    from neat.nn import FeedForwardNetwork

    hidden = [
        (node, np.tanh, sum, 0.0, 1.0, [(-1, 1.0), (-2, 0.5), (-3, 0.2), (-4, 0.1)]) for node in range(1, nodes + 1)
    ]
    out = (0, np.tanh, sum, 0.0, 1.0, [(node, 1.0) for node in range(1, nodes + 1)])
    network = FeedForwardNetwork([-1, -2, -3, -4], [0], [*hidden, out])
    begun = time.perf_counter()
    for y in range(28):
        for x in range(28):
            network.activate((x / 14 - 1, y / 14 - 1, 0.5, 1.0))
    return time.perf_counter() - begun


def our_painting(target: Any, renderer: str, nodes: int) -> float:
    """The same of a population of 200 such networks, a picture."""
    from dataclasses import replace

    encoding = Cppn(target.spec, replace(CPPN_PRESETS["paper"], hidden=(nodes,)), renderer)  # type: ignore[arg-type]
    genomes = encoding.random(200, Stream(0, "peers/paint", 0))
    encoding.express(genomes)
    begun = time.perf_counter()
    encoding.express(genomes)
    return (time.perf_counter() - begun) / 200


def spread(numbers: list[float]) -> dict[str, float]:
    """Median and range."""
    return {"median": median(numbers), "least": min(numbers), "most": max(numbers)}


def measure(seeds: int, evaluations: int) -> dict[str, Any]:
    """All rows, each seed's contenders one after the other."""
    target = load_target("lenet-mnist")
    name = fastest(target)
    asked = named_settings(target, name, BATCH, 1)
    judge = Judge(engine_target(target, asked), asked)
    loops = {"forward passes alone": forwards, "ours": ours_evolving, "pyribs as the archive": ribs_evolving,
             "pyribs, its tutorial": ribs_tutorial, "QDax, its tutorial": qdax_tutorial}  # fmt: skip
    for each in loops.values():
        each(judge, 99, 500)
    times: dict[str, list[float]] = {label: [] for label in [*loops, *CLIMBERS, "neat-python", "torch", "numba"]}
    sure: dict[str, list[int]] = {label: [] for label in CLIMBERS}
    for seed in range(seeds):
        for label, each in loops.items():
            times[label].append(1e6 * each(judge, seed, evaluations) / evaluations)
        noise = quantise(Stream(seed, "peers/noise", 0).uniform32(10, 1, 28, 28))
        for label, climb in CLIMBERS.items():
            begun = time.perf_counter()
            images = climb(target, noise, seed)
            times[label].append(time.perf_counter() - begun)
            sure[label].append(verified(target, images))
        times["neat-python"].append(1e6 * neat_painting(10))
        for renderer in ("torch", "numba"):
            times[renderer].append(1e6 * our_painting(target, renderer, 10))
        say(f"seed {seed}: " + ", ".join(f"{label} {found[-1]:.4g}" for label, found in times.items()))
    alone = times["forward passes alone"]
    extra = {
        label: spread([a - b for a, b in zip(times[label], alone, strict=True)]) for label in loops if label in times
    }
    return {
        "engine": name, "evaluations": evaluations, "seeds": seeds,
        "loops_us": {label: spread(times[label]) for label in loops}, "overhead_us": extra,
        "climbing_s": {label: spread(times[label]) for label in CLIMBERS}, "verified_of_10": sure,
        "painting_us": {label: spread(times[label]) for label in ("neat-python", "torch", "numba")},
    }  # fmt: skip


def main() -> None:
    """Measure and keep."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--environment", type=Path, default=Path("build/peers"))
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--evaluations", type=int, default=6000)
    options = parser.parse_args()
    if "TROMPE_PEERS" not in os.environ:
        inside(options.environment)
    keep("peers", {"packages": PACKAGES, **measure(options.seeds, options.evaluations)})


if __name__ == "__main__":
    main()
