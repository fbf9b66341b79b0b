"""Random squares: what is painted is one square, it asks for little, and it can be broken off anywhere."""

import math
from collections import Counter
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from arena import (
    LEVELS,
    SURE,
    Wrapped,
    assert_resumes_anywhere,
    assert_run_resumes,
    contest_on,
    curved,
    finish,
    group_plan,
    restored,
)
from torch import Tensor

import trompe
from trompe.core.errors import BadInput
from trompe.core.seeds import Stream
from trompe.search import SQUARES, STARTS, Archive, Plan, Tally, scatter, squares
from trompe.search.squares import SquareSettings, paint_squares
from trompe.targets import load_target

SHAPES = [(1, 28, 28), (3, 5, 7), (2, 4, 3), (5, 1, 9), (1, 1, 1)]


def grey(n: int, *shape: int) -> Tensor:
    return torch.full((n, *shape), 100.0 / 255.0)


# The square


@pytest.mark.parametrize("shape", SHAPES)
def test_a_copy_differs_by_exactly_one_square_of_one_colour(shape: tuple[int, int, int]) -> None:
    for side in {1, 2, min(shape[1:])} & set(range(1, min(shape[1:]) + 1)):
        images = grey(40, *shape)
        before = images.clone()
        painted = paint_squares(images, side, Stream(side, "test/paint", 0))
        assert torch.equal(images, before)
        for image in painted:
            changed = (image != 100.0 / 255.0).numpy()
            assert (changed == changed[:1]).all()  # the same place in every channel
            rows, columns = numpy.nonzero(changed[0])
            assert len(rows) == side * side
            assert rows.max() - rows.min() == columns.max() - columns.min() == side - 1
            for channel in image.numpy():
                assert set(channel[rows, columns].tolist()) in ({0.0}, {1.0})


def test_places_and_colours_are_uniform() -> None:
    n, painted = 9000, paint_squares(grey(9000, 2, 4, 5), 2, Stream(0, "test/uniform", 0))
    changed = (painted != 100.0 / 255.0)[:, 0].flatten(1).to(torch.uint8).argmax(1)
    corner = torch.stack([changed // 5, changed % 5], 1)
    places = Counter(map(tuple, corner.tolist()))
    assert set(places) == {(top, left) for top in range(3) for left in range(4)}
    assert all(abs(count - n / 12) < 4 * math.sqrt(n / 12) for count in places.values())
    colours = Counter(
        tuple(image.flatten()[at::20].tolist()) for image, at in zip(painted, changed.tolist(), strict=True)
    )
    assert set(colours) == {(0, 0), (0, 1), (1, 0), (1, 1)}
    assert all(abs(count - n / 4) < 4 * math.sqrt(n / 4) for count in colours.values())


@pytest.mark.parametrize("shape", [(1, 6, 6), (3, 6, 5)])
def test_no_look_is_wasted_on_the_same_image(shape: tuple[int, int, int]) -> None:
    images = torch.cat([torch.zeros(200, *shape), torch.ones(200, *shape)])
    painted = paint_squares(images, 3, Stream(0, "test/same", 0))
    assert (painted != images).flatten(1).any(1).all()


def test_sides_by_hand() -> None:
    settings = SquareSettings()
    # 0.3 of 784 is 235.2, of which the root is 15.3; half of it 10.8; an eleventh 4.6; a 101st 1.5.
    assert [settings.side(step, 28, 28) for step in (0, 10, 100, 1000, 10**6)] == [15, 11, 5, 2, 1]
    assert SquareSettings(area=1.0).side(0, 4, 100) == 4  # no wider than the shorter side
    assert settings.side(0, 1, 1) == 1
    sides = [settings.side(step, 64, 48) for step in range(300)]
    assert sides == sorted(sides, reverse=True)


# The search


def test_a_search_stopped_after_any_step_goes_on_to_the_same_bits() -> None:
    target = curved(2, 5, 7, classes=7)
    plan = group_plan(target, 3, generations=12, goal=5.0, budget=70)
    assert assert_resumes_anywhere(squares, contest_on(target, 3), plan) > 12


@pytest.mark.slow
def test_a_run_taken_up_in_the_middle_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    assert_run_resumes({"by": "squares", "batch": 4, "seed": 1}, (1, 20, 101), tmp_path)


def test_a_turn_is_a_fresh_image_then_squares_of_falling_size_on_the_strongest() -> None:
    target, settings = Wrapped(curved(1, 12, 12, classes=4)), SQUARES["random-squares"]
    contest, plan = contest_on(target, 2), group_plan(target, 2, generations=20, goal=torch.inf)
    archive: Archive[Any] = Archive(4, LEVELS)
    strongest = None
    for step in squares(contest, archive, plan, Tally()):
        turn, inputs = step.number % 21, target.asked[-1]
        if turn == 0:
            assert ((inputs > 0.0) & (inputs < 1.0)).double().mean() > 0.95
        elif strongest is not None:
            changed = (inputs != strongest[step.state["niches"]]).flatten(1).sum(1)
            side = settings.side(turn - 1, 12, 12)
            assert bool((changed >= 1).all())
            assert bool((changed <= side * side).all())
            assert step.number != 1 or bool((changed == side * side).all())  # noise has no 0 or 1 to be painted over
        assert archive.elites.genomes is not None
        strongest = contest.encoding.express(archive.elites.genomes).clone()
    assert step.number == 2 * 21 - 1


def test_every_row_is_counted() -> None:
    target = Wrapped(curved(classes=5))
    _, steps = finish(squares, contest_on(target, 3), group_plan(target, 3, generations=6, goal=torch.inf))
    assert len(steps) == 2 * 7
    assert (steps[-1].evaluations, steps[-1].backwards) == (7 * 3 + 7 * 2, 0)
    assert steps[-1].forwards == target.sent == 14 * 3


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 29])
def test_the_budget_is_kept_to_the_last_look(budget: int) -> None:
    target = curved(classes=5)
    plan = group_plan(target, 3, generations=40, goal=torch.inf, budget=budget)
    _, steps = finish(squares, contest_on(target, 3), plan)
    assert steps[-1].evaluations == budget
    assert plan.ended_by(steps[-1].number, budget) == "budget"


