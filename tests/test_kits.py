"""The conformance kits: they pass what conforms, and each names what does not."""

import random
from dataclasses import dataclass, field, replace

import pytest
import torch
from nets import exported
from tiny import TINY_LABELS, TINY_SPEC, make_tiny_target
from torch import nn

from trompe.core.numerics import REJECTED, log_odds
from trompe.core.specs import ImageSpec
from trompe.core.types import Bids, Outputs
from trompe.encodings import CPPN_PRESETS, LAYERED, Cppn, PixelGenomes, Pixels, PixelSettings
from trompe.encodings.pixels import PRESETS
from trompe.search import EveryClass, JudgeSettings, named_settings
from trompe.targets import TorchTarget, load_target
from trompe.targets.engines import engine_target
from trompe.targets.openvino import has_bfloat16
from trompe.testing import Report, examine_encoding, examine_niches, examine_target

pytestmark = pytest.mark.usefixtures("unchecked")
without_bfloat16 = pytest.mark.skipif(not has_bfloat16(), reason="no bfloat16 in this processor")


def found(report: Report, words: str) -> None:
    """The report names the fault, and nothing that has nothing to do with it stops the other checks."""
    assert not report.conforms
    assert any(words in finding for finding in report.findings), str(report)
    assert str(report).startswith(f"{report.subject} does not conform:\n- ")


def test_the_tiny_target_conforms(tiny):
    report = examine_target(tiny)
    assert (report.findings, report.skipped) == ((), ())
    assert str(report) == "target tiny-0 conforms"


def test_what_cannot_be_looked_at_yet_is_said():
    report = examine_target(ForgetsTheLastRow.make())
    assert "gradient: not looked at before what was found is mended" in report.skipped


def test_a_refusal_in_the_middle_is_a_finding_and_the_rest_is_still_examined():
    found(
        examine_target(OverflowsOnNoise.make()), "The check of determinism was refused: target tiny-0: expected logits"
    )
    found(examine_target(OverflowsOnNoise.make()), "Logits of noise must be numbers")


def test_an_independent_target_conforms(tiny):
    assert examine_target(replace(tiny, link="independent")).conforms


ENGINE_NAMES = ("onnxruntime", "openvino", pytest.param("openvino-bf16", marks=without_bfloat16))


@pytest.mark.parametrize("name", ENGINE_NAMES)
@pytest.mark.parametrize("batch", [1, 16])
def test_a_target_in_another_engine_conforms_with_equal_bits(name, batch, tiny):
    settings = named_settings(tiny, name, batch, 1)
    assert examine_target(engine_target(tiny, settings), judge=settings).findings == ()


@pytest.mark.slow
@pytest.mark.parametrize("name", ENGINE_NAMES)
@pytest.mark.parametrize("batch", [7, 50])
def test_lenet_in_another_engine_conforms_with_equal_bits(name, batch):
    target = load_target("lenet-mnist")
    settings = named_settings(target, name, batch, 1)
    assert examine_target(engine_target(target, settings), judge=settings).findings == ()


@pytest.mark.parametrize("batch", [1, 4, 16])
@pytest.mark.parametrize("fixed", [True, False])
@pytest.mark.parametrize("name", ["onnxruntime", "openvino"])
def test_an_onnx_file_conforms_with_equal_bits(tmp_path, name, batch, fixed):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(4 * 6 * 4, 5))
    target = load_target(exported(tmp_path / "small.onnx", net, 4, 3, 8, 6, fixed=fixed))
    settings = named_settings(target, name, batch, 1)
    report = examine_target(engine_target(target, settings), judge=settings)
    assert report.findings == ()
    assert {line.split(":")[0] for line in report.skipped} >= {"mode", "calls", "weights", "gradient"}


def test_a_target_is_left_as_it_was(tiny):
    before = tiny.fingerprint()
    examine_target(tiny)
    assert tiny.fingerprint() == before
    assert not tiny.module._forward_hooks


def test_a_target_without_a_module_is_examined_too(tiny):
    """What cannot be looked at is said, not passed over in silence."""

    @dataclass
    class Foreign:
        name: str = "foreign"
        spec: ImageSpec = TINY_SPEC
        labels: tuple[str, ...] = TINY_LABELS
        link: str = "softmax"

        def judge(self, inputs):
            return Outputs(tiny.judge(inputs).logits.detach())

        def fingerprint(self):
            return "constant"

    report = examine_target(Foreign())
    assert report.conforms
    assert [line.split(":")[0] for line in report.skipped] == ["mode", "calls", "weights", "gradient"]


