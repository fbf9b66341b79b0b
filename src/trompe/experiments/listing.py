"""Which experiments there are."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from trompe.core.check import check_name
from trompe.experiments.nouns import Experiment

MODULES = {
    "mnist-direct": "mnist_direct",
    "mnist-cppn": "mnist_cppn",
    "imagenet-direct": "imagenet_direct",
    "imagenet-cppn": "imagenet_cppn",
    "dogs-and-cats": "dogs_and_cats",
    "repetition": "repetition",
    "relatedness": "relatedness",
    "resemblance": "resemblance",
    "gradient-ascent": "gradient_ascent",
    "gradient-ascent-imagenet": "gradient_ascent_imagenet",
    "transfer": "transfer",
    "transfer-imagenet": "transfer_imagenet",
    "innovation": "innovation",
    "three-kinds": "three_kinds",
    "generality": "generality",
    "log-odds": "log_odds",
    "retrain-mnist": "retrain_mnist",
    "retrain-imagenet": "retrain_imagenet",
    "cost": "cost",
}
"""Name and module of each, in the order of the page."""


REASONS = {
    "posterior": "posterior",
    "consulting": "consulting",
    "dark": "dark",
    "likelihood": "likelihood",
    "linearity": "linearity",
    "one-step": "one_step",
    "shallow": "shallow",
    "tokens": "tokens",
    "sequences": "sequences",
    "layers": "layers",
    "scale": "scale",
    "cartoon": "cartoon",
    "region": "region",
    "generality": "generality",
}
"""The same of the question why networks are easily fooled; what the paper's page asks already stands on both."""


@dataclass(frozen=True)
class Series:
    """Experiments that stand on one page.

    Attributes:
        name: Of the command and its files.
        modules: Name and module of each experiment, in the order of the page.
    """

    name: str
    modules: Mapping[str, str]


PAPER, WHY = Series("paper", MODULES), Series("why", REASONS)


def experiment(name: str, series: Series = PAPER) -> Experiment:
    """The experiment of that name.

    Raises:
        BadInput: There is none; the nearest name is suggested.
    """
    check_name(name, series.modules, "NAME of an experiment")
    found: Experiment = import_module(f"trompe.experiments.{series.modules[name]}").EXPERIMENT
    return found


def experiments(names: Sequence[str] = (), series: Series = PAPER) -> list[Experiment]:
    """Those of these names, in the order of the page; by default all.

    Raises:
        BadInput: One is unknown.
    """
    wanted = [experiment(name, series).name for name in names] or list(series.modules)
    return [experiment(name, series) for name in series.modules if name in wanted]


def whichever(name: str) -> Experiment:
    """The experiment of that name in any series; no two have the same, though one may stand in both.

    Raises:
        BadInput: There is none.
    """
    return experiment(name, WHY if name in REASONS else PAPER)
