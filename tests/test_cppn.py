"""CPPNs: painted as an independent recursive evaluation says, varied at the stated rates, never with a cycle."""

import colorsys
import math
from dataclasses import replace
from functools import cache

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trompe.core.errors import BadInput
from trompe.core.numerics import to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings.cppn import PRESETS, Cppn, CppnGenomes, CppnSettings
from trompe.encodings.cppn.colour import hls_to_rgb, hsv_to_rgb
from trompe.encodings.cppn.functions import NAMES
from trompe.encodings.cppn.render import depths, without_idle
from trompe.encodings.cppn.vary import choose

GREY, COLOUR = ImageSpec(1, 7, 9), ImageSpec(3, 6, 5)
STILL = CppnSettings(
    weight_rate=0.0, function_rate=0.0, add_connection=0.0, delete_connection=0.0, add_node=0.0, delete_node=0.0
)
PLAIN = {
    "sine": math.sin,
    "sigmoid": lambda p: 2.0 / (1.0 + math.exp(-p)) - 1.0,
    "gaussian": lambda p: math.exp(-p * p),
    "linear": lambda p: max(-3.0, min(3.0, p)) / 3.0,
    "steep": lambda p: math.tanh(5.0 * p),
}


def grown(encoding, n=40, rounds=25, seed=0):
    genomes = encoding.random(n, Stream(seed, "test/random", 0))
    for step in range(rounds):
        genomes = encoding.vary(genomes, Stream(seed, "test/vary", step))
    return genomes


def links(genomes, row):
    """(source, target, gene) of one network's connections, in order."""
    columns = (genomes.source[row].tolist(), genomes.target[row].tolist(), genomes.weight[row].tolist())
    return [link for link in zip(*columns, strict=True) if link[0] >= 0]


def painted_by_recursion(encoding, genomes, row, i, j):
    """Output values of one network at one pixel, by recursion from the outputs: shares no code with the renderer."""
    height, width = encoding.spec.height, encoding.spec.width
    x, y = -1.0 + 2.0 * j / (width - 1), -1.0 + 2.0 * i / (height - 1)
    seen = [x, y] if encoding.settings.coordinates == "normalised" else [float(j), float(i)]
    inputs = [*seen, math.hypot(x, y), 1.0]
    limit = encoding.settings.weight_limit

    @cache
    def value(node):
        if node < 4:
            return inputs[node]
        total = sum((gene * 2 * limit - limit) * value(source) for source, target, gene in edges if target == node)
        return PLAIN[NAMES[genomes.function[row, node - 4]]](total)

    edges = links(genomes, row)
    return [abs(value(4 + output)) for output in range(encoding.spec.channels)]


@pytest.mark.parametrize("preset", PRESETS)
def test_every_pixel_is_what_a_recursive_evaluation_gives(preset):
    """A wrong level order, a lost connection, a swapped axis or function shows here."""
    encoding = Cppn(GREY, PRESETS[preset])
    genomes = grown(encoding, n=12)
    image = encoding.draw(genomes, GREY.height, GREY.width)
    # Raw coordinates feed sines with arguments in the hundreds, where float32 keeps fewer digits.
    tolerance = 1e-4 if preset == "paper" else 2e-2
    for row in range(len(genomes)):
        for i, j in [(0, 0), (3, 5), (6, 8), (2, 1)]:
            assert image[row, 0, i, j].item() == pytest.approx(
                painted_by_recursion(encoding, genomes, row, i, j)[0], abs=tolerance
            )


def test_colour_goes_through_hsv_or_hls_as_the_preset_says():
    paper = Cppn(COLOUR, PRESETS["paper"])
    genomes = grown(paper, n=6)
    image = paper.draw(genomes, 6, 5)
    for row in range(6):
        hue, saturation, value = painted_by_recursion(paper, genomes, row, 4, 2)
        assert image[row, :, 4, 2].tolist() == pytest.approx(colorsys.hsv_to_rgb(hue, saturation, value), abs=2e-3)


@given(st.floats(0, 1.4), st.floats(0, 1), st.floats(0, 1))
def test_colour_spaces_agree_with_the_standard_library(hue, second, third):
    h, s, t = (torch.tensor([value], dtype=torch.float64) for value in (hue, second, third))
    assert hsv_to_rgb(h, s, t)[0].tolist() == pytest.approx(colorsys.hsv_to_rgb(hue % 1.0, second, third), abs=1e-9)
    assert hls_to_rgb(h, s, t)[0].tolist() == pytest.approx(colorsys.hls_to_rgb(hue % 1.0, second, third), abs=1e-9)


