"""What every test stands on: one thread, shapes checked at every call, repeatable properties, a tiny target."""

# ruff: noqa: E402

import os
from collections.abc import Iterator

os.environ["OMP_WAIT_POLICY"] = "PASSIVE"  # before torch: idle threads that spin starve a small shared machine

from jaxtyping import install_import_hook

install_import_hook("trompe", "shapes.checked")  # before trompe: shape annotations then hold at run time

import hypothesis
import jaxtyping
import pytest
import torch
from tiny import make_tiny_target

from trompe.targets import TorchTarget

torch.set_num_threads(1)

hypothesis.settings.register_profile(
    "repeatable",
    derandomize=True,
    deadline=None,
    max_examples=60,
    database=None,
    suppress_health_check=[hypothesis.HealthCheck.too_slow],
)
hypothesis.settings.load_profile("repeatable")


@pytest.fixture(scope="session")
def tiny() -> TorchTarget:
    """A linear 1x6x6 classifier with four classes."""
    return make_tiny_target()


@pytest.fixture
def unchecked() -> Iterator[None]:
    """Without the run-time checks of annotations, as users run trompe: so that its own refusals are met."""
    jaxtyping.config.update("jaxtyping_disable", True)
    yield
    jaxtyping.config.update("jaxtyping_disable", False)
