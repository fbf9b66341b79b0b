"""The page on which people read: whole, closed to the network, and silent about what its pictures are."""

import base64
import hashlib
import io
import itertools
import json
import re
import shutil
from collections import Counter
from pathlib import Path

import numpy
import pytest
import torch
from asked import LABELS, SPEC, Asked, asked, photographs
from made import HOSTILE, made_run
from PIL import Image
from test_report import Node, picture
from test_report import read as read_page

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput, DataError, RunError
from trompe.run.names import class_folders
from trompe.showing.read import FEW, keys, unseal
from trompe.targets import bundled_targets
from trompe.targets.trained import read_samples
from trompe.verbs.answers import COLUMNS, NONE
from trompe.verbs.stimuli import KEY, image_id

SOURCE = Path(trompe.__file__).parent / "showing" / "templates"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> trompe.Run:
    """Two methods against the bundled network, all digits at 99.99 %."""
    folder = tmp_path_factory.mktemp("digits") / "run"
    methods = ("pixels-ascend", "pixels-squares")
    settings = trompe.AuditSettings("lenet-mnist", methods=methods, survival=False, out=folder)
    return trompe.audit(**vars(settings))


@pytest.fixture(scope="module")
def page(digits: trompe.Run) -> Node:
    return read_page(trompe.read(digits.folder))


@pytest.fixture(scope="module")
def study(tmp_path_factory) -> Asked:
    return asked(tmp_path_factory.mktemp("study"))


def content(page: Node) -> dict:
    (block,) = (node for node in page.all("script") if node.attributes.get("type") == "application/json")
    return json.loads("".join(map(str, block.parts)))


def without_data(path: Path) -> str:
    return re.sub(r'(?s)<script type="application/json" id="data">.*?</script>', "", path.read_text())


def offered(page: Node) -> list[str]:
    return [node.attributes["data-answer"] for node in page.walk() if "data-answer" in node.attributes]


def told(page: Node) -> list[list[str]]:
    return unseal(content(page)["sealed"], content(page)["page"])


def test_there_are_20_of_the_run_10_real_ones_and_10_of_noise(page, digits):
    pictures, kinds = content(page)["pictures"], [kind for kind, _, _ in told(page)]
    assert Counter(kinds) == {"kept": 20, "real": 10, "noise": 10}
    assert len({one["id"] for one in pictures}) == len({one["source"] for one in pictures}) == 40
    kept = [(label, method) for kind, label, method in told(page) if kind == "kept"]
    assert Counter(label for label, _ in kept) == dict.fromkeys("0123456789", 2)
    assert Counter(method for _, method in kept) == {"pixels-ascend": 10, "pixels-squares": 10}
    assert Counter(label for kind, label, _ in told(page) if kind == "real") == dict.fromkeys("0123456789", 1)
    assert content(page)["repeats"] == 5
    assert "You are shown 45 small pictures" in page.text


def test_half_of_the_kept_ones_are_first_and_half_strongest(page, digits):
    first = {image_id(record.first(0.99).levels) for record in digits.classes}
    strongest = {image_id(record.strongest.levels) for record in digits.classes}
    kept = {one["id"] for one, what in zip(content(page)["pictures"], told(page), strict=True) if what[0] == "kept"}
    assert kept <= first | strongest
    assert abs(len(kept & first) - len(kept & strongest)) <= 2 + len(kept & first & strongest)


def test_each_picture_is_the_image_whose_hash_it_bears(page, digits):
    samples = {image_id(image) for image in read_samples(bundled_targets()["lenet-mnist"]).images}
    own = {image_id(kept.levels): kept.label for record in digits.classes for kept in record.kept()}
    key = json.loads((digits.folder / KEY).read_text())["images"]
    for one, (kind, label, _) in zip(content(page)["pictures"], told(page), strict=True):
        levels = torch.from_numpy(picture(Node("img", {"src": one["source"]})).copy()).unsqueeze(0)
        assert image_id(levels) == one["id"]
        assert (one["id"] in samples) is (kind == "real")
        assert own.get(one["id"]) == (label if kind == "kept" else None)
        assert key.get(one["id"]) == (None if kind == "kept" else {"kind": kind, "label": label})


