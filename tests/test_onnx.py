"""ONNX files as targets: what they say of themselves is heard, and what cannot be judged is refused in one line."""

import hashlib
import re
import sys

import onnx
import pytest
import torch
from nets import exported, linear, weights
from onnx import TensorProto
from torch import nn

from trompe.cli.main import main
from trompe.core.errors import TargetError
from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.targets import Declaration, Preprocessing, load_target
from trompe.targets.graph import _labels
from trompe.targets.preprocessing import CAFFE, PLAIN


def noise(n: int, *shape: int) -> torch.Tensor:
    return quantise(Stream(0, "onnx", 0).uniform32(n, *shape))


def scores(flat: torch.Tensor, classes: int = 3) -> torch.Tensor:
    return flat.flatten(1) @ torch.from_numpy(weights(flat[0].numel(), classes))


@pytest.fixture(scope="module")
def net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 4, 5)).eval()


def test_an_exported_network_answers_as_in_torch(net, tmp_path):
    target = load_target(exported(tmp_path / "small.onnx", net, 2, 3, 8, 6))
    assert (target.name, target.spec.shape, target.labels) == ("small", (3, 8, 6), ("0", "1", "2", "3", "4"))
    images = noise(7, 3, 8, 6)
    with torch.inference_mode():
        assert torch.allclose(target.judge(images).logits, net(images), atol=1e-5)


@pytest.mark.parametrize("rows", [1, 4])
def test_a_network_for_a_fixed_number_of_rows_is_asked_in_parts(net, tmp_path, rows):
    target = load_target(exported(tmp_path / "fixed.onnx", net, rows, 3, 8, 6, fixed=True))
    images = noise(7, 3, 8, 6)
    with torch.inference_mode():
        assert torch.allclose(target.judge(images).logits, net(images), atol=1e-5)


def test_a_network_that_only_says_it_takes_many_rows_is_asked_one_by_one(tmp_path):
    class One(nn.Module):
        def forward(self, images):
            return images.reshape(1, 12)[:, :3] * 2.0

    path = exported(tmp_path / "one.onnx", One(), 1, 3, 2, 2)
    images = noise(5, 3, 2, 2)
    assert torch.allclose(load_target(path).judge(images).logits, 2.0 * images.flatten(1)[:, :3])


def test_channels_last_are_seen_and_done(tmp_path):
    target = load_target(linear(tmp_path / "tf.onnx", ["n", 4, 5, 3]))
    assert target.spec.shape == (3, 4, 5)
    assert target.declared.preprocessing is None, "what only the file says is not declared"
    assert target.prepared.layout == "nhwc"
    images = noise(6, 3, 4, 5)
    assert torch.allclose(target.judge(images).logits, scores(images.permute(0, 2, 3, 1)), atol=1e-5)


def test_channels_first_win_where_both_ends_could_be_channels(tmp_path):
    assert load_target(linear(tmp_path / "a.onnx", ["n", 3, 4, 3])).spec.shape == (3, 4, 3)


def test_bytes_are_sent_as_bytes(tmp_path):
    target = load_target(linear(tmp_path / "bytes.onnx", [1, 4, 5, 1], kind=TensorProto.UINT8))
    assert (target.prepared.dtype, target.prepared.range) == ("uint8", (0.0, 255.0))
    images = noise(6, 1, 4, 5)
    assert torch.allclose(target.judge(images).logits, scores(255.0 * images), atol=1e-2)


@pytest.mark.parametrize("kind", [TensorProto.FLOAT16, TensorProto.DOUBLE])
def test_other_floating_point_inputs_work(tmp_path, kind):
    target = load_target(linear(tmp_path / "half.onnx", ["n", 3, 2, 2], kind=kind))
    images = noise(6, 3, 2, 2)
    assert torch.allclose(target.judge(images).logits, scores(images), atol=1e-2)


def test_one_row_of_numbers_is_a_square_grey_image_or_what_is_declared(tmp_path):
    path = linear(tmp_path / "flat.onnx", ["n", 36])
    assert load_target(path).spec.shape == (1, 6, 6)
    assert load_target(path, Declaration(shape=(1, 4, 9))).spec.shape == (1, 4, 9)
    images = noise(3, 1, 6, 6)
    assert torch.allclose(load_target(path).judge(images).logits, scores(images), atol=1e-5)


def test_declared_preprocessing_is_done_in_place_of_what_the_file_needs(tmp_path):
    target = load_target(linear(tmp_path / "a.onnx", ["n", 3, 2, 2]), Declaration(preprocessing=CAFFE))
    images = noise(3, 3, 2, 2)
    assert target.declared.preprocessing == CAFFE
    assert torch.allclose(target.judge(images).logits, scores(CAFFE.apply(images)), atol=1e-2)


