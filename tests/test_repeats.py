"""Repeats: runs of one method counted per class and level, with an interval over runs and never over classes."""

import json

import pytest

from trompe.core.errors import BadInput
from trompe.measure.statistics import wilson
from trompe.run import open_run
from trompe.settings import FoolSettings, RerunSettings
from trompe.verbs.fool import fool_with
from trompe.verbs.rerun import Rerun, repeat

SHORT = {"generations": 4, "population": 40, "batch": 20, "confidence": None}


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [
        (0, 10, 0.0, 0.2775),
        (10, 10, 0.7225, 1.0),
        (5, 10, 0.2366, 0.7634),
        (1, 3, 0.0615, 0.7923),
        (0, 400, 0.0, 0.00951),
    ],
)
def test_the_wilson_interval_has_its_published_values(count, of, low, high):
    share = wilson(count, of)
    assert (share.low, share.high) == (pytest.approx(low, abs=5e-4), pytest.approx(high, abs=5e-4))


def test_the_interval_is_where_the_score_test_turns():
    """An independent definition: at its ends the count lies exactly z standard errors from what they would give."""
    for count, of in [(3, 7), (1, 20), (19, 20)]:
        share = wilson(count, of)
        for end in (share.low, share.high):
            assert abs(count / of - end) / (end * (1 - end) / of) ** 0.5 == pytest.approx(1.959964, abs=1e-5)


@pytest.fixture
def run(tiny, tmp_path):
    return fool_with(FoolSettings(tiny.name, seed=5, repeats=3, out=tmp_path / "run", **SHORT), tiny)


def test_each_repeat_is_the_run_of_its_own_seed(run, tiny, tmp_path):
    for i, search in enumerate(run.searches):
        alone = fool_with(FoolSettings(tiny.name, seed=5 + i, out=tmp_path / str(i), **SHORT), tiny)
        ours = [(record.label, record.strongest.log_odds) for record in run.classes if record.search == search.number]
        assert ours == [(record.label, record.strongest.log_odds) for record in alone.classes]


def test_a_class_is_counted_once_a_repeat(run, tiny):
    table = json.loads((run.folder / "results.json").read_text())["summary"]["repeats"]["pixels-evolve"]
    for label in tiny.labels:
        for level in run.about.levels:
            reached = [record.first(level) is not None for record in run.classes if record.label == label]
            share = run.repeated(level)[label, "pixels-evolve"]
            assert (share.count, share.of) == (sum(reached), 3)
            assert table[label][f"{level:g}"]["count"] == share.count
            assert table[label][f"{level:g}"]["low"] == share.low
    assert run.confident(0.5).attempted == len(tiny.labels)


def test_one_run_claims_no_interval(tiny, tmp_path):
    single = fool_with(FoolSettings(tiny.name, out=tmp_path / "one", **SHORT), tiny)
    told = json.loads((single.folder / "results.json").read_text())["summary"]["repeats"]
    assert told.startswith("not measured")
    assert str(single.repeated(0.5)["north", "pixels-evolve"]) in ("0 of 1", "1 of 1")


def test_repeats_are_repeated_by_rerun_and_refused_below_one(run, tiny, tmp_path, monkeypatch):
    monkeypatch.setattr("trompe.verbs.rerun.load_target", lambda *_, **__: tiny)
    with repeat(RerunSettings(run.folder, out=tmp_path / "again")) as session:
        assert len(list(session)) == 3 * 9
        session.finish()
    assert Rerun(run, open_run(tmp_path / "again")).same
    with pytest.raises(BadInput, match=r"--repeats: expected a number of at least 1; got 0"):
        fool_with(FoolSettings(tiny.name, repeats=0, out=tmp_path / "none", **SHORT), tiny)
