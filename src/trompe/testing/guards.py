"""The examination of a guard."""

from collections.abc import Iterator
from dataclasses import dataclass

import torch

from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Classwise, Guard, Images, Outputs, Rows, Target
from trompe.targets.guarded import with_none
from trompe.testing.report import Examination, NotApplicable, Report, randomness_moved, same_bits

_NEEDS = frozenset({"logits", "features", "inputs", "gradients"})
_PREFIXES = ("function:", "features:", "data:")
_N = 12
_FEW = 0.1
_CLOSE = 1e-4
_MIDDLE = 0.5


@dataclass(frozen=True)
class _Probe:
    guard: Guard
    target: Target
    natural: Images
    classes: Rows

    def noise(self, n: int, name: str) -> Images:
        return quantise(Stream(0, f"examine/{name}", 0).uniform32(n, *self.target.spec.shape))

    def strange(self) -> Images:
        """Noise of every brightness: most of it is refused."""
        noise = self.noise(8 * _N, "strange")
        return quantise(noise * torch.linspace(0.02, 1.0, len(noise))[:, None, None, None])

    def slack(self, images: Images) -> Classwise:
        with torch.inference_mode():
            return self.asked(images)

    def asked(self, images: Images) -> Classwise:
        """The guard's slack; 0 for a last class that is for none of these, where it has none of that."""
        return with_none(self.guard.slack(self.target.judge(images), images), self.target)


def examine_guard(guard: Guard, target: Target, natural: Images, classes: Rows) -> Report:
    """Whether a guard keeps the promises that attacks and their judges build on.

    Asked for: float64 slack of every class, a number for black, white and noise; of an input from that input alone;
    the same twice; natural images on the right side: the median near 1, most at or above 0; refused inputs with
    different, finite slack, so that an attacker can climb (a hard gate looks perfect and is not); a slope there; words
    that say what it needs and uses; inputs, outputs and global randomness left alone. Of a guard that doubts (one that
    has a ``ceiling``) also: the ceiling a number above 0 for every class, from the slack of that input alone, never
    lower where the slack is higher, with a slope.

    Args:
        guard: The guard; it is left as it was.
        target: That it stands in front of.
        natural: Images as those it was fitted on, at least ten, not those themselves.
        classes: Int64, their classes.

    Returns:
        The findings; none where the guard conforms.
    """
    probe = _Probe(guard, target, natural, classes)
    then = (
        _check_alone, _check_determinism, _check_natural, _check_refusals, _check_slope, _check_ceiling,
        _check_arguments, _check_randomness, _check_fingerprint,
    )  # fmt: skip
    return Examination(f"guard {guard.name}", probe).run((_check_words, _check_shape), then)


def _check_words(probe: _Probe) -> Iterator[str]:
    guard = probe.guard
    if not guard.name:
        yield "The name is empty."
    if not guard.needs or guard.needs - _NEEDS:
        yield f"What it needs must be one or more of {', '.join(sorted(_NEEDS))}; it is {sorted(guard.needs)}."
    nameless = [use for use in guard.uses if not use.startswith(_PREFIXES) or use in _PREFIXES]
    if nameless or not any(use.startswith("function:") for use in guard.uses):
        form = "function:NAME, features:NAME, data:NAME, one function at least"
        yield f"What it uses must be {form}; it is {sorted(guard.uses)}."


def _check_shape(probe: _Probe) -> Iterator[str]:
    for n in (1, _N):
        slack = probe.slack(probe.noise(n, "shape"))
        wanted = (n, len(probe.target.labels))
        if tuple(slack.shape) != wanted or slack.dtype != torch.float64:
            yield f"{n} inputs must give float64 slack of shape {wanted}; got {slack.dtype} of {tuple(slack.shape)}."
    shape = probe.target.spec.shape
    for name, images in {"black": torch.zeros(1, *shape), "white": torch.ones(1, *shape)}.items():
        if bool(probe.slack(images).isnan().any()):
            yield f"Slack of {name} must be a number."


def _check_alone(probe: _Probe) -> Iterator[str]:
    images = torch.cat([probe.noise(_N, "alone"), probe.natural[:_N]])
    together = probe.slack(images)
    alone = torch.cat([probe.slack(image.unsqueeze(0)) for image in images])
    if not torch.allclose(together, alone, rtol=_CLOSE, atol=_CLOSE):
        yield "The slack of an input changed with the other inputs of its batch."


