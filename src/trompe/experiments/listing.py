"""Which experiments there are."""

from collections.abc import Sequence
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


def experiment(name: str) -> Experiment:
    """The experiment of that name.

    Raises:
        BadInput: There is none; the nearest name is suggested.
    """
    check_name(name, MODULES, "NAME of an experiment")
    found: Experiment = import_module(f"trompe.experiments.{MODULES[name]}").EXPERIMENT
    return found


def experiments(names: Sequence[str] = ()) -> list[Experiment]:
    """Those of these names, in the order of the page; by default all.

    Raises:
        BadInput: One is unknown.
    """
    wanted = [experiment(name).name for name in names] or list(MODULES)
    return [experiment(name) for name in MODULES if name in wanted]
