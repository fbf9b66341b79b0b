"""The page of a run: whole, escaped, closed to the network, and no number on it that the run's record does not hold."""

import base64
import hashlib
import io
import itertools
import json
import re
import shlex
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from statistics import median

import numpy
import pytest
import torch
from made import HOSTILE, made_run, made_target
from PIL import Image
from safetensors.torch import load_file

import trompe
from trompe.cli.parse import parse
from trompe.cli.summary import describe
from trompe.core.errors import BadInput, RunError
from trompe.core.numerics import say_confidence
from trompe.core.specs import ImageSpec
from trompe.settings import AuditSettings
from trompe.showing.headline import pictures
from trompe.showing.maps import grid
from trompe.showing.names import dense, free_place, gap
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import Attempt, Session

VOID = {"meta", "img", "input", "br", "line", "circle", "rect"}
DIGITS = tuple("0123456789")


@dataclass
class Node:
    """An element, as a strict reader of the page sees it."""

    tag: str
    attributes: dict[str, str] = field(default_factory=dict)
    parts: list["Node | str"] = field(default_factory=list)

    def walk(self) -> Iterator["Node"]:
        yield self
        for part in self.parts:
            if isinstance(part, Node):
                yield from part.walk()

    def all(self, tag: str, name: str = "") -> list["Node"]:
        return [n for n in self.walk() if n.tag == tag and (not name or name in n.attributes.get("class", "").split())]

    @property
    def text(self) -> str:
        whole = " ".join(part if isinstance(part, str) else part.text for part in self.parts)
        return " ".join(whole.replace("\N{NO-BREAK SPACE}", " ").split())


class Reader(HTMLParser):
    """Refuses a page whose elements do not close in the order they were opened."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.root = Node("page")
        self._open = [self.root]
        self.feed(page)
        self.close()
        assert self._open == [self.root]

    def handle_starttag(self, tag: str, attrs: list) -> None:
        node = Node(tag, {key: value or "" for key, value in attrs})
        assert len(node.attributes) == len(attrs)
        self._open[-1].parts.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list) -> None:
        self._open[-1].parts.append(Node(tag, {key: value or "" for key, value in attrs}))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].parts.append(data)


def read(page: Path) -> Node:
    return Reader(page.read_text(encoding="utf-8")).root


def rows(folder: Path, query: str) -> list[tuple]:
    with sqlite3.connect(folder / "run.sqlite") as connection:
        return connection.execute(query).fetchall()


def picture(node: Node) -> numpy.ndarray:
    kind, _, content = node.attributes["src"].partition(";base64,")
    assert kind in ("data:image/png", "data:image/webp")
    with Image.open(io.BytesIO(base64.b64decode(content))) as image:
        return numpy.asarray(image)


def file_pixels(path: Path) -> numpy.ndarray:
    with Image.open(path) as image:
        return numpy.asarray(image)


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> trompe.Run:
    """A short run against the bundled network: some digits confident, some not."""
    return trompe.fool("lenet-mnist", generations=25, seed=3, out=tmp_path_factory.mktemp("digits") / "run")


@pytest.fixture(scope="module")
def page(digits: trompe.Run) -> Node:
    return read(trompe.report(digits.folder))


@pytest.fixture(scope="module")
def published(digits: trompe.Run) -> dict:
    return json.loads((digits.folder / "results.json").read_text())


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> trompe.Run:
    return made_run(tmp_path_factory.mktemp("hostile") / "run", HOSTILE, ImageSpec(3, 6, 6))


@pytest.mark.parametrize(
    ("methods", "words"),
    [
        (["pixels-ascend", "cppn-evolve"], "noise climbed by gradient and shapes painted by small networks"),
        (["pixels-ascend:adam:natural", "pixels-ascend:hide:uniform"], "pictures climbed by gradient"),
        (["pixels-squares:random-squares:grey"], "pictures changed by squares"),
        (["mine", "cppn-ascend"], "pictures made by mine and shapes climbed by gradient"),
        (["mine", "yours", "pixels-scatter", "cppn-evolve"], "pictures made by 4 methods"),
    ],
)
def test_the_pictures_are_named_by_what_they_are_and_not_by_a_list(methods: list[str], words: str) -> None:
    assert pictures(methods) == words


def test_the_headline_says_what_the_results_say(page: Node, published: dict) -> None:
    looks = {level: [entry["evaluations_to"][level] for entry in published["classes"]] for level in ("0.99", "0.9999")}
    reached = {level: [n for n in found if isinstance(n, int)] for level, found in looks.items()}
    level, words = ("0.9999", "99.99 %") if reached["0.9999"] else ("0.99", "99 %")
    middle = median(reached[level])
    shown = f"{middle:,.0f}" if middle == int(middle) else f"{middle:,.1f}"
    assert page.all("h1")[0].text == (
        f"lenet-mnist gave at least {words} to pictures grown from noise in at least {len(reached[level])} of 10 "
        f"classes attempted (median {shown} looks at its answers). {fooled(published, level)} of 10 classes "
        f"are fooled at {words}: each with a picture that no reader reads as the class."
    )


def test_the_four_figures(page: Node, published: dict) -> None:
    figures = [(box.all("dd")[0].text, box.all("dt")[0].text) for box in page.all("dl", "figures")[0].all("div")]
    reached = [
        e["evaluations_to"]["0.99"] for e in published["classes"] if isinstance(e["evaluations_to"]["0.99"], int)
    ]
    natural = natural_probabilities()
    middle = natural.amax(1).quantile(0.5, interpolation="midpoint").item()
    doubt = [1 / (1 + numpy.exp(entry["log_odds"])) for entry in published["classes"]]
    above = sum(d < 1 - middle for d in doubt)
    assert [value for value, _ in figures] == [
        f"at least {len(reached)} of 10", f"{above} of 10", f"{median(reached):,.10g}",
        f"{fooled(published, '0.99')} of 10",
    ]  # fmt: skip
    assert figures[3][1].startswith(
        "classes fooled at 99 %: with a picture that no reader reads as the class; readers:"
    )


def fooled(published: dict, level: str) -> int:
    """Classes with a picture of this confidence that no reader reads; they agree about all of this run's."""
    count = 0
    for entry in published["classes"]:
        pictures = [
            *(entry["read_as"]["first"][name] for name in entry["evaluations_to"] if float(name) >= float(level)),
            *([entry["read_as"]["strongest"]] if entry["confidence"] >= float(level) else []),
        ]
        seen = {label for said in pictures if said != "not measured" for label in said.values()}
        assert entry["label"] not in seen
        count += bool(seen)
    return count


