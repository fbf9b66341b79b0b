"""What a density looks at: contrast taken out, the slant taken out, smoothed. All of it has a gradient."""

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from trompe.core.types import Images

Flat = Float[Tensor, "n pixels"]
Smaller = Float[Tensor, "n planes tall wide"]
LARGEST = 32
"""Pixels a side at most; larger images are averaged down to it."""
_FAINT = 1e-6
_SHORTEST = 1e-3
"""Length of an image about its mean below which it is taken for blank: a quarter of one grey level in one pixel."""


def shrunk(images: Images) -> Smaller:
    """Averaged down to at most `LARGEST` pixels a side, each side by itself; small images are left as they are."""
    height, width = images.shape[2:]
    size = (min(height, LARGEST), min(width, LARGEST))
    return images if size == (height, width) else functional.adaptive_avg_pool2d(images, size)


def contrast(images: Images) -> Float[Tensor, " n"]:
    """Root mean square of the pixels about their mean, from 0 (a blank image) to 0.5."""
    pixels = images.flatten(1)
    centred = pixels - pixels.mean(1, keepdim=True)
    return (centred.square().mean(1) + _FAINT**2).sqrt()


def normalised(images: Images) -> Flat:
    """Pixels about their mean, at length 1: neither brightness nor contrast are left, shape (n, pixels).

    A blank image becomes 0 (to two digits), which is near to nothing; nothing is divided by 0.
    """
    pixels = images.flatten(1)
    centred = pixels - pixels.mean(1, keepdim=True)
    return centred / (centred.square().sum(1, keepdim=True) + _SHORTEST**2).sqrt()


def blurred(images: Images, sigma: float) -> Images:
    """Smoothed by a Gaussian of the given standard deviation in pixels; outside the image is 0."""
    reach = math.ceil(3.0 * sigma)
    line = torch.exp(-0.5 * (torch.arange(-reach, reach + 1, device=images.device) / sigma).square())
    line = (line / line.sum()).to(images.dtype)
    alone = images.flatten(0, 1).unsqueeze(1)
    down = functional.conv2d(alone, line.view(1, 1, -1, 1), padding=(reach, 0))
    return functional.conv2d(down, line.view(1, 1, 1, -1), padding=(0, reach)).reshape(images.shape)


def upright(images: Images) -> Images:
    """Moved to the centre of mass and sheared until rows and columns are uncorrelated: the slant of writing is gone.

    The darkest pixel becomes 0: mass is what is brighter. Sheared by 35 degrees at most.

    Reference: LeCun 1998, who calls it deskewing.
    """
    n, _, height, width = images.shape
    images = images - images.amin((1, 2, 3), keepdim=True)  # as dark as what comes in from outside
    mass = images.sum(1)
    mass = mass / (mass.sum((1, 2), keepdim=True) + _FAINT)
    down = torch.linspace(-1.0, 1.0, height, device=images.device).view(1, -1, 1)
    across = torch.linspace(-1.0, 1.0, width, device=images.device).view(1, 1, -1)
    y, x = ((mass * axis).sum((1, 2)) for axis in (down, across))
    dy, dx = down - y.view(-1, 1, 1), across - x.view(-1, 1, 1)
    shear = (mass * dy * dx).sum((1, 2)) / ((mass * dy.square()).sum((1, 2)) + _FAINT)
    one, none = torch.ones_like(x), torch.zeros_like(x)
    turn = torch.stack([one, shear.clamp(-0.7, 0.7), x, none, one, y], 1).view(n, 2, 3)
    grid = functional.affine_grid(turn, list(images.shape), align_corners=True)
    return functional.grid_sample(images, grid, align_corners=True)


def edges(images: Images) -> Smaller:
    """Strength of edges that face right, left, down and up, smoothed by a pixel, at half the size each way."""
    smooth = blurred(images, 0.7)
    right = (functional.pad(smooth, (0, 2)) - functional.pad(smooth, (2, 0)))[..., 1:-1] / 2.0
    down = (functional.pad(smooth, (0, 0, 0, 2)) - functional.pad(smooth, (0, 0, 2, 0)))[..., 1:-1, :] / 2.0
    four = torch.cat([right, -right, down, -down], 1).clamp(min=0.0)
    return functional.avg_pool2d(blurred(four, 1.0), 2, ceil_mode=True)


def tangents(images: Images) -> Float[Tensor, "n directions pixels"]:
    """Orthonormal directions in which an image changes when it is shifted, scaled, sheared, turned or thickened.

    Shape (n, 7, pixels), of the image smoothed by one pixel. The gradient takes them for constants.

    Reference: Simard 1993.
    """
    with torch.no_grad():
        smooth = blurred(images, 1.0)
        height, width = images.shape[2:]
        gx = (functional.pad(smooth, (0, 2)) - functional.pad(smooth, (2, 0)))[..., 1:-1] / 2.0
        gy = (functional.pad(smooth, (0, 0, 0, 2)) - functional.pad(smooth, (0, 0, 2, 0)))[..., 1:-1, :] / 2.0
        y = torch.linspace(-1.0, 1.0, height, device=images.device).view(-1, 1)
        x = torch.linspace(-1.0, 1.0, width, device=images.device).view(1, -1)
        moves = torch.stack([gx, gy, x * gx, y * gy, y * gx, x * gy, gx.square() + gy.square()], 1).flatten(2)
        moves = moves - moves.mean(2, keepdim=True)
        basis: Tensor = torch.linalg.qr(moves.transpose(1, 2))[0]
        return basis.transpose(1, 2)
