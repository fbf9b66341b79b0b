"""Networks of the shapes that people measure on, with random weights: right for speed, and for nothing else."""

import torch
from torch import Tensor, nn

from trompe.targets import Declaration, TorchTarget
from trompe.targets.architectures import build
from trompe.targets.preprocessing import IMAGENET, Preprocessing
from trompe.targets.torch import from_module

CLASSES = 1000
TEN_CROPS = Preprocessing(range=(0.0, 255.0), mean=(104.0, 117.0, 123.0), colour="bgr", size=(227, 227), crop="ten")
"""As the paper asked its network: ten crops of 227 x 227 of an image of 256 x 256."""


def alexnet() -> nn.Sequential:
    """The shape of the paper's network (Krizhevsky 2012, as Caffe has it): images of 3 x 227 x 227."""
    relu, pool, norm = nn.ReLU(inplace=True), nn.MaxPool2d(3, 2), nn.LocalResponseNorm(5, 1e-4, 0.75, 1.0)
    return nn.Sequential(
        nn.Conv2d(3, 96, 11, 4), relu, pool, norm,
        nn.Conv2d(96, 256, 5, padding=2, groups=2), relu, pool, norm,
        nn.Conv2d(256, 384, 3, padding=1), relu,
        nn.Conv2d(384, 384, 3, padding=1, groups=2), relu,
        nn.Conv2d(384, 256, 3, padding=1, groups=2), relu, pool,
        nn.Flatten(),
        nn.Linear(9216, 4096), relu, nn.Linear(4096, 4096), relu, nn.Linear(4096, CLASSES),
    )  # fmt: skip


class Bottleneck(nn.Module):
    """Three convolutions around which the input is added; the batch norms are folded into them."""

    def __init__(self, before: int, middle: int, stride: int) -> None:
        super().__init__()
        after = 4 * middle
        self.way = nn.Sequential(
            nn.Conv2d(before, middle, 1), nn.ReLU(inplace=True),
            nn.Conv2d(middle, middle, 3, stride, 1), nn.ReLU(inplace=True),
            nn.Conv2d(middle, after, 1),
        )  # fmt: skip
        same = stride == 1 and before == after
        self.past = nn.Identity() if same else nn.Conv2d(before, after, 1, stride)

    def forward(self, images: Tensor) -> Tensor:
        """What comes out, rectified."""
        return torch.relu(self.way(images) + self.past(images))


def resnet50() -> nn.Sequential:
    """The shape of ResNet-50 (He 2016) in inference, its batch norms folded in: images of 3 x 224 x 224."""
    parts: list[nn.Module] = [nn.Conv2d(3, 64, 7, 2, 3), nn.ReLU(inplace=True), nn.MaxPool2d(3, 2, 1)]
    width = 64
    for stage, blocks in enumerate((3, 4, 6, 3)):
        for block in range(blocks):
            parts.append(Bottleneck(width, 64 << stage, 2 if stage and not block else 1))
            width = 4 * (64 << stage)
    return nn.Sequential(*parts, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(width, CLASSES))


def target(name: str) -> TorchTarget:
    """A target of one of these shapes: lenet, alexnet, resnet-50, or alexnet-ten-crops."""
    torch.manual_seed(0)
    if name == "lenet":
        return from_module(name, build("lenet", 10, 0).eval(), Declaration(shape=(1, 28, 28)))
    if name == "resnet-50":
        return from_module(name, resnet50().eval(), Declaration(shape=(3, 224, 224), preprocessing=IMAGENET))
    if name == "alexnet":
        return from_module(name, alexnet().eval(), Declaration(shape=(3, 227, 227), preprocessing=IMAGENET))
    return from_module(name, alexnet().eval(), Declaration(shape=(3, 256, 256), preprocessing=TEN_CROPS))
