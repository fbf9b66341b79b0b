"""Hardening: what each recipe teaches, the loop and its resumption, what is counted, and the folder that is left."""

import json
import math
import re
import shutil
from dataclasses import replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import get_args, get_type_hints

import numpy
import pytest
import torch
from made import made_run
from PIL import Image
from small import FACTORY, LABELS, SIDE, bars
from torch import nn

import trompe
from trompe.cli.main import BAD_INPUT, DONE, main
from trompe.core.errors import BadInput, DataError, RunError, TargetError
from trompe.core.numerics import class_log_odds, from_levels, log_odds, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.data import Split
from trompe.data.labelled import load_any, load_folder
from trompe.experiments import retrain_imagenet, retrain_mnist
from trompe.experiments.nouns import Effort, Verdict
from trompe.experiments.runs import pack, unpack
from trompe.experiments.verdicts import judge, settle
from trompe.hardening import (
    KINDS,
    NONE,
    Halfway,
    Keep,
    Loop,
    LowConfidence,
    LowConfidenceAll,
    LowConfidenceFar,
    NegativeClass,
    OutlierExposure,
    Refine,
    Siege,
    as_target,
    besiege,
    class_means,
    count,
    drawn,
    found_images,
    mixed,
    new_network,
    train_by,
)
from trompe.hardening.inner import climbed
from trompe.hardening.negative_class import rounds
from trompe.hardening.recipes import calmness
from trompe.run import open_run
from trompe.settings import GuardKind, HardenSettings
from trompe.targets.architectures import build
from trompe.targets.trained import read_card
from trompe.targets.training import Recipe as Schedule
from trompe.targets.training import batches
from trompe.verbs.harden import hardening

DATA = bars()
SHORT = Schedule(iterations=120, batch=32, rate=0.05)
SIEGE = Siege(("cppn-evolve", "pixels-evolve", "pixels-ascend"), generations=3, population=20)
LOOP = Loop(3, first=18, more=6, held=2, architecture=FACTORY, siege=SIEGE, schedule=SHORT)


@cache
def trained(recipe: str) -> nn.Module:
    """A network of the small kind by each recipe, with one seed."""
    means = class_means(DATA.train)
    chosen = {
        "plain": Refine(DATA.train.images[:1], weight=0.0),
        "outlier-exposure": OutlierExposure(means, weight=2.0),
        "low-confidence": LowConfidence(means, warm=20, steps=4, share=1.0),
        "low-confidence-all": LowConfidenceAll(means, warm=20, steps=8, share=0.5, natural=0.5),
        "low-confidence-far": LowConfidenceFar(means, warm=20, steps=8, share=0.5, natural=1.0, weight=3.0),
    }[recipe]
    module = new_network(DATA, FACTORY, 1)
    for _ in train_by(module, DATA, chosen, SHORT, Stream(1, "test", 0)):
        pass
    return module


def seen(module: nn.Module, images: torch.Tensor) -> float:
    """Mean of the highest probability."""
    with torch.inference_mode():
        return module(images).softmax(1).amax(1).mean().item()


# ---- nonsense


@pytest.mark.parametrize("kind", KINDS)
def test_nonsense_is_within_range_repeats_and_never_twice_the_same(kind):
    means = class_means(DATA.train)
    images = drawn(kind, 12, means, Stream(0, "a", 3))
    assert images.shape == (12, 1, SIDE, SIDE)
    assert images.dtype == torch.float32
    assert 0.0 <= images.amin() <= images.amax() <= 1.0
    assert torch.equal(images, drawn(kind, 12, means, Stream(0, "a", 3)))
    assert not torch.equal(images, drawn(kind, 12, means, Stream(0, "a", 4)))
    assert len(torch.unique(to_levels(images), dim=0)) > 6


def test_nonsense_is_of_the_kinds_that_its_names_say():
    means = class_means(DATA.train)
    images = {kind: drawn(kind, 200, means, Stream(1, "kinds", 0)) for kind in KINDS}
    assert images["near-black"].amax() <= 0.1
    assert images["grey"].flatten(1).std(1).amax() < 0.05
    assert set(images["salt"].unique().tolist()) == {0.0, 1.0}
    assert images["salt"].mean() == pytest.approx(0.15, abs=0.03)
    assert images["uniform"].mean() == pytest.approx(0.5, abs=0.01)
    step = {kind: images[kind].diff(dim=3).abs().mean().item() for kind in ("low-frequency", "blocks", "uniform")}
    assert step["low-frequency"] < step["uniform"]
    assert (images["blocks"].diff(dim=3) == 0.0).float().mean() > 0.1
    faint = images["class-mean"].flatten(1).unsqueeze(1) - 0.3 * means.flatten(1)
    assert faint.amin(2).amax(1).amin() >= -1e-6  # above 0.3 of some class's mean, by noise
    assert faint.amax(2).amin(1).amax() <= 0.1 + 1e-6


def test_a_mixture_has_as_many_of_each_kind_and_of_the_other_data():
    other = Split(torch.full((5, 1, SIDE, SIDE), 77, dtype=torch.uint8), torch.zeros(5, dtype=torch.int64))
    means = class_means(DATA.train)
    found = mixed(18, means, Stream(0, "b", 0), other)
    assert len(found) == 18
    assert int((to_levels(found) == 77).flatten(1).all(1).sum()) == 2
    assert len(mixed(3, means, Stream(0, "b", 0))) == 3


