"""What readers said of a run: read from disk, counted by both rules, shown, compared and gated; or said not to be."""

import json
import random
import shutil
import sqlite3
from dataclasses import dataclass, replace
from itertools import product
from pathlib import Path

import numpy
import pytest
import torch
from eyes import Rote
from made import made_target
from PIL import Image
from test_report import Node, read

import trompe
from trompe.cli.main import main
from trompe.cli.summary import describe
from trompe.core.errors import BadInput, DataError
from trompe.core.numerics import level_odds
from trompe.core.specs import ImageSpec
from trompe.data.folders import Photographs
from trompe.measure.gate import judge_condition, parse_condition
from trompe.measure.trials import Measured, NotMeasured
from trompe.run import Run, open_run
from trompe.run.reads import reads_of, say_range
from trompe.run.results import results, write_results
from trompe.settings import AuditSettings, FoolSettings
from trompe.showing.evidence import gather
from trompe.showing.seen import fooled_sentence, read_as
from trompe.targets import Declaration, Preprocessing
from trompe.targets.guarded import Guarded
from trompe.verbs import readable as asking
from trompe.verbs.audit import audit_with
from trompe.verbs.compare import compare_runs
from trompe.verbs.fool import fool_session
from trompe.verbs.gate import gate
from trompe.verbs.people import People, Seen
from trompe.verbs.readable import read_kept

LABELS = ("cat", "dog", "cow", "background")
COUNTED = LABELS[:3]
METHODS = ("pixels-ascend", "pixels-squares")
LEVELS = (0.5, 0.9, 0.99, 0.9999)
KNOWN = Declaration(preprocessing=Preprocessing(), harmless=("background",))


def target_of(labels=LABELS, **declared):
    return replace(made_target(labels, ImageSpec(1, 6, 6), strength=4.0), declared=replace(KNOWN, **declared))


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Run:
    """Two methods, twice each; nobody read what they made."""
    settings = AuditSettings("made", methods=METHODS, repeats=2, out=tmp_path_factory.mktemp("made") / "run")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "load_readers", lambda *_: ())
        return audit_with(settings, target_of())


def natural(told: dict[bytes, str], wrong: int = 0) -> Photographs:
    """Ten images of each class; readers are told what they are, but for so many."""
    levels = (torch.arange(40 * 36) * 37 % 251).to(torch.uint8).reshape(40, 1, 6, 6)
    columns = torch.arange(40) % 4
    for i, (image, column) in enumerate(zip(levels, columns.tolist(), strict=True)):
        told[image.numpy().tobytes()] = "none" if i < wrong else LABELS[column]
    return Photographs(levels, columns, tuple(Path(f"{i}.png") for i in range(40)))


def taught(told) -> Photographs:
    """The same real images, of which every reader is told."""
    return [natural(known) for known in told][-1]


def on_disk(run: Run) -> dict[tuple[int, int, float], bytes]:
    """The bytes of every kept image by search, niche and level, as another library reads them from the folder."""
    return {
        (record.search, record.niche, kept.level or 0.0): numpy.asarray(Image.open(run.folder / kept.file)).tobytes()
        for record in run.classes
        for kept in record.kept()
    }


def by_rule(run: Run, rule) -> list[dict[bytes, str]]:
    """What two readers are told of a run's images: by label, method and level."""
    content = on_disk(run)
    told: list[dict[bytes, str]] = [{}, {}]
    for record in run.classes:
        for kept in record.kept():
            for which, said in enumerate(rule(record, kept)):
                told[which].setdefault(content[record.search, record.niche, kept.level or 0.0], said)
    return told


def rotes(told, names=("ann", "bob"), uses=((), ())) -> tuple[Rote, ...]:
    return tuple(
        Rote(name, LABELS, known, uses=frozenset(own), calibration={"sensitivity": 0.98125, "specificity": 1.0})
        for name, known, own in zip(names, told, uses, strict=True)
    )


