"""Targets: what a torch module must be, what a folder must hold, and that the bundled networks are what they say."""

import copy
import json
import os
import shutil
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny import TINY_LABELS, TINY_SPEC, make_tiny_target
from torch import nn

from trompe import data
from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import from_levels
from trompe.core.specs import ImageSpec
from trompe.search import Judge, JudgeSettings
from trompe.targets import Declaration, TorchTarget, bundled_targets, load_target
from trompe.targets.generative import GENERATIVE
from trompe.targets.trained import load_trained, read_card, read_samples, save_trained
from trompe.targets.training import errors
from trompe.testing import examine_target

GENERATIVE_NAMES = [f"{name}-mnist" for name in GENERATIVE]
NAMES = ["lenet-fashion", "lenet-mnist", "lenet-mnist-b", "mlp-mnist", "softmax-mnist", *GENERATIVE_NAMES]
SLOW = ("lenet-fashion", "lenet-mnist-b", "mlp-mnist", *GENERATIVE_NAMES)


def flat(outputs: int = 4) -> nn.Module:
    return nn.Sequential(nn.Flatten(), nn.Linear(36, outputs)).eval()


class Gives(nn.Module):
    """Whatever it is told to make of its images."""

    def __init__(self, make):
        super().__init__()
        self.make = make

    def forward(self, images):
        return self.make(images)


@pytest.mark.parametrize(
    "make",
    [
        lambda images: {"out": images},
        lambda images: (images, images),
        lambda images: images.mean((1, 2, 3)),
        lambda images: images.nothing,
        lambda images: {}[len(images)],
        lambda images: int(f"{images.ndim} dimensions"),
    ],
)
def test_a_module_that_is_no_classifier_is_refused_in_a_line(make):
    with pytest.raises(TargetError, match=r"expected .*; got "):
        load_target(Gives(make).eval(), Declaration(shape=(1, 6, 6), labels=tuple("abcd"))).judge(
            torch.zeros(2, 1, 6, 6)
        )


def test_a_module_in_training_mode_is_refused():
    """Also where only a part of it is: dropout inside an otherwise still network."""
    module = nn.Sequential(nn.Flatten(), nn.Dropout(), nn.Linear(36, 4)).eval()
    module[1].train()
    with pytest.raises(
        TargetError,
        match=r"^target t: expected a module in evaluation mode; got training mode in 1 and 0 more\. Call \.eval\(\)",
    ):
        TorchTarget("t", module, TINY_SPEC, TINY_LABELS)
    with pytest.raises(TargetError, match="training mode in the module and 3 more"):
        TorchTarget("t", module.train(), TINY_SPEC, TINY_LABELS)


@pytest.mark.parametrize("labels", [(), ("a",), ("a", "b", "a", "c")])
def test_labels_must_be_two_or_more_and_all_different(labels):
    message = f"^target t: expected at least two labels, all different; got {len(labels)} labels, {len(set(labels))} "
    with pytest.raises(TargetError, match=message):
        TorchTarget("t", flat(), TINY_SPEC, labels)


@pytest.mark.parametrize(
    ("inputs", "got"),
    [
        (torch.zeros(2, 1, 6, 6, dtype=torch.uint8), r"uint8 in \[0, 0\]"),
        (torch.zeros(2, 1, 6, 6, dtype=torch.float64), "float64"),
        (torch.zeros(2, 1, 6, 7), r"shape \(2, 1, 6, 7\)"),
        (torch.full((2, 1, 6, 6), 1.5), r"float32 in \[1.5, 1.5\]"),
    ],
)
def test_a_target_refuses_what_is_no_image_of_its_kind(unchecked, tiny, inputs, got):
    with pytest.raises(BadInput, match=rf"^target tiny-0: expected images as float32 .*\(n, 1, 6, 6\); got .*{got}"):
        tiny.judge(inputs)