def test_means_are_of_each_class():
    means = class_means(DATA.train)
    own = DATA.train.images[DATA.train.classes == 2].to(torch.float64).mean(0) / 255.0
    assert torch.allclose(means[2].to(torch.float64), own, atol=1e-6)


# ---- what a batch costs


def test_an_even_answer_is_the_calmest():
    assert calmness(torch.zeros(4, 5)).item() == pytest.approx(math.log(5), rel=1e-6)
    logits = 3.0 * Stream(0, "calm", 0).uniform32(6, 5)
    even = torch.full((6, 5), 0.2)
    assert calmness(logits).item() == pytest.approx(nn.functional.cross_entropy(logits, even).item(), rel=1e-5)
    assert calmness(logits) > calmness(torch.zeros(1, 5))


def test_the_inner_attack_climbs_on_the_grid_and_leaves_the_network_as_it_was():
    module = build("small:normed", 3, 0)
    module.train()
    before = {name: value.clone() for name, value in module.state_dict().items()}
    images, classes = Stream(0, "inner", 0).uniform32(9, 1, SIDE, SIDE), torch.arange(9) % 3
    ends = [climbed(module, images, classes, steps) for steps in (0, 2, 8)]
    assert module.training
    assert all(value.grad is None for value in module.parameters())
    assert all(torch.equal(before[name], value) for name, value in module.state_dict().items())
    module.eval()
    odds = [class_log_odds(module(end), classes).mean().item() for end in ends]
    assert odds == sorted(odds)
    assert odds[0] < odds[2]
    assert torch.equal(to_levels(ends[0]), to_levels(images))
    assert all(torch.equal(end, from_levels(to_levels(end))) for end in ends)
    assert not ends[2].requires_grad


def test_negatives_are_a_class_after_the_last():
    lesson = NegativeClass(DATA.test.images[:4]).lesson(DATA.train)
    assert len(lesson) == len(DATA.train) + 4
    assert lesson.classes[-4:].tolist() == [3] * 4
    assert torch.equal(lesson.images[-4:], DATA.test.images[:4])
    assert torch.equal(lesson.classes[:-4], DATA.train.classes)


def test_each_recipe_costs_the_batch_and_what_it_adds():
    module, means = new_network(DATA, FACTORY, 0), class_means(DATA.train)
    images, classes = from_levels(DATA.train.images[:8]), DATA.train.classes[:8]
    own = nn.functional.cross_entropy(module(images), classes)
    stream = Stream(3, "loss", 600)
    found = DATA.choose.images[:3]
    climbing = (LowConfidence(means), LowConfidenceAll(means), LowConfidenceFar(means))
    for recipe in (OutlierExposure(means), *climbing, Refine(found)):
        with_nonsense = recipe.loss(module, images, classes, stream)
        without = replace(recipe, weight=0.0).loss(module, images, classes, stream)
        assert without.item() == pytest.approx(own.item(), rel=1e-5)
        assert (with_nonsense - without).item() >= recipe.weight * math.log(3) - 1e-5
        assert torch.equal(with_nonsense, recipe.loss(module, images, classes, stream))
    assert NegativeClass(found).loss(module, images, classes, stream).item() == own.item()
    early = Stream(3, "loss", LowConfidence.warm - 1)
    for recipe in climbing:
        assert recipe.loss(module, images, classes, early).item() == own.item()


def test_outlier_exposure_calms_noise_and_keeps_what_it_knows():
    noise = drawn("uniform", 100, class_means(DATA.train), Stream(9, "held", 0))
    assert seen(trained("outlier-exposure"), noise) < 0.5 < 0.6 < seen(trained("plain"), noise)
    for recipe in ("plain", "outlier-exposure"):
        assert count(trained(recipe), DATA.test, 3).accuracy > 0.95


def test_low_confidence_holds_out_longer_against_the_same_climb():
    starts = mixed(70, class_means(DATA.train), Stream(10, "held", 0))
    classes = torch.arange(70) % 3
    reached = {}
    for recipe in ("plain", "outlier-exposure", "low-confidence"):
        module = trained(recipe)
        odds = class_log_odds(module(climbed(module, starts, classes, 3)), classes)
        reached[recipe] = odds.median().item()
    assert reached["low-confidence"] < 0.0 < 3.0 < reached["plain"]
    assert reached["low-confidence"] < reached["outlier-exposure"] - 0.1
    assert count(trained("low-confidence"), DATA.test, 3).accuracy > 0.9


def test_low_confidence_in_all_is_calm_about_other_classes_made_to_look_like_one_too():
    """Natural images climbed to a class that they are not of: noise alone does not teach that."""
    images, others = from_levels(DATA.test.images), (DATA.test.classes + 1) % 3
    believed = {}
    for recipe in ("plain", "low-confidence", "low-confidence-all", "low-confidence-far"):
        module = trained(recipe)
        said = module(climbed(module, images, others, 15)).softmax(1)
        believed[recipe] = said.gather(1, others.unsqueeze(1)).mean().item()
    for recipe in ("low-confidence-all", "low-confidence-far"):
        assert believed[recipe] < 0.6 < believed["low-confidence"] < 0.9 < believed["plain"]
        assert count(trained(recipe), DATA.test, 3).accuracy > 0.9


def test_natural_images_that_keep_their_class_while_near_leave_the_network_sure_of_them():
    images = from_levels(DATA.test.images)
    assert seen(trained("low-confidence-far"), images) > 0.9 > 0.85 > seen(trained("low-confidence-all"), images)


