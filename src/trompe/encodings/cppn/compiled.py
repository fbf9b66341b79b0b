"""The same pictures, compiled by numba at first use: about thirty times as fast as torch, and in no other file."""

import os
import tempfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float, Float32
from torch import Tensor
from torch.nn.functional import pad

from trompe.core.errors import BadInput
from trompe.data.sources import home
from trompe.encodings.cppn import kernel
from trompe.encodings.cppn.genome import CppnGenomes

# No reassociation, no approximate division: a level is the same k / 255 that torch computes.
_OPTIONS: dict[str, Any] = {"error_model": "numpy", "fastmath": {"contract", "nnan", "ninf", "nsz"}}
_WORTH_THREADS = 500_000
"""Pixels of a population from which on more than one thread is worth starting."""
_PARTS = 8
"""Parts of a population for each thread, since some networks are larger than others."""

Painting = Callable[..., int]


def installed() -> bool:
    """Whether numba is."""
    return find_spec("numba") is not None


def check_installed() -> None:
    """Refuse to go on without numba.

    Raises:
        BadInput: It is not installed.
    """
    if not installed():
        raise BadInput(
            expected="the package numba, as the renderer numba was asked for or began this run",
            got="not installed",
            where="encoding cppn",
            do="pip install 'trompe[fast]'; or begin another run with --renderer torch.",
        )


def paint(
    genomes: CppnGenomes,
    weights: Float[Tensor, "n connections"],
    inputs: Float32[Tensor, "4 pixels"],
    meaning: int,
    threads: int,
) -> Float32[Tensor, "n channels pixels"]:
    """What networks paint, on the 8-bit grid; nothing about it depends on the number of threads or on neighbours.

    Differs from `trompe.encodings.cppn.render`: sums are in another order and functions are polynomials, right to
    about 1e-7, so that now and then a pixel is another level, mostly the next; no gradient.

    Args:
        genomes: The networks.
        weights: Their decoded weights.
        inputs: What the input nodes hold at every pixel.
        meaning: Of the outputs: `kernel.GREY`, `kernel.HSV` or `kernel.HLS`.
        threads: That share the work, where there is enough of it.

    Raises:
        IndexError: A connection begins or ends where there is no node.
    """
    n, pixels, channels = len(genomes), inputs.shape[1], 1 if meaning == kernel.GREY else 3
    inputs = pad(inputs, (0, max(0, kernel.BLOCK - pixels))).contiguous()
    images = torch.empty(n, channels, inputs.shape[1])
    arrays = [values.contiguous().numpy() for values in (genomes.function, genomes.source, genomes.target, weights)]

    def part(rows: slice) -> int:
        return compiled()(*(array[rows] for array in arrays), inputs.numpy(), meaning, images[rows].numpy())

    if any(_shared_out(part, n, threads if n * pixels >= _WORTH_THREADS else 1)):
        raise IndexError("a connection begins or ends where there is no node")
    return images if pixels == inputs.shape[1] else images[..., :pixels].contiguous()


def _shared_out(part: Callable[[slice], int], n: int, threads: int) -> list[int]:
    if threads == 1:
        return [part(slice(n))]
    size = -(-n // (threads * _PARTS))
    compiled()  # once, not by each of them
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(part, [slice(i, i + size) for i in range(0, n, size)]))


@cache
def compiled() -> Painting:
    """`kernel.paint` in machine code: from the cache folder, or compiled now and kept there if that can be written."""
    import numba
    from numba.extending import register_jitable

    for helper in kernel.HELPERS:
        register_jitable(**_OPTIONS)(helper)
    folder = _cache_folder()
    with _cached_in(numba.config, folder):
        made: Painting = numba.njit(nogil=True, cache=folder is not None, **_OPTIONS)(kernel.paint)
    return made


def _cache_folder() -> Path | None:
    """Where compiled code is kept; None where nothing can be."""
    try:
        folder = home() / "compiled"
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError):  # the second: there is no home at all
        return None
    return folder


@contextmanager
def _cached_in(config: Any, folder: Path | None) -> Iterator[None]:
    """Numba's own choice is beside the source, which may be anywhere."""
    before, config.CACHE_DIR = config.CACHE_DIR, os.fspath(folder or "")
    try:
        yield
    finally:
        config.CACHE_DIR = before
