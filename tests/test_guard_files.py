"""Stored guards: fitted by a command, loaded without their images, refused where they do not fit."""

import copy
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from digits import moved_digits, trusted_digits, write_digits
from PIL import Image
from torch import nn

import trompe
from trompe.cli.main import BAD_INPUT, main
from trompe.core.errors import BadInput, DataError, RunError, TargetError
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.types import Outputs
from trompe.data import Split, load
from trompe.guards import KINDS, Scale, Trusted, fit_guard, load_guard, read_card
from trompe.guards.store import card_of, save_guard
from trompe.guards.types import TYPES
from trompe.measure.readers import independent, load_readers
from trompe.settings import GuardKind
from trompe.targets import Declaration, TorchTarget, load_target, write_declaration
from trompe.targets.guarded import Guarded, named
from trompe.targets.preprocessing import PLAIN
from trompe.testing import examine_guard
from trompe.verbs import guard as verb
from trompe.verbs.guarded import GuardedClassifier
from trompe.verbs.verify import verify

pytestmark = pytest.mark.usefixtures("unchecked")
LAYER = "net.6"
READERS = Path(__file__).parent.parent / "docs" / "readers.md"


@pytest.fixture(scope="module")
def samples():
    return moved_digits()


@pytest.fixture(scope="module")
def layered():
    return load_target("lenet-mnist", Declaration(layer=LAYER))


@pytest.fixture(scope="module")
def trusted(samples, layered):
    return trusted_digits(samples, layered, layer=LAYER)


@pytest.fixture(scope="module")
def folder(tmp_path_factory, samples):
    return write_digits(tmp_path_factory.mktemp("images"), samples)


@pytest.fixture(scope="module")
def stored(tmp_path_factory, folder):
    out = tmp_path_factory.mktemp("guards") / "near"
    trompe.guard("lenet-mnist", images=str(folder), kind="neighbours", false_alarms=0.05, out=out)
    return out


# Every kind

TABLE = {
    kind: readers.split(", ")
    for kind, readers in re.findall(r"^\| `([a-z-]+)` \| ([a-z, ]+) \|$", READERS.read_text("utf-8"), re.MULTILINE)
    if kind in KINDS
}


def test_the_command_knows_every_kind_and_each_can_be_read_back():
    assert set(KINDS) == set(TYPES) == set(GuardKind.__args__)


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] * kind.endswith("vae")) for kind in KINDS]
)
def test_every_kind_conforms_is_stored_and_read_back(kind, trusted, layered, tmp_path):
    from trompe.guards import card_of, save_guard

    guard = fit_guard(kind, trusted)
    held = from_levels(trusted.held.images)
    report = examine_guard(guard, layered, held[::2], trusted.held.classes[::2])
    assert report.findings == ()
    save_guard(tmp_path, guard, card_of(guard, layered, {}, "", {}))
    assert not {path.suffix for path in tmp_path.iterdir()} - {".json", ".safetensors", ".png"}
    again = load_guard(tmp_path)
    outputs = layered.judge(held[:20])
    assert torch.equal(again.slack(outputs, held[:20]), guard.slack(outputs, held[:20]))
    assert (again.name, again.needs, again.uses) == (guard.name, guard.needs, guard.uses)
    readers = load_readers(tuple("0123456789"), (1, 28, 28))
    judging = [reader.name for reader in independent(readers, guard.uses)]
    assert TABLE[kind] == judging, "docs/readers.md says who judges whom"
    assert len(judging) >= 2


@pytest.mark.parametrize("kind", ["class-kde", pytest.param("class-vae", marks=pytest.mark.slow)])
def test_typicality_is_two_sided(kind, trusted):
    guard = fit_guard(kind, trusted)
    some = trusted.held.classes == 3
    images = from_levels(trusted.held.images[some])[:20]
    none = Outputs(torch.zeros(20, 10))
    assert (guard.slack(none, images)[:, 3] >= 0.0).to(torch.float64).mean() >= 0.8
    assert bool((guard.slack(none, 0.2 * images)[:, 3] < 0.0).all())  # a faint scribble of the same shape
    assert bool((guard.slack(none, (4.0 * images).clamp(0.0, 1.0) * 0.5 + 0.5)[:, 3] < 0.0).all())  # far too much ink


