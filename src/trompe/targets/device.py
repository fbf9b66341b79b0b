"""A torch network on a GPU: images go there, or are there already, and answers go to where the images came from."""

from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trompe.core.check import check_images
from trompe.core.types import Images, Outputs, Target
from trompe.targets.engines import EngineTarget, Wrapper
from trompe.targets.foreign import abstention
from trompe.targets.torch import TorchTarget


@dataclass(frozen=True, eq=False)
class DeviceModel:
    """A module on a device.

    Attributes:
        module: Already there.
        device: Where that is.
    """

    module: nn.Module
    device: torch.device

    def __call__(self, batch: Tensor) -> Tensor:
        """Its logits, one row a row, where the batch is."""
        logits: Tensor = self.module(batch.to(self.device))
        return logits.to(batch.device)

    def fingerprint(self) -> str:
        """Of the device: the weights are those of the reference."""
        return str(self.device)


class DeviceTarget(EngineTarget):
    """A torch target whose network is on a device. Nobody waits for that device here."""

    def judge(self, inputs: Images) -> Outputs:
        """Logits for each image, on its own device.

        Values of images are not looked at, which would wait for the device: what a search makes is on the grid.

        Raises:
            BadInput: Not float32 of the target's shape.
        """
        check_images(inputs, self.spec.shape, f"target {self.name}", look=False)
        logits = self.model(inputs.detach())
        return Outputs(logits, abstention(logits, self.labels, self.reference.declared.abstain))


def on_device(target: Target, device: str) -> Target:
    """The target with its network on a device; itself where that is the CPU or it is no torch network.

    Nothing is computed in less than float32 there. Inner layers give no features.

    Args:
        target: As it was loaded, or a wrapper around one.
        device: As torch names it.
    """
    if isinstance(target, Wrapper):
        return target.around(on_device(target.target, device))
    return target if device == "cpu" or not isinstance(target, TorchTarget) else moved(target, device)


def moved(target: TorchTarget, device: str) -> DeviceTarget:
    """The target with its network on a device, in float32 that is not rounded on the way (no TF32)."""
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cudnn.deterministic = True
    place = torch.device(device)
    return DeviceTarget(target, DeviceModel(deepcopy(target.module).to(place), place))
