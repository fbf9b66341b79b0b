"""An ONNX file as a target, run by ONNX Runtime in float32 on the processor."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import isqrt, prod
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import filled_up
from trompe.targets.declaration import Declaration
from trompe.targets.foreign import WRAP, ForeignTarget, foreign
from trompe.targets.graph import Graph, Port, missing, read_graph
from trompe.targets.preprocessing import PLAIN, Preprocessing

_COLOURS = (1, 3)
_NUMBERS = {
    "float32": torch.float32, "float16": torch.float16, "float64": torch.float64, "uint8": torch.uint8
}  # fmt: skip
_FATAL = 4
_KINDS = {
    "Softmax": "probabilities", "Sigmoid": "probabilities", "LogSoftmax": "log-probabilities",
    "Log/Softmax": "log-probabilities",
}  # fmt: skip

Array = Any
"""A NumPy array."""


@dataclass(frozen=True, eq=False)
class OnnxModel:
    """A network in ONNX Runtime.

    Attributes:
        graph: What it is made of.
        output: The name of the output that is read.
        rows: Rows a call, where the network takes only so many; 0 for any number.
        threads: That compute it.
        session: Of ONNX Runtime.
    """

    graph: Graph
    output: str
    rows: int
    threads: int
    session: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Its numbers, one row a row.

        Raises:
            TargetError: ONNX Runtime refuses.
        """
        return in_parts(batch, self.rows, self._ask)

    def __reduce__(self) -> tuple[Any, ...]:
        return _reopened, (self.graph, self.output, self.rows, self.threads)  # a session cannot leave its process

    def fingerprint(self) -> str:
        """Of the file."""
        return self.graph.digest

    def with_threads(self, threads: int) -> "OnnxModel":
        """The same network, computed by so many threads."""
        if threads == self.threads:
            return self
        return replace(self, threads=threads, session=open_session(self.graph, threads))

    def _ask(self, batch: Tensor) -> Tensor:
        (answer,) = run(self.session, self.graph, batch, [self.output])
        return torch.from_numpy(as_rows(answer, len(batch)))


def _reopened(graph: Graph, output: str, rows: int, threads: int) -> OnnxModel:
    return OnnxModel(graph, output, rows, threads, open_session(graph, threads))


def open_onnx(text: str, declared: Declaration) -> ForeignTarget:
    """The target in an ONNX file. Of what is not declared, the file is asked.

    Its input says the shape of the images, the order of its axes and the type of its numbers; its last operator says
    whether it gives logits or probabilities. What is done to colours before it (mean, scale) no file says: that is not
    known before it is declared.

    Raises:
        TargetError: The file is damaged, its network takes no images, gives no one score a class, or ONNX Runtime
            cannot run it.
    """
    graph = read_graph(Path(text))
    shape, needed = look_at(graph.port, declared, graph.name)
    done = declared.preprocessing or needed
    check_fit(graph.port, done, shape, graph.name)
    model = choose_output(graph, done.apply(torch.zeros(1, *shape)))
    classes = model(done.apply(torch.zeros(1, *shape))).shape[1]
    return foreign(Path(text).stem, model, declared, _known(model, shape, classes), needed)


def open_session(graph: Graph, threads: int) -> Any:
    """A session of ONNX Runtime on the processor.

    Raises:
        TargetError: It is not installed, or refuses the network.
    """
    try:
        import onnxruntime
    except ImportError as cause:
        raise missing("onnxruntime", "onnx", graph.name) from cause
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = threads, 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.log_severity_level = _FATAL  # what goes wrong is raised; nothing is printed
    source = str(graph.source) if isinstance(graph.source, Path) else graph.source
    try:
        return onnxruntime.InferenceSession(source, options, providers=["CPUExecutionProvider"])
    except Exception as cause:  # its exceptions have no common base
        raise TargetError(
            expected="a whole network that ONNX Runtime can run",
            got=str(cause),
            where=graph.name,
            do="Export it again, with standard operators and an opset that is not newer than ONNX Runtime.",
        ) from cause


def run(session: Any, graph: Graph, batch: Tensor, outputs: list[str] | None) -> list[Any]:
    """What the network answers to a batch, one array an output.

    Raises:
        TargetError: ONNX Runtime refuses.
    """
    try:
        answers: list[Any] = session.run(outputs, {graph.port.name: as_sent(graph.port, batch)})
    except Exception as cause:
        raise TargetError(
            expected=f"a network that takes {graph.port}",
            got=f"for shape {tuple(batch.shape)}: {cause}",
            where=graph.name,
            do="Declare the shape of its images in a target file: shape = [channels, height, width].",
        ) from cause
    return answers


def as_sent(port: Port, batch: Tensor) -> Array:
    """A batch as the input takes it: numbers of its type."""
    return batch.to(_NUMBERS[port.dtype]).numpy()


def in_parts(batch: Tensor, rows: int, ask: Callable[[Tensor], Tensor]) -> Tensor:
    """Answers to a batch from a network that takes so many rows at a time; the last part is padded with its last row.

    Args:
        batch: Any number of rows.
        rows: Of the network; 0 for any number.
        ask: The network.
    """
    n = len(batch)
    if rows in (0, n) or not n:
        return ask(batch)
    return torch.cat([ask(part.contiguous()) for part in filled_up(batch, rows).split(rows)])[:n]


