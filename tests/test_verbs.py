"""The verbs through Python: what a run keeps, when it stops, what it refuses, what verification notices."""

import hashlib
import inspect
import json
import os
import shutil
import sqlite3
import subprocess
import sys
from copy import deepcopy
from dataclasses import fields, replace

import numpy
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from tiny import make_tiny_target

import trompe
from trompe.core.errors import BadInput, RunError, TargetError
from trompe.core.numerics import level_odds, log_odds
from trompe.core.types import Outputs
from trompe.encodings import PIXEL_PRESETS
from trompe.run import open_run
from trompe.search import RULES, SQUARES, JudgeSettings
from trompe.settings import AuditSettings, FoolSettings, RerunSettings, TrainSettings, VerifySettings
from trompe.targets import TorchTarget
from trompe.verbs.audit import audit_session, prepare_audit
from trompe.verbs.fool import Attempt, Session
from trompe.verbs.methods import parse_time
from trompe.verbs.verify import confirm

SHORT = {"generations": 6, "population": 40, "batch": 20, "confidence": None}


class Counting:
    """A target that does something else at its k-th call."""

    def __init__(self, inner, at, act):
        self.inner, self.at, self.act, self.calls = inner, at, act, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def judge(self, inputs):
        self.calls += 1
        return self.act(self.inner, inputs) if self.calls == self.at else self.inner.judge(inputs)


def interrupt(inner, inputs):
    raise KeyboardInterrupt


def go(target, out, **changes):
    return trompe.fool_with(FoolSettings(target.name, out=out, **{**SHORT, **changes}), target)


