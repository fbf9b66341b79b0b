"""Generative classifiers: scikit-learn's numbers, densities that are densities, and Bayes' rule between them."""

import math

import numpy
import pytest
import torch
from torch import nn

import trompe
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.data import Split
from trompe.targets.architectures import initialise
from trompe.targets.generative import GENERATIVE, Kernels, log_evidence
from trompe.targets.generative.energy import Replay, empty_energy
from trompe.targets.generative.flow import Couplings
from trompe.targets.generative.gaussian import Bells, Reduced
from trompe.targets.generative.kernels import nearest
from trompe.targets.generative.vae import ConditionalAutoencoder


def blots(n=700):
    """Noisy images of ten classes, each with a bright block of its own."""
    classes = torch.arange(n) % 10
    levels = (Stream(0, "blots", 0).uniform(n, 1, 28, 28) * 90).to(torch.uint8)
    for i, column in enumerate(classes.tolist()):
        levels[i, 0, 2 * column : 2 * column + 6, 4:20] += 120
    return Split(levels, classes)


@pytest.fixture(scope="module")
def data():
    return blots()


def rows(split):
    return from_levels(split.images).flatten(1).double().numpy()


def test_naive_bayes_is_that_of_scikit_learn(data):
    from sklearn.naive_bayes import GaussianNB

    fitted = GaussianNB(var_smoothing=0.1).fit(rows(data), data.classes.numpy())
    ours = GENERATIVE["naive-bayes"].fit(data, 0, 0)(from_levels(data.images))
    assert numpy.allclose(ours, fitted.predict_joint_log_proba(rows(data)), rtol=1e-5, atol=1e-2)


@pytest.mark.parametrize("name", ["lda", "qda"])
def test_a_discriminant_is_that_of_scikit_learn_on_principal_components(name, data):
    from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis

    module = GENERATIVE[name].fit(data, 0, 0)
    numbers = module.components(from_levels(data.images))[0].numpy()
    made = {"lda": LinearDiscriminantAnalysis(solver="lsqr"), "qda": QuadraticDiscriminantAnalysis(reg_param=0.01)}
    fitted = made[name].fit(numbers, data.classes.numpy())
    ours = module(from_levels(data.images)).log_softmax(1)
    wanted = torch.from_numpy(fitted.decision_function(numbers)).log_softmax(1)  # its own probabilities have a floor
    assert numpy.allclose(ours, wanted, rtol=1e-3, atol=2e-2)


def test_a_class_of_kernels_is_the_density_of_scikit_learn(data):
    from sklearn.neighbors import KernelDensity

    part = Split(data.images[:100], data.classes[:100])
    module, asked = Kernels(part, 1.3), from_levels(data.images[100:140])
    own = from_levels(part.images[part.classes == 3]).flatten(1).numpy()
    fitted = KernelDensity(bandwidth=1.3).fit(own)
    wanted = fitted.score_samples(asked.flatten(1).numpy()) + math.log(0.1)
    assert numpy.allclose(module(asked)[:, 3], wanted, atol=1e-2)


def test_a_flow_is_a_change_of_variables():
    """Its volume is the determinant of its Jacobian, taken by torch."""
    flow = Couplings(3, 6)
    flow.requires_grad_(requires_grad=False)
    for number, weight in enumerate(flow.parameters()):
        weight.copy_(0.6 * (Stream(number, "flow", 0).uniform32(*weight.shape) - 0.5))
    flow.scale.copy_(torch.tensor([1.0, 2.0, 0.5, 1.0, 3.0, 1.0]))
    told = torch.eye(3)[1:2]
    point = torch.tensor([[0.3, -1.0, 0.2, 0.7, -0.4, 1.1]], dtype=torch.float64)

    def through(numbers):
        values = numbers / flow.scale.double()
        for layer in flow.layers:
            first, second = values[:, :3], values[:, 3:]
            stretch, shift = layer(torch.cat([first.float(), told], 1)).double().chunk(2, 1)
            values = torch.cat([(second + shift) * (2.0 * (stretch / 2.0).tanh()).exp(), first], 1)
        return values

    jacobian = torch.autograd.functional.jacobian(through, point)[0, :, 0, :]
    even = -0.5 * through(point).square().sum() - 3.0 * math.log(2.0 * math.pi)
    wanted = even + jacobian.det().abs().log()
    assert flow.density(point, told).item() == pytest.approx(wanted.item(), abs=1e-4)


