"""The examination of niches."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Images, Niches, Outputs
from trompe.testing.report import Examination, Report, same_bits

_N = 12


@dataclass(frozen=True)
class _Probe:
    niches: Niches
    labels: tuple[str, ...]
    shape: tuple[int, ...]

    @property
    def classes(self) -> int:
        return len(self.labels)

    def inputs(self, n: int) -> Images:
        return quantise(Stream(0, "examine/inputs", 0).uniform32(n, *self.shape))

    def outputs(self) -> Outputs:
        return Outputs(10.0 * Stream(0, "examine/logits", 0).uniform32(_N, self.classes) - 5.0)

    def bids(self, outputs: Outputs) -> Tensor:
        return self.niches.bids(outputs, self.inputs(len(outputs.logits))).value


def examine_niches(niches: Niches, labels: tuple[str, ...], shape: tuple[int, ...] = (1, 8, 8)) -> Report:
    """Whether niches keep the promises that an archive builds on.

    Asked for: one column a name, float64, no NaN and no +infinity on saturated logits; bids of a candidate from that
    candidate alone; no niche whose bid never changes; more for a higher logit of the class that a niche is
    named after; accepted before rejected, and a slope for the rejected to climb.

    Args:
        niches: The niches.
        labels: The target's labels, in output order.
        shape: Of one input.

    Returns:
        The findings; none where the niches conform.

    Example:
        >>> from trompe.search import EveryClass
        >>> examine_niches(EveryClass(("a", "b"), (0, 1), "softmax"), ("a", "b")).findings
        ()
    """
    then = (
        _check_saturation, _check_order, _check_alone, _check_determinism, _check_use, _check_sign, _check_acceptance,
        _check_outputs,
    )  # fmt: skip
    return Examination(f"niches {type(niches).__name__}", _Probe(niches, labels, shape)).run(
        (_check_names, _check_shape), then
    )


def _check_names(probe: _Probe) -> Iterator[str]:
    names = probe.niches.names
    if not names or not all(names) or len(set(names)) < len(names):
        yield f"Names must be at least one, none empty, all different; they are {names}."
    columns = probe.niches.columns
    if len(columns) != len(names) or not all(0 <= column < probe.classes for column in columns):
        yield f"Columns must be one a name, each an output of the target; they are {columns}."


def _check_shape(probe: _Probe) -> Iterator[str]:
    for n in (1, _N):
        rows = torch.arange(n)
        value = probe.bids(probe.outputs().take(rows))
        wanted = (n, len(probe.niches.names))
        if tuple(value.shape) != wanted or value.dtype != torch.float64:
            yield f"{n} candidates must bid float64 of shape {wanted}; got {value.dtype} of {tuple(value.shape)}."


def _check_saturation(probe: _Probe) -> Iterator[str]:
    peaks = torch.eye(probe.classes)
    for name, logits in {
        "logits of 1e4": peaks * 1e4,
        "logits of -1e4": peaks * -1e4,
        "logits of 1e30": peaks * 1e30,
        "equal logits": torch.zeros(probe.classes, probe.classes),
        "log-probabilities of 0 and -infinity": peaks.log(),
    }.items():
        value = probe.bids(Outputs(logits))
        if bool(value.isnan().any()) or bool(value.isposinf().any()):
            yield f"With {name}, some bids are NaN or +infinity."


def _check_order(probe: _Probe) -> Iterator[str]:
    outputs, rows = probe.outputs(), torch.arange(_N).flip(0)
    inputs = probe.inputs(_N)
    value = probe.niches.bids(outputs, inputs).value
    turned = probe.niches.bids(outputs.take(rows), inputs[rows]).value
    if not same_bits(value[rows], turned):
        yield "In another order the same candidates bid otherwise."


def _check_alone(probe: _Probe) -> Iterator[str]:
    outputs, inputs = probe.outputs(), probe.inputs(_N)
    together = probe.niches.bids(outputs, inputs).value
    rows = [torch.tensor([row]) for row in range(_N)]
    alone = [probe.niches.bids(outputs.take(row), inputs[row]).value for row in rows]
    if not torch.allclose(together, torch.cat(alone), rtol=1e-12, atol=1e-12):
        yield "A candidate alone bids otherwise than among others."


def _check_determinism(probe: _Probe) -> Iterator[str]:
    outputs = probe.outputs()
    if not same_bits(probe.bids(outputs), probe.bids(outputs)):
        yield "Asked twice, the same candidates bid otherwise."


def _check_use(probe: _Probe) -> Iterator[str]:
    seen: dict[tuple[float, ...], str] = {}
    for name, column in zip(probe.niches.names, probe.bids(probe.outputs()).T.tolist(), strict=True):
        if len(set(column)) == 1:
            yield f"Every candidate bids the same for niche {name!r}."
        elif seen.setdefault(tuple(column), name) != name:
            yield f"The bids for niche {name!r} are those for niche {seen[tuple(column)]!r}."


def _check_sign(probe: _Probe) -> Iterator[str]:
    outputs = probe.outputs()
    before = probe.bids(outputs)
    for column, name in enumerate(probe.niches.names):
        if name not in probe.labels:
            continue
        raised = outputs.logits.clone()
        raised[:, probe.labels.index(name)] += 1.0
        if not bool((probe.bids(Outputs(raised))[:, column] > before[:, column]).all()):
            yield f"A higher logit of class {name!r} must bid more for its niche."


def _check_acceptance(probe: _Probe) -> Iterator[str]:
    outputs = probe.outputs()
    accepted = probe.bids(replace(outputs, slack=torch.zeros(_N, probe.classes)))
    near = probe.bids(replace(outputs, slack=torch.full((_N, probe.classes), -0.5)))
    far = probe.bids(replace(outputs, slack=torch.full((_N, probe.classes), -2.0)))
    if not bool((near.amax(0) < accepted.amin(0)).all()):
        yield "A candidate that the guard rejects must bid less than any that it accepts."
    if not bool((far < near).all()):
        yield "Of two rejected candidates the one nearer to the guard's threshold must bid more."


def _check_outputs(probe: _Probe) -> Iterator[str]:
    outputs, inputs = probe.outputs(), probe.inputs(_N)
    logits, before = outputs.logits.clone(), inputs.clone()
    probe.niches.bids(outputs, inputs)
    if not same_bits(logits, outputs.logits) or not same_bits(before, inputs):
        yield "Bidding changed the outputs or inputs themselves."