def test_a_density_of_all_classes_says_the_same_of_each(trusted):
    images = from_levels(trusted.held.images[:5])
    for kind in ("pca-residual", "kde", "energy", "entropy"):
        slack = fit_guard(kind, trusted).slack(trusted.held_outputs.take(slice(5)), images)
        torch.testing.assert_close(slack, slack[:, :1].expand_as(slack), rtol=0.0, atol=0.0)


def test_the_share_of_false_alarms_is_the_one_asked_for(trusted):
    for kind in ("pca-residual", "kde", "mahalanobis", "knn"):
        guard = fit_guard(kind, trusted)
        slack = guard.slack(trusted.held_outputs, from_levels(trusted.held.images))
        refused = slack.gather(1, trusted.held.classes.unsqueeze(1)) < 0.0
        assert abs(float(refused.to(torch.float64).mean()) - 0.05) < 0.02, kind


# Several kinds as one

SEVERAL = {
    "class-kde+neighbours": {"vae", "parts"}, "margin+knn": {"kde", "vae", "parts"},
    "class-vae+neighbours": {"parts"},
}  # fmt: skip


def several(kinds, trusted, **more):
    kind, *also = kinds.split("+")
    return fit_guard(kind, replace(trusted, **more), also)


@pytest.mark.parametrize(
    "kinds", [pytest.param(kinds, marks=[pytest.mark.slow] * ("vae" in kinds)) for kinds in SEVERAL]
)
def test_several_kinds_accept_what_all_accept_and_no_more_is_refused_than_asked(kinds, trusted, layered, tmp_path):
    guard, held = several(kinds, trusted, fresh=False), from_levels(trusted.held.images)
    assert guard.name == kinds
    assert examine_guard(guard, layered, held[::2], trusted.held.classes[::2]).findings == ()
    images = torch.cat([held, Stream(0, "test/several", 0).uniform32(20, 1, 28, 28), 0.5 * held[:50]])
    outputs = layered.judge(images)
    slack, own = guard.slack(outputs, images), [one.slack(outputs, images) for one in guard.guards]
    least = torch.minimum(*own)
    assert not bool(((slack >= 0.0) & (least < 0.0)).any())
    assert 0.05 < float((slack >= 0.0).to(torch.float64).mean()) < 0.5
    for c in range(10):  # the same order as the lesser of both
        assert torch.equal(slack[:, c].argsort(stable=True), least[:, c].argsort(stable=True))
    refused = slack[: len(held)].gather(1, trusted.held.classes.unsqueeze(1)) < 0.0
    assert abs(float(refused.to(torch.float64).mean()) - 0.05) < 0.04


@pytest.mark.parametrize(
    "kinds", [pytest.param(kinds, marks=[pytest.mark.slow] * ("vae" in kinds)) for kinds in SEVERAL]
)
def test_several_kinds_are_one_set_of_files_and_use_what_each_uses(kinds, trusted, layered, tmp_path):
    from trompe.guards import card_of, save_guard

    guard = several(kinds, trusted)
    card = card_of(guard, layered, {}, "", {})
    assert (card.layer, bool(card.model)) == (
        LAYER if "knn" in kinds else "",
        bool({"margin", "energy"} & set(kinds.split("+"))),
    )
    save_guard(tmp_path, guard, card)
    again, images = load_guard(tmp_path), from_levels(trusted.held.images[:20])
    outputs = layered.judge(images)
    assert torch.equal(again.slack(outputs, images), guard.slack(outputs, images))
    assert again.uses == guard.uses == guard.guards[0].uses | guard.guards[1].uses
    assert again.needs == guard.guards[0].needs | guard.guards[1].needs
    readers = load_readers(tuple("0123456789"), (1, 28, 28))
    judging = [reader.name for reader in independent(readers, guard.uses)]
    assert set(judging) == SEVERAL[kinds]
    row = "| " + " and ".join(f"`{kind}`" for kind in kinds.split("+")) + f" | {', '.join(judging)} |"
    assert row in READERS.read_text("utf-8")


def test_thresholds_are_never_below_those_of_the_guards(trusted):
    """Two that refuse other images each for half of what is asked: together they refuse at most that."""
    guard = several("kde+neighbours", trusted)
    assert min(scale.threshold for scale in guard.scales) >= 0.0
    strict = [several(kinds, trusted, false_alarms=0.1) for kinds in ("kde+neighbours", "neighbours+kde")]
    images = from_levels(trusted.held.images)
    torch.testing.assert_close(*(one.slack(trusted.held_outputs, images) for one in strict))