def natural_probabilities() -> torch.Tensor:
    folder = trompe.bundled_targets()["lenet-mnist"]
    images = load_file(folder / "samples.safetensors")["images"]
    return trompe.load_target("lenet-mnist").judge(images.float() / 255).logits.double().softmax(1)


def test_real_digits_come_first_with_what_the_network_says(page: Node) -> None:
    folder = trompe.bundled_targets()["lenet-mnist"]
    samples = load_file(folder / "samples.safetensors")
    said = natural_probabilities().argmax(1)
    right = int((said == samples["classes"]).sum())
    assert f"The network is right about {right} of the 100." in page.text
    shown = [item for section in page.all("ul", "reals") for item in section.all("li")]
    assert len(shown) == 100
    assert [item.all("b")[0].text for item in shown[:10]] == [str(said[10 * digit].item()) for digit in range(10)]
    for digit in range(10):
        assert numpy.array_equal(picture(shown[digit].all("img")[0]), samples["images"][10 * digit, 0].numpy())
    assert page.text.index("First, real pictures") < page.text.index("Then, pictures of nothing")


def test_tiles_stand_in_class_order_and_show_the_images_bit_for_bit(page: Node, published: dict, digits) -> None:
    tiles = page.all("details", "tile")
    assert [tile.all("b", "label")[0].text for tile in tiles] == list(DIGITS)
    for tile, entry in zip(tiles, published["classes"], strict=True):
        assert tile.all("span", "method")[0].text == "pixels-evolve"
        strongest = tile.all("span", "strongest")[0].all("img")[0]
        assert numpy.array_equal(picture(strongest), file_pixels(digits.folder / entry["image_strongest"]))
        assert tile.all("span", "strongest-says")[0].text == say_confidence(entry["log_odds"])
        assert entry["label"] in strongest.attributes["alt"]
        first = tile.all("span", "first")
        assert bool(first) == isinstance(entry["evaluations_to"]["0.99"], int)
        if first:
            path = digits.folder / entry["image_first"]["0.99"]
            assert numpy.array_equal(picture(first[0].all("img")[0]), file_pixels(path))
            assert f"after {entry['evaluations_to']['0.99']:,} looks" in tile.text
        else:
            assert f"99 % not within {entry['evaluations']:,} looks" in tile.text


