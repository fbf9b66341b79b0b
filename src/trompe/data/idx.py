"""The IDX format of MNIST and its relatives: a typed header, then bytes."""

import gzip
import secrets
import struct
import zlib
from pathlib import Path

import torch
from torch import Tensor

from trompe.core.errors import DataError

_UNSIGNED_BYTES = 0x08


def read_idx(path: Path) -> Tensor:
    """The uint8 tensor that an IDX file holds, gzipped or plain, whatever it is called.

    Raises:
        DataError: The file is truncated, too long, or no IDX file of bytes.
    """
    try:
        content = path.read_bytes()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
    except (OSError, EOFError, zlib.error) as cause:
        raise _unusable(path, "a whole, readable IDX file", str(cause) or type(cause).__name__) from cause
    return parse_idx(content, path)


def parse_idx(content: bytes, where: Path | str) -> Tensor:
    """The uint8 tensor in the content of an IDX file.

    Raises:
        DataError: As for `read_idx`.
    """
    if len(content) < 4 or content[:2] != b"\0\0" or content[2] != _UNSIGNED_BYTES:
        raise _unusable(where, "an IDX file of bytes (magic number 00 00 08)", f"the first bytes {content[:4].hex()}")
    dimensions = content[3]
    head = 4 + 4 * dimensions
    if len(content) < head:
        raise _unusable(where, f"a header of {head} bytes", f"{len(content)} bytes in all")
    shape = struct.unpack(f">{dimensions}I", content[4:head])
    size = 1
    for extent in shape:
        size *= extent
    if len(content) - head != size:
        raise _unusable(where, f"{size} bytes of data", f"{len(content) - head}")
    values = torch.frombuffer(bytearray(content), dtype=torch.uint8)[head:]
    return values.clone().reshape(shape)


def write_idx(path: Path, values: Tensor) -> None:
    """Store a uint8 tensor as a plain IDX file; written as a whole or not at all."""
    head = bytes([0, 0, _UNSIGNED_BYTES, values.ndim]) + struct.pack(f">{values.ndim}I", *values.shape)
    part = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")  # another process may be writing the same file
    try:
        part.write_bytes(head + values.contiguous().numpy().tobytes())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def _unusable(where: Path | str, expected: str, got: str) -> DataError:
    return DataError(expected=expected, got=got, where=str(where), do="Delete the file and fetch it again.")
