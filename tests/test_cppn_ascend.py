"""Climbing through the weights of networks that paint: the slope is right, only weights move, and ten digits fall."""

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from arena import SURE, assert_resumes_anywhere, assert_run_resumes, contest_on, curved, finish, group_plan, noise
from torch import Tensor

import trompe
from trompe.core.errors import BadInput
from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Climbable
from trompe.encodings import LAYERED, Cppn, CppnGenomes
from trompe.encodings.cppn.draw import formula, graph
from trompe.encodings.cppn.render import depths
from trompe.search import RULES, Plan, ascend, scatter
from trompe.search.rules import Adam, Ground
from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.verbs.methods import make_encoding, make_plan, resolve

GREY, COLOUR = ImageSpec(1, 7, 9), ImageSpec(3, 6, 5)
SMALL = replace(LAYERED, hidden=(4, 3))
CLIMB = partial(ascend, rule=RULES["adam"])


def grown(encoding: Cppn, n: int = 3) -> CppnGenomes:
    """Networks that evolution has changed: of unlike sizes, so that some columns are padding."""
    genomes = encoding.random(n, Stream(0, "test/random", 0))
    for step in range(12):
        genomes = encoding.vary(genomes, Stream(0, "test/vary", step))
    assert bool((genomes.source < 0).any())
    return genomes


# The networks to begin with


def test_layers_are_fully_connected_each_to_the_next_and_start_small() -> None:
    genomes = Cppn(COLOUR, SMALL).random(500, Stream(0, "test", 0))
    pairs = list(zip(genomes.source[7].tolist(), genomes.target[7].tolist(), strict=True))
    outputs, first, second = (4, 5, 6), (7, 8, 9, 10), (11, 12, 13)
    layers = [((0, 1, 2, 3), first), (first, second), (second, outputs)]
    assert sorted(pairs) == sorted((a, b) for before, after in layers for a in before for b in after)
    assert [sorted(row) for row in depths(genomes).tolist()] == [[1] * 4 + [2] * 3 + [3] * 3] * 500
    weights = Cppn(COLOUR, SMALL).weights(genomes)
    assert weights.abs().max().item() == pytest.approx(LAYERED.initial_weight, rel=1e-3)
    assert weights.abs().max() <= LAYERED.initial_weight
    assert weights.std().item() == pytest.approx(LAYERED.initial_weight / 3**0.5, rel=0.02)


def test_settings_that_cannot_be_are_refused() -> None:
    for words in ({"hidden": (4, 0)}, {"initial_weight": 10.5}, {"initial_weight": 0.0}):
        with pytest.raises(BadInput, match=r"encoding cppn: expected .*; got .*\. "):
            Cppn(GREY, replace(LAYERED, **words))  # type: ignore[arg-type]


# The slope


@pytest.mark.parametrize(
    ("spec", "changes"), [(GREY, {}), (COLOUR, {}), (COLOUR, {"colour": "hls"}), (GREY, {"weight_limit": 3.0})]
)
def test_the_slope_is_that_of_finite_differences(spec: ImageSpec, changes: dict[str, Any]) -> None:
    encoding = Cppn(spec, replace(SMALL, **changes))
    genomes, reach = grown(encoding), 2.0**-11
    slope = 2.0 * noise(3, *spec.shape).float() - 1.0

    def value(numbers: Tensor) -> Tensor:
        images = encoding.draw(encoding.with_numbers(genomes, numbers), spec.height, spec.width)
        return (slope.double() * images.double()).sum((1, 2, 3))

    numbers = encoding.numbers(genomes)
    measured = torch.stack(
        [
            (value(numbers + nudge) - value(numbers - nudge)) / (2.0 * reach)
            for nudge in reach * torch.eye(numbers.shape[1])
        ],
        1,
    )
    found = encoding.pull_back(genomes, slope).double()
    # Absolute values and hues have kinks, which a few differences straddle, and float32 has its rounding.
    close = (found - measured).abs() < 0.01 * measured.abs() + 0.01 * measured.norm(dim=1, keepdim=True) + 2e-3
    assert close[genomes.source >= 0].double().mean() > 0.9
    assert measured.norm() > 1.0