def test_natural_images_are_climbed_towards_a_class_that_is_not_theirs():
    means, stream = class_means(DATA.train), Stream(3, "loss", 600)
    images, classes = from_levels(DATA.train.images[:20]), DATA.train.classes[:20]
    recipe = LowConfidenceAll(means, share=0.2, faint=0.1, natural=0.5)
    starts, towards = recipe.starts(images, classes, stream)
    assert len(starts) == len(towards) == 4 + 2 + 10
    assert torch.equal(starts[-10:], images[:10])
    assert bool((towards[-10:] != classes[:10]).all())
    assert 0.0 < starts[4:6].max().item() <= 0.05
    assert set(towards.tolist()) <= {0, 1, 2}


def test_a_natural_image_keeps_its_class_by_how_near_it_stayed_and_noise_has_none():
    recipe = LowConfidenceFar(class_means(DATA.train), radius=0.2, power=2.0)
    starts = torch.full((4, *DATA.train.images.shape[1:]), 0.5)
    moved = starts.clone()
    moved[2, 0, 0, 0] += 0.1  # half of the radius: a quarter is left
    moved[3, 0, 0, 0] -= 0.3
    answers = recipe.answers(moved, starts, torch.tensor([0, 1, 2]))
    third = 1.0 / 3.0
    expected = [[third] * 3, [1.0, 0.0, 0.0], [0.25, 0.5, 0.25], [third] * 3]
    assert answers.tolist() == [pytest.approx(row, abs=1e-6) for row in expected]


def test_an_image_with_a_share_of_the_step_takes_a_share_of_it():
    module = trained("plain")
    images, classes = torch.full((2, *DATA.train.images.shape[1:]), 0.5), torch.zeros(2, dtype=torch.int64)
    moved = (climbed(module, images, classes, 1, torch.tensor([1.0, 0.2])) - images).abs().amax((1, 2, 3)) * 255.0
    assert moved.tolist() == pytest.approx([25.5, 5.1], abs=1.0)


# ---- counting


class Told(nn.Module):
    """Says what it is told to, by the first value of an image."""

    def __init__(self, logits: torch.Tensor) -> None:
        super().__init__()
        self.logits = logits

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.logits[(images[:, 0, 0, 0] * 255).round().long()]


def test_counts_agree_with_a_loop_and_none_is_no_answer():
    n = 60
    logits = 12.0 * Stream(0, "told", 0).uniform32(n, 4) - 3.0
    images = torch.arange(n, dtype=torch.uint8).reshape(n, 1, 1, 1).expand(n, 1, 2, 2).contiguous()
    data = Split(images, Stream(0, "told", 1).integers(n, 3))
    found = count(Told(logits), data, 3)
    right = accepted = both = sure = 0
    for row, true in zip(logits.tolist(), data.classes.tolist(), strict=True):
        named = max(range(3), key=lambda c: row[c])
        lets = row[3] < row[named]
        odds = row[named] - math.log(math.fsum(math.exp(z) for i, z in enumerate(row) if i != named))
        right, accepted, both = right + (named == true), accepted + lets, both + (lets and named == true)
        sure += lets and odds >= math.log(0.99 / 0.01)
    assert (found.images, found.right, found.accepted, found.accepted_and_right, found.sure) == (
        n, right, accepted, both, sure,
    )  # fmt: skip
    assert 0 < both < accepted < n
    assert sure
    assert found.accuracy_of_accepted == both / accepted
    assert found.describe()["coverage"] == accepted / n


def test_where_nothing_is_accepted_the_share_of_it_is_said_not_to_be_measured():
    data = Split(torch.zeros(2, 1, 2, 2, dtype=torch.uint8), torch.zeros(2, dtype=torch.int64))
    found = count(Told(torch.tensor([[0.0, 1.0, 5.0]])), data, 2)
    assert found.coverage == 0.0
    assert found.accuracy_of_accepted is None
    assert found.describe()["accuracy_of_accepted"] == {"not_measured": "nothing was accepted"}


# ---- the loop


@cache
def whole() -> tuple:
    """Three rounds without a break."""
    return tuple(rounds(DATA, LOOP, seed=5))


def test_each_network_learns_what_fooled_those_before_it():
    found = whole()
    assert [each.number for each in found] == [1, 2, 3]
    assert [each.negatives for each in found] == [0, 18, 24]
    assert [each.tests for each in found] == [0, 9, 12]  # half as many are held back here
    assert [len(each.attack) for each in found] == [5, 2, 2]  # 27 images of 6 a run, then 9
    assert [each.module.net[3].out_features for each in found] == [3, 4, 4]
    assert found[0].counts.coverage == 1.0
    assert all(each.counts.accepted_and_correct > 0.9 for each in found)
    assert found[2].refused > 6  # of twelve that it never saw


def test_an_attack_keeps_what_it_says_and_half_of_it_is_from_the_beginning():
    first = whole()[0]
    attack, target = first.attack, as_target("again", first.module, DATA, none=False)
    assert attack.first.shape == attack.last.shape == (5, 3, 1, SIDE, SIDE)
    odds = log_odds(target.judge(from_levels(attack.last.flatten(0, 1))).logits).reshape(5, 3, 3)
    assert torch.allclose(odds.diagonal(dim1=1, dim2=2), attack.log_odds, atol=1e-4)
    begun = log_odds(target.judge(from_levels(attack.first.flatten(0, 1))).logits).reshape(5, 3, 3)
    assert bool((begun.diagonal(dim1=1, dim2=2) <= attack.log_odds + 1e-4).all())
    images = attack.images()
    assert torch.equal(images[:3], attack.first[0])
    assert torch.equal(images[3:6], attack.last[0])
    assert torch.equal(images[6:9], attack.first[1])
    assert int(attack.evaluations.amax()) <= 80