def test_a_target_whose_log_odds_are_in_the_thousands_conforms(tiny):
    """As those of densities are: there the slope is that which is climbed."""

    class Steep(nn.Module):
        def __init__(self):
            super().__init__()
            self.net = tiny.module

        def forward(self, images):
            return 1e4 * self.net(images)

    report = examine_target(TorchTarget("steep", Steep().eval(), TINY_SPEC, TINY_LABELS))
    assert (report.findings, report.skipped) == ((), ())


@dataclass(frozen=True, eq=False)
class Planted(TorchTarget):
    """A tiny target with one fault."""

    memory: list = field(default_factory=list)

    @classmethod
    def make(cls):
        good = make_tiny_target()
        return cls(good.name, good.module, good.spec, good.labels)


class NormalisesTheBatch(Planted):
    def judge(self, inputs):
        logits = super().judge(inputs).logits
        return Outputs(logits - logits.mean(0) if len(logits) > 1 else logits)


class KnowsItsPlace(Planted):
    def judge(self, inputs):
        logits = super().judge(inputs).logits
        return Outputs(logits + 1e-3 * torch.arange(len(logits)).unsqueeze(1) * torch.eye(4)[0])


class ForgetsTheLastRow(Planted):
    def judge(self, inputs):
        return Outputs(super().judge(inputs).logits[:-1])


class ForgetsTheLastClass(Planted):
    def judge(self, inputs):
        return Outputs(super().judge(inputs).logits[:, :-1])


class Whole(Planted):
    def judge(self, inputs):
        return Outputs(super().judge(inputs).logits.round().long())


class Jittery(Planted):
    def judge(self, inputs):
        self.memory.append(1)
        return Outputs(super().judge(inputs).logits + 1e-5 * len(self.memory) * torch.eye(4)[1])


class DrawsFromTorch(Planted):
    def judge(self, inputs):
        logits = super().judge(inputs).logits
        return Outputs(logits + 0.0 * torch.rand(4))


class DrawsFromPython(Planted):
    def judge(self, inputs):
        random.random()
        return super().judge(inputs)


class MutatesItsInputs(Planted):
    def judge(self, inputs):
        outputs = super().judge(inputs)
        if not inputs.requires_grad:
            inputs.mul_(0.5)
        return outputs


class SwitchesMode(Planted):
    def judge(self, inputs):
        outputs = super().judge(inputs)
        self.module.train()
        return outputs


class AsksTwice(Planted):
    def judge(self, inputs):
        super().judge(inputs)
        return super().judge(inputs)


class TakesAnything(Planted):
    def judge(self, inputs):
        return Outputs(self.module(inputs.float().reshape(-1, 36)[: len(inputs)]))


class RefusesInItsOwnWords(Planted):
    def judge(self, inputs):
        if inputs.ndim != 4 or tuple(inputs.shape[1:]) != (1, 6, 6):
            raise ValueError("no")
        return super().judge(inputs)


class OverflowsOnWhite(Planted):
    def judge(self, inputs):
        logits = super().judge(inputs).logits
        white = (inputs == 1.0).all(3).all(2).all(1)
        return Outputs(torch.where(white.unsqueeze(1), torch.nan, logits))


class OverflowsOnNoise(Planted):
    def judge(self, inputs):
        return Outputs(super().judge(inputs).logits / 0.0)


class BadSlack(Planted):
    def judge(self, inputs):
        logits = super().judge(inputs).logits
        return Outputs(logits, slack=logits[:, :1])


class JitterySlack(Planted):
    def judge(self, inputs):
        self.memory.append(1)
        logits = super().judge(inputs).logits
        return Outputs(logits, slack=torch.full_like(logits, float(len(self.memory))))


class ConstantFingerprint(Planted):
    def fingerprint(self):
        return "always"


class HalfAFingerprint(Planted):
    def fingerprint(self):
        return str(self.module[1].weight.sum().item())


class RestlessFingerprint(Planted):
    def judge(self, inputs):
        self.memory.append(1)
        return super().judge(inputs)

    def fingerprint(self):
        return f"{len(self.memory)}"


