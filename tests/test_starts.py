"""Starts that depend on the class, the other new ones, and hiding from a reader that does not judge."""

import hashlib
import json
from dataclasses import asdict, replace
from functools import partial
from pathlib import Path

import pytest
import torch
from arena import LEVELS, SURE, contest_on, curved, finish, group_plan, restored

from trompe import fool
from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, level_odds, quantise, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Outputs
from trompe.encodings import CPPN_PRESETS, LAYERED, PIXEL_PRESETS, Cppn, CppnSettings, Pixels
from trompe.portfolio import PORTFOLIO_1, PORTFOLIOS, SCREEN_1
from trompe.search import MATERIAL_STARTS, RULES, SQUARES, Archive, Material, ascend, squares
from trompe.search import starts as where
from trompe.search.hide import NEAR, closeness, closeness_slope
from trompe.search.starts import begin, material_images, start_images
from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.verbs import material as convinced
from trompe.verbs import methods
from trompe.verbs.fool import Attempt
from trompe.verbs.material import convincing, make_material, material_for, nothing
from trompe.verbs.natural import natural_images

STREAM = Stream(4, "test/starts", 0)


RULES_OF = {1: "8836482bf73ccf94"}
"""By version of the portfolios, sha256 of every number that their searches and starts have besides what they hold."""


@pytest.fixture(scope="module")
def lenet():
    return load_target("lenet-mnist")


@pytest.fixture(scope="module")
def material(lenet):
    return make_material(lenet, natural_images(lenet, None), convincing(load_target("softmax-mnist"), 0))


def drawn(start, n=50):
    return start_images(start, torch.zeros(3, 20, 30), n, STREAM)


def test_near_black_is_faint_and_everywhere():
    levels = 255.0 * drawn("near-black")
    assert 0.0 <= float(levels.min()) < float(levels.max()) <= 10.0
    assert abs(float(levels.mean()) - 5.0) < 0.1


def described(settings):
    """As a run stores them: of networks without what was added later and is not asked for."""
    if not isinstance(settings, CppnSettings):
        return asdict(settings)
    numbers = Cppn(ImageSpec(1, 28, 28), settings).describe()
    del numbers["name"]
    return numbers


def numbers_of_searches():
    """Step sizes, memory, areas, mutation rates, starts, and what `hide` weighs: what a portfolio only names."""
    attacks = [attack for portfolio in (PORTFOLIO_1, SCREEN_1) for attack in portfolio.attacks]
    evolved = {"pixels": PIXEL_PRESETS, "cppn": CPPN_PRESETS}
    return {
        "rules": {attack.preset: asdict(RULES[attack.preset]) for attack in attacks if attack.by == "ascend"},
        "cppn": described(LAYERED),
        "squares": {attack.preset: asdict(SQUARES[attack.preset]) for attack in attacks if attack.by == "squares"},
        "evolve": {a.encoding: described(evolved[a.encoding][a.preset]) for a in attacks if a.by == "evolve"},
        "population": methods._POPULATION,
        "near": NEAR,
        "starts": [where._NOISE, where._CELLS, where._NEARLY, where._SALT, where._BLOCKS, where._FAINT],
        "transferred": [convinced._LEVEL, convinced._STEPS],
    }


def test_what_the_portfolios_name_is_frozen_with_them():
    """Rows of one version are comparable: whoever changes a number here counts the portfolios' version up."""
    assert {portfolio.version for portfolio in PORTFOLIOS.values()} == {max(RULES_OF)}
    text = json.dumps(numbers_of_searches(), sort_keys=True)
    assert hashlib.sha256(text.encode()).hexdigest()[:16] == RULES_OF[max(RULES_OF)], text


def test_salt_is_one_pixel_in_twenty_white_in_all_channels():
    images = drawn("salt")
    assert images.unique().tolist() == [0.0, 1.0]
    assert abs(float(images.mean()) - 0.05) < 0.005  # 30,000 pixels: 4 standard deviations
    assert torch.equal(images[:, 0], images[:, 2])


def test_blocks_are_a_few_even_rectangles_on_black():
    images = drawn("blocks")
    colours = [len(image[0].unique()) for image in images]
    assert 2 <= min(colours) <= max(colours) <= 7
    assert 0.2 < float((images > 0).double().mean()) < 0.6
    changes = (images.diff(dim=3) != 0).double().mean()
    assert float(changes) < 0.1  # even inside