def test_a_size_that_is_open_is_asked_for(tmp_path):
    path = linear(tmp_path / "open.onnx", ["n", 3, "h", "w"], inputs=48)
    with pytest.raises(TargetError, match=r"expected the shape of its images; got .*any, 3, any, any.*target file"):
        load_target(path)
    assert load_target(path, Declaration(shape=(3, 4, 4))).judge(noise(2, 3, 4, 4)).logits.shape == (2, 3)
    with pytest.raises(TargetError, match="Declare the shape of its images"):
        load_target(path, Declaration(shape=(3, 4, 5)))


@pytest.mark.parametrize(
    ("declared", "said"),
    [
        (Declaration(shape=(3, 4, 5)), r"expected preprocessing to float32 of shape \(any, 3, 2, 2\); got float32 of"),
        (Declaration(preprocessing=Preprocessing(layout="nhwc")), "expected the shape of its images"),
        (Declaration(preprocessing=Preprocessing(dtype="uint8", range=(0.0, 255.0))), "expected preprocessing to floa"),
        (Declaration(preprocessing=Preprocessing(size=(2, 2), crop="centre")), "expected the shape of its images"),
        (Declaration(labels=("a", "b")), "3 labels, one an output; got 2"),
    ],
)
def test_what_is_declared_must_fit_the_file(tmp_path, declared, said):
    with pytest.raises(TargetError, match=said):
        load_target(linear(tmp_path / "a.onnx", ["n", 3, 2, 2]), declared)


def test_bytes_are_not_sent_numbers(tmp_path):
    path = linear(tmp_path / "bytes.onnx", ["n", 3, 2, 2], kind=TensorProto.UINT8)
    with pytest.raises(TargetError, match=r"expected preprocessing to uint8 .* got float32 .*dtype"):
        load_target(path, Declaration(preprocessing=PLAIN))


@pytest.mark.parametrize(
    ("then", "outputs", "link"),
    [
        ((), "logits", "softmax"),
        (("Softmax",), "probabilities", "softmax"),
        (("Softmax", "Log"), "log-probabilities", "softmax"),
        (("LogSoftmax",), "log-probabilities", "softmax"),
        (("Sigmoid",), "probabilities", "independent"),
        (("Softmax", "Neg"), "logits", "softmax"),
    ],
)
def test_the_last_operator_says_what_the_numbers_are(tmp_path, then, outputs, link):
    path = linear(tmp_path / "a.onnx", ["n", 3, 2, 2], then=then)
    reading = load_target(path).declared.reading
    assert (reading.kind, reading.link) == (outputs, link)
    assert load_target(path, Declaration(outputs="logits", link="softmax")).declared.reading.kind == "logits"


def test_a_single_sigmoid_is_one_of_two_classes(tmp_path):
    target = load_target(linear(tmp_path / "a.onnx", ["n", 3, 2, 2], classes=1, then=("Sigmoid",)))
    images = noise(4, 3, 2, 2)
    logits = target.judge(images).logits
    assert target.link == "softmax"
    assert torch.allclose((logits[:, 1] - logits[:, 0]).float(), scores(images, 1)[:, 0], atol=1e-4)


def test_axes_of_size_one_behind_the_classes_are_left_out(tmp_path):
    module = nn.Sequential(nn.Conv2d(3, 5, 3), nn.AdaptiveAvgPool2d(1))
    assert load_target(exported(tmp_path / "a.onnx", module, 2, 3, 8, 8)).judge(noise(4, 3, 8, 8)).logits.shape == (
        4,
        5,
    )


def test_the_scores_are_found_beside_a_chosen_label(tmp_path):
    target = load_target(linear(tmp_path / "a.onnx", ["n", 3, 2, 2], second="ArgMax"))
    assert target.model.output == "scores"


@pytest.mark.parametrize(
    ("notes", "labels"),
    [
        ({"names": "{1: 'b', 0: 'a', 2: 'c'}"}, ("a", "b", "c")),
        ({"labels": '["x", "y", "z"]'}, ("x", "y", "z")),
        ({"classes": "cat\ndog\nox\n"}, ("cat", "dog", "ox")),
        ({"labels": "p, q"}, ("0", "1", "2")),
        ({"names": "__import__('os').getcwd()"}, ("0", "1", "2")),
        ({}, ("0", "1", "2")),
    ],
)
def test_labels_in_the_file_are_taken_where_there_are_as_many_as_outputs(tmp_path, notes, labels):
    assert load_target(linear(tmp_path / "a.onnx", ["n", 3, 2, 2], notes=notes)).labels == labels


