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


def _played(
    budget: int | None, needs: list[int], batch: int = 4, generations: int = 50
) -> tuple[Turn, list[list[int]]]:
    """What each class gets in each turn, where class i is at the goal after so many candidates; and the last turn."""
    classes = len(needs)
    plan = Plan(0, generations, batch, batch, batch, budget, goal=5.0, groups=-(-classes // batch))
    turn, value, had, evaluations, turns = (
        Turn.restore({}),
        torch.zeros(classes, dtype=torch.float64),
        [0] * classes,
        0,
        [],
    )
    while True:
        members = turn.open(value, plan)
        if not len(members):
            following = turn.next(value, plan, evaluations)
            if following is None:
                return turn, turns
            turn, members = following, torch.arange(len(following.niches))
            turns.append([0] * classes)
        members = members[: plan.admitted(len(members), evaluations)]
        if not len(members):
            return turn, turns
        evaluations += len(members)
        turn = Turn.restore(turn.after(members).to_state())
        for i in turn.niches[members].tolist():
            had[i] += 1
            turns[-1][i] += 1
            value[i] = 10.0 if had[i] >= needs[i] else 0.0


def test_hard_classes_do_not_starve_the_others_and_get_what_is_left() -> None:
    needs = [10**6 if i % 4 == 0 else 2 for i in range(20)]  # five are out of reach
    _, turns = _played(200, needs)
    total = [sum(part) for part in zip(*turns, strict=True)]
    first = [sum(part) for part in zip(*turns[:5], strict=True)]
    assert first == [10 if need > 2 else 2 for need in needs]  # an even ration in the first round
    assert sum(total) == 200
    assert total == [34 if need > 2 else 2 for need in needs]  # and what is left, evenly, for those that need it


def test_a_budget_below_one_look_a_class_is_a_random_sample_with_one_each() -> None:
    _, turns = _played(7, [9] * 20)
    total = [sum(part) for part in zip(*turns, strict=True)]
    assert sorted(total) == [0] * 13 + [1] * 7


def test_generations_bound_a_class_in_all_rounds_together() -> None:
    turn, turns = _played(10_000, [10**6] * 9, generations=6)
    assert [sum(part) for part in zip(*turns, strict=True)] == [7] * 9
    assert turn.number + 1 == len(turns) == 3  # where the budget is no bound there is one round
    _, cut = _played(50, [10**6] * 9, generations=6)
    assert sum(map(sum, cut)) == 50
    assert all(4 <= sum(part) <= 7 for part in zip(*cut, strict=True))


def test_without_a_budget_or_with_one_group_nothing_is_rationed() -> None:
    for budget, classes in ((None, 20), (30, 4)):
        turn, turns = _played(budget, [10**6] * classes, generations=8)
        assert (turn.ration, len(turn.spent), set(turn.to_state())) == (-1, 0, {"group", "niches", "tried"})
        assert len(turns) == -(-classes // 4)
