"""The direct encoding: every operator at the rate, size and place that its settings say."""

import math
from dataclasses import replace

import pytest
import torch

from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings.pixels import (
    PRESETS,
    PixelGenomes,
    Pixels,
    PixelSettings,
    polynomial_step,
    simulated_binary,
)

SPEC = ImageSpec(1, 20, 20)
GENES = 400
STILL = PixelSettings(mutation_rate=0.0)


def stream(step: int = 0) -> Stream:
    return Stream(0, "test", step)


def middle(n: int) -> PixelGenomes:
    return PixelGenomes(torch.full((n, GENES), 0.5))


def within(hits: float, n: float, rate: float, sigmas: float = 3.0) -> bool:
    return abs(hits - n * rate) < sigmas * math.sqrt(n * rate * (1 - rate))


def test_the_presets_are_paper_and_released_code():
    """The numbers themselves: a changed default is another experiment."""
    assert PRESETS["paper"] == PixelSettings(0.1, 1000, 15.0, 0.0, 10.0, False)
    assert PRESETS["released-code"] == PixelSettings(0.1, 0, 15.0, 0.5, 10.0, True)


def test_random_genomes_are_uniform_noise():
    genes = Pixels(SPEC).random(200, stream()).genes.double()
    n = genes.numel()
    assert genes.shape == (200, GENES)
    assert abs(genes.mean().item() - 0.5) < 3 / math.sqrt(12 * n)
    assert abs(genes.var().item() - 1 / 12) < 3 / math.sqrt(180 * n)
    assert bool((genes.mean(0) - 0.5).abs().max() < 4.5 / math.sqrt(12 * 200))  # no gene is special


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.6])
def test_genes_mutate_at_the_set_rate(rate):
    """Catches a rate applied to the genome, to pairs, twice, or not at all."""
    parents = middle(200)
    children = Pixels(SPEC, PixelSettings(mutation_rate=rate)).vary(parents, stream())
    changed = children.genes != parents.genes
    n = changed.numel()
    assert within(int(changed.sum()), n, rate)
    # every row and every place alike
    assert bool(((changed.sum(1) - GENES * rate).abs() < 4.5 * math.sqrt(GENES * rate * (1 - rate))).all())
    assert bool(((changed.sum(0) - 200 * rate).abs() < 5 * math.sqrt(200 * rate * (1 - rate)) + 1).all())


@pytest.mark.parametrize(("step", "halvings"), [(0, 0), (9, 0), (10, 1), (19, 1), (20, 2), (35, 3)])
def test_the_rate_halves_with_the_step(step, halvings):
    """Catches an off-by-one period, a linear fall, and a rate that falls with something else than the step."""
    rate = 0.4 * 0.5**halvings
    children = Pixels(SPEC, PixelSettings(mutation_rate=0.4, halving_period=10)).vary(middle(200), stream(step))
    assert within(int((children.genes != 0.5).sum()), 200 * GENES, rate)


def test_without_a_period_the_rate_never_halves():
    children = Pixels(SPEC, PixelSettings(mutation_rate=0.4, halving_period=0)).vary(middle(200), stream(10**6))
    assert within(int((children.genes != 0.5).sum()), 200 * GENES, 0.4)


def test_genes_that_do_not_mutate_keep_every_bit():
    """Catches a round trip through the grid or through float64 arithmetic on untouched genes."""
    parents = Pixels(SPEC).random(100, stream())
    children = Pixels(SPEC).vary(parents, stream(1))
    same = children.genes == parents.genes
    assert within(int((~same).sum()), same.numel(), 0.1)
    odd = torch.nextafter(parents.genes, torch.ones(()))
    assert torch.equal(Pixels(SPEC).vary(PixelGenomes(odd), stream(1)).genes[same], odd[same])


@pytest.mark.parametrize("index", [2.0, 15.0, 40.0])
def test_the_mean_step_is_one_over_index_plus_two(index):
    """Catches a wrong exponent, a missing factor 2, a step that leans to one side."""
    n = 400_000
    steps = polynomial_step(Stream(0, "steps", 0).uniform(n), index)
    size = steps.abs()
    mean = 1 / (index + 2)
    spread = math.sqrt(2 / ((index + 2) * (index + 3)) - mean**2)
    assert abs(size.mean().item() - mean) < 3 * spread / math.sqrt(n)
    assert abs(steps.mean().item()) < 3 * math.sqrt(2 / ((index + 2) * (index + 3)) / n)
    # the whole distribution: P(|step| > s) = (1 - s)^(index + 1)
    for s in (0.01, 0.1, 0.3):
        assert within(int((size > s).sum()), n, (1 - s) ** (index + 1))


