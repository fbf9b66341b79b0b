"""Readers: what they see, whom they may judge, and that the shipped ones are worth what is said of them."""

import json
from dataclasses import replace

import pytest
import torch
from PIL import Image
from test_densities import bars, levels

from trompe.core.errors import BadInput, DataError
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.data import Split, load
from trompe.densities.views import edges, normalised
from trompe.measure.readers import (
    NotMeasured,
    Readability,
    disagreement,
    independent,
    load_readers,
    read,
    readable_range,
    reads_by,
)
from trompe.measure.readers.calibrate import calibrate
from trompe.measure.readers.fit import fit_readers, material
from trompe.measure.readers.neighbours import Neighbours
from trompe.measure.readers.parts import Parts
from trompe.measure.readers.rule import WIDER, Noise, Rule, lead_over_others
from trompe.measure.readers.spoil import NOISE, SPOILT, noise, spoilt
from trompe.measure.readers.store import CALIBRATION, save_known, save_reader, stored_readers, unfit

DIGITS = tuple("0123456789")
CLASSES = ("lying", "standing")


class Fixed:
    """A reader of 1 x 6 x 5 images that says what it was told to say."""

    labels, shape = ("a", "b", "c"), (1, 6, 5)

    def __init__(self, name: str, rows: list[list[float]], uses: frozenset[str] = frozenset()) -> None:
        self.name, self.uses, self._rows = name, uses, torch.tensor(rows, dtype=torch.float64)

    def scores(self, images: torch.Tensor) -> torch.Tensor:
        return self._rows[torch.arange(len(images)) % len(self._rows)]

    def fingerprint(self) -> str:
        return self.name


@pytest.fixture(scope="module")
def shipped():
    return load_readers(DIGITS, (1, 28, 28))


@pytest.fixture(scope="module")
def digits() -> Split:
    """250 test digits, spread over the test set."""
    test = load("mnist").test
    return Split(test.images[::40], test.classes[::40])


@pytest.fixture(scope="module")
def small():
    """The four readers, fitted to bars."""
    images, classes = bars(120)
    given = material(Split(images, classes), CLASSES, 0, 150)
    return given, tuple(fit_readers(given, (1, 8, 8), CLASSES, "data:bars-odd"))


def test_an_image_is_read_as_its_best_class_at_0_or_above_and_otherwise_as_none():
    reader = Fixed("r", [[0.0, -1.0, -2.0], [-0.1, -0.2, -0.1], [1.0, 3.0, 2.0]])
    assert read(reader, torch.zeros(3, 1, 6, 5)).tolist() == [0, -1, 1]
    assert read(reader, torch.zeros(0, 1, 6, 5)).tolist() == []


def test_what_is_read_is_the_image_on_the_8_bit_grid():
    seen = []

    class Watching(Fixed):
        def scores(self, images):
            seen.append(images)
            return super().scores(images)

    read(Watching("r", [[0.0, 0.0, 0.0]]), torch.full((1, 1, 6, 5), 0.5))
    assert torch.equal(seen[0] * 255.0, torch.full((50, 1, 6, 5), 128.0))


def test_a_reader_that_shares_anything_with_the_guard_does_not_judge_it():
    kde, vae = Fixed("kde", [[0.0] * 3], frozenset({"function:kde", "data:odd"})), Fixed("vae", [[0.0] * 3])
    assert independent((kde, vae)) == (kde, vae)
    assert independent((kde, vae), {"function:kde", "data:even"}) == (vae,)
    assert independent((kde, vae), {"data:odd"}) == (vae,)
    assert independent((kde, vae), {"function:vae"}) == (kde, vae)


def test_a_guard_identical_to_a_reader_leaves_it_out_and_one_reader_alone_measures_nothing():
    kde, vae = Fixed("kde", [[0.0] * 3], frozenset({"function:kde"})), Fixed("vae", [[0.0] * 3])
    left = independent((kde, vae), kde.uses)
    found = readable_range(reads_by(left, torch.zeros(4, 1, 6, 5)), torch.zeros(4, dtype=torch.int64))
    assert isinstance(found, NotMeasured)
    assert str(found) == "not measured: 1 independent reader, and it takes 2"
    nobody = readable_range(reads_by((), torch.zeros(4, 1, 6, 5)), torch.zeros(4, dtype=torch.int64))
    assert str(nobody) == "not measured: no independent readers, and it takes 2"
    assert isinstance(readable_range(torch.empty(2, 0, dtype=torch.int64), torch.empty(0).long()), NotMeasured)


