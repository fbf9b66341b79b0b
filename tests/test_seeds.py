"""Streams: the same name gives the same numbers, and the numbers have the distribution they claim."""

import json
import math
import subprocess
import sys

import pytest
import torch

from trompe.core.seeds import Stream

_ELSEWHERE = """
import json, random, torch
torch.manual_seed(12345); torch.rand(7); random.random()
from trompe.core.seeds import Stream
stream = Stream(3, "evolve/pixels/mutated", 17)
stream.branch("noise").uniform(100)
print(json.dumps([stream.uniform(5).tolist(), stream.uniform32(3).tolist(), stream.integers(6, 10).tolist(),
                  stream.rare(500, 0.02).tolist()]))
"""


def z_score(hits: float, mean: float, variance: float) -> float:
    return abs(hits - mean) / math.sqrt(variance)


def test_streams_are_the_same_in_another_process():
    """Catches Python's salted `hash`, global state and a dependence on what was drawn before."""
    done = subprocess.run([sys.executable, "-c", _ELSEWHERE], check=True, capture_output=True, text=True)
    stream = Stream(3, "evolve/pixels/mutated", 17)
    drawn = [stream.uniform(5), stream.uniform32(3), stream.integers(6, 10), stream.rare(500, 0.02)]
    assert json.loads(done.stdout) == [numbers.tolist() for numbers in drawn]


def test_streams_are_the_same_in_another_year():
    """Catches a silent change of the derivation, which would break every recorded run."""
    assert Stream(0, "golden", 0).uniform(2).tolist() == [0.6692185699021498, 0.727563394542887]


def test_drawing_does_not_depend_on_the_order_of_draws():
    streams = [Stream(0, name, step) for name in ("a", "b") for step in (0, 1)]
    forwards = [stream.uniform(4) for stream in streams]
    backwards = [stream.uniform(4) for stream in reversed(streams)]
    assert all(torch.equal(one, other) for one, other in zip(forwards, reversed(backwards), strict=True))


def test_each_part_of_a_name_matters():
    """Catches a field that is left out of the digest, and "1/2" + "3" read as "1" + "2/3"."""
    names = [(0, "a", 0), (1, "a", 0), (0, "b", 0), (0, "a", 1), (0, "a/b", 0), (11, "a", 1), (1, "a", 11)]
    drawn = {tuple(Stream(*name).uniform(3).tolist()) for name in names}
    assert len(drawn) == len(names)
    assert torch.equal(Stream(0, "a", 0).branch("b").uniform(3), Stream(0, "a/b", 0).uniform(3))


@pytest.mark.parametrize("poison", [0, 99])
def test_the_global_source_of_randomness_neither_matters_nor_moves(poison):
    torch.manual_seed(poison)
    before = torch.get_rng_state()
    stream = Stream(5, "quiet", 2)
    drawn = [stream.uniform(9), stream.uniform32(9).double(), stream.integers(9, 4).double(), stream.rare(99, 0.3)]
    assert torch.equal(before, torch.get_rng_state())
    torch.manual_seed(poison + 1)
    again = [stream.uniform(9), stream.uniform32(9).double(), stream.integers(9, 4).double(), stream.rare(99, 0.3)]
    assert all(torch.equal(one, other) for one, other in zip(drawn, again, strict=True))


def test_a_shape_is_filled_in_order():
    """Catches a draw whose numbers depend on the shape that is asked for."""
    stream = Stream(1, "shape", 0)
    assert torch.equal(stream.uniform(3, 4).flatten(), stream.uniform(12))
    assert torch.equal(stream.uniform32(2, 3, 2).flatten(), stream.uniform32(12))


@pytest.mark.parametrize("kind", ["uniform", "uniform32"])
def test_uniform_numbers_are_uniform(kind):
    """Mean 1/2 and variance 1/12 within 4 sigma, in [0, 1), and neighbours unrelated."""
    n = 200_000
    drawn = getattr(Stream(2, "uniform", 0), kind)(n).double()
    assert 0.0 <= drawn.min() < 1e-3
    assert 0.999 < drawn.max() < 1.0
    assert z_score(drawn.mean().item(), 0.5, 1 / 12 / n) < 4
    assert z_score(drawn.var().item(), 1 / 12, 1 / 180 / n) < 4
    centred = drawn - 0.5
    assert z_score((centred[1:] * centred[:-1]).sum().item(), 0.0, (n - 1) / 144) < 4


