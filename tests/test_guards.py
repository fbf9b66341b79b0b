"""Guards and guarded targets: against formulas, under every attack, and planted guards that the kit must expose."""

# ruff: noqa: ARG005

from dataclasses import dataclass, replace

import pytest
import torch

from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import REJECTED, bid_value, from_levels, level_odds, log_odds, to_levels
from trompe.core.seeds import Stream
from trompe.core.types import Outputs
from trompe.guards import SCORES, NeighbourGuard, Scale, ScoreGuard, fit_neighbours, fit_score
from trompe.search import Judge, JudgeSettings, named_settings
from trompe.search.rules import RULES
from trompe.targets import Declaration, load_target
from trompe.targets.callables import from_object
from trompe.targets.engines import engine_target
from trompe.targets.guarded import LEAST, Guarded, undefended
from trompe.targets.load import bundled_targets
from trompe.targets.trained import read_samples
from trompe.testing import examine_guard, examine_target

pytestmark = pytest.mark.usefixtures("unchecked")


@pytest.fixture(scope="module")
def lenet():
    return load_target("lenet-mnist")


@pytest.fixture(scope="module")
def samples():
    return read_samples(bundled_targets()["lenet-mnist"])


@pytest.fixture(scope="module")
def neighbours(samples):
    return fit_neighbours(samples.images, samples.classes, 10, false_alarms=0.1, data="samples")


def scored(name, lenet, samples):
    return fit_score(name, lenet.judge(from_levels(samples.images)), samples.classes, false_alarms=0.05)


# Scales


def test_slack_is_0_at_the_threshold_and_1_at_the_median():
    scores = Stream(0, "test/scale", 0).uniform(1001)
    scale = Scale.of(scores, 0.01)
    slack = scale.slack(scores)
    assert abs(float(slack.median()) - 1.0) < 1e-12
    assert int((slack < 0).sum()) == 10


@pytest.mark.parametrize(("scores", "share"), [([1.0, 1.0, 1.0], 0.1), ([], 0.1), ([1.0, 2.0], 0.5), ([1.0, 2.0], 0.0)])
def test_scores_that_tell_nothing_are_refused(scores, share):
    with pytest.raises(BadInput, match="guard"):
        Scale.of(torch.tensor(scores, dtype=torch.float64), share)


# Scores


def test_scores_against_their_formulas():
    logits = torch.tensor([[2.0, -1.0, 0.5], [0.0, 0.0, 700.0]])
    torch.testing.assert_close(SCORES["maximum-probability"](logits, "softmax"), log_odds(logits))
    assert SCORES["margin"](logits, "softmax").tolist() == [[1.5, -3.0, -1.5], [-700.0, -700.0, 700.0]]
    assert SCORES["energy"](logits, "softmax")[1].tolist() == [700.0] * 3


def test_maximum_probability_has_the_same_value_with_a_gradient():
    logits = 5.0 * Stream(0, "test/logits", 0).uniform(6, 4)
    leaf = logits.clone().requires_grad_()
    torch.testing.assert_close(SCORES["maximum-probability"](leaf, "softmax").detach(), log_odds(logits))


@pytest.mark.parametrize("name", SCORES)
def test_score_guards_conform(name, lenet, samples):
    report = examine_guard(scored(name, lenet, samples), lenet, from_levels(samples.images), samples.classes)
    assert report.findings == ()


def test_an_unknown_score_is_refused_with_the_nearest_name(lenet, samples):
    with pytest.raises(BadInput, match="Did you mean 'energy'"):
        fit_score("energie", lenet.judge(from_levels(samples.images)), samples.classes)


# Neighbours


def test_neighbours_against_a_loop(samples, neighbours):
    images = from_levels(samples.images[:7])
    slack = neighbours.slack(Outputs(torch.zeros(7, 10)), images)
    for i, image in enumerate(images):
        for c in range(10):
            trusted = from_levels(samples.images[samples.classes == c][::2])
            best = max(float(torch.corrcoef(torch.stack([image.flatten(), t.flatten()]))[0, 1]) for t in trusted)
            scale = neighbours.scales[c]
            wanted = (best - scale.threshold) / (scale.median - scale.threshold)
            assert abs(float(slack[i, c]) - wanted) < 1e-3


