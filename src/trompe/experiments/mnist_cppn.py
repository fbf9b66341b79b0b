"""MNIST, CPPN encoding: how soon is a LeNet certain about regular images, and do strokes look as the paper says?"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial

from torch import Tensor

from trompe.core.numerics import level_odds
from trompe.experiments import mnist_direct as direct
from trompe.experiments.nouns import Claim, Data, Effort, Experiment, Figure, Measured
from trompe.experiments.runs import at, generation, short_of, unpack

FEW = 10
"""Generations: "a few", fixed before it was run."""

CLAIMS = (
    Claim(
        "few", "Within a few generations (here: 10) some image of a digit is named with at least 99.99 %.",
        "existence", "run", "99.99 % after only a few generations", "section 3.2", level_odds(0.9999), scale="log-odds",
    ),
    replace(
        direct.CLAIMS[1], text="What the paper says of the direct encoding holds of CPPNs: in fewer than 50 "
        "generations the worst digit of a run is at 99.99 %, in the mean of the runs.", theirs="",
        where="asked here, of the other encoding",
    ),
    replace(direct.CLAIMS[2], where="section 3.2, figure 5"),
    Claim(
        "bars", "Images of 1 are vertical bars: they change more from left to right than from top to bottom.",
        "shape", "run", "vertical bars for 1, in all runs looked at", "section 3.2, figure 5", 0.0,
    ),
    Claim(
        "base", "Images of 2 have a horizontal bar in the lower half: it changes more downwards than sideways.",
        "shape", "run", "a horizontal bar in the lower half for 2", "section 3.2, figure 5", 0.0,
    ),
)  # fmt: skip


def measure(data: Data, effort: Effort) -> Mapping[str, Measured]:
    """The claims about confidence as for the direct encoding, and two about strokes."""
    both, where = direct.measure(data, effort), direct.population(data)
    soon = tuple(at(one["highest"], generation(FEW)) for one in data.values())
    late = short_of(data, direct.LATE)
    shown = [unpack(one["images"], direct.SHAPE) for one in data.values()]
    return {
        "few": Measured(soon, where),
        "fifty": both["fifty"],
        "two-hundred": both["two-hundred"],
        "bars": Measured(tuple(upright(one[1]) for one in shown), where, late),
        "base": Measured(tuple(-upright(one[2][:, 14:]) for one in shown), where, late),
    }


def upright(image: Tensor) -> float:
    """How much more an image changes sideways than downwards: difference over sum of the mean steps, in [-1, 1]."""
    values = image.double()
    across, down = values.diff(dim=2).abs().mean().item(), values.diff(dim=1).abs().mean().item()
    return (across - down) / ((across + down) or 1.0)


def figures(data: Data) -> list[Figure]:
    """As for the direct encoding, with the paper's figure 5."""
    return direct.figures(data)


EXPERIMENT = Experiment(
    "mnist-cppn",
    "MNIST, CPPN encoding: regular images",
    CLAIMS,
    seeds=12,
    differences=(
        *direct.EXPERIMENT.differences[:2],
        "Rules are those of the released code: coordinates are the pixels' indices; what scale the paper has could not "
        "be sourced.",
        "How vertical a bar is, is measured as a number fixed here; the paper shows pictures, of which all runs that "
        "were looked at had bars. Here the mean over runs decides, and other digits may have as many.",
        "An independent re-run of the released code's rules (released LeNet, 5 seeds) had the median at 99.99 % by 200 "
        "generations in 4 of 5 runs; at 50 the worst digit had 83 to 98 %, at 200 it had 98.2 to 99.7 %, and no run "
        "had all ten at 99.99 % by then. Ours are the first and the second row of what decides.",
    ),
    cost="12 runs of 40,200 evaluations; about 2 minutes on one core",
    units=partial(direct.units, encoding="cppn"),
    measure=measure,
    figures=figures,
)
