"""Target files, preprocessing and the reading of outputs: what is declared is checked, and done exactly."""

import math
import tempfile
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from torch import nn

from trompe.core.errors import BadInput, TargetError, TrompeError
from trompe.core.numerics import log_odds
from trompe.targets import Declaration, Preprocessing, Request, load_target, read_declaration, write_declaration
from trompe.targets.partial import spread
from trompe.targets.preprocessing import CAFFE, IMAGENET, PLAIN
from trompe.targets.reading import RESOLUTION, Reading


def _noise(n: int, *shape: int) -> torch.Tensor:
    return torch.randint(0, 256, (n, *shape), generator=torch.Generator().manual_seed(0)).to(torch.float32) / 255.0


@given(
    st.fixed_dictionaries(
        {
            "model": st.just("m"),
            "shape": st.none() | st.tuples(st.integers(1, 4), st.integers(1, 99), st.integers(1, 99)),
            "labels": st.lists(st.text(min_size=1, max_size=80), max_size=4).map(tuple),
            "outputs": st.sampled_from(["", "logits", "probabilities"]),
            "link": st.sampled_from(["", "softmax", "independent"]),
            "preprocessing": st.sampled_from([None, PLAIN, CAFFE, IMAGENET, Preprocessing(size=(3, 2), crop="ten")]),
            "threshold": st.sampled_from([0.0, 0.9]),
            "request": st.sampled_from([Request(), Request(rate=1.0, headers={"Authorization": "env:TOKEN"})]),
        }
    )
)
def test_a_target_file_reads_back_as_it_was_written(values: dict[str, Any]) -> None:
    declared = Declaration(**values)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "m.toml"
        write_declaration(path, declared, "by a test\nin two lines")
        assert read_declaration(path) == declared


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("sahpe = [1, 2, 3]", "Did you mean 'shape'"),
        ('shape = "wide"', "shape: expected a list"),
        ("shape = [1, 2]", "channels, height, width"),
        ("shape = [1, 0, 3]", "channels, height, width"),
        ("shape = [1, true, 3]", "shape: expected a list"),
        ("threshold = 2", "strictly between 0 and 1"),
        ('outputs = "scores"', "'logits' or 'probabilities'"),
        ("floor = 0.7", "floor in"),
        ('[preprocessing]\nlayout = "chw"', "'nchw' or 'nhwc'"),
        ("[preprocessing]\nstd = [0.0]", "other than 0"),
        ("[preprocessing]\nrange = [1, 1]", "two different numbers"),
        ("[preprocessing]\nrange = [0, 1, 2]", "range: expected a list"),
        ('[preprocessing]\ncrop = "ten"', "a size where there is a crop"),
        ('[preprocessing]\ndtype = "uint8"', "range 0 to 255"),
        ('[request.headers]\nAuthorization = "Bearer abc"', "env:NAME"),
        ("[request]\nrate = 0", "rate and timeout above 0"),
        ("preprocessing = 3", "a table"),
        ("model = ", "a target file in TOML"),
    ],
)
def test_a_target_file_with_a_mistake_is_refused_in_one_line(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "m.toml"
    path.write_text(text)
    with pytest.raises(TrompeError) as found:
        read_declaration(path).reading.link  # noqa: B018  the floor is looked at when outputs are read
    assert said in str(found.value)
    assert "abc" not in str(found.value)
    assert "\n" not in str(found.value)


def test_paths_in_a_target_file_are_taken_from_where_it_is(tmp_path: Path) -> None:
    (tmp_path / "names.txt").write_text("left\n\nright\n")
    (tmp_path / "m.onnx").write_bytes(b"")
    (tmp_path / "m.toml").write_text('model = "m.onnx"\nlabels = "names.txt"')
    found = read_declaration(tmp_path / "m.toml")
    assert found.model == str(tmp_path / "m.onnx")
    assert found.labels == ("left", "right")


def test_undeclared_preprocessing_differs_from_one_that_does_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text('model = "m"')
    (tmp_path / "b.toml").write_text('model = "m"\n[preprocessing]')
    assert read_declaration(tmp_path / "a.toml").preprocessing is None
    assert read_declaration(tmp_path / "b.toml").preprocessing == PLAIN


def test_what_is_left_out_is_taken_from_the_model() -> None:
    known = Declaration(shape=(1, 2, 2), labels=("a", "b"), outputs="probabilities")
    full = Declaration(labels=("x", "y")).completed(known)
    assert (full.shape, full.labels, full.outputs) == ((1, 2, 2), ("x", "y"), "probabilities")


def test_preprocessing_is_the_arithmetic_it_declares() -> None:
    images = _noise(2, 3, 4, 5)
    got = Preprocessing(range=(-1, 1), mean=(0.1, 0.2, 0.3), std=(2.0,), colour="bgr", layout="nhwc").apply(images)
    for n in range(2):
        for y in range(4):
            for x in range(5):
                for c in range(3):
                    wanted = (images[n, 2 - c, y, x] * 2 - 1 - (0.1, 0.2, 0.3)[c]) / 2
                    assert got[n, y, x, c] == pytest.approx(float(wanted), abs=1e-6)


def test_bytes_are_the_levels_themselves() -> None:
    levels = torch.arange(256).reshape(1, 1, 16, 16)
    got = Preprocessing(range=(0, 255), dtype="uint8").apply(levels / 255.0)
    assert got.dtype == torch.uint8
    assert torch.equal(got, levels.to(torch.uint8))


def test_resizing_is_that_of_pillow() -> None:
    levels = torch.randint(0, 256, (1, 1, 40, 30), generator=torch.Generator().manual_seed(1))
    ours = Preprocessing(range=(0, 255), resize=(13, 17)).apply(levels / 255.0)[0, 0].numpy()
    theirs = Image.fromarray(levels[0, 0].to(torch.uint8).numpy()).resize((17, 13), Image.Resampling.BILINEAR)
    assert numpy.abs(ours - numpy.asarray(theirs, dtype=float)).max() < 1.01


def test_ten_crops_are_four_corners_the_centre_and_their_mirror_images() -> None:
    images = _noise(2, 1, 4, 6)
    rows = Preprocessing(size=(2, 3), crop="ten").apply(images)
    assert tuple(rows.shape) == (20, 1, 2, 3)
    first = images[1, 0]
    wanted = [first[:2, :3], first[:2, 3:], first[2:, :3], first[2:, 3:], first[1:3, 1:4]]
    for row, crop in zip(rows[10:15], wanted, strict=True):
        assert torch.equal(row[0], crop)
    assert torch.equal(rows[15:], rows[10:15].flip(-1))


def test_ten_crops_average_probabilities() -> None:
    logits = torch.randn(20, 3, generator=torch.Generator().manual_seed(2), dtype=torch.float64)
    merged = Preprocessing(size=(1, 1), crop="ten").merge(logits)
    wanted = logits.softmax(1).reshape(2, 10, 3).mean(1)
    assert torch.allclose(merged.exp(), wanted)
    each = Preprocessing(size=(1, 1), crop="ten").merge(logits, "independent")
    assert torch.allclose(each.sigmoid(), logits.sigmoid().reshape(2, 10, 3).mean(1))
    sure = Preprocessing(size=(1, 1), crop="ten").merge(torch.full((10, 2), 40.0, dtype=torch.float64), "independent")
    assert torch.allclose(sure, torch.full((1, 2), 40.0, dtype=torch.float64))


def test_a_crop_larger_than_the_image_is_refused() -> None:
    with pytest.raises(BadInput, match="fits into 4 x 4"):
        Preprocessing(size=(5, 5), crop="centre").apply(torch.zeros(1, 1, 4, 4))


def test_a_single_sigmoid_is_two_classes() -> None:
    z = torch.tensor([[3.0]])
    assert log_odds(Reading().logits(z))[0].tolist() == [-3.0, 3.0]
    assert log_odds(Reading("probabilities").logits(z.sigmoid()))[0, 1].item() == pytest.approx(3.0, abs=1e-5)
    assert log_odds(Reading("log-probabilities").logits(z.sigmoid().log()))[0, 1].item() == pytest.approx(3, abs=1e-5)


@pytest.mark.parametrize("z", [-3.0, 0.0, 3.0, 9.0])
def test_logarithms_of_independent_probabilities_are_no_log_odds(z: float) -> None:
    said = Reading("log-probabilities", "independent").logits(torch.tensor([[z, -z]]).double().sigmoid().log())
    assert said[0].tolist() == pytest.approx([z, -z], abs=1e-6)
    reading = Reading("log-probabilities", "independent")
    assert reading.logits(torch.zeros(1, 1))[0, 0].item() == pytest.approx(reading.ceiling(1))


def test_log_odds_of_probabilities_are_those_of_the_logits_they_came_from() -> None:
    z = 8 * torch.randn(50, 7, generator=torch.Generator().manual_seed(3), dtype=torch.float64)
    read = Reading("probabilities").logits(z.softmax(1))
    assert torch.allclose(log_odds(read), log_odds(z), atol=1e-6)


def test_probabilities_of_exactly_one_read_no_more_than_their_floor_says() -> None:
    p = torch.tensor([[1.0, 0.0, 0.0]])
    reading = Reading("probabilities", floor=0.0005)
    assert log_odds(reading.logits(p))[0, 0].item() == pytest.approx(reading.ceiling(3))
    alone = Reading("probabilities", "independent")
    assert alone.logits(p)[0, 0].item() == pytest.approx(-math.log(RESOLUTION))
    assert alone.ceiling(3) == pytest.approx(-math.log(RESOLUTION))
    assert Reading().ceiling(3) is None


def test_numbers_that_are_no_probabilities_are_refused_where_these_were_declared() -> None:
    with pytest.raises(TargetError, match='outputs = "logits"'):
        Reading("probabilities").logits(torch.tensor([[3.0, -2.0]]))


def test_classes_that_an_answer_leaves_out_share_the_rest_and_stay_below_the_named_ones() -> None:
    rows = spread([{"b": 0.9, "a": 0.05}, {"a": 0.3, "b": 0.3}], ("a", "b", "c", "d"), 1e-4, "t")
    assert rows[0].tolist() == pytest.approx([0.05, 0.9, 0.025, 0.025])
    assert rows[1].tolist() == pytest.approx([0.3, 0.3, 0.2, 0.2])
    odds = log_odds(Reading("probabilities", floor=1e-4).logits(rows))
    assert odds[0, 1].item() == pytest.approx(math.log(0.9 / 0.1))


@pytest.mark.parametrize(
    ("answer", "said"),
    [({}, "score for each class"), ({"a": "b"}, "says nothing of certainty"), ({"x": 0.5}, "declared ones"),
     ({"a": math.nan}, "score for each class"), ({"a": True}, "score for each class")],
)  # fmt: skip
def test_answers_without_scores_are_refused(answer: dict[str, Any], said: str) -> None:
    with pytest.raises(TargetError, match=said):
        spread([answer], ("a", "b"), 1e-4, "t")


def _linear(outputs: int = 3) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(12, outputs)).eval()


