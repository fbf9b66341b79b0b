"""Pictures seen from elsewhere by their networks' weights alone."""

from dataclasses import replace

import pytest
import torch

from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings import CPPN_PRESETS, Cppn, CppnSettings
from trompe.encodings.cppn.move import moved
from trompe.encodings.cppn.render import outputs_of

SPEC = ImageSpec(3, 12, 16)
SMOOTH = CppnSettings(functions=("sine", "sigmoid", "gaussian"), hidden=(5, 4), initial_weight=2.0)


def seen(stream: Stream, n: int, inputs: torch.Tensor) -> list[torch.Tensor]:
    """The inputs as each of n networks is to see them: x and y multiplied, then moved; d multiplied as x."""
    across, down = (2.0 * stream.branch("factors").uniform32(2, n, 1) - 1.0).exp2()
    down = torch.where(stream.branch("stretched").mask(0.5, n, 1), down, across)
    right, low = (2.0 * stream.branch("moves").uniform32(2, n, 1) - 1.0) / 2.0
    x, y, d, one = inputs
    return [torch.stack([x * across[i] + right[i], y * down[i] + low[i], d * across[i], one]) for i in range(n)]


def test_moved_weights_paint_the_picture_as_moved_coordinates_do():
    encoding, stream = Cppn(SPEC, SMOOTH), Stream(3, "view", 0)
    genomes = encoding.random(12, Stream(1, "random", 0))
    weights, inputs = encoding.numbers(genomes), encoding._inputs(12, 16)
    new = moved(genomes, weights, stream)
    painted = outputs_of(genomes, new, inputs, 3)
    for i, own in enumerate(seen(stream, len(genomes), inputs)):
        one = genomes.take(torch.tensor([i]))
        assert torch.allclose(painted[i], outputs_of(one, weights[i : i + 1], own, 3)[0], atol=1e-3)
    factors = new[genomes.source == 0] / weights[genomes.source == 0]
    assert 0.5 - 1e-4 <= factors.min() < 0.8 < 1.2 < factors.max() <= 2.0 + 1e-4


def test_what_is_no_connection_gets_no_weight_and_what_is_behind_the_first_layer_stays():
    encoding = Cppn(SPEC, SMOOTH)
    genomes = encoding.random(6, Stream(1, "random", 0)).widened(20, 90)
    weights = encoding.numbers(genomes)
    new = moved(genomes, weights, Stream(3, "view", 0))
    assert not new[genomes.source < 0].any()
    behind = genomes.source > 3
    assert behind.any()
    assert torch.equal(new[behind], weights[behind])


def test_two_constants_of_a_node_share_what_it_loses():
    encoding, stream = Cppn(SPEC, replace(SMOOTH, hidden=())), Stream(3, "view", 0)
    genomes = encoding.random(4, Stream(1, "random", 0)).widened(0, 14)
    genomes.source[:, 12], genomes.target[:, 12], genomes.weight[:, 12] = 3, 4, 0.7
    weights, inputs = encoding.numbers(genomes), encoding._inputs(12, 16)
    painted = outputs_of(genomes, moved(genomes, weights, stream), inputs, 3)
    for i, own in enumerate(seen(stream, 4, inputs)):
        one = genomes.take(torch.tensor([i]))
        assert torch.allclose(painted[i], outputs_of(one, weights[i : i + 1], own, 3)[0], atol=1e-3)


@pytest.mark.parametrize("rate", [0.0, 0.3, 1.0])
def test_so_many_children_are_their_parents_seen_from_elsewhere(rate: float):
    encoding = Cppn(SPEC, replace(CPPN_PRESETS["rich"], view_rate=rate, weight_rate=0.0, function_rate=1.0))
    parents = encoding.random(400, Stream(1, "random", 0))
    children = encoding.vary(parents, Stream(2, "vary", 5))
    wide = parents.widened(*children.room)
    same = (wide.function == children.widened(*wide.room).function).all(1)  # thirty functions drawn anew are others
    assert same.double().mean().item() == pytest.approx(rate, abs=0.08)
    limits = children.weight
    assert 0.0 <= limits.min() <= limits.max() <= 1.0


def test_runs_without_views_say_what_they_said_before():
    assert "view_rate" not in Cppn(SPEC, CPPN_PRESETS["paper"]).describe()
    assert Cppn(SPEC, CPPN_PRESETS["rich"]).describe()["view_rate"] == 0.3
