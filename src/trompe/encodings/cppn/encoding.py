"""The encoding: networks that paint, and how they change."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Literal

import torch
from jaxtyping import Float32
from torch import Tensor

from trompe.core.constants import constant
from trompe.core.errors import BadInput
from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Images
from trompe.encodings.cppn import compiled, dense, kernel
from trompe.encodings.cppn.colour import hls_to_rgb, hsv_to_rgb
from trompe.encodings.cppn.functions import NAMES
from trompe.encodings.cppn.genome import INPUTS, CppnGenomes, genes_of, layered
from trompe.encodings.cppn.render import outputs_of
from trompe.encodings.cppn.stitch import LARGEST, random_lines, seam, stitched
from trompe.encodings.cppn.vary import Workshop
from trompe.encodings.pixels import halved

Renderer = Literal["torch", "numba", "dense"]

_CHUNK_VALUES = 1_000_000
"""Node values painted at a time, so that they stay in the processor's caches."""
_BAND_VALUES = 32_000_000
"""Node values of one network held at a time, so that a poster fits into memory; far above any judged image."""
_DENSE_VALUES = 250_000_000
"""Node values painted at a time for a GPU: a gigabyte."""
_HUE_TURNS = 2.0 * 255.0 / 360.0
"""8-bit OpenCV counts hue in steps of two degrees, so a byte up to 255 goes round once and a half."""


@dataclass(frozen=True)
class CppnSettings:
    """How networks see, paint and change. Rates are per child, those of weights and functions per gene.

    Attributes:
        coordinates: What x and y are: ``"normalised"``, from -1 to 1, or ``"raw"``, the pixel's index as in the
            released code, so that sine nodes alias into dense stripes. The distance d is normalised in both.
        colour: How three outputs become a colour: ``"hsv"``, as the paper says, or ``"hls"``, as 8-bit OpenCV in the
            released code reads them, hue wrapping.
        functions: Names of what a node may compute.
        weight_limit: Genes in [0, 1] stand for weights from minus this to this.
        weight_rate: Chance of each connection's gene to mutate.
        weight_index: Polynomial mutation's eta.
        function_rate: Chance of each node's function to be drawn anew.
        add_connection: Chance of a new connection.
        delete_connection: Chance of losing one.
        add_node: Chance of a node in the middle of a connection.
        delete_node: Chance of losing a hidden node.
        hidden: Nodes in each layer between inputs and outputs of a random network, each layer fully connected to the
            next; none by default, as evolution adds them.
        initial_weight: Weights of a random network lie between minus this and this; at most ``weight_limit``.
        most_changes: About how many weights of a child change at most, above 0: of larger networks all weights and
            functions mutate that much less often, but where no weight would, one does. None for no such bound.
        halving_period: Steps after which connections and nodes come and go half as often, again and again; 0 never.
            The presets count generations, which may be several steps.
        stitch: Chance of a child to be both parents' pictures side by side, in the place of a mutated copy of one.
        most_nodes: Nodes beside the inputs that such a child may have; what would have more is mutated.
    """

    coordinates: str = "normalised"
    colour: str = "hsv"
    functions: tuple[str, ...] = ("sine", "sigmoid", "gaussian", "linear")
    weight_limit: float = 10.0
    weight_rate: float = 0.1
    weight_index: float = 15.0
    function_rate: float = 0.1
    add_connection: float = 0.5
    delete_connection: float = 0.3
    add_node: float = 0.5
    delete_node: float = 0.2
    hidden: tuple[int, ...] = ()
    initial_weight: float = 10.0
    most_changes: float | None = None
    halving_period: int = 0
    stitch: float = 0.0
    most_nodes: int = 0


_LATER = ("most_changes", "halving_period", "stitch", "most_nodes")
"""Described where they are set, so that what was described before they were there has not changed."""

PRESETS: Mapping[str, CppnSettings] = {
    "paper": CppnSettings(),
    "released-code": CppnSettings(coordinates="raw", colour="hls"),
    "innovation": CppnSettings(
        coordinates="raw", colour="hls", functions=("steep", "sigmoid", "gaussian", "linear")
    ),
    "stitched": CppnSettings(
        weight_index=30.0, hidden=(10, 10), most_changes=2.0, halving_period=200, stitch=0.5, most_nodes=110
    ),
}  # fmt: skip
"""Paper and released code disagree; ``innovation`` is the variant of Innovation Engines without sine nodes;
``stitched`` begins with larger networks, joins pictures and changes little, for many classes (design note 0005)."""