def test_an_opened_tile_has_the_answers_of_both_networks(page: Node, published: dict, digits: trompe.Run) -> None:
    nets = {name: trompe.load_target(name) for name in ("lenet-mnist", "lenet-mnist-b")}
    for tile, entry in zip(page.all("details", "tile"), published["classes"], strict=True):
        image = torch.from_numpy(file_pixels(digits.folder / entry["image_strongest"]).copy()).float() / 255
        says = {name: net.judge(image[None, None]).logits.double().softmax(1)[0] for name, net in nets.items()}
        answers = tile.all("div", "answers")[-1]
        bars = answers.all("li")
        top = says["lenet-mnist"].topk(5)
        assert [bar.all("span", "name")[0].text for bar in bars] == [str(i) for i in top.indices.tolist()]
        widths = [float(bar.all("i")[0].attributes["style"][6:-1]) for bar in bars]
        assert widths == pytest.approx((100 * top.values).tolist(), abs=0.011)
        other = int(says["lenet-mnist-b"].argmax())
        verdict = "names the same class" if str(other) == entry["label"] else f"says {other} ("
        assert f"lenet-mnist-b {verdict}" in answers.text
        assert "the same to the last bit" in answers.text


def test_the_nearest_real_picture_is_the_nearest(page: Node, digits: trompe.Run) -> None:
    samples = load_file(trompe.bundled_targets()["lenet-mnist"] / "samples.safetensors")
    for tile in page.all("details", "tile"):
        shown = tile.all("span", "first") or tile.all("span", "strongest")
        image = picture(shown[0].all("img")[0]).astype(float) / 255
        gaps = [float(numpy.sqrt(((real.numpy() / 255 - image) ** 2).sum())) for real in samples["images"][:, 0]]
        near = tile.all("p", "near")[0]
        assert near.all("b")[0].text == str(samples["classes"][int(numpy.argmin(gaps))].item())
        assert f"distance {min(gaps):.1f} " in near.text
        assert f"nearest to the picture {'first at 99 %' if tile.all('span', 'first') else 'strongest'};" in near.text
        assert numpy.array_equal(picture(near.all("img")[0]), samples["images"][int(numpy.argmin(gaps)), 0].numpy())


def test_the_lineage_strip_begins_and_ends_where_the_lineage_does(page: Node, digits: trompe.Run) -> None:
    for tile, label in zip(page.all("details", "tile"), DIGITS, strict=True):
        links = tile.all("ol", "strip")[0].all("li")
        chain = digits.lineage(label)
        assert 2 <= len(links) <= 8
        for link, ancestor in ((links[0], chain[0]), (links[-1], chain[-1])):
            assert numpy.array_equal(picture(link.all("img")[0]), ancestor.picture[0].numpy())
            assert link.text == f"{ancestor.candidate + 1:,}"