def test_both_rules_always_stand_and_another_class_is_counted_apart():
    made_for = torch.tensor([0, 0, 0, 0, 0, 0])
    reads = torch.tensor([[0, 0, -1, 1, -1, 0], [0, -1, -1, 2, 1, 1], [0, 0, -1, 1, -1, 0]])
    found = readable_range(reads, made_for)
    assert isinstance(found, Readability)
    assert found.every.tolist() == [True, False, False, False, False, False]
    assert found.some.tolist() == [True, True, False, False, False, True]
    assert found.another.tolist() == [False, False, False, True, True, False]
    assert (found.readable, found.unreadable, found.of) == ((1, 3), (3, 5), 6)
    assert found.disagree


def test_ten_points_are_no_disagreement_and_more_are():
    reads = torch.zeros(2, 10, dtype=torch.int64)
    reads[1, 0] = -1
    assert not readable_range(reads, torch.zeros(10, dtype=torch.int64)).disagree
    reads[1, 1] = -1
    assert readable_range(reads, torch.zeros(10, dtype=torch.int64)).disagree


def test_disagreement_counts_images_read_differently():
    assert disagreement(torch.tensor([[0, 1, -1, 2], [0, 1, 1, -1], [0, 1, 1, -1]])) == [
        [0.0, 0.5, 0.5],
        [0.5, 0.0, 0.0],
        [0.5, 0.0, 0.0],
    ]


def test_the_nearest_neighbour_is_that_of_a_search_one_by_one():
    known, classes, asked = levels(9), torch.arange(9) % 3, from_levels(levels(4, name="asked"))
    found, _ = Neighbours.fit(known, classes, straighten=False).evidence(asked)
    for i in range(4):
        for c in range(3):
            best = -2.0
            for j in range(9):
                if classes[j] == c:
                    two = [torch.cat([view(asked[i : i + 1]), view(from_levels(known[j : j + 1]))])
                           for view in (lambda x: x, edges)]  # fmt: skip
                    both = [torch.nn.functional.cosine_similarity(*normalised(pair).double(), 0) for pair in two]
                    best = max(best, float(sum(both)) / 2.0)
            assert float(found[i, c]) == pytest.approx(best, abs=1e-4)


def test_the_lead_is_over_the_best_other_class():
    rows = Stream(0, "lead", 0).uniform(20, 5)
    found = lead_over_others(rows)
    for i in range(20):
        for c in range(5):
            others = [float(rows[i, j]) for j in range(5) if j != c]
            assert float(found[i, c]) == pytest.approx(float(rows[i, c]) - max(others), abs=1e-12)