def test_objects_are_targets() -> None:
    net = _linear()
    declared = Declaration(shape=(3, 2, 2), labels=("a", "b", "c"), preprocessing=CAFFE)
    module = load_target(net, declared)
    images = _noise(4, 3, 2, 2)
    wanted = net(CAFFE.apply(images))
    assert torch.equal(module.judge(images).logits, wanted)

    def function(batch: numpy.ndarray) -> numpy.ndarray:
        with torch.inference_mode():
            return net(torch.from_numpy(batch)).numpy()

    called = load_target(function, declared)
    assert torch.equal(called.judge(images).logits, wanted)
    assert load_target(module) is module

    def scores(batch: numpy.ndarray) -> list[dict[str, float]]:
        return [dict(zip("abc", row, strict=True)) for row in torch.from_numpy(function(batch)).softmax(1).tolist()]

    by_label = load_target(scores, declared)
    near = log_odds(wanted).detach().clamp(-60, 60)
    assert torch.allclose(log_odds(by_label.judge(images).logits).clamp(-60, 60), near, atol=1e-3)


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (Declaration(), "the shape of its images"),
        (Declaration(shape=(1, 2, 2)), "takes images of shape"),
        (Declaration(shape=(3, 2, 2), labels=("a", "b")), "3 labels, one an output; got 2"),
    ],
)
def test_a_module_that_does_not_fit_its_declaration_is_refused(declared: Declaration, said: str) -> None:
    with pytest.raises(TargetError, match=said):
        load_target(_linear(), declared)