def files(folder):
    return {
        str(path.relative_to(folder)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


def pngs(folder):
    return {name: value[0] for name, value in files(folder).items() if name.endswith(".png")}


@pytest.fixture(scope="module")
def lenet_run(tmp_path_factory):
    """Two classes of lenet-mnist at 99 %, through the keyword interface."""
    out = tmp_path_factory.mktemp("verbs") / "run"
    return trompe.fool("lenet-mnist", by="evolve", classes=("8", "3"), confidence=0.99, out=out)


@pytest.fixture
def copy(lenet_run, tmp_path):
    return shutil.copytree(lenet_run.folder, tmp_path / "copy")


def test_a_run_is_asked_by_class_and_level(lenet_run):
    first, strongest = lenet_run["8"].first(0.99), lenet_run["8"].strongest
    assert level_odds(0.99) <= first.log_odds <= strongest.log_odds
    assert first.label == "8"
    assert str(lenet_run.confident(0.99)) == "at least 2 of 2 attempted"
    assert [record.label for record in lenet_run.classes] == ["3", "8"]  # the target's order, not the option's
    assert lenet_run.searches[0].reason == "confidence"
    with pytest.raises(BadInput, match=r"expected one of 3, 8; got '7'"):
        lenet_run["7"]
    with pytest.raises(BadInput, match=r"expected one of the run's levels 0\.5, 0\.9, 0\.99, 0\.9999; got 0\.95"):
        lenet_run.confident(0.95)


def test_what_is_kept_scores_what_is_said_when_judged_by_hand(lenet_run):
    """Against the network itself, without the project's judge: the image and the number belong together."""
    target = trompe.load_target("lenet-mnist")
    for record in lenet_run.classes:
        for kept in record.kept():
            path = lenet_run.folder / kept.file
            with Image.open(path) as image:
                pixels = torch.from_numpy(numpy.array(image)).float().reshape(1, 1, 28, 28) / 255
            assert torch.equal(pixels[0], kept.image)
            odds = log_odds(target.module(pixels))[0, int(kept.label)].item()
            assert odds == pytest.approx(kept.log_odds, abs=1e-4)
            assert kept.level is None or kept.log_odds >= level_odds(kept.level)


def test_the_first_image_of_a_level_is_older_than_the_strongest_and_the_levels_are_in_order(lenet_run):
    for record in lenet_run.classes:
        ages = [record.first(level).evaluations for level in (0.5, 0.9, 0.99)]
        assert ages == sorted(ages)
        assert record.first(0.5).log_odds < record.strongest.log_odds


@pytest.mark.parametrize(
    ("verb", "settings"),
    [("fool", FoolSettings), ("verify", VerifySettings), ("rerun", RerunSettings), ("train", TrainSettings)],
)
def test_a_verb_takes_the_fields_of_its_settings(verb, settings):
    parameters = inspect.signature(getattr(trompe, verb)).parameters
    assert list(parameters) == [field.name for field in fields(settings)]
    with pytest.raises(TypeError, match="no_such_setting"):
        getattr(trompe, verb)("something", **({} if verb == "verify" else {"out": "there"}), no_such_setting=1)


def test_all_public_names_exist_and_importing_costs_nothing():
    assert all(getattr(trompe, name) is not None for name in trompe.__all__)
    heavy = {"torch", "numpy", "jaxtyping", "rich.progress"}
    program = f"import sys, trompe, trompe.settings, trompe.cli.main; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    with pytest.raises(AttributeError, match="no attribute 'fools'"):
        trompe.fools  # noqa: B018


@pytest.mark.parametrize("budget", [1, 39, 40, 47, 100])
def test_a_budget_is_kept_to_the_evaluation(budget, tiny, tmp_path):
    search = go(tiny, tmp_path / "run", budget=budget).searches[0]
    assert (search.evaluations, search.reason) == (budget, "budget")


def test_generations_are_what_was_asked_for(tiny, tmp_path):
    search = go(tiny, tmp_path / "run").searches[0]
    assert (search.evaluations, search.reason, search.steps) == (40 + 6 * 40, "generations", 1 + 6 * 2)


def test_confidence_stops_at_the_first_step_that_has_it_in_every_class(tiny, tmp_path):
    run = go(tiny, tmp_path / "run", confidence=0.9, generations=500)
    lowest = [step["lowest"] for step in run.steps()]
    assert run.searches[0].reason == "confidence"
    assert lowest[-1] >= level_odds(0.9)
    assert all(value < level_odds(0.9) for value in lowest[:-1])


def test_time_stops_a_run_that_would_go_on(tiny, tmp_path):
    run = go(tiny, tmp_path / "run", generations=10**6, time="0.3s")
    assert run.searches[0].reason == "time"
    assert run.searches[0].seconds >= 0.3


@pytest.mark.parametrize("text", ["", "m", "-1s", "0", "1d", "nan", "inf", "1 h 3"])
def test_a_time_that_is_none_is_refused(text):
    with pytest.raises(BadInput, match=r"--time: expected a time above 0 like 90s, 10m or 2h"):
        parse_time(text)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"budget": 0}, r"--budget: expected a number of at least 1; got 0"),
        ({"population": 0}, r"--population: expected a number of at least 1; got 0"),
        ({"generations": -1}, r"--generations: expected a number of at least 0; got -1"),
        ({"batch": 7}, r"--batch: expected a divisor of the population 40; got 7"),
        ({"confidence": 1.0}, r"--confidence: expected a confidence strictly between 0 and 1; got 1"),
        ({"seed": -1}, r"--seed: expected a number of at least 0; got -1"),
        ({"threads": 0}, r"--threads: expected a number of at least 1; got 0"),
        ({"classes": ("north", "nort")}, r"--classes: expected one of north, .*; got 'nort'\. Did you mean 'north'\?"),
        ({"classes": ("north", "north")}, r"--classes: expected each class once"),
        ({"preset": "innovation"}, r"--preset .*expected one of paper, released-code, thrifty; got 'innovation'"),
    ],
)
def test_settings_out_of_range_are_refused_before_anything_is_written(changes, message, tiny, tmp_path):
    with pytest.raises(BadInput, match=message):
        go(tiny, tmp_path / "run", **changes)
    assert not (tmp_path / "run").exists()


