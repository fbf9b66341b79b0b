"""An ONNX file looked at without running it: what goes in, what comes out, and whether all of it is there."""

import ast
import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any

from trompe.core.errors import TargetError
from trompe.targets.preprocessing import Type

_LARGE_FILE = b"version https://git-lfs"
_OWN = ("", "ai.onnx", "ai.onnx.ml", "com.microsoft")
"""Domains of the operators that come with ONNX Runtime; others would be code from a library."""
_TYPES: dict[int, Type] = {1: "float32", 2: "uint8", 10: "float16", 11: "float64"}
_PASSING = ("Identity", "Cast", "Reshape", "Flatten", "Squeeze", "Unsqueeze", "Dropout", "Transpose")
_LABEL_KEYS = ("labels", "classes", "class_names", "names", "id2label")


@dataclass(frozen=True)
class Port:
    """The input of a network.

    Attributes:
        name: In the file.
        dims: Of each axis, the first one the batch; None where it may be any.
        dtype: Of its numbers.
    """

    name: str
    dims: tuple[int | None, ...]
    dtype: Type

    def __str__(self) -> str:
        return f"{self.dtype} of shape ({', '.join('any' if size is None else str(size) for size in self.dims)})"


@dataclass(frozen=True, eq=False)
class Graph:
    """A network as an ONNX file says it.

    Attributes:
        name: For errors.
        source: The file's bytes, or its path where weights lie beside it.
        digest: sha256 of the file, and of what lies beside it.
        port: Its one input.
        endings: The last operator that changes numbers, of every output by name.
        labels: One name a class, where the file holds them.
    """

    name: str
    source: bytes | Path
    digest: str
    port: Port
    endings: Mapping[str, str]
    labels: tuple[str, ...] = ()


def read_graph(path: Path) -> Graph:
    """What an ONNX file says of itself. Nothing of it is run.

    Raises:
        TargetError: Missing, empty, cut off, not downloaded, without its weights, with operators of its own, or with
            another number of inputs than one.
    """
    parts = _Parts(path, _content(path))
    beside = parts.beside()
    digest = hashlib.sha256(parts.content)
    for file in beside:
        digest.update(file.read_bytes())
    parts.check_operators()
    source = path if beside else parts.content
    name = f"TARGET {path}"
    return Graph(name, source, digest.hexdigest(), parts.port(), parts.endings(), parts.labels())


