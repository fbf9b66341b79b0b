"""A network's formula computes what the renderer paints; its graph shows every node and connection once."""

import math
import re
import xml.etree.ElementTree as ElementTree

import pytest

from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings.cppn import Cppn
from trompe.encodings.cppn.draw import formula, graph
from trompe.encodings.cppn.render import without_idle

SPEC = ImageSpec(1, 5, 5)


def grown(n=8):
    encoding = Cppn(SPEC)
    genomes = encoding.random(n, Stream(0, "test/random", 0))
    for step in range(15):
        genomes = encoding.vary(genomes, Stream(0, "test/vary", step))
    return encoding, genomes


def evaluate(text, x, y):
    """The formula, read by Python itself."""
    names = {"x": x, "y": y, "d": math.hypot(x, y), "sine": math.sin, "gaussian": lambda p: math.exp(-p * p)}
    names |= {"sigmoid": lambda p: math.tanh(p / 2), "linear": lambda p: max(-3, min(3, p)) / 3}
    for line in text.splitlines():
        name, term = line.split(" = ")
        names[name] = eval(term, {"__builtins__": {}}, names)  # noqa: S307  our own text
    return abs(names["out"])


def test_the_formula_gives_the_pixels():
    encoding, genomes = grown()
    images = encoding.draw(genomes, 5, 5)
    for row in range(len(genomes)):
        text = formula(genomes, row, 1, 10.0)
        for i, j in [(0, 0), (2, 2), (4, 1)]:
            # Weights are printed with two decimals, so steep places may be a little off.
            assert evaluate(text, j / 2 - 1, i / 2 - 1) == pytest.approx(images[row, 0, i, j].item(), abs=0.15)


def test_the_graph_is_well_formed_and_complete():
    _, genomes = grown()
    lean = without_idle(genomes, 1)
    for row in range(len(genomes)):
        picture = ElementTree.fromstring(graph(genomes, row, 1, 10.0))  # noqa: S314  our own text
        tags = [re.sub(r"{.*}", "", element.tag) for element in picture]
        nodes, connections = (int(size[row]) for size in lean.sizes())
        assert tags.count("circle") == nodes + 4
        assert tags.count("path") == connections


def test_the_graph_keeps_every_connection_within_its_frame():
    """A bent connection whose ends are not level reaches beyond its middle."""
    _, genomes = grown()
    for row in range(len(genomes)):
        picture = ElementTree.fromstring(graph(genomes, row, 1, 10.0))  # noqa: S314  our own text
        _, top, _, height = map(float, picture.get("viewBox").split())
        for path in (element.get("d") for element in picture if element.tag.endswith("path")):
            numbers = [float(number) for number in re.findall(r"-?[0-9.]+", path)]
            start, bend, end = numbers[1], numbers[3] if "Q" in path else (numbers[1] + numbers[-1]) / 2, numbers[-1]
            shares = [i / 50 for i in range(51)]
            heights = [start * (1 - t) ** 2 + 2 * bend * t * (1 - t) + end * t * t for t in shares]
            assert top + 2 <= min(heights)
            assert max(heights) <= top + height - 2
