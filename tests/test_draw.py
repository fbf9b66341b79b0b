"""Drawn again: at its own size the image that was judged, bit for bit; at any other, what the network paints there."""

import json
import xml.etree.ElementTree as ElementTree

import numpy
import pytest
from made import made_run, made_target
from PIL import Image

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput, RunError
from trompe.core.specs import ImageSpec
from trompe.encodings.cppn import encoding as painting
from trompe.run.painters import middle_size, painters
from trompe.settings import AuditSettings
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import Attempt, Session

LABELS = ("up", "down", "left")


@pytest.fixture(scope="module", params=[ImageSpec(1, 9, 7), ImageSpec(3, 8, 8)], ids=["grey", "colour"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> trompe.Run:
    folder = tmp_path_factory.mktemp("draw") / "run"
    return made_run(folder, LABELS, request.param, encoding="cppn", generations=15)


def pixels(path) -> numpy.ndarray:
    with Image.open(path) as image:
        assert "not judged at this size" in image.info["Comment"]
        return numpy.asarray(image)


@pytest.mark.parametrize("preset", ["paper", "released-code"])
def test_at_its_own_size_it_is_the_judged_image_bit_for_bit(preset, tmp_path):
    run = made_run(tmp_path / "run", LABELS, ImageSpec(3, 9, 7), encoding="cppn", preset=preset)
    for record in run.classes:
        drawn = trompe.draw(run.folder, record.label, size="9x7", out=tmp_path / "same.png")
        assert numpy.array_equal(pixels(drawn.image), record.strongest.levels.permute(1, 2, 0).numpy())


def test_any_size_shows_the_same_pattern(run, tmp_path):
    """Places that two grids share have the same brightness: the network is asked at the same coordinates."""
    height, width = run.shape[1:]
    large = trompe.draw(run.folder, "down", size=f"{3 * height - 2}x{3 * width - 2}", out=tmp_path / "large.png")
    shared = pixels(large.image)[::3, ::3].astype(int)
    own = run["down"].strongest.levels.permute(1, 2, 0).squeeze(2 if run.shape[0] == 1 else ()).numpy().astype(int)
    assert shared.shape == own.shape
    assert numpy.abs(shared - own).max() <= 1


def test_by_default_it_lies_in_the_run_folder_with_its_longer_side_at_512(run):
    drawn = trompe.draw(run.folder, "left")
    assert (drawn.image, drawn.graph, drawn.formula) == (run.folder / "draw-0002.png", None, None)
    height, width = run.shape[1:]
    assert pixels(drawn.image).shape[:2] == (512, round(512 * width / height))
    assert drawn.text.count("\n") >= drawn.painting[0]


def test_formula_and_graph_lie_beside_it_and_say_the_genome_s_size(run, tmp_path):
    drawn = trompe.draw(run.folder, "up", size="40", formula=True, graph=True, out=tmp_path / "a" / "up.png")
    assert drawn.formula.read_text() == drawn.text
    picture = ElementTree.parse(drawn.graph).getroot()  # noqa: S314  our own text
    tags = [element.tag.rpartition("}")[2] for element in picture]
    assert (tags.count("circle") - 4, tags.count("path")) == drawn.painting
    assert sorted(path.name for path in (tmp_path / "a").iterdir()) == ["up.png", "up.svg", "up.txt"]
    genome = painters(run)[0, 0].genome
    assert (drawn.nodes, drawn.connections) == tuple(int(size[0]) for size in genome.sizes())
    assert str(drawn).startswith(f"{drawn.nodes} node")


def test_a_poster_painted_in_bands_is_the_same_picture(run, monkeypatch):
    painter = painters(run)[0, 1]
    whole = painter.paint(60, 50)
    monkeypatch.setattr(painting, "_BAND_VALUES", 7_777)
    assert (painter.paint(60, 50).int() - whole.int()).abs().max() <= 1


def test_middle_size_is_the_median_genome(run):
    sizes = sorted(painter.size[0] for painter in painters(run).values())
    assert middle_size(list(painters(run).values()))[0] == sizes[1]


def test_pixels_have_nothing_more_to_show(tmp_path):
    run = made_run(tmp_path / "run", LABELS, ImageSpec(1, 6, 6))
    with pytest.raises(BadInput, match=r"painted \(encoding cppn\).*got one of pixels-evolve.*Enlarge images/.*png"):
        trompe.draw(run.folder, "up")
    assert not list(run.folder.glob("draw*"))


def test_of_several_methods_the_one_with_networks_is_drawn(tmp_path):
    target = made_target(LABELS, ImageSpec(1, 6, 6))
    settings = AuditSettings("made", methods=("pixels-ascend", "cppn-evolve"), budget=200, out=tmp_path / "run")
    with audit_session(settings, target) as session:
        list(session)
        run = session.finish()
    drawn = trompe.draw(run.folder, "up", size="6")
    mine = next(record for record in run.classes if record.label == "up" and record.method == "cppn-evolve")
    assert numpy.array_equal(pixels(drawn.image), mine.strongest.levels[0].numpy())


@pytest.mark.parametrize("size", ["0", "-4", "4097", "12x", "axb", "5x5x5", "", "10x0", "1e3", "٣"])
def test_sizes_that_make_no_sense_are_refused(run, size):
    with pytest.raises(BadInput, match=r"--size: expected a size like 512 or 300x400"):
        trompe.draw(run.folder, "up", size=size)


def test_other_mistakes_are_explained(run, tmp_path):
    with pytest.raises(BadInput, match="Did you mean 'up'"):
        trompe.draw(run.folder, "upp")
    with pytest.raises(BadInput, match=r"ends in \.png; got up\.jpg"):
        trompe.draw(run.folder, "up", out=tmp_path / "up.jpg")
    settings = trompe.FoolSettings("made", encoding="cppn", out=tmp_path / "begun")
    Session(Attempt.prepare(settings, made_target(LABELS, ImageSpec(1, 5, 5)))).__exit__(None)
    with pytest.raises(RunError, match="nothing recorded yet"):
        trompe.draw(tmp_path / "begun", "up")


def test_the_command_says_what_it_drew(run, tmp_path, capsys):
    words = ["draw", str(run.folder), "--class", "up", "--size", "30", "--formula", "--out", str(tmp_path / "up.png")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert f"drawn      {tmp_path / 'up.png'}" in out
    assert "network    " in out
    assert "out" in out.split("formula")[1]
    assert main([*words, "--graph", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["graph"] == str(tmp_path / "up.svg")
    assert told["nodes"] >= told["painting_nodes"] >= 1
    assert told["formula"] == (tmp_path / "up.txt").read_text()
