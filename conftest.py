"""Doctests of the conformance kits show what users meet: trompe's own refusals, not those of the type checker."""

from collections.abc import Iterator

import jaxtyping
import pytest


@pytest.fixture(autouse=True)
def _kits_unchecked(request: pytest.FixtureRequest) -> Iterator[None]:
    """Kits hand over wrong arrays on purpose; the run-time check of annotations would answer before the target does."""
    kit = "trompe/testing" in request.node.nodeid
    if kit:
        jaxtyping.config.update("jaxtyping_disable", True)
    yield
    if kit:
        jaxtyping.config.update("jaxtyping_disable", False)