class Opaque(torch.nn.Module):
    """Answers as another module does, and lets no gradient through."""

    def __init__(self, module, how):
        super().__init__()
        self.module, self.how = module, how

    def forward(self, images):
        return self.module(images).detach() if self.how == "detached" else self.module(images.round().detach())


class Spread(torch.nn.Module):
    """Divides by each image's own spread, as is common; of an even image that is 0 / 0."""

    def forward(self, images):
        mean = images.mean((1, 2, 3), keepdim=True)
        return (images - mean) / images.std((1, 2, 3), keepdim=True)


@pytest.mark.parametrize("how", ["detached", "unreached"])
def test_a_target_without_gradient_is_refused_before_anything_is_written(how, tiny, tmp_path):
    module = deepcopy(tiny.module).requires_grad_(how == "unreached")
    opaque = TorchTarget("tiny-0", Opaque(module, how).eval(), tiny.spec, tiny.labels)
    with pytest.raises(TargetError, match="target tiny-0: expected a target that torch can take a gradient through"):
        trompe.fool_with(FoolSettings("tiny-0", by="ascend", out=tmp_path / "run"), opaque)
    with pytest.raises(TargetError, match="target tiny-0: expected a target that torch can take a gradient through"):
        audit_session(AuditSettings("tiny-0", methods=("pixels-ascend",), out=tmp_path / "run"), opaque)
    assert not (tmp_path / "run").exists()
    kinds = [
        attempt.method for attempt in prepare_audit(AuditSettings("tiny-0", out=tmp_path / "run"), opaque).attempts
    ]
    assert kinds == ["pixels-evolve", "cppn-evolve", "pixels-squares"], "by default what cannot be climbed is not"
    trompe.fool_with(FoolSettings("tiny-0", by="squares", generations=1, out=tmp_path / "run"), opaque)


def test_a_target_that_has_no_answer_for_an_even_image_can_be_climbed(tiny, tmp_path):
    module = torch.nn.Sequential(Spread(), tiny.module).eval()
    spread = TorchTarget("tiny-0", module, tiny.spec, tiny.labels)
    run = trompe.fool_with(FoolSettings("tiny-0", by="ascend", out=tmp_path / "run"), spread)
    assert run.searches[0].steps


