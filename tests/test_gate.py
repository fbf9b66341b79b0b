"""The gate: it fails what fails, passes what deserves it, and says "undecided" wherever it cannot know."""

import json
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree as Xml

import numpy
import pytest
import torch
from made import HOSTILE, made_target
from nets import exported
from PIL import Image
from servers import Faulty, Inference, hang_up, serve
from tiny import TINY_LABELS
from torch import nn

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput
from trompe.core.specs import ImageSpec
from trompe.measure.gate import Judged, Measured, judge_condition, parse_condition, verdict
from trompe.run import open_run
from trompe.run.trust import first_line
from trompe.settings import AuditSettings
from trompe.showing.gates import write_output
from trompe.targets import Declaration, Preprocessing, Request, bundled_targets, load_target, write_declaration
from trompe.targets.preprocessing import PLAIN
from trompe.targets.trained import read_samples
from trompe.verbs.audit import audit_with
from trompe.verbs.compare import compare_runs
from trompe.verbs.gate import MODESTY, gate

DIGITS = tuple("0123456789")
QUICK = ("pixels-ascend", "pixels-squares")
ASKING = ("pixels-squares",)
HIGH = "confident@0.99 > 0.2"


def words(target, out, *more, methods=QUICK, fail_on=(HIGH,)):
    asked = [] if not fail_on else ["--fail-on", *fail_on]
    return ["audit", str(target), "--quiet", "--no-survival", "--methods", *methods, *asked, "--out", str(out), *more]


def read_suite(path):
    return Xml.fromstring(Path(path).read_bytes())  # noqa: S314  of our own making