@pytest.mark.parametrize(
    "module",
    [
        nn.Sequential(nn.Flatten(), nn.Linear(35, 4)).eval(),
        nn.Sequential(nn.Conv2d(3, 4, 3), nn.Flatten()).eval(),
        nn.Sequential(nn.Conv2d(1, 4, 9), nn.Flatten()).eval(),
    ],
)
def test_a_module_of_another_shape_is_refused_with_its_own_words(module):
    target = TorchTarget("t", module, TINY_SPEC, TINY_LABELS)
    with pytest.raises(
        TargetError, match=r"^target t: expected a module that takes images of shape \('n', 1, 6, 6\); got .* Check the"
    ):
        target.judge(torch.zeros(2, 1, 6, 6))


def test_another_error_of_the_module_is_its_own():
    """Catches a fault inside the model that is reported as a wrong shape."""

    class Faulty(nn.Module):
        def forward(self, _):
            raise RuntimeError("the battery is empty")

    with pytest.raises(RuntimeError, match="battery is empty"):
        TorchTarget("t", Faulty().eval(), TINY_SPEC, TINY_LABELS).judge(torch.zeros(1, 1, 6, 6))


def test_a_module_with_another_number_of_classes_is_refused_by_the_judge():
    with pytest.raises(TargetError, match=r"expected logits of shape \(2, 4\).*got shape \(2, 3\)"):
        Judge(TorchTarget("t", flat(3), TINY_SPEC, TINY_LABELS), JudgeSettings(2)).judge(torch.zeros(2, 1, 6, 6))


def test_logits_of_the_tiny_target_by_hand(tiny):
    """Catches flattening in another order."""
    image = (torch.arange(36.0) / 36).reshape(1, 1, 6, 6)
    wanted = [
        sum(w * x for w, x in zip(row.tolist(), (torch.arange(36.0) / 36).tolist(), strict=True)) + bias.item()
        for row, bias in zip(tiny.module[1].weight, tiny.module[1].bias, strict=True)
    ]
    assert tiny.judge(image).logits[0].tolist() == pytest.approx(wanted, abs=1e-4)


def test_the_fingerprint_is_the_same_for_the_same_target(tiny):
    assert make_tiny_target().fingerprint() == tiny.fingerprint()
    assert copy.deepcopy(tiny).fingerprint() == tiny.fingerprint()
    assert len(tiny.fingerprint()) == 64


def test_the_fingerprint_follows_everything_that_decides_the_answers(tiny):
    """Catches a fingerprint of the weights' sizes, of their names, or of the first ones only."""
    bumped = copy.deepcopy(tiny.module)
    bumped[1].bias[3] = torch.nextafter(bumped[1].bias[3], torch.tensor(torch.inf))
    others = [
        TorchTarget("x", bumped, TINY_SPEC, TINY_LABELS),
        TorchTarget("x", tiny.module, ImageSpec(1, 4, 9), TINY_LABELS),
        TorchTarget("x", tiny.module, TINY_SPEC, (*TINY_LABELS[:3], "up")),
        TorchTarget("x", tiny.module, TINY_SPEC, TINY_LABELS[::-1]),
        TorchTarget("x", tiny.module, TINY_SPEC, TINY_LABELS, "independent"),
        TorchTarget("x", nn.Sequential(*tiny.module, nn.Identity()).eval(), TINY_SPEC, TINY_LABELS),
        make_tiny_target(1),
    ]
    prints = {target.fingerprint() for target in [tiny, *others]}
    assert len(prints) == 8


def test_a_name_is_no_part_of_the_fingerprint(tiny):
    """The same network under another name, or moved to another folder, may go on with a run."""
    assert TorchTarget("other", tiny.module, TINY_SPEC, TINY_LABELS).fingerprint() == tiny.fingerprint()


