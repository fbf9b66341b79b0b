"""A network in OpenVINO, in float32 or bfloat16: it sends no statistics and leaves nothing on disk."""

import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy
import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.targets.graph import Graph, missing
from trompe.targets.onnx import as_rows, as_sent, in_parts

Precision = Literal["float32", "bfloat16"]

_TELEMETRY = "openvino_telemetry"
_HINTS = {"float32": "f32", "bfloat16": "bf16"}
_FLAGS = ("avx512_bf16", "amx_bf16")


@dataclass(frozen=True, eq=False)
class OpenVinoModel:
    """A network that OpenVINO compiled for one number of rows.

    Attributes:
        graph: What it is made of.
        output: The name of the output that is read.
        rows: Rows a call.
        request: Of OpenVINO.
    """

    graph: Graph
    output: str
    rows: int
    request: Any

    def __call__(self, batch: Tensor) -> Tensor:
        """Its numbers, one row a row.

        Raises:
            TargetError: OpenVINO refuses.
        """
        return in_parts(batch, self.rows, self._ask)

    def fingerprint(self) -> str:
        """Of the file."""
        return self.graph.digest

    def _ask(self, batch: Tensor) -> Tensor:
        with _explained(self.graph):
            sent = {self.graph.port.name: as_sent(self.graph.port, batch)}
            self.request.infer(sent, share_inputs=True, share_outputs=True)  # nobody changes them meanwhile
            answer = numpy.array(self.request.get_tensor(self.output).data)  # a copy: the next call overwrites it
        return torch.from_numpy(as_rows(answer, len(batch)))


def open_openvino(
    graph: Graph, output: str, shape: Sequence[int], threads: int, precision: Precision = "float32"
) -> OpenVinoModel:
    """The network, compiled for inputs of exactly this shape.

    Args:
        graph: What it is made of.
        output: The name of the output that is read.
        shape: Rows a call, then the shape of a row.
        threads: That compute it.
        precision: Of its arithmetic.

    Raises:
        TargetError: OpenVINO is not installed, refuses the network, or the processor has no bfloat16.
    """
    openvino = load_openvino(graph.name)
    if precision == "bfloat16" and not has_bfloat16():
        raise TargetError(
            expected="a processor with bfloat16 (avx512_bf16 or amx_bf16)",
            got="none",
            where="--engine openvino-bf16",
            do="Choose openvino: it computes in float32.",
        )
    settings = {
        "PERFORMANCE_HINT": "LATENCY", "NUM_STREAMS": 1, "INFERENCE_NUM_THREADS": threads,
        "INFERENCE_PRECISION_HINT": _HINTS[precision],
        "ENABLE_CPU_PINNING": False,  # else every process binds its thread to the first core: two would share it
    }  # fmt: skip
    with _explained(graph):
        model = openvino.Core().read_model(str(graph.source) if isinstance(graph.source, Path) else graph.source)
        model.reshape(list(shape))
        request = openvino.Core().compile_model(model, "CPU", settings).create_infer_request()
    return OpenVinoModel(graph, output, shape[0], request)


def load_openvino(where: str) -> Any:
    """The package, imported without its statistics: those would go out over the network and into the home folder.

    Raises:
        TargetError: It is not installed.
    """
    with _without(_TELEMETRY):
        try:
            import openvino
        except ImportError as cause:
            raise missing("openvino", "openvino", where) from cause
    return openvino


def has_bfloat16() -> bool:
    """Whether this processor computes in bfloat16 itself; OpenVINO would also imitate it, and be slower."""
    info = Path("/proc/cpuinfo")
    if info.exists() and not any(flag in info.read_text(encoding="utf-8") for flag in _FLAGS):
        return False
    capabilities = load_openvino("--engine").Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return "BF16" in capabilities


@contextmanager
def _without(name: str) -> Iterator[None]:
    """A package that cannot be imported here. OpenVINO then takes its own stand-in for it, which does nothing."""
    before = sys.modules.get(name)
    sys.modules[name] = None  # type: ignore[assignment]  # as the import system marks what is not there
    try:
        yield
    finally:
        if before is None:
            del sys.modules[name]
        else:
            sys.modules[name] = before


@contextmanager
def _explained(graph: Graph) -> Iterator[None]:
    try:
        yield
    except RuntimeError as cause:
        raise TargetError(
            expected=f"a network that OpenVINO can run and that takes {graph.port}",
            got=str(cause),
            where=graph.name,
            do="Choose --engine onnxruntime or torch.",
        ) from cause
