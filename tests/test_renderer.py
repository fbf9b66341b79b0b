"""The compiled renderer: the pictures of the reference, whoever stands beside them, and part of what a run promises."""

import math
import os
import subprocess
import sys
from dataclasses import replace
from importlib.metadata import version

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny import make_tiny_target

import trompe
from trompe.core.errors import BadInput, RunError
from trompe.core.numerics import to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings.cppn import PRESETS, Cppn, CppnGenomes, compiled, functions, genome, kernel
from trompe.run import open_run
from trompe.run.painters import painters
from trompe.search import Archive, Contest, EveryClass, Judge, JudgeSettings, Tally
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import load_target
from trompe.testing import examine_encoding
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import fool_session

SPECS = (ImageSpec(1, 28, 28), ImageSpec(3, 32, 32), ImageSpec(1, 6, 5), ImageSpec(3, 9, 13), ImageSpec(3, 64, 96))
FAST = {"encoding": "cppn", "engine": "onnxruntime", "confidence": None, "population": 40, "batch": 20}


def pair(spec, preset="paper"):
    return Cppn(spec, PRESETS[preset]), Cppn(spec, PRESETS[preset], renderer="numba")


def grown(encoding, n, rounds, seed=0):
    genomes = encoding.random(n, Stream(seed, "test/random", 0))
    for step in range(rounds):
        genomes = encoding.vary(genomes, Stream(seed, "test/vary", step))
    return genomes


def fool(folder, *, target=None, **changes):
    with fool_session(
        FoolSettings("tiny-0", out=folder, **{**FAST, **changes}), target or make_tiny_target()
    ) as session:
        for _ in session:
            pass
        return session.finish()


@given(st.integers(0, 10_000), st.integers(0, 40), st.sampled_from(list(PRESETS)), st.sampled_from(SPECS))
@settings(max_examples=40)
def test_pixels_are_those_of_the_reference(seed, rounds, preset, spec):
    """At least 99.9 % of them within one level, of networks as they are born and after many mutations."""
    reference, fast = pair(spec, preset)
    genomes = grown(reference, 24, rounds, seed)
    gap = (to_levels(fast.express(genomes)).int() - to_levels(reference.express(genomes)).int()).abs()
    assert (gap <= 1).double().mean() >= 0.999, f"largest difference {gap.max()} levels"
    assert (gap == 0).double().mean() >= 0.99, "the same functions, not merely similar ones"


@pytest.mark.parametrize("name", kernel.FUNCTIONS)
def test_each_function_is_right_to_a_few_units_of_float32(name):
    exact = {
        "sine": math.sin, "sigmoid": lambda p: math.tanh(p / 2), "gaussian": lambda p: math.exp(-p * p),
        "linear": lambda p: max(-3.0, min(3.0, p)) / 3, "steep": lambda p: math.tanh(5 * p),
    }[name]  # fmt: skip
    potentials = np.concatenate([np.linspace(-40, 40, 4 * kernel.BLOCK), np.linspace(-3, 3, 4 * kernel.BLOCK)])
    for row in potentials.astype(np.float32).reshape(-1, kernel.BLOCK):
        made = np.empty_like(row)
        kernel.activate(row, kernel.FUNCTIONS.index(name), made)
        assert np.abs(made - [exact(float(p)) for p in row]).max() < 4e-7


def test_what_the_kernel_writes_again_is_what_stands_elsewhere():
    """It must not import these: the cache of compiled code looks at one file."""
    assert kernel.FUNCTIONS == functions.NAMES
    assert (len(genome.INPUTS), genome.INPUTS.index("1")) == (kernel.INPUTS, kernel.CONSTANT)


@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 9, 7), ImageSpec(3, 30, 30)], ids=repr)
def test_it_keeps_the_promises_of_an_encoding(spec, unchecked):
    report = examine_encoding(Cppn(spec, renderer="numba"), spec)
    assert not report.findings


def test_neither_threads_nor_neighbours_change_a_bit(monkeypatch):
    monkeypatch.setattr(compiled, "_WORTH_THREADS", 0)
    for spec in SPECS:
        _, fast = pair(spec)
        genomes = grown(fast, 23, 30)
        alone = torch.cat([fast.express(genomes.take(torch.tensor([row])).trimmed()) for row in range(23)])
        for threads in (1, 2, 3):
            assert torch.equal(replace(fast, threads=threads).express(genomes), alone)


