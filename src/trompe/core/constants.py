"""Small tables of numbers on a device, sent there once: sending one anew would wait for the device every time."""

from collections.abc import Sequence
from functools import lru_cache

import torch
from torch import Tensor


def constant(values: Sequence[float], dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """These numbers as a tensor of one axis on a device; it must not be changed, as others are given the same one.

    Example:
        >>> constant((1, 2), torch.int64, "cpu") is constant([1, 2], torch.int64, "cpu")
        True
    """
    return _made(tuple(values), dtype, torch.device(device))


@lru_cache(maxsize=64)
def _made(values: tuple[float, ...], dtype: torch.dtype, device: torch.device) -> Tensor:
    with torch.inference_mode(mode=False):  # otherwise no gradient could pass by what is made while judging
        return torch.tensor(values, dtype=dtype, device=device)
