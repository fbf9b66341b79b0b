"""How tensors lie in the database: genomes as safetensors, images as compressed bytes."""

import json
import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache

import numpy
import torch
from safetensors import numpy as safetensors
from torch import Tensor

GENOME_LIMIT = 64 * 1024
"""A winner's genome is kept for good up to this many bytes; the current elites' always are, but where a search never
goes on from them."""
PICTURE_SIDE = 64
"""The small picture stored of every winner has at most so many pixels a side."""
_SMALL = 4096
_CHECKSUM = 4
"""Bytes at the end of what zlib makes."""


def pack_arrays(arrays: Mapping[str, Tensor]) -> bytes:
    """Tensors by name, as bytes."""
    return safetensors.save({name: values.numpy() for name, values in arrays.items()}) if arrays else b""


def pack_rows(arrays: Mapping[str, Tensor], n: int) -> list[bytes]:
    """What `pack_arrays` gives for each row of arrays whose first axis is the row, n of them.

    The front, which names types and shapes, is the same for all, and is made once.
    """
    if not n:
        return []
    first = pack_arrays({name: values[:1] for name, values in arrays.items()})
    front = shape_of(first)
    places = json.loads(front[8:])
    names = sorted(arrays, key=lambda name: places[name]["data_offsets"])
    columns = [_bytes_of_rows(arrays[name]) for name in names]
    return [front + b"".join(parts) for parts in zip(*columns, strict=True)]


def _bytes_of_rows(values: Tensor) -> list[bytes]:
    content, size = values.contiguous().numpy().tobytes(), values[0].numel() * values.element_size()
    return [content[i * size : (i + 1) * size] for i in range(len(values))]


def unpack_arrays(blob: bytes) -> dict[str, Tensor]:
    """What `pack_arrays` was given."""
    arrays = safetensors.load(blob) if blob else {}
    return {name: torch.from_numpy(values.copy()) for name, values in arrays.items()}


def shape_of(blob: bytes) -> bytes:
    """The front of what `pack_arrays` gave: names, types and shapes, without a number."""
    return blob[: 8 + int.from_bytes(blob[:8], "little")]


def pack_levels(levels: Tensor) -> bytes:
    """The bytes of one input, compressed."""
    return pack_images(levels.unsqueeze(0))[0]


def pack_images(levels: Tensor) -> list[bytes]:
    """What `pack_levels` gives for each of several inputs; first axis is the input."""
    if not len(levels):
        return []
    flat = levels.contiguous().numpy().reshape(len(levels), -1)
    repeats = numpy.count_nonzero(flat[:, 1:] == flat[:, :-1], axis=1).tolist()
    # Noise does not compress, so it is only wrapped.
    return [
        _wrap(row.tobytes()) if 32 * count < len(row) else _packer(len(row), 1)(row.tobytes())
        for row, count in zip(flat, repeats, strict=True)
    ]


def _packer(size: int, level: int) -> Callable[[bytes], bytes]:
    """A compressor for so many bytes; for few, most of the time goes into its own memory, so it gets little."""
    packer = zlib.compressobj(level, zlib.DEFLATED, *((12, 5) if size <= _SMALL else ()))
    return lambda content: packer.compress(content) + packer.flush()


def _wrap(content: bytes) -> bytes:
    """What the compressor makes of these bytes when it does not compress; without asking it, where they stay together.

    Then only they and their checksum differ between contents of one size.
    """
    found = _wrapping(len(content))
    if found is None:
        return _packer(len(content), 0)(content)
    return b"".join((found[0], content, found[1], zlib.adler32(content).to_bytes(_CHECKSUM, "big")))


@lru_cache
def _wrapping(size: int) -> tuple[bytes, bytes] | None:
    """What stands before and after so many bytes that are wrapped; None where they are cut into pieces."""
    content = b"\x55" * size
    before, found, after = _packer(size, 0)(content).partition(content)
    return (before, after[:-_CHECKSUM]) if found else None


def unpack_levels(blob: bytes, shape: tuple[int, ...]) -> Tensor:
    """What `pack_levels` was given."""
    return torch.frombuffer(bytearray(zlib.decompress(blob)), dtype=torch.uint8).reshape(shape)


def picture(levels: Tensor) -> Tensor:
    """A small picture of an input: itself up to 64 x 64 pixels, otherwise every k-th row and column of it."""
    stride = -(-max(levels.shape[-2:]) // PICTURE_SIDE)
    if stride == 1:
        return levels
    return levels[..., ::stride, ::stride]
