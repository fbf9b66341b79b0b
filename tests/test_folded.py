"""Folded networks say what they said before, to rounding."""

import pytest
import torch
from torch import Tensor, nn

from trompe.targets.folded import fold_efficientnet, fold_norms, fold_padding


def normed(seed: int = 0, **convolution: int) -> nn.Sequential:
    """A convolution and a norm with statistics of its own, in float64."""
    torch.manual_seed(seed)
    norm = nn.BatchNorm2d(8, eps=1e-3)
    for numbers in (norm.weight, norm.bias, norm.running_mean, norm.running_var):
        assert numbers is not None
        nn.init.uniform_(numbers, 0.1, 2.0)
    net = nn.Sequential(nn.Conv2d(8, 8, bias=False, **convolution), norm)  # type: ignore[arg-type]
    return net.double().eval().requires_grad_(requires_grad=False)


@pytest.mark.parametrize("groups", [1, 8])
@pytest.mark.parametrize(
    ("kernel", "stride", "zeros"),
    [(3, 1, (1, 1, 1, 1)), (3, 2, (0, 1, 0, 1)), (5, 2, (1, 2, 1, 2)), (5, 1, (2, 2, 2, 2)), (1, 1, (0, 0, 0, 0))],
)
def test_zeros_around_and_norms_behind_are_folded_in(
    kernel: int, stride: int, zeros: tuple[int, int, int, int], groups: int
) -> None:
    net = normed(kernel_size=kernel, stride=stride, groups=groups)
    images = torch.rand(3, 8, 12, 14, dtype=torch.float64, requires_grad=True)
    wanted: Tensor = net(nn.functional.pad(images, zeros))
    slope = torch.autograd.grad(wanted.square().sum(), images)[0]
    fold_norms(net, {"0": "1"})
    convolution = net[0]
    assert isinstance(convolution, nn.Conv2d)
    fold_padding(convolution, zeros)
    got: Tensor = net(images)
    assert got.shape == wanted.shape
    assert torch.allclose(got, wanted, rtol=1e-12, atol=1e-12)
    assert torch.allclose(torch.autograd.grad(got.square().sum(), images)[0], slope, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("zeros", [(1, 0, 1, 0), (0, 2, 0, 2), (0, 1, 1, 1)])
def test_other_zeros_are_refused(zeros: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="one more at the right and bottom"):
        fold_padding(nn.Conv2d(1, 1, 3), zeros)


@pytest.mark.parametrize("name", ["efficientnet-lite0", "efficientnet-lite1", "efficientnet-lite2"])
def test_an_efficientnet_says_what_the_package_s_own_says(name: str) -> None:
    package = pytest.importorskip("efficientnet_lite_pytorch")
    torch.manual_seed(0)
    net = package.EfficientNet.from_name(name).eval().requires_grad_(requires_grad=False)
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.running_var, 0.5, 1.5)  # type: ignore[arg-type]
            nn.init.uniform_(module.running_mean, -0.2, 0.2)  # type: ignore[arg-type]
    images = torch.rand(2, 3, 64, 64)
    wanted = net(images)
    fold_efficientnet(net)
    assert not any(isinstance(module, nn.BatchNorm2d) for module in net.modules())
    assert float((net(images) - wanted).abs().max()) < 1e-4 * float(wanted.std())
