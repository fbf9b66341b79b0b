"""The networks that paint, for people: size in words, formula, graph, within what a page has room for."""

from dataclasses import dataclass

from markupsafe import Markup

from trompe.run.painters import Painter, Place
from trompe.showing.pictures import MANY
from trompe.showing.words import say_count

_ROOM_FEW, _ROOM_MANY = 1_000_000, 4_000_000
"""Letters that all graphs and formulas of a page may take."""


@dataclass(frozen=True)
class Painting:
    """One network on the page.

    Attributes:
        size: Of its genome, in words.
        graph: As SVG; empty where the page has no room for it.
        formula: As text; empty with the graph.
    """

    size: str
    graph: Markup
    formula: str


def paintings(found: dict[Place, Painter]) -> dict[Place, Painting]:
    """Every network; where not all graphs have room, the smallest do: they are the ones that can be read."""
    room, shown = _ROOM_MANY if len(found) > MANY else _ROOM_FEW, {}
    for place, painter in sorted(found.items(), key=lambda item: (item[1].painting, item[0])):
        graph, formula = painter.graph(), f"{legend(painter)}\n{painter.formula()}"
        room -= len(graph) + len(formula)
        size = say_size(painter.size, painter.painting)
        fits = room >= 0
        shown[place] = Painting(size, Markup(graph if fits else ""), formula if fits else "")  # noqa: S704  our own text
    return shown


def say_size(whole: tuple[int, int], painting: tuple[int, int]) -> str:
    """Nodes and connections in words, and how many of them matter.

    Example:
        >>> say_size((3, 5), (2, 4)), say_size((1, 1), (1, 1))
        ('3 nodes, 5 connections; 2 and 4 of them paint', '1 node, 1 connection')
    """
    nodes, connections = whole
    words = (
        f"{say_count(nodes)} node{'s' * (nodes != 1)}, {say_count(connections)} connection{'s' * (connections != 1)}"
    )
    if painting == whole:
        return words
    return f"{words}; {say_count(painting[0])} and {say_count(painting[1])} of them paint"


def legend(painter: Painter) -> str:
    """What the names in a formula mean."""
    spec, settings = painter.encoding.spec, painter.encoding.settings
    ends = f"0 to {spec.width - 1} and 0 to {spec.height - 1}" if settings.coordinates == "raw" else "-1 to 1"
    paints = "|out| is the brightness" if spec.channels == 1 else f"|out1|, |out2|, |out3| are {_axes(settings.colour)}"
    return (
        f"x to the right, y downwards: {ends}; d the distance from the centre, where sides are at -1 and 1\n"
        f"{'; '.join(f'{name}(p) = {_MEANING[name]}' for name in settings.functions if name in _MEANING)}\n{paints}\n"
    )


_MEANING = {
    "sigmoid": "2/(1+exp(-p))-1",
    "gaussian": "exp(-p*p)",
    "linear": "p within -3 to 3, over 3",
    "steep": "tanh(5*p)",
}


def _axes(colour: str) -> str:
    return "hue, saturation, value" if colour == "hsv" else "hue, lightness, saturation"