def test_integers_are_uniform_over_exactly_their_range():
    """Catches rounding instead of flooring (the ends would be half as likely) and a range that includes its end."""
    n, below = 70_000, 7
    counts = Stream(3, "integers", 0).integers(n, below).bincount()
    assert len(counts) == below
    chi_square = ((counts - n / below) ** 2 / (n / below)).sum().item()
    assert chi_square < 24.1  # 99.95 % quantile at 6 degrees of freedom
    assert Stream(3, "integers", 0).integers(5, 1).tolist() == [0] * 5


@pytest.mark.parametrize("rate", [0.0005, 0.1, 0.5, 0.97])
def test_rare_positions_come_at_exactly_their_rate(rate):
    """Catches a gap that is off by one: the rate would be r / (1 + r)."""
    total, trials = 4000, 50
    hits = sum(len(Stream(4, "rare/rate", trial).rare(total, rate)) for trial in range(trials))
    assert z_score(hits, total * trials * rate, total * trials * rate * (1 - rate)) < 3


def test_rare_positions_are_ascending_and_different_and_within():
    for trial in range(30):
        drawn = Stream(5, "rare/order", trial).rare(300, 0.4)
        assert drawn.dtype == torch.int64
        assert bool((drawn.diff() > 0).all())
        assert drawn.min() >= 0
        assert drawn.max() < 300


def test_rare_positions_are_uniform_up_to_both_ends():
    """Catches a first or last position that is never drawn, or drawn too often."""
    total, trials, rate = 12, 6000, 0.25
    counts = torch.zeros(total)
    for trial in range(trials):
        counts[Stream(6, "rare/uniform", trial).rare(total, rate)] += 1
    sigma = math.sqrt(trials * rate * (1 - rate))
    assert bool(((counts - trials * rate).abs() < 3.5 * sigma).all())


def test_rare_positions_are_independent_of_each_other():
    """Neighbours are drawn together as often as independence says, and so are positions five apart."""
    total, rate = 200_000, 0.2
    mask = torch.zeros(total, dtype=torch.bool)
    mask[Stream(7, "rare/pairs", 0).rare(total, rate)] = True
    for apart in (1, 2, 5):
        both = int((mask[apart:] & mask[:-apart]).sum())
        # neighbouring pairs share an element, which widens the variance by at most 2 * rate^3
        assert z_score(both, total * rate**2, total * (rate**2 + 2 * rate**3)) < 3


def test_gaps_between_rare_positions_are_geometric():
    """Catches gaps of the right mean and the wrong shape."""
    rate, total = 0.1, 400_000
    gaps = Stream(8, "rare/gaps", 0).rare(total, rate).diff()
    n = len(gaps)
    for k in (1, 2, 5, 20):
        share = rate * (1 - rate) ** (k - 1)
        assert z_score(int((gaps == k).sum()), n * share, n * share * (1 - share)) < 3.5


def test_rare_at_its_edges():
    assert Stream(0, "edge", 0).rare(100, 0.0).tolist() == []
    assert Stream(0, "edge", 0).rare(0, 0.5).tolist() == []
    assert Stream(0, "edge", 0).rare(100, 1.0).tolist() == list(range(100))
    assert Stream(0, "edge", 0).rare(1000, 1e-12).tolist() == []


def test_rare_goes_on_where_its_first_draw_was_too_short(monkeypatch):
    """Catches parts that repeat each other's numbers or leave a hole where they meet."""
    monkeypatch.setattr("trompe.core.seeds.math.sqrt", lambda value: -value / 6.0)  # 16 gaps at a time
    total, rate, trials = 400, 0.5, 40
    hits = 0
    for trial in range(trials):
        drawn = Stream(9, "rare/parts", trial).rare(total, rate)
        assert bool((drawn.diff() > 0).all())
        hits += len(drawn)
    monkeypatch.undo()
    assert z_score(hits, total * rate * trials, total * trials * rate * (1 - rate)) < 3
