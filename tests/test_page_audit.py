"""The page of an audit: what vouches for it first, then what was measured beside it, and last what one can do."""

import json
from dataclasses import replace
from pathlib import Path
from statistics import median

import pytest
from made import made_target
from PIL import Image
from test_report import Node, read

import trompe
from trompe.cli.summary import describe
from trompe.core.numerics import level_odds, say_confidence
from trompe.core.specs import ImageSpec
from trompe.run.survived import counted
from trompe.settings import AuditSettings
from trompe.showing.curves import charts
from trompe.showing.evidence import gather
from trompe.targets import Declaration, Preprocessing
from trompe.verbs.audit import audit_with

LABELS = ("cat", "dog", "background", "cow")


def audited(folder: Path, declared: Declaration, **settings: object) -> trompe.Run:
    """An audit of a linear classifier about which this much is declared."""
    target = replace(made_target(LABELS, ImageSpec(1, 6, 6), strength=4.0), declared=declared)
    fixed = {"methods": ("pixels-squares", "pixels-evolve"), "budget": 300, "confidence": None, **settings}
    return audit_with(AuditSettings("made", out=folder, **fixed), target)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve grey images, three of each class."""
    folder = tmp_path_factory.mktemp("photographs")
    for column, label in enumerate(LABELS):
        (folder / label).mkdir()
        for i in range(3):
            Image.new("L", (6, 6), 60 * column + 20 * i).save(folder / label / f"{i}.png")
    return folder


@pytest.fixture(scope="module")
def declared(tmp_path_factory: pytest.TempPathFactory, photographs: Path) -> trompe.Run:
    known = Declaration(preprocessing=Preprocessing(), harmless=("background",), threshold=0.9)
    return audited(tmp_path_factory.mktemp("declared") / "run", known, images=photographs)


@pytest.fixture(scope="module")
def page(declared: trompe.Run) -> Node:
    return read(trompe.report(declared.folder))


def remedies(page: Node) -> dict[str, str]:
    section = page.all("section")[-1]
    return dict(zip([n.text for n in section.all("dt")], [n.text for n in section.all("dd")], strict=True))


def test_unverified_is_said_in_the_first_line(tmp_path: Path, page: Node) -> None:
    run = audited(tmp_path / "run", Declaration(), budget=60)
    other = read(trompe.report(run.folder))
    first = other.all("header")[0].all("p")[0]
    assert first.text.startswith("made: UNVERIFIED: nobody declared the preprocessing")
    assert first.attributes["class"] == "warning"
    assert other.text.count("UNVERIFIED: nobody") == 1
    assert other.all("title")[0].text.startswith("UNVERIFIED: ")
    assert "nobody declared it" in list(remedies(other).values())[1]
    assert page.all("header")[0].all("p")[0].text == "made: preprocessing declared"


def test_findings_are_sentences_with_a_name(tmp_path: Path) -> None:
    import torch
    from torch import nn

    torch.manual_seed(0)
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 4)).eval()
    target = trompe.load_target(net, Declaration(shape=(1, 6, 6), preprocessing=Preprocessing()))
    settings = AuditSettings("net", methods=("pixels-squares",), budget=40, out=tmp_path / "run")
    found = read(trompe.report(audit_with(settings, target).folder))
    assert any(warning.text.startswith("Note. Finding unnamed: ") for warning in found.all("p", "warning"))
    assert "Findings about the target unnamed: " in found.text


def test_the_control_has_its_table(page: Node, declared: trompe.Run) -> None:
    table = page.all("div", "wide")[-1]
    assert table.attributes["aria-label"] == "Positive control"
    assert [[cell.text for cell in row.walk() if cell.tag in ("th", "td")] for row in table.all("tr")] == [
        ["method", "reached", "attempted", "looks"],
        *(
            [row["method"], str(row["reached"]), str(row["attempted"]), f"{row['evaluations']:,}"]
            for row in declared.measured["control"]
        ),
    ]
    best = max(row["reached"] for row in declared.measured["control"])
    assert f"Positive control {'passed' if best == 3 else 'failed'}: at the same budget the best" in page.text


def test_natural_images_are_those_that_the_run_judged(page: Node, declared: trompe.Run) -> None:
    natural = declared.measured["natural"]
    usual = median(row[2] for row in natural["answers"] if row[0] == row[1])
    assert natural["images"] == 12
    assert f"On 12 real images (images of the user) the network is right about {natural['accuracy']};" in page.text
    assert f"expected calibration error: {100 * natural['calibration_error']:.1f} %" in page.text
    assert f"median confidence of those it names rightly: {say_confidence(usual)}" in page.text
    told = declared.judgements()
    best = [
        max(told[record.search, record.niche, 0.0] for record in declared.classes if record.label == label)
        for label in ("cat", "dog", "cow")
    ]
    above = sum(odds >= usual for odds in best)
    assert f"Of 3 classes, {above} have an accepted, verified picture" in page.text
    figures = [box.all("dd")[0].text for box in page.all("dl", "figures")[0].all("div")]
    assert figures[1] == f"{above} of 3"
    assert "12 real images (images of the user) were judged" in page.all("section")[0].text.lower()
    right = sum(row[0] == row[1] for row in natural["answers"])
    assert f"real, named rightly ({right})" in page.text
    assert f"real, named wrongly ({12 - right})" in page.text


def test_harmless_classes_are_marked_and_in_no_rate(page: Node, declared: trompe.Run) -> None:
    tiles = page.all("details", "tile")
    for tile in tiles:
        marked = [mark.text for mark in tile.all("span", "spared")]
        assert marked == (["harmless: not counted"] if tile.all("b", "label")[0].text == "background" else [])
    assert "in none of the counts: background." in page.text
    assert "of 3 classes attempted" in page.all("h1")[0].text
    assert declared.labels_that_count == ("cat", "dog", "cow")
    assert declared.confident(0.99).attempted == 3
    summary = json.loads((declared.folder / "results.json").read_text())["summary"]
    assert summary["attempted"] == 3
    assert summary["confident"]["0.9"].endswith("of 3 attempted")
    assert any("not counted: background" in line for line in describe(declared))
    assert "pixels-squares, strongest of each class (3)" in page.text
    kept = {
        (record.search, record.niche, kept.candidate)
        for record in declared.classes
        for kept in record.kept()
        if record.label != "background" and record.method == "pixels-evolve" and kept.log_odds >= level_odds(0.5)
    }
    assert {each.of for each in counted(declared) if each.method == "pixels-evolve" and each.level == 0.5} == {
        len(kept)
    }
    headers = [cell.text for row in page.all("tbody")[-2].all("tr") for cell in row.all("th")]
    assert headers.count("background (not counted)") == 0  # survival by method
    assert "background (not counted)" in page.text


def test_every_step_and_the_control_count_the_same_classes(declared: trompe.Run) -> None:
    names = declared.searches[0].niches
    for search in declared.searches:
        held = dict.fromkeys(names, -99.0)
        changes = declared.takeovers(search.number)
        for step in declared.steps(search.number):
            held |= {names[one.niche]: one.value for one in changes if one.step == step["number"]}
            told = [odds for label, odds in held.items() if label != "background" and odds > -99.0]
            assert step["filled"] == len(told)
            assert step["median"] == median(told)
            assert step["confident@0.5"] == sum(odds >= 0.0 for odds in told)
    assert [row["attempted"] for row in declared.measured["control"]] == [3, 3]
    assert max(row["reached"] for row in declared.measured["control"]) == 3


def test_charts_are_of_the_classes_that_count(declared: trompe.Run) -> None:
    _, reached = charts(gather(declared))
    assert reached.rows[-1].text == "3"
    for search in declared.searches:
        top = sum(
            record.strongest.log_odds >= level_odds(0.9999)
            for record in declared.classes
            if record.search == search.number and record.label != "background"
        )
        assert f"{search.method} ends at {top} of 3 after" in reached.text


def test_the_last_section_says_what_one_can_do_and_recommends_no_threshold(page: Node, declared: trompe.Run) -> None:
    assert page.all("section")[-1].all("h2")[0].text == "What one can do"
    found = remedies(page)
    assert next(iter(found)).startswith("Declare harmless classes")
    assert list(found)[-1] == "Train again with such images (hardening)"
    assert found["Declare harmless classes and the operating threshold"] == (
        "declared: background: harmless, in no rate here; the product acts from 90 % on"
    )
    told = declared.judgements()
    past = {
        record.label
        for record in declared.classes
        if told[record.search, record.niche, 0.0] >= level_odds(0.9) and record.label != "background"
    }
    assert found["Reject below a threshold"] == (
        f"searched against the declared 90 %: at least {len(past)} of 3 classes got past it"
    )
    assert "still do. They were made without knowing of it" in found["Re-encode, resize or crop what comes in"]
    assert found["Put a guard in front"] == "not tried"
    assert found["Train again with such images (hardening)"].startswith("not tried")
    assert "No threshold is recommended" in page.text


def test_a_search_that_stopped_below_the_threshold_has_not_tried_it(tmp_path: Path) -> None:
    known = Declaration(preprocessing=Preprocessing(), threshold=0.99, abstain="background")
    run = audited(tmp_path / "run", known, budget=60, confidence=0.9, survival=False)
    found = remedies(read(trompe.report(run.folder)))
    assert found["Reject below a threshold"].startswith(
        "not tried: the search stopped at 90 %, below the declared 99 %"
    )
    assert found["Re-encode, resize or crop what comes in"] == "not tried"
    assert found["Add a class for nonsense"].startswith("there is one, background")
    plain = remedies(read(trompe.report(audited(tmp_path / "plain", Declaration(), budget=40).folder)))
    assert plain["Reject below a threshold"].startswith("not tried: none is declared")
    assert plain["Declare harmless classes and the operating threshold"].startswith("not tried")
