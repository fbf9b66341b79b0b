"""Stitching: one parent's picture on one side of a line, the other's beyond, held to pictures painted by each."""

import json
import math
from dataclasses import replace

import pytest
import torch

from trompe.core.errors import BadInput
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.encodings import CPPN_PRESETS, Cppn, CppnSettings
from trompe.encodings.cppn.functions import NAMES
from trompe.encodings.cppn.render import depths
from trompe.encodings.cppn.stitch import random_lines, seam, stitched

STITCHED = CPPN_PRESETS["stitched"]
STILL = replace(
    STITCHED, weight_rate=0.0, function_rate=0.0, add_connection=0.0, delete_connection=0.0, add_node=0.0,
    delete_node=0.0, stitch=1.0, most_nodes=1000,
)  # fmt: skip
BAND = 0.03
"""Half the width of the seam, where the sides are at 1: three linear nodes clip at 0.3^3."""


def parents(encoding, n=12, rounds=8):
    genomes = encoding.random(n, Stream(0, "test/random", 0))
    for step in range(rounds):
        genomes = encoding.vary(genomes, Stream(0, "test/vary", step))
    return genomes


def sides(images, first, second):
    """Of each pixel: whether it is as in the first, as in the second, and as in neither."""
    alike = [((images - one).abs() <= 1.01 / 255).all(1) for one in (first, second)]
    return alike[0], alike[1], ~(alike[0] | alike[1])


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("settings", [CPPN_PRESETS["paper"], replace(STITCHED, stitch=0.0)], ids=["small", "layered"])
def test_each_side_of_the_line_is_one_parents_picture(channels, settings):
    """A wrong gate, offset or order of parents shows as a side that is neither; a missing one as a lost half."""
    spec = ImageSpec(channels, 48, 40)
    encoding = Cppn(spec, settings)
    first = parents(encoding)
    second = first.take(torch.arange(len(first)).flip(0))
    stream = Stream(0, "test/line", 0)
    children = stitched(first, second, channels, 10.0, random_lines(len(first), 10.0, stream))
    turn, place = stream.branch("line").uniform32(2, len(first))
    down, across = torch.meshgrid(torch.linspace(-1, 1, 48), torch.linspace(-1, 1, 40), indexing="ij")
    angle = (2 * torch.pi * turn)[:, None, None]
    beyond = across * angle.cos() + down * angle.sin() - (0.9 * (2 * place - 1))[:, None, None]
    images = encoding.draw(children, 48, 40)
    want = torch.where((beyond > 0).unsqueeze(1), encoding.draw(first, 48, 40), encoding.draw(second, 48, 40))
    clear = (beyond.abs() > BAND).unsqueeze(1).expand_as(want)
    # Hue turns at 1 as at 0, so a last bit of an output is a last bit of a colour.
    assert (images - want).abs()[clear].max() < 1e-3
    assert clear.float().mean() > 0.9
    assert 0.3 < (beyond > 0).float().mean() < 0.7


def test_a_stitched_network_has_both_parents_nodes_and_the_seam_and_no_cycle():
    encoding = Cppn(ImageSpec(3, 8, 8), CPPN_PRESETS["paper"])
    first = parents(encoding)
    second = first.take(torch.arange(len(first)).flip(0))
    children = stitched(first, second, 3, 10.0, random_lines(len(first), 10.0, Stream(0, "test/line", 0)))
    assert torch.equal(children.sizes()[0], first.sizes()[0] + second.sizes()[0] + seam(3))
    assert torch.equal(children.sizes()[1], first.sizes()[1] + second.sizes()[1] + 3 * (1 + 2 * 4) + 2 + 3)
    used = (children.function >= 0).sum(1)
    for row in range(len(children)):
        count = int(used[row])
        assert (children.function[row, :count] >= 0).all()
        assert (children.function[row, count:] == -1).all()
        there = children.source[row] >= 0
        assert int(children.target[row][there].max()) < 4 + count
        for source, target in zip(children.source[row][there], children.target[row][there], strict=True):
            assert depths(children)[row, target - 4] > (depths(children)[row, source - 4] if source >= 4 else 0)
    assert (children.function[:, :3] == NAMES.index("linear")).all()