def test_the_ends_of_the_uniform_range_give_the_largest_steps():
    assert polynomial_step(torch.tensor([0.0, 0.5, 1.0], dtype=torch.float64), 15.0).tolist() == [-1.0, 0.0, 1.0]


def test_mutation_steps_have_the_set_size_in_the_child():
    """The operator as a whole, where no step is cut off: genes from 0.5 move by the polynomial step and no other."""
    children = Pixels(SPEC, PixelSettings(mutation_rate=0.5, mutation_index=60.0)).vary(middle(400), stream())
    moved = (children.genes - 0.5)[children.genes != 0.5].double()
    mean, square = 1 / 62, 2 / (62 * 63)
    assert abs(moved.abs().mean().item() - mean) < 3 * math.sqrt((square - mean**2) / len(moved))
    assert abs(moved.mean().item()) < 3 * math.sqrt(square / len(moved))


@pytest.mark.parametrize("edge", [0.0, 1.0])
def test_mutation_stays_within_the_range(edge):
    parents = PixelGenomes(torch.full((100, GENES), edge))
    genes = Pixels(SPEC, PixelSettings(mutation_rate=1.0)).vary(parents, stream()).genes
    assert bool(((genes >= 0) & (genes <= 1)).all())
    assert within(int((genes == edge).sum()), genes.numel(), 0.5)  # the half that would have left


def pairs(n: int) -> PixelGenomes:
    """n pairs: first parents at 0.45, second ones at 0.55."""
    genes = torch.full((2 * n, GENES), 0.45)
    genes[1::2] = 0.55
    return PixelGenomes(genes)


@pytest.mark.parametrize("rate", [0.0, 0.2, 0.5, 1.0])
def test_pairs_are_crossed_at_the_set_rate_and_as_a_whole(rate):
    """Catches a rate applied to rows or genes, and a pair of which one child is crossed."""
    parents = pairs(3000)
    children = Pixels(SPEC, replace(STILL, crossover_rate=rate)).vary(parents, stream())
    changed = (children.genes != parents.genes).double().mean(1)
    crossed = changed > 0
    assert torch.equal(crossed[0::2], crossed[1::2])
    assert within(int(crossed[0::2].sum()), 3000, rate) or rate in (0.0, 1.0)
    assert crossed.all() == (rate == 1.0)
    assert crossed.any() == (rate > 0.0)
    assert bool((changed[crossed] > 0.9).all())  # every gene of a crossed pair takes part


def test_crossing_keeps_the_mean_of_the_parents_away_from_the_bounds():
    """Catches children that drift: both lie as far from the middle, one on each side."""
    parents = pairs(300)
    children = Pixels(SPEC, replace(STILL, crossover_rate=1.0, crossover_index=40.0)).vary(parents, stream()).genes
    assert torch.allclose((children[0::2] + children[1::2]) / 2, torch.tensor(0.5), atol=1e-6)


def test_crossing_gives_the_upper_value_to_either_child_alike():
    children = Pixels(SPEC, replace(STILL, crossover_rate=1.0)).vary(pairs(300), stream()).genes
    upper = children[0::2] > children[1::2]
    assert within(int(upper.sum()), upper.numel(), 0.5)


@pytest.mark.parametrize("index", [2.0, 10.0])
def test_simulated_binary_crossover_spreads_as_deb_says(index):
    """Away from bounds P(spread < b) = b^(index+1) / 2 for b <= 1; spread is children's gap over parents' gap."""
    n = 200_000
    first, second = torch.full((n,), 0.4999, dtype=torch.float64), torch.full((n,), 0.5001, dtype=torch.float64)
    low, high = simulated_binary(first, second, Stream(0, "sbx", 0).uniform(n), index)
    spread = (high - low) / (second - first)
    for b in (0.5, 0.8, 1.0):
        assert within(int((spread < b).sum()), n, 0.5 * b ** (index + 1))
    for b in (1.2, 2.0):
        assert within(int((spread > b).sum()), n, 0.5 * b ** -(index + 1))