def test_the_command_fits_several_and_why_names_the_one_that_refuses_most(folder, tmp_path, capsys, samples):
    words = ["guard", "lenet-mnist", "--images", str(folder), "--kind", "neighbours", "--also", "energy"]
    words += ["--also", "pca-residual", "--false-alarms", "0.05", "--out"]
    assert main([*words, str(tmp_path / "guard")]) == 0
    assert "neighbours+energy+pca-residual, threshold for 5 % false alarms" in capsys.readouterr().out
    card = read_card(tmp_path / "guard")
    assert card.command.endswith("--kind neighbours --also energy --also pca-residual --false-alarms 0.05")
    assert 0 < card.measured["false_alarms"]["count"] < card.measured["false_alarms"]["of"] / 2
    classify = trompe.load_guarded("lenet-mnist", tmp_path / "guard")
    noise = Stream(0, "test/verdict", 0).uniform32(4, 1, 28, 28)
    assert all(re.search(r"guard neighbours\+energy\+.*least usual is its \S+$", one.why) for one in classify(noise))
    with pytest.raises(
        BadInput, match=r"trompe guard lenet-mnist-b --kind neighbours --also energy --also pca-residual"
    ):
        load_target("lenet-mnist-b", Declaration(guard=str(tmp_path / "guard")))
    refused([*words, tmp_path / "b", "--also", "energy"], capsys, "--also: expected kinds that are all different; got")
    refused([*words, tmp_path / "b", "--also", "knn"], capsys, "inner layer and training images for a .* kind knn; got")


def test_false_alarms_above_what_was_asked_for_are_remarked(folder, tmp_path, capsys, samples):
    few = torch.cat([(samples.classes == c).nonzero().flatten()[torch.arange(30) * 7 % 90] for c in range(10)])
    (tmp_path / "few").mkdir()
    small = write_digits(tmp_path / "few", Split(samples.images[few], samples.classes[few]))
    for images, asked, remarked in ((small, 0.05, True), (folder, 0.3, False)):
        out = tmp_path / f"guard-{remarked}"
        words = ["guard", "lenet-mnist", "--kind", "neighbours", "--images", str(images), "--out", str(out)]
        assert main([*words, "--false-alarms", str(asked)]) == 0
        assert (f"more than the {100 * asked:g} % asked for" in capsys.readouterr().out) is remarked
        assert (read_card(out).measured["false_alarms"]["low"] > asked) is remarked
    fitted = trompe.guard("lenet-mnist", images=str(small), kind="neighbours", out=tmp_path / "json")
    assert "fitted to 90 images, and the threshold taken from 30 others" in fitted.caution


# What is lacking


@pytest.fixture(scope="module")
def abstaining():
    """The bundled LeNet with an eleventh class, for none of these, that wins where nothing else does."""
    lenet = load_target("lenet-mnist")
    last = nn.Linear(500, 11)
    with torch.no_grad():
        last.weight.copy_(torch.cat([lenet.module.net[-1].weight, torch.zeros(1, 500)]))
        last.bias.copy_(torch.cat([lenet.module.net[-1].bias, torch.full((1,), 3.0)]))
    module = nn.Sequential(Centring(lenet.module), last).eval().requires_grad_(False)
    labels = (*lenet.labels, "none of these")
    declared = Declaration(labels=labels, abstain=labels[-1], preprocessing=PLAIN)
    return TorchTarget("abstaining", module, lenet.spec, labels, declared=declared)


class Centring(nn.Module):
    """A LeNet up to its last layer, which it leaves out."""

    def __init__(self, module):
        super().__init__()
        self.module = module

    def forward(self, images):
        return self.module.net[:-1]((images * 255.0 - self.module.mean) / 256.0)


