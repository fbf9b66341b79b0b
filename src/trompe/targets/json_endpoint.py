"""Any server that takes one image and answers with scores in JSON, as a target file describes it."""

import base64
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from PIL import Image
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import to_levels
from trompe.core.specs import ImageSpec
from trompe.targets.declaration import Declaration, Request, read_labels
from trompe.targets.foreign import ForeignTarget, foreign
from trompe.targets.inference_protocol import read_json
from trompe.targets.jsonpath import Part, find, read_path
from trompe.targets.partial import spread
from trompe.targets.reading import FLOOR
from trompe.targets.transport import Answer, Body, Line

_QUALITY = 95
_LIST = "[]"


@dataclass(frozen=True, eq=False)
class TemplateModel:
    """A server that is asked as a target file says, one image at a time.

    Attributes:
        line: To the server.
        request: How it is asked.
        scores: Where the scores are in its answer.
        names: Where their labels are; None where scores come in the order of `labels`.
        labels: Every class, in order.
        floor: Least probability that the scores tell from 0.
    """

    line: Line
    request: Request
    scores: tuple[Part, ...]
    names: tuple[Part, ...] | None
    labels: tuple[str, ...]
    floor: float

    def __call__(self, batch: Tensor) -> Tensor:
        """Its scores, one row an image; of those that name only some classes, probabilities of every class.

        Raises:
            TargetError: The server does not answer, or with something else.
        """
        answers = self.line.post_all([self._body(image) for image in batch])
        rows = [self._row(read_json(answer, self.line), answer) for answer in answers]
        if isinstance(rows[0], Mapping):
            return spread([row for row in rows if isinstance(row, Mapping)], self.labels, self.floor, self._where)
        if len({len(row) for row in rows}) > 1:
            raise self.line.refusal("as many scores in every answer", "fewer in some", _NAME_THEM)
        return torch.tensor(rows, dtype=torch.float64)

    @property
    def notes(self) -> tuple[str, ...]:
        """What people should know of how it is asked."""
        if self.request.encode == "jpeg" and self.request.send != "json":
            return (f"images are sent as JPEG (quality {_QUALITY}): what is judged has lost some of what is kept",)
        return ()

    def fingerprint(self) -> str:
        """A hash of the URL and of how it is asked; what stands behind the URL cannot be seen."""
        keys = ("send", "encode", "name", "scores", "names")
        asked = {key: value for key, value in asdict(self.request).items() if key in keys}
        return hashlib.sha256(json.dumps([self.line.address.url, asked], sort_keys=True).encode()).hexdigest()

    @property
    def _where(self) -> str:
        return self.line.address.url

    def _body(self, image: Tensor) -> Body:
        if self.request.send == "json":
            return _as_json(self.request.name, image.tolist())
        content, kind = encode(image, self.request.encode), self.request.encode
        if self.request.send == "base64":
            return _as_json(self.request.name, base64.b64encode(content).decode())
        return as_form(self.request.name, f"image.{kind}", content, f"image/{kind}")

    def _row(self, document: Any, answer: Answer) -> Mapping[str, Any] | list[float]:
        found = find(self.scores, document)
        found = found[0] if len(found) == 1 and isinstance(found[0], list) else found
        if len(found) == 1 and isinstance(found[0], Mapping):
            return dict(found[0])
        if not found or any(isinstance(value, bool) or not isinstance(value, int | float) for value in found):
            raise self.line.refusal(
                f"scores at {self.request.scores}",
                answer.text or "nothing",
                "A label without a score says nothing of certainty: trompe cannot judge a server that gives no scores.",
            )
        if self.names is None:
            return [float(value) for value in found]
        names = find(self.names, document)
        names = names[0] if len(names) == 1 and isinstance(names[0], list) else names
        if len(names) != len(found) or len(set(map(str, names))) < len(names):
            raise self.line.refusal(
                "a label of its own for every score", f"{len(found)} scores, labels {names}", "Correct request.names."
            )
        return dict(zip(map(str, names), found, strict=True))


_NAME_THEM = 'Where only some classes are scored, say where their labels are: [request] names = "$...".'


def open_template(line: Line, declared: Declaration) -> ForeignTarget:
    """The target that a line leads to, asked as its declaration says.

    Raises:
        TargetError: Too little is declared, the server does not answer, or with something else.
        BadInput: A path is none.
    """
    request, where = declared.request, line.address.url
    _check_declared(declared, where)
    labels = read_labels(declared.labels)
    names = read_path(request.names, "request.names") if request.names else None
    model = TemplateModel(
        line, request, read_path(request.scores, "request.scores"), names, labels, declared.floor or FLOOR
    )
    return foreign(line.address.host, model, declared, Declaration(outputs="probabilities"))


def encode(image: Tensor, kind: str) -> bytes:
    """An image in [0, 1] as the content of a file; as PNG, the one that a run saves but for its text chunk."""
    levels = to_levels(image.unsqueeze(0))[0]
    if kind == "png":
        return ImageSpec(*levels.shape).encode(levels)
    rows = levels.permute(1, 2, 0) if len(levels) == 3 else levels[0]
    file = io.BytesIO()
    Image.fromarray(rows.contiguous().numpy()).save(file, format="JPEG", quality=_QUALITY)
    return file.getvalue()


def as_form(name: str, file: str, content: bytes, kind: str) -> Body:
    """A form with one file; its boundary follows from the content, so that the same image is the same request."""
    mark = f"trompe-{hashlib.sha256(content).hexdigest()}"
    head = (
        f'--{mark}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\nContent-Type: {kind}\r\n\r\n'
    )
    whole = head.encode() + content + f"\r\n--{mark}--\r\n".encode()
    return Body(whole, {"Content-Type": f"multipart/form-data; boundary={mark}"}, 1)


def _as_json(name: str, value: Any) -> Body:
    """A JSON object with the value under a name such as ``instances[].image``."""
    for part in reversed(name.split(".")):
        inner = [value] if part.endswith(_LIST) else value
        value = {part.removesuffix(_LIST): inner}
    return Body(json.dumps(value).encode(), {"Content-Type": "application/json"}, 1)


def _check_declared(declared: Declaration, where: str) -> None:
    request, labels = declared.request, declared.labels
    wanted = [
        (request.scores, "where the scores are", 'Add [request] scores = "$.scores" to a target file.'),
        (declared.shape, "the shape of its images", "Add shape = [channels, height, width] to a target file."),
        (
            labels or not request.names,
            "all labels, since it names some",
            'Add labels = ["...", ...] to the target file.',
        ),
    ]
    for present, expected, do in wanted:
        if not present:
            raise TargetError(expected=expected, got="nothing declared", where=where, do=do)
    as_file = request.send != "json"
    if as_file and declared.prepared.describe():
        raise TargetError(
            expected="no preprocessing where an image file is sent: the server does its own",
            got=f"preprocessing {declared.prepared.describe()}",
            where=where,
            do='Remove it, or send numbers: [request] send = "json".',
        )
    if as_file and declared.shape and declared.shape[0] not in (1, 3):
        raise TargetError(
            expected="1 or 3 channels where an image file is sent",
            got=f"{declared.shape[0]}",
            where=where,
            do='Correct shape, or send numbers: [request] send = "json".',
        )