def test_a_child_is_stitched_of_its_parent_and_its_neighbour():
    """As `search.evolve.offspring` tells of its parents: the one it is a copy of, and the row beside it, unchanged."""
    spec = ImageSpec(3, 48, 40)
    encoding = Cppn(spec, replace(STILL, weight_rate=1.0))
    first = Cppn(spec, CPPN_PRESETS["paper"]).random(8, Stream(0, "test/random", 1))
    children = encoding.vary(first, Stream(0, "test/stitch", 0))
    images, own = encoding.express(children), encoding.express(first)
    mine, theirs, neither = sides(images, own, own[torch.arange(8) ^ 1])
    assert neither.float().mean() < 0.1
    assert (mine & ~theirs).float().mean() > 0.2
    assert (theirs & ~mine).float().mean() > 0.2


@pytest.mark.parametrize("n", [1, 5])
def test_a_row_without_a_neighbour_is_stitched_to_itself(n):
    encoding = Cppn(ImageSpec(1, 16, 16), STILL)
    first = encoding.random(n, Stream(0, "test/random", 0))
    children = encoding.vary(first, Stream(0, "test/stitch", 0))
    assert len(children) == n
    last, own = encoding.express(children)[-1], encoding.express(first)[-1]
    assert ((last - own).abs() <= 1.01 / 255).float().mean() > 0.9


def test_children_are_stitched_at_the_rate_and_never_above_the_bound():
    settings = replace(STILL, stitch=0.5, most_nodes=60, hidden=(4,))
    encoding = Cppn(ImageSpec(1, 8, 8), settings)
    genomes = encoding.random(2000, Stream(0, "test/random", 0))
    once = encoding.vary(genomes, Stream(0, "test/stitch", 0))
    assert 0.46 < (once.sizes()[0] > 5).float().mean() < 0.54
    most = 0
    for step in range(6):
        genomes = encoding.vary(genomes, Stream(0, "test/again", step))
        most = max(most, int(genomes.sizes()[0].max()))
    assert 40 < most <= 60


def test_few_genes_of_a_large_network_change_and_as_many_as_ever_of_a_small_one():
    def changed(hidden, most):
        settings = replace(STILL, stitch=0.0, weight_rate=0.1, function_rate=0.1, hidden=hidden, most_changes=most)
        encoding = Cppn(ImageSpec(1, 8, 8), settings)
        genomes = encoding.random(2000, Stream(0, "test/random", 0))
        children = encoding.vary(genomes, Stream(0, "test/vary", 0))
        weights = (children.weight != genomes.weight).sum(1).double().mean().item()
        functions = (children.function != genomes.function).sum(1).double().mean().item()
        return weights, functions

    # 4 x 10 + 10 x 10 + 10 x 1 = 150 connections; 21 nodes, of whose new functions a quarter are the old ones.
    assert changed((10, 10), 5.0) == pytest.approx((5.0, 21 * 0.1 * 0.75 / 3.0), rel=0.06)
    assert changed((10, 10), None) == pytest.approx((15.0, 21 * 0.1 * 0.75), rel=0.06)
    assert changed((), 5.0)[0] == changed((), None)[0] == pytest.approx(0.4, rel=0.1)


def test_each_network_has_its_own_share_of_changes():
    """Beside small networks, which change as ever, a large one still changes little."""
    settings = replace(STILL, stitch=0.0, weight_rate=0.1, most_changes=5.0)
    spec = ImageSpec(1, 8, 8)
    small = Cppn(spec, replace(settings, hidden=())).random(1000, Stream(0, "test/small", 0))
    large = Cppn(spec, replace(settings, hidden=(10, 10))).random(1000, Stream(0, "test/large", 0))
    both = small.join([large])
    changed = (Cppn(spec, settings).vary(both, Stream(0, "test/vary", 0)).weight != both.weight).sum(1).double()
    assert changed[:1000].mean().item() == pytest.approx(0.4, rel=0.15)
    assert changed[1000:].mean().item() == pytest.approx(5.0, rel=0.06)


