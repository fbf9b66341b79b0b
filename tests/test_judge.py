"""The seam between searching and judging: one batch size, checked answers, honest counts."""

from dataclasses import dataclass, field, replace

import pytest
import torch

from trompe.core.errors import TargetError
from trompe.core.numerics import class_log_odds, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Outputs
from trompe.search import Judge, JudgeSettings
from trompe.targets import load_target


@dataclass
class Witness:
    """A target that notes what it is asked and answers with each image's mean and its place in the batch."""

    answer: object = None
    slack: bool = False
    name: str = "witness"
    labels: tuple[str, ...] = ("mean", "one")
    link: str = "softmax"
    asked: list[torch.Tensor] = field(default_factory=list)
    threads: list[int] = field(default_factory=list)
    modes: list[bool] = field(default_factory=list)

    def judge(self, inputs: Images) -> Outputs:
        self.asked.append(inputs.clone())
        self.threads.append(torch.get_num_threads())
        self.modes.append(torch.is_inference_mode_enabled())
        mean = inputs.mean((1, 2, 3))
        logits = torch.stack([mean, torch.ones(len(mean))], 1)
        return self.answer(logits) if self.answer else Outputs(logits, logits - 2.0 if self.slack else None)

    def fingerprint(self) -> str:
        return "witness"


def images(n: int) -> torch.Tensor:
    return quantise(Stream(0, "judge", 0).uniform32(n, 1, 2, 2))


@pytest.mark.parametrize(("n", "calls"), [(1, 1), (4, 1), (5, 2), (8, 2), (11, 3)])
def test_every_call_has_the_same_number_of_rows(n, calls):
    """Catches a short last batch, whose bits may differ, and a padding that is not cut off again."""
    witness = Witness()
    judge = Judge(witness, JudgeSettings(batch=4))
    outputs = judge.judge(images(n))
    assert [len(batch) for batch in witness.asked] == [4] * calls
    assert torch.equal(outputs.logits[:, 0], images(n).mean((1, 2, 3)))
    assert judge.forwards(n) == 4 * calls == sum(map(len, witness.asked))


def test_judging_nothing_gives_no_rows_and_costs_nothing():
    witness = Witness()
    judge = Judge(witness, JudgeSettings(batch=4))
    assert judge.forwards(0) == 0
    assert tuple(judge.judge(images(4)[:0]).logits.shape) == (0, 2)
    assert witness.asked == []


def test_padding_repeats_the_last_row():
    """Catches zeros or stale rows as padding: they could be images that the target chokes on."""
    witness = Witness()
    Judge(witness, JudgeSettings(batch=4)).judge(images(6))
    assert torch.equal(witness.asked[0], images(6)[:4])
    assert torch.equal(witness.asked[1], images(6)[[4, 5, 5, 5]])


def test_slack_is_kept_cut_and_joined_like_the_logits():
    outputs = Judge(Witness(slack=True), JudgeSettings(batch=4)).judge(images(6))
    assert torch.equal(outputs.slack, outputs.logits - 2.0)
    assert torch.equal(Judge(Witness(slack=True), JudgeSettings(batch=9)).judge(images(6)).slack, outputs.slack)


def test_an_image_gets_the_same_bits_wherever_it_stands():
    """The promise a repeatable run rests on, on a network whose kernels could break it."""
    target = load_target("lenet-mnist")
    judge = Judge(target, JudgeSettings(batch=50))
    inputs = quantise(Stream(1, "judge", 0).uniform32(120, 1, 28, 28))
    together = judge.judge(inputs).logits
    assert torch.equal(judge.judge(inputs.flip(0)).logits.flip(0), together)
    for row in (0, 49, 50, 119):
        assert torch.equal(judge.judge(inputs[row : row + 1]).logits[0], together[row])


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda logits: Outputs(logits * torch.nan), "target witness: expected logits that are numbers.*got nan"),
        (lambda logits: Outputs(logits / 0.0), "got inf for class"),
        (lambda logits: Outputs(logits[:-1]), r"expected logits of shape \(4, 2\).*got shape \(3, 2\)"),
        (lambda logits: Outputs(logits[:, :1]), r"got shape \(4, 1\)"),
    ],
)
def test_answers_that_cannot_be_judged_are_refused(spoil, message):
    with pytest.raises(TargetError, match=message):
        Judge(Witness(spoil), JudgeSettings(batch=4)).judge(images(4))