@pytest.mark.parametrize("kinds", [("neighbours",), ("class-kde",), ("certified",), ("margin", "neighbours")])
def test_a_guard_of_trusted_images_stands_beside_a_class_for_none_of_these(kinds, samples, trusted, abstaining):
    """That class has no trusted images: the guard is fitted to the others, and whether it wins is the target's rule."""
    assert named(abstaining) == 10
    outputs = [abstaining.judge(from_levels(part.images)) for part in (trusted.known, trusted.held)]
    told = replace(trusted, known_outputs=outputs[0], held_outputs=outputs[1])
    guard = fit_guard(kinds[0], told, kinds[1:])
    guarded = Guarded(abstaining, guard)
    images = from_levels(samples.images[:40])
    found, alone = guarded.judge(images), abstaining.judge(images)
    assert torch.equal(found.slack[:, 10], alone.slack[:, 10].to(torch.float64))
    assert bool((found.slack[:, :10] <= alone.slack[:, :10] + 1e-6).all())
    assert int((found.slack.gather(1, samples.classes[:40, None]) >= 0).sum()) > 30
    share = verb.measure(guard, abstaining, Split(samples.images[:40], samples.classes[:40])).false_alarms
    assert share.count < 10
    assert examine_guard(guard, abstaining, from_levels(trusted.held.images), trusted.held.classes).findings == ()
    black = guarded.judge(torch.zeros(1, 1, 28, 28))
    assert black.logits.argmax(1).item() == 10 or bool((black.slack[0, :10] < 0).any())
    verdict = next(iter(GuardedClassifier(guarded)(torch.full((1, 1, 28, 28), 0.3))))
    assert not verdict.accepted or verdict.label == "none of these"


def test_what_is_named_none_of_these_is_not_accepted(samples, trusted, abstaining):
    """However far its own column is from being refused, and however sure the network is of it."""
    guard = fit_guard("neighbours", trusted)
    module = copy.deepcopy(abstaining.module)
    module[1].bias.data[10] = 1e4
    mute = TorchTarget("mute", module, abstaining.spec, abstaining.labels, declared=abstaining.declared)
    found = verb.measure(guard, mute, Split(samples.images[:40], samples.classes[:40]))
    assert [share.count for share in (found.coverage, found.certain, found.accepted_and_correct)] == [0, 0, 0]


def test_a_class_for_none_of_these_that_is_not_the_last_is_refused(folder, abstaining):
    module = nn.Sequential(*abstaining.module, Rolled()).eval()
    labels = (abstaining.labels[-1], *abstaining.labels[:-1])
    first = TorchTarget("first", module, abstaining.spec, labels, declared=replace(abstaining.declared, labels=labels))
    for images in ("mnist", str(folder)):
        with pytest.raises(BadInput, match="none of these that is the last label"):
            verb.trusted_images(first, images)


class Rolled(nn.Module):
    """The last output first."""

    def forward(self, logits):
        return logits.roll(1, 1)


@pytest.mark.parametrize("kind", ["class-neighbours", "class-kde", "neighbours"])
@pytest.mark.parametrize("some", [12, 90])
def test_few_images_refuse_no_more_than_was_asked_for(kind, some, layered):
    """Bounds of the images that a threshold is taken from would leave nearly all of them inside, and few others."""
    digits = load("mnist").train
    order = [(digits.classes == c).nonzero().flatten() for c in range(10)]
    parts = [
        torch.cat([rows[low:high] for rows in order])
        for low, high in ((0, some), (some, some + some // 3), (some + some // 3, some + some // 3 + 100))
    ]
    known, held, others = (Split(digits.images[rows], digits.classes[rows]) for rows in parts)
    outputs = [layered.judge(from_levels(part.images)) for part in (known, held)]
    guard = fit_guard(kind, Trusted(known, held, *outputs, labels=10, false_alarms=0.01))
    slack = torch.cat([guard.slack(outputs[0], from_levels(part)) for part in others.images.split(250)])
    refused = int((slack.gather(1, others.classes.unsqueeze(1)) < 0.0).sum())
    assert refused <= 70


def test_images_that_no_picture_holds_are_kept_all_the_same(trusted, layered, tmp_path, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10_000)
    guard = fit_guard("neighbours", trusted)
    save_guard(tmp_path, guard, card_of(guard, layered, {}, "", {}))
    assert not list(tmp_path.glob("*.png"))
    assert load_guard(tmp_path).fingerprint() == guard.fingerprint()


def test_a_layer_that_is_lacking_is_named_with_what_would_do(trusted):
    bare = replace(trusted, known_outputs=Outputs(trusted.known_outputs.logits), layer="")
    with pytest.raises(
        BadInput, match=r"inner layer.*got outputs, training images; no inner layer.*choose one of maxi"
    ):
        fit_guard("knn", bare)


def test_images_that_are_lacking_are_named(trusted):
    few = Split(trusted.known.images[:12], trusted.known.classes[:12])
    bare = replace(trusted, known=few, known_outputs=trusted.known_outputs.take(slice(12)))
    with pytest.raises(BadInput, match="no training images"):
        fit_guard("class-kde", bare)
    assert fit_guard("margin", bare).name == "margin"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda s: Split(s.images, torch.zeros_like(s.classes)), "two classes or more"),
        (lambda s: Split(s.images, s.classes + 1), "classes from 0 to 9; got 1 to 10"),
        (lambda s: Split(s.images, s.classes - 1), "got -1 to 8"),
        (lambda s: Split(torch.full_like(s.images, 9), s.classes), "times the same one"),
    ],
)
def test_images_that_no_guard_can_be_fitted_to_are_refused(change, said, trusted):
    bad = replace(trusted, known=change(trusted.known), held=change(trusted.held))
    for kind in ("margin", "class-kde"):
        with pytest.raises(BadInput, match=said):
            fit_guard(kind, bad)