def test_neighbours_conform_and_see_no_contrast(lenet, samples, neighbours):
    images = from_levels(samples.images)
    report = examine_guard(neighbours, lenet, images[1::2], samples.classes[1::2])  # the half that it does not hold
    assert report.findings == ()
    faint = neighbours.nearest(0.1 * images + 0.3)
    torch.testing.assert_close(faint, neighbours.nearest(images), rtol=0.0, atol=1e-3)


def test_too_few_trusted_images_are_refused(samples):
    with pytest.raises(BadInput, match="at least four"):
        fit_neighbours(samples.images[:12], samples.classes[:12], 10)


def test_a_fingerprint_follows_images_and_scales(neighbours):
    other = neighbours.trusted.clone()
    other[0, 0, 14, 14] ^= 1
    prints = {
        neighbours.fingerprint(),
        replace(neighbours, trusted=other).fingerprint(),
        replace(neighbours, scales=(Scale(0.0, 1.0), *neighbours.scales[1:])).fingerprint(),
    }
    assert len(prints) == 3


# Guarded


def test_a_guarded_target_is_a_target(lenet, samples, neighbours):
    for guard in (neighbours, scored("margin", lenet, samples)):
        assert examine_target(Guarded(lenet, guard)).findings == ()


def test_the_smaller_slack_counts(lenet, neighbours):
    images = Stream(0, "test/guarded", 0).uniform32(4, 1, 28, 28)
    inner = Guarded(lenet, neighbours)
    own = inner.judge(images).slack
    other = Guarded(lenet, scored_constant(0.25)).judge(images).slack
    both = Guarded(inner, scored_constant(0.25)).judge(images).slack
    assert torch.equal(both, torch.minimum(own, other))
    assert undefended(Guarded(inner, neighbours)) is lenet


def scored_constant(value):
    return Planted("constant", lambda outputs, inputs: torch.full_like(outputs.logits, value, dtype=torch.float64))


@dataclass(frozen=True, eq=False)
class Planted:
    """A guard of any function."""

    name: str
    function: object
    needs: frozenset = frozenset({"inputs", "logits"})
    uses: frozenset = frozenset({"function:planted"})

    def slack(self, outputs, inputs):
        return self.function(outputs, inputs)

    def fingerprint(self):
        return self.name


def test_the_slope_goes_through_guard_and_target(lenet, neighbours):
    judge, rule = Judge(Guarded(lenet, neighbours), JudgeSettings(4)), RULES["sign-momentum"]
    images = from_levels(to_levels(Stream(0, "test/slope", 0).uniform32(4, 1, 28, 28)))
    classes = torch.tensor([0, 3, 5, 9])
    slope = judge.slope(images, lambda outputs: rule.height(outputs, classes, "softmax"))
    assert bool((slope.height < 0).all())  # refused: slack is climbed
    step = 2e-2 * slope.gradient / slope.gradient.flatten(1).norm(dim=1)[:, None, None, None]
    higher = judge.slope((images + step).clamp(0, 1), lambda outputs: rule.height(outputs, classes, "softmax")).height
    assert bool((higher > slope.height).all())


def test_another_engine_may_compute_the_network_behind_the_guard(lenet, neighbours):
    target = Guarded(lenet, neighbours)
    fast = engine_target(target, named_settings(target, "onnxruntime", 4, 1))
    images = Stream(0, "test/engine", 0).uniform32(4, 1, 28, 28)
    torch.testing.assert_close(fast.judge(images).logits, target.judge(images).logits, rtol=0, atol=1e-3)
    assert torch.equal(fast.judge(images).slack, target.judge(images).slack)
    assert fast.fingerprint() == target.fingerprint()


def test_what_a_guard_needs_and_is_not_given_is_named(lenet):
    with pytest.raises(TargetError, match="but no features"):
        Guarded(lenet, Planted("deep", None, needs=frozenset({"features"})))


