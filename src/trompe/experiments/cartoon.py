"""Would a network recognise a cartoon of a cat? Drawn animals, and a photograph made a drawing, beside photographs."""

from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.numerics import from_levels
from trompe.core.types import Target
from trompe.experiments import drawings
from trompe.experiments.drawings import ANIMALS, GROUNDS, PHOTOGRAPHS, Picture
from trompe.experiments.figures import Strip, images, percent, strips
from trompe.experiments.imagenet import SMALL, TARGET, asked, network
from trompe.experiments.imagenet import absent as no_network
from trompe.experiments.nouns import (
    Answer,
    Claim,
    Data,
    Effort,
    Experiment,
    Figure,
    Measured,
    Question,
    Unit,
)  # fmt: skip
from trompe.experiments.reasons import MODEL, guess
from trompe.experiments.runs import pack, unpack
from trompe.experiments.transfer_imagenet import siblings
from trompe.experiments.wording import counted

_FIRST, _AMONG = 1, 5
_DRAWN_CATS = ("cat", "cat's face")
_SHOWN = (*_DRAWN_CATS, "dog's face", "tiger", "zebra", "panda", "penguin", "owl")
_SAID = "the discussion: a person would recognise a cartoon of a cat, a network would not"


CLAIMS = (
    Claim(
        "cat", "Some network has a cat among its first five names for one drawn cat in eight.", "existence", MODEL, "",
        _SAID, 0.125, scale="share", prediction=guess("At least once: whiskers and ears are there."),
    ),
    Claim(
        "missed", "Some network misses half of all drawn animals, even among its first five names.", "existence",
        MODEL, "", _SAID, 0.5, scale="share",
        prediction=guess("Most: it never saw a drawing with the label of an animal."),
    ),
    Claim(
        "less", "Of drawn animals a network has fewer among its first five names than of things in photographs.",
        "direction", MODEL, "", _SAID, 0.0, scale="share",
        prediction=guess("Fewer: photographs are what it was trained on."),
    ),
    Claim(
        "posterised", "Some network names the photograph of a cat rightly, first of all, with four levels a channel.",
        "existence", MODEL, "", _SAID, 1.0, scale="share", prediction=guess("Its fur is still there."),
    ),
    Claim(
        "edges", "Some network has no cat among its first five names for either drawing of that photograph's edges.",
        "existence", MODEL, "", _SAID, 1.0, scale="share",
        prediction=guess("Networks go by texture, and edges have none (Geirhos 2019)."),
    ),
)  # fmt: skip


def networks() -> list[str]:
    """The siblings that are installed, by size."""
    return [TARGET, *siblings()]


def missing() -> str:
    """Why it cannot be run here; empty where it can."""
    return drawings.absent() or no_network()


def units(effort: Effort, seeds: range) -> list[Unit]:
    """One network each; there are no more than there are."""
    return [Unit(name, partial(ask, name=name, effort=effort)) for i, name in enumerate(networks()) if i in seeds]


def ask(folder: Path, name: str, effort: Effort) -> dict[str, Any]:
    """Show a network everything, and note how far down its list of names a right one stands."""
    del folder
    target = network(name)
    wanted = list(ANIMALS)[: effort.pick(8, len(ANIMALS))]
    grounds = list(GROUNDS)[: effort.pick(1, len(GROUNDS))]
    shown = {"animals": list(drawings.animals(_SHOWN, "white")), "versions": list(drawings.versions())}
    small = {key: pack(torch.cat([one.at(SMALL[1]) for one in pictures])) for key, pictures in shown.items()}
    return {
        "drawn": {ground: named(target, list(drawings.animals(wanted, ground))) for ground in grounds},
        "photographs": named(target, list(drawings.photographs())), "images": small,
        **{key: named(target, pictures) for key, pictures in shown.items()},
    }  # fmt: skip


def named(target: Target, pictures: Sequence[Picture]) -> list[dict[str, Any]]:
    """Of each picture its name, the `rank` of the best right class, and what the network names it first."""
    side = target.spec.shape[1]
    logits = asked(target, from_levels(torch.cat([one.at(side) for one in pictures]))).logits
    return [
        {"name": one.name, "rank": rank(row, one.right), "said": target.labels[int(row.argmax())]}
        for one, row in zip(pictures, logits, strict=True)
    ]


def rank(logits: Tensor, right: Sequence[int]) -> int:
    """How many classes stand before the first of the right ones.

    Args:
        logits: Of one picture, shape (classes,).
        right: Classes.
    """
    return int((logits > logits[list(right)].max()).sum())


