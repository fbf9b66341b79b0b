"""Guards that doubt: certainty has to be borne by slack, and nothing else changes."""

import json
import math
from dataclasses import replace

import pytest
import torch
from digits import moved_digits, trusted_digits, write_digits
from hypothesis import given
from hypothesis import strategies as st

import trompe
from trompe.cli.main import BAD_INPUT, main
from trompe.core.errors import BadInput
from trompe.core.numerics import class_log_odds, from_levels, level_odds, limit_odds, log_odds
from trompe.core.seeds import Stream
from trompe.core.types import Outputs
from trompe.data import Split
from trompe.guards import CERTAIN, DoubtingGuard, doubting, fit_guard, load_guard, read_card
from trompe.measure.statistics import wilson
from trompe.targets import Declaration, load_target
from trompe.targets.guarded import Guarded
from trompe.targets.preflight import preflight
from trompe.testing import examine_guard
from trompe.verbs.guard import measure
from trompe.verbs.guarded import GuardedClassifier

pytestmark = pytest.mark.usefixtures("unchecked")
LEVEL = level_odds(CERTAIN)
HALF = 1.0 / (1.0 + math.exp(-LEVEL / 2))


class Said:
    """A guard whose slack is the mean of an image, 0 at 0.1 and 1 at 0.2; the last class is refused always."""

    name = "said"
    needs = frozenset({"inputs"})
    uses = frozenset({"function:said"})

    def __init__(self, labels=10):
        self.labels = labels

    def slack(self, outputs, inputs):
        del outputs
        bright = (10.0 * inputs.flatten(1).to(torch.float64).mean(1) - 1.0).unsqueeze(1).expand(-1, self.labels).clone()
        bright[:, -1] = -1.0
        return bright

    def fingerprint(self):
        return "said"

    def parts(self):
        return {}, {}


@pytest.fixture(scope="module")
def lenet():
    return load_target("lenet-mnist")


@pytest.fixture(scope="module")
def samples():
    return moved_digits()


@pytest.fixture(scope="module")
def folder(tmp_path_factory, samples):
    return write_digits(tmp_path_factory.mktemp("images"), samples)


# The limit

logits_of = st.lists(st.floats(-900, 900), min_size=3, max_size=3).map(lambda row: torch.tensor([row]).double())
odds = st.floats(0.01, 1000.0)


@given(logits_of, odds)
def test_the_strongest_class_stays_that_and_is_no_surer_than_its_ceiling(logits, most):
    limited = limit_odds(logits, torch.full((1, 3), most, dtype=torch.float64))
    top = int(logits.argmax())
    before, after = float(log_odds(logits)[0, top]), float(log_odds(limited)[0, top])
    assert after <= most * (1 + 1e-9) + 1e-9
    assert after == pytest.approx(min(before, most), rel=1e-9, abs=1e-9)
    assert int(limited.argmax()) == top or float(limited[0, top]) == float(limited.max())
    assert float(limited.logsumexp(1)) == pytest.approx(float(logits.logsumexp(1)), abs=1e-9)
    one, other = [c for c in range(3) if c != top]
    assert float(limited[0, one] - limited[0, other]) == pytest.approx(
        float(logits[0, one] - logits[0, other]), abs=1e-9
    )


def test_a_class_of_probability_nothing_can_be_given_something():
    logits = torch.tensor([[0.0, -math.inf, -math.inf], [0.0, -1.0, -math.inf]])
    limited = limit_odds(logits, torch.full((2, 3), 2.0, dtype=torch.float64))
    assert log_odds(limited)[0].tolist() == pytest.approx([2.0, *[log_odds(limited)[0, 1].item()] * 2])
    assert torch.equal(limited[1], logits[1].double())
    free = torch.full((2, 2), math.inf, dtype=torch.float64)
    assert limit_odds(torch.tensor([[0.0, -math.inf], [3.0, 1.0]]), free).tolist() == [[0.0, -math.inf], [3.0, 1.0]]


def test_what_is_below_its_ceiling_keeps_every_bit():
    logits = Stream(0, "logits", 0).uniform32(50, 10) * 6.0
    assert torch.equal(limit_odds(logits, torch.full((50, 10), 50.0, dtype=torch.float64)), logits.double())


def test_of_an_independent_link_all_classes_are_lowered_together_and_none_is_above_its_ceiling():
    most = torch.tensor([[1.0, 2.0, 3.0], [9.0, 9.0, 9.0], [9.0, 2.0, 9.0]], dtype=torch.float64)
    logits = torch.tensor([[5.0, -1.0, 9.0], [5.0, 4.0, -3.0], [7.0, 6.9, 1.0]])
    limited = limit_odds(logits, most, "independent")
    assert limited.tolist() == [[-1.0, -7.0, 3.0], [5.0, 4.0, -3.0], [7.0, 2.0, 1.0]]