def test_the_class_for_none_is_neither_attacked_nor_refuses_within_the_loop():
    second = whole()[1]
    target = as_target("second", second.module, DATA, none=True, abstains=False)
    assert target.judge(torch.zeros(1, 1, SIDE, SIDE)).slack is None
    run = next(besiege(target, 3, SIEGE, 1, Stream(0, "x", 0)))
    assert run.log_odds.shape == (1, 3)
    guarded = as_target("second", second.module, DATA, none=True)
    assert guarded.labels[-1] == guarded.declared.abstain == NONE
    slack = guarded.judge(from_levels(DATA.test.images)).slack
    assert slack is not None
    assert count(second.module, DATA.test, 3).accepted == int((slack[:, :3].amax(1) > 0).sum())


def test_an_attack_ends_once_every_class_is_there():
    target = as_target("plain", trained("plain"), DATA, none=False)
    enough = replace(SIEGE, makers=("pixels-evolve",), goal=0.2, generations=30)
    (run,) = besiege(target, 3, enough, 1, Stream(0, "x", 0))
    assert int(run.evaluations) < 31 * 20
    assert bool((run.log_odds >= math.log(0.2 / 0.8)).all())


def same(one, other) -> bool:
    weights = zip(one.module.state_dict().values(), other.module.state_dict().values(), strict=True)
    attacks = zip(vars(one.attack).values(), vars(other.attack).values(), strict=True)
    told = (one.number, one.negatives, one.tests, one.refused, one.counts)
    return told == (other.number, other.negatives, other.tests, other.refused, other.counts) and all(
        torch.equal(a, b) for a, b in [*weights, *attacks]
    )


def test_a_loop_that_was_broken_off_goes_on_to_the_same_bits(tmp_path):
    begun = rounds(DATA, LOOP, 5, Keep.open(tmp_path, LOOP.describe(), resume=False))
    next(begun)
    next(begun)  # the second network is being trained when it is let go
    begun.close()
    assert sorted(path.name for path in (tmp_path / "rounds").iterdir()) == ["001", "002"]
    (tmp_path / "rounds" / ".003.part").mkdir()  # what a kill leaves
    again = list(rounds(DATA, LOOP, 5, Keep.open(tmp_path, LOOP.describe(), resume=True)))
    assert all(same(one, other) for one, other in zip(again, whole(), strict=True))
    read = list(rounds(DATA, LOOP, 5, Keep.open(tmp_path, LOOP.describe(), resume=True)))
    assert all(same(one, other) for one, other in zip(read, whole(), strict=True))


@pytest.mark.parametrize("recipe", ["low-confidence-all", "outlier-exposure"])
def test_a_training_that_was_broken_off_goes_on_to_the_same_bits(recipe, tmp_path, monkeypatch):
    monkeypatch.setattr(Halfway, "seconds", 0.0)
    whole_one = trompe.harden(**options(tmp_path, "whole", recipe))
    begun = hardening(HardenSettings(**options(tmp_path, "cut", recipe)))
    assert [next(begun).done for _ in range(8)][-1] == 7
    begun.close()
    with pytest.raises(RunError, match="Go on with --resume"):
        trompe.harden(**options(tmp_path, "cut", recipe))
    with pytest.raises(RunError, match="other values of seed"):
        trompe.harden(**{**options(tmp_path, "cut", recipe), "seed": 9}, resume=True)
    rest = hardening(HardenSettings(**options(tmp_path, "cut", recipe), resume=True))
    assert [next(rest).done for _ in range(2)] == [0, 8]
    rest.close()
    cut = trompe.harden(**options(tmp_path, "cut", recipe), resume=True)
    assert cut.target().fingerprint() == whole_one.target().fingerprint()
    left = sorted(path.name for path in (tmp_path / "cut").iterdir())
    assert left == sorted(path.name for path in (tmp_path / "whole").iterdir())


@pytest.mark.parametrize("recipe", ["low-confidence", "negative-class"])
def test_a_training_does_not_go_on_with_other_images(recipe, tmp_path):
    begun = hardening(HardenSettings(**options(tmp_path, "cut", recipe)))
    next(begun)
    begun.close()
    shutil.rmtree(tmp_path / "data")
    write_folder(tmp_path / "data", 50)
    with pytest.raises(RunError, match="other values of images"):
        trompe.harden(**options(tmp_path, "cut", recipe), resume=True)


def test_fewer_images_than_a_batch_are_a_batch():
    drawn = batches(20, 64, 0)
    for _ in range(3):
        assert sorted(next(drawn).tolist()) == list(range(20))
    assert [len(rows) for rows, _ in zip(batches(20, 8, 0), range(5), strict=False)] == [8] * 5


def test_the_fingerprint_of_images_counts_every_class_and_image():
    images, classes = torch.zeros(3, 1, 2, 2, dtype=torch.uint8), torch.tensor([0, 1, 1])
    other = images.clone()
    other[2, 0, 1, 1] = 1
    splits = (Split(images, classes), Split(other, classes), Split(images, torch.tensor([0, 1, 0])))
    assert len({split.fingerprint() for split in splits}) == 3
    assert Split(images.clone(), classes.clone()).fingerprint() == splits[0].fingerprint()