def pool(labels, value):
    """One image a label, even, its value telling which it is."""
    return (
        torch.full((len(labels), 1, 4, 4), 0, dtype=torch.uint8)
        + torch.tensor(value, dtype=torch.uint8)[:, None, None, None]
    )


def made(labels=(0, 0, 1, 2), value=(100, 200, 10, 20)):
    images = pool(labels, value)
    return Material(images, torch.tensor(labels), images[2:] + 100, torch.tensor(labels[2:]))


def test_the_class_mean_is_that_of_the_row_and_faint():
    images = material_images("class-mean", made(), torch.tensor([0, 1, 0]), STREAM)
    means = 255.0 * images.flatten(1).mean(1)
    torch.testing.assert_close(means, torch.tensor([45.0, 3.0, 45.0]), rtol=0.0, atol=1.0)
    assert not torch.equal(images[0], images[2])


def test_other_class_is_never_the_rows_own():
    columns = torch.tensor([0, 1, 2]).repeat(40)
    values = (255.0 * material_images("other-class", made(), columns, STREAM)[:, 0, 0, 0]).round().int().tolist()
    seen = {column: {v for c, v in zip(columns.tolist(), values, strict=True) if c == column} for column in range(3)}
    assert seen == {0: {10, 20}, 1: {100, 200, 20}, 2: {100, 200, 10}}


def test_transferred_is_what_was_made_for_the_same_class():
    images = material_images("transferred", made(), torch.tensor([2, 1]), STREAM)
    assert (255.0 * images[:, 0, 0, 0]).round().int().tolist() == [120, 110]


@pytest.mark.parametrize(("start", "words"), [("class-mean", "natural images"), ("transferred", "undefended network")])
def test_a_class_without_images_is_refused_in_words(start, words):
    with pytest.raises(BadInput, match=words):
        material_images(start, made(), torch.tensor([0, 3] if start == "class-mean" else [0]), STREAM)
    with pytest.raises(BadInput, match=words):
        begin(Pixels(curved().spec), curved(), start, torch.tensor([0]), STREAM)


def test_a_fingerprint_follows_every_image():
    other = made()
    other.natural[0, 0, 0, 0] += 1
    assert made().fingerprint() == made().fingerprint() != other.fingerprint()


@pytest.mark.parametrize("start", MATERIAL_STARTS)
@pytest.mark.parametrize("by", ["ascend", "squares"])
def test_both_searches_reach_every_digit_from_images_of_others(lenet, material, start, by):
    contest = replace(contest_on(lenet, 10), material=material)
    if by == "ascend":
        search = partial(ascend, rule=replace(RULES["sign-momentum"], start=start))
    else:
        search = partial(squares, settings=replace(SQUARES["random-squares"], start=start))
    plan = group_plan(lenet, 10, generations=20 if by == "ascend" else 300, goal=level_odds(0.99))
    archive, _ = finish(search, contest, plan)
    assert bool((archive.elites.value >= level_odds(0.99)).all())


@pytest.mark.parametrize("by", ["ascend", "squares"])
def test_a_real_image_of_another_class_takes_no_class_of_its_own(lenet, material, by):
    """At the start every row is a digit that the network is certain of, of a class that it was not made for."""
    contest = replace(contest_on(lenet, 10), material=material)
    if by == "ascend":
        search = partial(ascend, rule=replace(RULES["sign-momentum"], start="other-class"))
    else:
        search = partial(squares, settings=replace(SQUARES["random-squares"], start="other-class"))
    archive, (step, *_) = finish(search, contest, group_plan(lenet, 10, generations=0))
    assert float(archive.elites.value.max()) < 0.0  # nobody is named as what it was made for
    assert step.wins.winners.ids[step.wins.row].tolist() == list(range(10))  # each niche holds its own row


def test_a_search_from_images_can_be_taken_up_anywhere(lenet, material):
    contest = replace(contest_on(lenet, 10), material=material)
    search = partial(ascend, rule=replace(RULES["hide"], start="other-class"))
    plan = group_plan(lenet, 10, generations=6)
    whole, steps = finish(search, contest, plan)
    archive = Archive(10, LEVELS)
    begun = search(contest, archive, plan)
    before = [next(begun) for _ in range(3)]
    after = list(search(contest, archive, plan, restored(before[-1])))
    assert len(before) + len(after) == len(steps)
    assert torch.equal(archive.elites.value, whole.elites.value)


# Hiding