def test_simulated_binary_crossover_stays_within_the_bounds_without_piling_up_there():
    """Catches clamping in place of the bounded form: the bound itself must be a rare child."""
    n = 100_000
    first, second = torch.full((n,), 0.02, dtype=torch.float64), torch.full((n,), 0.3, dtype=torch.float64)
    low, high = simulated_binary(first, second, Stream(1, "sbx", 0).uniform(n), 2.0)
    assert bool(((low >= 0) & (high <= 1) & (low <= 0.16) & (high >= 0.16)).all())
    assert int((low <= 1e-9).sum()) < 10


def test_shared_genes_become_grey_only_in_the_released_code():
    """The slip of the released code, and its absence elsewhere."""
    genes = torch.full((200, GENES), 0.25)
    genes[1::2, GENES // 2 :] = 0.75
    for grey in (True, False):
        settings = replace(STILL, crossover_rate=1.0, equal_becomes_grey=grey)
        children = Pixels(SPEC, settings).vary(PixelGenomes(genes), stream()).genes
        assert bool((children[:, : GENES // 2] == (0.5 if grey else 0.25)).all())
        assert bool((children[:, GENES // 2 :] != 0.5).all())


def test_a_pair_that_is_not_crossed_stays_as_it_is_in_the_released_code():
    """Catches grey in uncrossed pairs."""
    genes = torch.full((2000, GENES), 0.25)
    children = Pixels(SPEC, replace(STILL, crossover_rate=0.5, equal_becomes_grey=True)).vary(
        PixelGenomes(genes), stream()
    )
    grey = (children.genes == 0.5).all(1)
    assert bool(((children.genes == 0.25).all(1) | grey).all())
    assert within(int(grey[0::2].sum()), 1000, 0.5)


def test_an_odd_last_parent_is_not_crossed():
    children = Pixels(SPEC, replace(STILL, crossover_rate=1.0)).vary(
        PixelGenomes(torch.cat([pairs(1).genes, torch.full((1, GENES), 0.3)])), stream()
    )
    assert bool((children.genes[2] == 0.3).all())
    assert bool((children.genes[:2] != pairs(1).genes).any())


def test_crossing_and_mutation_draw_from_streams_of_their_own():
    """Catches two draws from one name: which genes mutate would then tell which pairs are crossed."""
    rate = PixelSettings(mutation_rate=0.3)
    mutated = Pixels(SPEC, rate).vary(middle(100), stream()).genes != 0.5
    both = Pixels(SPEC, replace(rate, crossover_rate=1.0)).vary(middle(100), stream()).genes != 0.5
    assert torch.equal(mutated, both)  # equal parents have nothing to cross, so only mutation shows


def test_an_image_is_its_genes_rounded_to_the_grid_in_order():
    """Catches truncation, a transposed image and channels last."""
    spec = ImageSpec(2, 3, 4)
    genes = (torch.arange(24.0).reshape(1, 24) * 10 + 0.6) / 255
    image = Pixels(spec).express(PixelGenomes(genes))
    assert torch.equal(image, ((torch.arange(24.0) * 10 + 1) / 255).reshape(1, 2, 3, 4))


def test_the_description_holds_every_setting():
    encoding = Pixels(SPEC, PixelSettings(0.2, 7, 3.0, 0.4, 5.0, True))
    assert encoding.describe() == {
        "name": "pixels", "mutation_rate": 0.2, "halving_period": 7, "mutation_index": 3.0,
        "crossover_rate": 0.4, "crossover_index": 5.0, "equal_becomes_grey": True,
    }  # fmt: skip


def test_pairs_that_are_crossed_a_few_at_a_time_are_crossed_as_all_at_once(monkeypatch):
    encoding = Pixels(ImageSpec(1, 6, 5), PRESETS["released-code"])
    parents, stream = encoding.random(31, Stream(0, "test/parents", 0)), Stream(0, "test/crossed", 0)
    whole = encoding.vary(parents, stream).genes
    monkeypatch.setattr("trompe.encodings.pixels._CHUNK", 60)
    assert torch.equal(encoding.vary(parents, stream).genes, whole)
