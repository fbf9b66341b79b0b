"""What `hide` keeps away from: natural images of the class, as a reader that judges nothing sees them."""

import torch
from jaxtyping import Float64
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.types import Images, Rows
from trompe.search.starts import Material

HIDE_READER = {"name": "nearest-sample", "uses": ["function:hide-nearest-sample", "data:samples"]}
"""The reader that `hide` evades; it is named beside every result, and is never one of those that judge."""

NEAR = 0.3
"""Correlation with the nearest natural image of the class below which nothing is left to hide."""

_SMALL = 1e-6


def closeness(images: Images, classes: Rows, material: Material | None) -> Float64[Tensor, " n"]:
    """Correlation of each image with the natural image of its class that is nearest, with a gradient.

    Contrast and brightness do not matter: both are freed of their mean and scaled to length 1. An even image has 0.

    Args:
        images: Shape (n, channels, height, width).
        classes: Int64, shape (n,), the class of each.
        material: With natural images of each of those classes.

    Returns:
        Shape (n,), float64 in [-1, 1].

    Raises:
        BadInput: There is no natural image of some class.
    """
    rows = _centred(images)
    pools = [material.pool("class-mean", int(column)) if material else images[:0] for column in classes]
    if not all(len(pool) for pool in pools):
        raise BadInput(
            expected="natural images of every class, to keep away from",
            got="none",
            where="--preset hide",
            do="Choose another preset, or a target that comes with samples.",
        )
    return torch.stack([(_centred(pool) @ row).max() for pool, row in zip(pools, rows, strict=True)])


def closeness_slope(images: Images, classes: Rows, material: Material | None) -> Images:
    """The gradient of `closeness` in every image; 0 where it is below `NEAR`, so that nothing is left to hide."""
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaf = images.detach().clone().requires_grad_()
        (slope,) = torch.autograd.grad(closeness(leaf, classes, material).clamp(min=NEAR).sum(), leaf)
    return slope


def _centred(images: Images) -> Float64[Tensor, "n values"]:
    flat = images.to(torch.float64).flatten(1)
    flat = flat - flat.mean(1, keepdim=True)
    return flat / (flat.square().sum(1, keepdim=True) + _SMALL).sqrt()
