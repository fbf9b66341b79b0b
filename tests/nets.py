"""Small networks as ONNX files, each odd in one way."""

import io
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn

FLOAT = TensorProto.FLOAT


def exported(path: Path, module: nn.Module, *shape: int, fixed: bool = False) -> Path:
    """A module as torch writes it, for images of a shape; with any number of rows unless that is fixed."""
    axes = None if fixed else {"images": {0: "n"}, "scores": {0: "n"}}
    content = io.BytesIO()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.onnx.export(
            module.eval(), (torch.zeros(*shape),), content, dynamo=False, input_names=["images"],
            output_names=["scores"], dynamic_axes=axes,
        )  # fmt: skip
    path.write_bytes(content.getvalue())
    return path


def weights(inputs: int, classes: int) -> numpy.ndarray:
    """The same in every process."""
    return (numpy.sin(numpy.arange(inputs * classes, dtype=numpy.float64)).reshape(inputs, classes) / 2).astype("f")


def linear(
    path: Path, dims: Sequence[Any], classes: int = 3, kind: int = FLOAT, then: Sequence[str] = (), **more: Any
) -> Path:
    """A linear classifier of whatever input: cast, flattened, multiplied, then the operators that are named.

    Args:
        path: To write.
        dims: Of the input, names for what is dynamic.
        classes: Outputs.
        kind: ONNX type of the input.
        then: Operators at the end, one after the other.
        more: `inputs` (numbers a row), `second` (a second output), `notes` (metadata), `domain` (of the product),
            `external` (a file for the weights), `extra_input`.
    """
    inputs = more.get("inputs") or int(numpy.prod(list(dims[1:])))
    stored = numpy_helper.from_array(weights(inputs, classes), "w")
    nodes = [
        helper.make_node("Cast", ["images"], ["numbers"], to=FLOAT),
        helper.make_node("Flatten", ["numbers"], ["flat"], axis=1),
        helper.make_node("MatMul", ["flat", "w"], ["x0"], domain=more.get("domain", "")),
    ]
    for i, name in enumerate(then):
        nodes.append(helper.make_node(name, [f"x{i}"], [f"x{i + 1}"]))
    nodes.append(helper.make_node("Identity", [f"x{len(then)}"], ["scores"]))
    outputs = [helper.make_tensor_value_info("scores", FLOAT, None)]
    if more.get("second"):
        nodes.append(helper.make_node(more["second"], ["x0"], ["second"]))
        outputs.insert(0, helper.make_tensor_value_info("second", TensorProto.UNDEFINED, None))
        outputs[0].type.tensor_type.elem_type = TensorProto.INT64 if more["second"] == "ArgMax" else FLOAT
    entries = [helper.make_tensor_value_info("images", kind, list(dims))]
    if more.get("extra_input"):
        entries.append(helper.make_tensor_value_info("mask", FLOAT, ["n", 1]))
    graph = helper.make_graph(nodes, "net", entries, outputs, [stored])
    opsets = [helper.make_opsetid("", 13)] + ([helper.make_opsetid(more["domain"], 1)] if more.get("domain") else [])
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8)
    helper.set_model_props(model, more.get("notes", {}))
    if more.get("external"):
        onnx.external_data_helper.convert_model_to_external_data(
            model, location=more["external"], size_threshold=0, convert_attribute=False
        )
    onnx.save(model, str(path))
    return path
