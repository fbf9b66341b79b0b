"""`trompe train readers` on a folder of images, from the command line to readers that judge."""

import json

import pytest
import torch
from PIL import Image
from test_densities import bars

from trompe.cli.main import main
from trompe.cli.train import disagreement_lines
from trompe.data import Split
from trompe.data.halves import half
from trompe.measure.readers.store import CALIBRATION, SHIPPED, stored_readers
from trompe.verbs.train_readers import _folder


def put(folder, n=160):
    images, classes = bars(n)
    for i, (image, c) in enumerate(zip(images, classes.tolist(), strict=True)):
        place = folder / ("lying", "standing")[c]
        place.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image[0].numpy()).save(place / f"{i:03}.png")


@pytest.mark.slow
def test_readers_are_fitted_to_a_folder_the_same_way_twice_and_never_over_others(tmp_path, capsys):
    put(tmp_path / "images")
    words = ["train", "readers", "--images", str(tmp_path / "images"), "--iterations", "60", "--quiet"]
    for name in ("one", "two"):
        assert main([*words, "--out", str(tmp_path / name)]) == 0
    told = capsys.readouterr().out
    assert "of real images as themselves" in told
    assert told.count("% of noise images read differently by") == 2
    first, second = (json.loads((tmp_path / name / CALIBRATION).read_text()) for name in ("one", "two"))
    assert first == second
    assert first["settings"]["iterations"] == 60
    assert first["command"].startswith("trompe train readers --images")
    assert set(first["readers"]) == {"kde", "vae", "nearest", "parts"}
    assert all(number["real"]["of"] == 32 for number in first["readers"].values())
    readers = stored_readers(tmp_path / "one")
    assert readers[0].labels == ("lying", "standing")
    assert all(any(use.startswith("data:images-") and use.endswith("-odd") for use in one.uses) for one in readers)
    assert main([*words, "--out", str(tmp_path / "one")]) == 2
    assert "without a network or readers" in capsys.readouterr().err


def test_the_terminal_tells_how_far_readers_disagree():
    found = json.loads((SHIPPED / "mnist" / CALIBRATION).read_text())["disagreement"]
    lines = [line.split() for line in disagreement_lines(found)]
    assert len(lines) == 3 * 5
    assert lines[0] == ["%", "of", "real", "images", "read", "differently", "by", "kde", "vae", "nearest", "parts"]
    assert lines[1] == ["kde", "0.0", *(f"{100 * share:.1f}" for share in found["real"][0][1:])]
    assert [row[0] for row in lines[11:]] == found["readers"]
    assert float(lines[14][1]) == pytest.approx(100 * found["noise"][3][0], abs=0.05)


def test_what_is_no_folder_of_folders_is_refused(tmp_path, capsys):
    (tmp_path / "images").mkdir()
    assert main(["train", "readers", "--images", str(tmp_path / "images"), "--out", str(tmp_path / "r")]) == 2
    assert "for each of two or more classes" in capsys.readouterr().err
    assert main(["train", "lenet", "--images", str(tmp_path / "images"), "--out", str(tmp_path / "n")]) == 2
    assert "no folder of images for a network" in capsys.readouterr().err


def test_hidden_files_decide_no_shape_and_are_no_images(tmp_path):
    put(tmp_path, 12)
    (tmp_path / "lying" / ".thumbnails").mkdir()
    Image.new("RGB", (3, 5)).save(tmp_path / "lying" / ".thumbnails" / "0.png")
    split, labels = _folder(tmp_path)
    assert (labels, tuple(split.images.shape)) == (("lying", "standing"), (12, 1, 8, 8))


def test_the_halves_share_nothing_and_make_the_whole():
    split = Split(torch.arange(9, dtype=torch.uint8).view(9, 1, 1, 1), torch.arange(9))
    even, odd = half(split, "even"), half(split, "odd")
    assert sorted([*even.classes.tolist(), *odd.classes.tolist()]) == list(range(9))
    assert torch.equal(odd.images.flatten().long(), odd.classes)
