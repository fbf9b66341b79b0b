"""How tensors lie in the database: genomes as safetensors, images as compressed bytes."""

import zlib
from collections.abc import Mapping

import torch
from safetensors.torch import load, save
from torch import Tensor

GENOME_LIMIT = 64 * 1024
"""A winner's genome is kept for good up to this many bytes; the current elites' always are."""
_PICTURE_SIDE = 64


def pack_arrays(arrays: Mapping[str, Tensor]) -> bytes:
    """Tensors by name, as bytes."""
    return save(dict(arrays)) if arrays else b""


def unpack_arrays(blob: bytes) -> dict[str, Tensor]:
    """What `pack_arrays` was given."""
    return load(blob) if blob else {}


def pack_levels(levels: Tensor) -> bytes:
    """The bytes of one input, compressed."""
    return zlib.compress(levels.contiguous().numpy().tobytes(), 1)


def unpack_levels(blob: bytes, shape: tuple[int, ...]) -> Tensor:
    """What `pack_levels` was given."""
    return torch.frombuffer(bytearray(zlib.decompress(blob)), dtype=torch.uint8).reshape(shape)


def picture(levels: Tensor) -> Tensor:
    """A small picture of an input: itself up to 64 x 64 pixels, otherwise every k-th row and column of it."""
    stride = -(-max(levels.shape[-2:]) // _PICTURE_SIDE)
    return levels[..., ::stride, ::stride]