def test_a_score_is_0_at_the_threshold_and_1_for_the_median_held_out_image():
    near = torch.stack([torch.arange(1000.0), torch.full((1000,), -5.0)], 1).double()
    near = torch.cat([near, near.flip(1)])
    rule = Rule.fit(near, near, torch.arange(2000) // 1000, 0.05)
    assert rule.threshold.tolist() == pytest.approx([500.0 - 1.3 * 497.0] * 2)
    bright = torch.rand(2, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    asked = torch.tensor([[500.0 - 1.3 * 497.0, -1e9], [500.0, -1e9]], dtype=torch.float64)
    assert rule.scores(asked, asked, bright)[:, 0].tolist() == pytest.approx([0.0, 1.0])
    assert (rule.scores(asked, asked, 0.001 * bright) < 0.0).all()  # too faint, whatever it looks like


def test_thresholds_keep_noise_out():
    """Of 100 pieces of noise 30 are 560 below what is usual, where 497 is the widest that held-out images ask for."""
    near = torch.stack([torch.arange(1000.0), torch.full((1000,), -5e3)], 1).double()
    near, classes = torch.cat([near, near.flip(1)]), torch.arange(2000) // 1000
    noise = torch.full((100, 2), -1e4, dtype=torch.float64)
    noise[:30, 0] = 500.0 - 560.0
    images = torch.rand(100, 1, 4, 4, generator=torch.Generator().manual_seed(0))
    rule = Rule.fit(near, near, classes, 0.05, Noise(noise, noise, images))
    assert rule.threshold.tolist() == pytest.approx([500.0 - 1.0 * 497.0] * 2)
    noise[30:70, 1] = 400.0  # inside: no threshold keeps it out, and as few real images as can be are lost to it
    rule = Rule.fit(near, near, classes, 0.05, Noise(noise, noise, images))
    narrow = [500.0 - wider * 497.0 for wider in WIDER if (torch.arange(1000.0) >= 500.0 - wider * 497.0).sum() >= 950]
    assert rule.threshold.tolist() == pytest.approx([narrow[-1]] * 2)


@pytest.mark.parametrize("kind", ["kde", "vae", "nearest", "parts"])
def test_a_row_is_read_by_itself_however_the_batch_is_split(kind, shipped, digits):
    (reader,) = (one for one in shipped if one.name == kind)
    images = torch.cat([from_levels(digits.images[:5]), noise("low-frequency", 3, (1, 28, 28), 5)])
    with torch.no_grad():
        whole = reader.scores(images)
        alone = torch.cat([reader.scores(images[i : i + 1]) for i in range(8)])
        turned = reader.scores(images.flip(0)).flip(0)
    assert torch.allclose(whole, alone, atol=2e-3)
    assert torch.allclose(whole, turned, atol=2e-3)
    assert torch.equal(read(reader, images), torch.cat([read(reader, images[:3]), read(reader, images[3:])]))


@pytest.mark.parametrize("kind", ["kde", "vae", "nearest", "parts"])
def test_a_score_can_be_climbed(kind, shipped, digits):
    (reader,) = (one for one in shipped if one.name == kind)
    image, own = from_levels(digits.images[7:8]).requires_grad_(), int(digits.classes[7])
    score = reader.scores(image)[0, own]
    (slope,) = torch.autograd.grad(score, image)
    assert torch.isfinite(slope).all()
    with torch.no_grad():
        lower = reader.scores((image - 0.02 * slope.sign()).clamp(0.0, 1.0))[0, own]
    assert lower < score


def test_the_shipped_readers_read_digits_and_nothing_in_noise(shipped, digits):
    assert [reader.name for reader in shipped] == ["kde", "vae", "nearest", "parts"]
    assert len({reader.fingerprint() for reader in shipped}) == 4
    images = from_levels(digits.images)
    empty = torch.cat([noise(kind, 15, (1, 28, 28), 77) for kind in NOISE])
    for reader in shipped:
        assert (read(reader, images) == digits.classes).double().mean() >= 0.95, reader.name  # of 250; all: see below
        assert (read(reader, empty) >= 0).double().mean() <= 0.03, reader.name
        assert reader.calibration["sensitivity"] >= 0.97, reader.name
        assert reader.calibration["specificity"] >= 0.99, reader.name
        assert "data:mnist-train-odd" in reader.uses
        assert reader.fingerprint() == reader.calibration["fingerprint"]


def test_two_readers_are_left_to_judge_a_guard_of_any_one_kind(shipped):
    for reader in shipped:
        assert len(independent(shipped, reader.uses - {"data:mnist-train-odd"})) >= 2, reader.name
    assert independent(shipped, {"data:mnist-train-odd"}) == ()


def test_parts_are_found_before_clutter_that_puts_the_others_off(shipped, digits):
    behind = spoilt("static", from_levels(digits.images), 1)
    share = {one.name: (read(one, behind) == digits.classes).double().mean().item() for one in shipped}
    assert share["parts"] > share["nearest"] + 0.1
    assert share["parts"] > share["kde"] + 0.1


def test_blank_and_nearly_black_images_are_read_by_nobody(shipped):
    scribbles = noise("scribbles", 20, (1, 28, 28), 3)
    for images in (torch.zeros(2, 1, 28, 28), torch.ones(2, 1, 28, 28), (scribbles * 2.0 / 255.0)):
        assert (reads_by(shipped, images) == -1).all()


def test_no_readers_for_other_classes_or_shapes():
    assert load_readers(("cat", "dog"), (3, 32, 32)) == ()
    assert load_readers(DIGITS, (1, 32, 32)) == ()
    assert load_readers(DIGITS[::-1], (1, 28, 28)) == ()


def test_a_reader_asked_about_another_shape_is_refused(shipped, unchecked):
    for reader in shipped:
        with pytest.raises(BadInput, match=rf"reader {reader.name}: expected .*\(n, 1, 28, 28\)"):
            reader.scores(torch.zeros(1, 3, 28, 28))


def stored(folder, small, **change):
    """The small readers in a folder, with numbers that let them judge unless changed."""
    given, readers = small
    save_known(folder, given.known)
    for reader in readers:
        save_reader(folder, reader)
    numbers = {reader.name: {"sensitivity": 0.99, "specificity": 1.0, **change} for reader in readers}
    (folder / CALIBRATION).write_text(json.dumps({"readers": numbers}))


def test_readers_come_back_from_a_folder_as_they_were(tmp_path, small):
    stored(tmp_path, small)
    found = load_readers(CLASSES, (1, 8, 8), tmp_path)
    assert [one.fingerprint() for one in found] == [one.fingerprint() for one in small[1]]
    asked = from_levels(bars(10, 5)[0])
    for one, other in zip(found, small[1], strict=True):
        assert torch.equal(one.scores(asked), other.scores(asked))
    assert not list(tmp_path.rglob("*.pkl"))


def test_known_images_that_no_picture_holds_are_kept_all_the_same(tmp_path, small, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    stored(tmp_path, small)
    assert not (tmp_path / "known.png").exists()
    assert [one.fingerprint() for one in load_readers(CLASSES, (1, 8, 8), tmp_path)] == [
        one.fingerprint() for one in small[1]
    ]


def test_parts_of_many_classes_come_back_as_they_were(tmp_path):
    many = 300
    words = torch.zeros(2, 25)
    word, weight = torch.ones(many, 4, dtype=torch.int64), torch.full((many, 4), 255)
    parts = Parts(words, word, weight, torch.arange(many), torch.zeros(9, many))
    parts.save(tmp_path)
    found = Parts.load(tmp_path, Split(torch.zeros(1, 1, 8, 8, dtype=torch.uint8), torch.zeros(1, dtype=torch.int64)))
    assert found.fingerprint() == parts.fingerprint()


def test_readers_of_another_data_set_are_refused(tmp_path, small):
    stored(tmp_path, small)
    with pytest.raises(BadInput, match=r"expected readers of images of shape \(1, 28, 28\) with 10 classes, 0, 1, 2"):
        load_readers(DIGITS, (1, 28, 28), tmp_path)
    with pytest.raises(BadInput, match="like those of the target"):
        load_readers(CLASSES[::-1], (1, 8, 8), tmp_path)


def test_an_empty_folder_and_a_damaged_one_are_refused(tmp_path, small):
    with pytest.raises(BadInput, match="got none"):
        load_readers(CLASSES, (1, 8, 8), tmp_path)
    stored(tmp_path, small)
    (tmp_path / "known.png").write_bytes(b"no picture")
    with pytest.raises(DataError, match="train readers"):
        load_readers(CLASSES, (1, 8, 8), tmp_path)


def test_a_reader_that_always_says_yes_is_exposed_and_refused(tmp_path, small):
    """Thresholds below everything: every digit is read, and so is every noise."""
    _, readers = small
    low = torch.full((2,), -1e12, dtype=torch.float64)
    rule = Rule(low, low + 1.0, torch.full((2,), 1e-9, dtype=torch.float64), 1e-12)
    yes = replace(readers[0], rule=rule)
    numbers = calibrate(yes, Split(*bars(40, 9)), of_noise=50)
    assert numbers["sensitivity"] >= 0.95
    assert numbers["specificity"] <= 0.2
    sentence = unfit(replace(yes, calibration=numbers))
    assert "of noise as something" in sentence
    stored(tmp_path, small, specificity=numbers["specificity"])
    with pytest.raises(BadInput, match="of noise as something"):
        load_readers(CLASSES, (1, 8, 8), tmp_path)


def test_a_reader_that_reads_little_or_was_never_calibrated_does_not_judge(small):
    one = small[1][0]
    assert "never calibrated" in unfit(one)
    assert "only 60.0 %" in unfit(replace(one, calibration={"sensitivity": 0.6, "specificity": 1.0}))
    assert unfit(replace(one, calibration={"sensitivity": 0.8, "specificity": 0.95})) is None


def test_only_those_that_are_fit_to_read_are_loaded(tmp_path, small):
    stored(tmp_path, small)
    numbers = json.loads((tmp_path / CALIBRATION).read_text())
    numbers["readers"]["vae"]["specificity"] = 0.0
    (tmp_path / CALIBRATION).write_text(json.dumps(numbers))
    assert [one.name for one in load_readers(CLASSES, (1, 8, 8), tmp_path)] == ["kde", "nearest", "parts"]
    assert len(stored_readers(tmp_path)) == 4


def test_small_readers_tell_bars_apart_and_read_nothing_into_noise(small):
    images, classes = bars(60, 4)
    for reader in small[1]:
        assert (read(reader, from_levels(images)) == classes).double().mean() >= 0.8, reader.name


def test_too_few_images_of_a_class_are_refused():
    images, _ = bars(30)
    with pytest.raises(DataError, match="in that half for 'standing'"):
        material(Split(images[:19], torch.where(torch.arange(19) < 15, 0, 1)), CLASSES, 0, 1)


@pytest.mark.parametrize("kind", [*NOISE, "scribbles"])
def test_noise_is_the_same_for_the_same_seed_and_on_the_grid(kind):
    one = noise(kind, 4, (3, 9, 10), 1)
    assert one.shape == (4, 3, 9, 10)
    assert torch.equal(one, noise(kind, 4, (3, 9, 10), 1))
    assert not torch.equal(one, noise(kind, 4, (3, 9, 10), 2))
    assert torch.equal((one * 255.0).round() / 255.0, one)


@pytest.mark.parametrize("kind", list(SPOILT))
def test_spoiling_changes_an_image_and_stays_in_range(kind):
    images = from_levels(bars(4)[0])
    changed = spoilt(kind, images, 1)
    assert changed.shape == images.shape
    assert not torch.equal(changed, images)
    assert 0.0 <= changed.min() <= changed.max() <= 1.0
