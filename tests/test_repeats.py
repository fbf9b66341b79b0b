"""Repeats: runs of one method counted per class and level, with an interval over runs and never over classes."""

import json
import re

import pytest
from test_report import Node, Reader

from trompe.cli.summary import describe
from trompe.core.errors import BadInput, RunError
from trompe.measure.statistics import wilson
from trompe.run import open_run
from trompe.settings import AuditSettings, FoolSettings, RerunSettings
from trompe.showing.report import report
from trompe.verbs.audit import audit_session
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


AUDITED = ("pixels-evolve", "cppn-evolve", "pixels-ascend")


def go(target, out, **changes):
    fixed = {"methods": AUDITED, "budget": 60, "confidence": None, "seed": 4, "repeats": 3, "out": out}
    with audit_session(AuditSettings(target.name, **{**fixed, **changes}), target) as session:
        for _ in session:
            pass
        return session.finish()


@pytest.fixture(scope="module")
def audited(tiny, tmp_path_factory):
    return go(tiny, tmp_path_factory.mktemp("audit") / "run")


def test_an_audit_repeats_each_method_with_the_seeds_that_follow(audited, tiny, tmp_path):
    assert [search.method for search in audited.searches] == [method for method in AUDITED for _ in range(3)]
    for i in range(3):
        alone = go(tiny, tmp_path / str(i), seed=4 + i, repeats=1)
        for number, method in enumerate(AUDITED):
            ours = [record.strongest.log_odds for record in audited.classes if record.search == 3 * number + i]
            theirs = [record.strongest.log_odds for record in alone.classes if record.method == method]
            assert ours == theirs


def test_an_audit_counts_runs_by_method_class_and_level(audited, tiny):
    table = json.loads((audited.folder / "results.json").read_text())["summary"]["repeats"]
    assert list(table) == list(AUDITED)
    for method in AUDITED:
        for label in tiny.labels:
            mine = [record for record in audited.classes if (record.method, record.label) == (method, label)]
            for level in audited.about.levels:
                entry = table[method][label][f"{level:g}"]
                count = sum(record.first(level) is not None for record in mine)
                assert entry == {"count": count, "of": 3, "low": wilson(count, 3).low, "high": wilson(count, 3).high}


def test_an_audit_with_repeats_is_resumed_and_refused_as_others_are(audited, tiny, tmp_path):
    settings = AuditSettings(
        tiny.name, methods=AUDITED, budget=60, confidence=None, seed=4, repeats=3, out=tmp_path / "run"
    )
    with audit_session(settings, tiny) as session:
        for _, step in zip(range(30), session, strict=False):
            del step
    assert open_run(tmp_path / "run").state != "done"
    assert go(tiny, tmp_path / "run", resume=True).digest() == audited.digest()
    with pytest.raises(RunError, match="--repeats 3"):
        go(tiny, tmp_path / "run", resume=True, repeats=2)
    with pytest.raises(BadInput, match=r"--repeats: expected a number of at least 1; got 0"):
        go(tiny, tmp_path / "none", repeats=0)


def test_the_summary_counts_runs_in_a_column_a_method(audited, tiny):
    lines = describe(audited)
    assert re.split(r"\s{2,}", lines[0].strip()) == list(AUDITED)
    for line, label in zip(lines[1:5], tiny.labels, strict=True):
        cells = re.split(r"\s{2,}", line)
        assert cells[0] == label
        for cell, method in zip(cells[1:], AUDITED, strict=True):
            share = audited.repeated(0.9999)[label, method]
            low, high = f"{100 * share.low:.0f}", f"{100 * share.high:.0f}"
            assert cell == f"{share.count} of 3 ({low} to {high} %)"
    assert "95 % Wilson interval over the runs" in lines[5]
    assert any(line.endswith("(each in the best of 3 runs)") for line in lines)
    assert len([line for line in lines if re.match(r"pixels-ascend +run [123]: at least \d of 4", line)]) == 3


@pytest.mark.parametrize("which", ["run", "audited"])
def test_the_page_counts_runs(which, request):
    run = request.getfixturevalue(which)
    page = Reader(report(run.folder).read_text(encoding="utf-8")).root
    table = page.all("table")[0]
    rows = [[cell.text for cell in row.parts if isinstance(cell, Node)] for row in table.all("tr")[1:]]
    expected = [[label, method] for label, method in run.repeated(0.5)]
    assert [row[:2] for row in rows] == expected
    for label, method, *cells in rows:
        for cell, level in zip(cells, run.about.levels, strict=True):
            share = run.repeated(level)[label, method]
            assert cell.startswith(f"{share.count} of 3 ({100 * share.low:.0f} to ")
    assert "each in the best of 3 runs" in page.all("h1")[0].text
    choices = [n.attributes.get("id") for n in page.all("input") if n.attributes.get("name") == "repeat"]
    assert choices == ["repeat-0", "repeat-1", "repeat-2", None]
    tiles = page.all("details", "tile")
    assert len(tiles) == len(run.classes)
    assert len([tile for tile in tiles if "repeat-1" in tile.attributes["class"].split()]) == len(tiles) // 3
    assert len(page.all("figure", "map")) == len({search.method for search in run.searches})


def test_one_run_of_each_method_gives_counts_without_an_interval(tiny, tmp_path):
    run = go(tiny, tmp_path / "run", repeats=1)
    text = report(run.folder).read_text(encoding="utf-8")
    assert "In how many runs?" not in text
    assert "repeat-" not in text.replace("repeat-0", "", len(run.classes))
    assert "best of" not in " ".join(describe(run))
    assert str(run.repeated(0.5)["north", "pixels-evolve"]) in ("0 of 1", "1 of 1")
