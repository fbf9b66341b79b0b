"""Distrust first: every strange thing about a target is found by name, and a plain target is left in peace."""

import json
import math
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from PIL import Image
from torch import nn

import trompe
from trompe.cli.main import main
from trompe.core.errors import DataError, TargetError
from trompe.core.numerics import log_odds
from trompe.data.folders import read_photographs
from trompe.data.labelled import load_folder
from trompe.measure.metrics import Answer, accuracy, calibration_error, odds_that_pass, usual_log_odds
from trompe.targets import Declaration, Preprocessing, load_target, read_declaration
from trompe.targets.preflight import preflight
from trompe.targets.ready import LowestOfFive, as_recorded, make_ready
from trompe.verbs.inspect import Trial, confirms, examine

SHAPE = (1, 8, 8)


def _names(target: Any) -> list[str]:
    return [finding.name for finding in preflight(target).findings]


def _net() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 4)).eval()


def _function(function: Any, **declared: Any) -> Any:
    return load_target(function, Declaration(shape=SHAPE, labels=("a", "b", "c", "d"), **declared))


def _numbers(batch: numpy.ndarray) -> numpy.ndarray:
    with torch.inference_mode():
        return _net()(torch.from_numpy(batch)).numpy()


def _softmax(batch: numpy.ndarray) -> numpy.ndarray:
    return torch.from_numpy(8 * _numbers(batch)).softmax(1).numpy()


@pytest.mark.parametrize("name", ["lenet-mnist", "softmax-mnist", "lenet-fashion"])
def test_a_plain_target_has_no_findings(name: str) -> None:
    ready = make_ready(load_target(name))
    assert ready.findings == ()
    assert ready.preprocessing == "declared"


def test_a_target_that_says_the_same_of_everything_is_refused() -> None:
    target = _function(lambda batch: numpy.zeros((len(batch), 4), numpy.float32))
    assert "constant" in _names(target)
    with pytest.raises(TargetError, match="depend on the input"):
        make_ready(target)


def test_answers_that_are_no_numbers_are_refused() -> None:
    target = _function(lambda batch: numpy.where(batch.reshape(len(batch), -1)[:, :4] > 0, 1.0, numpy.nan))
    with pytest.raises(TargetError, match="no numbers"):
        make_ready(target)


def test_a_target_that_wavers_is_asked_five_times_and_the_lowest_counts() -> None:
    state = numpy.random.default_rng(0)
    target = _function(lambda batch: _numbers(batch) + state.normal(size=(len(batch), 4)).astype(numpy.float32))
    assert "not-deterministic" in _names(target)
    ready = make_ready(target)
    assert isinstance(ready.target, LowestOfFive)
    images = torch.rand(200, *SHAPE, generator=torch.Generator().manual_seed(0))
    once = load_target(_net(), Declaration(shape=SHAPE)).judge(images).logits.softmax(1).logit()
    assert float((ready.target.judge(images).logits < once).float().mean()) > 0.8
    again = as_recorded(target, ready.describe())
    assert again.fingerprint() == ready.target.fingerprint()


def test_a_target_that_looks_at_its_neighbours_is_found() -> None:
    target = _function(lambda batch: _numbers(batch - batch.mean(0, keepdims=True)))
    assert "depends-on-batch" in _names(target)


def test_probabilities_read_as_logits_are_found_and_the_reverse_is_refused() -> None:
    assert "probabilities" in _names(_function(_softmax))
    assert "probabilities" not in _names(_function(_softmax, outputs="probabilities"))
    with pytest.raises(TargetError, match='outputs = "logits"'):
        _function(_numbers, outputs="probabilities")
    assert "not-probabilities" in _names(_function(lambda batch: _softmax(batch) / 2, outputs="probabilities"))