class WrongGradient(Planted):
    def judge(self, inputs):
        return super().judge(inputs - 0.5 * (inputs - inputs.detach()))


class Rounded(Planted):
    def judge(self, inputs):
        through = inputs + ((inputs * 4).round() / 4 - inputs).detach()
        return super().judge(through)


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (NormalisesTheBatch, "changed with the other inputs of its batch"),
        (NormalisesTheBatch, "judged alone"),
        (KnowsItsPlace, "changed with its place in the batch"),
        (ForgetsTheLastRow, "must give floating-point logits of shape (3, 4)"),
        (ForgetsTheLastClass, "must give floating-point logits of shape (1, 4)"),
        (Whole, "got torch.int64"),
        (Jittery, "twice gave other answers"),
        (DrawsFromTorch, "global source of randomness"),
        (DrawsFromPython, "global source of randomness"),
        (MutatesItsInputs, "changed the inputs themselves"),
        (SwitchesMode, "switched the module"),
        (AsksTwice, "it was called 2 times"),
        (TakesAnything, "Given bytes, it must raise a TrompeError; it answered."),
        (TakesAnything, "Given values above 1, it must raise a TrompeError; it answered."),
        (TakesAnything, "Given values below 0, it must raise a TrompeError; it answered."),
        (TakesAnything, "Given NaN, it must raise a TrompeError; it answered."),
        (TakesAnything, "Given float64, it must raise a TrompeError; it answered."),
        (TakesAnything, "Given inputs of another size, it must raise a TrompeError; it answered."),
        (RefusesInItsOwnWords, "Given inputs without the batch axis, it must raise a TrompeError; it raised Value"),
        (OverflowsOnWhite, "Logits of white must be numbers"),
        (BadSlack, "must give slack of shape (1, 4); got shape (1, 1)"),
        (JitterySlack, "twice gave other answers"),
        (ConstantFingerprint, "stayed the same though 1.weight changed"),
        (HalfAFingerprint, "stayed the same though 1.bias changed"),
        (RestlessFingerprint, "fingerprint changed though nothing"),
        (WrongGradient, "differs from finite differences"),
        (Rounded, "differs from finite differences"),
    ],
)
def test_a_target_with_a_fault_is_found_out(kind, words):
    found(examine_target(kind.make()), words)


def test_dropout_that_is_never_off_is_found_out():
    class Dropout(nn.Module):
        def forward(self, images):
            return nn.functional.dropout(images, 0.5, training=True)

    module = nn.Sequential(nn.Flatten(), Dropout(), nn.Linear(36, 4)).eval()
    report = examine_target(TorchTarget("t", module, TINY_SPEC, TINY_LABELS))
    found(report, "twice gave other answers")
    found(report, "global source of randomness")


def test_batch_statistics_that_are_never_frozen_are_found_out():
    norm = nn.BatchNorm2d(1, track_running_stats=False)
    module = nn.Sequential(norm, nn.Flatten(), nn.Linear(36, 4)).eval()
    report = examine_target(TorchTarget("t", module, TINY_SPEC, TINY_LABELS))
    found(report, "changed with the other inputs of its batch")


def test_a_tolerance_admits_what_differs_by_less():
    class Near(Planted):
        def judge(self, inputs):
            logits = super().judge(inputs).logits
            return Outputs(logits + 1e-6 * torch.arange(len(logits)).unsqueeze(1) * torch.eye(4)[0])

    assert not examine_target(Near.make()).conforms
    assert examine_target(Near.make(), tolerance=1e-4).conforms


def test_a_judge_of_one_row_has_no_neighbours_to_be_examined(tiny):
    report = examine_target(tiny, judge=JudgeSettings(batch=1))
    assert report.conforms
    assert report.skipped == ("rows: a judge of one row a call has no neighbours",)


@pytest.mark.parametrize("preset", PRESETS)
@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 9, 7), ImageSpec(2, 5, 5)])
def test_pixels_conform(preset, spec):
    report = examine_encoding(Pixels(spec, PRESETS[preset]), spec)
    assert (report.findings, report.skipped) == ((), ())