@pytest.mark.parametrize(
    ("text", "near"), [("lenet-minst", "lenet-mnist"), ("mlp", "mlp-mnist"), ("LENET-FASHION", None), ("", None)]
)
def test_an_unknown_target_is_refused_with_the_nearest_name(text, near):
    advice = f"Did you mean '{near}'\\?" if near else "Choose a name from the list\\."
    with pytest.raises(BadInput, match=rf"^TARGET .*: expected one of energy-mnist, .*; got '{text}'\. {advice}$"):
        load_target(text)


def test_a_folder_without_a_card_is_no_target(tmp_path):
    with pytest.raises(BadInput, match="TARGET"):
        load_target(str(tmp_path))


@pytest.fixture
def folder(tmp_path) -> Path:
    return shutil.copytree(bundled_targets()["softmax-mnist"], tmp_path / "mine")


def test_a_folder_is_the_target_it_was_copied_from_under_its_own_name(folder, monkeypatch):
    target, bundled = load_target(str(folder)), load_target("softmax-mnist")
    assert target.name == "mine"
    assert target.fingerprint() == bundled.fingerprint()
    monkeypatch.chdir(folder)
    assert load_target(".").name == "mine"


@pytest.mark.parametrize("damage", ["missing", "cut", "empty", "text", "other", "renamed"])
def test_damaged_weights_are_refused(folder, damage):
    path = folder / "model.safetensors"
    content, weights = path.read_bytes(), load_file(path)
    path.unlink()
    if damage == "cut":
        path.write_bytes(content[: len(content) // 2])
    elif damage == "empty":
        path.write_bytes(b"")
    elif damage == "text":
        path.write_text("weights")
    elif damage == "other":
        shutil.copy(bundled_targets()["mlp-mnist"] / "model.safetensors", path)
    elif damage == "renamed":
        save_file({f"x.{name}": value for name, value in weights.items()}, path)
    message = r"model\.safetensors: expected whole weights of a softmax; got .+\. ?Train it again with `trompe train`"
    with pytest.raises(TargetError, match=message):
        load_target(str(folder))


@pytest.mark.parametrize("damage", ["text", "list", "missing field", "unknown field", "labels", "shape", "no size"])
def test_a_damaged_card_is_refused(folder, damage):
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    broken = {
        "text": "{",
        "list": "[]",
        "missing field": json.dumps({key: value for key, value in card.items() if key != "seed"}),
        "unknown field": json.dumps({**card, "surprise": 1}),
        "labels": json.dumps({**card, "labels": None}),
        "shape": json.dumps({**card, "shape": [28, 28]}),
        "no size": json.dumps({**card, "shape": [1, 0, 28]}),
    }
    path.write_text(broken[damage], encoding="utf-8")
    with pytest.raises(TargetError, match=r"card\.json: expected the card of a trained network; got .*Train it again"):
        load_target(str(folder))


def test_a_card_of_an_unknown_architecture_is_refused(folder):
    path = folder / "card.json"
    card = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps({**card, "architecture": "transformer"}), encoding="utf-8")
    with pytest.raises(
        TargetError,
        match=r"card\.json: expected an architecture among lenet, mlp, softmax, naive-bayes, .*; got 'transformer'\.",
    ):
        load_target(str(folder))


def test_damaged_samples_are_refused(folder):
    (folder / "samples.safetensors").write_bytes(b"no")
    with pytest.raises(TargetError, match=r"samples\.safetensors: expected the sample images of a trained network"):
        read_samples(folder)


def test_a_network_is_written_byte_for_byte_with_the_rights_of_any_other_file(folder, tmp_path):
    """A network trained on a server is for the group, too, where the umask says so."""
    out = tmp_path / "out"
    out.mkdir()
    before = os.umask(0o027)
    try:
        save_trained(out, load_target(str(folder)).module, read_card(folder), read_samples(folder))
    finally:
        os.umask(before)
    assert {path.name: path.read_bytes() for path in out.iterdir()} == {
        path.name: path.read_bytes() for path in folder.iterdir()
    }
    assert {path.stat().st_mode & 0o777 for path in out.iterdir()} == {0o640}


def test_the_promised_targets_are_there_and_small():
    found = bundled_targets()
    assert list(found) == sorted(NAMES)
    for folder in found.values():
        assert sum(path.stat().st_size for path in folder.iterdir()) < 2_000_000


@pytest.mark.parametrize(
    ("name", "batch"),
    [
        pytest.param(name, batch, marks=[pytest.mark.slow] * (name in GENERATIVE_NAMES and batch > 16))
        for name in NAMES
        for batch in (16, 50, 200)
    ],
)
def test_bundled_targets_conform(unchecked, name, batch):
    report = examine_target(load_target(name), judge=JudgeSettings(batch))
    assert report.findings == ()
    assert report.skipped == ()


@pytest.mark.parametrize("name", NAMES)
def test_the_card_says_how_the_network_came_to_be(name):
    card = read_card(bundled_targets()[name])
    assert card.command.startswith(f"trompe train {card.architecture} --data {card.data} --seed {card.seed} ")
    assert name.startswith(f"{card.architecture}-")
    if name in GENERATIVE_NAMES:
        assert card.command.endswith(f" --iterations {card.recipe['iterations']}")
        return
    assert card.recipe == {
        "rate": 0.01, "momentum": 0.9, "decay": 5e-4, "gamma": 1e-4, "power": 0.75, "batch": 64, "iterations": 10000,
    }  # fmt: skip


def test_two_networks_of_one_kind_differ_in_their_weights():
    assert load_target("lenet-mnist").fingerprint() != load_target("lenet-mnist-b").fingerprint()


@pytest.mark.parametrize("name", NAMES)
def test_the_hundred_samples_are_ten_of_each_class_named_as_well_as_the_card_says(name):
    """Catches mean or scale applied twice or not at all, swapped labels, samples of another data set."""
    samples, card, target = read_samples(bundled_targets()[name]), read_card(bundled_targets()[name]), load_target(name)
    assert samples.classes.bincount().tolist() == [10] * 10
    wrong = int((target.judge(from_levels(samples.images)).logits.argmax(1) != samples.classes).sum())
    rate = card.test_errors / 10_000
    assert wrong <= 100 * rate + 3 * (100 * rate * (1 - rate)) ** 0.5 + 1
    assert target.labels == card.labels


@pytest.mark.parametrize("name", [pytest.param(name, marks=[pytest.mark.slow] * (name in SLOW)) for name in NAMES])
def test_the_recorded_errors_are_those_of_the_whole_test_set(name):
    """The number on the card, to the last image; and the samples are the first ten of each class of that set."""
    card, dataset = read_card(bundled_targets()[name]), data.load(read_card(bundled_targets()[name]).data)
    assert errors(load_target(name).module, dataset.test) == card.test_errors
    assert card.labels == dataset.labels
    first = torch.cat([(dataset.test.classes == label).nonzero().flatten()[:10] for label in range(10)])
    samples = read_samples(bundled_targets()[name])
    assert torch.equal(samples.images, dataset.test.images[first])
    assert torch.equal(samples.classes, dataset.test.classes[first])


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_the_recorded_errors_to_choose_on_are_right_too(name):
    card, dataset = read_card(bundled_targets()[name]), data.load(read_card(bundled_targets()[name]).data)
    assert errors(load_target(name).module, dataset.choose) == card.choose_errors


@pytest.mark.parametrize("name", NAMES)
def test_the_stored_mean_is_that_of_the_training_images(name):
    """Catches a mean over all 60,000 images, which would have seen those to choose on."""
    folder = bundled_targets()[name]
    dataset = data.load(read_card(folder).data)
    mean = load_trained(folder, name).module.mean
    exact = dataset.train.images.to(torch.float64).mean(0)
    assert torch.equal(mean, exact.to(torch.float32))