def test_hard_networks():
    """No connection at all; two parallel ones; a chain; an output that hears another; a node that nobody hears."""
    # nodes: 4 is the output of a grey network, 5, 6, 7 are hidden
    columns = [
        ([0, -1, -1, -1], [], []),
        ([0, -1, -1, -1], [1, 1], [4, 4]),
        ([0, 1, 2, 3], [0, 5, 6, 7], [5, 6, 7, 4]),
        ([2, 1, 2, -1], [3, 5, 1], [5, 6, 4]),
        ([4, 3, -1, -1], [2, 3, 5, 0, 1], [4, 5, 4, 5, 5]),
    ]
    links = 6
    wide = [[ends + [-1] * (links - len(ends)) for ends in pair] for _, *pair in columns]
    source, target = torch.tensor(wide, dtype=torch.int16).unbind(1)
    function = torch.tensor([kinds for kinds, _, _ in columns], dtype=torch.int8)
    weight = Stream(0, "test/hard", 0).uniform32(len(columns), links)
    genomes = CppnGenomes(function, source.contiguous(), target.contiguous(), weight)
    reference, fast = pair(ImageSpec(1, 20, 30))
    gap = (to_levels(fast.express(genomes)).int() - to_levels(reference.express(genomes)).int()).abs()
    assert gap.max() <= 1
    assert to_levels(fast.express(genomes))[0].max() == 0


@pytest.mark.parametrize(("source", "target"), [(9, 4), (0, 9), (0, 2), (5, 4)])
def test_a_damaged_network_is_refused_before_anything_is_written_where_it_may_not(source, target):
    links = (torch.tensor([[end]], dtype=torch.int16) for end in (source, target))
    broken = CppnGenomes(torch.tensor([[0, -1]], dtype=torch.int8), *links, torch.ones(1, 1))
    with pytest.raises(IndexError, match="where there is no node"):
        pair(ImageSpec(1, 28, 28))[1].express(broken)


def test_a_run_keeps_its_renderer(tmp_path, monkeypatch):
    """Taken up in the middle without a word, repeated, and drawn again: the same bytes."""
    run = fool(tmp_path / "run", generations=6)
    assert run.about.encoding["cppn-evolve"]["renderer"] == run.about.settings["renderer"] == "numba"
    assert run.about.versions["numba"] == version("numba")
    session = fool_session(FoolSettings("tiny-0", out=tmp_path / "cut", generations=6, **FAST), make_tiny_target())
    with session:
        for step in session:
            if step.number == 5:
                break
    assert fool(tmp_path / "cut", generations=6, resume=True).digest() == run.digest()
    slow = fool(tmp_path / "slow", generations=6, renderer="torch")
    assert slow.digest() != run.digest()
    # whatever would be chosen for a new run by now
    monkeypatch.setattr("trompe.verbs.renderers.numba_installed", lambda: False)
    assert fool(tmp_path / "run", generations=6, resume=True).digest() == run.digest()
    for (_, niche), painter in painters(run).items():
        record = run.classes[niche]
        assert torch.equal(painter.paint(6, 6)[0], record.strongest.levels)


@pytest.mark.slow
def test_a_repetition_is_painted_by_the_same(tmp_path):
    for name, changes in {"fast": {}, "slow": {"renderer": "torch"}}.items():
        run = trompe.fool("softmax-mnist", out=tmp_path / name, generations=2, **{**FAST, **changes})
        again = trompe.rerun(run.folder, out=tmp_path / f"{name}-again")
        assert again.same
        assert again.repetition.about.encoding == run.about.encoding


def test_only_a_fast_engine_is_painted_for_by_numba_unless_it_is_asked_for(tmp_path):
    changes = {"generations": 1, "confidence": None}
    plain = trompe.fool("softmax-mnist", encoding="cppn", out=tmp_path / "plain", **changes)
    named = trompe.fool("softmax-mnist", encoding="cppn", renderer="torch", out=tmp_path / "named", **changes)
    assert "renderer" not in plain.about.settings
    assert "renderer" not in plain.about.encoding["cppn-evolve"]
    assert "numba" not in plain.about.versions
    assert plain.digest() == named.digest(), "a run from before there was a choice repeats to its digest"
    asked = trompe.fool("softmax-mnist", encoding="cppn", renderer="numba", out=tmp_path / "asked", **changes)
    assert asked.about.encoding["cppn-evolve"]["renderer"] == "numba"
    pixels = trompe.fool("softmax-mnist", engine="onnxruntime", out=tmp_path / "pixels", **changes)
    assert "renderer" not in pixels.about.settings
    climbed = trompe.fool("softmax-mnist", encoding="cppn", by="ascend", generations=1, renderer="numba",
                          out=tmp_path / "climbed")  # fmt: skip
    assert "renderer" not in climbed.about.encoding["cppn-ascend"], "gradients go through what torch paints"