def test_what_is_no_connection_has_no_slope_and_never_moves() -> None:
    encoding = Cppn(GREY, SMALL)
    genomes = grown(encoding)
    absent, before = genomes.source < 0, genomes.weight.clone()
    assert not encoding.numbers(genomes)[absent].any()
    assert not encoding.pull_back(genomes, noise(3, *GREY.shape).float())[absent].any()
    moved = encoding.with_numbers(genomes, encoding.numbers(genomes) + 0.5)
    assert torch.equal(moved.weight[absent], before[absent])
    assert bool((moved.weight[~absent] > before[~absent]).all())
    assert torch.equal(genomes.weight, before)
    for name in ("function", "source", "target"):
        assert torch.equal(getattr(moved, name), getattr(genomes, name))


def test_numbers_are_the_weights_and_stay_within_their_limit() -> None:
    encoding = Cppn(GREY, SMALL)
    genomes = encoding.random(3, Stream(0, "test", 0))
    numbers = encoding.numbers(genomes)
    assert torch.equal(numbers, encoding.weights(genomes))
    wanted = 30.0 * noise(*numbers.shape).float() - 15.0
    got = encoding.numbers(encoding.with_numbers(genomes, wanted))
    torch.testing.assert_close(got, wanted.clamp(-10.0, 10.0), rtol=0.0, atol=2e-6)


def test_a_slope_can_be_asked_for_in_inference_mode() -> None:
    encoding, slope = Cppn(COLOUR, SMALL), noise(2, *COLOUR.shape).float()
    outside = encoding.pull_back(encoding.random(2, Stream(0, "test", 0)), slope)
    with torch.inference_mode():
        inside = encoding.pull_back(encoding.random(2, Stream(0, "test", 0)), slope.clone())
    assert torch.equal(inside, outside)
    assert not outside.requires_grad


# The rule


def test_adam_against_numpy() -> None:
    rule, at, memory = Adam(step=0.05, first=0.8, second=0.95), noise(3, 8).float(), torch.zeros(3, 2, 8)
    place, mean, square = at.double().numpy(), numpy.zeros((3, 8)), numpy.zeros((3, 8))
    for k in range(6):
        gradient = 10.0 ** (k - 3) * (noise(3, 8, seed=k).float() - 0.5)
        gradient[:, 2] = 0.0
        before = at.clone(), memory.clone()
        ground = Ground(gradient, torch.zeros(3, dtype=torch.float64), k, torch.zeros(1, 2, 4))
        moved, after = rule.move(at, memory, ground)
        assert torch.equal(at, before[0])
        assert torch.equal(memory, before[1])
        at, memory = moved, after
        g = gradient.double().numpy()
        mean, square = 0.8 * mean + 0.2 * g, 0.95 * square + 0.05 * g * g
        place = place + 0.05 * (mean / (1 - 0.8 ** (k + 1))) / (numpy.sqrt(square / (1 - 0.95 ** (k + 1))) + 1e-8)
        numpy.testing.assert_allclose(at.numpy(), place, atol=1e-5)
    assert torch.equal(at[:, 2], noise(3, 8).float()[:, 2])


def test_the_papers_rule_says_that_it_is_for_images() -> None:
    target = curved()
    rule = replace(RULES["nguyen-l2"], start="uniform")
    contest = contest_on(target, 4, Cppn(target.spec, SMALL))
    with pytest.raises(BadInput, match=r"the rule of Nguyen 2015: expected .* 36 values .*; got 31 numbers\. Choose"):
        finish(partial(ascend, rule=rule), contest, group_plan(target, 4))


# The search


