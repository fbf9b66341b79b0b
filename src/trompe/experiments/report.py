"""What a page of verdicts is made of, and the same as plain JSON."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trompe.experiments.nouns import Claim, Effort, Experiment, Figure, Measured, Verdict
from trompe.experiments.verdicts import judge, settle

NOT_MEASURED = "not measured"


@dataclass(frozen=True)
class Section:
    """One experiment on the page.

    Attributes:
        experiment: What was done.
        verdicts: One a claim, in order, brought together with those of the whole page.
        figures: Of its data.
        units: What was measured, by name.
        cost: Processor time, in words.
    """

    experiment: Experiment
    verdicts: tuple[Verdict, ...]
    figures: tuple[Figure, ...]
    units: tuple[str, ...]
    cost: str


@dataclass(frozen=True)
class Account:
    """A whole page.

    Attributes:
        sections: One an experiment.
        effort: At which everything was measured.
        command: That makes it again.
        machine: Of its last unit.
        versions: Of what computed it.
        series: The command's name.
    """

    sections: tuple[Section, ...]
    effort: Effort
    command: str
    machine: str
    versions: Mapping[str, str]
    series: str = "paper"

    def describe(self) -> dict[str, Any]:
        """Everything but the figures, JSON-ready; what was not measured says so."""
        return {
            "size": self.effort.size, "command": self.command, "machine": self.machine,
            "versions": dict(self.versions), "experiments": [_describe(section) for section in self.sections],
        }  # fmt: skip


def sections(found: Mapping[str, tuple[Experiment, Mapping[str, Any]]], effort: Effort) -> tuple[Section, ...]:
    """Judge everything that was found, together.

    Args:
        found: By name, each experiment and its records by unit; no records where it cannot be run here.
        effort: At which it was measured.
    """
    judged = [(name, verdict) for name, (one, records) in found.items() for verdict in decide(one, records, effort)]
    settled = settle([verdict for _, verdict in judged])
    return tuple(
        Section(
            one, tuple(verdict for (owner, _), verdict in zip(judged, settled, strict=True) if owner == name),
            tuple(one.figures(_data(records))) if records else (), tuple(records), cost(records),
        )
        for name, (one, records) in found.items()
    )  # fmt: skip


def decide(experiment: Experiment, records: Mapping[str, Any], effort: Effort) -> list[Verdict]:
    """One verdict a claim, each as it is alone."""
    if not records:
        nothing = Measured((), "on nothing", missing=experiment.missing())
        return [judge(claim, nothing) for claim in experiment.claims]
    measured = experiment.measure(_data(records), effort)
    return [judge(claim, measured[claim.name]) for claim in experiment.claims]


def cost(records: Mapping[str, Any]) -> str:
    """Processor time of the units, in words."""
    told = [record["seconds"] for record in records.values() if isinstance(record["seconds"], int | float)]
    missed = len(records) - len(told)
    words = f"{math.fsum(told):.0f} processor seconds" if told else NOT_MEASURED
    if not (missed and told):
        return words
    return f"{words}, and {missed} of {len(records)} units not measured, as they were interrupted"


def _data(records: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    return {name: record["data"] for name, record in records.items()}


def _describe(section: Section) -> dict[str, Any]:
    one = section.experiment
    return {
        "name": one.name, "title": one.title, "differences": list(one.differences), "units": list(section.units),
        "cost": section.cost, "claims": [_told(verdict) for verdict in section.verdicts],
    }  # fmt: skip


def _told(verdict: Verdict) -> dict[str, Any]:
    claim, interval = verdict.claim, verdict.interval
    told: dict[str, Any] = {
        "claim": claim.text, "name": claim.name, "type": claim.kind, "unit": claim.unit,
        "theirs": claim.theirs or "not claimed in the paper", "where": claim.where, "line": _line(claim),
        "stand_in": claim.stand_in or "none", "verdict": verdict.outcome, "reason": verdict.reason,
        "population": verdict.population, "values": list(verdict.values) or NOT_MEASURED, "scale": claim.scale,
    }  # fmt: skip
    told["interval"] = [interval.low, interval.middle, interval.high] if interval else NOT_MEASURED
    told["p"] = NOT_MEASURED if verdict.chance is None else verdict.chance
    told["p_holm"] = NOT_MEASURED if verdict.adjusted is None else verdict.adjusted
    if claim.prediction:
        told["expected"] = vars(claim.prediction)
    return told


def _line(claim: Claim) -> dict[str, Any]:
    ends = {"low": claim.low, "high": claim.high}
    return {name: value for name, value in ends.items() if math.isfinite(value)}