def test_a_picture_does_not_depend_on_who_is_painted_beside_it():
    """Padding, ordering and chunks of a population must not leak between its members."""
    encoding = Cppn(ImageSpec(1, 28, 28))
    genomes = grown(encoding, n=30)
    together = to_levels(encoding.express(genomes))
    for row in (0, 7, 29):
        alone = genomes.take(torch.tensor([row])).trimmed()
        assert torch.equal(to_levels(encoding.express(alone))[0], together[row])
    turned = encoding.express(genomes.take(torch.arange(29, -1, -1)))
    assert torch.equal(to_levels(turned).flip(0), together)


def test_idle_nodes_are_skipped_without_changing_what_is_painted():
    encoding = Cppn(GREY)
    genomes = grown(encoding)
    lean = without_idle(genomes, 1)
    assert int(lean.sizes()[0].sum()) < int(genomes.sizes()[0].sum())
    for row in range(0, len(genomes), 7):
        assert painted_by_recursion(encoding, lean, row, 3, 4) == painted_by_recursion(encoding, genomes, row, 3, 4)


def test_gradients_reach_the_weights_and_agree_with_finite_differences():
    encoding = Cppn(GREY)
    genomes = grown(encoding, n=3, rounds=8)
    weights = encoding.weights(genomes).mul(0.1).requires_grad_()
    encoding.render(genomes, weights, 7, 9).square().sum().backward()
    row, column = (genomes.source >= 0).nonzero()[4].tolist()
    step = torch.zeros_like(weights)
    step[row, column] = 1e-2
    with torch.no_grad():
        high, low = (encoding.render(genomes, weights + sign * step, 7, 9).square().sum().item() for sign in (1, -1))
    assert weights.grad[row, column].item() == pytest.approx((high - low) / 2e-2, rel=0.05, abs=1e-2)


def test_the_same_network_paints_the_same_scene_at_any_size():
    encoding = Cppn(ImageSpec(1, 9, 9))
    genomes = grown(encoding, n=10, rounds=10)
    small, large = encoding.draw(genomes, 9, 9), encoding.draw(genomes, 17, 33)
    assert torch.allclose(small, large[:, :, ::2, ::4], atol=1e-4)


def test_raw_coordinates_are_pixel_indices_of_the_native_size():
    encoding = Cppn(GREY, replace(PRESETS["released-code"], functions=("linear",)))
    function = torch.zeros(1, 1, dtype=torch.int8) + NAMES.index("linear")
    one = torch.ones(1, 1, dtype=torch.int16)
    ramp = CppnGenomes(function, one * 0, one * 4, torch.full((1, 1), 0.505))  # weight 0.1 from x
    row = encoding.draw(ramp, 7, 9)[0, 0, 3]
    assert row.tolist() == pytest.approx([0.1 * column / 3.0 for column in range(9)], abs=1e-6)


@given(st.integers(0, 10_000))
def test_variation_never_makes_a_cycle_nor_a_dangling_connection(seed):
    encoding = Cppn(COLOUR)
    genomes = grown(encoding, n=6, rounds=12, seed=seed)
    depth = depths(genomes)
    for row in range(6):
        for source, target, gene in links(genomes, row):
            below = 0 if source < 4 else depth[row, source - 4].item()
            assert below < depth[row, target - 4].item()  # in a cycle no depth could be consistent
            assert genomes.function[row, target - 4] >= 0
            assert source < 4 or genomes.function[row, source - 4] >= 0
            assert not 4 <= source < 7  # nothing leaves an output
            assert 0.0 <= gene <= 1.0


def test_parents_are_left_as_they_were():
    encoding = Cppn(GREY)
    parents = grown(encoding)
    before = {name: values.clone() for name, values in parents.to_arrays().items()}
    encoding.vary(parents, Stream(9, "test", 0))
    for name, values in parents.to_arrays().items():
        assert torch.equal(values, before[name])


def within(count, trials, rate):
    """Within three standard errors of a binomial rate."""
    return abs(count - trials * rate) <= 3.0 * math.sqrt(trials * rate * (1.0 - rate))


