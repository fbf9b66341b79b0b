"""Does consulting p(x), or p(x | y), stop it? A model's own density as a guard, unknown and known to the attacker."""

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from trompe.core.types import Levels
from trompe.data import load
from trompe.experiments.figures import Strip, histograms, images, percent, strips
from trompe.experiments.joint import (
    CLASSIC,
    LEARNED,
    STARTS,
    accepted,
    attack,
    evidence,
    fitted_guard,
    fooled,
    generative,
    least,
    most,
    noise_levels,
    own_images,
)  # fmt: skip
from trompe.experiments.nouns import (
    Answer,
    Claim,
    Data,
    Effort,
    Experiment,
    Figure,
    Measured,
    Prediction,
    Question,
    Unit,
)  # fmt: skip
from trompe.experiments.reading import NO_READERS, readable, readers
from trompe.experiments.reasons import MODEL, UNSHOWN, WRITTEN, few, scikit
from trompe.experiments.runs import pack, unpack
from trompe.experiments.wording import counted
from trompe.targets.guarded import Guarded

KINDS = (*CLASSIC, "vae", "flow")
"""Those whose density is known; the energy-based model's is known but for a constant."""
SCORES = ("energy", "logit")
"""Of a generative classifier log p(x), and log p(x, y) of the class that is named."""
_SHOWN = 200

CLAIMS = (
    Claim(
        "static", "Of images that were made without it in mind, p(x) of each of the classic four accepts one in twenty "
        "at most: as many as it refuses of real ones.", "shape", MODEL, "", "the discussion: use p(x)", high=0.05,
        scale="share",
        prediction=Prediction("None, of the classic four.", WRITTEN, seen=True),
    ),
    Claim(
        "static-learned", "So does that of an autoencoder, and of a flow.", "shape", MODEL, "",
        "the discussion: use p(x)", high=0.05, scale="share",
        prediction=Prediction("None.", WRITTEN, seen=False),
    ),
    Claim(
        "adaptive", "An attacker who knows of it gets past p(x) of each of the classic four: for nine classes in ten "
        "there is an image that is accepted and at 99 %.", "shape", MODEL, "", "the discussion: use p(x)", 0.9,
        scale="share",
        prediction=Prediction("All classes, of the classic four.", WRITTEN, seen=True),
    ),
    Claim(
        "adaptive-learned", "The attacker gets past that of an autoencoder, and of a flow, as well.", "shape", MODEL,
        "",
        "the discussion: use p(x)", 0.9, scale="share",
        prediction=Prediction("All classes.", WRITTEN, seen=False),
    ),
    Claim(
        "class", "The attacker gets past the density of the class that is named, p(x | y), of each kind, too.", "shape",
        MODEL, "", "asked here", 0.9, scale="share",
        prediction=Prediction(
            "All classes; but most of what gets past looks like its class.", WRITTEN, seen=True
        ),
    ),
    Claim(
        "readable", "But more of the images that get past p(x | y) can be read as their class, by every reader, than "
        "of those that met no guard.", "direction", MODEL, "", "asked here", 0.0, scale="share",
        prediction=Prediction("Most: to be likely in a class is to look like it.", WRITTEN, seen=True),
    ),
)  # fmt: skip


def units(effort: Effort, seeds: range) -> list[Unit]:
    """All kinds, fitted to one seed's images."""
    return [Unit(f"models-{seed:02d}", partial(guard_all, seed=seed, effort=effort)) for seed in seeds]


def guard_all(folder: Path, seed: int, effort: Effort) -> dict[str, Any]:
    """Fit every kind, attack it plain, and again behind each guard."""
    found = {}
    for kind in KINDS:
        target = generative(kind, seed, effort)
        steps = effort.pick(10, 40)
        plain = attack(folder / kind, target, seed, STARTS[:1], steps)
        one: dict[str, Any] = {"plain": pack(plain)}
        for score in SCORES:
            guarded = Guarded(target, fitted_guard(score, target))
            levels = attack(folder / f"{kind}-{score}", guarded, seed, STARTS, 2 * steps)
            one[score] = pack(levels)
            one[f"{score}-fooled"] = fooled(guarded, levels)
            one[f"{score}-static"] = float(accepted(guarded, plain).double().mean())
        found[kind] = {**one, "densities": _densities(target, plain, unpack(one["energy"], (1, 28, 28)), seed)}
    return {"kinds": found}