def _check_determinism(probe: _Probe) -> Iterator[str]:
    images = probe.noise(_N, "determinism")
    if not same_bits(probe.slack(images), probe.slack(images)):
        yield "Asked twice, the same inputs have other slack."


def _check_natural(probe: _Probe) -> Iterator[str]:
    slack = probe.slack(probe.natural).gather(1, probe.classes.unsqueeze(1)).squeeze(1)
    middle = float(slack.median())
    if not abs(middle - 1.0) <= _MIDDLE:
        yield f"The median natural input, asked about its own class, must have slack near 1; it has {middle:.3g}."
    passed = float((slack >= 0.0).to(torch.float64).mean())
    if passed < 0.5:
        yield f"Natural inputs must be on the accepted side, slack >= 0; {100 * passed:.0f} % of them are."


def _check_refusals(probe: _Probe) -> Iterator[str]:
    slack = probe.slack(probe.strange())
    best = slack.amax(1)  # one number an image: a guard that is blind to the class says it for every class
    refused = best[best < 0.0]
    if not len(refused):
        raise NotApplicable("no noise is refused for every class")
    if not bool(slack.isfinite().all()):
        yield "Refused inputs must have finite slack: where it is -infinity there is nothing to climb (a hard gate)."
    elif len(refused) >= _N and len(refused.unique()) <= _FEW * len(refused):
        yield f"{len(refused)} refused inputs have {len(refused.unique())} different values of slack (a hard gate)."


def _check_slope(probe: _Probe) -> Iterator[str]:
    images = probe.strange()
    with torch.enable_grad():
        leaf = images.clone().requires_grad_()
        slack = probe.asked(leaf)
        if not slack.requires_grad:
            yield "No gradient can be taken of the slack."
            return
        best = slack.amax(1)
        (slope,) = torch.autograd.grad(best.sum(), leaf)
    if not bool(slope.isfinite().all()):
        yield "The slope of the slack must be a number everywhere."
    flat = (slope == 0.0).flatten(1).all(1)[best.detach() < 0.0]
    if len(flat) and bool(flat.to(torch.float64).mean() > 0.5):
        yield f"At {int(flat.sum())} of {len(flat)} refused inputs the slope of the slack is exactly 0."


def _check_ceiling(probe: _Probe) -> Iterator[str]:
    asked = getattr(probe.guard, "ceiling", None)
    if asked is None:  # it refuses, and does not doubt
        return
    slack = probe.slack(torch.cat([probe.strange(), probe.natural])).clone()
    found = asked(slack)
    if found.dtype != torch.float64 or len(found) != len(slack) or not 1 <= found.shape[1] <= slack.shape[1]:
        yield f"The ceiling must be float64, a number a class; got {found.dtype} of shape {tuple(found.shape)}."
        return
    if not bool((found > 0.0).all()):
        yield "The ceiling must be above 0: below, an accepted input would be named with less than even odds."
    if not same_bits(asked(slack[1:3]), found[1:3]):
        yield "The ceiling of an input changed with the other inputs of its batch."
    rising = slack.sort(0).values
    if bool((asked(rising).diff(dim=0) < 0.0).any()):
        yield "The ceiling falls where the slack rises: what is stranger may be named with more certainty."
    leaf = rising[len(rising) // 2 :].requires_grad_()
    borne = asked(leaf)
    slope = torch.autograd.grad(borne.sum(), leaf)[0] if borne.requires_grad else torch.zeros(())
    if not bool((slope > 0.0).any()):
        yield "The ceiling has no slope where the slack is high (a hard gate)."


def _check_arguments(probe: _Probe) -> Iterator[str]:
    images = probe.noise(_N, "arguments")
    with torch.inference_mode():
        outputs = probe.target.judge(images)
        logits, before = outputs.logits.clone(), images.clone()
        probe.guard.slack(Outputs(outputs.logits, outputs.slack, outputs.features), images)
    if not same_bits(logits, outputs.logits) or not same_bits(before, images):
        yield "Asking for slack changed the outputs or inputs themselves."


def _check_randomness(probe: _Probe) -> Iterator[str]:
    if randomness_moved(lambda: probe.slack(probe.noise(_N, "randomness"))):
        yield "Asking for slack drew from a global source of randomness."


def _check_fingerprint(probe: _Probe) -> Iterator[str]:
    before = probe.guard.fingerprint()
    probe.slack(probe.noise(2, "fingerprint"))
    if not before or probe.guard.fingerprint() != before:
        yield "The fingerprint is empty, or changed though nothing about the guard did."