@pytest.mark.parametrize(
    ("name", "rate", "nodes", "connections"),
    [("add_connection", 0.5, 0, 1), ("delete_connection", 0.3, 0, -1), ("add_node", 0.5, 1, 1)],
)
def test_structural_mutations_happen_at_their_rates_and_change_what_they_say(name, rate, nodes, connections):
    encoding = Cppn(GREY, replace(STILL, **{name: rate}))
    parents = Cppn(GREY).random(4000, Stream(0, "test", 0))
    children = encoding.vary(parents, Stream(1, "test", 0))
    gained = [after - before for after, before in zip(children.sizes(), parents.sizes(), strict=True)]
    changed = (gained[0] != 0) | (gained[1] != 0)
    assert within(int(changed.sum()), 4000, rate)
    assert set(gained[0][changed].tolist()) == {nodes}
    assert set(gained[1][changed].tolist()) == {connections}


def test_deleting_a_node_takes_its_connections_and_never_an_output():
    growing = Cppn(GREY, replace(STILL, add_node=1.0))
    parents = growing.vary(Cppn(GREY).random(4000, Stream(0, "test", 0)), Stream(1, "test", 0))
    children = Cppn(GREY, replace(STILL, delete_node=0.2)).vary(parents, Stream(2, "test", 0))
    lost = children.sizes()[0] < parents.sizes()[0]
    assert within(int(lost.sum()), 4000, 0.2)
    assert set(children.sizes()[1][lost].tolist()) == {3}  # the split connection is gone with both halves
    assert bool((children.function[:, 0] >= 0).all())


def test_a_split_connection_keeps_its_weight_on_both_halves():
    parents = Cppn(GREY).random(50, Stream(0, "test", 0))
    children = Cppn(GREY, replace(STILL, add_node=1.0)).vary(parents, Stream(1, "test", 0))
    for row in range(50):
        old, new = links(parents, row), links(children, row)
        into, out = [next(link for link in new if link[place] == 5) for place in (1, 0)]
        assert into[2] == out[2]
        assert (into[0], out[1], into[2]) in old


def test_weights_and_functions_mutate_at_their_rates():
    parents = Cppn(GREY).random(4000, Stream(0, "test", 0))
    moved = Cppn(GREY, replace(STILL, weight_rate=0.1)).vary(parents, Stream(1, "test", 0))
    assert within(int((moved.weight != parents.weight).sum()), 16_000, 0.1)
    steps = (moved.weight - parents.weight)[moved.weight != parents.weight].abs()
    assert steps.mean().item() == pytest.approx(1.0 / 17.0, rel=0.1)
    switched = Cppn(GREY, replace(STILL, function_rate=0.1)).vary(parents, Stream(1, "test", 0))
    assert within(int((switched.function != parents.function).sum()), 4000, 0.1 * 3 / 4)  # one in four is drawn again
    assert torch.equal(moved.function, parents.function)
    assert torch.equal(switched.weight, parents.weight)


def test_innovation_has_no_sine():
    genomes = grown(Cppn(GREY, PRESETS["innovation"]))
    assert NAMES.index("sine") not in genomes.function.unique().tolist()
    assert NAMES.index("steep") in genomes.function.unique().tolist()


def test_choice_is_uniform_over_the_true_columns():
    mask = torch.tensor([[False, True, True, False, True]]).expand(9000, 5)
    chosen = choose(mask, Stream(0, "test", 0).uniform(9000))
    counts = chosen.bincount(minlength=5).tolist()
    assert counts[0] == counts[3] == 0
    assert all(within(counts[column], 9000, 1 / 3) for column in (1, 2, 4))
    assert choose(torch.zeros(1, 3, dtype=torch.bool), torch.zeros(1, dtype=torch.float64)).tolist() == [-1]


def test_join_pads_and_keeps_every_network():
    encoding = Cppn(GREY)
    narrow, wide = encoding.random(3, Stream(0, "test", 0)), grown(encoding, n=4)
    both = narrow.join([wide])
    assert [links(both, row) for row in range(7)] == [links(narrow, row) for row in range(3)] + [
        links(wide, row) for row in range(4)
    ]
    assert torch.equal(encoding.express(both)[:3], encoding.express(narrow))


def test_two_channels_are_refused():
    with pytest.raises(BadInput, match=r"expected images of 1 or 3 channels; got 2.*--encoding pixels"):
        Cppn(ImageSpec(2, 4, 4))
