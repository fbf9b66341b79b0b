"""Tensors of the Open Inference Protocol as requests and from answers: in bytes behind the JSON, or as JSON."""

import json
import math
from typing import Any

import numpy

from trompe.targets.signature import TYPES, Array, Signature, label_alone
from trompe.targets.transport import Answer, Body, Line

LENGTH = "Inference-Header-Content-Length"


def write_binary(rows: Array, signature: Signature) -> Body:
    """A request with the rows as bytes, little-endian, behind the JSON that describes them."""
    content = rows.tobytes()
    tensor = {**_describe(rows, signature), "parameters": {"binary_data_size": len(content)}}
    asked: dict[str, Any] = {"inputs": [tensor], "parameters": {"binary_data_output": True}}
    if signature.output:
        asked = {"inputs": [tensor], "outputs": [{"name": signature.output, "parameters": {"binary_data": True}}]}
    head = json.dumps(asked).encode()
    return Body(head + content, {"Content-Type": "application/octet-stream", LENGTH: str(len(head))}, len(rows))


def write_json(rows: Array, signature: Signature) -> Body:
    """A request in JSON; a decimal float32 is written in full and comes back as the same bits."""
    asked: dict[str, Any] = {"inputs": [{**_describe(rows, signature), "data": rows.ravel().tolist()}]}
    if signature.output:
        asked["outputs"] = [{"name": signature.output}]
    return Body(json.dumps(asked).encode(), {"Content-Type": "application/json"}, len(rows))


def read_tensor(answer: Answer, signature: Signature, line: Line) -> Array:
    """Scores, one row for each that a request held.

    Raises:
        TargetError: There are none, or not for every row, or they are labels.
    """
    try:
        length = int(answer.headers.get(LENGTH.lower(), len(answer.content)))
        outputs = json.loads(answer.content[:length])["outputs"]
        named = [one for one in outputs if one.get("name") == signature.output] or outputs
        kind, shape = str(named[0]["datatype"]).upper(), tuple(map(int, named[0]["shape"]))
        if kind in ("FP16", "FP32", "FP64"):
            numbers = _numbers(named[0], kind, outputs, answer.content[length:])
            return _rows(numbers, shape, signature, line)
    except (ValueError, KeyError, TypeError, IndexError, AttributeError) as cause:
        raise line.refusal(
            "an answer of the Open Inference Protocol, with one row for each image",
            f"{cause or type(cause).__name__} in {answer.headers.get('content-type', 'no type')}: {answer.text}",
            "Ask the server yourself; what was recorded is kept.",
        ) from cause
    raise label_alone(signature.output, kind, outputs, line)


def _describe(rows: Array, signature: Signature) -> dict[str, Any]:
    shape = rows.shape if signature.batched else rows.shape[1:]
    return {"name": signature.name, "shape": list(shape), "datatype": signature.datatype}


def _numbers(output: Any, kind: str, outputs: list[Any], content: bytes) -> Array:
    size = (output.get("parameters") or {}).get("binary_data_size")
    if size is None:
        return numpy.array(output["data"], dtype=TYPES[kind]).ravel()
    before = outputs[: outputs.index(output)]
    start = sum(int((one.get("parameters") or {}).get("binary_data_size") or 0) for one in before)
    return numpy.frombuffer(content[start : start + int(size)], dtype=TYPES[kind])


def _rows(numbers: Array, shape: tuple[int, ...], signature: Signature, line: Line) -> Array:
    if math.prod(shape) != len(numbers) or not len(numbers):
        raise ValueError(f"{len(numbers)} numbers for shape {list(shape)}")
    rows = line.batch
    if signature.batched and shape[0] != rows and (rows > 1 or len(shape) > 1):
        raise ValueError(f"{shape[0]} rows for {rows} images")
    wide = numbers.reshape(rows, -1)
    return wide.astype(numpy.float64 if wide.dtype == numpy.float64 else numpy.float32)