def as_rows(answer: Array, rows: int) -> Array:
    """An answer with one row a row; axes of size 1 behind the classes are left out."""
    single = answer.reshape(1, -1) if rows == 1 and answer.ndim == 1 else answer
    return single.reshape(single.shape[:2]) if single.ndim > 2 and prod(single.shape[2:]) == 1 else single


def look_at(port: Port, declared: Declaration, where: str) -> tuple[tuple[int, ...], Preprocessing]:
    """The shape of the images, and what they need where no preprocessing is declared, as the input says it.

    Raises:
        TargetError: It says neither, or is no input for images.
    """
    layout = _layout(port, declared, where)
    bounds = (0.0, 255.0) if port.dtype == "uint8" else (0.0, 1.0)
    needed = replace(PLAIN, layout=layout, dtype=port.dtype, range=bounds)
    if declared.shape is not None:
        return declared.shape, needed
    done = declared.preprocessing or needed
    changed = done.resize is not None or done.size is not None
    sizes = None if changed else _sizes(port, done.layout)
    if sizes is None or None in sizes:
        raise TargetError(
            expected="the shape of its images",
            got=f"an input that is {port}",
            where=where,
            do='Write a target file with model = "..." and shape = [channels, height, width], and name that as TARGET.',
        )
    return tuple(size for size in sizes if size is not None), needed


def check_fit(port: Port, done: Preprocessing, shape: tuple[int, ...], where: str) -> None:
    """Refuse preprocessing whose results do not fit the input.

    Raises:
        TargetError: Another shape, or bytes for numbers.
    """
    given = done.model_shape(shape)
    same = len(given) == len(port.dims) - 1 and all(
        size in (None, own) for size, own in zip(port.dims[1:], given, strict=False)
    )
    if not same or (port.dtype == "uint8") != (done.dtype == "uint8"):
        raise TargetError(
            expected=f"preprocessing to {port}",
            got=f"{done.dtype} of shape {('n', *given)}",
            where=where,
            do='Declare shape = [channels, height, width], and the layout ("nhwc": channels last) and dtype it takes.',
        )


def choose_output(graph: Graph, image: Tensor) -> OnnxModel:
    """The network with the output that gives one number a class, seen by asking about one image.

    Raises:
        TargetError: There is none, or more than one.
    """
    names, fixed = list(graph.endings), graph.port.dims[0] or 0
    model = OnnxModel(graph, names[0], fixed, 1, open_session(graph, 1))
    sent = image.expand(fixed, *image.shape[1:]).contiguous() if fixed else image[:1]
    answers = dict(zip(names, run(model.session, graph, sent, names), strict=True))
    good = [name for name, answer in answers.items() if _is_score(answer, len(sent))]
    if len(good) != 1:
        shapes = {name: getattr(answer, "shape", type(answer).__name__) for name, answer in answers.items()}
        raise TargetError(
            expected="one output with one number a class",
            got=", ".join(f"{name}: {shape}" for name, shape in shapes.items()),
            where=graph.name,
            do=f"Export it with that output alone (a scikit-learn model with zipmap=False). {WRAP}",
        )
    model = replace(model, output=good[0])
    return model if fixed or _takes_two(model, sent) else replace(model, rows=1)


def _takes_two(model: OnnxModel, image: Tensor) -> bool:
    """Whether a network that says it takes any number of rows does so; many were exported with one."""
    try:
        return len(model(torch.cat([image, image]))) == 2
    except TargetError:
        return False


def _is_score(answer: Any, rows: int) -> bool:
    if not isinstance(answer, numpy.ndarray) or answer.dtype.kind != "f":
        return False
    shaped = as_rows(answer, rows)
    return shaped.ndim == 2 and len(shaped) == rows


def _known(model: OnnxModel, shape: tuple[int, ...], classes: int) -> Declaration:
    ending = model.graph.endings[model.output]
    many = ending == "Sigmoid" and classes > 1
    labels = model.graph.labels if len(model.graph.labels) == classes else ()
    kind: Any = _KINDS.get(ending, "logits")
    return Declaration(shape=shape, labels=labels, outputs=kind, link="independent" if many else "softmax")


def _layout(port: Port, declared: Declaration, where: str) -> Any:
    """Order of the input's axes: channels are few."""
    if len(port.dims) == 2:
        return "flat"
    if len(port.dims) != 4:
        raise TargetError(
            expected="a network for images: an input of shape (n, channels, height, width), or channels last",
            got=str(port),
            where=where,
            do="Export it with these four axes, or wrap it in a function: package.module:factory.",
        )
    _, first, _, last = port.dims
    few = _COLOURS if declared.shape is None else (declared.shape[0],)
    return "nhwc" if last in few and first not in few else "nchw"


def _sizes(port: Port, layout: str) -> tuple[int | None, ...] | None:
    """Channels, height, width as the input says them; None where it cannot be known which is which."""
    if len(port.dims) == 2:
        wide = port.dims[1] or 0
        side = isqrt(wide)
        return (1, side, side) if wide and side * side == wide else None
    if len(port.dims) != 4 or layout == "flat":
        return None
    _, a, b, c = port.dims
    sizes = (c, a, b) if layout == "nhwc" else (a, b, c)
    return sizes if sizes[0] in _COLOURS else None
