"""Turns: every class has one, in an order that is random and the same for the same seed."""

import math

import torch

from trompe.search.contest import BEGINNING, Plan
from trompe.search.turns import Turn


def _groups(seed: int, classes: int = 40, batch: int = 4, closed: tuple[int, ...] = ()) -> list[list[int]]:
    value = torch.full((classes,), -math.inf, dtype=torch.float64)
    value[list(closed)] = 10.0
    plan = Plan(seed, 3, batch, batch, batch, goal=5.0, groups=-(-classes // batch))
    turn, found = Turn.restore(BEGINNING.state), []
    while (following := turn.next(value, plan)) is not None:
        turn = Turn.restore(following.to_state())
        found.append(turn.niches.tolist())
    return found


def test_every_open_class_has_exactly_one_turn() -> None:
    groups = _groups(0, closed=(3, 17))
    assert sorted(label for group in groups for label in group) == [i for i in range(40) if i not in (3, 17)]
    assert all(group == sorted(group) and len(group) <= 4 for group in groups)


def test_the_first_turns_are_a_random_sample_and_the_same_for_the_same_seed() -> None:
    assert _groups(0) == _groups(0) != _groups(1)
    early = [label for seed in range(200) for label in _groups(seed)[0]]
    counts = torch.bincount(torch.tensor(early), minlength=40)
    assert counts.sum() == 800
    assert float(((counts - 20.0) ** 2 / 20.0).sum()) < 75.0, "chi-square with 39 degrees of freedom, p = 0.0005"


def test_classes_that_fit_into_one_group_go_together() -> None:
    assert _groups(5, classes=4) == [[0, 1, 2, 3]]
