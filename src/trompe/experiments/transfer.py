"""Transfer on MNIST: does what convinces one network convince another, of the same architecture or not?"""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from trompe.core.numerics import level_odds, say_confidence, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Levels, Target
from trompe.encodings import CPPN_PRESETS, Cppn
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit
from trompe.experiments.reading import NO_READERS, read, seen
from trompe.experiments.runs import kept, odds, own_odds, pack, searched, short_of, trained, unpack
from trompe.experiments.wording import counted
from trompe.targets import load_target
from trompe.targets.trained import read_samples

LEVEL, CERTAIN = level_odds(0.99), level_odds(0.9999)
RANDOM = 200
_MODEL = "trained model"

CLAIMS = (
    Claim(
        "same", "Some images are named with at least 99.99 % by two networks that differ in initial weights only.",
        "existence", _MODEL, "images with 99.99 % or more from both", "section 3.5", CERTAIN, scale="log-odds",
    ),
    Claim(
        "other", "Some images are named with at least 99.99 % by networks of two architectures.",
        "existence", _MODEL, "images with 99.99 % or more from both", "section 3.5", CERTAIN, scale="log-odds",
    ),
    Claim(
        "tuned", "Other images are tuned to one network: sure there (99.99 %), less likely than not in the second.",
        "existence", _MODEL, "some images fool the one and not the other", "section 3.5", 0.0, scale="log-odds",
    ),
    Claim(
        "nonsense", "Some image that no reader can read is named with at least 99.99 % by both LeNets.",
        "existence", _MODEL, "unrecognisable images with 99.99 % or more from both", "section 3.5", CERTAIN,
        scale="log-odds",
    ),
    Claim(
        "base", "Another LeNet is 99 % sure of the same class more often than of any class in random images.",
        "direction", _MODEL, "", "asked here: a base rate", 0.0, scale="share",
    ),
    Claim(
        "nearer", "Images transfer more often to another LeNet than to a fully connected network.",
        "direction", _MODEL, "", "asked here: rates in the paper could not be sourced", 0.0, scale="share",
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One unit a LeNet that images are made for; two in a row share a network."""
    iterations, generations = effort.pick(60, 2000, 10_000), effort.pick(6, 200)
    return [Unit(f"model-{seed:02d}", partial(ask, seed=seed, iterations=iterations, generations=generations),
                 frozenset({f"transfer/lenet-{seed}", f"transfer/lenet-{seed + 1}"})) for seed in seeds]  # fmt: skip


def ask(folder: Path, seed: int, iterations: int, generations: int) -> dict[str, Any]:
    """Train a LeNet, the next one and another network; evolve for the first, and show to all."""
    own, same, other = (
        load_target(trained(folder.parent / "models" / f"{kind}-{i}", kind, i, iterations))
        for kind, i in (("lenet", seed), ("lenet", seed + 1), ("mlp", seed))
    )
    run = searched(folder, own, encoding="cppn", preset="released-code", generations=generations, seed=seed)
    shown, random = kept(run), random_images(seed)
    samples = read_samples(folder.parent / "models" / f"lenet-{seed}").images
    return {
        "iterations": iterations, "generations": generations, "images": pack(shown), "own": own_odds(own, shown),
        "same": own_odds(same, shown), "other": own_odds(other, shown),
        "random_same": rate(odds(same, random).amax(1).tolist()),
        "random_other": rate(odds(other, random).amax(1).tolist()),
        **read(own.labels, shown),
        "natural_same": agreement(own, same, samples), "natural_other": agreement(own, other, samples),
    }  # fmt: skip


def random_images(seed: int) -> Levels:
    """Images of random networks of the same encoding, for the base rate."""
    encoding = Cppn(ImageSpec(1, 28, 28), CPPN_PRESETS["released-code"])
    return to_levels(encoding.express(encoding.random(RANDOM, Stream(seed, "paper/transfer/random", 0))))


def agreement(first: Target, second: Target, samples: Levels) -> list[float]:
    """Of natural images that the first is 99.99 % sure of, the share in which the second is 99 % sure of the same.

    Returns:
        One number; none where the first is not that sure of any.
    """
    before, after = odds(first, samples), odds(second, samples)
    sure = (before.amax(1) >= CERTAIN).nonzero().flatten()
    return [rate(after[sure, before[sure].argmax(1)].tolist())] if len(sure) else []


def rate(values: list[float]) -> float:
    """Share of log-odds, at least one, at 99 % or more."""
    return sum(value >= LEVEL for value in values) / len(values)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Best of both for the existences; rates, one a model, for the directions."""
    del effort
    units, where = list(data.values()), f"on {counted(len(data), 'LeNet')} with a partner each, and MNIST"
    short = short_of(data, 200)
    both = {key: tuple(max(map(min, one["own"], one[key])) for one in units) for key in ("same", "other")}
    tuned = tuple(
        max(-min(pair) for first, *pair in zip(one["own"], one["same"], one["other"], strict=True) if first >= CERTAIN)
        for one in units
        if max(one["own"]) >= CERTAIN
    )
    base = tuple(rate(one["same"]) - one["random_same"] for one in units)
    nearer = tuple(rate(one["same"]) - rate(one["other"]) for one in units)
    values = {"same": both["same"], "other": both["other"], "tuned": tuned, "base": base, "nearer": nearer}
    asked = units[0]["readers"]
    read_by, missing = f"{where}, read by {', '.join(asked)}", "" if len(asked) > 1 else NO_READERS
    return {
        **{name: Measured(found, where, short) for name, found in values.items()},
        "nonsense": Measured(_unreadable(units), read_by if asked else where, short, missing),
    }


def _unreadable(units: Sequence[Mapping[str, Any]]) -> tuple[float, ...]:
    """Of each model with an image that no reader reads as its class, the best of these by both LeNets."""
    best = []
    for one in units:
        none = _by_readers(one)[1]
        best += [max(min(one["own"][c], one["same"][c]) for c in none)] if none else []
    return tuple(best)


def _by_readers(one: Mapping[str, Any]) -> tuple[list[int], list[int]]:
    """Classes whose image every reader reads, and those whose image none does; neither where nobody can say."""
    found = seen(one, range(len(one["own"])))
    if found is None:
        return [], []
    return found.every.nonzero().flatten().tolist(), (~found.some).nonzero().flatten().tolist()


def figures(data: Data) -> list[Figure]:
    """Rates by kind of image, and the images themselves with what each network says."""
    units = list(data.values())
    apart = [_by_readers(one) for one in units]
    rows = [
        *(
            Strip(
                f"{words}, another LeNet",
                tuple(
                    rate([one["same"][c] for c in by[which]]) for one, by in zip(units, apart, strict=True) if by[which]
                ),
            )
            for which, words in ((0, "read by all"), (1, "read by none"))
        ),
        Strip("evolved, another LeNet", tuple(rate(one["same"]) for one in units)),
        Strip("evolved, another network", tuple(rate(one["other"]) for one in units)),
        Strip("random, another LeNet", tuple(one["random_same"] for one in units)),
        Strip("random, another network", tuple(one["random_other"] for one in units)),
        Strip("natural, another LeNet", tuple(x for one in units for x in one["natural_same"])),
        Strip("natural, another network", tuple(x for one in units for x in one["natural_other"])),
    ]
    first = units[0]
    shown = list(unpack(first["images"], (1, 28, 28)))
    told = [f"{i}: {say_confidence(odds)}" for i, odds in enumerate(first["same"])]
    return [
        strips(
            "Share that a second network is 99 % sure of, one dot a model", rows, lambda value: f"{100 * value:.0f} %"
        ),
        images("Made for the first LeNet, and what the second says of them", told, [("model-00", shown)]),
    ]


EXPERIMENT = Experiment(
    "transfer",
    "Transfer to other networks, on MNIST",
    CLAIMS,
    seeds=12,
    differences=(
        "An image is tuned to the first LeNet where that is 99.99 % sure and the other LeNet or the fully connected "
        "network less likely than not to name it so; the number is how sure the doubting one is that it is not.",
        "Networks and rules of the search are those of mnist-cppn: log-odds in float64, the released code's batches.",
        "Networks are trained for 2,000 batches of 64 images (10,000 with --full), not until 0.94 % error.",
        "The other architecture is a fully connected network; which one the paper took for MNIST could not be sourced.",
        "Each unit's second LeNet is the next unit's first: neighbours share a network, so that their values depend on "
        "each other more than the interval and the p-value allow for.",
        "Natural images are a hundred of the test set; random ones are of the same encoding, and count for any class.",
        "Readers in place of people: an image that some of them read and others do not counts for neither side.",
    ),
    cost="13 LeNets and 12 other networks trained, 12 runs of 40,200 evaluations; about 12 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
)
