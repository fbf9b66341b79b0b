"""Transfer between siblings: do images made for one EfficientNet-Lite convince the next larger ones?"""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import from_levels, quantise
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Target
from trompe.encodings import CPPN_PRESETS, Cppn
from trompe.experiments.figures import Strip, images, strips
from trompe.experiments.imagenet import (
    CLASSES,
    DIFFERENCES,
    SHAPE,
    SMALL,
    Search,
    absent,
    asked,
    cut,
    network,
    odds_of,
    population_of,
    searched,
    short_of,
    thumbnail,
)
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured, Unit, say_odds
from trompe.experiments.runs import unpack
from trompe.experiments.transfer import CERTAIN

SIBLINGS = {1: "efficientnet-lite1", 2: "efficientnet-lite2"}
_STAND_IN = "efficientnet-lite0 and its siblings, one family trained by one recipe, in place of AlexNet and another"

CLAIMS = (
    Claim(
        "both", "Some images are named with at least 99.99 % by a network and by its sibling.", "existence", "run",
        "images with 99.99 % or more from both", "section 3.5", CERTAIN, scale="log-odds", stand_in=_STAND_IN,
    ),
    Claim(
        "tuned", "Other images are tuned to one network: sure there (99.99 %), less likely than not for a sibling.",
        "existence", "run", "some images fool the one and not the other", "section 3.5", 0.0, stand_in=_STAND_IN,
        scale="log-odds",
    ),
    Claim(
        "base", "A sibling gives an evolved image the class it was made for more often than it gives a random image "
        "the class that the first network gives it.", "direction", "run", "", "asked here: a base rate", 0.0,
        scale="share", stand_in=_STAND_IN,
    ),
)  # fmt: skip


def siblings() -> list[str]:
    """Names of the siblings that are installed."""
    return [name for number, name in SIBLINGS.items() if not absent(number)]


def missing() -> str:
    """Why it cannot be run: no sibling is there; empty where one is."""
    return "" if siblings() else absent(*SIBLINGS)


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One search a seed, shown to every sibling."""
    plans = [Search.of("cppn", seed, effort) for seed in seeds]
    return [Unit(f"run-{plan.seed:02d}", partial(ask, wanted=plan, random=effort.pick(20, 200)), plan.needs)
            for plan in plans]  # fmt: skip


def ask(folder: Path, wanted: Search, random: int) -> dict[str, Any]:
    """What siblings say of every class's image, and of so many random ones."""
    found, first = searched(folder, wanted), network()
    place = {
        kept: row for row, kept in enumerate(dict.fromkeys(found.kept.values()))
    }  # one image may hold many classes
    holder = {found.kept[c]: c for c in range(CLASSES)}
    shown, chance = from_levels(found.images([holder[kept] for kept in place])), random_images(wanted.seed, random)
    rows, named = torch.tensor([place[found.kept[c]] for c in range(CLASSES)]), asked(first, chance).logits.argmax(1)
    said: dict[str, Any] = {}
    for name in siblings():
        sibling = network(name)
        outputs = asked(sibling, resized(shown, sibling)).take(rows)
        alike = asked(sibling, resized(chance, sibling)).logits.argmax(1) == named
        agreed = outputs.logits.argmax(1) == torch.arange(CLASSES)
        said[name] = {"odds": odds_of(outputs, range(CLASSES)), "named": float(agreed.double().mean()),
                      "random": float(alike.double().mean())}  # fmt: skip
    best = sorted(range(CLASSES), key=lambda c: -min([found.odds[c], *(one["odds"][c] for one in said.values())]))[:8]
    return {
        "budget": wanted.budget, "own": list(found.odds), "siblings": said, "labels": [first.labels[c] for c in best],
        "best": best, "images": thumbnail(found.images(best)),
    }  # fmt: skip


def random_images(seed: int, count: int) -> Images:
    """Images of random networks of the same encoding, for the base rate."""
    encoding = Cppn(ImageSpec(*SHAPE), CPPN_PRESETS["released-code"])
    return encoding.express(encoding.random(count, Stream(seed, "paper/transfer-imagenet/random", 0)))


def resized(shown: Images, target: Target) -> Tensor:
    """Images at the size that a network takes, bilinear, on the 8-bit grid."""
    size = target.spec.shape[1:]
    if shown.shape[2:] == size:
        return shown
    return quantise(torch.nn.functional.interpolate(shown, size, mode="bilinear", antialias=True, align_corners=False))


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Best of both for the existences, over siblings; mean rates for the direction; one a run."""
    runs = list(data.values())
    names = sorted({name for one in runs for name in one["siblings"]})
    where, short = f"{population_of(data)} with {' and '.join(names)}", short_of(data, "cppn")
    both = tuple(max(max(map(min, one["own"], odds)) for odds in _odds(one)) for one in runs)
    tuned = tuple(
        max(-second for odds in _odds(one) for own, second in zip(one["own"], odds, strict=True) if own >= CERTAIN)
        for one in runs if max(one["own"]) >= CERTAIN
    )  # fmt: skip
    base = tuple(
        sum(said["named"] - said["random"] for said in one["siblings"].values()) / len(one["siblings"]) for one in runs
    )
    return {"both": Measured(both, where, short), "tuned": Measured(tuned, where, short),
            "base": Measured(base, where, cut(data, effort))}  # fmt: skip


def _odds(one: Mapping[str, Any]) -> list[list[float]]:
    """What each sibling says of a run's images."""
    return [said["odds"] for said in one["siblings"].values()]


def figures(data: Data) -> list[Figure]:
    """Rates by sibling, and the images that convince all."""
    runs = list(data.values())
    rows = [
        Strip(f"{kind}, {name.removeprefix('efficientnet-')}",
              tuple(one["siblings"][name][key] for one in runs if name in one["siblings"]))
        for key, kind in (("named", "evolved"), ("random", "random")) for name in runs[0]["siblings"]
    ]  # fmt: skip
    first = runs[0]
    told = [
        f"{label}: {say_odds(min(said['odds'][c] for said in first['siblings'].values()))}"
        for c, label in zip(first["best"], first["labels"], strict=True)
    ]
    return [
        strips("Share that a sibling names alike, one dot a run", rows, lambda value: f"{100 * value:.0f} %"),
        images("Images that convince all, and the least that a sibling says", told,
               [("", list(unpack(first["images"], SMALL)))]),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    "transfer-imagenet",
    "Transfer between siblings, on ImageNet's classes",
    CLAIMS,
    seeds=12,
    differences=(
        *DIFFERENCES,
        "An image is tuned to the first network where that is 99.99 % sure and a sibling less likely than not to name "
        "it so; the number is how sure the doubting one is that it is not.",
        "Networks are siblings: one family, one recipe, 224, 240 and 260 pixels. The paper has two architectures.",
        "Images are brought to a sibling's size, bilinear. Natural images and what can be read: not measured.",
        "Of each run the best over siblings counts for the existences, their mean for the base rate.",
    ),
    cost="as dogs-and-cats, and 1,200 images a run shown to each sibling; that alone about 80 seconds a run",
    units=units,
    measure=measure,
    figures=figures,
    missing=missing,
)
