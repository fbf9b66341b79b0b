"""Features: what a named inner layer of a torch module gives, one row an image, through every way of asking."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import Tensor, nn

from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Outputs
from trompe.measure.survival import parse_transforms
from trompe.measure.surviving import Surviving
from trompe.search import Judge, JudgeSettings
from trompe.targets import Declaration, Preprocessing, TorchTarget, load_target
from trompe.targets.ready import LowestOfFive
from trompe.testing import examine_target

SHAPE = (1, 6, 6)


class Small(nn.Module):
    """What its first layer gives is overwritten in place; one layer gives two things, one is never asked."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(1, 3, 3)
        self.act = nn.ReLU(inplace=True)
        self.head = nn.Linear(3 * 4 * 4, 4)
        self.pair, self.idle = Pair(), nn.Identity()
        with torch.no_grad():
            for name, weight in self.named_parameters():
                weight.copy_(Stream(0, f"layers/{name}", 0).uniform32(*weight.shape) - 0.5)

    def forward(self, images: Tensor) -> Tensor:
        found = self.act(self.stem(images)).flatten(1)
        return self.head(self.pair(found, -found)[0])


class Pair(nn.Module):
    def forward(self, one: Tensor, other: Tensor) -> tuple[Tensor, Tensor]:
        return one, other


class Leaky(nn.Module):
    """What it passes on depends on its own input alone; what an inner layer says, on the whole batch."""

    def __init__(self) -> None:
        super().__init__()
        self.small, self.beside = Small(), nn.Identity()

    def forward(self, images: Tensor) -> Tensor:
        self.beside(images.flatten(1) - images.flatten(1).mean(0))
        return self.small(images)


def target_of(layer: str, module: nn.Module | None = None, **declared: Any) -> TorchTarget:
    known = Declaration(shape=SHAPE, preprocessing=Preprocessing(), layer=layer, **declared)
    found = load_target((module or Small()).eval().requires_grad_(False), known)
    assert isinstance(found, TorchTarget)
    return found


def noise(n: int) -> Images:
    return quantise(Stream(0, "layers/noise", 0).uniform32(n, *SHAPE))


@pytest.mark.parametrize("layer", ["stem", "act", "pair", "head"])
def test_features_are_what_the_layer_gave(layer: str) -> None:
    target, images, net = target_of(layer), noise(5), Small().eval()
    with torch.inference_mode():
        told, stem = target.judge(images), net.stem(images)
        act = stem.clone().relu().flatten(1)
        wanted = {"stem": stem.flatten(1), "act": act, "pair": act, "head": net.head(act)}[layer]
        assert torch.equal(told.logits, net(images))
    assert told.features is not None
    assert torch.equal(told.features, wanted)
    assert not any(part._forward_hooks for part in target.module.modules())


def test_without_a_layer_there_are_no_features() -> None:
    assert target_of("").judge(noise(2)).features is None
    assert target_of("").fingerprint() != target_of("stem").fingerprint() != target_of("act").fingerprint()


@pytest.mark.usefixtures("unchecked")
@pytest.mark.parametrize("layer", ["stem", "pair"])
def test_a_target_with_features_conforms(layer: str) -> None:
    report = examine_target(target_of(layer))
    assert (report.findings, report.skipped) == ((), ())


@pytest.mark.usefixtures("unchecked")
def test_features_that_depend_on_the_batch_are_found() -> None:
    (first, *_) = examine_target(target_of("beside", Leaky())).findings
    assert "other inputs of its batch" in first or "its place in the batch" in first


def test_of_ten_crops_all_are_in_the_row_of_their_image() -> None:
    ten = Preprocessing(resize=(8, 8), size=(6, 6), crop="ten")
    target = load_target(Small().eval(), Declaration(shape=SHAPE, preprocessing=ten, layer="stem"))
    images = noise(3)
    alone = [target.judge(images[i : i + 1]).features for i in range(3)]
    told = target.judge(images).features
    assert told is not None
    assert told.shape == (3, 10 * 3 * 4 * 4)
    assert torch.allclose(told, torch.cat([one for one in alone if one is not None]), atol=1e-5)


def test_a_judge_passes_them_on_batch_by_batch_and_with_a_slope() -> None:
    target, images = target_of("act"), noise(7)
    judge = Judge(target, JudgeSettings(3))
    wanted = torch.cat([target.judge(images[i : i + 1]).features for i in range(7)])  # type: ignore[misc]
    told = judge.judge(images)
    slope = judge.slope(images, lambda outputs: outputs.features.sum(1).double())  # type: ignore[union-attr]
    for found in (told.features, slope.outputs.features):
        assert found is not None
        assert not found.requires_grad
        assert torch.allclose(found, wanted, atol=1e-5)
    assert bool((slope.gradient != 0).any())


def test_targets_around_it_pass_them_on() -> None:
    target, images = target_of("act"), noise(2)
    wanted = target.judge(images).features
    assert wanted is not None
    around = Surviving(target, tuple(parse_transforms(("shift1",))))
    for other in (LowestOfFive(target), around):
        found = other.judge(images).features
        assert found is not None
        assert torch.equal(found, wanted)


def test_outputs_are_taken_and_joined_with_all_they_hold() -> None:
    whole = Outputs(torch.arange(8.0).reshape(4, 2), -torch.arange(8.0).reshape(4, 2), torch.arange(12.0).reshape(4, 3))
    joined = Outputs.join([whole.take(slice(1)), whole.take(torch.tensor([1, 2, 3]))])
    for name in ("logits", "slack", "features"):
        assert torch.equal(getattr(joined, name), getattr(whole, name))
    bare = Outputs(whole.logits).take(torch.tensor([2]))
    assert (bare.slack, bare.features, bare.logits.tolist()) == (None, None, [[4.0, 5.0]])


def test_a_layer_that_is_not_there_is_refused_with_the_nearest() -> None:
    with pytest.raises(BadInput, match=r"layer: expected one of stem, act, .*; got 'steam'\. Did you mean 'stem'\?"):
        target_of("steam")
    with pytest.raises(TargetError, match="a layer that the network does not ask"):
        target_of("idle")


def test_names_begin_in_the_module_that_was_given(tmp_path: Path) -> None:
    bundled = load_target("lenet-mnist")
    assert isinstance(bundled, TorchTarget)
    some = [name for name, _ in bundled.module.named_modules() if name][-1]
    known = replace(bundled.declared, layer=some)
    assert replace(bundled, declared=known).judge(torch.zeros(2, 1, 28, 28)).features.shape == (2, 10)  # type: ignore[union-attr]
    (tmp_path / "layered.toml").write_text(f'model = "lenet-mnist"\nlayer = "{some}"\n')
    assert load_target(tmp_path / "layered.toml").judge(torch.zeros(2, 1, 28, 28)).features is not None


def test_what_has_no_layers_is_refused() -> None:
    def scores(batch: Any) -> Any:
        return numpy.zeros((len(batch), 3))

    declared = Declaration(shape=SHAPE, preprocessing=Preprocessing(), layer="stem")
    for thing in (scores, target_of("")):
        with pytest.raises(TargetError, match=r"expected no layer: only of a torch module .*; got 'stem'"):
            load_target(thing, declared)