LAYERED = CppnSettings(functions=("sine", "sigmoid", "gaussian"), hidden=(16, 16, 16), initial_weight=1.5)
"""Networks to climb through instead of evolving them: large enough to begin with, and calm, so that slopes say
something. No linear nodes, whose slope ends at a clip."""


@dataclass(frozen=True)
class Cppn:
    """Compositional pattern-producing networks with evolving topology, greyscale (1 channel) or colour (3).

    Reference: Nguyen 2015, section 2.2; Stanley 2007.

    Differs from the released code: values are rounded to the 8-bit grid, not truncated. Like it, and unlike NEAT,
    there is no speciation and no innovation number, and no crossover unless ``settings.stitch`` asks for it.

    Attributes:
        spec: The images it paints by default; any other size can be asked of `draw`.
        settings: How networks see, paint and change.
        renderer: What `express` paints with: ``"torch"``, the reference, ``"numba"``, which is many times as fast, or
            ``"dense"``, for networks on a GPU. Both differ in single levels of few pixels. Part of a run, as the
            judge's engine is.
        threads: That paint, with numba; the pictures do not depend on it.

    Raises:
        BadInput: Neither one nor three channels, or random networks that cannot be, or numba is not installed.
    """

    name: ClassVar[str] = "cppn"
    genome_type: ClassVar[type[CppnGenomes]] = CppnGenomes
    spec: ImageSpec
    settings: CppnSettings = field(default_factory=CppnSettings)
    renderer: Renderer = "torch"
    threads: int = 1

    def __post_init__(self) -> None:
        if self.spec.channels not in (1, 3):
            raise BadInput(
                expected="images of 1 or 3 channels",
                got=f"{self.spec.channels}",
                where="encoding cppn",
                do="Use --encoding pixels for other kinds of image.",
            )
        _check_start(self.settings)
        if self.renderer == "numba":
            compiled.check_installed()

    @property
    def paints_aside(self) -> bool:
        """Whether another thread may paint some of a batch: no interpreter is needed, no picture minds the others."""
        return self.renderer == "numba"

    def random(self, n: int, stream: Stream) -> CppnGenomes:
        """Every input connected to every output, or to the first of the hidden layers; random weights and functions."""
        source, target = layered(self.spec.channels, self.settings.hidden)
        slots = self.spec.channels + sum(self.settings.hidden)
        source, target = (constant(ends.tolist(), ends.dtype, stream.device or "cpu") for ends in (source, target))
        kind = stream.branch("functions").integers(n * slots, len(self.settings.functions))
        uniform = stream.branch("weights").uniform32(n, len(source))
        weight = 0.5 + (uniform - 0.5) * (self.settings.initial_weight / self.settings.weight_limit)
        wiring = source.expand(n, -1).contiguous(), target.expand(n, -1).contiguous()
        return CppnGenomes(self._functions(stream.device)[kind].reshape(n, slots), *wiring, weight)

    def vary(self, parents: CppnGenomes, stream: Stream) -> CppnGenomes:
        """Children of the parents, one each: by mutation, and where the settings say so of each with its neighbour."""
        children = self._mutated(parents, stream)
        return self._some_stitched(parents, children, stream.branch("stitch")) if self.settings.stitch else children

    def _mutated(self, parents: CppnGenomes, stream: Stream) -> CppnGenomes:
        settings, share = self.settings, None
        if settings.most_changes is not None:
            share = (settings.most_changes / (settings.weight_rate * parents.sizes()[1])).clamp(max=1.0)
        growth = halved(settings.halving_period, stream)
        workshop = Workshop(parents, self.spec.channels, self._functions(stream.device), stream, share)
        workshop.mutate_weights(settings.weight_rate, settings.weight_index)
        workshop.mutate_functions(settings.function_rate)
        workshop.add_connections(growth * settings.add_connection)
        workshop.delete_connections(growth * settings.delete_connection)
        workshop.add_nodes(growth * settings.add_node)
        workshop.delete_nodes(growth * settings.delete_node)
        return workshop.genomes()

    def _some_stitched(self, parents: CppnGenomes, children: CppnGenomes, stream: Stream) -> CppnGenomes:
        """The children, some of them replaced by their parent and its neighbour side by side."""
        rows, nodes = torch.arange(len(parents), device=parents.weight.device), parents.sizes()[0]
        mates = (rows ^ 1).clamp(max=len(rows) - 1)
        outputs, limit = self.spec.channels, self.settings.weight_limit
        fits = nodes + nodes[mates] + seam(outputs) <= self.settings.most_nodes
        chosen = fits & stream.branch("chosen").mask(self.settings.stitch, len(rows))
        lines = random_lines(len(rows), limit, stream)
        if not stream.device:
            few = chosen.nonzero().flatten()
            if not len(few):  # as nearly always, once networks are large
                return children
            made = stitched(parents.take(few), parents.take(mates[few]), outputs, limit, lines[few])
            return children.put(few, made).trimmed()
        joined = children.join([stitched(parents, parents.take(mates), outputs, limit, lines)])
        made = joined.take(torch.where(chosen, rows + len(rows), rows))
        slots = max(self.settings.most_nodes, children.room[0])  # as many as a child can have, since nobody looks
        return made.packed().with_room((slots, made.room[1]))

    def express(self, genomes: CppnGenomes) -> Images:
        """The pictures that the networks paint, rounded to the 8-bit grid."""
        height, width = self.spec.height, self.spec.width
        if self.renderer == "torch":
            return quantise(self.draw(genomes, height, width))
        if self.renderer == "dense":
            return quantise(self._densely(genomes))
        images = compiled.paint(
            genomes, self.weights(genomes), self._inputs(height, width), self._meaning(), self.threads
        )
        return images.reshape(len(genomes), *self.spec.shape)

    def draw(self, genomes: CppnGenomes, height: int, width: int) -> Images:
        """The pictures at any size, in [0, 1] but not on the grid."""
        return self.render(genomes, self.weights(genomes), height, width)

    def render(self, genomes: CppnGenomes, weights: Tensor, height: int, width: int) -> Images:
        """The pictures that the networks paint with other weights; gradients flow to these.

        Args:
            genomes: The networks.
            weights: One a connection slot, as `weights` decodes them.
            height: In pixels.
            width: In pixels.
        """
        inputs, nodes = self._inputs(height, width), genomes.function.shape[1] + len(INPUTS)
        rows = max(1, _CHUNK_VALUES // (inputs.shape[1] * nodes))
        bands = inputs.split(max(1, _BAND_VALUES // nodes), dim=1)
        parts = [
            self._colours(torch.cat([outputs_of(genomes.take(torch.arange(i, min(i + rows, len(genomes)))),
                                                weights[i : i + rows], band, self.spec.channels)
                                     for band in bands], dim=2).abs())
            for i in range(0, len(genomes), rows)
        ]  # fmt: skip
        return torch.cat(parts).reshape(len(genomes), self.spec.channels, height, width)

    def weights(self, genomes: CppnGenomes) -> Float32[Tensor, "n connections"]:
        """The weights that the genes stand for."""
        return (2.0 * genomes.weight - 1.0) * self.settings.weight_limit

    def numbers(self, genomes: CppnGenomes) -> Float32[Tensor, "n connections"]:
        """The weights; 0 where there is no connection."""
        return self.weights(genomes).masked_fill(genomes.source < 0, 0.0)

    def with_numbers(self, genomes: CppnGenomes, numbers: Float32[Tensor, "n connections"]) -> CppnGenomes:
        """The same networks with other weights, clamped to their range; what is no connection stays as it was."""
        genes = genes_of(numbers, self.settings.weight_limit)
        return replace(genomes, weight=torch.where(genomes.source < 0, genomes.weight, genes))

    def pull_back(self, genomes: CppnGenomes, slope: Images) -> Float32[Tensor, "n connections"]:
        """The slope in the weights, through the painting; exactly 0 where there is no connection."""
        with torch.inference_mode(mode=False), torch.enable_grad():
            weights = self.numbers(genomes).clone().requires_grad_()
            images = self.render(genomes, weights, self.spec.height, self.spec.width)
            (gradient,) = torch.autograd.grad(images, weights, slope.clone())
        return gradient

    def describe(self) -> dict[str, Any]:
        """Name and every setting, JSON-ready; the renderer only where it is not the reference."""
        lists = {"functions": list(self.settings.functions), "hidden": list(self.settings.hidden)}
        renderer = {} if self.renderer == "torch" else {"renderer": self.renderer}
        settings = {
            name: value for name, value in asdict(self.settings).items()
            if name not in _LATER or value != getattr(CppnSettings, name)
        }  # fmt: skip
        return {"name": self.name, **settings, **lists, **renderer}

    def _colours(self, outputs: Tensor) -> Tensor:
        if self.spec.channels == 1:
            return outputs
        first, second, third = outputs.unbind(1)
        if self.settings.colour == "hsv":
            return hsv_to_rgb(first, second, third)
        return hls_to_rgb(first * _HUE_TURNS, second, third)

    def _densely(self, genomes: CppnGenomes) -> Images:
        """The pictures of networks that may live on a GPU, there."""
        (height, width), device = self.spec.shape[1:], genomes.weight.device
        inputs, weights = self._inputs(height, width, device), self.weights(genomes)
        kinds = [NAMES.index(name) for name in self.settings.functions]
        rows = max(1, _DENSE_VALUES // (inputs.shape[1] * (len(INPUTS) + genomes.function.shape[1])))
        parts = [
            self._colours(dense.outputs_of(genomes.take(part), weights[part], inputs, self.spec.channels, kinds).abs())
            for part in torch.arange(len(genomes), device=device).split(rows)
        ]
        return torch.cat(parts).reshape(len(genomes), *self.spec.shape)

    def _meaning(self) -> int:
        if self.spec.channels == 1:
            return kernel.GREY
        return kernel.HSV if self.settings.colour == "hsv" else kernel.HLS

    def _inputs(self, height: int, width: int, device: torch.device | None = None) -> Float32[Tensor, "4 pixels"]:
        down, across = _axis(height, device), _axis(width, device)
        rows, columns = torch.meshgrid(down, across, indexing="ij")
        distance = (rows.square() + columns.square()).sqrt()
        if self.settings.coordinates == "raw":
            rows = torch.arange(height, device=device) * (self.spec.height / height)
            rows = rows.unsqueeze(1).expand(height, width)
            columns = (torch.arange(width, device=device) * (self.spec.width / width)).expand(height, width)
        return torch.stack([columns, rows, distance, torch.ones_like(distance)]).reshape(4, -1).to(torch.float32)

    def _functions(self, device: str) -> Tensor:
        return constant([NAMES.index(name) for name in self.settings.functions], torch.int8, device or "cpu")


def _check_start(settings: CppnSettings) -> None:
    if not 0.0 < settings.initial_weight <= settings.weight_limit:
        raise BadInput(
            expected=f"an initial_weight above 0 and at most the weight_limit {settings.weight_limit:g}",
            got=f"{settings.initial_weight:g}",
            where="encoding cppn",
            do="Choose a smaller one, or a larger weight_limit.",
        )
    if settings.most_changes is not None and settings.most_changes <= 0.0:
        raise BadInput(
            expected="most_changes above 0, or None for no bound",
            got=f"{settings.most_changes:g}",
            where="encoding cppn",
            do="Choose a weight_rate of 0 to change no weights.",
        )
    if settings.stitch and not _can_stitch(settings):
        raise BadInput(
            expected=f"normalised coordinates, a weight_limit from {LARGEST:g} and linear nodes, to stitch pictures",
            got=f"{settings.coordinates} coordinates, {settings.weight_limit:g}, {', '.join(settings.functions)}",
            where="encoding cppn",
            do="Choose these, or a stitch of 0.",
        )
    if min(settings.hidden, default=1) < 1:
        raise BadInput(
            expected="hidden layers of at least one node",
            got=str(settings.hidden),
            where="encoding cppn",
            do="Leave empty layers out.",
        )


def _can_stitch(settings: CppnSettings) -> bool:
    able = settings.coordinates == "normalised" and settings.weight_limit >= LARGEST
    return able and "linear" in settings.functions


def _axis(size: int, device: torch.device | None) -> Tensor:
    """-1 to 1 from the first pixel to the last; 0 where there is only one."""
    return torch.linspace(-1.0, 1.0, size, device=device) if size > 1 else torch.zeros(1, device=device)