@pytest.mark.parametrize("call", [1, 2, 3, 8, 13])
def test_interrupted_and_resumed_equals_never_interrupted(call, tiny, tmp_path):
    whole = go(tiny, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        go(Counting(tiny, call, interrupt), tmp_path / "cut")
    assert open_run(tmp_path / "cut").state == "interrupted"
    resumed = go(tiny, tmp_path / "cut", resume=True)
    assert resumed.digest() == whole.digest()
    assert pngs(resumed.folder) == pngs(whole.folder)


@pytest.mark.parametrize("encoding", ["pixels", "cppn"])
def test_resuming_a_finished_run_touches_nothing(encoding, tiny, tmp_path):
    go(tiny, tmp_path / "run", encoding=encoding)
    before = files(tmp_path / "run")
    go(tiny, tmp_path / "run", encoding=encoding, resume=True)
    assert files(tmp_path / "run") == before


def test_a_run_that_ended_but_was_not_published_is_published_by_resume(tiny, tmp_path):
    """A kill may come between the last step and the results."""
    run = go(tiny, tmp_path / "run")
    kept = pngs(run.folder)
    (run.folder / "results.json").unlink()
    shutil.rmtree(run.folder / "images")
    go(tiny, tmp_path / "run", resume=True)
    assert pngs(run.folder) == kept
    assert json.loads((run.folder / "results.json").read_text())["state"] == "done"


@pytest.mark.parametrize("key", ["seed", "generations", "preset", "population", "confidence", "classes"])
def test_resume_with_other_settings_is_refused(key, tiny, tmp_path):
    go(tiny, tmp_path / "run")
    other = {"seed": 1, "generations": 7, "preset": "released-code", "population": 60, "confidence": 0.9}
    with pytest.raises(RunError, match=rf"expected the settings the run was begun with, --{key} .*; got "):
        go(tiny, tmp_path / "run", resume=True, **{key: other.get(key, ("north",))})


@pytest.mark.parametrize(
    ("changes", "numbers"),
    [
        ({"by": "ascend"}, {"step": 0.1, "momentum": 0.75, "start": "uniform", "generations": 3, "batch": 4}),
        ({"by": "squares"}, {"area": 0.3, "halving": 10, "start": "uniform", "generations": 3, "batch": 4}),
        ({"by": "ascend", "preset": "nguyen-l2", "start": "grey"}, {"late": 0.02, "decay": 0.01, "start": "grey"}),
        ({"by": "evolve", "preset": "thrifty", "confidence": 0.5}, {"preset": "thrifty", "goal": 0.0}),
        ({"by": "evolve"}, {"preset": "paper", "population": 200, "batch": 50, "generations": 3}),
        ({"by": "scatter", "batch": 20, "population": 40}, {"preset": "paper", "population": 40, "batch": 20}),
    ],
)
def test_a_run_says_its_numbers_and_not_only_the_name_of_a_preset(changes, numbers, tiny, tmp_path):
    """The name may stand for others in the next version."""
    run = trompe.fool_with(
        FoolSettings("tiny-0", out=tmp_path / "run", generations=3, **{"confidence": None, **changes}), tiny
    )
    recorded = run.about.search[f"pixels-{changes['by']}"]
    assert {name: recorded[name] for name in numbers} == numbers
    assert ("population" in recorded) == (changes["by"] in ("evolve", "scatter"))


@pytest.mark.parametrize("by", ["ascend", "squares"])
def test_one_class_at_a_time_pads_nothing(by, tiny, tmp_path):
    """The way to the fewest rows; in a group, closed classes leave places in the batch that are padded."""
    forwards = {}
    for batch in (1, 4):
        settings = FoolSettings("tiny-0", by=by, batch=batch, out=tmp_path / str(batch))
        search = trompe.fool_with(settings, tiny).searches[0]
        assert search.reason == "confidence"
        forwards[batch] = search.forwards - search.evaluations
    assert forwards[1] == 0 < forwards[4]


def test_an_audit_says_the_numbers_of_every_method(tiny, tmp_path):
    settings = AuditSettings("tiny-0", methods=("pixels-ascend", "pixels-scatter"), budget=60, out=tmp_path / "run")
    with audit_session(settings, tiny) as session:
        numbers = session.about.search
    assert list(numbers) == ["pixels-ascend", "pixels-scatter"]
    assert numbers["pixels-ascend"]["preset"] == "sign-momentum"
    assert numbers["pixels-scatter"]["population"] == 200


@pytest.mark.parametrize(
    ("by", "presets", "name", "change", "said"),
    [
        ("ascend", RULES, "sign-momentum", {"step": 0.2}, r"step 0\.1 of pixels-ascend; got 0\.2\."),
        ("squares", SQUARES, "random-squares", {"area": 0.5}, r"area 0\.3 of pixels-squares; got 0\.5\."),
        (
            "evolve",
            PIXEL_PRESETS,
            "paper",
            {"mutation_index": 9.0},
            r"mutation_index 15\.0 of pixels-evolve; got 9\.0\.",
        ),
    ],
)
def test_resume_is_refused_where_a_preset_stands_for_other_numbers_now(
    by, presets, name, change, said, tiny, tmp_path, monkeypatch
):
    settings = FoolSettings("tiny-0", by=by, out=tmp_path / "run", generations=3, confidence=None)
    whole = trompe.fool_with(settings, tiny)
    resumed = replace(settings, resume=True)
    assert trompe.fool_with(resumed, tiny).digest() == whole.digest()
    before = files(tmp_path / "run")
    monkeypatch.setitem(presets, name, replace(presets[name], **change))
    with pytest.raises(RunError, match=rf"--resume \S+: expected the numbers the run was begun with, {said} Go on"):
        trompe.fool_with(resumed, tiny)
    assert files(tmp_path / "run") == before


def test_a_run_from_before_the_numbers_were_recorded_can_be_resumed(tiny, tmp_path):
    go(tiny, tmp_path / "run")
    connection = sqlite3.connect(tmp_path / "run" / "run.sqlite")
    connection.execute("DELETE FROM about WHERE key = 'search'")
    connection.commit()
    connection.close()
    assert go(tiny, tmp_path / "run", resume=True).about.search == {}


def test_resume_on_another_target_is_refused(tiny, tmp_path):
    go(tiny, tmp_path / "run")
    other = make_tiny_target(seed=5)
    disguised = TorchTarget(tiny.name, other.module, other.spec, other.labels)
    with pytest.raises(RunError, match="expected target tiny-0 with fingerprint"):
        go(disguised, tmp_path / "run", resume=True)


def test_a_folder_in_use_is_refused_without_resume(tiny, tmp_path):
    go(tiny, tmp_path / "run")
    with pytest.raises(RunError, match=r"got one with a run in it\. Go on with the run by --resume"):
        go(tiny, tmp_path / "run")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("years of work")
    with pytest.raises(RunError, match="got one with other files in it"):
        go(tiny, tmp_path / "mine")


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_logit_that_is_no_number_stops_the_run_and_keeps_what_was_recorded(value, tiny, tmp_path):
    def poison(inner, inputs):
        logits = inner.judge(inputs).logits.clone()
        logits[3, 1] = value
        return Outputs(logits)

    with pytest.raises(TargetError, match=rf"got {value} for class 'east' in row 3 of 20"):
        go(Counting(tiny, 6, poison), tmp_path / "run")
    run = open_run(tmp_path / "run")
    assert run.searches[0].steps == 4  # two calls for the beginning, one for each later step
    whole = go(tiny, tmp_path / "whole")
    assert go(tiny, tmp_path / "run", resume=True).digest() == whole.digest()


def test_a_model_with_other_outputs_than_labels_is_refused(tiny, tmp_path):
    wrong = TorchTarget("wrong", tiny.module, tiny.spec, ("a", "b", "c"))
    with pytest.raises(TargetError, match=r"expected logits of shape \(20, 3\).*; got shape \(20, 4\)"):
        go(wrong, tmp_path / "run")


def test_verification_passes_bit_for_bit_and_writes_nothing(copy, lenet_run):
    before = files(copy)
    found = trompe.verify(copy)
    assert found.passed
    assert found.exact
    assert found.largest == 0.0
    assert found.images == sum(len(record.kept()) for record in lenet_run.classes)
    assert files(copy) == before


def change_pixel(path):
    with Image.open(path) as image:
        image.putpixel((13, 14), (image.getpixel((13, 14)) + 60) % 256)
        image.save(path)


def shrink(path):
    with Image.open(path) as image:
        small = image.resize((14, 14))
    small.save(path)


def recolour(path):
    with Image.open(path) as image:
        coloured = image.convert("RGB")
    coloured.save(path)


def edit_results(path):
    copy = path.parents[2]
    results = json.loads((copy / "results.json").read_text())
    results["classes"][0]["confidence"] = 0.999999
    (copy / "results.json").write_text(json.dumps(results))


@pytest.mark.parametrize(
    ("harm", "word"),
    [
        (change_pixel, "first-0.99.png: log-odds"),
        (lambda path: path.unlink(), "No such file"),
        (lambda path: path.write_bytes(path.read_bytes()[:200]), "expected a PNG written by trompe"),
        (lambda path: path.write_bytes(b""), "expected a PNG written by trompe"),
        (shrink, "expected a PNG of shape (28, 28)"),
        (recolour, "expected a PNG of shape (28, 28)"),
        (edit_results, "its classes is not what the database holds"),
    ],
)
def test_verification_notices(harm, word, copy, lenet_run):
    harm(copy / lenet_run["8"].first(0.99).file)
    found = trompe.verify(copy)
    assert not found.passed
    assert any(word in failure for failure in found.failures)


def test_a_tolerance_is_granted_on_another_machine_only(tiny, tmp_path):
    """On the same type of machine a last bit is a failure; elsewhere 0.001 in log-odds is not."""
    run = go(tiny, tmp_path / "run")
    module = torch.nn.Sequential(tiny.module, Nudge(5e-4))
    nudged = TorchTarget(tiny.name, module.eval(), tiny.spec, tiny.labels)
    assert not confirm(run, nudged).passed
    elsewhere = replace(run, about=replace(run.about, machine="another"))
    assert confirm(elsewhere, nudged).passed
    rough = TorchTarget(tiny.name, torch.nn.Sequential(tiny.module, Nudge(5e-3)).eval(), tiny.spec, tiny.labels)
    assert not confirm(elsewhere, rough).passed


class Nudge(torch.nn.Module):
    """Raises the first logit a little, which moves every log-odds."""

    def __init__(self, by):
        super().__init__()
        self.by = by

    def forward(self, logits):
        return logits + self.by * torch.eye(4)[0]


def test_verify_and_rerun_refuse_other_weights(copy, tmp_path, monkeypatch):
    monkeypatch.setattr("trompe.verbs.verify.load_target", lambda *_, **__: trompe.load_target("lenet-mnist-b"))
    with pytest.raises(RunError, match=r"expected target lenet-mnist with fingerprint .*; got lenet-mnist-b"):
        trompe.verify(copy)


def test_a_run_on_an_object_is_verified_with_the_object(tiny, tmp_path):
    """No name leads to it, so `verify` cannot; and with another network nothing would be verified."""
    run = go(tiny, tmp_path / "run")
    before = files(run.folder)
    found = trompe.verify_with(str(run.folder), tiny)
    assert found.passed
    assert found.exact
    assert found.images == sum(len(record.kept()) for record in run.classes)
    with pytest.raises(RunError, match=r"expected target tiny-0 with fingerprint .*; got tiny-5 with fingerprint"):
        trompe.verify_with(run.folder, make_tiny_target(seed=5))
    assert files(run.folder) == before
    shrink(run.folder / run["north"].strongest.file)
    assert not trompe.verify_with(run.folder, tiny).passed


def test_rerun_gives_the_same_bytes(lenet_run, tmp_path):
    again = trompe.rerun(lenet_run.folder, out=tmp_path / "again")
    assert again.same
    assert pngs(again.repetition.folder) == pngs(lenet_run.folder)


@pytest.mark.slow
def test_bytes_do_not_depend_on_process_hash_seed_or_global_randomness(tmp_path):
    digests = set()
    for i in range(2):
        program = (
            f"import torch, random; torch.manual_seed({i}); random.seed({i}); import trompe; "
            f"print(trompe.fool('lenet-mnist', generations=2, confidence=None, out=r'{tmp_path / str(i)}').digest())"
        )
        environment = {**os.environ, "PYTHONHASHSEED": str(i + 1)}
        done = subprocess.run(
            [sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True
        )
        digests.add(done.stdout)
    assert len(digests) == 1
    assert pngs(tmp_path / "0") == pngs(tmp_path / "1")


def test_another_seed_gives_another_run(tiny, tmp_path):
    assert go(tiny, tmp_path / "a").digest() != go(tiny, tmp_path / "b", seed=1).digest()


def test_a_session_over_steps_tells_what_is_recorded(tiny, tmp_path):
    settings = FoolSettings(tiny.name, out=tmp_path / "run", **SHORT)
    with Session(Attempt.prepare(settings, tiny)) as session:
        told = [(step.number, step.evaluations, dict(step.statistics)) for step in session]
        run = session.finish()
    names = ("number", "evaluations", "forwards", "backwards")
    recorded = [
        (step["number"], step["evaluations"], {k: v for k, v in step.items() if k not in names}) for step in run.steps()
    ]
    assert told == recorded


def test_training_repeats_bit_for_bit_and_gives_a_target(tmp_path):
    for name, seed in (("a", 3), ("b", 3), ("c", 4)):
        trompe.train("softmax", data="mnist", seed=seed, iterations=40, out=tmp_path / name)
    weights = {name: load_file(tmp_path / name / "model.safetensors") for name in "abc"}
    assert all(torch.equal(weights["a"][key], weights["b"][key]) for key in weights["a"])
    assert not torch.equal(weights["a"]["net.1.weight"], weights["c"]["net.1.weight"])
    assert (
        trompe.load_target(str(tmp_path / "a")).fingerprint() == trompe.load_target(str(tmp_path / "b")).fingerprint()
    )
    card = json.loads((tmp_path / "a" / "card.json").read_text())
    assert card["command"] == "trompe train softmax --data mnist --seed 3 --iterations 40"
    assert card["test_errors"] < 4000
    run = trompe.fool(str(tmp_path / "a"), generations=1, out=tmp_path / "run")
    assert run.about.target["name"] == "a"
    with pytest.raises(BadInput, match="got one with something trained in it"):
        trompe.train("softmax", out=tmp_path / "a")


def test_a_step_of_the_halving_period_is_a_generation_of_the_paper(tiny, tmp_path):
    """The paper halves the rate every 1000 generations; here a generation is several steps."""
    run = go(tiny, tmp_path / "run", population=40, batch=10)
    assert run.about.encoding["pixels-evolve"]["halving_period"] == 4000


def test_time_spent_before_an_interruption_counts(tiny, tmp_path):
    """Otherwise a run that is interrupted often enough never ends."""
    first = {"generations": 60, "time": "1h"}
    with pytest.raises(KeyboardInterrupt):
        go(Counting(tiny, 9, interrupt), tmp_path / "run", **first)
    connection = sqlite3.connect(tmp_path / "run" / "run.sqlite")
    connection.execute("UPDATE step SET seconds = 3600 WHERE number = 0")
    connection.commit()
    connection.close()
    before = open_run(tmp_path / "run").searches[0].evaluations
    search = go(tiny, tmp_path / "run", resume=True, **first).searches[0]
    assert (search.reason, search.evaluations) == ("time", before)


def test_an_interrupted_run_is_running_again_while_it_is_resumed(tiny, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(Counting(tiny, 4, interrupt), tmp_path / "run")
    settings = FoolSettings(tiny.name, out=tmp_path / "run", resume=True, **SHORT)
    with Session(Attempt.prepare(settings, tiny)) as session:
        next(iter(session))
        assert open_run(tmp_path / "run").state == "running"


def test_equal_bits_are_not_demanded_of_another_torch(tiny, tmp_path):
    run = go(tiny, tmp_path / "run")
    assert confirm(run, tiny).exact
    older = replace(run, about=replace(run.about, versions={**run.about.versions, "torch": "1.0"}))
    assert not confirm(older, tiny).exact


def test_verification_clips_as_the_search_did(tiny, tmp_path):
    """Log-odds beyond 1000 are kept as 1000; scored again without the limit, every one of them would fail."""
    steep = torch.nn.Sequential(tiny.module, torch.nn.Linear(4, 4, bias=False)).eval().requires_grad_(False)
    steep[1].weight.copy_(1e5 * torch.eye(4))
    target = TorchTarget(tiny.name, steep, tiny.spec, tiny.labels)
    run = go(target, tmp_path / "run")
    assert run["north"].strongest.log_odds == 1000.0
    assert confirm(run, target).passed


def test_rerun_asks_as_the_original_was_asked(tmp_path):
    """Logits differ between batch sizes: a judge chosen anew would give other bytes."""
    settings = FoolSettings("softmax-mnist", out=tmp_path / "run", **SHORT)
    with Session(Attempt.prepare(settings, judge=JudgeSettings(batch=7))) as session:
        for _ in session:
            pass
        session.finish()
    again = trompe.rerun(tmp_path / "run", out=tmp_path / "again")
    assert again.repetition.about.judge["batch"] == 7
    assert again.same