def test_the_map_is_what_the_takeovers_say(digits: trompe.Run) -> None:
    search = digits.searches[0]
    held = grid(search, digits.takeovers())
    columns = min(200, search.steps)
    for niche in range(10):
        for column in range(columns):
            last = max(step for step in range(search.steps) if step * columns // search.steps == column)
            values = rows(digits.folder, f"SELECT value FROM takeover WHERE niche = {niche} AND step <= {last}")  # noqa: S608
            assert held[niche, column].item() == max(value for (value,) in values)


def test_the_table_and_the_account_say_what_the_results_say(page: Node, published: dict, digits: trompe.Run) -> None:
    table = next(one for one in page.all("div", "wide") if one.attributes["aria-label"] == "Looks to each level")
    lines = table.all("tbody")[0].all("tr")
    for line, entry in zip(lines, published["classes"], strict=True):
        cells = [cell.text for cell in line.all("td")]
        looks = [f"{n:,}" if isinstance(n, int) else f"not within {entry['evaluations']:,}"
                 for n in entry["evaluations_to"].values()]  # fmt: skip
        assert cells == ["pixels-evolve", *looks, say_confidence(entry["log_odds"])]
    summary = published["summary"]
    checked, _, kept = summary["verified"].removesuffix(" images").partition(" of ")
    assert f"{checked} of {kept} kept images were read back from disk and judged again" in page.text
    assert f"{summary['evaluations']:,} looks, {summary['forwards']:,} rows sent" in page.text
    for known in (digits.about.commit, digits.about.machine, digits.about.created, str(digits.folder)):
        assert known in page.text


def test_the_command_on_the_page_makes_the_run_again(page: Node, digits: trompe.Run) -> None:
    words = shlex.split(page.all("pre")[0].text)
    assert words[:2] == ["trompe", "fool"]
    settings, _ = parse("fool", trompe.FoolSettings, words[2:])
    assert (settings.generations, settings.seed) == (25, 3)
    for name, stored in digits.about.settings.items():
        if name != "command":
            given = getattr(settings, name)
            assert (list(given) if isinstance(given, tuple) else given) == stored


def test_the_paper_is_marked_only_where_it_measured_the_same(page: Node, tmp_path: Path) -> None:
    assert "by 200 generations (40,000 looks)" in page.text
    assert "in under 50 generations (10,000 looks)" in page.text
    run = trompe.fool("lenet-mnist", by="scatter", generations=1, out=tmp_path / "scatter")
    other = read(trompe.report(run.folder))
    assert "40,000 looks" not in other.text
    assert "random noise" in other.all("h1")[0].text


@pytest.mark.parametrize("name", ["digits", "hostile"])
def test_nothing_leaves_the_page_and_only_our_script_runs(name: str, request: pytest.FixtureRequest) -> None:
    run = request.getfixturevalue(name)
    text = trompe.report(run.folder).read_text(encoding="utf-8")
    page = Reader(text).root
    scripts = page.all("script")
    assert len(scripts) == 1
    assert not scripts[0].attributes
    script = re.search(r"<script>(.*?)</script>", text, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest())
    policy = next(n.attributes["content"] for n in page.all("meta") if "Policy" in n.attributes.get("http-equiv", ""))
    assert policy.startswith("default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'sha256-")
    assert f"'sha256-{digest.decode()}'" in policy
    assert policy.count("script-src") == 1
    for node in page.walk():
        assert not [key for key in node.attributes if key.startswith("on")]
        assert node.tag not in {"link", "iframe", "object", "embed", "form", "base"}
        for key in ("src", "href", "action", "poster", "srcset"):
            assert re.match(r"data:image/|#|images/|$", node.attributes.get(key, ""))
    assert "url(" not in text
    assert "@import" not in text
    assert ("fooled" in text.lower()) == (name == "digits")  # a word only where readers were


def test_labels_with_markup_are_only_ever_text(hostile: trompe.Run) -> None:
    page = read(trompe.report(hostile.folder))
    assert [tile.all("b", "label")[0].text for tile in page.all("details", "tile")] == list(HOSTILE)
    assert "alert(" not in page.all("script")[0].text
    alternatives = [image.attributes["alt"] for image in page.all("img")]
    for label in HOSTILE:
        assert any(label in words for words in alternatives)


def test_every_picture_says_what_it_is_and_ids_are_unique(page: Node) -> None:
    assert all(image.attributes.get("alt") for image in page.all("img"))
    assert all(chart.attributes.get("aria-label") for chart in page.all("svg"))
    ids = [node.attributes["id"] for node in page.walk() if "id" in node.attributes]
    assert len(ids) == len(set(ids))
    assert {n.attributes["aria-labelledby"] for n in page.walk() if "aria-labelledby" in n.attributes} <= set(ids)


def test_what_was_not_measured_says_so(hostile: trompe.Run) -> None:
    page = read(trompe.report(hostile.folder))
    figures = [box.text for box in page.all("dl", "figures")[0].all("dd")]
    assert figures[1] == figures[3] == "not measured"
    for tile in page.all("details", "tile"):
        assert tile.text.count("not measured") >= 3  # highest classes, second network, nearest real picture
    assert not page.all("ol", "bars")
    assert "was not made by a command that can be repeated" in page.text
    for row in ("Positive control not measured", "Readers not measured", "Survival not measured"):
        assert row in page.text


def test_another_network_under_the_same_name_is_not_asked(tmp_path: Path) -> None:
    spec = ImageSpec(1, 28, 28)
    settings = trompe.FoolSettings("lenet-mnist", generations=1, population=20, out=tmp_path / "run")
    run = trompe.fool_with(settings, made_target(DIGITS, spec))
    page = read(trompe.report(run.folder))
    assert "the target that bears this name now is another one" in page.text
    assert not page.all("ul", "reals")
    assert not page.all("ol", "bars")


def test_a_public_page_leaves_out_what_it_must(digits: trompe.Run, tmp_path: Path) -> None:
    path = trompe.report(digits.folder, out=tmp_path / "public", public=True)
    text, page = path.read_text(encoding="utf-8"), read(path)
    about = digits.about
    for secret in (str(digits.folder), digits.folder.parent.name, about.commit, about.machine, str(Path.home())):
        assert secret not in text
    assert not page.all("ul", "reals")
    assert not page.all("p", "near")
    samples = load_file(trompe.bundled_targets()["lenet-mnist"] / "samples.safetensors")["images"][:, 0].numpy()
    shown = {picture(image).tobytes() for image in page.all("img")}
    assert not shown & {real.tobytes() for real in samples}
    assert "left out of a public page" in page.text
    assert not [n for n in page.walk() if n.attributes.get("href", "").startswith("images/")]


def begun(folder: Path, steps: int) -> None:
    """A run that stopped after so many steps and was never finished."""
    settings = trompe.FoolSettings("made", generations=9, population=20, out=folder)
    with Session(Attempt.prepare(settings, made_target(("yes", "no"), ImageSpec(1, 5, 5)))) as session:
        for _ in zip(range(steps), session, strict=False):
            pass


def test_an_unfinished_run_says_so_first(tmp_path: Path) -> None:
    begun(tmp_path / "run", 4)
    page = read(trompe.report(tmp_path / "run"))
    warnings = [warning.text for warning in page.all("p", "warning")]
    assert warnings[0].startswith("Note. This run is not finished (state: running).")
    assert any("not verified" in warning for warning in warnings)
    assert page.text.index("not finished") < page.text.index("gave at")
    assert all("not verified: not read back from disk yet" in tile.text for tile in page.all("details", "tile"))


def test_a_run_without_any_image_has_a_page(tmp_path: Path) -> None:
    begun(tmp_path / "run", 0)
    page = read(trompe.report(tmp_path / "run"))
    assert "No image has been recorded." in [w.text.removeprefix("Note. ") for w in page.all("p", "warning")]
    assert page.all("h1")[0].text.startswith("made was asked about 2 classes; no image has been recorded.")
    assert [tile.all("span", "none")[0].text for tile in page.all("details", "tile")] == ["no picture recorded"] * 2
    assert file_pixels(tmp_path / "run" / "contact-sheet.png").shape[2] == 3


@pytest.mark.parametrize(
    ("classes", "limit", "side"),
    [(10, 5, 12), (10, 5, 224), *(pytest.param(1000, 25, side, marks=pytest.mark.slow) for side in (12, 64))],
)
def test_pages_stay_light(tmp_path: Path, classes: int, limit: int, side: int) -> None:
    labels = [f"class {i}" for i in range(classes)]
    run = made_run(tmp_path / "run", labels, ImageSpec(3, side, side), generations=1, population=20, batch=20)
    path = trompe.report(run.folder)
    assert path.stat().st_size < limit * 1_000_000
    tiles = read(path).all("details", "tile")
    assert len(tiles) == classes
    if side == 12:
        for tile, record in list(zip(tiles, run.classes, strict=True))[:20]:
            shown = picture(tile.all("span", "strongest")[0].all("img")[0])
            assert numpy.array_equal(shown, record.strongest.levels.permute(1, 2, 0).numpy())


def test_two_pages_of_a_run_are_the_same_and_the_run_is_left_alone(digits: trompe.Run, tmp_path: Path) -> None:
    before = {path: path.read_bytes() for path in digits.folder.rglob("*") if path.is_file()}
    once = trompe.report(digits.folder, out=tmp_path / "once").read_bytes()
    assert once == trompe.report(digits.folder, out=tmp_path / "twice").read_bytes()
    assert before == {path: path.read_bytes() for path in digits.folder.rglob("*") if path.is_file()}


def test_a_place_that_cannot_be_written_is_explained(hostile: trompe.Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="Choose another place with --out"):
        trompe.report(hostile.folder, out=tmp_path / "file")


def test_a_second_network_that_does_not_fit_is_not_asked(digits: trompe.Run, tmp_path: Path) -> None:
    page = read(trompe.report(digits.folder, second="lenet-fashion", out=tmp_path))
    assert "lenet-fashion takes other images or names other classes" in page.text
    with pytest.raises(BadInput, match="Did you mean 'lenet-mnist-b'"):
        trompe.report(digits.folder, second="lenet-mnist-c")


def test_the_contact_sheet_shows_each_image_and_is_what_a_notebook_shows(digits: trompe.Run) -> None:
    sheet = file_pixels(trompe.report(digits.folder).with_name("contact-sheet.png"))
    for label in DIGITS:
        kept = digits[label].first(0.99) or digits[label].strongest
        large = kept.levels[0].numpy().repeat(8, 0).repeat(8, 1)
        corners = numpy.argwhere((sheet[:-224, :-224] == large[0, 0]).all(-1))
        assert any(numpy.array_equal(sheet[y : y + 224, x : x + 224, 0], large) for y, x in corners)
    with Image.open(io.BytesIO(trompe.open_run(digits.folder)._repr_png_())) as notebook:
        assert numpy.array_equal(numpy.asarray(notebook), sheet)


def test_the_contact_sheet_bears_any_label(hostile: trompe.Run) -> None:
    trompe.report(hostile.folder)
    sheet = file_pixels(hostile.folder / "contact-sheet.png")
    shown = hostile["非常长的标签"].first(0.99) or hostile["非常长的标签"].strongest
    top = shown.levels.permute(1, 2, 0).numpy()[0]
    scale = 240 // 6
    assert any((row[i : i + 6 * scale : scale] == top).all() for row in sheet[::8] for i in range(len(row) - 6 * scale))


@pytest.fixture(scope="module")
def painted(tmp_path_factory: pytest.TempPathFactory) -> trompe.Run:
    folder = tmp_path_factory.mktemp("painted") / "run"
    return made_run(folder, HOSTILE, ImageSpec(3, 6, 6), encoding="cppn", generations=12)


def test_a_painted_tile_has_its_network_in_it(painted: trompe.Run) -> None:
    tiles = read(trompe.report(painted.folder)).all("details", "tile")
    for tile, label in zip(tiles, HOSTILE, strict=True):
        drawing = trompe.draw(painted.folder, label, size="6", out=painted.folder / "drawn.png")
        (network,) = tile.all("div", "network")
        assert network.all("p")[0].text == str(drawing)
        (graph,) = network.all("svg")
        assert len(graph.all("circle")) - 4 == drawing.painting[0]
        assert len(graph.all("path")) == drawing.painting[1]
        (formula,) = network.all("pre")
        assert formula.text.split() == drawing.text.split()


def test_only_painted_tiles_have_networks(page: Node, hostile: trompe.Run) -> None:
    assert not page.all("div", "network")
    assert not read(trompe.report(hostile.folder)).all("div", "network")


def test_graphs_keep_within_their_room_and_what_is_left_out_says_so(painted: trompe.Run, monkeypatch) -> None:
    monkeypatch.setattr("trompe.showing.painted._ROOM_FEW", 9_000)
    tiles = read(trompe.report(painted.folder)).all("details", "tile")
    networks = [tile.all("div", "network")[0] for tile in tiles]
    assert 1 <= sum(bool(network.all("svg")) for network in networks) < len(HOSTILE)
    for network in networks:
        assert re.match(r"[\d,]+ nodes?, [\d,]+ connection", network.all("p")[0].text)
        assert bool(network.all("svg")) == bool(network.all("pre")) != ("left out" in network.text)


@pytest.mark.slow
def test_a_thousand_networks_keep_the_page_reasonable(tmp_path: Path) -> None:
    labels = [f"class {i}" for i in range(1000)]
    run = made_run(tmp_path / "run", labels, ImageSpec(3, 12, 12), encoding="cppn", generations=3, population=200)
    path = trompe.report(run.folder)
    assert path.stat().st_size < 15_000_000
    networks = [tile.all("div", "network") for tile in read(path).all("details", "tile")]
    assert all(len(network) == 1 for network in networks)
    assert sum(bool(network[0].all("svg")) for network in networks) > 100


def test_the_summary_says_how_large_the_networks_are(painted: trompe.Run, hostile: trompe.Run) -> None:
    sizes = [trompe.draw(painted.folder, label, size="6", out=painted.folder / "drawn.png") for label in HOSTILE]
    nodes, connections = median(s.nodes for s in sizes), median(s.connections for s in sizes)
    assert f"networks   cppn-evolve: median {nodes:g} nodes, {connections:g} connections" in describe(painted)
    assert not [line for line in describe(hostile) if line.startswith("networks")]


def test_words_of_ticks_keep_apart(tmp_path: Path) -> None:
    """Confidences from nothing to beyond fifteen nines, where ticks are unevenly spaced."""
    run = made_run(tmp_path / "run", DIGITS, ImageSpec(3, 32, 32), encoding="cppn", generations=40, population=200)
    chart = next(c for c in read(trompe.report(run.folder)).all("figure", "chart") if "real and" in c.text).all("svg")[
        0
    ]
    ticks = [n for n in chart.all("text") if "class" not in n.attributes]
    places = [float(n.attributes["x"]) for n in ticks]
    assert len(places) >= 3
    assert min(b - a for a, b in itertools.pairwise(places)) >= 70


def test_several_methods_are_told_apart_on_small_tiles_too(tiny, tmp_path: Path) -> None:
    """Small tiles drop the method only where there is nothing to tell apart."""
    page = read(trompe.report(made_run(tmp_path / "one", ("a", "b"), ImageSpec(1, 5, 5)).folder))
    assert "one-method" in page.all("body")[0].attributes["class"]
    settings = AuditSettings(tiny.name, budget=40, out=tmp_path / "all")
    with audit_session(settings, tiny) as session:
        list(session)
        run = session.finish()
    page = read(trompe.report(run.folder))
    assert "one-method" not in page.all("body")[0].attributes["class"]
    assert {tile.all("span", "method")[0].text for tile in page.all("details", "tile")} == {
        s.method for s in run.searches
    }
    counted = sum(int(count) for count in re.findall(r"\((\d+) of 4 searches\)", page.text))
    assert counted == len(run.searches)
    (tiles,) = page.all("div", "tiles")
    assert "by-class" in tiles.attributes["class"]
    assert "--columns: 4 " in page.all("style")[0].text


@pytest.mark.parametrize(("spec", "shape"), [(ImageSpec(3, 6, 9), "9 / 6"), (ImageSpec(2, 6, 9), "9 / 12")])
def test_a_tile_has_the_room_of_its_picture_before_that_is_decoded(spec, shape, tmp_path: Path) -> None:
    page = read(trompe.report(made_run(tmp_path / "run", ("a", "b"), spec, generations=1).folder))
    assert f"--shape: {shape};" in page.all("style")[0].text
    for tile in page.all("details", "tile"):
        height, width = picture(tile.all("span", "strongest")[0].all("img")[0]).shape[:2]
        assert f"{width} / {height}" == shape


@pytest.mark.parametrize("apart", [12.0, 25.0, 60.0])
@pytest.mark.parametrize("own", [0, 1])
def test_a_name_stands_nearest_to_its_own_line(own: int, apart: float) -> None:
    lines = [[(100.0, y), (250.0, y - 5), (400.0, y)] for y in (120.0, 120.0 + apart)]
    box = free_place(lines[own], 80.0, dense(lines[1 - own]), [])
    assert gap(box, dense(lines[own])) < gap(box, dense(lines[1 - own]))
