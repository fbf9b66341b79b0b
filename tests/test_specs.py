"""Images on disk: what is written is what is read, bit for bit, and anything else is refused."""

import re

import numpy
import pytest
import torch
from PIL import Image

from trompe.core.errors import BadInput, RunError
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec

NOTE = "trompe 0.1.0: made to be labelled 8 by lenet; not a photograph – äöü"


def noise(*shape: int) -> torch.Tensor:
    return (Stream(0, "specs", 0).uniform(*shape) * 256).to(torch.uint8)


@pytest.mark.parametrize("channels", [1, 2, 3, 4, 5])
def test_an_image_comes_back_bit_for_bit(tmp_path, channels):
    """Catches a swap of axes or channels, and any loss; height and width differ so that they cannot be mixed up."""
    spec = ImageSpec(channels, 5, 7)
    levels = noise(channels, 5, 7)
    spec.write(tmp_path / "image.png", levels, NOTE)
    found = spec.read(tmp_path / "image.png")
    assert found.dtype == torch.uint8
    assert torch.equal(found, levels)


def test_every_level_comes_back(tmp_path):
    """Catches a palette, a gamma or 7-bit storage."""
    spec = ImageSpec(1, 16, 16)
    levels = torch.arange(256).to(torch.uint8).reshape(1, 16, 16)
    spec.write(tmp_path / "all.png", levels, NOTE)
    assert torch.equal(spec.read(tmp_path / "all.png"), levels)


def test_another_program_sees_red_green_and_blue_in_their_places(tmp_path):
    """Catches a layout that only this code can read: what a person opens must be what was judged."""
    levels = noise(3, 4, 6)
    ImageSpec(3, 4, 6).write(tmp_path / "colour.png", levels, NOTE)
    with Image.open(tmp_path / "colour.png") as image:
        assert (image.mode, image.size) == ("RGB", (6, 4))
        assert numpy.array_equal(numpy.array(image), levels.permute(1, 2, 0).numpy())


def test_unusual_channels_lie_one_below_the_other(tmp_path):
    levels = noise(2, 4, 6)
    ImageSpec(2, 4, 6).write(tmp_path / "two.png", levels, NOTE)
    with Image.open(tmp_path / "two.png") as image:
        assert (image.mode, image.size) == ("L", (6, 8))
        assert numpy.array_equal(numpy.array(image), torch.cat([levels[0], levels[1]]).numpy())


def test_the_note_is_inside_the_file_and_nothing_else_beside_it(tmp_path):
    ImageSpec(1, 3, 3).write(tmp_path / "note.png", noise(1, 3, 3), NOTE)
    with Image.open(tmp_path / "note.png") as image:
        assert image.text["Comment"] == NOTE
    assert [path.name for path in tmp_path.iterdir()] == ["note.png"]


def test_writing_again_replaces_the_image(tmp_path):
    spec = ImageSpec(1, 3, 3)
    spec.write(tmp_path / "image.png", torch.zeros(1, 3, 3, dtype=torch.uint8), NOTE)
    spec.write(tmp_path / "image.png", noise(1, 3, 3), NOTE)
    assert torch.equal(spec.read(tmp_path / "image.png"), noise(1, 3, 3))


def test_the_same_image_gives_the_same_file(tmp_path):
    """Catches a time stamp in the file."""
    for name in ("one.png", "two.png"):
        ImageSpec(1, 9, 9).write(tmp_path / name, noise(1, 9, 9), NOTE)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


def refused(spec: ImageSpec, path, expected: str, do: str) -> None:
    with pytest.raises(RunError, match=f"^{re.escape(str(path))}: expected {expected}; got .*\\. {do}"):
        spec.read(path)


def test_an_image_of_another_size_is_refused(tmp_path):
    path = tmp_path / "image.png"
    ImageSpec(1, 5, 7).write(path, noise(1, 5, 7), NOTE)
    refused(ImageSpec(1, 7, 5), path, r"a PNG of shape \(7, 5\) with 8 bits a value", "Restore the file")


def test_a_colour_image_is_no_grey_one(tmp_path):
    path = tmp_path / "image.png"
    ImageSpec(3, 5, 7).write(path, noise(3, 5, 7), NOTE)
    refused(ImageSpec(1, 5, 7), path, r"a PNG of shape \(5, 7\) with 8 bits a value", "Restore the file")


@pytest.mark.parametrize("mode", ["1", "I;16"])
def test_another_depth_is_refused(tmp_path, mode):
    """Catches a silent conversion of one-bit or sixteen-bit images."""
    path = tmp_path / "image.png"
    Image.new(mode, (7, 5)).save(path)
    refused(ImageSpec(1, 5, 7), path, r"a PNG of shape \(5, 7\) with 8 bits a value", "Restore the file")


@pytest.mark.parametrize("damage", ["missing", "text", "empty", "cut", "jpeg", "folder"])
def test_what_is_no_whole_png_is_refused(tmp_path, damage):
    path = tmp_path / "image.png"
    spec = ImageSpec(1, 20, 20)
    spec.write(path, noise(1, 20, 20), NOTE)
    whole = path.read_bytes()
    path.unlink()
    if damage == "text":
        path.write_text("not an image")
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "cut":
        path.write_bytes(whole[: len(whole) // 2])
    elif damage == "jpeg":
        Image.new("L", (20, 20)).save(path, format="JPEG")
    elif damage == "folder":
        path.mkdir()
    refused(spec, path, "a PNG written by trompe", "Restore the file, or make the run again")


@pytest.mark.parametrize("shape", [(0, 5, 5), (1, 0, 5), (1, 5, 0), (-1, 5, 5)])
def test_an_empty_image_is_no_spec(shape):
    with pytest.raises(BadInput, match=r"^ImageSpec: expected at least one channel and one pixel.*got .*\. Give the"):
        ImageSpec(*shape)


def test_a_spec_describes_itself_completely():
    spec = ImageSpec(3, 4, 6)
    assert spec.describe() == {"kind": "image", "channels": 3, "height": 4, "width": 6}
    assert spec.shape == (3, 4, 6)
