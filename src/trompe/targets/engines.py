"""The same network in another engine: torch, ONNX Runtime, or OpenVINO in float32 or bfloat16."""

import hashlib
import io
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.util import find_spec
from typing import Literal, Protocol, runtime_checkable

import torch
from torch import Tensor

from trompe.core.check import check_images
from trompe.core.errors import TargetError
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Outputs, Target
from trompe.targets.foreign import ForeignTarget, Model, abstention
from trompe.targets.graph import Graph, Port, missing
from trompe.targets.onnx import OnnxModel, open_session
from trompe.targets.openvino import OpenVinoModel, Precision, has_bfloat16, open_openvino
from trompe.targets.torch import TorchTarget

Engine = Literal["torch", "onnxruntime", "openvino", "own", "remote"]

ENGINES: Mapping[str, tuple[Engine, Precision]] = {
    "torch": ("torch", "float32"),
    "onnxruntime": ("onnxruntime", "float32"),
    "openvino": ("openvino", "float32"),
    "openvino-bf16": ("openvino", "bfloat16"),
}
"""Engine and precision by the name that ``--engine`` has for them."""

_FOREIGN = [way for name, way in ENGINES.items() if name != "torch"]


class Asked(Protocol):
    """How a target is asked, as far as an engine must know."""

    @property
    def engine(self) -> str:
        """``torch``, ``onnxruntime``, ``openvino``, or ``own``."""
        ...

    @property
    def precision(self) -> str:
        """``float32``, or with OpenVINO ``bfloat16``."""
        ...

    @property
    def batch(self) -> int:
        """Rows a call; OpenVINO compiles for exactly so many."""
        ...

    @property
    def threads(self) -> int:
        """That compute it; of torch, the judge sets them."""
        ...


@runtime_checkable
class Wrapper(Protocol):
    """A target that asks another one, which any engine may compute."""

    @property
    def target(self) -> Target:
        """The other one."""
        ...

    def around(self, target: Target) -> Target:
        """The same around yet another."""
        ...


_TOLERANCES = {"float32": 1e-3, "bfloat16": 0.2}
_INPUT, _OUTPUT = "images", "logits"
_PACKAGES = {"torch": (), "onnxruntime": ("onnx", "onnxruntime"), "openvino": ("onnx", "openvino"), "own": ()}


@dataclass(frozen=True, eq=False)
class EngineTarget:
    """A torch target whose network another engine computes. It has no gradient; it is the same target otherwise.

    Attributes:
        reference: The target in torch.
        model: The exported network: images in, logits out.
    """

    reference: TorchTarget
    model: Model

    @property
    def name(self) -> str:
        """As of the reference."""
        return self.reference.name

    @property
    def spec(self) -> ImageSpec:
        """As of the reference."""
        return self.reference.spec

    @property
    def labels(self) -> tuple[str, ...]:
        """As of the reference."""
        return self.reference.labels

    @property
    def link(self) -> Literal["softmax", "independent"]:
        """As of the reference."""
        return self.reference.link

    @property
    def mean_image(self) -> Tensor | None:
        """As of the reference."""
        return self.reference.mean_image

    def judge(self, inputs: Images) -> Outputs:
        """Logits for each image.

        Raises:
            BadInput: Not float32 in [0, 1] of the target's shape.
            TargetError: The engine refuses.
        """
        check_images(inputs, self.spec.shape, f"target {self.name}")
        logits = self.model(inputs.detach())
        return Outputs(logits, abstention(logits, self.labels, self.reference.declared.abstain))

    def fingerprint(self) -> str:
        """Of the reference: how a network is computed is a matter of the judge, not of the target."""
        return self.reference.fingerprint()


def own_engine(target: Target) -> Engine:
    """The engine of the reference: torch, ONNX Runtime for an ONNX file, otherwise whatever the target is made of."""
    if isinstance(target, Wrapper):
        return own_engine(target.target)
    if getattr(target, "line", None) is not None:
        return "remote"
    if not isinstance(target, ForeignTarget):
        return "torch"
    return "onnxruntime" if isinstance(target.model, OnnxModel) else "own"


def available(target: Target) -> tuple[str, ...]:
    """The names of the engines in which this target can be computed here, its own first."""
    if isinstance(target, Wrapper):
        return available(target.target)
    own = own_engine(target)
    others: tuple[str, ...] = () if own in ("own", "remote") or not _is_network(target) else ("onnxruntime", "openvino")
    names = [own, *(name for name in others if name != own and all(map(find_spec, _PACKAGES[name])))]
    return (*names, "openvino-bf16") if "openvino" in names and has_bfloat16() else tuple(names)