def test_classes_at_the_goal_get_no_more_candidates_and_the_next_group_begins_afresh() -> None:
    target = curved(classes=6)
    contest, plan = contest_on(target, 3), group_plan(target, 3, generations=200, goal=3.0)
    archive: Archive[Any] = Archive(6, LEVELS)
    before, group, made = torch.full((6,), -torch.inf, dtype=torch.float64), -1, 0
    for step in squares(contest, archive, plan, Tally()):
        niches, tried = step.state["niches"], step.state["tried"]
        if int(step.state["group"]) > group:  # only classes that nobody has made certain yet
            group = int(step.state["group"])
            assert bool((before[niches] < 3.0).all())
            assert step.evaluations - made == len(niches)
        else:
            assert step.evaluations - made == int((before[niches] < 3.0).sum())
            assert ((tried == tried.max()) == (before[niches] < 3.0)).all()
        made, before = step.evaluations, archive.elites.value.clone()
    assert group >= 1
    assert bool((before >= 3.0).all())


def test_the_image_that_is_painted_is_the_strongest_of_its_class_whoever_made_it() -> None:
    target = curved(classes=4)
    contest, plan = contest_on(target, 4), group_plan(target, 4, generations=60, goal=torch.inf)
    archive: Archive[Any] = Archive(4, LEVELS)
    holders, adopted = archive.elites.ids.clone(), 0
    for step in squares(contest, archive, plan, Tally()):
        first = step.evaluations - 4
        for candidate, (parent, mate) in zip(
            step.wins.winners.ids.tolist(), step.wins.winners.parents.tolist(), strict=True
        ):
            assert (parent, mate) == (int(holders[candidate - first]), -1)
        made_for = step.wins.winners.ids[step.wins.row] - first
        adopted += int((made_for != step.wins.niche).sum()) if step.number else 0
        holders = archive.elites.ids.clone()
    assert adopted > 0


SEVERAL = partial(squares, settings=SQUARES["several-squares"])


def test_the_last_classes_get_the_looks_of_those_that_are_there() -> None:
    target = curved(classes=6)
    contest, plan = contest_on(target, 6), group_plan(target, 6, generations=200, goal=3.0)
    archive: Archive[Any] = Archive(6, LEVELS)
    before, made, shared = torch.full((6,), -torch.inf, dtype=torch.float64), 0, 0
    for step in SEVERAL(contest, archive, plan, Tally()):
        left = int((before < 3.0).sum())
        assert step.evaluations - made == 6 // left * left
        shared += left < 4
        made, before = step.evaluations, archive.elites.value.clone()
    assert shared > 3
    assert bool((before >= 3.0).all())


@pytest.mark.parametrize("budget", [7, 31])
def test_several_squares_keep_the_budget_and_can_be_stopped_anywhere(budget: int) -> None:
    target = curved(2, 5, 7, classes=7)
    plan = group_plan(target, 3, generations=12, goal=1.0, budget=budget)
    _, steps = finish(SEVERAL, contest_on(target, 3), plan)
    assert steps[-1].evaluations <= budget
    assert_resumes_anywhere(SEVERAL, contest_on(target, 3), plan)


