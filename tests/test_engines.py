"""Engines: the same network elsewhere says the same, searches in it, and has the last word in nothing."""

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from contextlib import suppress
from dataclasses import asdict, replace

import pytest
import torch
from nets import exported, linear
from tiny import TINY_LABELS, TINY_SPEC, make_tiny_target
from torch import nn

import trompe
from trompe.cli.main import main
from trompe.core.errors import TargetError
from trompe.core.numerics import class_log_odds, level_odds, log_odds, quantise
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Outputs
from trompe.run import open_run
from trompe.run import record as record_module
from trompe.run.results import results
from trompe.search import JudgeSettings, choose, named_settings, reference_judge, search_judge
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import Declaration, TorchTarget, load_target
from trompe.targets import engines as engines_module
from trompe.targets import openvino as openvino_module
from trompe.targets.engines import ENGINES, available, engine_target, export, own_engine
from trompe.targets.openvino import has_bfloat16
from trompe.targets.preprocessing import CAFFE
from trompe.verbs import judges as judges_module
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import fool_session
from trompe.verbs.verify import confirm

OTHERS = ["onnxruntime", "openvino", "openvino-bf16"]
AGREE = {"onnxruntime": 1e-4, "openvino": 1e-4, "openvino-bf16": 0.25}
"""Largest difference in log-odds from torch, of networks whose log-odds are below 20."""


@pytest.fixture(autouse=True)
def bf16(request):
    if "openvino-bf16" in request.node.name and not has_bfloat16():
        pytest.skip("no bfloat16 in this processor")


def noise(n: int, *shape: int) -> torch.Tensor:
    return quantise(Stream(0, "engines", 0).uniform32(n, *shape))


def asked(target, name: str, batch: int = 16, threads: int = 1) -> JudgeSettings:
    return named_settings(target, name, batch, threads)


@pytest.mark.parametrize("name", OTHERS)
def test_an_engine_says_what_torch_says(name):
    target, images = load_target("lenet-mnist"), noise(60, 1, 28, 28)
    wanted = log_odds(reference_judge(target, JudgeSettings(50)).judge(images).logits)
    got = log_odds(search_judge(target, asked(target, name, 50)).judge(images).logits)
    assert (got - wanted).abs().max() < AGREE[name]
    assert not torch.equal(got, wanted), "another engine is known by its last bits"


def test_a_target_in_another_engine_is_the_same_target():
    target = load_target("lenet-mnist")
    other = engine_target(target, asked(target, "onnxruntime"))
    assert other.fingerprint() == target.fingerprint()
    assert (other.name, other.labels, other.link, other.spec) == (target.name, target.labels, target.link, target.spec)
    assert torch.equal(other.mean_image, target.mean_image), "searches begin there"


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_a_none_class_refuses_in_every_engine(name):
    torch.manual_seed(0)
    declared = Declaration(shape=(3, 2, 2), labels=("a", "b", "none"), abstain="none")
    target = load_target(nn.Sequential(nn.Flatten(), nn.Linear(12, 3)).eval(), declared)
    wanted, got = (made.judge(noise(8, 3, 2, 2)).slack for made in (target, engine_target(target, asked(target, name))))
    assert torch.allclose(got, wanted, atol=1e-4)


@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_declared_preprocessing_is_exported_with_the_network(name):
    torch.manual_seed(0)
    declared = Declaration(shape=(3, 6, 6), outputs="probabilities", preprocessing=CAFFE)
    target = load_target(nn.Sequential(nn.Flatten(), nn.Linear(108, 3), nn.Softmax(1)).eval(), declared)
    images = noise(4, 3, 6, 6)
    got = engine_target(target, asked(target, name)).judge(images).logits
    assert torch.allclose(got.double(), target.judge(images).logits.detach().double(), atol=1e-2)


@pytest.mark.parametrize("name", ["openvino", "openvino-bf16"])
@pytest.mark.parametrize("fixed", [True, False])
def test_an_onnx_file_runs_in_openvino_too(tmp_path, name, fixed):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 4, 5))
    target = load_target(exported(tmp_path / "a.onnx", net, 4, 3, 8, 6, fixed=fixed))
    assert own_engine(target) == "onnxruntime"
    images = noise(9, 3, 8, 6)
    got = search_judge(target, asked(target, name, 5)).judge(images).logits
    assert torch.allclose(got, reference_judge(target, JudgeSettings(5)).judge(images).logits, atol=AGREE[name])


