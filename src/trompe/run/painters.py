"""The networks that paint: genomes of a run's CPPN searches, read back with the encoding that they belong to."""

from dataclasses import dataclass
from statistics import median
from typing import Any

import torch

from trompe.core.numerics import to_levels
from trompe.core.specs import ImageSpec
from trompe.core.types import Levels
from trompe.encodings import Cppn, CppnGenomes, CppnSettings
from trompe.encodings.cppn import draw, numba_installed
from trompe.encodings.cppn.render import without_idle
from trompe.run.blobs import unpack_arrays
from trompe.run.read import Run
from trompe.run.schema import reading, undamaged

Place = tuple[int, int]
"""Search and niche."""


@dataclass(frozen=True, eq=False)
class Painter:
    """One network: what the strongest image of a class is painted by.

    Attributes:
        encoding: How it paints.
        genome: A batch of one.
    """

    encoding: Cppn
    genome: CppnGenomes

    @property
    def size(self) -> tuple[int, int]:
        """Nodes beside the inputs, and connections, of the genome."""
        nodes, connections = self.genome.sizes()
        return int(nodes[0]), int(connections[0])

    @property
    def painting(self) -> tuple[int, int]:
        """Nodes and connections that an output depends on; evolution leaves others behind."""
        nodes, connections = without_idle(self.genome, self._outputs).sizes()
        return int(nodes[0]), int(connections[0])

    def paint(self, height: int, width: int) -> Levels:
        """Its picture at any size, as bytes of shape (1, channels, height, width).

        At its own size it is painted by what painted it in the run, so that it is the judged image bit for bit; by the
        reference where that was numba and numba is not installed here.
        """
        with torch.inference_mode():
            if (height, width) == self.encoding.spec.shape[1:]:
                return to_levels(self.encoding.express(self.genome))
            return to_levels(self.encoding.draw(self.genome, height, width))

    def formula(self) -> str:
        """One line a node, inputs first."""
        return draw.formula(self.genome, 0, self._outputs, self.encoding.settings.weight_limit)

    def graph(self) -> str:
        """The network as an SVG picture."""
        return draw.graph(self.genome, 0, self._outputs, self.encoding.settings.weight_limit)

    @property
    def _outputs(self) -> int:
        return self.encoding.spec.channels


def painters(run: Run) -> dict[Place, Painter]:
    """The network behind the strongest image of every class, by search and niche; empty where no search has any.

    Raises:
        RunError: The database is damaged.
    """
    spec, found = ImageSpec(*run.shape), {}
    with reading(run.folder) as connection, undamaged(run.folder):
        for search in run.searches:
            said = dict(run.about.encoding[search.method])
            if said.pop("name") != Cppn.name:
                continue
            renderer = said.pop("renderer", "torch")
            numbers: dict[str, Any] = {
                key: tuple(value) if isinstance(value, list) else value for key, value in said.items()
            }
            encoding = Cppn(
                spec, CppnSettings(**numbers), "torch" if renderer == "numba" and not numba_installed() else renderer
            )
            query = "SELECT niche, genome FROM current WHERE search = ?"
            for niche, blob in connection.execute(query, (search.number,)):
                genome = CppnGenomes.from_arrays(unpack_arrays(blob)).trimmed()
                found[search.number, niche] = Painter(encoding, genome)
    return found


def middle_size(found: list[Painter]) -> tuple[float, float]:
    """Median nodes and median connections of some networks, at least one."""
    nodes, connections = zip(*(painter.size for painter in found), strict=True)
    return median(nodes), median(connections)