def test_a_guard_that_needs_gradients_is_refused_in_front_of_what_has_none(lenet):
    declared = Declaration(shape=(1, 28, 28), labels=lenet.labels)
    blind = from_object(lambda images: lenet.judge(torch.as_tensor(images)).logits.numpy(), declared)
    steep = Planted("steep", None, needs=frozenset({"logits", "gradients"}))
    assert Guarded(lenet, steep).guard is steep
    with pytest.raises(TargetError, match=r"gives gradients and logits; got one that gives .*, but no gradients"):
        Guarded(blind, steep)


def test_slack_of_another_shape_or_not_a_number_is_refused(lenet):
    images = torch.zeros(2, 1, 28, 28)
    for wrong in (lambda o, x: torch.zeros(2, 1), lambda o, x: torch.full((2, 10), torch.nan)):
        with pytest.raises(TargetError, match="every entry a number"):
            Guarded(lenet, Planted("wrong", wrong)).judge(images)


def test_a_guard_that_says_minus_infinity_does_not_break_a_search(lenet):
    hard = Planted("hard", lambda o, x: torch.full(o.logits.shape, -torch.inf, dtype=torch.float64))
    outputs = Guarded(lenet, hard).judge(torch.zeros(2, 1, 28, 28))
    assert bool(torch.isfinite(bid_value(outputs)).all())
    assert float(outputs.slack.max()) == LEAST
    assert float(bid_value(outputs).max()) < REJECTED < level_odds(0.5)


# Planted: what the kit exposes


def _hard(neighbours):
    def slack(outputs, inputs):
        soft = neighbours.slack(outputs, inputs)
        return torch.where(soft >= 0, soft, -torch.inf)

    return slack


def _constant_when_refused(neighbours):
    def slack(outputs, inputs):
        soft = neighbours.slack(outputs, inputs)
        return torch.where(soft >= 0, soft, torch.full_like(soft, -1.0))

    return slack


def _broken(slack):
    """The same numbers, whose slope is 0 times infinity."""
    return slack + 0.0 * (slack - slack.detach()).sqrt()


PLANTED = {
    "a hard gate": (_hard, "finite slack"),
    "a hard gate with a number": (_constant_when_refused, "different values of slack (a hard gate)"),
    "the wrong sign": (lambda n: lambda o, x: -n.slack(o, x), "near 1"),
    "refuses what is natural": (lambda n: lambda o, x: n.slack(o, x) - 3.0, "accepted side"),
    "looks at its neighbours": (lambda n: lambda o, x: n.slack(o, x) - n.slack(o, x).mean(0), "other inputs"),
    "no slope": (lambda n: lambda o, x: n.slack(o, x).detach(), "No gradient"),
    "stairs": (lambda n: lambda o, x: (50 * n.slack(o, x)).round() / 50 + 0.0 * x.sum(), "slope of the slack"),
    "float32": (lambda n: lambda o, x: n.slack(o, x).float(), "float64"),
    "a slope that is no number": (lambda n: lambda o, x: _broken(n.slack(o, x)), "must be a number everywhere"),
}


@pytest.mark.parametrize("name", PLANTED)
def test_the_kit_names_a_planted_guard(name, lenet, samples, neighbours):
    make, words = PLANTED[name]
    guard = Planted(name, make(neighbours))
    report = examine_guard(guard, lenet, from_levels(samples.images[1::2]), samples.classes[1::2])
    assert any(words in finding for finding in report.findings), str(report)


def test_the_kit_names_words_that_say_nothing(lenet, samples, neighbours):
    guard = Planted("vague", neighbours.slack, needs=frozenset(), uses=frozenset({"pixels"}))
    report = examine_guard(guard, lenet, from_levels(samples.images), samples.classes)
    assert len(report.findings) == 2


def test_names_are_what_they_are(neighbours):
    guard = ScoreGuard("energy", Scale(0.0, 1.0), data="x")
    assert guard.uses == {"function:energy", "features:classifier-logits", "data:x"}
    assert neighbours.uses == {"function:nearest-neighbour", "features:contrast-normalised-pixels", "data:samples"}
    assert isinstance(neighbours, NeighbourGuard)