def test_a_training_that_was_only_not_written_is_written_by_resume(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(Halfway, "seconds", 0.0)
    begun = hardening(HardenSettings(**options(tmp_path, "cut", "low-confidence")))
    assert [next(begun).done for _ in range(61)][-1] == 60
    begun.close()
    words = ["harden", "--recipe", "low-confidence", "--data", str(tmp_path / "data"), "--architecture", FACTORY]
    assert main([*words, "--iterations", "60", "--out", str(tmp_path / "cut"), "--resume", "--quiet"]) == DONE
    assert "accepted and correct" in capsys.readouterr().out


def test_weights_that_nothing_is_learnt_of_are_no_reason_to_stop(tmp_path):
    """A head beside the one that is trained has no momentum."""
    used, idle = nn.Linear(2, 2), nn.Linear(2, 2)
    module = nn.ModuleList([used, idle])
    optimiser = torch.optim.SGD(module.parameters(), lr=0.1, momentum=0.9)
    used(torch.ones(1, 2)).sum().backward()
    optimiser.step()
    halfway = Halfway(tmp_path)
    halfway.seconds = 0.0
    halfway.keep(3, module, optimiser)
    again = nn.ModuleList([nn.Linear(2, 2), nn.Linear(2, 2)])
    other = torch.optim.SGD(again.parameters(), lr=0.1, momentum=0.9)
    assert Halfway(tmp_path).restore(again, other) == 3
    assert torch.equal(again[0].weight, used.weight)
    assert torch.equal(other.state[again[0].weight]["momentum_buffer"], optimiser.state[used.weight]["momentum_buffer"])
    assert "momentum_buffer" not in other.state[again[1].weight]


def test_a_damaged_half_of_a_training_is_one_error(tmp_path, monkeypatch):
    monkeypatch.setattr(Halfway, "seconds", 0.0)
    begun = hardening(HardenSettings(**options(tmp_path, "cut", "low-confidence")))
    next(begun)
    begun.close()
    (tmp_path / "cut" / "halfway.safetensors").write_bytes(b"half of it")
    with pytest.raises(RunError, match=r"a training halfway; got .*Delete the file; it begins again"):
        trompe.harden(**options(tmp_path, "cut", "low-confidence"), resume=True)


def test_another_seed_is_another_loop():
    other = next(rounds(DATA, LOOP, seed=6))
    assert not same(other, whole()[0])


def test_rounds_on_disk_are_not_mixed_up(tmp_path):
    Keep.open(tmp_path, LOOP.describe(), resume=True)
    with pytest.raises(RunError, match="Go on with --resume"):
        Keep.open(tmp_path, LOOP.describe(), resume=False)
    with pytest.raises(RunError, match="other values of first"):
        Keep.open(tmp_path, replace(LOOP, first=19).describe(), resume=True)
    keep = Keep(tmp_path)
    assert keep.read(1, lambda: new_network(DATA, FACTORY, 0)) is None
    (tmp_path / "rounds" / "001").mkdir()
    with pytest.raises(RunError, match="expected a whole round"):
        keep.read(1, lambda: new_network(DATA, FACTORY, 0))
    (tmp_path / "harden.json").write_text("{")
    with pytest.raises(RunError, match="settings of a hardening"):
        Keep.open(tmp_path, LOOP.describe(), resume=True)


def test_the_paper_s_sizes_are_the_loop_s_own():
    assert [Loop().wanted(number) for number in (1, 2, 14)] == [(6000, 1000), (1000, 166), (1000, 166)]
    assert Loop(held=0).wanted(1) == (6000, 0)
    assert Loop().networks == 15
    with pytest.raises(BadInput, match="at least one network"):
        Loop(networks=0)


# ---- images that were found


def test_found_images_are_those_kept_each_once_and_no_readable_ones(tmp_path):
    data = replace(DATA, train=Split(torch.zeros(2, 1, 6, 6, dtype=torch.uint8), torch.tensor([0, 1])))
    run = made_run(tmp_path / "run", LABELS, ImageSpec(1, 6, 6))
    kept = [each for record in run.classes for each in record.kept() if each.confidence >= 0.5]
    found = found_images([run.folder, run.folder], data)
    wanted = torch.unique(torch.stack([each.levels for each in kept]), dim=0)
    assert torch.equal(found, wanted)
    readable = run.classes[0].strongest
    read_run = replace(
        open_run(run.folder), measured={"readers": {"reads": [[0, 0, 0.0, [LABELS[0]]], [0, 1, 0.0, ["none"]]]}}
    )
    from trompe.hardening.found import _kept

    fewer = _kept(read_run, (1, 6, 6), 0.5)
    assert len(fewer) == len(kept) - 1
    others = [each.levels for each in kept if each is not readable]
    assert len(fewer) == len(others)
    with pytest.raises(BadInput, match="expected images of shape"):
        found_images([run.folder], DATA)
    with pytest.raises(BadInput, match="that no reader could read"):
        found_images([run.folder], data, level=1.0 - 1e-15)


# ---- a folder of images


def write_folder(folder: Path, per_class: int = 10, labels=LABELS) -> Path:
    for c, label in enumerate(labels):
        (folder / label).mkdir(parents=True)
        rows = DATA.train.images[DATA.train.classes == c][:per_class]
        for i, levels in enumerate(rows):
            Image.fromarray(levels[0].numpy()).save(folder / label / f"{i:03d}.png")
    return folder


def test_a_folder_of_folders_is_split_once_and_for_all(tmp_path):
    data = load_folder(write_folder(tmp_path / "a", 20))
    assert data.labels == tuple(sorted(LABELS))
    parts = (data.train, data.choose, data.test)
    assert [len(part) for part in parts] == [48, 6, 6]
    assert all(set(part.classes.tolist()) == {0, 1, 2} for part in parts)
    together = torch.cat([part.images for part in parts])
    assert together.shape[1:] == (1, SIDE, SIDE)
    assert len(torch.unique(together, dim=0)) == 60
    again = load_any(str(tmp_path / "a"))
    assert all(
        torch.equal(one.images, two.images)
        for one, two in zip(parts, (again.train, again.choose, again.test), strict=True)
    )
    assert load_any(str(tmp_path / "a"), (3, 5, 6)).test.images.shape[1:] == (3, 5, 6)


def test_folders_that_cannot_be_learnt_from_are_refused(tmp_path):
    with pytest.raises(BadInput, match="at least two folders"):
        load_folder(write_folder(tmp_path / "one", labels=LABELS[:1]))
    with pytest.raises(BadInput, match=r"--images .*at least two folders"):  # before anything of the page is measured
        retrain_imagenet.units(Effort(images=tmp_path / "one"), range(1))
    with pytest.raises(BadInput, match="fewer of below, left, right"):
        load_folder(write_folder(tmp_path / "few", 2))
    grey = write_folder(tmp_path / "grey", 3)
    for path in grey.rglob("*.png"):
        Image.new("L", (4, 4), 90).save(path)
    with pytest.raises(BadInput, match="one grey everywhere"):
        load_folder(grey)
    with pytest.raises(BadInput, match=r"Did you mean 'mnist'"):
        load_any("mnits")
    bare = tmp_path / "bare"
    (bare / "a").mkdir(parents=True)
    (bare / "b").mkdir()
    with pytest.raises(BadInput, match=r"--images .*: expected at least 3 images of each class; got fewer of a, b"):
        load_folder(bare, option="--images")
    with pytest.raises(DataError, match="a folder that can be read"):
        load_folder(tmp_path / "nowhere")
    for place in ("a/x.png", "a/y.png", "a/z.png", "b/x.png", "b/y.png", "b/z.png"):
        (bare / place).write_bytes(b"no image")
    with pytest.raises(DataError, match="can be read"):
        load_folder(bare)


# ---- networks of one's own


def test_a_factory_draws_the_same_weights_for_the_same_seed_and_leaves_the_generator_alone():
    torch.manual_seed(3)
    before = torch.get_rng_state()
    one, two, three = (build(FACTORY, 4, seed) for seed in (0, 0, 1))
    assert torch.equal(before, torch.get_rng_state())
    assert torch.equal(one[1].weight, two[1].weight)
    assert not torch.equal(one[1].weight, three[1].weight)
    assert one[3].out_features == 4
    with pytest.raises(BadInput, match="Did you mean 'lenet'"):
        build("lenett", 3, 0)
    with pytest.raises(TargetError, match="No module named 'nowhere'"):
        build("nowhere:net", 3, 0)
    with pytest.raises(TargetError, match="got tuple"):
        build("small:_pair", 3, 0)


def test_a_label_that_is_the_name_for_none_is_refused():
    with pytest.raises(BadInput, match="Rename that folder"):
        new_network(replace(DATA, labels=("a", "b", NONE)), FACTORY, 0, none=True)


# ---- the command


def options(tmp_path: Path, name: str, recipe: str, **more: object) -> dict:
    if not (tmp_path / "data").exists():
        write_folder(tmp_path / "data", 60)
    fixed = {"data": str(tmp_path / "data"), "architecture": FACTORY, "iterations": 60, "out": tmp_path / name}
    return {"recipe": recipe, **fixed, **more}


def test_a_hardened_network_is_a_target_with_a_class_that_refuses(tmp_path):
    settings = options(tmp_path, "net", "negative-class", rounds=1, negatives=12, generations=2)
    found = trompe.harden(**settings)
    card = read_card(tmp_path / "net")
    assert card == found.card
    assert card.abstain == card.labels[-1] == NONE
    assert card.hardened["recipe"] == "negative-class"
    assert "Nguyen 2015" in card.hardened["manner"]
    assert card.hardened["test"] == found.test.describe()
    assert card.hardened["negatives"] == 12
    assert [each["round"] for each in card.hardened["rounds"]] == [1, 2]
    assert card.test_errors == found.test.images - found.test.accepted_and_right
    assert "--rounds 1 --negatives 12 --generations 2" in card.command
    with pytest.raises(TargetError, match=f"add --trust {FACTORY}"):
        trompe.load_target(str(tmp_path / "net"))
    run = trompe.fool(
        str(tmp_path / "net"), by="ascend", generations=3, trust=(FACTORY,), out=tmp_path / "run"
    )  # fmt: skip
    assert run.labels_that_count == tuple(sorted(LABELS))
    assert found.target().fingerprint() == run.about.target["fingerprint"]
    with pytest.raises(BadInput, match="a folder without a network"):
        trompe.harden(**settings)


@pytest.mark.parametrize("recipe", [NegativeClass, OutlierExposure, LowConfidence, LowConfidenceAll, LowConfidenceFar])
def test_a_reduced_method_says_whose_it_is_like_and_in_what_it_is_less(recipe):
    """What is told with every network: never the published method's name alone."""
    like, _, less = recipe.manner.partition(": ")
    assert like.startswith("in the manner of ")
    assert like.endswith(", reduced") or less.partition("; differs: ")[2]
    assert less


def test_no_recipe_and_no_guard_has_the_name_of_a_method_that_it_is_not():
    recipes = get_args(get_type_hints(HardenSettings)["recipe"])
    reduced = (OutlierExposure, LowConfidence, LowConfidenceAll, LowConfidenceFar)
    said = " ".join([*recipes, *get_args(GuardKind), *(recipe.manner for recipe in reduced)])
    assert {"ACET", "CCAT", "GOOD", "OE", "ODIN", "ABS"}.isdisjoint(re.findall(r"\w+", said.upper()))


def test_every_other_recipe_leaves_a_target_and_repeats(tmp_path):
    first = trompe.harden(**options(tmp_path, "a", "outlier-exposure"))
    again = trompe.harden(**options(tmp_path, "b", "outlier-exposure"))
    assert first.target().fingerprint() == again.target().fingerprint()
    assert first.card.abstain == ""
    assert first.card.hardened["others"] == 0
    assert first.test.coverage == 1.0
    low = trompe.harden(**options(tmp_path, "c", "low-confidence"))
    assert low.card.hardened["warm"] == 15
    assert "ACET" not in json.dumps(vars(low.card))
    assert "reduced" in low.card.hardened["manner"]
    run = trompe.fool(str(tmp_path / "a"), by="ascend", generations=8, trust=(FACTORY,), out=tmp_path / "run")
    refined = trompe.harden(**options(tmp_path, "d", "refine", runs=(run.folder,)))
    assert refined.card.hardened["sources"] == ["run"]
    assert refined.card.hardened["found"] >= 1
    assert len({net.target().fingerprint() for net in (first, low, refined)}) == 3


def test_the_command_goes_on_and_says_what_it_costs(tmp_path, capsys):
    settings = options(tmp_path, "net", "negative-class")
    words = ["harden", "--recipe", "negative-class", "--data", settings["data"], "--architecture", FACTORY]
    words += ["--iterations", "30", "--rounds", "1", "--negatives", "6", "--generations", "1", "--quiet"]
    assert main([*words, "--out", str(tmp_path / "net")]) == DONE
    said = capsys.readouterr().out
    assert "accepted and correct" in said
    assert f"target                {tmp_path / 'net'}" in said
    before = trompe.targets.trained.load_trained(tmp_path / "net", "x", (FACTORY,)).fingerprint()
    (tmp_path / "net" / "card.json").unlink()  # killed before the end
    assert main([*words, "--out", str(tmp_path / "net")]) == BAD_INPUT
    assert "--resume" in capsys.readouterr().err
    assert main([*words, "--out", str(tmp_path / "net"), "--resume", "--json"]) == DONE
    assert json.loads(capsys.readouterr().out)["hardened"]["recipe"] == "negative-class"
    assert trompe.targets.trained.load_trained(tmp_path / "net", "x", (FACTORY,)).fingerprint() == before


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"recipe": "outlier-exposure", "rounds": 2}, "no --rounds with --recipe outlier-exposure"),
        ({"recipe": "refine"}, "expected --runs"),
        ({"recipe": "low-confidence", "outliers": "mnist"}, "it is for outlier-exposure"),
        ({"recipe": "negative-class", "negatives": 0}, "--negatives: expected a number of at least 1"),
        ({"recipe": "low-confidence", "iterations": 0}, "--iterations: expected a number of at least 1"),
    ],
)
def test_settings_that_do_not_go_together_are_refused_before_anything_is_written(more, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        trompe.harden(**{"out": tmp_path / "net", **more})
    assert not (tmp_path / "net").exists()


def test_losses_fall_and_progress_reaches_its_end(tmp_path):
    from trompe.settings import HardenSettings
    from trompe.verbs.harden import hardening

    settings = HardenSettings(
        **options(tmp_path, "net", "negative-class", rounds=1, negatives=6, generations=1, iterations=20)
    )
    told = list(hardening(settings))
    assert all(one.done <= two.done for one, two in pairwise(told))
    assert len({each.total for each in told}) == 1
    assert told[-1].done == told[-1].total


# ---- the experiments that stand on the loop


def loop_data(last: float, error: float, refused: float) -> dict:
    """What fifteen rounds would look like."""
    sizes = {"natural": 50_000, "natural_tests": 10_000, "images": pack(torch.zeros(10, 1, 28, 28, dtype=torch.uint8))}
    first = {"number": 1, "negatives": 0, "tests": 0, "error": 0.01, "error_with_none": 0.01, "refused": None}
    numbers = {"median": 12.0, "highest": 14.0, "reached": 1.0, "runs": 350, "evaluations": [6200, 10_200]}
    later = [
        {**first, **sizes, **numbers, "number": n, "error": error, "refused": refused, "median": last,
         "highest": last + 1.0, "negatives": 4000 + 1000 * n, "tests": 668 + 166 * n}
        for n in range(2, 16)
    ]  # fmt: skip
    return {"rounds": [{**first, **sizes, **numbers}, *later], "generations": 50}


def stays(loops: int) -> dict:
    """Loops after which the networks are as certain and as good as before."""
    certain = math.log(9999.0)
    return {f"loop-{i}": loop_data(certain + i, 0.0101 + 1e-4 * i, 0.99 + 5e-4 * i) for i in range(loops)}


def falls(loops: int) -> dict:
    """Loops after which they are neither."""
    return {f"loop-{i}": loop_data(-3.0 + 0.1 * i, 0.05 + 1e-3 * i, 0.5 + 0.01 * i) for i in range(loops)}


def outcomes(data: dict) -> list[Verdict]:
    """As they come out on a page of this experiment."""
    found = retrain_mnist.measure(data, Effort())
    return settle([judge(claim, found[claim.name]) for claim in retrain_mnist.CLAIMS])


@pytest.mark.parametrize(("data", "wanted"), [(stays, "reproduces"), (falls, "does not reproduce")])
def test_retraining_is_judged_by_its_last_network(data, wanted):
    """Twelve loops decide; three have intervals that would, and are too few."""
    assert [one.outcome for one in outcomes(data(12))[:4]] == [wanted] * 4
    three = retrain_mnist.measure(data(3), Effort())
    assert [judge(claim, three[claim.name]).outcome for claim in retrain_mnist.CLAIMS[:4]] == [wanted] * 4
    fooled, *others = outcomes(data(3))
    assert fooled.outcome == wanted
    for one in others:
        assert one.outcome == "undecided"
        assert one.reason.endswith("; 3 trained models cannot decide: its p-value cannot fall below 0.25")
        assert str(one).endswith("; on 3 loops of LeNets and MNIST")


def test_a_fall_of_the_last_network_is_found():
    assert outcomes(falls(12))[4].outcome == "holds"
    assert retrain_mnist.measure(falls(1), Effort())["harder"].values == (15.0,)


def test_a_retraining_says_whose_budget_it_is_below():
    whole = stays(1)["loop-0"]
    two, brief = {**whole, "rounds": whole["rounds"][:2]}, {"generations": 3}
    said = {}
    for name, one in (("whole", whole), ("two", two), ("brief", whole | brief), ("both", two | brief)):
        median = retrain_mnist.measure({"a": one, "b": one}, Effort())["median"]
        said[name] = judge(retrain_mnist.CLAIMS[1], median).reason
    assert "budget" not in said["whole"]
    assert said["two"] == "budget below the paper's: 2 of 15 networks"
    assert said["brief"] == "budget below the plan's: 3 of 50 generations"
    assert said["both"] == "budget below the paper's: 2 of 15 networks, and 3 of 50 generations planned here"


def test_table_s1_stands_beside_ours_and_every_network_is_drawn():
    table, _, _, grid, last = retrain_mnist.figures(stays(3))
    for words in (
        "network 1: 60,000, 50,000 + 0, 10,000, 10,000 + 0, 0.94 %, 1.00 %, 0.94 %, 1.00 %, 99.99 %",
        "network 4: 68,000, 50,000 + 8,000, 11,332, 10,000 + 1,332, 0.89 %, 1.00 %, 0.83 %, 1.02 %",
        "network 15: 79,000, 50,000 + 19,000, 13,158, 10,000 + 3,158, 0.79 %, 1.00 %, 0.95 %",
        "99.15 %, 99.996 %, 6,200 to 10,200.",
    ):
        assert words in table.text
    assert (grid.markup.count("<img"), last.markup.count("<img")) == (150, 30)


def test_the_stand_in_keeps_the_paper_s_proportions():
    small = retrain_imagenet.few(DATA, 7)
    assert small.train.classes.bincount().tolist() == [7, 7, 7]
    assert torch.equal(small.test.images, DATA.test.images)
    assert retrain_imagenet.network(11)(torch.zeros(2, 1, 28, 28)).shape == (2, 11)
    pair = {"loop-0": {"rounds": [{"median": 2.0, "error": 0.1}, {"median": -1.5, "error": 0.11}], "generations": 50}}
    found = retrain_imagenet.measure(pair, Effort())
    assert found["falls"].values == (3.5,)
    assert found["low"].values == (-1.5,)
    assert found["accuracy"].values == pytest.approx((0.01,))
    lines = {claim.name: claim.line for claim in retrain_imagenet.CLAIMS}
    assert (lines["falls"], lines["low"]) == ("above +0.00 log-odds", "at most 50.0 %")
    brief = retrain_imagenet.measure({"loop-0": {**pair["loop-0"], "generations": 3}}, Effort())["falls"]
    assert (found["falls"].short, brief.short, brief.planned) == ("", "3 of 50 generations", True)
    assert "no labelled photographs" in found["falls-photographs"].missing
    found = retrain_imagenet.measure(
        pair | {"photographs-1-00": {**pair["loop-0"], "classes": 2, "per_class": 8}}, Effort()
    )
    assert found["falls"].values == found["falls-photographs"].values == (3.5,)
    assert found["falls-photographs"].population == "on 1 small network and 2 classes of 8 photographs that you named"


@pytest.mark.slow
def test_any_folder_of_photographs_can_be_retrained_on(tmp_path):
    noise = numpy.random.default_rng(0)
    for name, least in (("dark", 0), ("light", 128)):
        (tmp_path / "own" / name).mkdir(parents=True)
        for i in range(10):
            picture = noise.integers(least, least + 128, (40, 50, 3), dtype=numpy.uint8)
            Image.fromarray(picture).save(tmp_path / "own" / name / f"{i}.png")
    effort = Effort("quick", seeds=1, images=tmp_path / "own")
    clothes, own = retrain_imagenet.units(effort, range(1))
    assert clothes.name == "loop-00"
    assert own.name.startswith("photographs-")
    data = own.work(tmp_path / "unit")
    assert (data["classes"], data["per_class"], len(data["rounds"])) == (2, 8, 2)
    assert data["rounds"][1]["negatives"] == 56
    assert unpack(data["images"], retrain_imagenet.COLOUR).shape == (2, 3, 64, 64)
