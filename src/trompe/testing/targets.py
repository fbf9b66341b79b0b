"""The examination of a target."""

import copy
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from trompe.core.errors import TrompeError
from trompe.core.numerics import class_log_odds, log_odds, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Outputs, Target
from trompe.search import Judge, JudgeSettings
from trompe.testing.report import Examination, NotApplicable, Report, randomness_moved, same_bits

_STEP = 2e-3
_GRADIENT_TOLERANCE = 0.1


@dataclass(frozen=True)
class _Probe:
    target: Target
    judge: Judge
    tolerance: float

    def noise(self, n: int, name: str) -> Images:
        return quantise(Stream(0, f"examine/{name}", 0).uniform32(n, *self.target.spec.shape))

    @property
    def module(self) -> nn.Module:
        module = getattr(self.target, "module", None)
        if not isinstance(module, nn.Module):
            raise NotApplicable("the target has no torch module as its attribute `module`")
        return module


def examine_target(target: Target, *, judge: JudgeSettings | None = None, tolerance: float = 0.0) -> Report:
    """Whether a target keeps the promises that a search builds on.

    Asked for: as many logits as labels for any number of inputs, finite on black, white and noise; row i from input i
    alone; the same answer twice; inputs, global randomness and the module's mode left alone; other shapes, types and
    ranges refused; a fingerprint that follows the weights; gradients that agree with finite differences.

    Args:
        target: The target; it is left as it was. About 300 inputs are judged.
        judge: How it will be asked; by default 16 rows a call, one thread.
        tolerance: Largest difference in logits that counts as equal where the same input is judged again; 0 asks for
            equal bits, which is what a repeatable run needs.

    Returns:
        The findings; none where the target conforms.

    Example:
        >>> from trompe.core.specs import ImageSpec
        >>> from trompe.targets import TorchTarget
        >>> flat = nn.Sequential(nn.Flatten(), nn.Linear(4, 2)).eval()
        >>> examine_target(TorchTarget("mine", flat, ImageSpec(1, 2, 2), ("left", "right"))).findings
        ()
    """
    probe = _Probe(target, Judge(target, judge or JudgeSettings(batch=16)), tolerance)
    first = (_check_mode, _check_labels, _check_shape)
    then = (
        _check_finite, _check_determinism, _check_rows, _check_refusals, _check_inputs, _check_randomness, _check_calls,
        _check_fingerprint, _check_weights, _check_gradient,
    )  # fmt: skip
    return Examination(f"target {target.name}", probe).run(first, then)


def _check_labels(probe: _Probe) -> Iterator[str]:
    target = probe.target
    if not target.name:
        yield "The name is empty."
    if len(target.labels) < 2 or len(set(target.labels)) < len(target.labels):
        yield f"The labels must be at least two, all different; they are {target.labels}."
    if target.link not in ("softmax", "independent"):
        yield f"The link must be 'softmax' or 'independent'; it is {target.link!r}."


def _check_shape(probe: _Probe) -> Iterator[str]:
    for n in (1, 3, probe.judge.settings.batch):
        outputs = probe.target.judge(probe.noise(n, "shape"))
        wanted = (n, len(probe.target.labels))
        if tuple(outputs.logits.shape) != wanted or not outputs.logits.dtype.is_floating_point:
            yield (
                f"{n} inputs must give floating-point logits of shape {wanted}; "
                f"got {outputs.logits.dtype} of shape {tuple(outputs.logits.shape)}."
            )
        if outputs.slack is not None and tuple(outputs.slack.shape) != wanted:
            yield f"{n} inputs must give slack of shape {wanted}; got shape {tuple(outputs.slack.shape)}."
        features = outputs.features
        if features is not None and (features.ndim != 2 or len(features) != n):
            yield f"{n} inputs must give features of shape ({n}, d); got shape {tuple(features.shape)}."


def _check_finite(probe: _Probe) -> Iterator[str]:
    shape = probe.target.spec.shape
    for name, inputs in {
        "black": torch.zeros(1, *shape),
        "white": torch.ones(1, *shape),
        "noise": probe.noise(8, "finite"),
    }.items():
        outputs = probe.target.judge(inputs)
        if bool(outputs.logits.isnan().any()) or bool(outputs.logits.isposinf().any()):
            yield f"Logits of {name} must be numbers below +infinity."
        if outputs.slack is not None and not bool(outputs.slack.isfinite().all()):
            yield f"Slack of {name} must be finite."


def _check_determinism(probe: _Probe) -> Iterator[str]:
    inputs = probe.noise(5, "determinism")
    first = probe.judge.judge(inputs)
    if not _agree(first, probe.judge.judge(inputs), probe.tolerance):
        yield "Judging the same inputs twice gave other answers."