HIGH = (Scale(5.0, 6.0),) * 10


def test_a_guard_that_nothing_passes_is_not_written(folder, tmp_path, monkeypatch):
    monkeypatch.setattr(verb, "fit_guard", lambda *what: replace(fit_guard(*what), scales=HIGH))
    with pytest.raises(BadInput, match="refuses all"):
        trompe.guard("lenet-mnist", images=str(folder), kind="neighbours", out=tmp_path / "none")
    assert not (tmp_path / "none").exists()


def test_images_without_classes_and_of_other_classes_are_refused(folder, tmp_path):
    with pytest.raises(BadInput, match="whose class is not known"):
        trompe.guard("lenet-mnist", images=str(folder / "3"), kind="margin", out=tmp_path / "a")
    with pytest.raises(BadInput, match=r"lenet|trusted images of the target's 10 classes, T-shirt"):
        trompe.guard("lenet-fashion", images="mnist", kind="margin", out=tmp_path / "b")
    with pytest.raises(BadInput, match="false-alarms"):
        trompe.guard("lenet-mnist", images=str(folder), false_alarms=0.5, out=tmp_path / "c")
    with pytest.raises(BadInput, match="holds something"):
        trompe.guard("lenet-mnist", images=str(folder), out=folder)


def test_an_inner_layer_that_is_none_is_refused_with_the_nearest(folder, tmp_path):
    with pytest.raises(BadInput, match="Did you mean"):
        trompe.guard("lenet-mnist", images=str(folder), kind="knn", layer="net.66", out=tmp_path / "a")
    with pytest.raises(BadInput, match="no inner layer"):
        trompe.guard("lenet-mnist", images=str(folder), kind="knn", out=tmp_path / "a")


# On the command line


def refused(words, capsys, expected):
    """Exit code 2 and one line that says what was expected and what was found."""
    assert main([str(word) for word in words]) == BAD_INPUT
    out, err = capsys.readouterr()
    assert (out, err.count("\n")) == ("", 1)
    assert re.search(expected, err), err


def _one_class(place):
    for part in list(place.iterdir())[1:]:
        shutil.rmtree(part)


def _no_such_label(place):
    (place / "7").rename(place / "17")


def _constant(place):
    for path in place.rglob("*.png"):
        Image.new("L", (28, 28), 128).save(path)


@pytest.mark.parametrize(
    ("spoil", "expected"),
    [
        (_one_class, "expected trusted images of two classes or more; got 18 of 1"),
        (_no_such_label, r"expected folders named after the target's labels.*; got '17'"),
        (_constant, "expected trusted images that differ; got 180 times the same one"),
    ],
)
def test_a_folder_that_no_guard_can_be_fitted_to_is_one_line(spoil, expected, folder, tmp_path, capsys):
    images, out = tmp_path / "images", tmp_path / "guard"
    shutil.copytree(folder, images)
    spoil(images)
    for kind in ("margin", "neighbours"):
        refused(["guard", "lenet-mnist", "--images", images, "--kind", kind, "--out", out], capsys, expected)
    assert not out.exists()


