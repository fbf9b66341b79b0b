"""Why networks are easily fooled: answers follow from verdicts, predictions are counted honestly, lines are walked."""

import json
import math

import pytest
import torch
from torch import nn

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput
from trompe.data import load
from trompe.experiments import consulting, joint, linearity, listing, posterior
from trompe.experiments.answers import PREDICTED, predictions, say
from trompe.experiments.bounded import Mixed, tanh
from trompe.experiments.figures import histograms
from trompe.experiments.nouns import Answer, Claim, Effort, Experiment, Measured, Prediction, Question, Unit
from trompe.experiments.page import render
from trompe.experiments.report import Account, sections
from trompe.experiments.runs import pack
from trompe.experiments.verdicts import judge

WHERE = "on 12 models and nothing"
GUESS = Prediction("It is 1.", "2026-11-21", seen=False)
CLAIM = Claim("more", "It is above 0.", "direction", "trained model", "", "asked here", 0.0, prediction=GUESS)
QUESTION = Question("Is it <more>?", "it is.", (Answer("more", "Yes, it is more.", "No, it is not more."),))
UP = [1.0 + 0.01 * i for i in range(12)]


def verdict(values, **more):
    return judge(CLAIM, Measured(tuple(values), WHERE, **more))


def test_an_answer_is_what_the_verdict_makes_it():
    for found, text, decided in (
        (verdict(UP), "Yes, it is more.", True),
        (verdict([-value for value in UP]), "No, it is not more.", True),
        (verdict(UP, short="2 of 12"), "Not decided: “Yes, it is more.”", False),
        (verdict((), missing="no package"), "Not answered here: “Yes, it is more.”", False),
    ):
        (said,) = say(QUESTION, {"more": found})
        assert (said.text, said.decided) == (text, decided)
        assert WHERE in said.because


def made(values, prediction=GUESS):
    claim = Claim("more", "It is above 0.", "direction", "trained model", "", "here", 0.0, prediction=prediction)
    return Experiment(
        "made", "Made", (claim,), 12, ("None.",), "nothing", units=lambda *_: [Unit("u", lambda _: {})],
        measure=lambda *_: {"more": Measured(tuple(values), WHERE)}, questions=(QUESTION,),
    )  # fmt: skip


def account(*made_ones):
    found = {f"made-{i}": (one, {"u": {"data": {}, "seconds": 1.0}}) for i, one in enumerate(made_ones)}
    return Account(sections(found, Effort()), Effort(), "trompe why", "machine", {}, "why")


def test_only_what_no_pilot_had_seen_counts_as_predicted():
    seen = Prediction("It is 1.", "2026-11-21", seen=True)
    down = [-value for value in UP]
    found = predictions(account(made(UP), made(UP), made(down), made(UP, seen), made(down, seen)).sections)
    assert found == [(PREDICTED[0], 2), (PREDICTED[1], 1), (PREDICTED[3], 2)]
    assert predictions(account(made(UP, None)).sections) == []


def test_the_page_asks_and_answers():
    text = render(account(made(UP)))
    assert text.count("Is it &lt;more&gt;?") == 2
    assert text.count("Yes, it is more.") == 2
    assert "No, it is not more." not in text
    assert "predicted</dt><dd>It is 1. (2026-11-21; no pilot had shown this)" in text
    assert "<b>1</b> predicted, and so it is" in text


def test_the_listing_is_sound(tmp_path, capsys):
    for one in listing.experiments((), listing.WHY):
        names = {claim.name for claim in one.claims}
        assert len(names) == len(one.claims)
        assert one.questions
        assert one.seeds >= 12  # fewer cannot decide a page of this many claims
        assert {answer.claim for question in one.questions for answer in question.answers} <= names
        for claim in one.claims:
            assert claim.prediction is not None
            assert math.isfinite(claim.low) or math.isfinite(claim.high)
            assert not claim.theirs
    assert main(["why", "--list", "--out", str(tmp_path / "none")]) == 0
    assert "linearity: " in capsys.readouterr().out
    assert not (tmp_path / "none").exists()
    with pytest.raises(BadInput, match="linearity"):
        listing.experiment("linearty", listing.WHY)
    with pytest.raises(BadInput, match="mnist-direct"):
        trompe.paper(("linearity",), list=True)


# What each experiment makes of what is known.


class Line(nn.Module):
    """Logits proportional to the mean of an image: far away the first class, without end."""

    def forward(self, images):
        mean = images.double().mean((1, 2, 3))
        return torch.stack([mean, torch.zeros_like(mean)], 1)


def test_along_a_line_a_linear_model_is_certain_and_a_bounded_one_is_not():
    images = torch.full((3, 1, 28, 28), 0.5)
    found = linearity.along(Line(), images)
    assert found["far"] == 1.0
    assert found["odds"][:2] == pytest.approx([0.5, 0.5 * linearity.SCALES[1]])
    assert found["odds"][-1] == 1000.0
    assert max(found["cut"]) == pytest.approx(1.0)  # a white image
    assert found["kept"] == 0.0
    flat = linearity.along(nn.Sequential(Line(), nn.Tanh()), images)
    assert (flat["far"], flat["kept"]) == (0.0, "none")