@given(logits_of, st.lists(odds, min_size=3, max_size=3))
def test_of_an_independent_link_the_strongest_class_stays_that(logits, most):
    ceiling = torch.tensor([most], dtype=torch.float64)
    limited = limit_odds(logits, ceiling, "independent")
    assert bool((limited <= ceiling).all())
    assert bool((limited <= logits).all())
    assert float(limited[0, logits.argmax()]) == float(limited.max())


@pytest.mark.parametrize("words", [("--doubts", "0.3"), ("--also", "energy")])
def test_a_folder_without_images_to_doubt_by_is_one_line(words, samples, tmp_path, capsys):
    few = torch.cat([(samples.classes == c).nonzero().flatten()[:5] for c in range(10)])
    (tmp_path / "few").mkdir()
    images = write_digits(tmp_path / "few", Split(samples.images[few], samples.classes[few]))
    line = ["guard", "lenet-mnist", "--images", str(images), "--kind", "margin", *words, "--out", str(tmp_path / "g")]
    assert main(line) == BAD_INPUT
    assert "expected trusted images of two classes or more; got 0 of 0" in capsys.readouterr().err


def test_a_class_at_its_ceiling_has_the_slope_of_the_ceiling_and_one_below_has_its_own():
    logits = torch.tensor([[800.0, 3.0, 1.0], [2.0, 1.0, 0.0]], requires_grad=True)
    most = torch.full((2, 3), 4.0, dtype=torch.float64, requires_grad=True)
    height = class_log_odds(limit_odds(logits, most), torch.tensor([0, 0]))
    own, up = torch.autograd.grad(height.sum(), (logits, most))
    assert torch.allclose(up, torch.tensor([[1.0, 0.0, 0.0], [0.0, 0.0, 0.0]], dtype=torch.float64), atol=1e-12)
    assert own[0].abs().max() < 1e-6
    assert own[1, 0] == 1.0


# The guard


def test_certainty_is_borne_where_there_is_enough_slack_and_half_its_log_odds_at_the_threshold():
    guard = DoubtingGuard(Said(3), (0.5, 1.0, 2.0))
    slack = torch.tensor([[0.0, 0.0, 0.0], [0.5, 1.0, 2.0], [1.5, 3.0, 6.0], [-9.0, -9.0, -9.0]]).double()
    found = guard.ceiling(slack)
    assert torch.allclose(found, torch.tensor([[0.5], [1.0], [2.0], [0.5]], dtype=torch.float64) * LEVEL)
    assert round(HALF, 3) == 0.909  # as the documentation says


def test_only_certainty_changes(lenet, samples):
    images = from_levels(samples.images)
    plain, doubtful = Guarded(lenet, Said()), Guarded(lenet, DoubtingGuard(Said(), (0.5,) * 10))
    one, other = plain.judge(images), doubtful.judge(images)
    before, after = log_odds(one.logits).max(1), log_odds(other.logits).max(1)
    assert torch.equal(one.slack, other.slack)
    assert torch.equal(before.indices, after.indices)
    own = one.slack.gather(1, before.indices.unsqueeze(1)).squeeze(1)
    assert torch.equal(after.values >= LEVEL, (before.values >= LEVEL) & (own >= 0.5))
    assert (before.values > after.values).any()
    assert (before.values == after.values).any()


def test_an_attack_on_both_climbs_the_slack_where_that_is_what_limits(lenet, samples):
    images = from_levels(samples.images[:4]).requires_grad_()
    target = Guarded(lenet, DoubtingGuard(Said(), (50.0,) * 10))
    named = lenet.judge(images.detach()).logits.argmax(1)
    height = class_log_odds(target.judge(images).logits, named)
    (slope,) = torch.autograd.grad(height.sum(), images)
    keeps = named < 9  # the last class is refused, and has a ceiling that does not move
    assert (slope[keeps] > 0.0).all()  # brighter is more slack