def test_a_guard_for_another_shape_or_model_or_of_nothing_is_one_line(stored, folder, tmp_path, capsys, monkeypatch):
    words = ["fool", "lenet-mnist", "--by", "ascend", "--quiet", "--out", tmp_path / "run", "--guard"]
    other = tmp_path / "shape"
    shutil.copytree(stored, other)
    card = json.loads((other / "guard.json").read_text())
    (other / "guard.json").write_text(json.dumps({**card, "shape": [1, 32, 32]}))
    refused([*words, other], capsys, r"fitted for 10 classes .* 1 x 28 x 28.*; got one for .* 1 x 32 x 32")
    trompe.guard("lenet-mnist-b", images=str(folder), kind="margin", out=tmp_path / "margin")
    refused(
        [*words, tmp_path / "margin"], capsys, "fitted for lenet-mnist, .*; got one for the classifier lenet-mnist-b"
    )
    monkeypatch.setattr(verb, "fit_guard", lambda *what: replace(fit_guard(*what), scales=HIGH))
    out = ["--images", folder, "--kind", "neighbours", "--out", tmp_path / "none"]
    refused(["guard", "lenet-mnist", *out], capsys, "expected a guard that some .* pass; got one that refuses all 180")
    assert not (tmp_path / "run").exists()
    assert not (tmp_path / "none").exists()


def test_what_a_kind_lacks_is_one_line_with_the_kinds_that_lack_nothing(folder, tmp_path, capsys):
    words = ["guard", "lenet-mnist", "--images", folder, "--out", tmp_path / "guard", "--kind"]
    refused(
        [*words, "knn"], capsys, "expected inner layer and training images .*; got outputs, training images; no inner"
    )
    few = tmp_path / "few"
    for c in range(10):
        (few / str(c)).mkdir(parents=True)
        for path in sorted((folder / str(c)).iterdir())[:5]:
            shutil.copy(path, few / str(c))
    words[3] = few
    refused(
        [*words, "kde"], capsys, r"8 of each class.*; got outputs; no training images\. .*choose one of maximum-prob"
    )


# In front of a classifier


def test_a_stored_guard_stands_without_its_images(stored):
    card = read_card(stored)
    assert (card.kind, card.model, card.shape) == ("neighbours", "", (1, 28, 28))
    assert 0.0 <= card.measured["false_alarms"]["count"] <= card.measured["false_alarms"]["of"] == 180
    target = load_target("lenet-mnist", Declaration(guard=str(stored)))
    assert isinstance(target, Guarded)
    assert target.declared.guard == str(stored.resolve())
    assert load_target("lenet-mnist-b", Declaration(guard=str(stored))).guard.name == "neighbours"


def test_a_guarded_classifier_says_label_confidence_accepted_and_why(stored, samples):
    classify = trompe.load_guarded("lenet-mnist", stored)
    images = torch.cat([from_levels(samples.images[400:500]), Stream(0, "test/verdict", 0).uniform32(4, 1, 28, 28)])
    said = classify(images)
    plain = load_target("lenet-mnist").judge(images).logits
    assert [one.label for one in said] == [str(c) for c in plain.argmax(1).tolist()]
    best = plain.to(torch.float64).softmax(1).amax(1)
    assert all(abs(one.confidence - float(p)) < 1e-9 for one, p in zip(said, best, strict=True))
    assert sum(one.accepted for one in said[:100]) > 85
    assert not any(one.accepted for one in said[100:])
    assert all(one.why.startswith("guard neighbours: -") for one in said[100:])
    assert all((one.why == "") == one.accepted for one in said)
    with pytest.raises(BadInput, match="images"):
        classify(images * 255.0)


def test_a_guard_of_several_things_says_which_is_least_usual(trusted, layered, samples):
    from trompe.verbs.guarded import GuardedClassifier

    classify = GuardedClassifier(Guarded(layered, fit_guard("class-kde", trusted)))
    (verdict,) = classify(0.15 * from_levels(samples.images[401:402]))
    assert verdict.why.endswith(("least usual is its contrast", "least usual is its total-variation"))


def test_a_guard_for_another_classifier_is_refused(stored, folder, tmp_path):
    with pytest.raises(BadInput, match=r"one for 10 classes 0, 1, 2, .* of images 1 x 28 x 28"):
        load_target("lenet-fashion", Declaration(guard=str(stored)))
    trompe.guard("lenet-mnist", images=str(folder), kind="margin", out=tmp_path / "margin")
    with pytest.raises(BadInput, match=r"fitted for lenet-mnist-b, .* got one for the classifier lenet-mnist,"):
        load_target("lenet-mnist-b", Declaration(guard=str(tmp_path / "margin")))