@pytest.mark.parametrize("digits", [2, 3, 4])
def test_rounded_scores_have_a_ceiling_that_is_said_and_kept(digits: int) -> None:
    target = _function(lambda batch: _softmax(batch).astype(numpy.float64).round(digits), outputs="probabilities")
    ready = make_ready(target)
    (finding,) = [finding for finding in ready.findings if finding.name == "rounded"]
    assert f"{digits} decimals" in finding.means
    assert finding.hides
    floor = ready.describe()["floor"]
    assert floor == pytest.approx(0.5 * 10.0**-digits)
    sure = torch.where(torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(1)) > 0.5, 1.0, 0.0)
    top = ready.target.judge(sure).logits.log_softmax(1).exp().max()
    assert float(top) <= 1.0 / (1.0 + 3 * floor) + 1e-9


@pytest.mark.parametrize("sure", [24.0, 26.0, 40.0])
def test_certainty_is_not_taken_for_rounding(sure: float) -> None:
    """1.0 is on every grid of decimals; what says it of everything may still say it of nonsense, and is not capped."""

    def certain(batch: numpy.ndarray) -> numpy.ndarray:
        logits = torch.from_numpy(_numbers(batch)).double()
        logits[:, 2] += sure
        return logits.softmax(1).numpy()

    ready = make_ready(_function(certain, outputs="probabilities"))
    assert not {"rounded", "quantised"} & {finding.name for finding in ready.findings}
    odds = log_odds(ready.target.judge(torch.rand(4, *SHAPE)).logits, ready.target.link)
    assert float(odds[:, 2].min()) > min(sure, 25.0) - 4.0


@pytest.mark.parametrize("low", [0.0, 1e-12])
def test_probabilities_of_nothing_are_not_taken_for_rounded_ones(low: float) -> None:
    def nothing(batch: numpy.ndarray) -> numpy.ndarray:
        return low * (1.0 + batch.reshape(len(batch), -1)[:, :4].astype(numpy.float64))

    names = _names(_function(nothing, outputs="probabilities", link="independent"))
    assert "rounded" not in names
    assert ("constant" in names) is (low == 0.0)


def test_votes_that_are_counted_are_found() -> None:
    def vote(batch: numpy.ndarray) -> numpy.ndarray:
        rows = batch.reshape(len(batch), 4, -1)[:, :, :4] + numpy.arange(4) * 1e-6
        return numpy.eye(4)[rows.argmax(2)].mean(1)

    assert "quantised" in _names(_function(vote, outputs="probabilities"))


def test_probabilities_of_0_and_1_alone_say_nothing_of_what_is_between() -> None:
    """As of a Gaussian naive Bayes, whose products over many pixels are all or nothing; or of a bare label."""

    def label(batch: numpy.ndarray) -> numpy.ndarray:
        return numpy.eye(4)[batch.reshape(len(batch), 4, -1).sum(2).argmax(1)]

    ready = make_ready(_function(label, outputs="probabilities"))
    (finding,) = [found for found in ready.findings if found.name == "saturated"]
    assert not finding.hides
    assert not ready.describe()["floor"]
    assert "quantised" not in _names(_function(label, outputs="probabilities"))
    even = _function(lambda batch: numpy.tile([0.3, 0.7, 0.0, 0.0], (len(batch), 1)), outputs="probabilities")
    assert "saturated" not in _names(even)


