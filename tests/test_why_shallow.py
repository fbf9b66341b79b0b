"""Shallow vision: bags have no places, parts have, and neither looks at more than it says."""

import math
from types import SimpleNamespace

import pytest
import torch

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.data import Split
from trompe.experiments import patches, shallow
from trompe.experiments.families import Lesson, as_target
from trompe.experiments.nouns import Effort
from trompe.experiments.runs import pack
from trompe.testing import examine_target

LEVELS = (torch.arange(6 * 784).reshape(6, 1, 28, 28) * 7919 % 256).to(torch.uint8)


def words():
    module = patches.Bag(Stream(0, "test/words", 0).uniform32(20, 49))
    with torch.no_grad():
        module.last.weight.copy_(torch.arange(200).reshape(10, 20) % 7 - 3.0)
        module.last.bias.zero_()
    return module.eval().requires_grad_(requires_grad=False)


def test_shuffling_moves_patches_and_changes_none():
    mixed = patches.shuffled(LEVELS, 0)
    assert not torch.equal(mixed, LEVELS)
    for one, other in zip(patches.cut(LEVELS), patches.cut(mixed), strict=True):
        assert sorted(map(bytes, one.flatten(1).numpy())) == sorted(map(bytes, other.flatten(1).numpy()))
    assert torch.equal(patches.cut(LEVELS)[0, 5], LEVELS[0, 0, 7:14, 7:14])


def test_a_bag_counts_words_wherever_they_are():
    module = words()
    counts = module.counts(from_levels(LEVELS))
    assert torch.allclose(counts.sum(1), torch.full((6,), 16.0))
    assert torch.allclose(counts, module.counts(from_levels(patches.shuffled(LEVELS, 3))), atol=1e-4)
    tiled = module.words[4].reshape(1, 1, 7, 7).repeat(1, 1, 4, 4)
    assert float(module.counts(tiled)[0, 4]) == pytest.approx(16.0, abs=1e-3)


def test_a_part_pays_for_the_distance_from_its_place():
    module = patches.Parts().eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.zero_()
        module.parts.weight[1 * 4] = 1.0  # the first part of class 1 likes any rise
        module.price.fill_(1.0)
    image = torch.zeros(1, 1, 28, 28)
    image[0, 0, 8:16, 8:16] = 1.0
    rises = patches.rising(image)
    response = torch.nn.functional.conv2d(rises, torch.ones(1, 8, 3, 3))[0, 0]
    price = math.log1p(math.e)
    best = max(
        float(response[row, column]) - price * ((row - 1) ** 2 + (column - 1) ** 2)
        for row in range(5) for column in range(5)
    )  # fmt: skip
    with torch.no_grad():
        logits = module(image)[0]
    assert float(logits[1]) == pytest.approx(best, rel=1e-5)
    assert logits[[0, *range(2, 10)]].abs().max() == 0.0


def test_a_rise_is_seen_in_its_direction():
    ramp = (torch.arange(28) / 27.0).expand(1, 1, 28, 28)
    inside = patches.rising(ramp)[0, :, 1:-1, 1:-1].mean((1, 2))
    assert int(inside.argmax()) == 0  # to the right
    assert float(inside[4]) == 0.0  # to the left nothing
    assert int(patches.rising(ramp.transpose(2, 3))[0, :, 1:-1, 1:-1].mean((1, 2)).argmax()) == 2  # downwards


def test_scores_are_stretched_to_what_is_likeliest():
    scores = torch.tensor([[0.1, 0.0]] * 9 + [[0.0, 0.1]])
    found = float(patches.fitting(scores, torch.zeros(10, dtype=torch.int64)))
    assert found == pytest.approx(math.log(9.0) / 0.1, rel=0.1)


@pytest.mark.parametrize("make", [words, patches.Parts])
def test_both_are_targets_like_any_other(unchecked, make):
    module = make().eval().requires_grad_(requires_grad=False)
    if isinstance(module, patches.Parts):
        patches.initialise(module, 0)
    assert examine_target(as_target("shallow", module)).findings == ()


def test_a_bag_is_fitted_by_a_support_vector_machine():
    pytest.importorskip("sklearn")
    classes = torch.arange(1000) % 10
    images = torch.zeros(1000, 1, 28, 28, dtype=torch.uint8)
    for i, column in enumerate(classes.tolist()):
        images[i, 0, :7, :7] = (Stream(column, "test/patch", 0).uniform(7, 7) * 256).to(torch.uint8)
    target = patches.bag(Lesson(Split(images, classes), Split(images, classes), 0, 0))
    named = target.judge(from_levels(images[:100])).logits.argmax(1)
    assert float((named == classes[:100]).double().mean()) >= 0.8  # two patches may have become one word


@pytest.mark.usefixtures("unchecked")
def test_a_class_that_was_not_reached_costs_the_whole_search():
    def record(spent):
        found = SimpleNamespace(evaluations=spent) if spent else None
        return SimpleNamespace(first=lambda level: found if level == 0.99 else None)

    run = SimpleNamespace(searches=[SimpleNamespace(evaluations=500)], classes=[record(7), record(0), record(80)])
    assert shallow.costs(run) == [7, 500, 80]


def one(same, fooled, looks, unread, error):
    return {"same": same, "fooled": fooled, "looks": looks, "unread": unread, "error": error}


def test_shallow_compares_kinds():
    kinds = {
        "bag of words": one(1.0, 0.5, [10, 1000], 1.0, 0.25), "parts": one(0.25, 1.0, [1000, 1000], 0.5, 0.0625),
        "network": one(0.5, 1.0, [100, 100], "not measured", 0.03125),
    }  # fmt: skip
    found = shallow.measure({"a": {"kinds": kinds}}, Effort())
    values = {name: measured.values[0] for name, measured in found.items()}
    assert values == pytest.approx({
        "bag-shuffled": 1.0, "parts-shuffled": 0.75, "bag-fooled": 0.5, "parts-fooled": 1.0, "looks": 1.0,
        "unread": 0.5, "worse": 0.03125,
    })  # fmt: skip
    assert shallow.measure({"a": {"kinds": kinds}}, Effort("quick"))["looks"].short


def test_shallow_draws_the_cost_of_both_searches():
    black = pack(torch.zeros(10, 1, 28, 28, dtype=torch.uint8))
    known = {**one(1.0, 0.5, [10, 1000], 1.0, 0.25), "steps": [10, 10], "real": 0.5, "images": black}
    figures = shallow.figures({"a": {"kinds": dict.fromkeys(shallow.KINDS, known)}})
    by_squares, by_gradient = (figure.text for figure in figures if figure.title.startswith("Looks to 99 %"))
    assert "by random squares" in by_squares
    assert "bag of words: 100;" in by_squares
    assert "by gradient" in by_gradient
    assert "bag of words: 10;" in by_gradient
    shown = [number for question in shallow.EXPERIMENT.questions for number in question.figures]
    assert sorted(shown) == list(range(len(figures)))