def test_nothing_on_the_page_says_what_a_picture_is(page, digits, tmp_path):
    data = content(page)
    assert set(data) == {"page", "columns", "none", "repeats", "pictures", "sealed", "attention", "fastest", "nothing"}
    assert {key for one in data["pictures"] for key in one} == {"id", "source"}
    for word in (*"0123456789", "real", "noise", "kept", "pixels", "ascend", "squares"):
        assert f'"{word}"' not in json.dumps(data)
    other = trompe.read(digits.folder, out=tmp_path / "other.html", seed=1)
    assert without_data(other) == without_data(digits.folder / "read.html")  # and there is nothing else it could be in
    assert [node.attributes["alt"] for node in page.all("img")] == ["The picture in question"]
    for one in data["pictures"]:
        with Image.open(io.BytesIO(base64.b64decode(one["source"].partition(",")[2]))) as opened:
            assert (opened.info, opened.mode, opened.size) == ({}, "L", (28, 28))


def test_kinds_cannot_be_told_from_the_place_of_a_picture(page):
    kinds = [kind for kind, _, _ in told(page)]
    assert sum(a != b for a, b in itertools.pairwise(kinds)) > 10


def test_the_page_is_closed_to_the_network(page, digits):
    text = (digits.folder / "read.html").read_text()
    asks = r"(?i)https?:|//\w|@import|(?<!Object)url\(|fetch\(|XMLHttp|sendBeacon|WebSocket|<link|src="
    assert not re.search(asks, without_data(digits.folder / "read.html"))
    assert all(one["source"].startswith("data:image/png;base64,") for one in content(page)["pictures"])
    (policy,) = (m.attributes["content"] for m in page.all("meta") if "http-equiv" in m.attributes)
    script = (SOURCE / "read.js").read_text(encoding="utf-8").strip()
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    assert policy.startswith("default-src 'none'; img-src data:;")
    assert f"script-src 'sha256-{digest}'" in policy
    assert f"<script>{script}</script>" in text


def test_every_label_and_none_is_offered_once_with_a_key(page):
    assert offered(page) == [*"0123456789", NONE]
    buttons = [node.attributes for node in page.all("button")]
    assert [own["data-key"] for own in buttons if "data-key" in own] == [*"0123456789", "n"]
    assert content(page)["columns"] == list(COLUMNS)


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (("0", "1"), ["0", "1", "n"]),
        (("A", "b"), ["a", "b", "n"]),
        (("y", "n"), ["a", "b", "n"]),  # n is for none
        (("a", "A"), ["a", "b", "n"]),
        (("é", "1"), ["a", "b", "n"]),
        (tuple(f"class {i}" for i in range(FEW)), [*"abcdefghijkl", "n"]),
    ],
)
def test_keys(labels, expected):
    assert keys(labels) == expected


@pytest.mark.parametrize("labels", [HOSTILE, (*HOSTILE, *(f"</script>{i}" for i in range(FEW)))])
def test_labels_are_text_whatever_they_say(labels, tmp_path):
    run = made_run(tmp_path / "run", labels, SPEC, by="ascend", generations=40, population=None, batch=len(labels))
    photographs(tmp_path / "real", labels, 40)
    path = trompe.read(run.folder, images=tmp_path / "real", out=tmp_path / "page.html")
    found = read_page(path)
    assert sorted(offered(found)) == sorted([*labels, NONE])
    assert len(found.all("script")) == 2
    assert "alert(1)</script>" not in path.read_text()
    assert any(node.attributes.get("id") == "find" for node in found.walk()) is (len(labels) > FEW)
    assert all("onmouseover" not in node.attributes for node in found.walk())


def test_small_pictures_are_shown_large_and_unsmoothed(page, digits):
    style = "".join(map(str, page.all("style")[0].parts))
    assert int(re.search(r"--width: (\d+)px", style)[1]) == 308  # 28 x 11
    assert "img { image-rendering: pixelated; }" in style
    assert "image-rendering: auto" in style.partition(".stage .large")[2][:30]
    (shown,) = page.all("img")
    assert "large" not in shown.attributes.get("class", "")


def test_the_same_seed_writes_the_same_page(digits, tmp_path):
    own = (digits.folder / "read.html").read_bytes()
    assert trompe.read(digits.folder, out=tmp_path / "a.html").read_bytes() == own
    other = read_page(trompe.read(digits.folder, out=tmp_path / "b.html", seed=1))
    assert content(other)["page"] != content(read_page(digits.folder / "read.html"))["page"]
    key = json.loads((digits.folder / KEY).read_text())["images"]
    for page in (other, read_page(tmp_path / "a.html")):  # what is noted for one page is not lost by another
        ids = {one["id"] for one, what in zip(content(page)["pictures"], told(page), strict=True) if what[0] != "kept"}
        assert ids <= set(key)