def test_a_masked_gradient_is_found_and_none_at_all_is_told_apart() -> None:
    class Rounded(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return _net()((images * 4).round() / 4)

    class Detached(nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return _net()(images).detach()

    declared = Declaration(shape=SHAPE, labels=("a", "b", "c", "d"))
    assert _names(load_target(Rounded().eval(), declared)) == ["masked-gradient"]
    assert _names(load_target(Detached().eval(), declared)) == ["no-gradient"]


def test_numbered_classes_are_said() -> None:
    assert _names(load_target(_net(), Declaration(shape=SHAPE))) == ["unnamed"]


def test_undeclared_preprocessing_is_unverified() -> None:
    assert make_ready(load_target(_net(), Declaration(shape=SHAPE))).preprocessing == "unverified"
    declared = Declaration(shape=SHAPE, preprocessing=Preprocessing())
    assert make_ready(load_target(_net(), declared)).preprocessing == "declared"


@pytest.fixture(scope="module")
def digits(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Fifty real digits as PNGs, a folder for each class."""
    from trompe.targets import bundled_targets
    from trompe.targets.trained import read_samples

    folder = tmp_path_factory.mktemp("digits")
    samples = read_samples(bundled_targets()["lenet-mnist"])
    for i in range(0, 100, 2):
        part = folder / str(int(samples.classes[i]))
        part.mkdir(exist_ok=True)
        Image.fromarray(samples.images[i, 0].numpy()).save(part / f"{i}.png")
    return folder


def _lenet(**preprocessing: Any) -> Any:
    """The LeNet as somebody else has it: it wants 0 to 255, and nobody told."""
    inner = load_target("lenet-mnist").module  # type: ignore[attr-defined]

    class Bytes(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = inner

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return self.inner(images / 255.0)

    declared = Declaration(shape=(1, 28, 28), labels=tuple("0123456789"), **preprocessing)
    return load_target(Bytes().eval(), declared)


def test_labelled_images_find_the_right_preprocessing(digits: Path) -> None:
    found = examine(_lenet(), digits, None)
    assert found.confirmed is False
    assert found.ready.preprocessing == "unverified"
    assert found.trials[0].name.startswith("0..255")
    assert found.trials[0].accuracy.count >= 48
    own = next(trial for trial in found.trials if trial.name == "as it stands")
    assert own.likelihood < found.trials[0].likelihood


def test_labelled_images_confirm_a_preprocessing_that_nobody_declared(digits: Path) -> None:
    inner = load_target("lenet-mnist").module  # type: ignore[attr-defined]
    undeclared = load_target(inner, Declaration(shape=(1, 28, 28), labels=tuple("0123456789")))
    found = examine(undeclared, digits, None)
    assert found.confirmed is True
    assert found.ready.preprocessing == "confirmed"


def test_a_few_images_confirm_nothing() -> None:
    share = accuracy([Answer(0, 0, 3.0)] * 5)
    assert share is not None
    assert not confirms([Trial("as it stands", Preprocessing(), share, -0.1, [-0.1] * 5)], 10)


def test_a_preprocessing_that_names_by_chance_is_not_confirmed() -> None:
    answers = [Answer(i % 10, 0, 0.0) for i in range(50)]
    share = accuracy(answers)
    assert share is not None
    assert not confirms([Trial("as it stands", Preprocessing(), share, -2.3, [-2.3] * 50)], 10)


def test_saved_target_files_suggest_and_do_not_decide(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mine.py").write_text(
        "import torch\ndef make():\n    torch.manual_seed(0)\n"
        "    return torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(64, 4)).eval()\n"
    )
    (tmp_path / "mine.toml").write_text('model = "mine:make"\nshape = [1, 8, 8]\n')
    monkeypatch.chdir(tmp_path)
    found = trompe.inspect("mine.toml", save=tmp_path / "new.toml")
    assert found.ready.preprocessing == "unverified"
    again = read_declaration(tmp_path / "new.toml")
    assert again.preprocessing is None
    assert again.labels == ("0", "1", "2", "3")
    assert "# [preprocessing]" in (tmp_path / "new.toml").read_text()
    assert load_target("new.toml").fingerprint() == load_target("mine.toml").fingerprint()


def test_the_command_says_unverified_in_its_first_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], digits: Path
) -> None:
    assert main(["inspect", "lenet-mnist", "--images", str(digits)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("preprocessing declared")
    assert main(["inspect", "lenet-mnist", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["preprocessing"] == "declared"


def test_photographs_are_brought_to_size_with_the_class_of_their_folder(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()
    (tmp_path / "A").mkdir()
    Image.new("RGB", (40, 20), (255, 0, 0)).save(tmp_path / "b" / "x.png")
    Image.new("L", (5, 5), 128).save(tmp_path / "A" / "y.png")
    found = read_photographs(tmp_path, ("a", "b"), (3, 10, 10))
    assert tuple(found.images.shape) == (2, 3, 10, 10)
    assert found.classes.tolist() == [0, 1]
    assert found.images[1, :, 5, 5].tolist() == [255, 0, 0]
    assert read_photographs(tmp_path, ("a", "b"), (1, 4, 4), limit=1).labelled


def test_what_is_hidden_is_no_photograph(tmp_path: Path) -> None:
    for label in "ab":
        (tmp_path / label / ".ipynb_checkpoints").mkdir(parents=True)
        for i in range(5):
            Image.new("RGB", (32, 32), (i, 0, 0)).save(tmp_path / label / f"{i}.png")
        Image.new("L", (8, 8)).save(tmp_path / label / ".ipynb_checkpoints" / "0-checkpoint.png")
        (tmp_path / label / "._0.png").write_bytes(b"left by another system")
        (tmp_path / label / "0.dir.png").mkdir()
    (tmp_path / ".thumbnails").mkdir()
    Image.new("L", (8, 8)).save(tmp_path / ".thumbnails" / "t.png")
    assert len(read_photographs(tmp_path, ("a", "b"), (3, 8, 8))) == 10
    data = load_folder(tmp_path)
    assert tuple(data.train.images.shape[1:]) == (3, 32, 32)


def test_sixteen_bits_are_the_nearest_of_eight(tmp_path: Path) -> None:
    ramp = numpy.linspace(0, 65535, 64, dtype=numpy.uint16).reshape(8, 8)
    Image.fromarray(ramp).save(tmp_path / "x.png")
    for channels in (1, 3):
        (found,) = read_photographs(tmp_path, ("a", "b"), (channels, 8, 8)).images
        assert torch.equal(found[0], torch.from_numpy((ramp / 257.0).round().astype(numpy.uint8)))
    Image.fromarray(numpy.linspace(0.0, 1.0, 64, dtype=numpy.float32).reshape(8, 8)).save(tmp_path / "x.tiff")
    (tmp_path / "x.tiff").rename(tmp_path / "x.png")
    with pytest.raises(DataError, match=r"^\S*x\.png: expected an image of 8 or 16 bits .* from 0 to 1"):
        read_photographs(tmp_path, ("a", "b"), (1, 8, 8))


@pytest.mark.parametrize(("make", "said"), [("empty", "got none"), ("odd", "'z'"), ("broken", "an image that can be")])
def test_folders_that_hold_no_photographs_are_refused(tmp_path: Path, make: str, said: str) -> None:
    if make == "odd":
        (tmp_path / "z").mkdir()
        Image.new("L", (5, 5)).save(tmp_path / "z" / "x.png")
    if make == "broken":
        (tmp_path / "x.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=said):
        read_photographs(tmp_path, ("a", "b"), (1, 4, 4))


def test_calibration_is_exact_at_the_ends() -> None:
    sure = math.inf
    assert calibration_error([]) is None
    assert calibration_error([Answer(0, 0, sure)] * 3) == 0.0
    assert calibration_error([Answer(1, 0, sure)] * 3) == 1.0
    assert calibration_error([Answer(1, 0, -sure)] * 3) == 0.0
    mixed = [Answer(0, 0, 0.0), Answer(1, 0, 0.0), Answer(0, 0, math.log(3.0)), Answer(-1, 0, 9.0)]
    assert calibration_error(mixed) == pytest.approx((abs(1 - 1.0) + abs(1 - 0.75)) / 3)


def test_what_is_usual_is_taken_from_what_is_right_and_accepted() -> None:
    answers = [Answer(0, 0, 1.0), Answer(0, 0, 3.0), Answer(0, 1, 99.0), Answer(0, 0, 50.0, accepted=False)]
    assert usual_log_odds(answers) == 2.0
    assert usual_log_odds([]) is None
    assert odds_that_pass(answers, 0.95) == 1.0
    assert odds_that_pass([]) is None
