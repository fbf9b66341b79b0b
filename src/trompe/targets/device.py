"""A torch network on a GPU: images go there, logits come back."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trompe.core.types import Target
from trompe.targets.engines import EngineTarget, Wrapper
from trompe.targets.torch import TorchTarget


@dataclass(frozen=True, eq=False)
class DeviceModel:
    """A module that is computed on another device than it is asked from.

    Attributes:
        module: Already there.
        device: Where that is.
    """

    module: nn.Module
    device: torch.device

    def __call__(self, batch: Tensor) -> Tensor:
        """Its logits, one row a row, on the CPU."""
        logits: Tensor = self.module(batch.to(self.device)).cpu()
        return logits

    def fingerprint(self) -> str:
        """Of the device: the weights are those of the reference."""
        return str(self.device)


def on_device(target: Target, device: str) -> Target:
    """The target with its network on a device; itself where that is the CPU or it is no torch network.

    Nothing is computed in less than float32 there. Inner layers give no features.

    Args:
        target: As it was loaded, or a wrapper around one.
        device: As torch names it.
    """
    if isinstance(target, Wrapper):
        return target.around(on_device(target.target, device))
    if device == "cpu" or not isinstance(target, TorchTarget):
        return target
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    place = torch.device(device)
    return EngineTarget(target, DeviceModel(deepcopy(target.module).to(place), place))