def test_a_run_of_few_images_shows_those_it_has(study, tmp_path):
    path = trompe.read(study.run.folder, images=study.real, out=tmp_path / "page.html", count=40)
    counts = Counter(kind for kind, _, _ in told(read_page(path)))
    assert counts["kept"] == len({item.id for item in study.chosen if item.kind == "kept"})
    assert counts["real"] == counts["noise"] == 10


@pytest.mark.parametrize(
    ("count", "expected"),
    [(16, "a multiple of 4, at least 20; got 16"), (42, "got 42"), (200, "expected 50 different real")],
)
def test_a_count_that_does_not_fit(count, expected, study, tmp_path):
    with pytest.raises(BadInput, match=expected):
        trompe.read(study.run.folder, images=study.real, out=tmp_path / "page.html", count=count)
    assert not (tmp_path / "page.html").exists()


def test_without_real_images_there_is_no_page(study, tmp_path, capsys):
    with pytest.raises(BadInput, match=r"--images: expected real images, .*; got none that came with made"):
        trompe.read(study.run.folder)
    (tmp_path / "all").mkdir()
    with pytest.raises(DataError, match="expected images"):
        trompe.read(study.run.folder, images=tmp_path / "all")
    for number in range(12):
        SPEC.write(tmp_path / "all" / f"{number}.png", torch.full((1, 8, 8), number, dtype=torch.uint8), "")
    with pytest.raises(BadInput, match=r"expected 10 different real images whose classes are known.*; got 0"):
        trompe.read(study.run.folder, images=tmp_path / "all")
    assert main(["read", str(study.run.folder)]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_a_run_without_confident_images_has_nothing_to_read(study, tmp_path):
    run = made_run(tmp_path / "run", LABELS, SPEC, generations=1)
    assert not any(record.first(0.99) for record in run.classes)
    with pytest.raises(RunError, match=r"expected a run that keeps an image with at least 99 % confidence; got none"):
        trompe.read(run.folder, images=study.real)
    assert not (run.folder / KEY).exists()


def test_a_key_that_cannot_be_written_is_said_before_there_is_a_page(study, tmp_path):
    folder = tmp_path / "run"
    shutil.copytree(study.run.folder, folder)
    (folder / KEY).unlink()
    (folder / f".{KEY}.part").mkdir()  # no file can be written there, whoever runs this
    with pytest.raises(RunError, match=r"the key to a page stays with its run.*Copy the run folder"):
        trompe.read(folder, images=study.real, out=tmp_path / "page.html")
    assert not (tmp_path / "page.html").exists()


def test_the_command_says_where_the_page_is(study, tmp_path, capsys):
    words = ["read", str(study.run.folder), "--images", str(study.real), "--out", str(tmp_path / "page.html")]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert f"page       {tmp_path / 'page.html'}" in told
    kept = len(content(read_page(tmp_path / "page.html"))["pictures"]) - 20
    assert 0 < kept < 20  # four classes
    assert f"{kept + 20}: {kept} of the run, 10 real, 10 noise (of 40: the run keeps no more that are sure)" in told
    assert main([*words, "--json"]) == 0
    counts = {"kept": kept, "real": 10, "noise": 10}
    assert json.loads(capsys.readouterr().out) == {"page": str(tmp_path / "page.html"), "pictures": counts}
    assert main([*words, "--count", "20"]) == 0
    kept = len(content(read_page(tmp_path / "page.html"))["pictures"]) - 10
    told = capsys.readouterr().out
    assert f"{kept + 10}: {kept} of the run, 5 real, 5 noise" in told
    assert ("keeps no more" in told) is (kept < 10)


def test_photographs_are_brought_to_the_size_the_target_sees(tmp_path, study):
    folder = tmp_path / "big"
    for number in range(20):
        part = folder / class_folders(LABELS)[LABELS[number % 2]] if number % 2 == 0 else folder / "1"
        part.mkdir(parents=True, exist_ok=True)
        array = numpy.full((20, 30), 10 * number, dtype=numpy.uint8)
        Image.fromarray(array).save(part / f"{number}.png")
    found = read_page(trompe.read(study.run.folder, images=folder, out=tmp_path / "page.html", count=20))
    assert {picture(Node("img", {"src": one["source"]})).shape for one in content(found)["pictures"]} == {(8, 8)}
