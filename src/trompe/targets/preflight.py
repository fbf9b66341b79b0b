"""Distrust first: what a target does on inputs whose answers say something about the target."""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import log_odds, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Target
from trompe.targets import guarded
from trompe.targets.reading import RESOLUTION

_PROBES = 24
_AT_ONCE = 8
_AGREE = 1e-3
_FEW = 12
_COARSE = 1e-4
_ALL_OR_NOTHING = 0.5 - 1e-9
"""A model that says 0 and then nothing below this counts votes rather than weighing evidence."""


@dataclass(frozen=True)
class Finding:
    """Something about a target that a reader of its numbers must know.

    Attributes:
        name: One word, the same in every file and page.
        means: One sentence.
        hides: Whether it can make a failure look like a pass, so that a gate must not pass.
    """

    name: str
    means: str
    hides: bool

    def __str__(self) -> str:
        return f"{self.name}: {self.means}"


@dataclass(frozen=True)
class _Probe:
    target: Target
    ask: "_Counted"
    images: Images
    logits: Tensor
    odds: Tensor
    own: Tensor
    """Logits of the classifier without the guards in front of it, of which one may have lowered the others."""


class _Counted:
    """A target that is asked, and how many rows were sent to it."""

    def __init__(self, target: Target) -> None:
        self._target, self.rows_sent = target, 0

    def __call__(self, images: Images, target: Target | None = None) -> Tensor:
        asked = target or self._target
        self.rows_sent += len(images) * int(getattr(asked, "rows", 1))
        return asked.judge(images).logits


@dataclass(frozen=True)
class Preflight:
    """What was found out about a target before anything was searched.

    Attributes:
        findings: In a fixed order; empty where nothing is strange.
        floor: Least probability that its numbers tell from 0; None where they are not coarse.
        forwards: Rows that were sent.
    """

    findings: tuple[Finding, ...]
    floor: float | None
    forwards: int

    def has(self, name: str) -> bool:
        """Whether there is a finding of that name."""
        return any(finding.name == name for finding in self.findings)


def preflight(target: Target) -> Preflight:
    """What is strange about a target, from some eighty rows sent to it, at most eight a call.

    Of a classifier behind a guard that says probabilities, 24 rows more are sent to it alone: how it rounds is its own.

    Raises:
        TargetError: It does not answer at all.
    """
    counted = _Counted(target)
    images = _inputs(target)
    with torch.inference_mode():
        logits = _ask(counted, images).to(torch.float64)
    if not bool(torch.isfinite(logits).all()):
        return Preflight((_not_finite(logits),), None, counted.rows_sent)
    with torch.inference_mode():
        own = _own_logits(counted, target, images, logits)
        probe = _Probe(target, counted, images, logits, log_odds(logits, target.link), own)
        found = [finding for check in _CHECKS for finding in check(probe)]
        floor = coarseness(target, own)[0]
    found += _gradient(probe)
    return Preflight(tuple(found), floor, counted.rows_sent)


def _inputs(target: Target) -> Images:
    shape = target.spec.shape
    plain = [torch.zeros(1, *shape), torch.ones(1, *shape), torch.full((1, *shape), 0.5)]
    noise = Stream(0, "preflight", 0).uniform32(_PROBES - 3 - 5, *shape)
    soft = torch.nn.functional.avg_pool2d(noise[:5], 5, stride=1, padding=2, count_include_pad=False)
    return quantise(torch.cat([*plain, noise, soft]))


def _ask(counted: "_Counted", images: Images) -> Tensor:
    return torch.cat([counted(part) for part in images.split(_AT_ONCE)])


def _own_logits(counted: "_Counted", target: Target, images: Images, logits: Tensor) -> Tensor:
    classifier = guarded.undefended(target)
    if classifier is target or not _says_probabilities(target):
        return logits
    return torch.cat([counted(part, classifier) for part in images.split(_AT_ONCE)]).to(torch.float64)


def _says_probabilities(target: Target) -> bool:
    declared = getattr(target, "declared", None)
    return declared is not None and bool(declared.reading.kind == "probabilities")


def _not_finite(logits: Tensor) -> Finding:
    bad = (~torch.isfinite(logits)).any(1).sum().item()
    return Finding(
        "not-a-number", f"{bad} of {len(logits)} ordinary inputs get answers that are no numbers.", hides=True
    )


def _constant(probe: _Probe) -> Iterator[Finding]:
    if float((probe.odds - probe.odds[:1]).abs().max()) <= 1e-9:
        yield Finding(
            "constant", "The output does not depend on the input: nothing can be learned about it.", hides=True
        )


def _wavering(probe: _Probe) -> Iterator[Finding]:
    gap = _repeat_gap(probe)
    if gap > _AGREE:
        yield Finding(
            "not-deterministic",
            f"The same input gets log-odds that differ by up to {gap:.3g}: a value is the lowest of five.",
            hides=False,
        )


def _repeat_gap(probe: _Probe) -> float:
    again = [log_odds(probe.ask(probe.images[:8]), probe.target.link) for _ in range(2)]
    return max(float((odds - probe.odds[:8]).abs().max()) for odds in again)


def _neighbours(probe: _Probe) -> Iterator[Finding]:
    alone = log_odds(torch.cat([probe.ask(row[None]) for row in probe.images[:4]]), probe.target.link)
    gap = float((alone - probe.odds[:4]).abs().max())
    scale = 1.0 + float(probe.odds[:4].abs().max())
    if gap > _AGREE * scale and _repeat_gap(probe) <= _AGREE:
        yield Finding(
            "depends-on-batch",
            f"An input gets log-odds that differ by {gap:.3g} by what else is in its batch: it does not answer about "
            "the input alone (batch statistics?).",
            hides=True,
        )