def test_a_module_in_training_mode_is_refused() -> None:
    with pytest.raises(TargetError, match=r"Call .eval\(\)"):
        load_target(_linear().train(), Declaration(shape=(3, 2, 2)))


def test_a_regression_is_told_how_to_wrap_it() -> None:
    declared = Declaration(shape=(3, 2, 2), link="independent")
    with pytest.raises(TargetError, match="of a regression"):
        load_target(_linear(1), declared)


def test_a_bundled_network_takes_no_other_preprocessing() -> None:
    with pytest.raises(TargetError, match="inside a network that trompe trained"):
        load_target("lenet-mnist", Declaration(preprocessing=CAFFE))


def test_labels_that_repeat_are_numbered() -> None:
    target = load_target(_linear(), Declaration(shape=(3, 2, 2), labels=("crane", "crane", "b")))
    assert target.labels == ("crane (0)", "crane (1)", "b")


def test_a_none_class_refuses_what_it_wins() -> None:
    declared = Declaration(shape=(3, 2, 2), labels=("a", "b", "none"), abstain="none")
    outputs = load_target(_linear(), declared).judge(_noise(50, 3, 2, 2))
    assert outputs.slack is not None
    won = outputs.logits.argmax(1) == 2
    assert torch.equal((outputs.slack[:, :2] < 0).all(1), won)


@pytest.mark.parametrize(
    ("text", "said"),
    [("m.pkl", "a pickle"), ("m.pt", "a pickle"), ("m.keras", "a .keras file"), ("lenet-mist", "lenet-mnist"),
     ("no.such.module:make", "ModuleNotFoundError")],
)  # fmt: skip
def test_texts_that_stand_for_no_target_are_refused(text: str, said: str) -> None:
    with pytest.raises(TrompeError, match=said):
        load_target(text)


def test_a_factory_is_found_from_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mymodel.py").write_text(
        "import torch\ndef make():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(12, 3)).eval()\n"
        "def scores(batch):\n    return batch.reshape(len(batch), -1)[:, :3]\n"
    )
    monkeypatch.chdir(tmp_path)
    (tmp_path / "m.toml").write_text('model = "mymodel:make"\nshape = [3, 2, 2]\nlabels = ["a", "b", "c"]')
    assert load_target("m.toml").labels == ("a", "b", "c")
    assert load_target("m.toml").name == "m"
    other = load_target("mymodel:scores", Declaration(shape=(3, 2, 2)))
    assert other.labels == ("0", "1", "2")