def test_a_label_note_that_is_nothing_is_no_labels():
    assert _labels("{'a': 1}") == ()
    assert _labels("") == ()


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda p: linear(p, ["n", 3, 2, 2], extra_input=True), "one input, the image; got 2 inputs: images, mask"),
        (lambda p: linear(p, ["n", 3, 2, 2], second="Relu"), r"one output .*second: \(1, 3\), scores: \(1, 3\)"),
        (
            lambda p: exported(p, nn.Conv2d(3, 5, 3), 2, 3, 8, 8),
            r"one output .*scores: \(1, 5, 6, 6\)\. Export .*segment",
        ),
        (lambda p: linear(p, [2, 2, 2, 3, 1], inputs=12), "a network for images"),
        (lambda p: linear(p, ["n", 4, 4]), "a network for images"),
        (lambda p: linear(p, ["n", 5]), "expected the shape of its images"),
        (lambda p: linear(p, ["n", 3, 2, 2], kind=TensorProto.INT64), "an input of float32, float16"),
        (lambda p: linear(p, ["n", 3, 2, 2], domain="com.acme"), "standard operators of ONNX; got MatMul of com.acme"),
        (lambda p: linear(p, ["n", 3, 2, 2], then=("Frobnicate",)), "a whole network that ONNX Runtime can run"),
        (lambda p: linear(p, ["n", 3, 2, 2], classes=0, inputs=12), "two classes or more"),
    ],
)
def test_what_cannot_be_judged_is_refused_in_one_line(tmp_path, make, said):
    path = make(tmp_path / "odd.onnx")
    with pytest.raises(TargetError, match=said) as found:
        load_target(path)
    assert "\n" not in str(found.value)


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        ("missing", "got No such file"),
        ("empty", "got an empty file"),
        ("pointer", "a pointer of Git LFS .* git lfs pull"),
        ("text", "cut off, or something else"),
        ("cut", "cut off|whole network"),
        ("one byte", "cut off|no network"),
        ("folder", "got Is a directory"),
    ],
)
def test_a_damaged_file_is_refused(tmp_path, damage, said):
    path = linear(tmp_path / "a.onnx", ["n", 3, 8, 8])
    content = path.read_bytes()
    path.unlink()
    if damage == "folder":
        path.mkdir()
    elif damage != "missing":
        path.write_bytes(
            {
                "empty": b"",
                "pointer": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
                "text": b"this is no network at all, whatever its name says",
                "cut": content[: len(content) // 2],
                "one byte": content[:1],
            }[damage]
        )
    with pytest.raises(TargetError, match=f"TARGET .*a.onnx: expected a whole .*({said})"):
        load_target(path)


def test_weights_beside_the_file_count_and_must_be_there(tmp_path):
    path = linear(tmp_path / "a.onnx", ["n", 3, 8, 8], external="a.data")
    target, images = load_target(path), noise(3, 3, 8, 8)
    assert torch.allclose(target.judge(images).logits, scores(images), atol=1e-4)
    before, content = target.fingerprint(), (tmp_path / "a.data").read_bytes()
    (tmp_path / "a.data").write_bytes(content[:-4] + b"\0\0\0\0")
    assert load_target(path).fingerprint() != before, "other weights, another target"
    (tmp_path / "a.data").unlink()
    with pytest.raises(TargetError, match=r"got no file a\.data beside it"):
        load_target(path)


@pytest.mark.parametrize("place", ["../a.data", "/etc/hostname"])
def test_weights_outside_the_folder_are_refused(tmp_path, place):
    path = linear(tmp_path / "a.onnx", ["n", 3, 8, 8], external="a.data")
    model = onnx.load(str(path), load_external_data=False)
    for entry in model.graph.initializer[0].external_data:
        entry.value = place if entry.key == "location" else entry.value
    path.write_bytes(model.SerializeToString())
    with pytest.raises(TargetError, match=f"got weights at {re.escape(place)}"):
        load_target(path)


def test_the_fingerprint_is_of_the_file_and_of_what_is_declared(tmp_path):
    path = linear(tmp_path / "a.onnx", ["n", 3, 2, 2])
    target = load_target(path)
    assert target.model.fingerprint() == hashlib.sha256(path.read_bytes()).hexdigest()
    assert load_target(path, Declaration(preprocessing=CAFFE)).fingerprint() != target.fingerprint()
    assert load_target(path).fingerprint() == target.fingerprint()


def test_a_target_file_names_an_onnx_file_beside_it(tmp_path):
    linear(tmp_path / "a.onnx", ["n", 3, "h", "w"], inputs=12)
    (tmp_path / "mine.toml").write_text('model = "a.onnx"\nshape = [3, 2, 2]\nlabels = ["x", "y", "z"]\n')
    target = load_target(tmp_path / "mine.toml")
    assert (target.name, target.spec.shape, target.labels) == ("mine", (3, 2, 2), ("x", "y", "z"))


@pytest.mark.parametrize("package", ["onnx", "onnxruntime"])
def test_a_missing_package_is_named_with_its_extra(tmp_path, monkeypatch, package):
    path = linear(tmp_path / "a.onnx", ["n", 3, 2, 2])
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(TargetError, match=rf"expected the package {package}; .*pip install 'trompe\[onnx\]'"):
        load_target(path)


def test_a_fooled_onnx_file_is_verified(tmp_path):
    """The whole way on the command line, from the file to a verified run."""
    path = linear(tmp_path / "a.onnx", ["n", 6, 6, 1], then=("Softmax",))
    run = tmp_path / "run"
    assert main(["fool", str(path), "--generations", "3", "--out", str(run), "--quiet"]) == 0
    assert main(["verify", str(run)]) == 0
    assert sorted(child.name for child in tmp_path.iterdir()) == ["a.onnx", "run"]