@pytest.mark.parametrize(
    "settings", [CPPN_PRESETS["paper"], CPPN_PRESETS["stitched"], replace(LAYERED, hidden=(4, 3)), LAYERED]
)
@pytest.mark.parametrize("spec", [ImageSpec(1, 28, 28), ImageSpec(3, 9, 7)])
def test_networks_that_paint_conform(settings, spec):
    report = examine_encoding(Cppn(spec, settings), spec)
    assert (report.findings, report.skipped) == ((), ())


@pytest.mark.parametrize("preset", ["released-code", "innovation"])
def test_so_do_those_that_see_pixel_indices(preset):
    spec = ImageSpec(1, 12, 12)
    report = examine_encoding(Cppn(spec, CPPN_PRESETS[preset]), spec)
    assert (report.findings, report.skipped) == ((), ())


def test_what_no_gradient_moves_is_examined_without():
    class Rigid:
        """Pixels that are varied, and no more."""

        name, genome_type = Pixels.name, PixelGenomes

        def __init__(self):
            inner = Pixels(TINY_SPEC)
            self.random, self.vary, self.express, self.describe = (
                inner.random, inner.vary, inner.express, inner.describe
            )  # fmt: skip

    report = examine_encoding(Rigid(), TINY_SPEC)
    assert report.conforms
    assert [line.split(":")[0] for line in report.skipped] == ["numbers moved", "slope"]


class OffTheGrid(Pixels):
    def express(self, genomes):
        return genomes.genes.reshape(-1, *self.spec.shape)


class NearlyOnTheGrid(Pixels):
    def express(self, genomes):
        return (super().express(genomes) + 1e-7).clamp(max=1.0)


class AnotherGrid(Pixels):
    """Truncates to k/256: a byte's worth of levels, and none of them where the bytes are."""

    def express(self, genomes):
        return ((genomes.genes * 256).floor() / 256).reshape(-1, *self.spec.shape)


class OutOfRange(Pixels):
    def express(self, genomes):
        return super().express(genomes) * 255


class Doubles(Pixels):
    def express(self, genomes):
        return super().express(genomes).double()


class Forgetful(Pixels):
    def express(self, genomes):
        return super().express(genomes)[:-1]


class RandomExpression(Pixels):
    def express(self, genomes):
        return super().express(PixelGenomes(torch.rand_like(genomes.genes)))


class ContrastOfTheBatch(Pixels):
    def express(self, genomes):
        return super().express(PixelGenomes(genomes.genes / genomes.genes.max()))


class MutatesParents(Pixels):
    def vary(self, parents, stream):
        children = super().vary(parents, stream)
        parents.genes.copy_(children.genes)
        return children


class ExpressionMutates(Pixels):
    def express(self, genomes):
        genomes.genes.clamp_(0.1, 0.9)
        return super().express(genomes)


class NeverVaries(Pixels):
    def vary(self, parents, _):
        return PixelGenomes(parents.genes.clone())


class IgnoresTheSeed(Pixels):
    def vary(self, parents, stream):
        return super().vary(parents, replace(stream, seed=0))


class IgnoresTheStep(Pixels):
    def random(self, n, stream):
        return super().random(n, replace(stream, step=0))


class GlobalRandomness(Pixels):
    def random(self, n, _):
        return PixelGenomes(torch.rand(n, 36))


class SharesOneChild(Pixels):
    def vary(self, parents, stream):
        children = super().vary(parents, stream)
        return children if len(children) % 2 == 0 else children.take(torch.arange(len(children) - 1))


class OneForAll(Pixels):
    def random(self, n, stream):
        return PixelGenomes(super().random(1, stream).genes.expand(n, -1).clone())


class OneMore(Pixels):
    def random(self, n, stream):
        return super().random(n + 1, stream)


class Vague(Pixels):
    def describe(self):
        return {"name": "pixels", "spec": self.spec}


class TuplesInside(Pixels):
    def describe(self):
        return {"name": "pixels", "shape": (1, 2)}


class Nameless(Pixels):
    def describe(self):
        return {"mutation_rate": 0.1}


class LossyGenomes(PixelGenomes):
    def to_arrays(self):
        return {"genes": self.genes.half()}

    @classmethod
    def from_arrays(cls, arrays):
        return cls(arrays["genes"].float() + 1e-3)


class TakesSorted(PixelGenomes):
    def take(self, rows):
        return type(self)(self.genes[rows.sort().values])


