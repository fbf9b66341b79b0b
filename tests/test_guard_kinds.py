"""The families of guards against direct formulas, and AUROC against pair counts."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Outputs
from trompe.densities import PrincipalComponents
from trompe.guards import SCORES, STATISTICS, Scale, Typicality, fit_feature_neighbours, fit_mahalanobis
from trompe.guards.scale import scales_of
from trompe.measure.metrics import auroc

pytestmark = pytest.mark.usefixtures("unchecked")


def features(name, n, d=5):
    return Stream(0, f"test/{name}", 0).uniform(n, d) + torch.arange(n).remainder(3).unsqueeze(1)


def outputs(rows):
    return Outputs(torch.zeros(len(rows), 3), None, rows)


CLASSES = torch.arange(60).remainder(3)


# Scores


def test_entropy_against_its_formula_and_below_the_last_bit():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 0.0], [900.0, 0.0, 0.0], [950.0, 0.0, 0.0]])
    score = SCORES["entropy"](logits, "softmax")
    p = logits[:2].to(torch.float64).softmax(1)
    wanted = -(-(p * p.log()).sum(1)).log()
    torch.testing.assert_close(score[:2, 0], wanted)
    assert bool((score == score[:, :1]).all())
    sure = SCORES["entropy"](torch.tensor([[50.0, 0.0, 0.0], [60.0, 0.0, 0.0]]), "softmax")[:, 0]
    assert float(sure[1] - sure[0]) > 9.0  # a float64 softmax says exactly 1 of both


def test_entropy_of_independent_classes_is_the_sum_of_theirs():
    z = torch.tensor([[0.3, -2.0]], dtype=torch.float64)
    p = z.sigmoid()
    wanted = -(-(p * p.log() + (1 - p) * (1 - p).log()).sum()).log()
    torch.testing.assert_close(SCORES["entropy"](z, "independent")[0, 0], wanted)


# Inner layers


def test_mahalanobis_against_the_inverse_covariance():
    known, held = features("known", 60), features("held", 60)
    guard = fit_mahalanobis("layer", outputs(known), CLASSES, outputs(held), CLASSES, labels=3, false_alarms=0.1)
    means = torch.stack([known[c == CLASSES].mean(0) for c in range(3)])
    within = known - means[CLASSES]
    covariance = within.T @ within / 57.0
    inverse = torch.linalg.inv(covariance + 1e-3 * covariance.diagonal().mean() * torch.eye(5, dtype=torch.float64))
    for i in range(5):
        for c in range(3):
            gap = held[i] - means[c]
            torch.testing.assert_close(float(guard.nearness(held[i : i + 1])[0, c]), -math.sqrt(gap @ inverse @ gap))


def test_feature_neighbours_against_a_loop():
    known, held = features("known", 60), features("held", 60)
    guard = fit_feature_neighbours(
        "layer", outputs(known), CLASSES, outputs(held), CLASSES, labels=3, k=4, false_alarms=0.1
    )
    one = torch.nn.functional.normalize
    for i in range(5):
        for c in range(3):
            far = (one(known[c == CLASSES]) - one(held[i : i + 1])).norm(dim=1).sort().values[3]
            assert abs(float(guard.nearness(held[i : i + 1])[0, c]) + float(far)) < 1e-3  # rows are kept in float32


# Densities


def test_the_principal_residual_against_least_squares():
    images = (Stream(0, "test/pca", 0).uniform(40, 1, 4, 4) * torch.linspace(0.05, 1.0, 16).view(1, 1, 4, 4) * 255).to(
        torch.uint8
    )
    density = PrincipalComponents.fit(images, kept=0.8)
    rows = from_levels(images).flatten(1).to(torch.float64)
    k = len(density.components)
    shares = torch.linalg.svdvals(rows - rows.mean(0)).square()
    assert float(shares[: k - 1].sum() / shares.sum()) < 0.8 <= float(shares[:k].sum() / shares.sum())
    basis = torch.linalg.svd(rows - rows.mean(0))[2][:k].T
    for i in range(4):
        gap = rows[i] - rows.mean(0)
        left = gap - basis @ torch.linalg.lstsq(basis, gap).solution
        said = float(density.log_density(from_levels(images[i : i + 1]))[0, 0])
        assert abs(said + 0.5 * float(left @ left)) < 1e-5


def test_statistics_by_hand():
    image = torch.tensor([[[[0.0, 1.0], [0.5, 0.5]]]])
    assert float(STATISTICS["ink"](image)) == 0.5
    assert abs(float(STATISTICS["contrast"](image)) - math.sqrt(0.125)) < 1e-9
    assert float(STATISTICS["total-variation"](image)) == (1.0 + 0.0 + 0.5 + 0.5) / 4.0


def test_typicality_is_0_at_both_bounds_and_1_in_the_middle():
    ramp = torch.linspace(0.1, 0.9, 101).view(-1, 1, 1, 1) * torch.tensor([[[[1.0, 0.0], [0.5, 0.25]]]])
    typical = Typicality.of(ramp, torch.zeros(101, dtype=torch.int64), 1, 0.1)
    for name, slack in typical.slack(ramp).items():
        found = slack[:, 0]
        wanted = torch.cat([(torch.arange(51) - 10) / 40.0, (90 - torch.arange(51, 101)) / 40.0]).to(torch.float64)
        torch.testing.assert_close(found, wanted, rtol=0.0, atol=1e-3, msg=name)


def test_constant_images_of_a_class_tell_nothing():
    even = torch.full((20, 1, 4, 4), 0.5)
    with pytest.raises(BadInput, match=r"of class 0, with one contrast"):
        Typicality.of(even, torch.zeros(20, dtype=torch.int64), 1, 0.1)


def test_few_images_of_a_class_share_a_scale_and_many_have_their_own():
    scores = Stream(0, "test/scales", 0).uniform(60, 3) + 3.0 * torch.nn.functional.one_hot(CLASSES, 3)
    shared = scales_of(scores, CLASSES, 3, 0.01)
    assert len(set(shared)) == 1
    own = scales_of(scores, CLASSES, 3, 0.1)
    assert len(set(own)) == 3
    assert own[1] == Scale.of(scores[CLASSES == 1, 1], 0.1)
    assert len(set(scales_of(scores[:, :1], CLASSES, 3, 0.1))) == 1


# AUROC

FEW = st.lists(st.integers(-3, 3), min_size=1, max_size=12)


@given(FEW, FEW)
def test_auroc_against_pair_counts(higher, lower):
    pairs = [(a > b) + 0.5 * (a == b) for a in higher for b in lower]
    found = auroc(torch.tensor(higher, dtype=torch.float64), torch.tensor(lower, dtype=torch.float64))
    assert abs(found - sum(pairs) / len(pairs)) < 1e-12


def test_auroc_sees_what_a_softmax_does_not_and_refuses_nothing_at_all():
    odds = torch.tensor([40.0, 50.0], dtype=torch.float64)
    assert auroc(odds[1:], odds[:1]) == 1.0
    assert auroc(odds[1:].sigmoid(), odds[:1].sigmoid()) == 0.5
    for wrong in ((odds, odds[:0]), (odds[:0], odds), (odds * torch.nan, odds)):
        with pytest.raises(BadInput, match="AUROC"):
            auroc(*wrong)