def test_reduced_gaussians_are_one_gaussian_over_all_pixels():
    """Against the density with the whole covariance, written out."""
    module = Reduced(Bells(2, 64), 2)
    basis = torch.linalg.qr(Stream(0, "basis", 0).uniform(784, 64))[0].T
    module.basis.copy_(basis)
    module.residual.fill_(0.5)
    module.head.centres[1] = 0.3
    image = Stream(1, "image", 0).uniform32(1, 1, 28, 28)
    covariance = 0.5 * torch.eye(784).double() + 0.5 * basis.T @ basis
    for column, centre in enumerate((0.0, 0.3)):
        middle = centre * basis.sum(0)
        normal = torch.distributions.MultivariateNormal(middle, covariance)
        wanted = float(normal.log_prob(image.flatten().double()))
        assert float(module(image)[0, column]) == pytest.approx(wanted, rel=1e-5)


def test_the_bound_of_an_autoencoder_lies_below_its_density():
    """Where the decoder ignores the latent, log p(x | c) is known, and the bound loses the divergence alone."""
    module = ConditionalAutoencoder(2)
    for weight in module.parameters():
        nn.init.zeros_(weight)
    image = Stream(0, "image", 0).uniform32(1, 784)
    spread = 1.05
    exact = -0.5 * float((image - 0.5).double().square().sum()) / spread**2
    exact -= 784 * (math.log(spread) + 0.5 * math.log(2.0 * math.pi))
    assert module.bound(image, torch.eye(2)[:1], None).item() == pytest.approx(exact)
    nn.init.constant_(module.encoder[-1].bias, 1.0)
    lost = 0.5 * (1.0 + math.exp(2.0) - 1.0 - 2.0) * (len(module.encoder[-1].bias) / 2)
    assert module.bound(image, torch.eye(2)[:1], None).item() == pytest.approx(exact - lost, rel=1e-5)


@pytest.mark.parametrize("name", sorted(GENERATIVE))
def test_the_same_data_and_seed_give_the_same_that_learns_and_knows_what_is_likely(name, data):
    iterations = {"vae": 150, "flow": 40, "energy": 40}.get(name, 0)
    first, second = (GENERATIVE[name].fit(data, iterations, 1) for _ in range(2))
    images = from_levels(data.images)
    logits = first(images)
    assert logits.dtype == torch.float64
    assert torch.equal(logits, second(images))
    assert float((logits.argmax(1) == data.classes).double().mean()) > 0.8
    if name != "energy":  # forty batches are too few for its walks
        noise = Stream(0, "noise", 0).uniform32(20, 1, 28, 28)
        assert float(log_evidence(first(noise)).max()) < float(log_evidence(logits).min())


def test_the_nearest_is_another_row():
    assert nearest(torch.tensor([[0.0], [1.0], [3.0], [7.0]])) == 1.0


def test_walks_go_uphill_and_on_from_where_they_got_to():
    module, stream = empty_energy(3), Stream(1, "walk", 0)
    initialise(module, 0)
    replay = Replay(Stream(0, "replay", 0))
    begun, rows = replay.images.clone(), stream.branch("rows").integers(100, 1000)
    walked = replay.walk(module, 100, stream)
    with torch.no_grad():
        higher = log_evidence(module(walked)) > log_evidence(module(begun[rows]))
    assert float(higher.double().mean()) > 0.9  # one in twenty was begun anew
    kept = (replay.images != begun).flatten(1).any(1)
    assert sorted(set(rows.tolist())) == kept.nonzero().flatten().tolist()
    once = torch.tensor([rows.tolist().count(row) == 1 for row in rows.tolist()])
    assert torch.equal(replay.images[rows[once]], walked[once])


def test_evidence_is_what_bayes_divides_by():
    joint = torch.tensor([[-1000.0, -1001.0], [3.0, 3.0]], dtype=torch.float64)
    posterior = joint - log_evidence(joint).unsqueeze(1)
    assert torch.allclose(posterior.exp().sum(1), torch.ones(2).double())


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(GENERATIVE))
def test_audit_works_on_every_one_by_name(name, tmp_path):
    run = trompe.audit(f"{name}-mnist", methods=("pixels-squares",), classes=("3",), budget=40, survival=False,
                       readers="none", out=tmp_path / "run")  # fmt: skip
    assert [record.label for record in run.classes] == ["3"]
