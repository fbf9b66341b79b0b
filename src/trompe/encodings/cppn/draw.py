"""A network for people: as a formula, and as a picture of its graph."""

from collections import Counter
from xml.sax.saxutils import escape

from trompe.encodings.cppn.functions import NAMES
from trompe.encodings.cppn.genome import INPUTS, CppnGenomes
from trompe.encodings.cppn.render import depths, without_idle

Place = tuple[int, int]
_FIRST = len(INPUTS)
_COLUMN, _ROW, _RADIUS = 130, 58, 23


def formula(genomes: CppnGenomes, row: int, outputs: int, limit: float) -> str:
    """One line a node, inputs first; what the outputs do not depend on is left out.

    The pixel's value is the absolute value of the output.

    Args:
        genomes: A population.
        row: Which of it.
        outputs: How many outputs each network has.
        limit: Genes in [0, 1] stand for weights from minus this to this.

    Example:
        >>> from trompe.encodings.cppn import Cppn
        >>> from trompe.core.seeds import Stream
        >>> from trompe.core.specs import ImageSpec
        >>> print(formula(Cppn(ImageSpec(1, 8, 8)).random(1, Stream(0, "example", 0)), 0, 1, 10.0))
        out = sigmoid(2.30*x - 4.93*y + 7.75*d + 6.50*1)
    """
    network = _Network(genomes, row, outputs, limit)
    return "\n".join(f"{network.name(node)} = {network.term(node)}" for node in network.order)


def graph(genomes: CppnGenomes, row: int, outputs: int, limit: float) -> str:
    """The network as an SVG picture: inputs left, outputs right, line width by weight, dashed where negative.

    Takes what `formula` takes.
    """
    network = _Network(genomes, row, outputs, limit)
    places = network.places()
    bows = _bows(network, places)
    heights = [y for _, y in places.values()]
    over = [_furthest(places[source][1], places[target][1], bow)
            for (source, target, _), bow in zip(network.links, bows, strict=True)]  # fmt: skip
    top, bottom = int(min(min(heights) - _RADIUS, *over, 0)) - 4, int(max(max(heights) + _RADIUS, *over, 0)) + 4
    width, height = max(x for x, _ in places.values()) + _COLUMN // 2, bottom - top
    lines = [_line((places[source], places[target]), bow, weight, limit)
             for (source, target, weight), bow in zip(network.links, bows, strict=True)]  # fmt: skip
    nodes = [_circle(place, network.name(node), network.kind(node)) for node, place in places.items()]
    words = f"The network: {len(network.order)} nodes, {len(network.links)} connections"
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 {top} {width} {height}" width="{width}" height="{height}" '
        f'role="img" aria-label="{words}" font-family="system-ui, sans-serif" font-size="11" text-anchor="middle">'
    )
    return "\n".join([head, *lines, *nodes, "</svg>"]) + "\n"


def _bows(network: "_Network", places: dict[int, Place]) -> list[int]:
    """How far each connection is bent, up where negative: round the columns it passes, and off its own doubles."""
    middle = max(y for _, y in places.values()) / 2
    seen: Counter[tuple[int, int]] = Counter()
    bows = []
    for source, target, _ in network.links:
        (start, above), (end, below) = places[source], places[target]
        passed = max(0, (end - start) // _COLUMN - 1)
        bow = (0 if not passed else 44 + 14 * passed) + 22 * seen[source, target]
        bows.append(-bow if (above + below) / 2 <= middle else bow)
        seen[source, target] += 1
    return bows


def _furthest(start: int, end: int, bow: int) -> float:
    """The height that a connection bent by `bow` reaches, which is beyond its middle where its ends are not level."""
    rise = (end - start) / 2
    return (start + end) / 2 + (bow / 2 + rise**2 / (2 * bow) if abs(rise) < abs(bow) else abs(rise))


class _Network:
    """One genome without what its outputs do not depend on, in plain Python."""

    def __init__(self, genomes: CppnGenomes, row: int, outputs: int, limit: float) -> None:
        lean = without_idle(genomes, outputs)
        depth, functions = depths(lean)[row].tolist(), lean.function[row].tolist()
        columns = zip(lean.source[row].tolist(), lean.target[row].tolist(), lean.weight[row].tolist(), strict=True)
        self.links = [(source, target, (2 * gene - 1) * limit) for source, target, gene in columns if source >= 0]
        self._functions, self._outputs = functions, outputs
        self._depth = {slot + _FIRST: depth[slot] for slot, function in enumerate(functions) if function >= 0}
        last = max(self._depth.values())
        for node in range(_FIRST, _FIRST + outputs):  # outputs stand together, on the right
            self._depth[node] = last
        self.order = sorted(self._depth, key=lambda node: (self._depth[node], node < _FIRST + outputs, node))

    def name(self, node: int) -> str:
        if node < _FIRST:
            return INPUTS[node]
        if node >= _FIRST + self._outputs:
            return f"h{node - _FIRST - self._outputs + 1}"
        return "out" if self._outputs == 1 else f"out{node - _FIRST + 1}"

    def kind(self, node: int) -> str:
        return "" if node < _FIRST else NAMES[self._functions[node - _FIRST]]

    def term(self, node: int) -> str:
        parts = [f"{weight:+.2f}*{self.name(source)}" for source, target, weight in self.links if target == node]
        total = " ".join(f"{part[0]} {part[1:]}" for part in parts) or "0"
        total = total.removeprefix("+ ") if not total.startswith("- ") else f"-{total[2:]}"
        return f"{self.kind(node)}({total})"

    def places(self) -> dict[int, Place]:
        levels: dict[int, list[int]] = {0: list(range(_FIRST))}
        for node in self.order:
            levels.setdefault(self._depth[node], []).append(node)
        tallest = max(len(nodes) for nodes in levels.values())
        return {
            node: (column * _COLUMN + 40, int((i + 0.5) * tallest / len(nodes) * _ROW) + 6)
            for column, (_, nodes) in enumerate(sorted(levels.items()))
            for i, node in enumerate(nodes)
        }


def _line(ends: tuple[Place, Place], bow: int, weight: float, limit: float) -> str:
    (x, y), (u, v) = ends
    dash = ' stroke-dasharray="5 4"' if weight < 0 else ""
    width = 0.6 + 2.4 * abs(weight) / limit
    over = f"Q{(x + u) / 2:g} {(y + v) / 2 + bow:g} " if bow else "L"
    return f'<path d="M{x} {y}{over}{u} {v}" fill="none" stroke="#8a8a8a" stroke-width="{width:.2f}"{dash}/>'


def _circle(place: Place, name: str, kind: str) -> str:
    x, y = place
    below = f'<text x="{x}" y="{y + 11}" fill="#fff" font-size="9">{escape(kind)}</text>' if kind else ""
    return (
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="#2b5f8a"/>'
        f'<text x="{x}" y="{y + (1 if kind else 4)}" fill="#fff" font-weight="600">{escape(name)}</text>{below}'
    )
