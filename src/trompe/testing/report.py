"""What an examination found."""

import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

import torch
from torch import Tensor

from trompe.core.errors import TrompeError

T = TypeVar("T")
Check = Callable[[T], Iterator[str]]


@dataclass(frozen=True)
class Report:
    """What an examination found.

    Attributes:
        subject: What was examined.
        findings: One sentence for each promise that is not kept; empty where all are.
        skipped: Checks that do not apply, each with the reason.

    Example:
        >>> report = Report("target mine", ("Judging twice gave other logits.",), ())
        >>> report.conforms
        False
        >>> print(report)
        target mine does not conform:
        - Judging twice gave other logits.
    """

    subject: str
    findings: tuple[str, ...]
    skipped: tuple[str, ...]

    @property
    def conforms(self) -> bool:
        """Whether every promise that could be checked is kept."""
        return not self.findings

    def __str__(self) -> str:
        if self.conforms:
            return f"{self.subject} conforms"
        return "\n- ".join([f"{self.subject} does not conform:", *self.findings])


class NotApplicable(Exception):  # noqa: N818  not an error: the check has nothing to look at
    """Raised by a check that has nothing to look at; its text says why."""


@dataclass(frozen=True)
class Examination(Generic[T]):
    """A list of checks, each of which yields a sentence for every promise it finds broken.

    Attributes:
        subject: What is examined, for the report.
        probe: What every check is given.
    """

    subject: str
    probe: T

    def run(self, first: Sequence[Check[T]], then: Sequence[Check[T]]) -> Report:
        """Run the first checks; where they find nothing, run the others too, also after one has found something."""
        findings, skipped = self._run(first)
        if findings:
            others = tuple(f"{_title(check)}: not looked at before what was found is mended" for check in then)
            return Report(self.subject, tuple(findings), (*skipped, *others))
        more, also = self._run(then)
        return Report(self.subject, tuple(more), (*skipped, *also))

    def _run(self, checks: Sequence[Check[T]]) -> tuple[list[str], list[str]]:
        findings: list[str] = []
        skipped: list[str] = []
        for check in checks:
            try:
                findings.extend(check(self.probe))
            except NotApplicable as reason:
                skipped.append(f"{_title(check)}: {reason}")
            except TrompeError as refusal:
                findings.append(f"The check of {_title(check)} was refused: {refusal}")
        return findings, skipped


def same_bits(one: Tensor, other: Tensor) -> bool:
    """Whether two tensors agree in type, shape and every bit, so that NaN equals itself and 0 is not -0."""
    if one.dtype != other.dtype or one.shape != other.shape:
        return False
    return _bits(one) == _bits(other)


def same_arrays(one: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> bool:
    """Whether two sets of named tensors agree in names and every bit."""
    return one.keys() == other.keys() and all(same_bits(one[name], other[name]) for name in one)


def randomness_moved(work: Callable[[], object]) -> bool:
    """Whether some work draws from torch's or Python's global source of randomness."""
    torch_before, python_before = torch.get_rng_state(), random.getstate()
    work()
    return not torch.equal(torch_before, torch.get_rng_state()) or python_before != random.getstate()


def _title(check: Callable[..., object]) -> str:
    return check.__name__.strip("_").removeprefix("check_").replace("_", " ")


def _bits(value: Tensor) -> bytes:
    return value.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy().tobytes()