@pytest.mark.parametrize("channels", [1, 3])
def test_it_climbs_in_grey_and_in_colour_and_moves_weights_alone(channels: int) -> None:
    target = curved(channels, 8, 8)
    encoding = Cppn(target.spec, SMALL)
    assert isinstance(encoding, Climbable)
    plan = group_plan(target, 4, generations=60, goal=level_odds(0.99))
    archive, steps = finish(CLIMB, contest_on(target, 4, encoding), plan)
    assert bool((archive.elites.value >= level_odds(0.99)).all())
    assert len(steps) > 2
    start, end = encoding.random(4, Stream(0, "ascend/cppn", 0)), archive.elites.genomes
    assert end is not None
    assert torch.equal(start.source, end.source)
    assert torch.equal(start.target, end.target)
    known = {tuple(row) for row in start.function.tolist()}
    assert all(tuple(row) in known for row in end.function.tolist())
    assert (end.weight - 0.5).abs().max() < 0.5


@pytest.mark.parametrize("channels", [1, 3])
def test_a_search_stopped_after_any_step_goes_on_to_the_same_bits(channels: int) -> None:
    target = curved(channels, 5, 7, classes=5)
    plan = group_plan(target, 3, generations=12, goal=5.0)
    contest = contest_on(target, 3, Cppn(target.spec, SMALL))
    assert assert_resumes_anywhere(CLIMB, contest, plan) > 6


def test_a_run_taken_up_in_the_middle_of_a_turn_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    words = {"by": "ascend", "encoding": "cppn", "batch": 2, "classes": ("0", "1", "3"), "generations": 9}
    assert_run_resumes(words, (2, 7), tmp_path)


def test_all_ten_digits_are_certain_within_a_hundred_steps() -> None:
    target = load_target("lenet-mnist")
    encoding = Cppn(target.spec, LAYERED)
    archive, steps = finish(CLIMB, contest_on(target, 10, encoding), Plan(0, 100, 10, 10, 10, None, SURE, 1))
    assert steps[-1].statistics["confident@0.9999"] == 10
    blind, _ = finish(scatter, contest_on(target, 10, encoding), Plan(0, 400, 10, 10, 10, budget=steps[-1].evaluations))
    ours, theirs = archive.elites.value.clamp(max=SURE), blind.elites.value.clamp(max=SURE)
    assert bool((ours >= theirs).all())
    assert int((ours > theirs).sum()) >= 5


# The wiring


def test_fool_climbs_networks_that_can_be_read_and_painted_at_any_size(tmp_path: Path) -> None:
    run = trompe.fool("lenet-mnist", by="ascend", encoding="cppn", classes=("1", "2"), out=tmp_path / "run")
    assert run.searches[0].method == "cppn-ascend"
    assert run.confident(0.9999).at_least == 2
    assert run.about.encoding["cppn-ascend"]["hidden"] == [16, 16, 16]
    found = trompe.verify(tmp_path / "run")
    assert found.passed
    assert found.exact
    settings = resolve(FoolSettings("lenet-mnist", by="ascend", encoding="cppn", out=tmp_path))
    encoding = make_encoding(settings, make_plan(settings, 2), ImageSpec(1, 28, 28))
    assert isinstance(encoding, Cppn)
    genomes = encoding.random(2, Stream(0, "ascend/cppn", 0))
    assert encoding.draw(genomes, 90, 60).shape == (2, 1, 90, 60)
    assert formula(genomes, 0, 1, encoding.settings.weight_limit).count("\n") == 48
    assert graph(genomes, 0, 1, encoding.settings.weight_limit).count("<path") == 4 * 16 + 2 * 16 * 16 + 16


def test_what_does_not_fit_is_refused_before_a_folder_is_made(tmp_path: Path) -> None:
    for words, message in (
        ({"preset": "nguyen-l2"}, r"--preset of cppn-ascend: expected one of adam"),
        ({"start": "grey"}, r"--start of cppn-ascend: expected one of uniform; got 'grey'"),
        ({"by": "squares"}, r"--encoding: expected --encoding pixels with --by squares; got cppn\. Choose"),
    ):
        given: dict[str, Any] = {"by": "ascend", "encoding": "cppn", **words}
        with pytest.raises(BadInput, match=message):
            trompe.fool("lenet-mnist", **given, out=tmp_path / "run")
    assert not (tmp_path / "run").exists()