def _check_rows(probe: _Probe) -> Iterator[str]:
    size = probe.judge.settings.batch
    if size < 2:
        raise NotApplicable("a judge of one row a call has no neighbours")
    images, others = probe.noise(size, "rows"), probe.noise(size, "others")
    judged = probe.judge.judge(images)
    moved = probe.judge.judge(images.roll(1, 0))
    if not _agree(judged.take(torch.arange(size).roll(1)), moved, probe.tolerance):
        yield "The answer to an input changed with its place in the batch."
    mixed = images.clone()
    mixed[: size // 2] = others[: size // 2]
    rest = torch.arange(size // 2, size)
    if not _agree(judged.take(rest), probe.judge.judge(mixed).take(rest), probe.tolerance):
        yield "The answer to an input changed with the other inputs of its batch."
    if not _agree(judged.take(torch.tensor([0])), probe.judge.judge(images[:1]), probe.tolerance):
        yield "The answer to an input changed where it was judged alone, in a padded batch."


def _check_refusals(probe: _Probe) -> Iterator[str]:
    good = probe.noise(2, "refusals")
    wrong = {
        "inputs without the batch axis": good[0],
        "inputs of another size": torch.cat([good, good], -1),
        "bytes": (good * 255).to(torch.uint8),
        "float64": good.to(torch.float64),
        "values above 1": good * 255.0 + 2.0,
        "values below 0": good - 1.5,
        "NaN": torch.full_like(good, torch.nan),
    }
    for name, inputs in wrong.items():
        try:
            probe.target.judge(inputs)
        except TrompeError:
            continue
        except (TypeError, ValueError, RuntimeError, IndexError) as other:
            yield f"Given {name}, it must raise a TrompeError; it raised {type(other).__name__}."
        else:
            yield f"Given {name}, it must raise a TrompeError; it answered."


def _check_inputs(probe: _Probe) -> Iterator[str]:
    inputs = probe.noise(4, "inputs")
    before = inputs.clone()
    probe.target.judge(inputs)
    if not same_bits(before, inputs):
        yield "Judging changed the inputs themselves."


def _check_randomness(probe: _Probe) -> Iterator[str]:
    if randomness_moved(lambda: probe.target.judge(probe.noise(4, "randomness"))):
        yield "Judging drew from the global source of randomness."


def _check_mode(probe: _Probe) -> Iterator[str]:
    before = [part.training for part in probe.module.modules()]
    if any(before):
        yield "The module, or a part of it, is in training mode."
    probe.target.judge(probe.noise(2, "mode"))
    if before != [part.training for part in probe.module.modules()]:
        yield "Judging switched the module between training and evaluation mode."


def _check_calls(probe: _Probe) -> Iterator[str]:
    calls = 0

    def count(*_: object) -> None:
        nonlocal calls
        calls += 1

    hook = probe.module.register_forward_hook(count)
    try:
        probe.target.judge(probe.noise(4, "calls"))
    finally:
        hook.remove()
    if calls != 1:
        yield f"Judging a batch of 4 must call the module once; it was called {calls} times."


def _check_fingerprint(probe: _Probe) -> Iterator[str]:
    before = probe.target.fingerprint()
    if not before:
        yield "The fingerprint is empty."
    probe.target.judge(probe.noise(2, "fingerprint"))
    if probe.target.fingerprint() != before:
        yield "The fingerprint changed though nothing about the target did."


def _check_weights(probe: _Probe) -> Iterator[str]:
    names = list(probe.module.state_dict())
    if not names:
        raise NotApplicable("the module has no weights")
    before = probe.target.fingerprint()
    for name in names:
        changed = copy.deepcopy(probe.target)
        module = getattr(changed, "module", None)
        if not isinstance(module, nn.Module) or module is probe.module:
            raise NotApplicable("a copy of the target shares its module")
        weight = module.state_dict()[name].reshape(-1)
        if weight.numel():
            weight[-1] = ~weight[-1] if weight.dtype == torch.bool else weight[-1] + 1
            if changed.fingerprint() == before:
                yield f"The fingerprint stayed the same though {name} changed."


def _check_gradient(probe: _Probe) -> Iterator[str]:
    image = 0.25 + 0.5 * probe.noise(1, "gradient")
    leaf = image.clone().requires_grad_(True)
    with torch.enable_grad():
        logits = probe.target.judge(leaf).logits
        best = int(log_odds(logits.detach(), probe.target.link)[0].argmax())
        odds = class_log_odds(logits, torch.tensor([best]), probe.target.link)  # as it is climbed
    if not odds.requires_grad:
        raise NotApplicable("the logits carry no gradient")
    (slope,) = torch.autograd.grad(odds.sum(), leaf)
    flat = slope.reshape(-1).to(torch.float64)
    steepest = flat.abs().argsort(descending=True)[:3]
    pixels = torch.cat([steepest, Stream(0, "examine/pixels", 0).integers(5, flat.numel())])
    measured = _differences(probe.target, image, best, pixels)
    gap = (measured - flat[pixels]).abs().max().item()
    if not gap <= _GRADIENT_TOLERANCE * float(flat.abs().max()) + 0.02:
        yield f"The gradient of the log-odds differs from finite differences by {gap:.3g}."


def _differences(target: Target, image: Images, column: int, pixels: Tensor) -> Tensor:
    """Central differences of a class's log-odds, float64, one for each pixel."""
    step = torch.zeros(len(pixels), image.numel())
    step[torch.arange(len(pixels)), pixels] = _STEP
    step = step.reshape(-1, *image.shape[1:])
    with torch.no_grad():
        above = log_odds(target.judge(image + step).logits, target.link)[:, column]
        below = log_odds(target.judge(image - step).logits, target.link)[:, column]
    return (above - below) / (2.0 * _STEP)


def _agree(one: Outputs, other: Outputs, tolerance: float) -> bool:
    pairs = [(one.logits, other.logits)]
    for mine, yours in ((one.slack, other.slack), (one.features, other.features)):
        if mine is not None and yours is not None:
            pairs.append((mine, yours))
        elif mine is not yours:
            return False
    if tolerance == 0.0:
        return all(same_bits(mine, yours) for mine, yours in pairs)
    return all(torch.allclose(mine, yours, rtol=0.0, atol=tolerance) for mine, yours in pairs)
