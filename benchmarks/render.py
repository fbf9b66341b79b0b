"""What painting costs, and how far the compiled renderer is from the reference.

Processor time an image in batches of 50, torch and numba interleaved, medians of rounds; then the same pixels compared.
Beside it, interleaved too, EfficientNet-Lite0 in its fastest engine with one thread.

Asked for: at most 8 microseconds at 28 x 28 with 10 hidden nodes; at 224 x 224 in colour 5 % of what EfficientNet-Lite0
takes in OpenVINO bfloat16; at least 99.9 % of pixels within one level of 255.
"""

import argparse
import time
from dataclasses import replace
from statistics import median
from typing import Any

import torch
from common import fastest, keep, say

from trompe.core.numerics import to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings.cppn import PRESETS, Cppn, CppnGenomes, CppnSettings
from trompe.encodings.cppn.render import without_idle
from trompe.search import Judge, named_settings
from trompe.targets import load_target
from trompe.targets.engines import engine_target

ROWS = 50
TEN_HIDDEN = CppnSettings(hidden=(5, 5), initial_weight=10.0)


def population(encoding: Cppn, rounds: int) -> CppnGenomes:
    """Random networks after so many rounds of mutation."""
    genomes = encoding.random(ROWS, Stream(0, "bench/random", 0))
    for step in range(rounds):
        genomes = encoding.vary(genomes, Stream(0, "bench/vary", step))
    return genomes


def cost(encoding: Cppn, genomes: CppnGenomes) -> float:
    """Microseconds of processor time an image."""
    begun, calls = time.process_time(), 0
    while calls < 2 or time.process_time() - begun < 0.05:
        encoding.express(genomes)
        calls += 1
    return (time.process_time() - begun) / calls / ROWS * 1e6


def compare(reference: Cppn, rounds: int, times: int) -> dict[str, float]:
    """Costs of both renderers on the same networks, and how their pixels differ."""
    fast, genomes = replace(reference, renderer="numba"), population(reference, rounds)
    fast.express(genomes)
    pairs = [(cost(reference, genomes), cost(fast, genomes)) for _ in range(times)]
    gap = (to_levels(fast.express(genomes)).int() - to_levels(reference.express(genomes)).int()).abs()
    nodes, links = without_idle(genomes, reference.spec.channels).sizes()
    return {
        "nodes": nodes.double().mean().item(),
        "connections": links.double().mean().item(),
        "torch_us": median(slow for slow, _ in pairs),
        "numba_us": median(quick for _, quick in pairs),
        "within_a_level": (gap <= 1).double().mean().item(),
        "equal": (gap == 0).double().mean().item(),
        "largest": int(gap.max()),
    }


def beside_network(encoding: Cppn, genomes: CppnGenomes, times: int) -> dict[str, Any]:
    """Microseconds of processor time to paint a picture and to judge one, in turns; medians, and that of the ratios."""
    target = load_target("efficientnet-lite0")
    name = fastest(target)
    asked = named_settings(target, name, ROWS, 1)
    judge, images = Judge(engine_target(target, asked), asked), encoding.express(genomes)
    judge.judge(images)
    painting, judging = [], []
    for _ in range(times):
        painting.append(cost(encoding, genomes))
        begun = time.process_time()
        judge.judge(images)
        judging.append((time.process_time() - begun) / ROWS * 1e6)
    share = median(paint / forward for paint, forward in zip(painting, judging, strict=True))
    return {"engine": name, "paint_us": median(painting), "network_us": median(judging), "share": share}


def main() -> None:
    """Measure, print a table, and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    options, found = parser.parse_args(), {}
    cases = [(f"28x28 grey, 10 hidden{'':<8}", Cppn(ImageSpec(1, 28, 28), TEN_HIDDEN), 0)]
    for preset in PRESETS:
        for rounds in (0, 25, 60):
            for spec in (ImageSpec(1, 28, 28), ImageSpec(3, 224, 224)):
                name = f"{spec.height}x{spec.width} {preset}, {rounds} rounds"
                cases.append((name, Cppn(spec, PRESETS[preset]), rounds))
    with torch.inference_mode():
        for name, encoding, rounds in cases:
            row = found[name.strip()] = compare(encoding, rounds, options.rounds)
            cost_words = f"torch {row['torch_us']:7.1f} us  numba {row['numba_us']:6.1f} us"
            gap_words = f"within a level {row['within_a_level']:.4%}, largest difference {row['largest']}"
            say(f"{name:<34} {row['nodes']:5.1f} nodes  {cost_words}  {gap_words}")
        coloured = Cppn(ImageSpec(3, 224, 224), PRESETS["paper"], "numba")
        networks = population(replace(coloured, renderer="torch"), 25)
        beside = beside_network(coloured, networks, 3 * options.rounds)
    say(f"{beside}")
    keep("render", {**found, "beside the network": beside})


if __name__ == "__main__":
    main()