class JoinsBackwards(PixelGenomes):
    def join(self, others):
        return type(self)(torch.cat([*(other.genes for other in others), self.genes]))


class JoinsOne(PixelGenomes):
    def join(self, others):
        return type(self)(torch.cat([self.genes, *(other.genes for other in others[:1])]))


class PutsBackwards(PixelGenomes):
    def put(self, rows, others):
        return super().put(rows.flip(0), others)


class Downhill(Pixels):
    def pull_back(self, genomes, slope):
        return -super().pull_back(genomes, slope)


class TwiceAsSteep(Pixels):
    def pull_back(self, genomes, slope):
        return 2.0 * super().pull_back(genomes, slope)


class HalfASlope(Pixels):
    def pull_back(self, genomes, slope):
        gradient = super().pull_back(genomes, slope).clone()
        gradient[:, ::2] = 0.0
        return gradient


class SlopeOfOthers(Pixels):
    def pull_back(self, genomes, slope):
        return super().pull_back(genomes, slope).flip(0)


class SlopeWithoutEnd(Pixels):
    def pull_back(self, genomes, slope):
        return super().pull_back(genomes, slope) / 0.0


class NumbersInBytes(Pixels):
    def numbers(self, genomes):
        return 255.0 * super().numbers(genomes)


class MovesInPlace(Pixels):
    def with_numbers(self, genomes, numbers):
        genomes.genes.copy_(numbers.clamp(0.0, 1.0))
        return genomes


def with_genomes(kind):
    class Other(Pixels):
        genome_type = kind

        def random(self, n, stream):
            return kind(super().random(n, stream).genes)

        def vary(self, parents, stream):
            return kind(super().vary(parents, stream).genes)

    return Other


class ForeignGenomes(Pixels):
    genome_type = LossyGenomes


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (OffTheGrid, "must lie on the 8-bit grid"),
        (NearlyOnTheGrid, "must lie on the 8-bit grid"),
        (AnotherGrid, "must lie on the 8-bit grid"),
        (OutOfRange, "must lie in [0, 1]"),
        (Doubles, "must be float32"),
        (Forgetful, "of shape (8, 1, 6, 6)"),
        (RandomExpression, "twice gave other inputs"),
        (RandomExpression, "Expression drew from the global source"),
        (ContrastOfTheBatch, "expressed alone gave another input"),
        (MutatesParents, "Variation changed the parents"),
        (ExpressionMutates, "Expression changed the genomes"),
        (NeverVaries, "no child differed"),
        (IgnoresTheSeed, "another seed gave the same children"),
        (IgnoresTheStep, "another step gave the same genomes"),
        (GlobalRandomness, "Making random genomes drew from the global source"),
        (GlobalRandomness, "same stream gave other genomes"),
        (SharesOneChild, "3 parents must have 3 children; they have 2"),
        (OneForAll, "all express the same input"),
        (OneMore, "1 random genomes were wanted; 2 came"),
        (Vague, "cannot be stored as JSON"),
        (TuplesInside, "comes back from JSON as another one"),
        (Nameless, "must hold the encoding's name"),
        (with_genomes(LossyGenomes), "came back from `to_arrays`"),
        (with_genomes(TakesSorted), "`take` gave other genomes"),
        (with_genomes(JoinsBackwards), "`join` must keep every genome, in order"),
        (with_genomes(JoinsOne), "`join` of 3, 5 and 2 genomes gave 8"),
        (with_genomes(PutsBackwards), "`put` must put each genome into the row"),
        (ForeignGenomes, "must be of the type `genome_type`"),
        (Downhill, "differs from finite differences of what is expressed"),
        (TwiceAsSteep, "differs from finite differences of what is expressed"),
        (HalfASlope, "differs from finite differences of what is expressed"),
        (SlopeOfOthers, "differs from finite differences of what is expressed"),
        (SlopeWithoutEnd, "must give finite numbers"),
        (NumbersInBytes, "came back as others"),
        (MovesInPlace, "`with_numbers` changed the genomes"),
    ],
)
def test_an_encoding_with_a_fault_is_found_out(kind, words):
    found(examine_encoding(kind(TINY_SPEC, PixelSettings(mutation_rate=0.2)), TINY_SPEC), words)


