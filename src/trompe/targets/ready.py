"""A target as it is asked in earnest: after preflight, with what was found out about it taken into account."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import torch
from torch import Tensor

from trompe.core.numerics import log_odds
from trompe.core.specs import ImageSpec
from trompe.core.types import Images, Outputs, Target
from trompe.targets import guarded
from trompe.targets.declaration import Declaration, read_superclasses
from trompe.targets.foreign import ForeignTarget
from trompe.targets.preflight import Finding, preflight, refuse_silence
from trompe.targets.preprocessing import PLAIN, Preprocessing
from trompe.targets.torch import Prepared, TorchTarget

Status = Literal["declared", "confirmed", "unverified", "contradicted"]
"""Of preprocessing: stated by somebody; shown right by labelled images; neither; stated, and shown wrong by them."""

_TIMES = 5


@dataclass(frozen=True)
class Ready:
    """A target after preflight.

    Attributes:
        target: To be asked; the one that was given, unless something was found that its answers must be corrected for.
        findings: What is strange about it.
        preprocessing: Whether anything vouches for it.
        forwards: Rows that preflight sent.
        examined: Whether there was a preflight; without one, no findings mean nothing.
    """

    target: Target
    findings: tuple[Finding, ...]
    preprocessing: Status
    forwards: int
    examined: bool = True

    def describe(self) -> dict[str, Any]:
        """What a run records of it beyond name, labels and shape, JSON-ready."""
        declared = declared_of(self.target)
        return {
            "preprocessing": self.preprocessing,
            "examined": self.examined,
            "findings": [asdict(finding) for finding in self.findings],
            "floor": declared.floor,
            "threshold": declared.threshold,
            "harmless": list(declared.harmless),
            "abstain": declared.abstain,
            "declared": replace(declared, superclasses=read_superclasses(declared.superclasses)).describe(),
        }


@dataclass(frozen=True, eq=False)
class LowestOfFive:
    """A target that wavers, asked five times: of each class the lowest log-odds, so that nobody is lucky.

    Attributes:
        inner: The target that gives other answers to the same input.
    """

    inner: Target

    @property
    def name(self) -> str:
        """Of the inner target."""
        return self.inner.name

    @property
    def spec(self) -> ImageSpec:
        """Of the inner target."""
        return self.inner.spec  # type: ignore[return-value]

    @property
    def labels(self) -> tuple[str, ...]:
        """Of the inner target."""
        return self.inner.labels

    @property
    def link(self) -> Literal["independent"]:
        """Its numbers are log-odds already."""
        return "independent"

    @property
    def rows(self) -> int:
        """Rows sent for each image."""
        return _TIMES * int(getattr(self.inner, "rows", 1))

    @property
    def declared(self) -> Declaration:
        """Of the inner target."""
        return declared_of(self.inner)

    @property
    def line(self) -> Any:
        """To the server behind which the inner target is; None where it is on this machine."""
        return getattr(self.inner, "line", None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Of the inner target."""
        return tuple(getattr(self.inner, "notes", ()))

    @property
    def mean_image(self) -> Tensor | None:
        """Of the inner target, where it is known."""
        return getattr(self.inner, "mean_image", None)

    def judge(self, inputs: Images) -> Outputs:
        """Of five judgements the lowest log-odds and the lowest slack of each class; features of the first."""
        answers = [self.inner.judge(inputs) for _ in range(_TIMES)]
        odds = torch.stack([log_odds(answer.logits, self.inner.link) for answer in answers]).amin(0)
        slack = [answer.slack for answer in answers if answer.slack is not None]
        return Outputs(odds, torch.stack(slack).amin(0) if slack else None, answers[0].features)

    def fingerprint(self) -> str:
        """Of the inner target, and that it is asked five times."""
        return f"lowest-of-{_TIMES}-{self.inner.fingerprint()}"


def make_ready(target: Target) -> Ready:
    """Preflight, and what follows from it.

    Raises:
        TargetError: Nothing can be measured about this target.
    """
    target = target.inner if isinstance(target, LowestOfFive) else target
    found = preflight(target)
    refuse_silence(found.findings, target.name)
    corrected = _corrected(target, found.floor, wavers=found.has("not-deterministic"))
    return Ready(corrected, found.findings, preprocessing_status(target), found.forwards)


def preprocessing_status(target: Target) -> Status:
    """Whether somebody stated the preprocessing."""
    return "unverified" if declared_of(target).preprocessing is None else "declared"


def as_recorded(target: Target, recorded: Mapping[str, Any]) -> Target:
    """A target, loaded again, corrected as it was in a run; ``recorded`` is what the run says of it."""
    names = [finding["name"] for finding in recorded.get("findings", ())]
    floor = recorded.get("floor") or None
    return _corrected(target, floor, wavers="not-deterministic" in names)


def beside(recorded: Mapping[str, Any]) -> Declaration:
    """What a run's target was loaded with beside its text; ``recorded`` is what the run says of it."""
    return Declaration(guard=str(recorded.get("declared", {}).get("guard", "")))


def declared_of(target: Target) -> Declaration:
    """What is declared of a target; one that is an object of somebody's own vouches for its preprocessing itself."""
    declared = getattr(target, "declared", None)
    return declared if isinstance(declared, Declaration) else Declaration(preprocessing=PLAIN)


def prepared_of(target: Target) -> Preprocessing:
    """What is done to an image before the model sees it: what was declared, or what the model's input demands."""
    own = guarded.undefended(target)
    return own.prepared if isinstance(own, ForeignTarget) else declared_of(own).prepared


def with_preprocessing(target: Target, preprocessing: Preprocessing) -> Target | None:
    """The same model behind another preprocessing; None where it is inside the model and cannot be changed."""
    if isinstance(target, guarded.Guarded):
        changed = with_preprocessing(target.target, preprocessing)
        return None if changed is None else target.around(changed)
    declared = replace(declared_of(target), preprocessing=preprocessing)
    if isinstance(target, ForeignTarget):
        return replace(target, declared=declared)
    if isinstance(target, TorchTarget) and isinstance(target.module, Prepared):
        module = Prepared(target.module.net, preprocessing, target.module.reading)
        module.training = False
        return replace(target, module=module, declared=declared)
    return None


def _corrected(target: Target, floor: float | None, *, wavers: bool) -> Target:
    if isinstance(target, guarded.Guarded):  # who wavers is asked five times, guard and all
        corrected: Target = target.around(_corrected(target.target, floor, wavers=False))
        return LowestOfFive(corrected) if wavers else corrected
    if floor is not None and isinstance(target, ForeignTarget) and not target.declared.floor:
        target = replace(target, declared=replace(target.declared, floor=floor))
    return LowestOfFive(target) if wavers else target
