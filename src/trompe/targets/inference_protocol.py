"""A model behind the Open Inference Protocol, version 2: KServe, Triton, MLServer, OpenVINO Model Server, ..."""

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy
import torch
from torch import Tensor

from trompe.targets.declaration import Declaration
from trompe.targets.foreign import ForeignTarget, foreign
from trompe.targets.signature import Array, Signature, read_signature
from trompe.targets.tensors import read_tensor, write_binary, write_json
from trompe.targets.transport import Answer, Line

_INFER = "/infer"


@dataclass
class Dialect:
    """Whether the server takes tensors as bytes behind the JSON; None before it was asked the first time."""

    binary: bool | None = None


@dataclass(frozen=True, eq=False)
class ServedModel:
    """A model on an inference server.

    Attributes:
        line: To the server, with the rows of one request; the last request is filled up with copies of its last row,
            since the bits of an answer depend on how many rows are asked at a time.
        signature: Of the model's input and output.
        metadata: What the server says of the model.
        dialect: Found out with the first rows.
    """

    line: Line
    signature: Signature
    metadata: Any
    dialect: Dialect = field(default_factory=Dialect)

    def __call__(self, batch: Tensor) -> Tensor:
        """Its numbers, one row for each of the batch.

        Raises:
            TargetError: The server does not answer, or with something else.
        """
        parts = list(self._requests(self.signature.rows(batch.numpy(), self.line)))
        first = [] if self.dialect.binary is not None else [self._settle(parts[0])]
        write = write_binary if self.dialect.binary else write_json
        rest = self.line.post_all([write(part, self.signature) for part in parts[len(first) :]], _INFER)
        answers = [self._read(answer) for answer in (*first, *rest)]
        if len({answer.shape[1] for answer in answers}) > 1:
            raise self.line.refusal("as many scores in every answer", "fewer in some", "Ask the server yourself.")
        return torch.from_numpy(numpy.concatenate(answers)[: len(batch)])

    def fingerprint(self) -> str:
        """A hash of the URL, of what the server says of the model, its version too, and of how it is asked."""
        asked = {"input": self.signature.name, "output": self.signature.output, "batch": self.line.batch}
        head = {"url": self.line.address.url, "metadata": self.metadata, "asked": asked}
        return hashlib.sha256(json.dumps(head, sort_keys=True).encode()).hexdigest()

    def _requests(self, rows: Array) -> Iterator[Array]:
        size = self.line.batch
        for start in range(0, len(rows), size):
            part = rows[start : start + size]
            fill = numpy.repeat(part[-1:], size - len(part), 0)
            yield numpy.concatenate([part, fill]) if len(fill) else part

    def _settle(self, part: Array) -> Answer:
        """The answer to the first rows, asked in bytes, and where the server does not take these, in JSON."""
        answer = self.line.post(write_binary(part, self.signature), _INFER, patient=False)
        self.dialect.binary = answer.good
        return answer if answer.good else self.line.post(write_json(part, self.signature), _INFER)

    def _read(self, answer: Answer) -> Array:
        return read_tensor(answer, self.signature, self.line)


def open_served(line: Line, declared: Declaration) -> ForeignTarget:
    """The model that a line leads to, with what the server says of it.

    Raises:
        TargetError: The server does not know the model, or the model is no classifier of one image.
    """
    metadata = read_json(line.get(), line)
    signature = read_signature(metadata, declared.request, line)
    line.batch = _rows_a_request(signature, declared.request.batch, line)
    model = ServedModel(line, signature, metadata)
    name = line.address.url.partition("/v2/models/")[2].partition("/")[0]
    return foreign(name, model, declared, signature.known(metadata))


def read_json(answer: Answer, line: Line) -> Any:
    """The content of an answer.

    Raises:
        TargetError: It is no JSON.
    """
    try:
        return json.loads(answer.content)
    except ValueError as cause:
        kind = answer.headers.get("content-type", "no type")
        raise line.refusal("an answer in JSON", f"{kind}: {answer.text}", "Check the URL and the server.") from cause


def _rows_a_request(signature: Signature, wanted: int, line: Line) -> int:
    """As many as are declared and the model takes; what it takes is asked only where it matters."""
    if not signature.batched:
        return 1
    if signature.fixed:
        return signature.fixed
    if wanted == 1:
        return 1
    answer = line.get("/config", patient=False)  # of Triton; others know no such page
    try:
        most = json.loads(answer.content).get("max_batch_size", 0) if answer.good else 0
    except (ValueError, AttributeError):
        most = 0
    return min(wanted, most) if isinstance(most, int) and most > 0 else wanted