def test_weights_beside_an_onnx_file_are_found_by_openvino(tmp_path):
    target = load_target(linear(tmp_path / "a.onnx", ["n", 8, 8, 3], external="a.data"))
    images = noise(3, 3, 8, 8)
    got = engine_target(target, asked(target, "openvino", 3)).judge(images).logits
    assert torch.allclose(got, target.judge(images).logits, atol=1e-4)


def test_threads_reach_the_engine(tmp_path):
    target = load_target(linear(tmp_path / "a.onnx", ["n", 3, 8, 8]))
    made = reference_judge(target, JudgeSettings(4, threads=2)).target
    assert made.model.session.get_session_options().intra_op_num_threads == 2
    assert target.model.session.get_session_options().intra_op_num_threads == 1


def test_a_target_of_another_kind_has_its_own_engine_only(tmp_path):
    target = load_target(lambda batch: batch.reshape(len(batch), -1)[:, :3], Declaration(shape=(3, 2, 2)))
    assert (own_engine(target), available(target)) == ("own", ("own",))
    assert reference_judge(target, JudgeSettings(4)).target is target
    for name in ("torch", "onnxruntime", "openvino"):
        with pytest.raises(TargetError, match=r"^--engine: expected the engine own, .*Leave it out"):
            search_judge(target, asked(target, name))
    file = load_target(linear(tmp_path / "a.onnx", ["n", 3, 2, 2]))
    with pytest.raises(TargetError, match=r"expected the engine onnxruntime, .*got torch in float32"):
        search_judge(file, asked(file, "torch"))


class Forks(nn.Module):
    """What it computes depends on what it sees, which an exporter that records one way through it cannot know."""

    def forward(self, images):
        flat = images.flatten(1)[:, :4] * 3.0
        return flat if images.sum() < 1.0 else -flat


def test_an_export_that_says_something_else_is_refused():
    target = TorchTarget("forks", Forks().eval(), TINY_SPEC, TINY_LABELS)
    with pytest.raises(TargetError, match=r"^target forks: expected an exported network with logits within .*torch"):
        engine_target(target, asked(target, "onnxruntime"))


def test_a_network_that_cannot_be_exported_is_refused():
    class Stubborn(nn.Module):
        def forward(self, images):
            return torch.special.bessel_j0(images.flatten(1)[:, :4])

    target = TorchTarget("stubborn", Stubborn().eval(), TINY_SPEC, TINY_LABELS)
    with pytest.raises(TargetError, match=r"^target stubborn: expected a network that can be exported.* torch"):
        export(target)
    assert choose(target, 4).engine == "torch", "auto does without"


@pytest.mark.parametrize(
    ("package", "name", "extra"),
    [("onnxruntime", "onnxruntime", "onnx"), ("openvino", "openvino", "openvino"), ("onnx", "openvino", "onnx")],
)
def test_a_missing_engine_is_named_before_there_is_a_folder(tmp_path, monkeypatch, package, name, extra, capsys):
    monkeypatch.setitem(sys.modules, package, None)
    monkeypatch.setattr(engines_module, "find_spec", lambda wanted: None if wanted == package else True)
    assert main(["fool", "softmax-mnist", "--engine", name, "--out", str(tmp_path / "run")]) == 2
    assert f"pip install 'trompe[{extra}]'" in capsys.readouterr().err
    assert not (tmp_path / "run").exists()


