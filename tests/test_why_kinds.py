"""What the experiments build beside the bundled targets: each conforms like any other target or guard."""

from collections.abc import Callable

import pytest
import torch
from test_generative import blots

from trompe.core.numerics import from_levels
from trompe.core.specs import ImageSpec
from trompe.data import Split, load
from trompe.experiments import dark, densities
from trompe.experiments.bounded import Mixed, tanh
from trompe.experiments.families import Radial, as_target
from trompe.targets import TorchTarget, load_target
from trompe.targets.architectures import ARCHITECTURES, initialise
from trompe.targets.guarded import Guarded
from trompe.testing import examine_guard, examine_target

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module")
def data():
    return blots(120)


def ready(name, module):
    initialise(module, 0)
    return as_target(name, module)


def mixed(data):
    net = ARCHITECTURES["mlp"]()
    initialise(net, 0)
    return as_target("mixed", Mixed(net, data))


BOUNDED: dict[str, Callable[[Split], TorchTarget]] = {
    "tanh": lambda _: ready("tanh", tanh()),
    "radial basis": lambda data: ready("radial basis", Radial(data.images)),
    "mixed": mixed,
}


@pytest.mark.parametrize("kind", BOUNDED)
def test_what_is_asked_far_away_conforms(kind, data):
    assert examine_target(BOUNDED[kind](data)).findings == ()


def likely(principle, data, seed=0):
    fitted = densities.PRINCIPLES[principle](data, 2, seed)
    module = densities.Likely(fitted, from_levels(data.images[:50])).eval()
    return TorchTarget(principle, module, ImageSpec(1, 28, 28), ("unlikely", "likely"))


@pytest.mark.parametrize("principle", densities.PRINCIPLES)
def test_what_is_likely_conforms_whatever_fitted_it(principle, data):
    pytest.importorskip("sklearn")
    report = examine_target(likely(principle, data))
    assert (report.findings, report.skipped) == ((), ())  # weights are looked at: they are in the fingerprint


def test_contrast_with_noise_is_a_critics_odds_above_the_datas_gaussian(data):
    """The noise's density with its whole covariance, written out."""
    pytest.importorskip("sklearn")
    fitted, images = densities.PRINCIPLES["noise-contrastive"](data, 2, 0), from_levels(data.images[:3])
    critic, noise = fitted.parts
    basis, rows = noise.basis.double(), from_levels(data.images).double().flatten(1)
    apart = (rows - rows.mean(0)) @ basis.T
    inside = basis.T @ torch.diag(apart.var(0, correction=0)) @ basis
    outside = float(noise.residual) * (torch.eye(784).double() - basis.T @ basis)
    normal = torch.distributions.MultivariateNormal(rows.mean(0), inside + outside)
    wanted = normal.log_prob(images.double().flatten(1)) + critic(images).double().squeeze(1)
    assert fitted(images).tolist() == pytest.approx(wanted.tolist(), rel=1e-4)


def test_a_mixed_model_of_other_doubts_has_another_fingerprint(data):
    others = Split(torch.cat([data.images[:60], 255 - data.images[60:]]), data.classes)
    assert mixed(data).fingerprint() != mixed(others).fingerprint()


def test_a_guard_of_both_sides_conforms():
    target, real = load_target("lda-mnist"), load("mnist").test
    guard = dark.Typical(dark._scale(target, 1.0), dark._scale(target, -1.0))
    report = examine_guard(guard, target, from_levels(real.images[:60]), real.classes[:60])
    assert (report.findings, report.skipped) == ((), ())
    assert examine_target(Guarded(target, guard)).findings == ()
