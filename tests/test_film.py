"""The film of a run: slow enough, from the random beginning to the strongest image, bit for bit."""

import sqlite3
import zlib
from pathlib import Path

import numpy
import pytest
from made import made_run
from PIL import Image, ImageSequence

import trompe
from trompe.core.errors import BadInput, RunError
from trompe.core.specs import ImageSpec

LABELS = ("up", "down", "left")


@pytest.fixture(scope="module", params=[ImageSpec(1, 9, 7), ImageSpec(3, 8, 8)], ids=["grey", "colour"])
def run(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> trompe.Run:
    folder = tmp_path_factory.mktemp("film") / "run"
    return made_run(folder, LABELS, request.param, generations=30)


def walk(folder: Path, label: str) -> list[tuple[int, int, bytes]]:
    """Id, step and picture bytes of every ancestor, looked up one by one."""
    connection = sqlite3.connect(folder / "run.sqlite")
    niche = LABELS.index(label)
    (link,) = connection.execute("SELECT candidate FROM current WHERE search = 0 AND niche = ?", (niche,)).fetchone()
    found = []
    while link >= 0:
        step, parent, blob = connection.execute(
            "SELECT step, parent, picture FROM candidate WHERE search = 0 AND id = ?", (link,)
        ).fetchone()
        found.append((link, step, zlib.decompress(blob)))
        link = parent
    connection.close()
    return found[::-1]


def pixels(picture: Image.Image, channels: int) -> numpy.ndarray:
    """Of a frame: rows x columns, or rows x columns x 3."""
    return numpy.asarray(picture.convert("L" if channels == 1 else "RGB"))


def bare(frame: Image.Image, shape: tuple[int, int, int]) -> numpy.ndarray:
    """The picture in a frame at its own size: without the caption, every enlarged pixel once, all its copies equal."""
    channels, height, width = shape
    scale = frame.width // width
    whole = pixels(frame, channels)[: height * scale]
    small = whole[::scale, ::scale]
    assert numpy.array_equal(small.repeat(scale, 0).repeat(scale, 1), whole)
    return small


def as_rows(content: bytes, shape: tuple[int, int, int]) -> numpy.ndarray:
    levels = numpy.frombuffer(content, "uint8").reshape(shape)
    return levels[0] if shape[0] == 1 else levels.transpose(1, 2, 0)


@pytest.mark.parametrize("label", LABELS)
def test_lineage_is_the_chain_of_first_parents(run: trompe.Run, label: str) -> None:
    expected = walk(run.folder, label)
    found = run.lineage(label)
    assert [(link.candidate, link.step, bytes(link.picture.numpy().tobytes())) for link in found] == expected
    assert found[0].step == 0
    assert found[-1].candidate == run[label].strongest.candidate
    assert len(found) > 3


def test_frames_are_slow_and_end_in_the_strongest_image(run: trompe.Run) -> None:
    path = trompe.film(run.folder, "down", pictures=5)
    assert path == run.folder / "film-0001.png"
    with Image.open(path) as film:
        frames = [(frame.copy(), film.info["duration"]) for frame in ImageSequence.Iterator(film)]
    assert len(frames) == 9  # five recorded, four fades
    assert all(milliseconds >= 1000 / 3 for _, milliseconds in frames)
    chain = walk(run.folder, "down")
    assert numpy.array_equal(bare(frames[0][0], run.shape), as_rows(chain[0][2], run.shape))
    with Image.open(run.folder / run["down"].strongest.file) as strongest:
        assert numpy.array_equal(bare(frames[-1][0], run.shape), pixels(strongest, run.shape[0]))


def test_every_other_frame_is_the_fade_between_its_neighbours(run: trompe.Run) -> None:
    with Image.open(trompe.film(run.folder, "up", pictures=4)) as film:
        frames = [bare(frame.copy(), run.shape).astype(int) for frame in ImageSequence.Iterator(film)]
    ids = [link for link, _, _ in walk(run.folder, "up")]
    kept = [walk(run.folder, "up")[round(i * (len(ids) - 1) / 3)][2] for i in range(4)]
    for i, content in enumerate(kept):
        assert numpy.array_equal(frames[2 * i], as_rows(content, run.shape))
    for i in range(1, len(frames), 2):
        assert numpy.abs(2 * frames[i] - frames[i - 1] - frames[i + 1]).max() <= 2


def test_gif_is_as_slow(run: trompe.Run, tmp_path: Path) -> None:
    path = trompe.film(run.folder, "left", pictures=3, out=tmp_path / "left.gif")
    with Image.open(path) as film:
        assert film.format == "GIF"
        times = [film.info["duration"] for _ in ImageSequence.Iterator(film)]
    assert min(times) >= 1000 / 3


def test_large_images_end_in_the_whole_image(tmp_path: Path) -> None:
    run = made_run(tmp_path / "run", LABELS, ImageSpec(3, 130, 100), generations=2)
    with Image.open(trompe.film(run.folder, "up", pictures=2)) as film:
        last = [frame.copy() for frame in ImageSequence.Iterator(film)][-1]
    with Image.open(run.folder / run["up"].strongest.file) as strongest:
        whole = bare(last, run.shape)
        assert numpy.array_equal(whole, pixels(strongest, 3))


@pytest.mark.parametrize(("options", "match"), [
    ({"label": "upp"}, "Did you mean 'up'"),
    ({"label": "up", "pictures": 1}, "at least 2 pictures"),
    ({"label": "up", "out": Path("film.mp4")}, "ends in .png"),
])  # fmt: skip
def test_wrong_requests_are_explained(run: trompe.Run, options: dict, match: str) -> None:
    with pytest.raises(BadInput, match=match):
        trompe.film(run.folder, **options)


def test_a_place_that_cannot_be_written_is_explained(run: trompe.Run, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match="Choose another place with --out"):
        trompe.film(run.folder, "up", out=tmp_path / "file" / "film.png")