def _kind(probe: _Probe) -> Iterator[Finding]:
    declared = getattr(probe.target, "declared", None)
    reading = declared.reading if declared is not None else None
    if reading is not None and reading.kind != "logits":
        if reading.kind == "probabilities" and reading.link == "softmax":
            sums = probe.logits.exp().sum(1)
            if float((sums - 1.0).abs().max()) > 0.02:
                yield Finding(
                    "not-probabilities",
                    f"Probabilities were declared, but they sum to {float(sums.min()):.3g} to {float(sums.max()):.3g}.",
                    hides=True,
                )
        return
    inside = bool((probe.logits >= 0.0).all()) and bool((probe.logits <= 1.0).all())
    if inside and float((probe.logits.sum(1) - 1.0).abs().max()) < 1e-3:
        yield Finding(
            "probabilities",
            "The outputs look like probabilities, but are read as logits: no confidence can be high. Declare outputs = "
            '"probabilities".',
            hides=True,
        )
    elif inside and probe.target.link == "independent":
        yield Finding(
            "probabilities",
            "The outputs are all between 0 and 1, but are read as logits: no confidence can be high. Declare outputs = "
            '"probabilities".',
            hides=True,
        )


def _coarse(probe: _Probe) -> Iterator[Finding]:
    floor, values, digits = coarseness(probe.target, probe.own)
    if floor is None:
        odds = log_odds(probe.own, probe.target.link)
        if values and bool(((odds.sigmoid() - 0.5).abs() > _ALL_OR_NOTHING).all()):
            yield Finding(
                "saturated",
                "Every probability it gave was 0 or 1, whatever the input: it may be surer than its numbers tell, "
                "or give labels alone. Searches see where the label changes, and nothing before.",
                hides=False,
            )
        return
    reading = replace(probe.target.declared.reading, floor=floor)  # type: ignore[attr-defined]
    ceiling = reading.ceiling(len(probe.target.labels)) or 0.0
    top = f"no confidence above {1.0 / (1.0 + math.exp(-ceiling)):.6g} can be seen"
    if digits is not None:
        yield Finding("rounded", f"The scores are rounded to {digits} decimals: {top}.", hides=True)
    else:
        yield Finding(
            "quantised", f"The probabilities take only {values} different values, 0 among them: {top}.", hides=True
        )


def coarseness(target: Target, logits: Tensor) -> tuple[float | None, int, int | None]:
    """How coarse a classifier's probabilities are, from its own answers to some inputs.

    Returns:
        Half the least probability above 0 that it can say, None where nothing is coarse, or where it gave 0 and 1
        alone, between which may be anything; how many different values it gave; to how many decimals it rounds, None
        where it does not.
    """
    if not _says_probabilities(target):
        return None, 0, None
    reading = target.declared.reading  # type: ignore[attr-defined]
    p = logits.exp() if reading.link == "softmax" else logits.sigmoid()
    values = torch.unique((p * 1e12).round()).numel()
    lowest = max(reading.floor, RESOLUTION if reading.link == "independent" else 0.0) * (1.0 + 1e-9)
    tops = p.amax(1)
    tops = tops[(tops > max(lowest, 1e-9)) & (tops < 1.0 - max(lowest, 1e-9))]  # 0 and 1 are on every grid
    for digits in (1, 2, 3, 4, 5) if values > _FEW and len(tops) else ():
        if float(((tops * 10.0**digits).round() / 10.0**digits - tops).abs().max()) < 1e-9:
            return 0.5 * 10.0**-digits, values, digits
    nothing = p <= lowest
    if bool(nothing.all()):
        return None, values, None
    least = float(p[~nothing].min())
    coarse = bool(nothing.any()) and _COARSE < least < 1.0 - 1e-9
    return (0.5 * least if coarse else None), values, None


def _unnamed(probe: _Probe) -> Iterator[Finding]:
    declared = getattr(probe.target, "declared", None)
    numbered = probe.target.labels == tuple(map(str, range(len(probe.target.labels))))
    if numbered and declared is not None and not declared.labels:
        yield Finding("unnamed", "No labels were given: classes are numbered.", hides=False)


def _gradient(probe: _Probe) -> Iterator[Finding]:
    if getattr(probe.target, "module", None) is None:
        return
    with torch.inference_mode(mode=False), torch.enable_grad():
        leaf = probe.images[:8].clone().requires_grad_()
        odds = log_odds(probe.ask(leaf), probe.target.link)
        if not odds.requires_grad:
            yield Finding("no-gradient", "No gradient can be taken: methods that climb are left out.", hides=False)
            return
        slope: Tensor | None = torch.autograd.grad(odds.amax(1).sum(), leaf, allow_unused=True)[0]
    if slope is None or not bool(torch.isfinite(slope).all()) or not bool(slope.any()):
        yield Finding(
            "masked-gradient",
            "The gradient is zero or no number though answers change with the input: climbing it proves nothing.",
            hides=False,
        )


_CHECKS: tuple[Callable[[_Probe], Iterator[Finding]], ...] = (
    _constant, _wavering, _neighbours, _kind, _coarse, _unnamed,
)  # fmt: skip


def refuse_silence(findings: tuple[Finding, ...], name: str) -> None:
    """Refuse a target about which nothing can be measured.

    Raises:
        TargetError: Its output is constant or no number.
    """
    for finding in findings:
        if finding.name in ("constant", "not-a-number"):
            raise TargetError(
                expected="answers that are numbers and depend on the input",
                got=finding.means,
                where=f"target {name}",
                do="Run the model on a photograph by itself; check preprocessing and dtype.",
            )