def _densities(target: Any, plain: Levels, adaptive: Levels, seed: int) -> dict[str, list[float]]:
    """Log p(x) a pixel of what is real, of noise, and of what fools."""
    shown = {
        "training images": own_images(seed).images[:_SHOWN], "test images": load("mnist").test.images[:_SHOWN],
        "noise": noise_levels(seed, _SHOWN), "fooling images": plain, "made to get past p(x)": adaptive,
    }  # fmt: skip
    return {name: [round(value / 784.0, 4) for value in evidence(target, levels).tolist()]
            for name, levels in shown.items()}  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """Shares of classes, of the least kind for every seed; what can be read, by readers that were fitted elsewhere."""
    seeds = [one["kinds"] for one in data.values()]
    ends = {
        "static": (most, CLASSIC, "energy-static"), "static-learned": (most, LEARNED[:2], "energy-static"),
        "adaptive": (least, CLASSIC, "energy-fooled"), "adaptive-learned": (least, LEARNED[:2], "energy-fooled"),
        "class": (least, KINDS, "logit-fooled"),
    }  # fmt: skip
    where = f"on {counted(len(seeds), 'model')} of each kind, each on MNIST images of its own"
    found = {
        name: Measured(tuple(end(one, part, key) for one in seeds), where, few(effort))
        for name, (end, part, key) in ends.items()
    }
    return {**found, "readable": _read(seeds, where, effort)}


def _read(seeds: list[Any], where: str, effort: Effort) -> Measured:
    known = readers(tuple("0123456789"), (1, 28, 28))
    if not known:
        return Measured((), where, missing=NO_READERS)

    def share(one: Any, key: str) -> float:
        levels = [unpack(one[kind][key], (1, 28, 28)) for kind in KINDS]
        return sum(readable(known, part, range(10)) for part in levels) / len(levels)

    values = tuple(share(one, "logit") - share(one, "plain") for one in seeds)
    return Measured(values, f"{where}, read by {', '.join(reader.name for reader in known)}", few(effort))


def figures(data: Data) -> list[Figure]:
    """Densities, what gets past, and the images."""
    seeds = [one["kinds"] for one in data.values()]
    first = seeds[0]

    def rows(key: str) -> list[Strip]:
        return [Strip(kind, tuple(one[kind][key] for one in seeds)) for kind in KINDS]

    def shown(key: str) -> list[tuple[str, list[Any]]]:
        return [(kind, list(unpack(first[kind][key], (1, 28, 28)))) for kind in KINDS]

    digits = [str(digit) for digit in range(10)]
    return [
        *(histograms(f"log p(x) in nats a pixel, {kind}, one model", list(first[kind]["densities"].items()))
          for kind in ("lda", "flow")),
        strips("Fooling images made without it in mind that p(x) accepts", rows("energy-static"), percent,
               (0.05, "as many as it refuses of real ones")),
        strips("Classes with an image at 99 % that p(x) accepts, attacker aware", rows("energy-fooled"), percent),
        images("Images that get past p(x), one seed", digits, shown("energy")),
        strips("Classes with an image at 99 % that p(x | y) accepts, attacker aware", rows("logit-fooled"), percent),
        images("Images that get past p(x | y), one seed", digits, shown("logit")),
    ]  # fmt: skip


EXPERIMENT = Experiment(
    "consulting",
    "A density as a guard",
    CLAIMS,
    seeds=12,
    differences=(
        UNSHOWN,
        "A guard refuses one in twenty of 1,000 real images; a model has seen 2,000 of its own.",
        "Attacks: gradient ascent, 40 steps from noise; past a guard 80 from noise and 80 from near black.",
        "What is said of several kinds is computed from the one of which it is least true, seed by seed; what can be "
        "read is a mean over kinds.",
        "Readers were fitted to images at odd positions of the training set; classifiers to those at even ones.",
        "p(x | y) of the class that is named is compared with that of real images of their own classes.",
    ),
    cost="72 classifiers fitted, 360 attacks; about 9 minutes on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=scikit,
    questions=(
        Question(
            "Does it help to consult p(x), and to refuse what is improbable?",
            "if the model knew p(x), it could tell that such an image is no real one.",
            (
                Answer(
                    "static",
                    "Against images made without it in mind, yes: classic densities refuse them.",
                    "Not always: some classic density accepts more than one in twenty of images that were made "
                    "without it in mind.",
                ),
                Answer(
                    "static-learned",
                    "Learned densities refuse images that were made without them in mind.",
                    "Not every learned density refuses images that were made without it in mind.",
                ),
            ),
            (0, 1, 2),
        ),
        Question(
            "And if the attacker knows that p(x) is consulted?",
            "nothing; the discussion stops before this.",
            (
                Answer("adaptive", "Then it stops little: the attacker climbs in p(x), too, and is accepted.",
                       "Even then some classic density keeps the attacker from some classes."),
                Answer(
                    "adaptive-learned",
                    "The attacker gets past learned densities as well.",
                    "Some learned density keeps the attacker from some classes.",
                ),
            ),
            (3, 4),
        ),
        Question(
            "Does it help to consult p(x | y), the density of the class that is named?",
            "nothing; but it is what a generative classifier computes anyway.",
            (
                Answer("readable", "It changes what comes out: more of what gets past can be read as its class.",
                       "It does not change what comes out: no more of it can be read as its class."),
                Answer(
                    "class",
                    "It does not stop the attacker: for nine classes in ten there is an image that gets past.",
                    "Some kind of it keeps the attacker from some classes.",
                ),
            ),
            (5, 6),
        ),
    ),
)  # fmt: skip
