"""What a server of the Open Inference Protocol says of a model: its input, its output, its labels."""

from dataclasses import dataclass
from typing import Any

import numpy

from trompe.targets.declaration import Declaration, Request
from trompe.targets.preprocessing import Preprocessing
from trompe.targets.reading import Kind
from trompe.targets.transport import Line

Array = numpy.ndarray[Any, numpy.dtype[Any]]

TYPES = {"FP32": "<f4", "FP64": "<f8", "FP16": "<f2", "UINT8": "<u1"}
"""Types of a model's input, by the protocol's names."""
_PREPARED = {
    "FP16": Preprocessing(dtype="float16"),
    "FP64": Preprocessing(dtype="float64"),
    "UINT8": Preprocessing(range=(0.0, 255.0), dtype="uint8"),
}
_COLOURS = (1, 3, 4)
LABEL_ALONE = "A label without a score says nothing of certainty, so trompe cannot judge this model"


@dataclass(frozen=True)
class Signature:
    """Of one input and one output.

    Attributes:
        name: Of the input.
        datatype: Of the input, as the protocol writes it.
        shape: Of the input, -1 where it varies; empty where the server does not say.
        output: Name of the output that holds the scores; empty for the first.
    """

    name: str
    datatype: str
    shape: tuple[int, ...]
    output: str

    @property
    def batched(self) -> bool:
        """Whether the first axis of the input counts images."""
        return not self.shape or self.shape[0] == -1 or len(self.shape) in (2, 4)

    @property
    def fixed(self) -> int:
        """How many images a request must hold; 0 where that is free."""
        return max(self.shape[0], 0) if self.batched and self.shape else 0

    @property
    def row(self) -> tuple[int, ...]:
        """Shape of one image, -1 where it varies; empty where the server does not say."""
        return self.shape[1:] if self.batched else self.shape

    def rows(self, batch: Array, line: Line) -> Array:
        """Rows in the model's own type and shape.

        Raises:
            TargetError: What was declared gives another number of values, or values of another kind.
        """
        kind = numpy.dtype(TYPES[self.datatype])
        if (kind == numpy.uint8) != (batch.dtype == numpy.uint8):
            raise line.refusal(
                f"preprocessing to the model's numbers, {kind}",
                str(batch.dtype),
                f'Declare [preprocessing] dtype = "{kind}" in the target file, with the range that belongs to it.',
            )
        own = batch.shape[1:]
        row = (
            own if len(self.row) != len(own) else tuple(a if b == -1 else b for a, b in zip(own, self.row, strict=True))
        )
        row = self.row if len(self.row) != len(own) and self.row and -1 not in self.row else row
        if numpy.prod(row) != numpy.prod(own):
            raise line.refusal(
                f"images of the model's shape {row}", f"{own}", "Correct shape and preprocessing in the target file."
            )
        return numpy.ascontiguousarray(batch.reshape(len(batch), *row), dtype=kind.newbyteorder("<"))

    def known(self, metadata: Any) -> Declaration:
        """What follows for images, labels and the kind of numbers."""
        shape, layout = _image(self.row)
        prepared = _PREPARED.get(self.datatype, Preprocessing())
        prepared = Preprocessing(range=prepared.range, dtype=prepared.dtype, layout=layout)  # type: ignore[arg-type]
        told = prepared if prepared != Preprocessing() else None
        return Declaration(
            shape=shape, labels=_labels(metadata, self.output), outputs=_kind(self.output), preprocessing=told
        )


def read_signature(metadata: Any, request: Request, line: Line) -> Signature:
    """The input and the output to be used.

    Raises:
        TargetError: There is more than one input, no such output, or one that holds no scores.
    """
    inputs, outputs = _tensors(metadata, "inputs"), _tensors(metadata, "outputs")
    if len(inputs) > 1:
        raise line.refusal(
            "a model with one input",
            f"{len(inputs)}: {', '.join(map(_name, inputs))}",
            "Serve it behind one that has one.",
        )
    output = _choose(outputs, request, line)
    kind = str(output.get("datatype", "FP32")).upper()
    if kind not in ("", "FP16", "FP32", "FP64", "BF16"):
        raise label_alone(_name(output), kind, outputs, line)
    own = inputs[0] if inputs else {}
    datatype = str(own.get("datatype", "FP32")).upper()
    if datatype not in TYPES:
        raise line.refusal(f"an input of {', '.join(TYPES)}", datatype, "Serve the model with such an input.")
    shape = own.get("shape") or ()
    return Signature(_name(own) or request.name, datatype, tuple(map(int, shape)), _name(output))


def label_alone(output: str, kind: str, outputs: list[dict[str, Any]], line: Line) -> Exception:
    """The refusal of a model that answers with names or numbers of classes."""
    others = [_name(other) for other in outputs if _name(other) != output]
    instead = f"name one that has scores ({', '.join(others) or 'for example predict_proba'})"
    return line.refusal(
        "scores", f"{output or 'an output'} of {kind}", f'{LABEL_ALONE}; {instead}: [request] scores = "...".'
    )


def _choose(outputs: list[dict[str, Any]], request: Request, line: Line) -> dict[str, Any]:
    if request.scores:
        return next((one for one in outputs if _name(one) == request.scores), {"name": request.scores})
    if len(outputs) > 1:
        names = ", ".join(map(_name, outputs))
        raise line.refusal("a model with one output", f"{len(outputs)}: {names}", 'Choose: [request] scores = "...".')
    return outputs[0] if outputs else {}


def _tensors(metadata: Any, key: str) -> list[dict[str, Any]]:
    found = metadata.get(key) if isinstance(metadata, dict) else None
    return [item for item in found if isinstance(item, dict)] if isinstance(found, list) else []


def _name(tensor: dict[str, Any]) -> str:
    return str(tensor.get("name", ""))


def _image(row: tuple[int, ...]) -> tuple[tuple[int, int, int] | None, str]:
    """Channels, height and width, and the order of axes; None where the shape leaves that open."""
    if -1 in row or not row:
        return None, "nchw"
    if len(row) == 3 and row[0] in _COLOURS:
        return (row[0], row[1], row[2]), "nchw"
    if len(row) == 3 and row[2] in _COLOURS:
        return (row[2], row[0], row[1]), "nhwc"
    if len(row) == 2:
        return (1, row[0], row[1]), "nchw"
    side = round(row[0] ** 0.5)
    return ((1, side, side), "flat") if len(row) == 1 and side * side == row[0] else (None, "nchw")


def _labels(metadata: Any, output: str) -> tuple[str, ...]:
    """Labels that the server gives, with the model or with its output, as some do."""
    places = [metadata, *(one for one in _tensors(metadata, "outputs") if _name(one) == output)]
    for place in places:
        for holder in (place, place.get("parameters")):
            labels = holder.get("labels") if isinstance(holder, dict) else None
            if isinstance(labels, list) and labels:
                return tuple(map(str, labels))
    return ()


def _kind(output: str) -> Kind | Any:
    """Probabilities where the output's name says so."""
    return "probabilities" if any(word in output.lower() for word in ("prob", "softmax")) else ""