def audited(target, out, **changes):
    settings = {"methods": QUICK, "survival": False, "out": out, **changes}
    return audit_with(AuditSettings(target.name, **settings), target)


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Fifty real digits, a folder for each class; the other fifty of the samples are for fitting."""
    folder, samples = tmp_path_factory.mktemp("digits"), read_samples(bundled_targets()["lenet-mnist"])
    for i in range(0, 100, 2):
        part = folder / str(int(samples.classes[i]))
        part.mkdir(exist_ok=True)
        Image.fromarray(samples.images[i, 0].numpy()).save(part / f"{i}.png")
    return folder


class Thirds(nn.Module):
    """The bundled LeNet, a third as sure of everything."""

    def __init__(self):
        super().__init__()
        self.inner = load_target("lenet-mnist").module

    def forward(self, images):
        return self.inner(images) / 3.0


class Cautious(nn.Module):
    """Sure of what is like a digit it has seen; of all else it says next to nothing, from which nothing can climb."""

    def __init__(self):
        super().__init__()
        samples = read_samples(bundled_targets()["lenet-mnist"])
        self.register_buffer("known", self.plain(samples.images[1::2].float() / 255.0))
        self.register_buffer("classes", samples.classes[1::2])

    @staticmethod
    def plain(images):
        flat = images.flatten(1)
        flat = flat - flat.mean(1, keepdim=True)
        return flat / flat.norm(dim=1, keepdim=True).clamp(min=1.0)

    def forward(self, images):
        likeness = self.plain(images) @ self.known.T
        best = torch.stack([likeness[:, self.classes == k].amax(1) for k in range(10)], 1)
        brightness = nn.functional.adaptive_avg_pool2d(images, (10, 1)).flatten(1)
        return 0.5 * brightness + 12.0 * torch.sigmoid((best - 0.6) / 0.015)


def module_target(module, **declared):
    stated = {"shape": (1, 28, 28), "labels": DIGITS, "preprocessing": PLAIN, **declared}
    return load_target(module.eval(), Declaration(**stated))


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """An audit of the bundled LeNet that got through."""
    return audited(load_target("lenet-mnist"), tmp_path_factory.mktemp("plain") / "run", budget=1000)


@pytest.fixture(scope="module")
def deserving(digits, tmp_path_factory):
    """An audit of a classifier that is sure of digits alone."""
    target, out = module_target(Cautious()), tmp_path_factory.mktemp("deserving") / "run"
    return audited(target, out, methods=ASKING, budget=800, images=digits)


# Conditions


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("confident@0.99 > 0.2", ("confident", "0.99", ">", 0.2)),
        ("  confident@0.99>0.2 ", ("confident", "0.99", ">", 0.2)),
        ("confident@operating >= 1", ("confident", "operating", ">=", 1.0)),
        ("looks@tpr95 < 5e2", ("looks", "tpr95", "<", 500.0)),
        ("above-natural > .5", ("above-natural", "", ">", 0.5)),
        ("worse-than-baseline", ("worse-than-baseline", "", "", None)),
    ],
)
def test_conditions_are_read(text, parts):
    found = parse_condition(text)
    assert (found.metric, found.level, found.op) == parts[:3]
    assert parts[3] is None or found.number == parts[3]


def test_a_condition_is_one_line():
    assert parse_condition("confident@0.99 >\n\t0.2").text == "confident@0.99 > 0.2"


@pytest.mark.parametrize(
    "text",
    [
        "", "confident", "confident > 0.2", "confident@ > 0.2", "confident@0.99", "confident@0.99 >",
        "confident@0.99 0.2",
        "confident@0.99 == 0.2", "confident@0.99 > 0.2 > 0.1", "confident@0.99 > nan", "confident@0.99 > 1e999",
        "confident@0.99 > --1", "confident@0.9.9 > 1", "confident@sure > 0.2", "confident@nan > 0.2",
        "confident@inf > 1",
        "confident@0 > 0.2", "confident@1 > 0.2", "confident@1.5 > 0.2", "above-natural", "above-natural@0.9 > 0.5",
        "worse-than-baseline > 0", "worse-than-baseline@0.9", "accuracy > 0.5", "Confident@0.99 > 0.2",
        "confident@0,9 > 1",
    ],
)  # fmt: skip
def test_what_is_no_condition_is_refused_in_one_line(text):
    with pytest.raises(BadInput, match="--fail-on") as told:
        parse_condition(text)
    assert "\n" not in str(told.value)


HIDDEN = ("the positive control failed",)


@pytest.mark.parametrize(
    ("text", "least", "most", "hidden", "outcome"),
    [
        (HIGH, 0.5, 0.5, (), "failed"),
        (HIGH, 0.5, 0.5, HIDDEN, "failed"),
        (HIGH, 0.2, 0.2, (), "passed"),
        ("confident@0.99 >= 0.2", 0.2, 0.2, (), "failed"),
        (HIGH, 0.0, 0.0, (), "passed"),
        (HIGH, 0.0, 0.0, HIDDEN, "undecided"),
        (HIGH, 0.1, 0.9, (), "undecided"),
        (HIGH, 0.3, 0.9, (), "failed"),
        ("looks@0.99 < 500", 100, 100, HIDDEN, "failed"),
        ("looks@0.99 < 500", 900, 900, (), "passed"),
        ("looks@0.99 < 500", 900, 900, HIDDEN, "undecided"),
        ("looks@0.99 < 500", 501, float("inf"), (), "passed"),
        ("looks@0.99 < 500", 101, float("inf"), (), "undecided"),
        ("looks@0.99 < 500", 51, 100, (), "failed"),
        ("looks@0.99 <= 100", 100, 100, (), "failed"),
        ("worse-than-baseline", 1, 1, (), "failed"),
        ("worse-than-baseline", 0, 0, (), "passed"),
        ("worse-than-baseline", -2, -2, HIDDEN, "undecided"),
        ("worse-than-baseline", float("-inf"), float("inf"), (), "undecided"),
    ],
)
def test_what_comes_of_a_condition(text, least, most, hidden, outcome):
    assert judge_condition(parse_condition(text), Measured(least, most, "words"), hidden).outcome == outcome


def test_what_was_not_measured_is_undecided():
    condition = parse_condition("above-natural > 0.5")
    assert judge_condition(condition, None, ()) == Judged(condition.text, "undecided", "not measured")
    assert judge_condition(condition, None, HIDDEN).words == HIDDEN[0]


@pytest.mark.parametrize(
    ("outcomes", "unverified", "wanted"),
    [
        (("passed",), False, "passed"),
        (("passed", "failed"), False, "failed"),
        (("undecided", "failed"), False, "failed"),
        (("passed", "undecided"), False, "undecided"),
        (("passed",), True, "undecided"),
        (("failed",), True, "undecided"),
    ],
)
def test_the_verdict_over_all_conditions(outcomes, unverified, wanted):
    assert verdict([Judged("c", each, "w") for each in outcomes], unverified=unverified) == wanted


def test_no_condition_is_no_gate():
    with pytest.raises(BadInput, match="at least one condition"):
        verdict([], unverified=False)


# What the issue asks of the gate


def test_the_plain_lenet_fails(tmp_path, capsys):
    assert main(words("lenet-mnist", tmp_path / "run", "--budget", "1000")) == 3
    lines = capsys.readouterr().out.splitlines()
    assert "gate       failed" in lines
    assert f"FAIL       {HIGH}: at least 10 of 10 classes reach the level 0.99" in lines
    assert MODESTY not in lines


def test_with_a_budget_of_ten_it_is_undecided(tmp_path, capsys):
    assert main(words("lenet-mnist", tmp_path / "run", "--budget", "10")) == 4
    assert "the positive control failed (0 of 10 classes at this budget)" in capsys.readouterr().out


def test_logits_divided_by_three_still_fail_on_above_natural(digits, tmp_path):
    target = module_target(Thirds())
    run = audited(target, tmp_path / "run", budget=1000, images=digits)
    assert gate(run, ["above-natural > 0.5"]).exit_code == 3
    plain = open_run(run.folder).measured["natural"]
    assert plain["accuracy"].startswith("50 of 50") or "of 50" in plain["accuracy"]


def test_a_target_that_deserves_it_passes(deserving, capsys):
    natural = deserving.measured["natural"]
    assert int(natural["accuracy"].split()[0]) > 25
    assert natural["median_confidence_of_right"] > 0.9
    found = gate(deserving, [HIGH, "confident@tpr95 > 0.2", "above-natural > 0.5", "looks@0.99 < 500"])
    assert [one.outcome for one in found.judged] == ["passed"] * 4, found.lines()
    assert found.exit_code == 0
    assert found.lines()[-1] == MODESTY


def test_it_passes_on_the_command_line_and_every_file_says_what_that_means(digits, tmp_path, capsys, monkeypatch):
    (tmp_path / "cautious_digits.py").write_text(
        "from test_gate import Cautious\ndef make():\n    return Cautious().eval()\n"
    )
    declared = Declaration("cautious_digits:make", shape=(1, 28, 28), labels=DIGITS, preprocessing=PLAIN)
    write_declaration(tmp_path / "cautious.toml", declared)
    monkeypatch.chdir(tmp_path)
    files = ["-o", "results.json", "report.html", "junit.xml", "summary.md"]
    more = ["--budget", "800", "--images", str(digits), *files]
    assert main(words("cautious.toml", tmp_path / "run", *more, methods=ASKING)) == 0
    assert capsys.readouterr().out.splitlines()[-1] == MODESTY
    assert json.loads(Path("results.json").read_text())["gate"]["note"] == MODESTY
    assert MODESTY in Path("summary.md").read_text()
    suite = read_suite("junit.xml")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "0")
    assert MODESTY in suite[0].find("system-out").text


# Preprocessing


class Centred(nn.Module):
    """The LeNet as somebody exported it: it wants -1 to 1."""

    def __init__(self):
        super().__init__()
        self.inner = load_target("lenet-mnist").module

    def forward(self, images):
        return self.inner((images + 1.0) / 2.0)


@pytest.fixture(scope="module")
def centred(tmp_path_factory):
    return exported(tmp_path_factory.mktemp("centred") / "centred.onnx", Centred(), 2, 1, 28, 28)


def declared_file(folder, model, preprocessing):
    path = folder / "declared.toml"
    write_declaration(path, Declaration(str(model), labels=DIGITS, preprocessing=preprocessing))
    return path


FOUR = {
    "undeclared": (None, False, 4),
    "right": (Preprocessing(range=(-1.0, 1.0)), True, 3),
    "0..255": (Preprocessing(range=(0.0, 255.0)), True, 4),
    "inverted": (Preprocessing(range=(1.0, -1.0)), True, 4),
}


@pytest.mark.parametrize("which", FOUR)
def test_one_file_under_four_preprocessings_neither_passes_nor_fails_silently(
    which, centred, digits, tmp_path, capsys, monkeypatch
):
    preprocessing, looked, code = FOUR[which]
    monkeypatch.chdir(tmp_path)
    file = declared_file(tmp_path, centred, preprocessing)
    images = ["--images", str(digits)] if looked else []
    more = ["--budget", "1000", *images, "-o", "results.json", "report.html", "junit.xml", "summary.md"]
    fail_on = (HIGH, "above-natural > 0.5") if looked else (HIGH,)
    assert main(words(file, tmp_path / "run", *more, methods=ASKING, fail_on=fail_on)) == code
    first = capsys.readouterr().out.splitlines()[0]
    told = json.loads(Path("results.json").read_text())
    suite = read_suite("junit.xml")
    page, summary = Path("report.html").read_text(), Path("summary.md").read_text()
    heads = [first, told["first_line"], suite.get("name"), page.split("<h1>")[0], summary.splitlines()[0]]
    assert all(("UNVERIFIED" in head) == (code == 4) for head in heads), heads
    assert next(iter(told)) == "first_line"
    if code == 4:
        assert told["gate"]["outcome"] == "undecided"
        assert suite.get("errors") == suite.get("tests")
        why = "contradict" if looked else "nobody declared"
        assert all(why in head for head in heads)


def test_an_undeclared_preprocessing_that_images_confirm_is_judged(digits, tmp_path):
    inner = load_target("lenet-mnist").module
    target = module_target(inner, preprocessing=None)
    found = gate(audited(target, tmp_path / "run", methods=ASKING, budget=1000, images=digits), [HIGH])
    assert (found.preprocessing, found.exit_code) == ("confirmed", 3)


# What nothing could decide, and what hides a failure


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["-o", "results.yaml"], "-o: expected a file that ends in"),
        (["--baseline", "nowhere"], "nowhere"),
    ],
)
def test_bad_files_are_refused_before_anything_is_searched(more, said, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(words("lenet-mnist", tmp_path / "run", *more)) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("accuracy > 0.5", "METRIC OP NUMBER of confident@L, fooled@L, open-trials@L, looks@L or above-natural"),
        ("confident@operating > 0.2", "threshold = ... in the target file"),
        ("above-natural > 0.5", "natural images, by --images"),
        ("confident@tpr95 > 0.2", "natural images, by --images"),
        ("worse-than-baseline", "a run to compare with, by --baseline"),
    ],
)
def test_conditions_that_nothing_could_decide_are_refused_up_front(condition, said, tmp_path, capsys, monkeypatch):
    (tmp_path / "plain_linear.py").write_text(
        "from made import made_target\nfrom trompe.core.specs import ImageSpec\n"
        "def make():\n    return made_target(tuple('abc'), ImageSpec(1, 6, 6))\n"
    )
    monkeypatch.chdir(tmp_path)
    assert main(words("plain_linear:make", tmp_path / "run", fail_on=(condition,))) == 2
    told = capsys.readouterr().err
    assert said in told
    assert told.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_the_operating_threshold_is_that_of_the_target_file(tmp_path):
    target = module_target(Thirds(), threshold=0.6)
    run = audited(target, tmp_path / "run", methods=("pixels-ascend",), budget=1000, confidence=0.9)
    (found,) = gate(run, ["confident@operating > 0.2"]).judged
    assert found.outcome == "failed"
    assert found.words == "at least 10 of 10 classes reach the level operating"


def small(decimals=None, strength=1.0, **declared):
    """A linear classifier of four classes that answers in probabilities, rounded or not."""
    inner = made_target(tuple("abcd"), ImageSpec(1, 6, 6), strength)

    def answer(batch):
        with torch.inference_mode():
            odds = inner.module(torch.from_numpy(batch)).double().softmax(1).numpy()
        return odds if decimals is None else odds.round(decimals)

    stated = {
        "shape": (1, 6, 6),
        "labels": tuple("abcd"),
        "outputs": "probabilities",
        "preprocessing": PLAIN,
        **declared,
    }
    return load_target(answer, Declaration(**stated))


def test_a_finding_that_hides_failures_is_undecided_instead_of_passed(tmp_path):
    """Scores of three decimals cannot show 99.99 %, so that none was seen says nothing."""
    target = small(decimals=3, strength=2.0)
    run = audited(target, tmp_path / "run", methods=ASKING, budget=800)
    found = gate(run, ["confident@0.9999 > 0"])
    assert found.hidden == ("finding rounded",)
    assert found.exit_code == 4
    assert "but finding rounded" in found.judged[0].words
    assert gate(run, ["confident@0.9 > 0.5"]).exit_code == 3  # what was seen was seen


def test_harmless_classes_stay_out_of_every_rate(tmp_path):
    target = small(strength=2.0, harmless=("a", "b"))
    run = audited(target, tmp_path / "run", methods=ASKING, budget=800)
    assert len(run.classes) == 4  # searched all the same
    assert str(run.confident(0.99)) == "at least 2 of 2 attempted"
    results = json.loads((run.folder / "results.json").read_text())
    assert results["summary"]["attempted"] == 2
    (found,) = gate(run, ["confident@0.99 > 0.2"]).judged
    assert found.words.startswith("at least 2 of 2 classes")
    assert {pair.label for pair in compare_runs(run, run).pairs} == {"c", "d"}
    write_output(tmp_path / "s.md", run, gate(run, [HIGH]))
    assert "| a |" not in (tmp_path / "s.md").read_text()


@pytest.mark.parametrize("declared", [{"harmless": ("A",)}, {"abstain": "none of these"}])
def test_a_class_that_the_target_does_not_have_cannot_be_declared(declared):
    with pytest.raises(BadInput, match=next(iter(declared))):
        small(**declared)


def test_where_only_harmless_classes_were_attempted_nothing_is_decided(tmp_path):
    target = small(strength=2.0, harmless=("a",))
    run = audited(target, tmp_path / "run", methods=ASKING, budget=200, classes=("a",))
    assert gate(run, [HIGH]).exit_code == 4


@pytest.mark.parametrize("declared", [{}, {"harmless": ("fine",)}])
def test_a_two_class_model_is_asked_which_class_is_right_about_nonsense(declared, tmp_path, capsys, monkeypatch):
    torch.manual_seed(0)
    exported(tmp_path / "two.onnx", nn.Sequential(nn.Flatten(), nn.Linear(36, 2)), 2, 1, 6, 6)
    told = Declaration(str(tmp_path / "two.onnx"), labels=("broken", "fine"), preprocessing=PLAIN, **declared)
    write_declaration(tmp_path / "two.toml", told)
    assert main(words(tmp_path / "two.toml", tmp_path / "run", "--budget", "50", methods=ASKING, fail_on=())) == 0
    said = capsys.readouterr()
    assert ("Is one of the two classes, 'broken' or 'fine'" in said.out.splitlines()[0]) == (not declared)


def test_the_method_that_needed_fewest_looks_counts_though_another_ended_sooner(plain):
    """A search of few evaluations that reached nothing must not hide one that reached all."""
    run = open_run(plain.folder)
    ascend, squares = run.searches
    (found,) = gate(run, ["looks@0.99 < 900"]).judged
    assert found.outcome == "failed"
    short = replace(squares, evaluations=5)
    records = tuple(
        replace(record, firsts={}, strongest=None) if record.search == 1 else record for record in run.classes
    )
    cut = replace(run, searches=(ascend, short), classes=records)
    object.__setattr__(cut, "takeovers", lambda _: [])  # of the search that found nothing
    (found,) = gate(cut, ["looks@0.99 < 900"]).judged
    assert found.outcome == "failed", found


def test_what_was_not_reached_took_more_than_was_looked_at_and_no_more_is_known(plain):
    run = open_run(plain.folder)
    searches = tuple(replace(search, evaluations=count) for search, count in zip(run.searches, (300, 40), strict=True))
    none = tuple(replace(record, firsts={}) for record in run.classes)
    cut = replace(run, searches=searches, classes=none)
    object.__setattr__(cut, "takeovers", lambda _: [])
    for number, outcome in ((900, "undecided"), (42, "undecided"), (41, "passed"), (10, "passed")):
        (found,) = gate(cut, [f"looks@0.99 < {number}"]).judged
        assert found.outcome == outcome, found
    assert "not within 40 evaluations" in found.words


def test_a_server_that_dies_leaves_the_gate_undecided_and_the_run_to_go_on_with(tmp_path, capsys):
    with serve(Faulty(Inference(), hang_up, after=200, count=10_000)) as server:
        asked = Request(timeout=5.0, retries=1)
        declared = Declaration(
            f"{server.url}/v2/models/tiny", shape=(1, 6, 6), labels=TINY_LABELS, preprocessing=PLAIN, request=asked
        )
        write_declaration(tmp_path / "served.toml", declared)
        more = ["--max-queries", "900"]
        line = [
            "audit",
            str(tmp_path / "served.toml"),
            "--quiet",
            "--methods",
            "pixels-squares",
            "--confidence",
            "None",
        ]
        line += [*more, "--out", str(tmp_path / "run")]
        assert main([*line, "--fail-on", HIGH, *wishes(tmp_path)]) == 4
        told = capsys.readouterr()
        assert "gate       undecided: the target stopped answering" in told.err
        assert open_run(tmp_path / "run").queries == server.posts
        said_undecided(tmp_path, "interrupted", "the target stopped answering")
        assert main([*line, "--resume"]) == 2  # without conditions it is bad input, as ever
    assert main([*line, "--resume", "--fail-on", HIGH, *wishes(tmp_path)]) == 4  # and now nobody is there at all
    said_undecided(tmp_path, "interrupted", "no connection")


FILES = ("results.json", "report.html", "junit.xml", "summary.md")


def wishes(folder):
    return [word for name in FILES for word in ("-o", str(folder / name))]


def said_undecided(folder, state, why):
    """That every file says so, and why; the files are taken away."""
    told = {name: (folder / name).read_text() for name in FILES}
    document, suite = json.loads(told["results.json"]), read_suite(folder / "junit.xml")
    assert (document["state"], document["gate"]["outcome"]) == (state, "undecided")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("1", "0", "1")
    assert why in suite.find("testcase/error").get("message")
    assert "## Gate: undecided" in told["summary.md"]
    assert "Gate undecided" in told["report.html"]
    assert all(why in text for text in told.values())
    for name in FILES:
        (folder / name).unlink()


def test_a_server_that_was_dead_before_anything_began_leaves_the_gate_undecided(tmp_path, capsys):
    with serve(Inference()) as server:
        pass
    asked = Request(timeout=5.0, retries=1)
    write_declaration(tmp_path / "dead.toml", Declaration(f"{server.url}/v2/models/tiny", request=asked))
    line = ["audit", str(tmp_path / "dead.toml"), "--quiet", "--max-queries", "900", "--out", str(tmp_path / "run")]
    assert main([*line, "--json", "--fail-on", HIGH, *wishes(tmp_path)]) == 4
    told = capsys.readouterr()
    assert "gate       undecided: the target does not answer" in told.err
    assert json.loads(told.out)["gate"]["outcome"] == "undecided"
    assert not (tmp_path / "run").exists()
    said_undecided(tmp_path, "not begun", "no connection")
    assert main([*line, *wishes(tmp_path)]) == main([*line, "--fail-on", HIGH, "--plan"]) == 2
    assert not (tmp_path / "junit.xml").exists()


def test_a_server_that_answers_but_does_not_know_the_model_is_bad_input_in_a_gate_too(tmp_path, capsys):
    def unknown(*_):
        return 404, {}, b"no such model"

    with serve(unknown) as server:
        write_declaration(tmp_path / "other.toml", Declaration(f"{server.url}/v2/models/tiny"))
        line = ["audit", str(tmp_path / "other.toml"), "--quiet", "--max-queries", "9", "--out", str(tmp_path / "run")]
        assert main([*line, "--fail-on", HIGH, *wishes(tmp_path)]) == 2
    assert "404: no such model" in capsys.readouterr().err
    assert not any((tmp_path / name).exists() for name in FILES)


# Two versions


def test_a_run_is_no_worse_than_itself_and_worse_than_a_better_one(plain, deserving, tmp_path, capsys):
    assert gate(plain, ["worse-than-baseline"], baseline=plain).exit_code == 0
    shared = {"methods": ASKING, "budget": 800}
    weak = audited(small(strength=0.05), tmp_path / "weak", **shared)
    strong = audited(small(strength=4.0), tmp_path / "strong", **shared)
    (found,) = gate(strong, ["worse-than-baseline"], baseline=weak.folder).judged
    assert (found.outcome, found.words) == ("failed", "4 classes at 99.99 % against 0 in the baseline")
    assert gate(weak, ["worse-than-baseline"], baseline=strong).exit_code == 0
    assert main(["compare", str(weak.folder), str(strong.folder)]) == 0
    told = capsys.readouterr().out
    assert "confident at 0.99: 0 then 4 of 4 classes; at 0.9999: 0 then 4 of 4 classes" in told


def test_runs_made_in_other_ways_are_not_compared_to_a_verdict(plain, tmp_path):
    other = audited(load_target("lenet-mnist"), tmp_path / "run", methods=ASKING, budget=1000)
    (found,) = gate(other, ["worse-than-baseline"], baseline=plain).judged
    assert found.outcome == "undecided"
    assert "but other methods" in found.words
    with pytest.raises(BadInput, match="a method and a class in common"):
        compare_runs(plain, audited(small(), tmp_path / "small", methods=ASKING, budget=20))


# Files


def test_labels_with_markup_stay_text_in_every_file(tmp_path):
    target = made_target(HOSTILE, ImageSpec(1, 6, 6), 2.0)
    run = audited(target, tmp_path / "run", methods=ASKING, budget=300)
    trompe.report(run.folder)
    found = gate(run, [HIGH])
    for name in ("results.json", "report.html", "junit.xml", "summary.md"):
        write_output(tmp_path / "out" / name, run, found)
    page, summary = ((tmp_path / "out" / name).read_text() for name in ("report.html", "summary.md"))
    for text in (page, summary):
        assert "<script>alert(1)" not in text
        assert "</style><b>" not in text
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in text
    read_suite(tmp_path / "out" / "junit.xml")
    told = json.loads((tmp_path / "out" / "results.json").read_text())
    assert [entry["label"] for entry in told["classes"]] == list(HOSTILE)


def test_a_name_with_markup_stays_text_in_junit(tmp_path):
    named = replace(made_target(tuple("abc"), ImageSpec(1, 6, 6), 2.0), name='<x a="1">&\x07\ud7ff')
    run = audited(named, tmp_path / "run", methods=ASKING, budget=50)
    write_output(tmp_path / "junit.xml", run, gate(run, [HIGH]))
    assert read_suite(tmp_path / "junit.xml").get("name").startswith('<x a="1">&\N{REPLACEMENT CHARACTER}')
    assert first_line(run.about.target).startswith("<x")


def test_numbers_of_files_agree_with_the_gate(plain, tmp_path):
    found = gate(plain, [HIGH, "looks@0.99 < 900"])
    write_output(tmp_path / "j.xml", plain, found)
    write_output(tmp_path / "r.json", plain, found)
    suite = read_suite(tmp_path / "j.xml")
    assert (suite.get("tests"), suite.get("failures"), suite.get("errors")) == ("2", "2", "0")
    assert [case.get("name") for case in suite] == [HIGH, "looks@0.99 < 900"]
    assert json.loads((tmp_path / "r.json").read_text())["gate"]["outcome"] == "failed"
    assert numpy.isfinite(plain.measured["natural"]["median_log_odds"])