def engine_target(target: Target, asked: Asked, graph: Graph | None = None) -> Target:
    """The target as another engine computes it; itself where that is the engine it comes in.

    Nothing is written to disk.

    Args:
        target: A torch target, or an ONNX file, or a wrapper around one; others have only their own engine.
        asked: In which engine, and how.
        graph: The exported network, where it is at hand.

    Raises:
        TargetError: The engine is not installed, or this target cannot be had in it.
    """
    if isinstance(target, Wrapper):
        return target.around(engine_target(target.target, asked, graph))
    own = own_engine(target)
    if asked.engine == own and asked.precision == "float32":
        return _with_threads(target, asked.threads)
    if (asked.engine, asked.precision) not in _FOREIGN or not _is_network(target):
        raise TargetError(
            expected=f"the engine {own}, the one this target comes in",
            got=f"{asked.engine} in {asked.precision}",
            where="--engine",
            do="Leave it out; torch networks and ONNX files can be had in onnxruntime and openvino.",
        )
    if isinstance(target, ForeignTarget) and isinstance(target.model, OnnxModel):
        model = target.model
        shape = (model.rows or asked.batch, *target.prepared.model_shape(target.spec.shape))
        return replace(target, model=_in_openvino(model.graph, model.output, shape, asked))
    assert isinstance(target, TorchTarget)  # noqa: S101  for the type checker; looked at above
    graph = graph or export(target)
    if asked.engine == "onnxruntime":
        made = EngineTarget(target, OnnxModel(graph, _OUTPUT, 0, asked.threads, open_session(graph, asked.threads)))
    else:
        made = EngineTarget(target, _in_openvino(graph, _OUTPUT, (asked.batch, *target.spec.shape), asked))
    _check_answers(made, _TOLERANCES[asked.precision])
    return made


def export(target: TorchTarget) -> Graph:
    """The network of a torch target, preprocessing and all, in ONNX, for any number of images.

    Raises:
        TargetError: The package onnx is not installed, or the network cannot be exported.
    """
    if find_spec("onnx") is None:
        raise missing("onnx", "onnx", "--engine")
    content, images = io.BytesIO(), torch.zeros(2, *target.spec.shape)
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")  # of this exporter's age, and of numbers it takes for constants: see tests
            torch.onnx.export(
                target.module, (images,), content, dynamo=False,  # type: ignore[arg-type]  # a file is as good
                input_names=[_INPUT], output_names=[_OUTPUT],
                dynamic_axes={_INPUT: {0: "n"}, _OUTPUT: {0: "n"}},
            )  # fmt: skip
        exported = content.getvalue()
    except Exception as first:  # noqa: BLE001  many, of no common base; the newer exporter may know better
        exported = _export_anew(target, images, first)
    port = Port(_INPUT, (None, *target.spec.shape), "float32")
    return Graph(f"target {target.name}", exported, hashlib.sha256(exported).hexdigest(), port, {_OUTPUT: ""})


def _export_anew(target: TorchTarget, images: Tensor, first: Exception) -> bytes:
    """By the exporter that follows the network instead of recording it; it needs the package onnxscript."""
    try:
        with warnings.catch_warnings(), torch.no_grad():
            warnings.simplefilter("ignore")
            program = torch.onnx.export(
                target.module, (images,), dynamo=True, input_names=[_INPUT], output_names=[_OUTPUT],
                dynamic_shapes=({0: torch.export.Dim("n")},), verbose=False,
            )  # fmt: skip
        exported: bytes = program.model_proto.SerializeToString()  # type: ignore[union-attr]
    except Exception as cause:
        raise TargetError(
            expected="a network that can be exported to ONNX",
            got=str(first).strip() or type(first).__name__,
            where=f"target {target.name}",
            do="Choose --engine torch, which every torch network has.",
        ) from cause
    return exported


def _check_answers(made: EngineTarget, tolerance: float) -> None:
    """Refuse an exported network that says something else than the network: an exporter records one way through it.

    Raises:
        TargetError: Its logits differ by more than the tolerance, of the largest.
    """
    images = Stream(0, "engines/check", 0).uniform32(3, *made.spec.shape)
    with torch.inference_mode():
        wanted, got = made.reference.judge(images).logits, made.judge(images).logits
    scale = max(1.0, float(wanted.abs().max()))
    if got.shape != wanted.shape or not bool(((got - wanted).abs() <= tolerance * scale).all()):
        raise TargetError(
            expected=f"an exported network with logits within {tolerance:g} of the network's largest",
            got="others",
            where=f"target {made.name}",
            do="Choose --engine torch: this network cannot be exported as it is.",
        )


def _is_network(target: Target) -> bool:
    return isinstance(target, TorchTarget) or own_engine(target) == "onnxruntime"


def _with_threads(target: Target, threads: int) -> Target:
    if isinstance(target, ForeignTarget) and isinstance(target.model, OnnxModel):
        return replace(target, model=target.model.with_threads(threads))
    return target


def _in_openvino(graph: Graph, output: str, shape: Sequence[int], asked: Asked) -> OpenVinoModel:
    precision: Precision = "bfloat16" if asked.precision == "bfloat16" else "float32"
    return open_openvino(graph, output, shape, asked.threads, precision)