def test_bfloat16_is_refused_where_the_processor_has_none(tiny, monkeypatch):
    monkeypatch.setattr(openvino_module, "has_bfloat16", lambda: False)
    with pytest.raises(TargetError, match=r"^--engine openvino-bf16: expected a processor with bfloat16 .*float32"):
        engine_target(tiny, asked(tiny, "openvino-bf16"))


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Linux only")
@pytest.mark.parametrize("name", ["openvino", "openvino-bf16"])
def test_openvino_binds_nobody_to_a_processor(name):
    """It would bind who asks to the first one while it computes, so that two processes shared that one."""
    allowed = os.sched_getaffinity(0)
    if len(allowed) < 2:
        pytest.skip("one processor is all there is")
    target, images = load_target("lenet-mnist"), noise(50, 1, 28, 28)
    judge = search_judge(target, asked(target, name, 50))
    judge.judge(images)
    asking = threading.Thread(target=lambda: [judge.judge(images) for _ in range(60)])
    looks: list[set[int]] = []
    asking.start()
    with suppress(ProcessLookupError):  # it is done
        while asking.is_alive():
            looks.append(os.sched_getaffinity(asking.native_id or 0))
    asking.join()
    assert len(looks) > 50
    assert all(look == allowed for look in looks)


def test_openvino_sends_nothing_and_leaves_nothing(tmp_path):
    """In a home folder that cannot be written, and with every connection refused."""
    home = tmp_path / "home"
    home.mkdir()
    home.chmod(0o500)
    words = """
import socket, sys, threading
def refuse(*a, **k): print("CONNECTED"); raise OSError
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from trompe import load_target
from trompe.search import named_settings, search_judge
import torch
target = load_target("softmax-mnist")
search_judge(target, named_settings(target, "openvino", 4, 1)).judge(torch.zeros(4, 1, 28, 28))
assert "openvino" in sys.modules and "openvino_telemetry" not in sys.modules
assert not [t for t in threading.enumerate() if t is not threading.main_thread()]
"""
    environment = {**os.environ, "HOME": str(home), "TMPDIR": str(home), "XDG_CACHE_HOME": str(home)}
    done = subprocess.run(
        [sys.executable, "-c", words], env=environment, cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert [path.name for path in tmp_path.rglob("*")] == ["home"]


def stop_after(settings, number, target=None):
    with fool_session(settings, target) as session:
        for step in session:
            if step.number == number:
                raise KeyboardInterrupt


SHORT = {"confidence": None, "generations": 4}


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A finished `fool` of lenet-mnist in each engine, made when it is first asked for."""
    made = {}

    def run(name):
        if name not in made:
            folder = tmp_path_factory.mktemp(name) / "run"
            made[name] = trompe.fool("lenet-mnist", engine=name, out=folder, **SHORT)
        return made[name]

    return run


@pytest.mark.parametrize("name", OTHERS)
def test_what_another_engine_found_is_told_by_the_reference(name, runs):
    run, target = runs(name), load_target("lenet-mnist")
    assert (run.about.judge["engine"], run.about.judge["precision"]) == ENGINES[name]
    assert run.about.judge["reference"] == "torch"
    assert run.about.judge["engine"] in run.about.versions
    kept = [item for record in run.classes for item in record.kept()]
    with torch.inference_mode():
        wanted = log_odds(target.judge(torch.cat([item.image.unsqueeze(0) for item in kept])).logits)
    for i, item in enumerate(kept):
        assert item.log_odds == pytest.approx(wanted[i, int(item.label)].item(), abs=1e-5)
        assert item.level is None or item.log_odds >= level_odds(item.level)
    with sqlite3.connect(run.folder / "run.sqlite") as database:
        pairs = database.execute("SELECT search_log_odds, log_odds, value FROM current").fetchall()
    assert all(searched == value for searched, _, value in pairs)
    assert all(abs(searched - told) < AGREE[name] for searched, told, _ in pairs)
    assert any(searched != told for searched, told, _ in pairs)


@pytest.mark.parametrize("name", OTHERS)
def test_a_run_in_another_engine_is_verified_and_repeated_bit_for_bit(name, runs, tmp_path):
    run = runs(name)
    found = trompe.verify(run.folder)
    assert (found.passed, found.exact, found.largest) == (True, True, 0.0)
    assert trompe.rerun(run.folder, out=tmp_path / "again").same


@pytest.mark.parametrize("name", OTHERS)
@pytest.mark.parametrize("cut", [1, 3, 7, 12])
def test_interrupted_and_resumed_in_another_engine_equals_never_interrupted(name, cut, runs, tmp_path):
    settings = FoolSettings("lenet-mnist", engine=name, out=tmp_path / "cut", **SHORT)
    with pytest.raises(KeyboardInterrupt):
        stop_after(settings, cut)
    assert open_run(tmp_path / "cut").state == "interrupted"
    resumed = trompe.fool("lenet-mnist", engine=name, out=tmp_path / "cut", resume=True, **SHORT)
    assert resumed.digest() == runs(name).digest()


def test_an_audit_in_another_engine_climbs_in_torch_and_is_verified_and_repeated(tmp_path):
    settings = {"engine": "onnxruntime", "budget": 250, "confidence": None, "classes": ("3", "8")}
    run = trompe.audit("lenet-mnist", out=tmp_path / "run", **settings)
    with sqlite3.connect(run.folder / "run.sqlite") as database:
        rows = database.execute("SELECT search, search_log_odds, log_odds FROM current").fetchall()
    methods = {search.number: search.method for search in run.searches}
    same = {methods[number]: [] for number in methods}
    for number, searched, told in rows:
        same[methods[number]].append(searched == told)
    assert all(same["pixels-ascend"])
    assert not all(same["pixels-evolve"])
    assert not all(same["pixels-squares"])
    assert trompe.verify(run.folder).passed
    assert trompe.rerun(run.folder, out=tmp_path / "again").same


def test_on_the_command_line(tmp_path, capsys):
    words = ["--engine", "openvino", "--generations", "2", "--quiet", "--out", str(tmp_path / "run")]
    assert main(["fool", "softmax-mnist", *words]) == 0
    assert main(["verify", str(tmp_path / "run")]) == 0
    assert main(["rerun", str(tmp_path / "run"), "--out", str(tmp_path / "again"), "--quiet"]) == 0
    assert "the same bytes" in capsys.readouterr().err
    assert main(["fool", "softmax-mnist", "--engine", "tpu", "--out", str(tmp_path / "no")]) == 2


class Boasts:
    """An engine that is more certain than the network, or less."""

    def __init__(self, inner, scale):
        self.inner, self.scale = inner, scale

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def judge(self, inputs):
        return Outputs(self.inner.judge(inputs).logits * self.scale)


def with_engine(monkeypatch, scale):
    """Let `--engine onnxruntime` be torch with logits of another scale."""
    import trompe.search.reference as module

    plain = module.engine_target

    def made(target, settings, graph=None):
        return Boasts(target, scale) if settings.engine == "onnxruntime" else plain(target, settings, graph)

    monkeypatch.setattr(module, "engine_target", made)


def boasting(out, **changes):
    settings = FoolSettings("tiny-0", engine="onnxruntime", out=out, population=40, batch=20, **changes)
    return trompe.fool_with(settings, make_tiny_target())


def test_a_boasting_engine_does_not_stop_a_run_nor_count_in_it(tmp_path, monkeypatch):
    with_engine(monkeypatch, 3.0)
    run = boasting(tmp_path / "run", generations=3)
    with sqlite3.connect(run.folder / "run.sqlite") as database:
        boasted = [row[0] for row in database.execute("SELECT min(search_log_odds) FROM current")]
        crossed = dict(database.execute("SELECT level, count(*) FROM first GROUP BY level").fetchall())
    assert boasted[0] > level_odds(0.9999), "the engine thinks that all is done"
    assert run.searches[0].reason == "generations"
    assert run.confident(0.9999).at_least == 0
    assert crossed[0.9999] == 4, "what the search crossed is recorded"
    assert [record.first(0.9999) for record in run.classes] == [None] * 4, "and is not claimed"
    assert results(run)["summary"]["confident"]["0.9999"] == "at least 0 of 4 attempted"
    assert confirm(run, make_tiny_target()).passed


def test_a_modest_engine_stops_where_the_reference_is_sure(tmp_path, monkeypatch):
    with_engine(monkeypatch, 0.5)
    run = boasting(tmp_path / "run", generations=400)
    assert run.searches[0].reason == "confidence"
    assert run.confident(0.9999).at_least == 4
    firsts = [record.first(0.9999) for record in run.classes]
    assert all(first is not None and first.log_odds >= level_odds(0.9999) for first in firsts)
    assert run.searches[0].steps % 10 == 1, "after a round of 200 evaluations"


@pytest.mark.parametrize("cut", [5, 99, 100, 101, 110])
@pytest.mark.parametrize("scale", [0.5, 3.0])
def test_checkpoints_do_not_depend_on_interruptions(cut, scale, tmp_path, monkeypatch):
    """The reference is asked after step 100, which is the end of round 10."""
    with_engine(monkeypatch, scale)
    changes = {"generations": 60, "confidence": None}
    whole = boasting(tmp_path / "whole", **changes)
    settings = FoolSettings("tiny-0", engine="onnxruntime", out=tmp_path / "cut", population=40, batch=20, **changes)
    with pytest.raises(KeyboardInterrupt):
        stop_after(settings, cut, make_tiny_target())
    assert boasting(tmp_path / "cut", resume=True, **changes).digest() == whole.digest()


def test_what_a_kill_leaves_is_resumed_to_the_same_bytes(tmp_path, monkeypatch):
    """A kill leaves what was last committed, here copied; the reference may not have been asked about it yet."""
    with_engine(monkeypatch, 0.5)
    monkeypatch.setattr(record_module, "COMMIT_SECONDS", 0.0)
    changes = {"generations": 60, "confidence": None}
    settings = FoolSettings("tiny-0", engine="onnxruntime", out=tmp_path / "run", population=40, batch=20, **changes)
    with fool_session(settings, make_tiny_target()) as session:
        for step in session:
            if step.number in (0, 99, 100, 101, 110):
                shutil.copytree(tmp_path / "run", tmp_path / str(step.number))
        whole = session.finish()
    for copy in (0, 99, 100, 101, 110):
        assert len(open_run(tmp_path / str(copy)).steps()) == copy + 1, "every step is committed"
        assert boasting(tmp_path / str(copy), resume=True, **changes).digest() == whole.digest()


def test_auto_measures_once_and_never_again(tmp_path, monkeypatch):
    asks = []

    def measured(target, rows):
        asks.append(rows)
        return JudgeSettings(20, 1, "onnxruntime", "float32", "torch")

    monkeypatch.setattr(judges_module, "choose", measured)
    settings = {"engine": "auto", "generations": 2, "confidence": None}
    run = trompe.fool("softmax-mnist", out=tmp_path / "run", **settings)
    assert asks == [50]
    assert run.about.judge == {
        "batch": 20, "threads": 1, "engine": "onnxruntime", "precision": "float32", "reference": "torch"
    }  # fmt: skip
    again = trompe.fool("softmax-mnist", out=tmp_path / "run", resume=True, **settings)
    assert again.digest() == run.digest()
    assert trompe.rerun(run.folder, out=tmp_path / "again").same
    assert trompe.verify(run.folder).passed
    assert asks == [50]
    with audit_session(AuditSettings("softmax-mnist", engine="auto", out=tmp_path / "audit")) as session:
        assert session.about.judge["batch"] == 20
    assert asks == [50, 10]


def test_the_reference_takes_few_large_images_at_a_time_where_another_engine_searches():
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2)).eval()
    large = TorchTarget("large", flat, ImageSpec(3, 224, 224), ("a", "b"))
    small = make_tiny_target()
    assert reference_judge(large, JudgeSettings(50, 1, "openvino", "bfloat16")).settings == JudgeSettings(4)
    assert reference_judge(large, JudgeSettings(50)).settings == JudgeSettings(50), "as the run was searched"
    assert reference_judge(small, JudgeSettings(50, 1, "onnxruntime")).settings == JudgeSettings(50)


def test_a_new_run_in_torch_asks_about_few_large_images_at_a_time(tmp_path):
    """Otherwise half of its time goes into pages that the layers give back and fetch again."""
    flat = nn.Sequential(nn.Flatten(), nn.Linear(3 * 224 * 224, 2)).eval()
    large = TorchTarget("large", flat, ImageSpec(3, 224, 224), ("a", "b"))
    settings = FoolSettings("large", out=tmp_path / "run")
    assert judges_module.judge_settings(settings, large, 50) == JudgeSettings(4)
    assert judges_module.judge_settings(replace(settings, engine="openvino"), large, 50).batch == 50
    assert judges_module.judge_settings(settings, make_tiny_target(), 50) == JudgeSettings(50)


def test_threads_of_the_reference_take_a_batch_each_and_change_no_bit():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 8, 3), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 30 * 30, 5)).eval()
    target = TorchTarget("small", net, ImageSpec(3, 32, 32), tuple("abcde"))
    images = noise(23, 3, 32, 32)
    alone = reference_judge(target, JudgeSettings(4, 1, "openvino"))
    two = reference_judge(target, JudgeSettings(4, 2, "openvino"))
    assert (alone.abreast, two.abreast, two.settings) == (1, 2, alone.settings)
    assert torch.equal(two.judge(images).logits, alone.judge(images).logits)
    assert not two.judge(images).logits.requires_grad
    assert reference_judge(target, JudgeSettings(4, 2)).abreast == 1, "as the run was searched"


def test_rounds_are_as_long_as_there_are_classes():
    """Otherwise the reference would be asked about a thousand elites every few steps."""
    ends = [step for step in range(1, 3000) if judges_module.is_checkpoint(step, 50, 1000)]
    assert ends == [200, 2000]
    assert [step for step in range(1, 3000) if judges_module.is_checkpoint(step, 50, 10)] == [40, 400]


def test_auto_chooses_among_what_there_is(tiny):
    found = choose(tiny, 20)
    assert found.reference == "torch"
    assert found.batch in (16, 20)
    assert (found.engine, found.precision) in ENGINES.values()


def test_without_a_word_a_network_is_judged_where_it_comes_from(tmp_path, tiny):
    run = trompe.fool("softmax-mnist", generations=1, confidence=None, out=tmp_path / "torch")
    assert run.about.judge == {
        "batch": 50, "threads": 1, "engine": "torch", "precision": "float32", "reference": "torch"
    }  # fmt: skip
    path = linear(tmp_path / "a.onnx", ["n", 3, 4, 4])
    run = trompe.fool(str(path), generations=1, confidence=None, out=tmp_path / "onnx")
    assert (run.about.judge["engine"], run.about.judge["reference"]) == ("onnxruntime", "onnxruntime")
    assert "onnxruntime" in run.about.versions
    assert ImageSpec(3, 4, 4).describe() == run.about.target["spec"]


def test_a_run_in_torch_over_large_images_has_a_batch_judged_and_climbed_by_each_thread(tmp_path):
    """Catches answers or slopes of another batch's images, and an inner layer heard by two batches at once."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 5, stride=4), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 55 * 55, 3)).eval()
    target = TorchTarget("large", net, ImageSpec(3, 224, 224), tuple("abc"))
    images, classes = noise(11, 3, 224, 224), torch.arange(11) % 3

    def own(said, classes):
        return class_log_odds(said.logits, classes)

    one, two = search_judge(target, JudgeSettings(4)), search_judge(target, JudgeSettings(4, 2, abreast=2))
    assert (one.abreast, two.abreast) == (1, 2)
    slow, fast = (judge.slope(images, own, classes) for judge in (one, two))
    assert torch.equal(fast.outputs.logits, slow.outputs.logits)
    assert torch.equal(fast.gradient, slow.gradient)
    assert torch.equal(fast.outputs.logits, two.judge(images).logits)
    assert one.settings.describe().keys() == asdict(one.settings).keys() - {"abreast"}, "as in runs before"
    settings = FoolSettings("large", threads=2, out=tmp_path)
    heard = replace(target, declared=replace(target.declared, layer="2"))
    assert judges_module.judge_settings(settings, target, 11) == two.settings
    assert judges_module.judge_settings(settings, target, 7) == JudgeSettings(4, 2), "one thread would have three"
    assert judges_module.judge_settings(settings, heard, 11) == JudgeSettings(4, 2)
    assert judges_module.judge_settings(settings, make_tiny_target(), 50) == JudgeSettings(50, 2)