def test_a_mixed_model_believes_near_images_and_nobody_far_away():
    from trompe.data import Split

    levels = torch.zeros(80, 1, 28, 28, dtype=torch.uint8)
    for i in range(80):
        levels[i, 0, i % 20, : 5 + i // 20] = 255
    classes = torch.arange(80) % 10
    split = Split(levels, classes)
    inner = tanh()
    for number, weight in enumerate(inner.parameters()):
        nn.init.constant_(weight, 0.01 * (number + 1))
    inner[5].bias.data[3] = 9.0
    with torch.no_grad():
        model = Mixed(inner, split)
        near, far = model(levels[:40].float() / 255.0), model(1e6 * torch.ones(2, 1, 28, 28))
    assert torch.allclose(near.exp().sum(1), torch.ones(40).double())
    assert float(near[:, 3].exp().min()) > 0.5
    assert torch.allclose(far, torch.full_like(far, -math.log(10.0)))


def test_linearity_compares_saturating_with_rectified_units():
    far = {"linear": 1.0, "rectified": 0.75, "tanh": 0.25, "radial basis": 0.0, "mixed": 0.0}
    one = {"kinds": {name: {"far": share, "kept": "none"} for name, share in far.items()}}
    two = {"kinds": {**one["kinds"], "rectified": {"far": 1.0, "kept": 0.5}}}
    found = linearity.measure({"a": one, "b": two}, Effort())
    assert found["tanh"].values == (0.5, 0.75)
    assert found["clipped"].values == (0.5,)
    assert linearity.measure({"a": one}, Effort("quick"))["linear"].short


@pytest.mark.slow
def test_all_of_it_runs_quickly_and_decides_nothing_by_too_little(tmp_path):
    found = trompe.why(quick=True, out=tmp_path / "all")
    assert [part.experiment.name for part in found.sections] == list(listing.REASONS)
    verdicts = [one for part in found.sections for one in part.verdicts]
    assert all(one.outcome in {"undecided", "cannot be run here"} or one.claim.kind == "existence" for one in verdicts)
    assert json.loads((tmp_path / "all" / "why.json").read_text())["command"] == "trompe why --quick --out DIR"
    assert "http" not in (tmp_path / "all" / "why.html").read_text().replace("http-equiv", "")


def seeds(**numbers):
    """What one seed found, the same numbers for every kind."""
    return {"kinds": {kind: dict(numbers) for kind in posterior.KINDS}}


def test_posteriors_on_noise_are_compared_with_networks_of_the_same_seed():
    one = seeds(fooled=1.0, noise=0.5)
    for kind in posterior.DISCRIMINATIVE:
        one["kinds"][kind]["noise"] = 0.1
    one["kinds"]["qda"]["noise"] = 0.9
    found = posterior.measure({"a": one, "b": one}, Effort())
    assert found["noise"].values == pytest.approx((0.5, 0.5))
    assert found["noise-learned"].values == pytest.approx((0.4, 0.4))
    assert found["classic"].values == (1.0, 1.0)


def test_what_nobody_can_read_is_not_measured_and_what_somebody_reads_is(monkeypatch):
    images = pack(torch.zeros(10, 1, 28, 28, dtype=torch.uint8))
    one = seeds(plain=images, logit=images, **{f"{score}-{key}": 0.25 for score in consulting.SCORES
                                               for key in ("static", "fooled")})  # fmt: skip
    monkeypatch.setattr(consulting, "readers", lambda *_: ())
    found = consulting.measure({"a": one}, Effort())
    assert found["readable"].missing
    assert found["static"].values == (0.25,)
    monkeypatch.setattr(consulting, "readers", lambda *_: (type("Eye", (), {"name": "eye"}),))
    known = {"logit": 0.75, "plain": 0.25}
    for kind, entry in one["kinds"].items():
        for key in known:
            entry[key] = (kind, key)
    monkeypatch.setattr(consulting, "unpack", lambda texts, _: texts)
    monkeypatch.setattr(consulting, "readable", lambda _, texts, __: known[texts[1]])
    found = consulting.measure({"a": one}, Effort())
    assert found["readable"].values == pytest.approx((0.5,))


class Half(nn.Module):
    """Sure of class 1 where the first value is above a half, of class 0 elsewhere."""

    def forward(self, images):
        first = 40.0 * (images[:, :, 0, 0] - 0.5)
        return torch.cat([-first, first], 1)


def test_what_is_refused_is_not_fooled():
    from trompe.core.specs import ImageSpec
    from trompe.targets import TorchTarget
    from trompe.targets.guarded import Guarded

    target = TorchTarget("half", Half().eval(), ImageSpec(1, 4, 4), ("low", "high"))
    levels = torch.zeros(2, 1, 4, 4, dtype=torch.uint8)
    levels[1] = 255
    assert joint.fooled(target, levels) == 1.0
    assert joint.fooled(target, levels.flip(0)) == 0.0

    class Dark:
        name, needs, uses = "dark", frozenset({"inputs"}), frozenset({"function:dark"})

        def slack(self, outputs, inputs):
            del outputs
            return (0.5 - inputs.mean((1, 2, 3))).double().unsqueeze(1).expand(-1, 2)

        def fingerprint(self):
            return "dark"

    guarded = Guarded(target, Dark())
    assert joint.accepted(guarded, levels).tolist() == [True, False]
    assert joint.fooled(guarded, levels) == 0.5
    assert joint.worths(guarded, levels).tolist() == pytest.approx([40.0, 40.0 - 1e4])


def test_images_of_one_seed_are_no_other_seeds_and_none_that_readers_were_fitted_to():
    first, second = joint.own_images(0), joint.own_images(1)
    train = load("mnist").train
    assert torch.equal(first.images, train.images[:4000:2])
    assert torch.equal(second.images, train.images[4000:8000:2])


def test_histograms_are_drawn_and_told():
    figure = histograms("h", [("a", [0.0, 0.0, 1.0]), ("b", [])])
    assert figure.markup.count('class="bar"') == 2
    assert figure.text == "h. a: median 0.0."
    assert histograms("h", []).text.endswith("not measured")