def test_closeness_is_a_correlation_with_the_nearest_of_the_class(material):
    images = from_levels(material.natural[[0, 15, 31]])
    classes = material.classes[[0, 15, 31]]
    torch.testing.assert_close(
        closeness(0.4 * images + 0.2, classes, material), torch.ones(3).double(), rtol=0, atol=1e-5
    )
    others = closeness(images, (classes + 1) % 10, material)
    assert float(others.max()) < 0.8
    wanted = max(
        float(torch.corrcoef(torch.stack([images[0].flatten(), other.flatten()]))[0, 1])
        for other in from_levels(material.natural[material.classes == 1])
    )
    assert abs(float(others[0]) - wanted) < 1e-5


def test_its_slope_leads_away_and_ends_where_nothing_is_left_to_hide(material):
    images = from_levels(material.natural[[0, 15]])
    classes = material.classes[[0, 15]]
    noisy = quantise(0.7 * images + 0.3 * STREAM.uniform32(*images.shape))
    slope = closeness_slope(noisy, classes, material)
    lower = closeness(noisy - 0.1 * slope / slope.abs().amax(), classes, material)
    assert bool((lower < closeness(noisy, classes, material)).all())
    noise = STREAM.uniform32(2, 1, 28, 28)
    assert bool((closeness(noise, classes, material) < NEAR).all())
    assert not bool(closeness_slope(noise, classes, material).any())


def test_above_the_level_only_hiding_is_left():
    rule, classes = RULES["hide"], torch.tensor([0])
    for odds, wanted in ((3.0, 1.0), (30.0, 0.0)):
        logits = torch.tensor([[odds, 0.0]], dtype=torch.float64, requires_grad=True)
        height = rule.height(Outputs(logits), classes, "softmax")
        assert torch.autograd.grad(height.sum(), logits)[0][0, 0].item() == pytest.approx(wanted)


def test_the_two_slopes_are_weighed_by_their_own_size():
    there, closer = torch.ones(1, 1, 2, 2), torch.full((1, 1, 2, 2), 1e-6)
    combined = RULES["hide"].combine(100.0 * there, closer)
    torch.testing.assert_close(combined, torch.full_like(combined, 1.0 - RULES["hide"].weight))
    assert RULES["hide"].combine(100.0 * there, torch.zeros_like(closer)).unique().tolist() == [1.0]


def test_hidden_images_are_as_certain_and_look_less_like_the_class(lenet, material):
    found = {}
    for name in ("sign-momentum", "hide"):
        contest = replace(contest_on(lenet, 10), material=material)
        rule = replace(RULES[name], start="class-mean")
        archive, _ = finish(partial(ascend, rule=rule), contest, group_plan(lenet, 10, 40))
        assert bool((archive.elites.value >= SURE).all())
        images = contest.encoding.express(archive.elites.genomes)
        found[name] = float(closeness(images, torch.arange(10), material).mean())
    assert found["hide"] < found["sign-momentum"] - 0.05, found


def test_hide_without_samples_is_refused_before_anything_is_written(tmp_path):
    settings = FoolSettings("tiny", by="ascend", preset="hide", out=tmp_path / "run")
    with pytest.raises(BadInput, match="natural images of every class"):
        Attempt.prepare(settings, curved())
    assert not (tmp_path / "run").exists()


def test_transferred_is_for_judge(tmp_path):
    with pytest.raises(BadInput, match="images that convinced an undefended network"):
        fool("lenet-mnist", by="squares", start="transferred", out=tmp_path / "run")


def test_a_run_notes_what_it_was_made_of(tmp_path):
    run = fool("lenet-mnist", by="ascend", preset="hide", start="class-mean", classes=("3",), out=tmp_path / "run")
    lenet = load_target("lenet-mnist")
    material = make_material(lenet, natural_images(lenet, None), nothing(lenet))
    assert run.about.search["pixels-ascend"]["material"] == material.fingerprint()
    assert run["3"].strongest.log_odds > SURE


def test_what_needs_no_images_gets_none(lenet):
    assert material_for(FoolSettings("x", by="ascend", start="salt", out=Path()), lenet, (0,), None) is None


def test_images_that_convince_a_network_do_convince_it():
    target = load_target("softmax-mnist")
    images, columns = convincing(target, 3)
    assert columns.tolist() == list(range(10))
    odds = contest_on(target, 10).niches.bids(target.judge(from_levels(images)), from_levels(images)).value
    assert float(odds.diagonal().min()) > SURE - 1e-3
    assert not torch.equal(images, convincing(target, 4)[0])
    assert torch.equal(images, to_levels(from_levels(images)))