def with_reads(run: Run, readers, photographs=None, target=None, monkeypatch=None) -> Run:
    """The run as if these readers had been there when it ended."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(asking, "load_readers", lambda *_: readers)
        found = read_kept(run, target or target_of(), photographs)
    return replace(run, measured={**run.measured, "readers": found})


def stored(run: Run, folder: Path) -> Run:
    """A copy of the run on disk, with what was measured of it."""
    shutil.copytree(run.folder, folder)
    with sqlite3.connect(folder / "run.sqlite") as connection:
        connection.execute(
            "INSERT OR REPLACE INTO measured VALUES ('readers', ?)", (json.dumps(run.measured["readers"]),)
        )
    write_results(open_run(folder))
    return open_run(folder)


def plain_rule(record, _kept) -> tuple[str, str]:
    """Every cat is read by both, every dog by one, no cow by either: what a gradient made of it is taken for a cat."""
    return {
        "cat": ("cat", "cat"),
        "dog": ("dog", "none"),
        "cow": ("cat" if record.method == METHODS[0] else "none", "none"),
    }.get(record.label, ("none", "none"))  # fmt: skip


@pytest.fixture(scope="module")
def told(made, tmp_path_factory) -> Run:
    """The run, read by rule, on disk."""
    known = by_rule(made, plain_rule)
    photographs = taught(known)
    run = with_reads(made, rotes(known), photographs)
    return stored(run, tmp_path_factory.mktemp("told") / "run")


@pytest.fixture(scope="module")
def page(told) -> Node:
    return read(trompe.report(told.folder))


# What is read


def test_what_is_read_is_what_lies_on_disk(made, tmp_path):
    """A PNG that was changed is read as it is now; one that is gone is not read."""
    copy = stored(with_reads(made, ()), tmp_path / "run")
    records = [record for record in copy.classes if record.search == 0 and record.label in ("cat", "dog")]
    changed, gone = (next(iter(record.firsts.values())) for record in records)
    spec = ImageSpec(1, 6, 6)
    spec.write(copy.folder / changed.file, torch.full((1, 6, 6), 7, dtype=torch.uint8), "another")
    (copy.folder / gone.file).unlink()
    known: list[dict[bytes, str]] = [{bytes([7] * 36): "cow"}, {}]
    found = with_reads(copy, rotes(known), taught(known)).measured["readers"]["reads"]
    said = {(search, niche, level): labels for search, niche, level, labels in found}
    assert said[0, 0, changed.level] == ["cow", "none"]
    assert (0, 1, gone.level) not in said
    assert len(said) == len(on_disk(made)) - 1
    assert {tuple(labels) for key, labels in said.items() if key != (0, 0, changed.level)} == {("none", "none")}


def test_each_image_is_read_once(made):
    readers = rotes(({b"": "cat"}, {b"": "dog"}))
    photographs = taught([reader.known for reader in readers])
    with_reads(made, readers, photographs)
    distinct = len(set(on_disk(made).values()))
    assert sum(-(-count // 50) for count in (40, distinct)) == len(readers[0].asked)
    assert distinct < len(on_disk(made))
    with_reads(made, readers, photographs)  # the real ones are known by now
    assert sum(-(-count // 50) for count in (40, distinct, distinct)) == len(readers[0].asked)


def brute(run: Run, level: float, readers: int, unit, method="", which="any") -> tuple[int, int, int]:
    """Count by hand: units, those with an image that no reader reads, those with one that not every reader reads."""
    content, odds = on_disk(run), run.judgements()
    said = {tuple(row[:3]): row[3] for row in run.measured["readers"]["reads"]}
    methods: dict[str, list[int]] = {}
    for search in run.searches:
        methods.setdefault(search.method, []).append(search.number)
    least, most, units = set(), set(), set()
    for record in run.classes:
        if record.label == "background" or method not in ("", record.method):
            continue
        seed = methods[record.method].index(record.search)
        one = record.label if unit == "class" else (record.label, seed)
        units.add(one)
        for mark in (*LEVELS, 0.0):
            key = (record.search, record.niche, mark)
            if (which == "first" and mark != level) or (which == "strongest" and mark):
                continue
            if key in content and 1 / (1 + numpy.exp(-odds[key])) >= level:
                reading = sum(said[key][i] == record.label for i in range(readers))
                if reading == 0:
                    least.add(one)
                if reading < readers:
                    most.add(one)
    return len(least), len(most), len(units)


@pytest.mark.parametrize("seed", range(6))
def test_both_rules_are_counted_as_by_hand(made, seed):
    draw = random.Random(seed)
    share = draw.random()

    def rule(record, _kept):
        return tuple(record.label if draw.random() < share else draw.choice((*LABELS, "none")) for _ in range(2))

    known = by_rule(made, rule)
    photographs = taught(known)
    run = with_reads(made, rotes(known), photographs)
    reads = reads_of(run)
    assert not reads.lacking
    for level, method, which in product(LEVELS, ("", *METHODS), ("any", "first", "strongest")):
        found = reads.at(level, method=method, which=which)
        assert isinstance(found, Measured)
        for unit, share_of in (("class", found.pairs), ("trial", found.open)):
            counts = share_of.low.count, share_of.high.count, share_of.high.of
            assert counts == brute(run, level, 2, unit, method, which)


def test_the_rule_by_hand(told):
    """Three classes count: cats are read, dogs by one of two, cows by none; the harmless one is in no rate."""
    summary = json.loads((told.folder / "results.json").read_text())["summary"]["fooled"]
    assert summary["readers"] == ["ann", "bob"]
    assert summary["classes"]["0.99"] == {
        "least": 1, "most": 2, "of": 3, "readers_disagree": True, "words": "1 to 2 of 3",
    }  # fmt: skip
    assert [summary["trials"]["0.99"][key] for key in ("least", "most", "of")] == [2, 4, 6]
    first = summary["images"]["pixels-ascend"]["first"]["0.99"]
    assert first == {"images": 6, "by_every": 2, "by_some": 4, "as_another": 2, "readers_disagree": True}
    assert told.measured["readers"]["natural"] == [["ann", 40, 40], ["bob", 40, 40]]


def test_the_word_of_people_goes_before_that_of_machines(told):
    """People read the dogs, about which the machines disagree, and one cow, which no machine reads."""
    reads = reads_of(told)
    places = {key: record.label for record in told.classes for key in reads.said
              if key[:2] == (record.search, record.niche)}  # fmt: skip
    assert reads.at(0.99).pairs.disagree
    dogs = reads.with_people((*key, "dog") for key, label in places.items() if label == "dog")
    assert say_range(dogs.at(0.99).pairs) == "1 of 3"
    assert not dogs.at(0.99).pairs.disagree
    nobody = reads.with_people((*key, "none") for key, label in places.items() if label == "dog")
    assert say_range(nobody.at(0.99).pairs) == "2 of 3"
    cow = next(key for key, label in places.items() if label == "cow")
    some = reads.with_people([(*cow, "cow")])
    assert (some.seen(cow, "cow"), reads.seen(cow, "cow")) == ("readable", "unreadable")
    assert say_range(some.at(0.99).pairs) == "1 to 2 of 3"  # other cows stay as the machines read them


def test_people_who_decide_nothing_never_narrow_the_range(told):
    """Two people who contradict each other stand on both sides, and one alone is one more reader."""
    reads = reads_of(told)
    places = {key: record.label for record in told.classes for key in reads.said
              if key[:2] == (record.search, record.niche)}  # fmt: skip
    assert say_range(reads.at(0.99).pairs) == "1 to 2 of 3"
    divided = reads.with_people((), [(*key, said) for key, label in places.items() for said in (label, "none")])
    assert say_range(divided.at(0.99).pairs) == "0 to 3 of 3"
    assert divided.at(0.99).pairs.disagree
    assert {divided.seen(key, label) for key, label in places.items()} == {"disagree"}
    for answer, counts in (("none", "1 to 3 of 3"), ("own", "0 to 2 of 3")):
        alone = reads.with_people((), [(*key, label if answer == "own" else answer) for key, label in places.items()])
        assert say_range(alone.at(0.99).pairs) == counts


def test_people_who_contradict_each_other_are_told_on_the_page(told):
    images = tuple(
        Seen("x", kept.levels, record.label, record.method, ((record.search, record.niche, kept.level or 0.0),),
             ((record.label, 1), ("none", 1)))
        for record in told.classes if record.label in COUNTED for kept in record.kept()
    )  # fmt: skip
    evidence = gather(told, people=People((), (), images, (), None, None))
    words = fooled_sentence(evidence, evidence.reads.at(0.99))
    assert words.startswith("0 to 3 of 3 classes are fooled at 99 %")
    assert f"On {len(images)} people are one more reader: fewer than 10 of them, or divided." in words
    assert "people decided" not in words
    assert read_as(evidence, next(iter(evidence.reads.beside))).endswith(" or none")


def test_every_image_says_who_read_what(told):
    content = json.loads((told.folder / "results.json").read_text())
    by_label = {(entry["label"], entry["search"]): entry["read_as"] for entry in content["classes"]}
    assert by_label["dog", 0]["strongest"] == {"ann": "dog", "bob": "none"}
    assert by_label["cow", 2]["strongest"] == {"ann": "none", "bob": "none"}
    assert by_label["cow", 1]["first"]["0.99"] == {"ann": "cat", "bob": "none"}
    assert len(by_label) == len(LABELS) * 4


def test_garments_are_measured_too(tmp_path):
    """By the three readers that are fit: on Fashion-MNIST `parts` takes noise for something."""
    run = trompe.fool("lenet-fashion", by="ascend", classes=("bag",), generations=20, out=tmp_path / "run")
    found = results(run)["summary"]["fooled"]
    assert found["readers"] == ["kde", "vae", "nearest"]
    assert {level: (one["least"] <= one["most"], one["of"]) for level, one in found["classes"].items()} == {
        f"{level:g}": (True, 1) for level in run.about.levels
    }
    assert max(one["most"] for one in found["classes"].values()) == 1  # what a gradient makes of noise is no bag


# Who may read


@pytest.mark.parametrize(("wrong", "suits"), [(4, True), (5, False)])  # 36 and 35 of 40; 0.9 of 98.125 % are 35.3
def test_readers_that_cannot_read_real_images_say_nothing(made, wrong, suits):
    known: list[dict[bytes, str]] = [{}, {}]
    photographs = natural(known[0])
    natural(known[1], wrong)
    found = with_reads(made, rotes(known), photographs)
    assert bool(reads_of(found).lacking) != suits
    if not suits:
        reason = "the readers do not read this target's own natural images (35 of 40 by bob)"
        assert found.measured["readers"] == {"not_measured": reason}
        assert results(found)["summary"]["fooled"] == f"not measured: {reason}"


def test_without_readers_nothing_is_said(made):
    assert made.measured["readers"]["not_measured"].startswith("no readers for these classes and this image size; `tro")
    assert "read_as" not in results(made)["classes"][0]
    assert isinstance(reads_of(made).at(0.99), NotMeasured)


def test_shipped_readers_need_real_images_to_be_tried_on(made):
    found = with_reads(made, rotes(({}, {}))).measured["readers"]
    assert found["not_measured"].startswith("there are no labelled natural images of this target to try the readers on")


def test_readers_that_the_user_named_are_believed_without(made):
    chosen = replace(made, about=replace(made.about, settings={**made.about.settings, "readers": "/somewhere"}))
    found = with_reads(chosen, rotes(({}, {}))).measured["readers"]
    assert found["natural"] == "not measured"
    assert found["independent"] == ["ann", "bob"]


def test_a_class_called_none_cannot_be_told_from_no_class(made):
    found = with_reads(made, rotes(({}, {})), target=target_of(("cat", "none"))).measured["readers"]
    assert found == {"not_measured": "a class is called 'none', which is what a reader says who sees no class"}


@dataclass(frozen=True)
class Idle:
    """A guard that lets everything pass, made of this."""

    uses: frozenset[str]
    name = "idle"
    needs = frozenset({"logits"})

    def slack(self, outputs, _inputs):
        return torch.ones_like(outputs.logits)

    def fingerprint(self):
        return "idle"


def behind(target, *uses):
    return Guarded(target, Idle(frozenset(uses)))


def test_a_reader_that_shares_something_with_the_guard_is_not_counted(made):
    known = by_rule(made, plain_rule)
    photographs = taught(known)
    uses = (("function:kde",), ("function:parts",))
    alone = with_reads(made, rotes(known, uses=uses), photographs, behind(target_of(), "function:other"))
    assert not reads_of(alone).lacking
    shared = with_reads(made, rotes(known, uses=uses), photographs, behind(target_of(), "function:kde"))
    assert shared.measured["readers"]["independent"] == ["bob"]
    two = behind(behind(target_of(), "function:kde"), "function:other")
    assert with_reads(made, rotes(known, uses=uses), photographs, two).measured == shared.measured
    assert "1 independent reader, where 2 are needed" in reads_of(shared).lacking
    assert results(shared)["summary"]["fooled"].startswith("not measured: 1 independent reader")
    assert reads_of(shared).said  # what they said stays to be looked at
    outcome = gate(shared, ["fooled@0.99 > 0.2"]).judged[0]
    assert outcome.outcome == "undecided"


def test_nobody_is_asked_where_that_is_wanted(tmp_path):
    settings = FoolSettings("made", by="ascend", readers="none", out=tmp_path / "run")
    run = trompe.fool_with(settings, target_of())
    assert run.about.settings["readers"] == "none"
    assert run.measured["readers"] == {"not_measured": "no reader was asked (--readers none)"}


def test_a_setting_left_alone_is_not_stored(made):
    assert "readers" not in made.about.settings


def test_a_folder_without_readers_is_refused_before_anything_is_written(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(BadInput, match="readers"):
        fool_session(FoolSettings("lenet-mnist", readers=str(tmp_path / "empty"), out=tmp_path / "run"))
    with pytest.raises(BadInput, match="readers"):
        trompe.audit("lenet-mnist", readers=str(tmp_path / "empty"), out=tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_damaged_readers_lose_no_run(made, monkeypatch):
    def damaged(*_):
        raise DataError(expected="readers", got="rubble", where="here", do="Fit them again.")

    monkeypatch.setattr(asking, "load_readers", damaged)
    reason = read_kept(made, target_of())["not_measured"]
    assert reason.startswith("the readers cannot be had: here: expected readers; got rubble.")


def test_a_run_from_before_there_were_readers_stays_as_it_was(made, tmp_path):
    run = stored(with_reads(made, ()), tmp_path / "run")
    with sqlite3.connect(run.folder / "run.sqlite") as connection:
        connection.execute("DELETE FROM measured WHERE name = 'readers'")
    old = open_run(run.folder)
    assert "fooled" not in json.dumps(results(old))
    assert "readable   not measured: no reader was asked about the images of this run" in describe(old)
    text = read(trompe.report(old.folder)).text
    assert "Not measured: no reader was asked about the images of this run." in text
    assert "trompe read RUN" in text
    assert gate(old, ["fooled@0.99 > 0.2"]).judged[0].outcome == "undecided"


# The gate


@pytest.mark.parametrize(
    ("condition", "outcome"),
    [
        ("fooled@0.99 > 0.2", "failed"),  # one of three for certain
        ("fooled@0.99 > 0.4", "undecided"),  # one of three, or two
        ("fooled@0.99 > 0.7", "passed"),
        ("fooled@0.99 >= 0.67", "passed"),
        ("open-trials@0.99 > 0.3", "failed"),
        ("open-trials@0.99 > 0.5", "undecided"),
        ("open-trials@0.99 > 0.67", "passed"),
    ],
)
def test_the_gate_takes_the_end_that_shows_it(told, condition, outcome):
    found = gate(told, [condition])
    assert not found.hidden
    assert found.judged[0].outcome == outcome


def test_trials_are_classes_and_seeds(made):
    """What only one of two seeds leaves unread opens half of the trials, and all of the classes."""
    known = by_rule(made, lambda record, _: ("none", "none") if record.search % 2 else (record.label, record.label))
    photographs = taught(known)
    run = with_reads(made, rotes(known), photographs)
    words = [one.words for one in gate(run, ["fooled@0.99 > 0.2", "open-trials@0.99 > 0.2"]).judged]
    assert words[0].startswith("3 of 3 classes are fooled at the level 0.99")
    assert words[1].startswith("3 of 6 trials are open at the level 0.99")


@pytest.mark.parametrize("condition", ["fooled@0.99 > 0.2", "fooled@0.99 > 1", "fooled@0.99 >= 0"])
def test_without_readers_the_gate_decides_nothing(made, condition):
    found = gate(made, [condition])
    assert (found.outcome, found.exit_code) == ("undecided", 4)
    assert "not measured: no readers for these classes" in found.judged[0].words


def test_a_gate_that_forbids_its_own_readers_is_refused(tmp_path, capsys):
    words = [
        "audit",
        "lenet-mnist",
        "--readers",
        "none",
        "--fail-on",
        "fooled@0.99 > 0.2",
        "--out",
        str(tmp_path / "r"),
    ]
    assert main(words) == 2
    assert "readers, by leaving --readers none out" in capsys.readouterr().err
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize(
    "text", ["fooled > 1", "open-trials > 1", "fooled@0.9", "open-trials@1.5 > 0", "fooled@0.9 < 0.5"]
)
def test_a_condition_on_readers_has_a_level_and_a_number(text):
    with pytest.raises(BadInput):
        parse_condition(text)


def test_a_condition_at_the_operating_threshold(told):
    declared = replace(told, about=replace(told.about, target={**told.about.target, "threshold": 0.99}))
    assert (
        gate(declared, ["fooled@operating > 0.2"])
        .judged[0]
        .words.startswith("1 to 2 of 3 classes are fooled at the level operating")
    )
    assert judge_condition(parse_condition("fooled@operating > 0.2"), None, ()).outcome == "undecided"


# Two runs


def test_two_runs_are_compared_where_both_were_read_by_the_same(made, told):
    both = compare_runs(told, told)
    assert both.fooled == ((0.99, "1 to 2 of 3", "1 to 2 of 3"), (0.9999, "1 to 2 of 3", "1 to 2 of 3"))
    assert both.lines()[-1].startswith("fooled at 0.99: 1 to 2 of 3 then 1 to 2 of 3 classes; at 0.9999: 1 to 2 of 3 ")
    one = compare_runs(told, made)
    assert (one.fooled, one.unread[:18]) == ((), "after: no readers ")
    assert one.lines()[-1].startswith("fooled     not measured: after: no readers")
    known = by_rule(made, plain_rule)
    photographs = taught(known)
    others = with_reads(made, rotes(known, names=("ann", "eve")), photographs)
    assert compare_runs(told, others).unread == "other readers (ann, bob, then ann, eve)"


# What people see


def test_the_headline_says_both_ends(page):
    assert page.all("h1")[0].text.endswith(
        "1 to 2 of 3 classes are fooled at 99.99 %: 1 with a picture that no reader reads as the class, 2 with "
        "one that not every reader does. The readers disagree, and only people can settle it. Open trials, a "
        "class and a seed: 2 to 4 of 6."
    )
    figure = page.all("dl", "figures")[0].all("div")[3]
    assert figure.all("dd")[0].text == "1 to 2 of 3"
    assert "no reader (1), or not every one (2), reads as the class; readers: ann, bob" in figure.text


def test_tiles_say_who_read_what(page):
    told = {tile.all("b", "label")[0].text: tile for tile in page.all("details", "tile")}
    assert "readers ann: dog, bob: none" in told["dog"].text
    assert told["cat"].all("span", "seen")[0].text == "readable: cat"
    assert told["dog"].all("span", "seen")[0].text == "readers disagree"
    assert told["cow"].all("span", "seen")[0].text == "unreadable"
    assert {label for label, tile in told.items() if tile.all("span", "read")} == {"cat"}


def test_the_section_counts_and_sorts_the_pictures(page, told):
    section = next(s for s in page.all("section") if s.all("h2")[0].text == "Can a person read it?")
    rows = [[cell.text for cell in row.walk() if cell.tag in ("th", "td")] for row in section.all("tr")]
    assert rows[1] == ["pixels-ascend, first at 99 %", "6", "2", "2", "2", "2", "1 to 2 of 3"]
    assert [row[0] for row in rows[1:5]] == [f"{m}, {w}" for m in METHODS for w in ("first at 99 %", "strongest")]
    assert rows[4][1:6] == ["6", "2", "2", "2", "0"]
    assert ["ann", "98.1 %", "100.0 %", "40 of 40", "yes"] in rows
    for name, label in (("unreadable", "cow"), ("disagree", "dog"), ("readable", "cat")):
        shown = section.all("ul", f"seen-{name}")[0].all("li")
        assert {one.all("b")[0].text for one in shown} == {label}
        content = {
            on_disk(told)[record.search, record.niche, level]
            for record in told.classes if record.label == label for level in (0.99, 0.0)
            if told.judgements()[record.search, record.niche, level] >= level_odds(0.99)
        }  # fmt: skip
        assert f"{len(content)}" in next(h.text for h in section.all("h3") if h.text.endswith(f": {len(shown)}"))
    assert "trompe read RUN" in section.text


def test_the_terminal_says_both_ends(told, made):
    lines = describe(told)
    assert (
        "fooled     1 to 2 of 3 classes at 99 %, 1 to 2 of 3 classes at 99.99 %; open trials 2 to 4 of 6, 2 to 4 of 6 "
        "(readers disagree: ask people, by `trompe read`)"
    ) in lines
    assert any(line.startswith("readers    ann, bob: the low end no reader reads") for line in lines)
    assert any(line.startswith("readable   not measured: no readers for these classes") for line in describe(made))


def test_the_word_stands_only_where_readers_were(made):
    assert "fooled" not in trompe.report(made.folder).read_text(encoding="utf-8").lower()


# The readers that come with trompe


def test_lenet_has_its_row(tmp_path):
    run = trompe.fool("lenet-mnist", by="ascend", out=tmp_path / "run")
    measured = run.measured["readers"]
    assert len(measured["independent"]) >= 2
    assert all(right >= 90 for _, right, of in measured["natural"] if of == 100)
    summary = json.loads((run.folder / "results.json").read_text())["summary"]
    assert summary["fooled"]["classes"]["0.9999"]["least"] == 10  # noise climbed by gradient: nobody reads it
    assert trompe.verify(run.folder).passed