def test_several_squares_need_fewer_steps_for_the_ten_digits() -> None:
    target, plan = load_target("lenet-mnist"), Plan(0, 1000, 10, 10, 10, 2500, SURE, 1)
    _, alone = finish(squares, contest_on(target, 10), plan)
    _, several = finish(SEVERAL, contest_on(target, 10), plan)
    assert several[-1].statistics["confident@0.9999"] == 10
    assert len(several) < 0.8 * len(alone)
    assert several[-1].evaluations <= 2500


def test_ten_digits_in_few_looks_and_far_better_than_scatter() -> None:
    target, plan = load_target("lenet-mnist"), Plan(0, 1000, 10, 10, 10, 2500, SURE, 1)
    archive, steps = finish(squares, contest_on(target, 10), plan)
    assert steps[-1].evaluations <= 600  # 402 when this was written; 2,500 were asked for
    assert steps[-1].statistics["confident@0.9999"] == 10
    sure = next(step.number for step in steps if step.statistics["confident@0.99"] >= 5)
    assert sure + 1 <= 60
    blind, _ = finish(scatter, contest_on(target, 10), Plan(0, 100, 10, 10, 10, budget=steps[-1].evaluations))
    assert bool((archive.elites.value > blind.elites.value).all())


@pytest.mark.parametrize("start", STARTS)
def test_it_reaches_every_digit_from_every_start(start: str) -> None:
    search = partial(squares, settings=replace(SQUARES["random-squares"], start=start))
    _, steps = finish(search, contest_on(load_target("lenet-mnist"), 10), Plan(1, 1000, 10, 10, 10, 2500, SURE, 1))
    assert steps[-1].statistics["confident@0.9999"] == 10


@pytest.mark.parametrize("shape", SHAPES[1:4])
def test_colour_and_odd_sizes(shape: tuple[int, int, int]) -> None:
    target = curved(*shape, classes=3)
    archive, steps = finish(squares, contest_on(target, 3), group_plan(target, 3, generations=150, goal=torch.inf))
    start = torch.tensor(_starts(target), dtype=torch.float64)
    assert bool((archive.elites.value > start + 1.0).all())
    assert archive.elites.genomes is not None
    levels = 255.0 * archive.elites.genomes.genes
    torch.testing.assert_close(levels, levels.round(), rtol=0.0, atol=1e-4)  # on the grid
    blind, _ = finish(scatter, contest_on(target, 3), Plan(0, 500, 3, 3, 3, budget=steps[-1].evaluations))
    assert archive.elites.value.sum() > blind.elites.value.sum()


def _starts(target: Any) -> list[float]:
    archive, _ = finish(squares, contest_on(target, 3), group_plan(target, 3, generations=0))
    values: list[float] = archive.elites.value.tolist()
    return values


def test_an_image_of_one_pixel_is_no_special_case() -> None:
    target = curved(1, 1, 1, classes=2)
    _, steps = finish(squares, contest_on(target, 2), group_plan(target, 2, generations=5, goal=torch.inf))
    assert steps[-1].evaluations == 12


def test_an_encoding_without_a_genome_for_every_image_is_refused() -> None:
    @dataclass(frozen=True)
    class Rigid:
        name: str = "rigid"

    contest = replace(contest_on(curved(), 4), encoding=Rigid())
    with pytest.raises(BadInput, match=r"--by squares: expected .* such as pixels; got rigid\. Choose"):
        next(squares(contest, Archive(4, LEVELS), group_plan(curved(), 4)))


def test_global_randomness_is_left_alone() -> None:
    states = torch.get_rng_state(), numpy.random.get_state()[1].copy()  # noqa: NPY002
    _, steps = finish(squares, contest_on(curved(), 4), group_plan(curved(), 4, generations=20))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (numpy.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert restored(steps[-1]).state["niches"].tolist() == [0, 1, 2, 3]


@pytest.mark.parametrize("words", [{}, {"start": "grey", "batch": 3, "seed": 4}])
def test_fool_by_squares_is_verified_bit_for_bit(tmp_path: Path, words: dict[str, Any]) -> None:
    run = trompe.fool("lenet-mnist", by="squares", out=tmp_path / "run", **words)
    assert run.searches[0].method == "pixels-squares"
    assert run.confident(0.9999).at_least == 10
    assert run.searches[0].reason == "confidence"
    found = trompe.verify(tmp_path / "run")
    assert found.passed
    assert found.exact
    assert found.largest == 0.0
    assert found.images >= 20
