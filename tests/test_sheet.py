"""Words on pictures: only letters that the font has, and as much of a label as can be written in them."""

import pytest
from PIL import ImageFont

from trompe.run.sheet import drawable

FONT = ImageFont.load_default(17)
LACKING = bytes(FONT.getmask("\ue000"))


def is_box(letter):
    return bytes(FONT.getmask(letter)) == LACKING


@pytest.mark.parametrize(
    ("label", "written"),
    [
        ("tench, Tinca tinca", "tench, Tinca tinca"),
        ("café crème", "cafe creme"),
        ("cafe\u0301", "cafe"),
        ("Straße nach Köln", "Strasse nach Koln"),
        ("smørrebrød Łódź þing", "smorrebrod Lodz thing"),
        ("“quoted” ‘so’ «or so» ± 2·3…", "“quoted” ‘so’ «or so» ± 2·3…"),
        ("a – b — c", "a - b - c"),
        ("ﬁne\u00a0word", "ﬁne word"),
        ("n² × 4", "otherwise"),
        ("Ελληνικά", "otherwise"),
        ("非常长", "otherwise"),
        ("half 非", "otherwise"),
        ("🐈 cat", "otherwise"),
        ("tab\tand\x1b[31m", "otherwise"),
        ("", ""),
    ],
)
def test_what_can_be_written_is_and_nothing_is_a_box(label, written):
    assert drawable(label, "otherwise") == written
    assert not any(is_box(letter) for letter in drawable(label, "otherwise"))


def test_the_font_is_asked_and_not_assumed():
    """Each letter of three alphabets: written where there is a glyph, never where there is none."""
    for code in [*range(0x20, 0x250), *range(0x370, 0x400), *range(0x2010, 0x2050), 0x20AC, 0x2122]:
        letter = chr(code)
        assert (drawable(letter, "?") == letter) == (letter == "?" or (letter.isprintable() and not is_box(letter)))
