"""The attack within training: from many starts, up the slope of a class, inside the whole range of images."""

import torch
from torch import Tensor, nn

from trompe.core.numerics import class_log_odds, quantise
from trompe.core.types import Images, Rows
from trompe.search import RULES
from trompe.search.rules import Ground


def climbed(module: nn.Module, images: Images, classes: Rows, steps: int, shares: Tensor | None = None) -> Images:
    """Images moved so many steps towards their classes by the rule `sign-momentum` of `ascend`, on the 8-bit grid.

    The module is asked in evaluation mode and left in the mode it was in; no gradient is left in its weights.

    Args:
        module: Gives logits of images in [0, 1].
        images: Where to begin, in [0, 1].
        classes: Int64, shape (n,): towards which.
        steps: How many; with 0, the images are only rounded.
        shares: Of the rule's step that each image takes, shape (n,), above 0 and at most 1; all of it by default.
    """
    rule, training = RULES["sign-momentum"], module.training
    centre = torch.zeros(images.shape[1:])
    memory = images.new_zeros(len(images), rule.kinds, centre.numel())
    pace = 1.0 if shares is None else shares.unsqueeze(1)
    module.eval()
    for step in range(steps):
        leaf = quantise(images).requires_grad_()
        height = class_log_odds(module(leaf), classes)
        (slope,) = torch.autograd.grad(height.sum(), leaf)
        ground = Ground(slope.flatten(1), height.detach(), step, centre)
        here = images.flatten(1)
        there, memory = rule.move(here, memory, ground)
        images = (here + pace * (there - here)).clamp(0.0, 1.0).reshape(images.shape)
    module.train(training)
    return quantise(images).detach()