@pytest.mark.parametrize("link", ["softmax", "independent"])
@pytest.mark.parametrize("classes", [2, 4, 1000])
def test_every_class_conforms(link, classes):
    labels = tuple(f"class-{number}" for number in range(classes))
    report = examine_niches(EveryClass(labels, tuple(range(classes)), link), labels)
    assert (report.findings, report.skipped) == ((), ())


def test_chosen_classes_conform(tiny):
    assert examine_niches(EveryClass.of(tiny, ("south", "north")), TINY_LABELS).conforms


class Every(EveryClass):
    @classmethod
    def make(cls):
        return cls(TINY_LABELS, (0, 1, 2, 3), "softmax")

    def value(self, outputs, inputs):
        return super().bids(outputs, inputs).value


class SkipsAClass(Every):
    def bids(self, outputs, inputs):
        return Bids(self.value(outputs, inputs)[:, :-1])


class SilentClass(Every):
    def bids(self, outputs, inputs):
        value = self.value(outputs, inputs).clone()
        value[:, 2] = -torch.inf
        return Bids(value)


class RepeatsAClass(Every):
    def bids(self, outputs, inputs):
        return Bids(self.value(outputs, inputs)[:, [0, 1, 2, 2]])


class ShiftsTheClasses(Every):
    def bids(self, outputs, inputs):
        return Bids(self.value(outputs, inputs).roll(1, 1))


class FlipsTheSign(Every):
    def bids(self, outputs, inputs):
        return Bids(-self.value(outputs, inputs))


class Probability(Every):
    def bids(self, outputs, _):
        return Bids(outputs.logits.softmax(1).double().logit())


class SinglePrecision(Every):
    def bids(self, outputs, inputs):
        return Bids(self.value(outputs, inputs).float())


class RanksTheBatch(Every):
    def bids(self, outputs, inputs):
        return Bids(self.value(outputs, inputs).argsort(0).argsort(0).double())


class KnowsTheOrder(Every):
    def bids(self, outputs, inputs):
        value = self.value(outputs, inputs)
        return Bids(value - 1e-6 * torch.arange(len(value)).unsqueeze(1))


class HardGate(Every):
    def bids(self, outputs, _):
        value = log_odds(outputs.logits).clamp(-1e3, 1e3)
        return Bids(value if outputs.slack is None else torch.where(outputs.slack >= 0, value, -torch.inf))


class NoGate(Every):
    def bids(self, outputs, _):
        return Bids(log_odds(outputs.logits).clamp(-1e3, 1e3))


class WrongWay(Every):
    def bids(self, outputs, inputs):
        value = self.value(outputs, inputs)
        return Bids(value if outputs.slack is None else torch.where(outputs.slack >= 0, value, 2 * REJECTED - value))


class SpoilsTheLogits(Every):
    def bids(self, outputs, inputs):
        bids = super().bids(outputs, inputs)
        outputs.logits.sub_(1.0)
        return bids


class StrayColumn(Every):
    @classmethod
    def make(cls):
        return cls(TINY_LABELS, (0, 1, 2, -1), "softmax")


class SameNames(Every):
    @classmethod
    def make(cls):
        return cls(("north", "north", "south", "west"), (0, 1, 2, 3), "softmax")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (SkipsAClass, "1 candidates must bid float64 of shape (1, 4)"),
        (SilentClass, "Every candidate bids the same for niche 'south'"),
        (RepeatsAClass, "The bids for niche 'west' are those for niche 'south'"),
        (ShiftsTheClasses, "A higher logit of class 'north' must bid more"),
        (FlipsTheSign, "A higher logit of class 'east' must bid more"),
        (Probability, "some bids are NaN or +infinity"),
        (SinglePrecision, "torch.float32"),
        (RanksTheBatch, "A candidate alone bids otherwise"),
        (KnowsTheOrder, "In another order the same candidates bid otherwise"),
        (HardGate, "the one nearer to the guard's threshold must bid more"),
        (NoGate, "must bid less than any that it accepts"),
        (WrongWay, "must bid more"),
        (SpoilsTheLogits, "changed the outputs"),
        (SameNames, "all different"),
        (StrayColumn, "Columns must be one a name"),
    ],
)
def test_niches_with_a_fault_are_found_out(kind, words):
    found(examine_niches(kind.make(), TINY_LABELS), words)