def share(told: Iterable[Mapping[str, Any]], among: int) -> float:
    """Share of pictures that have a right class among so many first names."""
    ranks: list[int] = [one["rank"] for one in told]
    return sum(found < among for found in ranks) / len(ranks)


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """One value a network."""
    nets = list(data.values())
    drawn = [_drawn(one) for one in nets]
    cats = [[told for told in found if told["name"] in _DRAWN_CATS] for found in drawn]
    ranks = [{told["name"]: told["rank"] for told in one["versions"]} for one in nets]
    values = {
        "cat": [share(found, _AMONG) for found in cats],
        "missed": [1.0 - share(found, _AMONG) for found in drawn],
        "less": [
            share(one["photographs"], _AMONG) - share(found, _AMONG) for one, found in zip(nets, drawn, strict=True)
        ],
        "posterised": [float(one["4 levels"] < _FIRST) for one in ranks],
        "edges": [float(min(one["slopes"], one["lines"]) >= _AMONG) for one in ranks],
    }
    shown = f"{len(drawn[0])} drawings"
    where = f"on {counted(len(nets), 'sibling')} ({', '.join(data)}), one family by one recipe, and {shown}"
    short = f"{shown} of {len(ANIMALS) * len(GROUNDS)}" if effort.size == "quick" else ""
    return {name: Measured(tuple(found), where, short) for name, found in values.items()}


def _drawn(one: Mapping[str, Any]) -> list[dict[str, Any]]:
    return [told for ground in one["drawn"].values() for told in ground]


def figures(data: Data) -> list[Figure]:
    """Shares, and what the first network calls some of them."""
    nets = list(data.values())
    kinds = {
        "drawn animals": [_drawn(one) for one in nets],
        "photographs of things": [one["photographs"] for one in nets],
        "the cat made a drawing": [one["versions"] for one in nets],
    }
    rows = [
        Strip(f"{kind}, first {among if among > 1 else ''}".strip(), tuple(share(one, among) for one in told))
        for kind, told in kinds.items()
        for among in (_FIRST, _AMONG)
    ]
    return [
        strips("Share with a right name first, or among the first 5; one dot a network", rows, percent),
        _told("Drawn animals, and what the smallest network names them first", nets[0], "animals"),
        _told("The photograph of a cat made a drawing, and its first name for it", nets[0], "versions"),
    ]


def _told(title: str, one: Mapping[str, Any], key: str) -> Figure:
    columns = [f"{told['name']}: {told['said']}" for told in one[key]]
    return images(title, columns, [("", list(unpack(one["images"][key], SMALL)))])


EXPERIMENT = Experiment(
    "cartoon",
    "A cartoon of a cat",
    CLAIMS,
    seeds=3,
    differences=(
        f"{len(ANIMALS)} emoji of animals, of one style (Noto Color Emoji), on {len(GROUNDS)} plain backgrounds.",
        "Any ImageNet class that the animal may be named is right, all 118 dogs for a poodle; src/trompe/experiments/"
        "drawings.py has the table.",
        f"Beside them {len(PHOTOGRAPHS)} photographs that scikit-image carries, of a cat and of {len(PHOTOGRAPHS) - 1} "
        "things that are no animals.",
        "A seed is one of three siblings, of one family by one recipe: three values decide no direction, and an "
        "existence is about these three.",
        "Whether people recognise them is not measured; emoji are made to be recognised.",
    ),
    cost="3 networks and 247 images each; about half a minute on one core",
    units=units,
    measure=measure,
    figures=figures,
    missing=missing,
    questions=(
        Question(
            "Would a network recognise a cartoon of a cat?",
            "a person would, a network would not.",
            (
                Answer("cat",
                       "At best now and then: to some network a cat is among its first five names for one drawn cat in "
                       "eight.",
                       "None of these has a cat among its first five names for one drawn cat in eight."),
                Answer(
                    "missed",
                    "Some network misses half of all drawn animals.",
                    "None of these misses half of all drawn animals.",
                ),
                Answer("less", "They are named rightly less often than photographs.",
                       "They are named rightly no less often than photographs."),
            ),
            (0, 1),
        ),
        Question(
            "And a photograph of a cat that is made a drawing?",
            "the same.",
            (
                Answer("posterised", "In four levels a channel it is still a cat, to some network.",
                       "In four levels a channel it is no longer a cat to any of these."),
                Answer("edges", "In no drawing of its edges it is one, to some network.",
                       "In one of two drawings of its edges it still is one, to each of these."),
            ),
            (2,),
        ),
    ),
)  # fmt: skip