def test_a_bad_answer_in_a_later_batch_is_refused_too():
    """Catches a check of the first batch only."""
    calls = iter([False, True])
    witness = Witness(lambda logits: Outputs(logits * torch.nan if next(calls) else logits))
    with pytest.raises(TargetError, match="got nan"):
        Judge(witness, JudgeSettings(batch=4)).judge(images(8))


def test_the_thread_count_is_set_for_judging_and_put_back():
    before = torch.get_num_threads()
    witness = Witness()
    Judge(witness, JudgeSettings(batch=4, threads=before + 1)).judge(images(8))
    assert witness.threads == [before + 1, before + 1]
    assert torch.get_num_threads() == before


def test_the_thread_count_is_put_back_after_a_refusal():
    before = torch.get_num_threads()
    witness = Witness(lambda logits: Outputs(logits * torch.nan))
    with pytest.raises(TargetError):
        Judge(witness, JudgeSettings(batch=4, threads=before + 1)).judge(images(4))
    assert torch.get_num_threads() == before


def test_nothing_is_recorded_for_gradients_while_judging():
    witness = Witness()
    outputs = Judge(witness, JudgeSettings(batch=4)).judge(images(4).requires_grad_(True))
    assert witness.modes == [True]
    assert not outputs.logits.requires_grad


def own_height(outputs: Outputs, classes: torch.Tensor) -> torch.Tensor:
    return class_log_odds(outputs.logits, classes)


def test_a_slope_comes_with_the_bits_of_the_judgement():
    """Catches a second forward pass of another kind: what is climbed must be what is judged."""
    target = load_target("lenet-mnist")
    judge = Judge(target, JudgeSettings(batch=50))
    inputs = quantise(Stream(2, "judge", 0).uniform32(70, 1, 28, 28))
    classes = torch.arange(70) % 4
    slope = judge.slope(inputs, own_height, classes)
    assert torch.equal(slope.outputs.logits, judge.judge(inputs).logits)
    assert torch.equal(slope.height, own_height(slope.outputs, classes))
    assert not slope.outputs.logits.requires_grad
    assert not inputs.requires_grad


def test_the_slope_of_a_linear_target_is_its_weights(tiny):
    """By hand: d odds_c / dx = w_c - sum of the other weights, each by its share among the others."""
    inputs = quantise(Stream(3, "judge", 0).uniform32(7, 1, 6, 6))
    slope = Judge(tiny, JudgeSettings(batch=4)).slope(inputs, own_height, torch.arange(7) % 3)
    logits, weight = slope.outputs.logits.double(), tiny.module[1].weight.double()
    for row in range(7):
        own = row % 3
        share = logits[row].clone().index_fill(0, torch.tensor(own), -torch.inf).softmax(0)
        assert torch.allclose(slope.gradient[row].flatten().double(), weight[own] - share @ weight, atol=1e-5)


def test_a_slope_in_a_padded_batch_is_that_of_the_image_alone(tiny):
    """Catches padding rows whose gradient is added to the last image's."""
    inputs = quantise(Stream(4, "judge", 0).uniform32(3, 1, 6, 6))
    alone = [Judge(tiny, JudgeSettings(batch=1)).slope(inputs[row : row + 1], _north) for row in range(3)]
    padded = Judge(tiny, JudgeSettings(batch=8)).slope(inputs, _north)
    assert torch.allclose(padded.gradient, torch.cat([part.gradient for part in alone]), atol=1e-5)


def _north(outputs: Outputs) -> torch.Tensor:
    return class_log_odds(outputs.logits, torch.zeros(len(outputs.logits), dtype=torch.int64))


@pytest.mark.parametrize(
    ("spoil", "got"),
    [
        (lambda logits: Outputs(logits.detach()), "answers that no gradient can be taken of"),
        (lambda logits: Outputs(torch.zeros_like(logits, requires_grad=True)), "gradient does not reach the inputs"),
        (
            lambda logits: Outputs((logits - logits.detach()).sqrt() + logits.detach()),
            "a gradient that is not a number",
        ),
    ],
)
def test_a_target_that_cannot_be_climbed_is_refused(spoil, got):
    message = rf"^target witness: expected a target that torch can take a gradient through; got .*{got}\. Climb a"
    with pytest.raises(TargetError, match=message):
        Judge(Witness(spoil), JudgeSettings(batch=4)).slope(images(4), lambda outputs: outputs.logits[:, 0].double())


def test_settings_are_values():
    """They are stored in a run and compared when it is resumed."""
    settings = JudgeSettings(batch=50)
    assert settings == replace(settings)
    assert settings != replace(settings, threads=2)
