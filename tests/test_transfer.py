"""Transfer and export: fixed denominators, base rates beside them, and images that come back as they went out."""

import json
import re
import shutil
from dataclasses import replace
from statistics import median

import numpy
import pytest
import torch
from made import HOSTILE, made_run, made_target
from PIL import Image
from tiny import TINY_LABELS, make_tiny_target

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput, DataError, RunError
from trompe.core.numerics import from_levels, level_odds, log_odds
from trompe.core.specs import ImageSpec
from trompe.core.types import Outputs
from trompe.data.folders import Photographs
from trompe.measure.metrics import Answer
from trompe.run.names import class_folders
from trompe.run.painters import painters
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import Declaration, Preprocessing
from trompe.targets.trained import read_samples
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import fool_with
from trompe.verbs.probes import Group, Probe, equally_confident
from trompe.verbs.transfer import transfer_to

METHODS = ("pixels-evolve", "cppn-evolve")


@pytest.fixture(scope="module")
def run(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("transfer") / "run"
    settings = AuditSettings("tiny", methods=METHODS, budget=400, confidence=None, survival=False, out=out)
    with audit_session(settings, tiny) as session:
        for _ in session:
            pass
        return session.finish()


@pytest.fixture(scope="module")
def digits(tmp_path_factory):
    """Squares against a bundled network: it has samples, so there are natural images."""
    out = tmp_path_factory.mktemp("transfer") / "digits"
    return trompe.fool("softmax-mnist", by="squares", classes=("3", "8"), out=out)


def rows(found, images, method=None):
    return [row for row in found.rows if row.images == images and method in (None, row.method)]


@pytest.mark.parametrize("other", [make_tiny_target(0), make_tiny_target(1)], ids=["itself", "another"])
def test_counts_are_those_of_a_loop(run, other):
    found = transfer_to(run.folder, [other])
    for method in METHODS:
        (row,) = rows(found, "strongest", method)
        kept = [record.strongest for record in run.classes if record.method == method]
        for level in run.about.levels:
            odds = [log_odds(other.judge(item.image.unsqueeze(0)).logits)[0] for item in kept]
            own = [float(o[TINY_LABELS.index(item.label)]) for o, item in zip(odds, kept, strict=True)]
            assert row.same[level] == sum(value >= level_odds(level) for value in own)
            assert row.any[level] == sum(float(o.max()) >= level_odds(level) for o in odds)
        assert (row.of, row.comparable, row.missing, row.how) == (4, 4, (), "same")
        assert row.source_log_odds == median(item.log_odds for item in kept)
    if other.name == "tiny-0":
        assert any(row.same[0.5] for row in rows(found, "strongest"))


def test_classes_are_matched_by_name_and_not_by_place(run, tiny):
    class Turned:
        name, spec, link, labels = "turned", tiny.spec, tiny.link, TINY_LABELS[::-1]

        def judge(self, inputs):
            return Outputs(tiny.judge(inputs).logits.flip(1))

        def fingerprint(self):
            return "turned"

    plain, turned = (rows(transfer_to(run.folder, [target]), "strongest") for target in (tiny, Turned()))
    assert [row.same for row in turned] == [row.same for row in plain]


def test_a_class_that_the_other_lacks_is_said_and_left_out_of_the_denominator(run, tiny):
    other = replace(tiny, name="other", labels=("north", "up", "south", "down"))
    for row in transfer_to(run.folder, [other]).rows:
        assert (row.of, row.comparable, row.missing) == (4, 2, ("east", "west"))
        assert row.says(0.5, own=True) == f"{row.same[0.5]} of 2"
    for row in transfer_to(run.folder, [replace(tiny, labels=("a", "b", "c", "d"))]).rows:
        assert row.comparable == 0
        assert row.says(0.5, own=True) == "no such class"
        assert row.says(0.5, own=False).endswith(" of 4")


@pytest.mark.parametrize("declared", [{"harmless": ("east",)}, {"abstain": "east"}])
def test_what_does_not_count_is_in_no_count_on_either_side(declared, run, tiny, tmp_path):
    known = Declaration(preprocessing=Preprocessing(), **declared)
    other = replace(tiny, name="other", declared=known)
    plain = {row.method: row for row in rows(transfer_to(run.folder, [tiny]), "strongest")}
    for row in rows(transfer_to(run.folder, [other]), "strongest"):
        assert (row.of, row.comparable, row.missing, row.spared) == (4, 3, (), ("east",))
        kept = [r.strongest for r in run.classes if r.method == row.method and r.label != "east"]
        for level in run.about.levels:
            assert row.same[level] == sum(item.log_odds >= level_odds(level) for item in kept)
            assert row.any[level] <= plain[row.method].any[level]
        assert row.any[0.5] < plain[row.method].any[0.5] == 4  # the image of east convinces it of nothing else
    made = fool_with(FoolSettings("other", by="squares", budget=300, out=tmp_path / "run"), other)
    for row in transfer_to(made.folder, [tiny]).rows:
        assert (row.of, row.comparable, row.spared) == (3, 3, ())


def test_a_natural_image_named_a_class_that_does_not_count_is_no_base_rate():
    photographs = Photographs(torch.zeros(4, 1, 2, 2, dtype=torch.uint8), torch.arange(4) % 2, ())
    answers = [Answer(i % 2, i % 2, float(i)) for i in range(4)]
    own = Group("m", "strongest", tuple(Probe(torch.zeros(1, 2, 2), "a", odds) for odds in (0.0, 2.0, 3.0)))
    found = equally_confident(own, photographs, answers, ("a", "b"), {"b"})
    assert [probe.log_odds for probe in found.probes] == [0.0, 2.0]
    assert {probe.label for probe in found.probes} == {"a"}


def test_an_image_that_the_other_refuses_convinces_nobody(run, tiny):
    class Shut:
        name, spec, link, labels = "shut", tiny.spec, tiny.link, tiny.labels

        def judge(self, inputs):
            logits = tiny.judge(inputs).logits
            return Outputs(logits, torch.full_like(logits, -1.0))

        def fingerprint(self):
            return "shut"

    assert all(row.any[0.5] == 0 for row in transfer_to(run.folder, [Shut()]).rows)


def test_random_images_are_as_many_and_the_same_each_time(run, tiny):
    first, second = (rows(transfer_to(run.folder, [tiny]), "random") for _ in range(2))
    assert first == second
    assert [(row.method, row.of, row.comparable) for row in first] == [(method, 4, 4) for method in METHODS]
    own = rows(transfer_to(run.folder, [tiny]), "strongest")
    assert sum(row.same[0.5] for row in first) < sum(row.same[0.5] for row in own)


def test_at_another_size_networks_paint_again_and_pixels_are_resized(run):
    large = made_target(TINY_LABELS, ImageSpec(3, 9, 12))
    asked = []

    class Listening:
        name, spec, link, labels = "listening", large.spec, large.link, large.labels

        def judge(self, inputs):
            asked.append(inputs)
            return large.judge(inputs)

        def fingerprint(self):
            return "listening"

    found = transfer_to(run.folder, [Listening()])
    assert [(row.method, row.images, row.how) for row in found.rows] == [
        ("pixels-evolve", "strongest", "resized"), ("pixels-evolve", "random", "resized"),
        ("cppn-evolve", "strongest", "redrawn"), ("cppn-evolve", "random", "redrawn"),
    ]  # fmt: skip
    painter = painters(run)[1, 0]
    assert torch.equal(asked[2][0], from_levels(painter.paint(9, 12))[0].expand(3, 9, 12))
    strongest = run.classes[0].strongest
    wanted = Image.fromarray(strongest.levels[0].numpy()).convert("RGB").resize((12, 9), Image.Resampling.BICUBIC)
    assert torch.equal(asked[0][0], from_levels(torch.from_numpy(numpy.array(wanted)).permute(2, 0, 1).unsqueeze(0))[0])


def test_other_numbers_of_channels_are_refused_where_the_shapes_differ(tmp_path):
    run = made_run(tmp_path / "run", ("a", "b"), ImageSpec(2, 4, 4))
    assert transfer_to(run.folder, [made_target(("a", "b"), ImageSpec(2, 4, 4))]).rows[0].how == "same"
    with pytest.raises(BadInput, match=r"--to: expected images and a target of 1 or 3 channels"):
        transfer_to(run.folder, [made_target(("a", "b"), ImageSpec(1, 4, 4))])


def test_natural_images_are_the_nearest_in_confidence_each_once():
    images = torch.arange(5, dtype=torch.uint8).reshape(5, 1, 1, 1)
    photographs = Photographs(images, torch.zeros(5, dtype=torch.int64), ())
    answers = [Answer(0, 1, 3.0), Answer(0, 0, 1.0), Answer(0, 1, 9.0), Answer(0, 0, 8.0, accepted=False),
               Answer(0, 1, 2.9)]  # fmt: skip
    own = Group("m", "strongest", tuple(Probe(images[0], "a", odds) for odds in (8.0, 2.0, 2.95, 7.0)))
    found = equally_confident(own, photographs, answers, ("a", "b"))
    assert [(int(probe.levels), probe.label, probe.log_odds) for probe in found.probes] == [
        (4, "b", 2.9), (0, "b", 3.0), (2, "b", 9.0), (1, "a", 1.0)
    ]  # fmt: skip
    assert (found.method, found.images) == ("m", "natural")
    more = Group("m", "strongest", own.probes * 2)
    assert len(equally_confident(more, photographs, answers, ("a", "b")).probes) == 4  # what is refused is no base


def test_samples_of_a_bundled_target_are_the_natural_images(digits):
    own = trompe.load_target("softmax-mnist")
    found = transfer_to(digits.folder, [own])
    (natural,), (made,) = rows(found, "natural"), rows(found, "strongest")
    assert natural.of == made.of == 2
    samples = read_samples(trompe.bundled_targets()["softmax-mnist"])
    odds = log_odds(own.judge(from_levels(samples.images)).logits).amax(1).tolist()
    assert any(natural.source_log_odds == pytest.approx((a + b) / 2, abs=1e-3) for a in odds for b in odds)
    assert natural.same[0.5] == sum(True for _ in range(2))  # the same target says of them what it said
    assert found.notes == ()


def test_natural_images_of_your_own(digits, tmp_path):
    samples = read_samples(trompe.bundled_targets()["softmax-mnist"])
    for i in range(3):
        Image.fromarray(samples.images[i, 0].numpy()).save(tmp_path / f"{i}.png")
    found = transfer_to(digits.folder, [trompe.load_target("lenet-mnist")], tmp_path)
    assert [row.of for row in rows(found, "natural")] == [2]
    with pytest.raises(DataError, match="--images"):
        transfer_to(digits.folder, [trompe.load_target("lenet-mnist")], tmp_path / "nowhere")


def test_what_was_not_measured_is_said(run, tiny):
    """The run's target is an object that no text stands for."""
    found = transfer_to(run.folder, [tiny])
    assert not rows(found, "natural")
    assert any(
        note.startswith("natural images: not measured: the run's target cannot be asked") for note in found.notes
    )


def test_the_command_writes_what_it_prints(digits, capsys, tmp_path):
    words = ["transfer", str(digits.folder), "--to", "lenet-mnist", "--to", "lenet-fashion"]
    assert main([*words, "--out", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    assert "softmax-mnist to lenet-mnist: how many images" in out
    assert re.search(r"^no such class: 3, 8.*; not counted under same class$", out, re.MULTILINE)
    assert not (digits.folder / "transfer.json").exists()
    assert main([*words, "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    written = json.loads((digits.folder / "transfer.json").read_text())
    assert {**written, "notes": []} == told
    assert written == json.loads((tmp_path / "transfer.json").read_text())
    assert [entry["target"] for entry in told["transfers"]] == ["lenet-mnist", "lenet-fashion"]
    told = {"rows": [row for entry in told["transfers"] for row in entry["rows"]]}
    assert [row["source_log_odds"] for row in told["rows"] if row["images"] == "random"] == ["not measured"] * 2
    row = next(row for row in told["rows"] if row["images"] == "strongest")
    assert f"{row['same']['0.5']} of 2" in out
    assert trompe.verify(digits.folder).passed


def test_the_file_keeps_every_classifier_and_the_page_says_so(digits, tmp_path):
    def entries():
        return {e["target"]: e for e in json.loads((tmp_path / "run" / "transfer.json").read_text())["transfers"]}

    shutil.copytree(digits.folder, tmp_path / "run", ignore=shutil.ignore_patterns("transfer.json", "report.html"))
    page = trompe.report(tmp_path / "run").read_text()
    assert "lenet-mnist names" in page  # the second network, where nothing else was asked
    trompe.transfer(tmp_path / "run", to=("lenet-mnist",))
    first = entries()["lenet-mnist"]
    trompe.transfer(tmp_path / "run", to=("lenet-fashion", "mlp-mnist"))
    assert list(entries()) == ["lenet-mnist", "lenet-fashion", "mlp-mnist"]
    assert entries()["lenet-mnist"] == first
    trompe.transfer(tmp_path / "run", to=("lenet-mnist",))
    assert list(entries()) == ["lenet-fashion", "mlp-mnist", "lenet-mnist"]  # asked again: replaced, not doubled
    assert entries()["lenet-mnist"] == first
    assert len({entry["fingerprint"] for entry in entries().values()}) == 3
    page = " ".join(trompe.report(tmp_path / "run").read_text().replace("\xa0", " ").split())
    counts = [f"{row['same']['0.99']} of {row['comparable']} {row['images']}" for row in first["rows"]]
    assert [row["images"] for row in first["rows"]] == ["strongest", "random", "natural"]
    assert f"to lenet-mnist, the same class with at least 99 %: {', '.join(counts)} (pixels-squares)." in page
    assert "to lenet-fashion, the same class with at least 99 %: no strongest of a class that it has" in page


def test_a_damaged_or_older_file_is_written_anew(digits, tmp_path):
    for content in ("{", "[]", '{"rows": []}', '{"from": "x", "levels": [], "transfers": [{"fingerprint": "y"}]}'):
        (tmp_path / "transfer.json").write_text(content)
        trompe.transfer(digits.folder, to=("mlp-mnist",), out=tmp_path)
        (entry,) = json.loads((tmp_path / "transfer.json").read_text())["transfers"]
        assert entry["target"] == "mlp-mnist"


def test_bad_input_is_one_line(digits, tmp_path, capsys):
    assert main(["transfer", str(tmp_path / "nowhere"), "--to", "lenet-mnist"]) == 2
    assert "expected a run folder; got no such folder" in capsys.readouterr().err
    assert main(["transfer", str(digits.folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1
    assert main(["transfer", str(digits.folder), "--to", "lenet-mnst"]) == 2
    assert "Did you mean 'lenet-mnist'?" in capsys.readouterr().err
    with pytest.raises(BadInput, match=r"--to: expected a classifier to ask; got none"):
        transfer_to(digits.folder, [])


# Out to plain files, and in again.


def test_an_export_holds_every_kept_image_byte_by_byte(run, tmp_path):
    done = trompe.export(run.folder, out=tmp_path / "out")
    kept = [(record, item) for record in run.classes for item in record.kept()]
    assert (done.images, done.classes) == (len(kept), 4)
    with numpy.load(tmp_path / "out" / "images.npz", allow_pickle=False) as arrays:
        assert arrays["images"].dtype == numpy.uint8
        assert arrays["images"].shape == (len(kept), 1, 6, 6)
        for i, (record, item) in enumerate(kept):
            assert numpy.array_equal(arrays["images"][i], item.levels.numpy())
            assert (arrays["labels"][i], arrays["methods"][i]) == (item.label, record.method)
            assert (arrays["levels"][i], arrays["log_odds"][i]) == (item.level or 0.0, item.log_odds)
            picture = Image.open(tmp_path / "out" / str(arrays["files"][i]))
            assert numpy.array_equal(numpy.array(picture), item.levels[0].numpy())
        assert len(set(arrays["files"])) == len(kept)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert len(files) == len(kept) + 2
    assert "not photographs of anything" in (tmp_path / "out" / "README.txt").read_text()


def test_an_exported_folder_can_be_shown_to_a_target(run, tiny, tmp_path):
    """The same images, the same answers, whichever way they come in."""
    trompe.export(run.folder, out=tmp_path / "out")
    (row,) = transfer_to(tmp_path / "out", [tiny]).rows
    kept = [item for record in run.classes for item in record.kept()]
    assert (row.images, row.method, row.of, row.comparable, row.how) == ("given", "out", len(kept), len(kept), "same")
    for level in run.about.levels:
        assert row.same[level] == sum(item.log_odds >= level_odds(level) for item in kept)
    assert not (tmp_path / "out" / "transfer.json").exists()


def test_hostile_labels_go_out_and_come_in(tmp_path):
    labels = (*HOSTILE, "../..", "a/b", "a-b", "A-B", "", "con", "非常")
    run = made_run(tmp_path / "run", labels, ImageSpec(3, 5, 4))
    trompe.export(run.folder, out=tmp_path / "out")
    names = [path.name for path in (tmp_path / "out").iterdir() if path.is_dir()]
    assert len({name.casefold() for name in names}) == len(labels)
    assert all(name.isascii() and set(name) <= set("-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
               for name in names)  # fmt: skip
    assert sorted(path.name for path in tmp_path.iterdir()) == ["out", "run"]
    assert not any(re.fullmatch(r"con|nul", name, re.IGNORECASE) for name in names)
    (row,) = transfer_to(tmp_path / "out", [made_target(labels, ImageSpec(3, 5, 4))]).rows
    assert row.missing == ()
    kept = [item for record in run.classes for item in record.kept()]
    assert row.same[0.5] == sum(item.log_odds >= 0.0 for item in kept)
    assert "Folders whose class has another name" in (tmp_path / "out" / "README.txt").read_text(encoding="utf-8")


def test_folder_names_are_labels_where_they_can_be():
    assert class_folders(("8", "T-shirt/top", "trouser")) == {
        "8": "8",
        "T-shirt/top": "T-shirt-top",
        "trouser": "trouser",
    }
    devices = class_folders(("con!", "com1.", "-nul", "nul"))
    assert not {"con", "com1", "nul"} & {name.casefold() for name in devices.values()}
    both = class_folders(("a/b", "a-b"))
    assert both["a/b"] != both["a-b"]


def test_a_folder_without_classes_is_asked_about_any_class(tiny, tmp_path):
    Image.fromarray(numpy.full((12, 12), 255, dtype=numpy.uint8)).save(tmp_path / "white.png")
    (row,) = transfer_to(tmp_path, [tiny]).rows
    assert (row.of, row.comparable, row.how, row.missing) == (1, 0, "resized", ())
    assert row.describe()["source_log_odds"] == "not measured"


def test_an_export_goes_only_into_an_empty_folder(run, tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(RunError, match=r"--out .*: expected a folder that is empty or does not exist"):
        trompe.export(run.folder, out=tmp_path)
    with pytest.raises(RunError, match="got a file"):
        trompe.export(run.folder, out=tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_the_export_command(digits, tmp_path, capsys):
    assert main(["export", str(digits.folder), "--out", str(tmp_path / "out")]) == 0
    assert "exported   " in capsys.readouterr().out
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["3", "8", "README.txt", "images.npz"]
    assert main(["export", str(digits.folder), "--out", str(tmp_path / "out"), "--json"]) == 2


def test_a_run_without_an_image_exports_nothing(tiny, tmp_path):
    class Dead:
        def __getattr__(self, name):
            return getattr(tiny, name)

        def judge(self, _):
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fool_with(FoolSettings("tiny", out=tmp_path / "run"), Dead())
    with pytest.raises(RunError, match="expected a run that keeps an image; got none"):
        trompe.export(tmp_path / "run", out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    assert transfer_to(tmp_path / "run", [tiny]).rows == ()
