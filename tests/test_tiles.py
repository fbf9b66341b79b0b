"""Live tiles: they fit the terminal, and each character shows exactly two pixels."""

import io
import re

import torch
from hypothesis import given
from hypothesis import strategies as st
from made import made_run
from rich.console import Console

from trompe.cli.tiles import Tiles, fit, supported
from trompe.core.specs import ImageSpec
from trompe.core.types import Candidates, Step, Wins
from trompe.encodings import PixelGenomes
from trompe.run.sheet import shown as sheet_shows


def step_with(images, niches):
    n = len(images)
    rows = torch.arange(n)
    none = torch.empty(0, dtype=torch.int64)
    winners = Candidates(rows, torch.full((n, 2), -1), PixelGenomes(images.reshape(n, -1)), images)
    value = torch.zeros(n, dtype=torch.float64)
    wins = Wins(torch.tensor(niches), rows, value, winners, none, none, none, none.double(), winners.take(none))
    return Step(0, n, n, 0, wins, {})


def shown(tiles, width=80, height=30):
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor", width=width, height=height)
    console.print(tiles, end="")
    return console.file.getvalue()


def test_each_character_is_two_pixels_of_the_winner():
    """A swapped axis, a truncated byte or a stale image shows here."""
    image = torch.tensor([[[0.0, 1.0], [128 / 255, 7 / 255]]])
    tiles = Tiles(["a"])
    tiles.follow(step_with(torch.zeros(1, 1, 2, 2), [0]))
    tiles.follow(step_with(image.unsqueeze(0), [0]))
    pairs = re.findall(r"38;2;(\d+);\d+;\d+;48;2;(\d+);\d+;\d+m▀", shown(tiles))
    assert pairs == [("0", "128"), ("255", "7")]


def test_a_niche_without_an_image_is_left_out_and_labels_are_cut_to_the_tile():
    tiles = Tiles(["first", "[red]second"])
    tiles.follow(step_with(torch.ones(1, 3, 4, 4), [1]))
    text = re.sub(r"\x1b\[[0-9;]*m", "", shown(tiles))
    assert text.splitlines()[0].strip() == "[red"
    assert "firs" not in text
    assert shown(Tiles(["a"])) == ""


@given(st.integers(1, 300), st.integers(4, 64), st.integers(4, 64), st.integers(20, 300), st.integers(8, 100))
def test_a_layout_fits_or_there_is_none(count, height, width, columns, lines):
    layout = fit(count, height, width, columns, lines)
    if layout is not None:
        wide, high = -(-width // layout.shrink), -(-height // (2 * layout.shrink)) + 1
        assert layout.in_row * (wide + 2) - 2 <= columns
        assert -(-count // layout.in_row) * high <= lines


def test_what_came_of_a_run_shows_the_images_of_its_contact_sheet(tmp_path):
    run = made_run(tmp_path / "run", ("yes", "no"), ImageSpec(1, 6, 12))
    lines = shown(Tiles.of(run)).splitlines()
    for number, label in enumerate(("yes", "no")):
        image = sheet_shows(run, label)[1].levels[0]
        assert lines[0][number * 14 :].startswith(label)
        for row in range(3):
            pairs = re.findall(r"38;2;(\d+);\d+;\d+;48;2;(\d+);\d+;\d+m▀", lines[1 + row])[
                12 * number : 12 * number + 12
            ]
            assert pairs == [(str(a), str(b)) for a, b in image[2 * row : 2 * row + 2].T.tolist()]


def test_only_true_colour_terminals_and_small_images():
    console = Console(file=io.StringIO(), force_terminal=True, color_system="truecolor")
    assert supported(console, 28, 28)
    assert not supported(console, 224, 224)
    assert not supported(Console(file=io.StringIO(), force_terminal=True, color_system="256"), 28, 28)
    assert not supported(Console(file=io.StringIO()), 28, 28)