@pytest.mark.parametrize("kinds", [("kde",), ("certified",), ("kde", "margin")])
def test_the_share_that_is_doubted_is_the_one_asked_for(kinds, samples, lenet, tmp_path):
    trusted = trusted_digits(samples, lenet, doubts=0.4)
    guard = fit_guard(kinds[0], trusted, kinds[1:])
    assert isinstance(guard, DoubtingGuard)
    assert guard.name == f"{'+'.join(kinds)} with doubt"
    bare = fit_guard(kinds[0], replace(trusted, doubts=0.0), kinds[1:])
    assert guard.guard.fingerprint() == bare.fingerprint() != guard.fingerprint()
    assert (guard.uses, guard.needs) == (bare.uses, bare.needs)
    slack = guard.slack(trusted.held_outputs, from_levels(trusted.held.images))
    own = guard.ceiling(slack).gather(1, trusted.held.classes.unsqueeze(1)).squeeze(1)
    for c in range(10):
        share = wilson(int((own[trusted.held.classes == c] < LEVEL).sum()), int((trusted.held.classes == c).sum()))
        assert share.low <= 0.4 <= share.high
    held = from_levels(trusted.held.images)
    assert examine_guard(guard, lenet, held[::2], trusted.held.classes[::2]).findings == ()


CEILINGS = {
    "numbers of another kind": (lambda of, slack: of(slack).float(), "must be float64"),
    "no column": (lambda of, slack: of(slack)[:, :0], "must be float64"),
    "below even odds": (lambda of, slack: of(slack) - 6.0, "must be above 0"),
    "from all of a batch": (lambda of, slack: of(slack) + slack.mean(), "changed with the other inputs"),
    "upside down": (lambda of, slack: 1.0 + (-of(slack)).exp(), "falls where the slack rises"),
    "a hard gate": (lambda of, slack: 1.0 + (of(slack) > 4.0).double(), "has no slope"),
    "cut off": (lambda of, slack: of(slack).detach(), "has no slope"),
}


@pytest.mark.parametrize("name", CEILINGS)
def test_the_kit_names_a_planted_ceiling(name, samples, lenet):
    trusted = trusted_digits(samples, lenet, doubts=0.4)
    guard = fit_guard("pca-residual", trusted)
    natural, classes = from_levels(trusted.held.images[::2]), trusted.held.classes[::2]
    assert examine_guard(guard, lenet, natural, classes).conforms
    planted, words = CEILINGS[name]
    of = guard.ceiling
    object.__setattr__(guard, "ceiling", lambda slack: planted(of, slack))
    findings = examine_guard(guard, lenet, natural, classes).findings
    assert all(finding.startswith("The ceiling") for finding in findings)
    assert any(words in finding for finding in findings)


def test_few_images_share_one_bound(samples, lenet):
    trusted = trusted_digits(samples, lenet)
    few = Split(trusted.held.images[:20], trusted.held.classes[:20])
    guard = doubting(Said(), Split(few.images, few.classes.clamp(max=8)), trusted.held_outputs.take(slice(20)), 9, 0.3)
    assert len(set(guard.enough)) == 1
    assert len(guard.enough) == 9


@pytest.mark.parametrize("columns", [2, 3])
def test_a_class_for_none_of_these_is_not_limited(columns):
    names = ("a", "b", "none")

    class Answers:
        name, labels, link = "answers", names, "softmax"
        declared = Declaration(labels=names, abstain="none")

        def judge(self, inputs):
            return Outputs(torch.tensor([[0.0, 0.0, 90.0]]).expand(len(inputs), 3))

    found = Guarded(Answers(), DoubtingGuard(Said(columns), (1.0, 1.0))).judge(torch.zeros(2, 1, 2, 2))
    assert found.logits.tolist() == [[0.0, 0.0, 90.0]] * 2


@pytest.mark.parametrize("kinds", [("pca-residual",), ("mahalanobis", "pca-residual")])
def test_what_is_borne_does_not_hang_on_the_other_images_of_a_batch(kinds, samples):
    target = load_target("lenet-mnist", Declaration(layer="net.6"))
    trusted = trusted_digits(samples, target, doubts=0.4, layer="net.6")
    guard = fit_guard(kinds[0], trusted, kinds[1:])
    images = from_levels(samples.images[:64])
    said = target.judge(images)
    whole = guard.ceiling(guard.slack(said, images))
    for rows in (slice(1, 3), slice(54, 63), slice(10, 20), slice(3, 30)):
        assert torch.equal(guard.ceiling(guard.slack(said.take(rows), images[rows])), whole[rows])