def test_of_a_large_network_one_weight_changes_at_least():
    """A copy of its parent would be judged for nothing. Poisson with a mean of a half, and one where that is none."""
    spec = ImageSpec(1, 8, 8)
    encoding = Cppn(spec, replace(STILL, stitch=0.0, weight_rate=0.1, most_changes=0.5, hidden=(10, 10)))
    genomes = encoding.random(2000, Stream(0, "test/random", 0))
    different = (encoding.vary(genomes, Stream(0, "test/vary", 0)).weight != genomes.weight).double()
    changed = different.sum(1)
    assert different.sum(0).max() < 3 * different.sum(0).mean(), "any of the 150"
    assert changed.min() == 1
    assert changed.mean().item() == pytest.approx(0.5 + math.exp(-0.5), rel=0.04)
    still = replace(encoding, settings=replace(encoding.settings, weight_rate=0.0))
    assert torch.equal(still.vary(genomes, Stream(0, "test/vary", 0)).weight, genomes.weight), "a rate of 0 is 0"


@pytest.mark.parametrize(
    ("rate", "table"),
    [
        ("add_node", "function"),
        ("delete_node", "function"),
        ("add_connection", "source"),
        ("delete_connection", "source"),
    ],
)
def test_connections_and_nodes_come_and_go_half_as_often_after_each_period(rate, table):
    grown = replace(STILL, stitch=0.0, hidden=(), add_node=1.0, add_connection=1.0)
    settings = replace(STILL, stitch=0.0, hidden=(), halving_period=50, **{rate: 0.6})
    spec = ImageSpec(1, 8, 8)
    genomes = Cppn(spec, grown).random(4000, Stream(0, "test/random", 0))
    for step in range(3):
        genomes = Cppn(spec, grown).vary(genomes, Stream(0, "test/grow", step))

    def count(networks):
        return (getattr(networks, table) >= 0).sum(1)

    def share(step):
        children = Cppn(spec, settings).vary(genomes, Stream(0, "test/vary", step))
        return (count(children) != count(genomes)).double().mean().item()

    often = share(0)
    assert often > 0.3
    assert [share(step) / often for step in (49, 50, 149)] == pytest.approx([1.0, 0.5, 0.25], abs=0.06)


def test_without_stitching_nothing_is_drawn_or_described_that_was_not_before():
    spec = ImageSpec(1, 8, 8)
    paper = Cppn(spec, CPPN_PRESETS["paper"])
    assert not {"stitch", "most_nodes", "most_changes", "halving_period"} & set(paper.describe())
    described = json.loads(json.dumps(Cppn(spec, STITCHED).describe()))
    described.pop("name")
    tuples = {name: tuple(value) if isinstance(value, list) else value for name, value in described.items()}
    assert CppnSettings(**tuples) == STITCHED


def test_a_bound_that_lets_nothing_change_is_refused():
    with pytest.raises(BadInput, match="most_changes above 0"):
        Cppn(ImageSpec(1, 8, 8), replace(STITCHED, most_changes=0.0))


@pytest.mark.parametrize(
    "changes",
    [{"coordinates": "raw"}, {"weight_limit": 8.0, "initial_weight": 8.0}, {"functions": ("sine", "gaussian")}],
)
def test_what_cannot_be_stitched_is_refused(changes):
    with pytest.raises(BadInput, match="to stitch pictures") as refused:
        Cppn(ImageSpec(1, 8, 8), replace(STITCHED, **changes))
    assert "stitch of 0" in str(refused.value)
