"""How tensors lie in the database: genomes as safetensors, images as compressed bytes."""

import json
import zlib
from collections.abc import Mapping

import numpy
import torch
from safetensors import numpy as safetensors
from torch import Tensor

GENOME_LIMIT = 64 * 1024
"""A winner's genome is kept for good up to this many bytes; the current elites' always are."""
PICTURE_SIDE = 64
"""The small picture stored of every winner has at most so many pixels a side."""
_SMALL = 4096


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
    flat = levels.contiguous().numpy().reshape(-1)
    content = flat.tobytes()
    # Noise does not compress, so it is only wrapped. For a small image most of the time goes into the compressor's
    # own memory, so it gets a small one.
    noise = numpy.count_nonzero(flat[1:] == flat[:-1]) * 32 < len(content)
    packer = zlib.compressobj(0 if noise else 1, zlib.DEFLATED, *((12, 5) if len(content) <= _SMALL else ()))
    return packer.compress(content) + packer.flush()


def unpack_levels(blob: bytes, shape: tuple[int, ...]) -> Tensor:
    """What `pack_levels` was given."""
    return torch.frombuffer(bytearray(zlib.decompress(blob)), dtype=torch.uint8).reshape(shape)


def picture(levels: Tensor) -> Tensor:
    """A small picture of an input: itself up to 64 x 64 pixels, otherwise every k-th row and column of it."""
    stride = -(-max(levels.shape[-2:]) // PICTURE_SIDE)
    if stride == 1:
        return levels
    return levels[..., ::stride, ::stride]