@pytest.mark.parametrize("what", ["gone", "cut", "changed", "no card", "another kind"])
def test_a_damaged_guard_is_refused(what, stored, tmp_path):
    place = tmp_path / "guard"
    shutil.copytree(stored, place)
    card = json.loads((place / "guard.json").read_text())
    if what == "gone":
        shutil.rmtree(place)
    elif what == "cut":
        (place / "trusted.png").write_bytes((place / "trusted.png").read_bytes()[:400])
    elif what == "changed":
        card["numbers"]["scales"][0][0] -= 1.0
    elif what == "no card":
        (place / "guard.json").unlink()
    else:
        card["kind"] = "neighbour"
    if what in ("changed", "another kind"):
        (place / "guard.json").write_text(json.dumps(card))
    with pytest.raises((DataError, BadInput), match=r"guard|neighbours"):
        load_target("lenet-mnist", Declaration(guard=str(place)))


def test_a_layer_comes_with_the_guard_that_looks_at_it(folder, tmp_path):
    trompe.guard("lenet-mnist", images=str(folder), kind="knn", layer=LAYER, out=tmp_path / "knn")
    target = load_target("lenet-mnist", Declaration(guard=str(tmp_path / "knn")))
    assert target.declared.layer == LAYER
    assert target.judge(torch.zeros(1, 1, 28, 28)).slack.shape == (1, 10)
    with pytest.raises(BadInput, match=r"the layer net\.6"):
        load_target("lenet-mnist", Declaration(guard=str(tmp_path / "knn"), layer="net.4"))


def test_a_guard_without_what_it_needs_is_refused(trusted):
    guard = fit_guard("knn", trusted)
    with pytest.raises(TargetError, match=r"gives gradients, inputs, logits, but no features"):
        Guarded(load_target("lenet-mnist"), guard)


# Runs


def test_a_guarded_run_is_verified_repeated_and_resumed(stored, tmp_path):
    near = tmp_path / "near"
    shutil.copytree(stored, near)
    settings = {"by": "ascend", "generations": 3, "classes": ("1", "7"), "readers": "none", "guard": near}
    run = trompe.fool("lenet-mnist", **settings, out=tmp_path / "run")
    assert run.about.target["declared"]["guard"] == str(near.resolve())
    assert run.about.target["guards"][0]["name"] == "neighbours"
    assert verify(tmp_path / "run").passed
    assert trompe.rerun(tmp_path / "run", out=tmp_path / "again").same
    assert trompe.fool("lenet-mnist", **settings, out=tmp_path / "run", resume=True).digest() == run.digest()
    with pytest.raises(RunError, match="--guard"):
        trompe.fool("lenet-mnist", **{**settings, "guard": None}, out=tmp_path / "run", resume=True)
    shutil.move(near, tmp_path / "away")
    with pytest.raises(DataError, match=r"without a guard.json"):
        verify(tmp_path / "run")
    other = json.loads((tmp_path / "away" / "guard.json").read_text())
    trompe_made = load_guard(tmp_path / "away")
    changed = replace(trompe_made, scales=(Scale(0.0, 1.0),) * 10)
    shutil.copytree(tmp_path / "away", near)
    other |= {"fingerprint": changed.fingerprint(), "numbers": changed.parts()[0]}
    (near / "guard.json").write_text(json.dumps(other))
    with pytest.raises(RunError, match="Put the guard back"):
        verify(tmp_path / "run")


def test_a_target_file_names_a_guard_beside_it(stored, tmp_path):
    shutil.copytree(stored, tmp_path / "near")
    write_declaration(tmp_path / "mine.toml", Declaration(model="lenet-mnist", guard="near"))
    target = load_target(tmp_path / "mine.toml")
    assert (target.target.name, target.name) == ("mine", "mine behind neighbours")
    found = trompe.inspect(str(tmp_path / "mine.toml"), save=tmp_path / "saved.toml")
    assert found.ready.target.name == "mine behind neighbours"
    assert load_target(tmp_path / "saved.toml").guard.fingerprint() == target.guard.fingerprint()