def test_an_audit_keeps_its_renderer(tmp_path):
    words = {"methods": ("cppn-evolve",), "engine": "onnxruntime", "budget": 100, "survival": False}
    with audit_session(AuditSettings("softmax-mnist", out=tmp_path / "audit", **words)) as session:
        for _ in session:
            pass
        run = session.finish()
    assert run.about.settings["renderer"] == run.about.encoding["cppn-evolve"]["renderer"] == "numba"
    assert trompe.rerun(run.folder, out=tmp_path / "again").same


def test_without_numba(tmp_path, monkeypatch):
    """A new run is painted by torch; one that was begun with numba says in a line what is missing."""
    begun = trompe.fool("softmax-mnist", out=tmp_path / "begun", generations=1, **FAST)
    hidden = lambda: False  # noqa: E731
    monkeypatch.setattr(compiled, "installed", hidden)
    monkeypatch.setattr("trompe.verbs.renderers.numba_installed", hidden)
    monkeypatch.setattr("trompe.run.painters.numba_installed", hidden)
    new = trompe.fool("softmax-mnist", out=tmp_path / "new", generations=1, **FAST)
    assert "renderer" not in new.about.settings
    for words in ({"out": tmp_path / "more", "renderer": "numba"}, {"out": begun.folder, "resume": True}):
        with pytest.raises(BadInput, match=r"numba.*not installed.*trompe\[fast\]"):
            trompe.fool("softmax-mnist", generations=1, **FAST, **words)
    with pytest.raises(BadInput, match="not installed"):
        trompe.rerun(begun.folder, out=tmp_path / "again")
    assert trompe.verify(begun.folder).passed, "what is kept is never painted again"
    assert painters(open_run(begun.folder)), "and can still be looked at"


def test_another_renderer_cannot_go_on(tmp_path):
    fool(tmp_path / "run", generations=1)
    with pytest.raises(RunError, match="--renderer numba"):
        fool(tmp_path / "run", generations=1, resume=True, renderer="torch")


@pytest.mark.parametrize("place", ["writable", "file"])
def test_compiled_code_is_kept_in_the_cache_folder_or_nowhere(tmp_path, place):
    """Also where there is no folder that could be written, which a file in its place makes sure of."""
    (tmp_path / "file").write_text("no folder")
    code = (
        "import torch\n"
        "from trompe.core.seeds import Stream\n"
        "from trompe.core.specs import ImageSpec\n"
        "from trompe.encodings import Cppn\n"
        "encoding = Cppn(ImageSpec(1, 8, 8), renderer='numba')\n"
        "print(encoding.express(encoding.random(2, Stream(0, 'a', 0))).shape)\n"
    )
    data = tmp_path / place
    home = tmp_path / "file" if place == "file" else tmp_path / "home"
    words = {"TROMPE_DATA": str(data), "HOME": str(home), "OMP_NUM_THREADS": "1"}
    before = set(kernel_files())
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("NUMBA", "XDG"))} | words
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=environment, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "[2, 1, 8, 8]" in done.stdout
    assert set(kernel_files()) == before, "nothing beside the source"
    assert bool(list(data.rglob("*.nbi")) if data.is_dir() else []) == (place == "writable")
    assert sorted(path.name for path in tmp_path.iterdir()) == (["file"] if place == "file" else ["file", "writable"])


def kernel_files():
    from pathlib import Path

    return [path.name for path in Path(kernel.__file__).parent.rglob("*") if path.suffix in (".nbi", ".nbc")]


def test_what_is_painted_while_others_are_judged_is_what_is_painted_before():
    """Catches parts joined in another order, and ids or answers that are not each candidate's own."""
    target = load_target("lenet-mnist")
    encoding = Cppn(target.spec, renderer="numba")
    genomes = encoding.random(11, Stream(0, "aside", 0))
    contest = Contest(encoding, Judge(target, JudgeSettings(4)), EveryClass.of(target), (0.5,))
    step, _ = contest.hold(Archive(10, (0.5,)), genomes, torch.full((11, 2), -1), Tally(3, 200))
    whole = contest.candidates(genomes, torch.full((11, 2), -1), Tally(3, 200))
    bids = contest.niches.bids(contest.judge.judge(whole.inputs), whole.inputs).value
    winners = whole.take(bids.argmax(0).unique())
    assert torch.equal(step.wins.winners.ids, winners.ids)
    assert torch.equal(step.wins.winners.inputs, winners.inputs)
    assert torch.equal(step.wins.value, bids.amax(0))
    assert step.forwards == 12