@pytest.mark.parametrize("means", ["rounded", "quantised", "saturated"])
def test_what_a_classifier_hides_is_found_behind_a_guard_that_doubts(means):
    rows = torch.linspace(-2.0, 2.0, 4 * 64).reshape(4, 64)

    def said(batch):
        odds = 8 * torch.from_numpy(batch).flatten(1) @ (rows * (rows * 977).sin()).T
        p = odds.softmax(1).double()
        if means == "rounded":
            return p.numpy().round(3)
        votes = torch.nn.functional.one_hot(torch.stack([p.argmax(1), odds.roll(1, 1).argmax(1)]), 4).double()
        return (votes[0] if means == "saturated" else 0.75 * votes[0] + 0.25 * votes[1]).numpy()

    target = load_target(said, Declaration(shape=(1, 8, 8), labels=tuple("abcd"), outputs="probabilities"))
    bare, behind = preflight(target), preflight(Guarded(target, DoubtingGuard(Said(4), (4.0,) * 4)))
    (own,) = [finding for finding in bare.findings if finding.name == means]
    assert own in behind.findings
    assert behind.floor == bare.floor
    assert behind.forwards == bare.forwards + 24


def test_what_was_found_against_a_guard_that_doubts_is_verified_from_disk(folder, tmp_path):
    guard = tmp_path / "guard"
    trompe.guard("lenet-mnist", images=str(folder), kind="pca-residual", false_alarms=0.05, doubts=0.6, out=guard)
    run = trompe.fool("lenet-mnist", guard=guard, by="ascend", generations=25, out=tmp_path / "run")
    found = trompe.verify(tmp_path / "run")
    assert found.passed
    assert any(record.first(0.99) is not None for record in run.classes)


def test_why_is_said_of_what_the_classifier_itself_answers(samples, lenet):
    trusted = trusted_digits(samples, lenet, doubts=0.6)
    behind = Guarded(lenet, fit_guard("margin", trusted))
    images = from_levels(samples.images)
    refused = [(i, verdict) for i, verdict in enumerate(GuardedClassifier(behind)(images)) if not verdict.accepted]
    assert refused
    for i, verdict in refused:
        outputs = behind.judge(images[i : i + 1])
        slack = float(outputs.slack[0, outputs.logits.argmax()])
        assert f"margin with doubt: {slack:.2f}," in verdict.why


# The command


def test_the_command_stores_what_doubts_and_says_how_much_is_certain(folder, tmp_path, capsys, samples):
    words = ["guard", "lenet-mnist", "--images", str(folder), "--kind", "kde", "--false-alarms", "0.05"]
    assert main([*words, "--doubts", "0.4", "--out", str(tmp_path / "doubts"), "--json"]) == 0
    doubts = json.loads(capsys.readouterr().out)
    assert main([*words, "--out", str(tmp_path / "plain")]) == 0
    assert "accepted at 99 %" in capsys.readouterr().out
    plain = read_card(tmp_path / "plain")
    assert doubts["kind"] == plain.kind == "kde"
    assert doubts["command"].endswith("--doubts 0.4")
    for key in ("false_alarms", "coverage", "accepted_and_correct"):
        assert doubts["measured"][key] == plain.measured[key]
    assert doubts["measured"]["certain"]["count"] < plain.measured["certain"]["count"]
    loaded = load_guard(tmp_path / "doubts")
    assert isinstance(loaded, DoubtingGuard)
    assert loaded.fingerprint() == doubts["fingerprint"]
    classify = trompe.load_guarded("lenet-mnist", tmp_path / "doubts")
    sure = [verdict.confidence >= CERTAIN for verdict in classify(from_levels(samples.images))]
    assert 0 < sum(sure) < len(sure)


def test_what_is_certain_is_counted_as_the_guarded_classifier_says(samples, lenet):
    guard = DoubtingGuard(Said(), (0.5,) * 10)
    found = Guarded(lenet, guard).judge(from_levels(samples.images))
    won = found.logits.argmax(1, keepdim=True)
    passed = found.slack.gather(1, won) >= 0.0
    wanted = int((passed & (log_odds(found.logits).gather(1, won) >= LEVEL)).sum())
    assert measure(guard, lenet, samples).certain.count == wanted > 0


@pytest.mark.parametrize("doubts", ["0.05", "1", "-0.2"])
def test_a_share_that_cannot_be_doubted_is_one_line(doubts, folder, tmp_path, capsys):
    words = ["guard", "lenet-mnist", "--images", str(folder), "--false-alarms", "0.05", "--doubts", doubts]
    assert main([*words, "--out", str(tmp_path / "guard")]) == BAD_INPUT
    said = capsys.readouterr().err
    assert "expected a share above --false-alarms, 0.05, and below 1" in said
    assert "--doubts" in said
    assert not (tmp_path / "guard").exists()


def test_a_share_that_the_guard_refuses_already_is_refused(samples, lenet):
    trusted = trusted_digits(samples, lenet)
    with pytest.raises(BadInput, match="above that of the images that the guard refuses") as raised:
        doubting(Said(), trusted.held, trusted.held_outputs, 10, 0.01)  # it refuses one class in ten
    assert raised.value.where == "--doubts"
