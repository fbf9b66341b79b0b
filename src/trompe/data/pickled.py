"""One foreign pickle, opened safely: its checksum first, then an unpickler that knows numpy arrays and nothing else."""

import gzip
import hashlib
import io
import pickle
import zlib
from typing import Any

import numpy
import torch
from torch import Tensor

from trompe.core.errors import DataError

MNIST_SHA256 = "f11bb9e41d6c1b6c124aa38fd605497bdcfe2ee08cf7c2bb5a41ab5d759e1416"


class _ArraysOnly(pickle.Unpickler):
    """Admits what a plain numpy array needs; any other name in the file is refused before it is imported."""

    _ADMITTED = frozenset({("numpy", "ndarray"), ("numpy", "dtype"), ("numpy.core.multiarray", "_reconstruct")})

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) not in self._ADMITTED:
            raise pickle.UnpicklingError(f"the file asks for {module}.{name}, which is no numpy array")
        if name == "_reconstruct":
            return super().find_class("numpy._core.multiarray", name)
        return getattr(numpy, name)


def unpickle_arrays(content: bytes) -> Any:
    """What a pickle of tuples, lists, dictionaries and numpy arrays holds.

    Raises:
        pickle.UnpicklingError: It asks for anything else.
    """
    return _ArraysOnly(io.BytesIO(content), encoding="latin1").load()


def read_mnist_pickle(content: bytes, where: str) -> dict[str, Tensor]:
    """MNIST's four arrays of bytes from the content of ``mnist.pkl.gz`` (three splits of pixels / 256).

    Args:
        content: The gzipped file.
        where: For the message of an error.

    Raises:
        DataError: Its checksum is another one, so that nothing in it was opened.
    """
    digest = hashlib.sha256(content).hexdigest()
    if digest != MNIST_SHA256:
        raise DataError(
            expected=f"sha256 {MNIST_SHA256}",
            got=digest,
            where=where,
            do="Delete the file and fetch it again; it was not opened.",
        )
    try:
        splits = unpickle_arrays(gzip.decompress(content))
    except (pickle.UnpicklingError, EOFError, zlib.error) as cause:
        raise DataError(
            expected="a pickle of numpy arrays", got=str(cause), where=where, do="Fetch the file again."
        ) from cause
    pixels = [
        torch.from_numpy(numpy.rint(images * 256.0).astype(numpy.uint8)).reshape(-1, 28, 28) for images, _ in splits
    ]
    labels = [torch.from_numpy(names.astype(numpy.uint8)) for _, names in splits]
    return {
        "train-images": torch.cat(pixels[:2]),
        "train-labels": torch.cat(labels[:2]),
        "t10k-images": pixels[2],
        "t10k-labels": labels[2],
    }