def _content(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except OSError as cause:
        raise _damaged(path, cause.strerror or str(cause), "Give the path of the file.") from cause
    if content.startswith(_LARGE_FILE):
        raise _damaged(path, "a pointer of Git LFS to a file that was not downloaded", "Fetch it: git lfs pull.")
    if not content:
        raise _damaged(path, "an empty file", "Export or download it again.")
    return content


@dataclass(frozen=True, eq=False)
class _Parts:
    path: Path
    content: bytes

    @cached_property
    def model(self) -> Any:
        """The file as a protocol buffer.

        Raises:
            TargetError: onnx is not installed, or the file is none.
        """
        try:
            import onnx
        except ImportError as cause:
            raise missing("onnx", "onnx", f"TARGET {self.path}") from cause
        try:
            model = onnx.load_model_from_string(self.content)
        except Exception as cause:  # of protobuf, whose exceptions differ between its implementations
            raise _damaged(self.path, "a file that is cut off, or something else", _AGAIN) from cause
        if not model.graph.node or not model.graph.output:
            raise _damaged(self.path, "no network in it", _AGAIN)
        return model

    def beside(self) -> list[Path]:
        """Files that hold weights of this one.

        Raises:
            TargetError: One is missing, or is outside the file's own folder.
        """
        places = {
            entry.value
            for tensor in self.model.graph.initializer
            for entry in tensor.external_data
            if entry.key == "location"
        }
        found = []
        for place in sorted(places):
            pure = PurePosixPath(place)
            if pure.is_absolute() or ".." in pure.parts:
                raise _damaged(self.path, f"weights at {place}", "Put the weights into the file's own folder.")
            if not (self.path.parent / pure).is_file():
                raise _damaged(self.path, f"no file {place} beside it", "Weights lie there: copy that file, too.")
            found.append(self.path.parent / pure)
        return found

    def check_operators(self) -> None:
        """Refuse operators that come from a library of their own.

        Raises:
            TargetError: There is one.
        """
        own = {*_OWN, *(function.domain for function in self.model.functions)}
        strange = next((node for node in self.model.graph.node if node.domain not in own), None)
        if strange is not None:
            raise TargetError(
                expected="standard operators of ONNX",
                got=f"{strange.op_type} of {strange.domain}",
                where=f"TARGET {self.path}",
                do="trompe loads no libraries that a model brings along: export it with standard operators.",
            )

    def port(self) -> Port:
        """The one input.

        Raises:
            TargetError: There are several, or it takes no numbers.
        """
        graph = self.model.graph
        stored = {tensor.name for tensor in graph.initializer}
        inputs = [entry for entry in graph.input if entry.name not in stored]
        if len(inputs) != 1:
            raise TargetError(
                expected="a network with one input, the image",
                got=f"{len(inputs)} inputs: {', '.join(entry.name for entry in inputs) or 'none'}",
                where=f"TARGET {self.path}",
                do="Export it with the others fixed, or wrap it in a function: package.module:factory.",
            )
        kind = inputs[0].type.tensor_type
        if kind.elem_type not in _TYPES:
            raise TargetError(
                expected="an input of float32, float16, float64 or uint8",
                got=f"ONNX type {kind.elem_type} for {inputs[0].name}",
                where=f"TARGET {self.path}",
                do="trompe searches images: export the network so that it takes their pixels.",
            )
        dims = tuple(size.dim_value if size.dim_value > 0 else None for size in kind.shape.dim)
        return Port(inputs[0].name, dims, _TYPES[kind.elem_type])

    def endings(self) -> dict[str, str]:
        """The operator that each output comes from, past those that only move numbers about."""
        makers = {name: node for node in self.model.graph.node for name in node.output}
        return {output.name: "/".join(_ending(makers, output.name)) for output in self.model.graph.output}

    def labels(self) -> tuple[str, ...]:
        """The labels in the file's notes; none where there are none that can be read."""
        notes = {entry.key.lower(): entry.value for entry in self.model.metadata_props}
        return next((_labels(notes[key]) for key in _LABEL_KEYS if key in notes), ())


def missing(package: str, extra: str, where: str) -> TargetError:
    """What to say where an optional package is not there."""
    return TargetError(
        expected=f"the package {package}",
        got="it is not installed",
        where=where,
        do=f"pip install 'trompe[{extra}]'",
    )


def _ending(makers: Mapping[str, Any], name: str) -> Iterator[str]:
    node = makers.get(name)
    while node is not None and node.op_type in _PASSING and node.input:
        node = makers.get(node.input[0])
    if node is None:
        return
    yield node.op_type
    if node.op_type == "Log" and node.input:
        yield from _ending(makers, node.input[0])


def _labels(text: str) -> tuple[str, ...]:
    """Labels from a note: JSON, a Python literal, or one a line or comma; a list, or names by number."""
    found: Any = None
    for parse in (json.loads, ast.literal_eval):
        with suppress(ValueError, SyntaxError, RecursionError, MemoryError):
            found = parse(text)
            break
    if isinstance(found, Mapping):
        with suppress(ValueError, TypeError):
            numbered = {int(key): str(value) for key, value in found.items()}
            return tuple(numbered[key] for key in sorted(numbered))
        return ()
    if isinstance(found, list | tuple):
        return tuple(map(str, found))
    lines = text.splitlines() if "\n" in text else text.split(",")
    return tuple(line.strip() for line in lines if line.strip())


_AGAIN = "Export or download it again, and compare its size."


def _damaged(path: Path, got: str, do: str) -> TargetError:
    return TargetError(expected="a whole ONNX file", got=got, where=f"TARGET {path}", do=do)
