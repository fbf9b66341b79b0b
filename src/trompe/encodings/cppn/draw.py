"""A network for people: as a formula, and as a picture of its graph."""

from xml.sax.saxutils import escape

from trompe.encodings.cppn.functions import NAMES
from trompe.encodings.cppn.genome import INPUTS, CppnGenomes
from trompe.encodings.cppn.render import depths, without_idle

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
    width = max(x for x, _ in places.values()) + _COLUMN // 2
    height = max(y for _, y in places.values()) + _ROW // 2 + 6
    lines = [_line(places[source], places[target], weight, limit) for source, target, weight in network.links]
    nodes = [_circle(place, network.name(node), network.kind(node)) for node, place in places.items()]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="11" text-anchor="middle">'
        f"<title>{len(network.order)} nodes, {len(network.links)} connections</title>"
    )
    return "\n".join([head, *lines, *nodes, "</svg>"]) + "\n"


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

    def places(self) -> dict[int, tuple[int, int]]:
        levels: dict[int, list[int]] = {0: list(range(_FIRST))}
        for node in self.order:
            levels.setdefault(self._depth[node], []).append(node)
        tallest = max(len(nodes) for nodes in levels.values())
        return {
            node: (column * _COLUMN + 40, int((i + 0.5) * tallest / len(nodes) * _ROW) + 6)
            for column, (_, nodes) in enumerate(sorted(levels.items()))
            for i, node in enumerate(nodes)
        }


def _line(start: tuple[int, int], end: tuple[int, int], weight: float, limit: float) -> str:
    dash = ' stroke-dasharray="5 4"' if weight < 0 else ""
    width = 0.6 + 2.4 * abs(weight) / limit
    return (
        f'<line x1="{start[0]}" y1="{start[1]}" x2="{end[0]}" y2="{end[1]}" stroke="#8a8a8a" '
        f'stroke-width="{width:.2f}"{dash}/>'
    )


def _circle(place: tuple[int, int], name: str, kind: str) -> str:
    x, y = place
    below = f'<text x="{x}" y="{y + 11}" fill="#fff" font-size="8">{escape(kind)}</text>' if kind else ""
    return (
        f'<circle cx="{x}" cy="{y}" r="{_RADIUS}" fill="#2b5f8a"/>'
        f'<text x="{x}" y="{y + (1 if kind else 4)}" fill="#fff" font-weight="600">{escape(name)}</text>{below}'
    )
