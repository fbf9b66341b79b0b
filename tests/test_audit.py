"""An audit: several searches in one run, each on its own, resumed and repeated as a whole."""

import json
import re

import pytest

import trompe
from trompe.cli.summary import describe
from trompe.core.errors import BadInput, RunError
from trompe.run import open_run
from trompe.settings import AuditSettings, FoolSettings
from trompe.verbs.audit import audit_session, audit_with
from trompe.verbs.fool import fool_with, stored_settings

METHODS = ("pixels-evolve", "cppn-evolve", "pixels-ascend", "pixels-squares", "pixels-scatter")
BUDGET = 90


class Counting:
    """A target that is interrupted at its k-th call."""

    def __init__(self, inner, at):
        self.inner, self.at, self.calls = inner, at, 0

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def judge(self, inputs):
        self.calls += 1
        if self.calls == self.at:
            raise KeyboardInterrupt
        return self.inner.judge(inputs)


def go(target, out, **changes):
    fixed = {"methods": METHODS, "budget": BUDGET, "confidence": None, "out": out}
    with audit_session(AuditSettings(target.name, **{**fixed, **changes}), target) as session:
        for _ in session:
            pass
        return session.finish()


@pytest.fixture(scope="module")
def whole(tiny, tmp_path_factory):
    return go(tiny, tmp_path_factory.mktemp("audit") / "run")


def test_every_method_has_its_search_its_budget_and_its_entry_for_every_class(whole, tiny):
    assert [search.method for search in whole.searches] == list(METHODS)
    assert all(search.evaluations <= BUDGET for search in whole.searches)
    assert whole.searches[0].evaluations == BUDGET
    results = json.loads((whole.folder / "results.json").read_text())
    entries = [(entry["method"], entry["label"]) for entry in results["classes"]]
    assert entries == [(method, label) for method in METHODS for label in tiny.labels]
    assert results["summary"]["attempted"] == 4
    assert results["summary"]["evaluations"] == sum(search.evaluations for search in whole.searches)
    assert len({entry["image_strongest"] for entry in results["classes"]}) == 4 * len(METHODS)


def test_a_class_is_represented_by_its_strongest_method(whole, tiny):
    for label in tiny.labels:
        odds = [record.strongest.log_odds for record in whole.classes if record.label == label]
        assert whole[label].strongest.log_odds == max(odds)


@pytest.mark.parametrize("method", [0, 1, 4])
def test_a_method_finds_in_an_audit_what_it_finds_alone(method, whole, tiny, tmp_path):
    """Searches of one run must not see each other."""
    encoding, by = METHODS[method].split("-")
    settings = FoolSettings(tiny.name, by=by, encoding=encoding, budget=BUDGET, confidence=None, out=tmp_path / "alone")
    alone = fool_with(settings, tiny)
    ours = {record.label: record.strongest.candidate for record in whole.classes if record.search == method}
    assert ours == {record.label: record.strongest.candidate for record in alone.classes}


@pytest.mark.parametrize("call", [20, 40, 60, 80, 100])
def test_interrupted_in_any_method_and_resumed_equals_never_interrupted(call, whole, tiny, tmp_path):
    with pytest.raises(KeyboardInterrupt):
        go(Counting(tiny, call), tmp_path / "cut")
    cut = open_run(tmp_path / "cut")
    assert cut.state == "interrupted"
    states = [search.state for search in cut.searches]
    assert states == sorted(states, key=("done", "interrupted", "running").index)
    resumed = go(tiny, tmp_path / "cut", resume=True)
    assert resumed.digest() == whole.digest()


def test_resume_with_other_methods_is_refused_and_a_finished_audit_is_left_alone(whole, tiny):
    before = {path: path.read_bytes() for path in whole.folder.rglob("*") if path.is_file()}
    with pytest.raises(RunError, match=r"the settings the run was begun with, --methods"):
        go(tiny, whole.folder, resume=True, methods=METHODS[:2])
    assert go(tiny, whole.folder, resume=True).digest() == whole.digest()
    assert {path: path.read_bytes() for path in whole.folder.rglob("*") if path.is_file()} == before


def test_a_fool_run_is_not_resumed_as_an_audit(tiny, tmp_path):
    fool_with(FoolSettings(tiny.name, generations=1, confidence=None, out=tmp_path / "run"), tiny)
    with pytest.raises(RunError, match=r"the settings the run was begun with"):
        go(tiny, tmp_path / "run", resume=True)


def test_an_audit_is_repeated_to_the_same_bytes(tmp_path):
    run = trompe.audit("softmax-mnist", budget=40, classes=("3", "8"), out=tmp_path / "run")
    assert trompe.rerun(run.folder, out=tmp_path / "again").same
    assert trompe.verify(run.folder).passed


@pytest.mark.parametrize("methods", [(), ("pixels-evolve", "pixels-evolve")])
def test_methods_must_be_named_once(methods, tiny, tmp_path):
    with pytest.raises(BadInput, match="expected at least one method, each once"):
        go(tiny, tmp_path / "run", methods=methods)


def test_the_summary_has_a_row_a_class_and_a_column_a_method(whole, tiny):
    lines = describe(whole)
    assert re.split(r"\s{2,}", lines[0].strip()) == list(METHODS)
    assert [line.split()[0] for line in lines[1:5]] == list(tiny.labels)
    for number, method in enumerate(METHODS):
        records = [record for record in whole.classes if record.search == number]
        reached = sum(record.first(0.9999) is not None for record in records)
        assert any(re.match(rf"{method} +at least {reached} of 4 at 99\.99 %", line) for line in lines)
    assert any("in brackets: evaluations until the first at 99.99 %" in line for line in lines)
    (ended,) = [line for line in lines if line.startswith("ended by ")]
    assert sum(map(int, re.findall(rf"\((\d+) of {len(METHODS)}\)", ended))) == len(METHODS)


def test_generations_bound_every_method(tiny, tmp_path):
    settings = AuditSettings("tiny", generations=2, confidence=None, survival=False, out=tmp_path / "run")
    run = audit_with(settings, tiny)
    per_class = {search.method: search.evaluations for search in run.searches}
    assert per_class == {"pixels-evolve": 600, "cppn-evolve": 600, "pixels-ascend": 12, "pixels-squares": 12}
    assert run.about.settings["generations"] == 2
    assert "generations" not in stored_settings(AuditSettings("tiny", out=tmp_path))  # an older run repeats as it was
