"""`verify`: read the images of a run back from disk and score them again."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import inf
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from trompe.core.errors import RunError
from trompe.core.numerics import bid_value, from_levels
from trompe.core.types import Outputs, Target
from trompe.measure.surviving import as_recorded, itself
from trompe.run import Kept, Run, describe_machine, describe_versions, open_run
from trompe.run.results import RESULTS, read_results, read_spec, results
from trompe.search import REMOTE, JudgeSettings, reference_judge
from trompe.settings import VerifySettings
from trompe.targets import Declaration, load_target
from trompe.targets.guarded import guards_of
from trompe.targets.ready import LowestOfFive, beside
from trompe.verbs.access import access_of
from trompe.verbs.keywords import keywords
from trompe.verbs.superclasses import Placed, superclass_rows, why_no_superclasses

TOLERANCE = 1e-3
"""In log-odds, on another type of machine than the run's; on the same type the bits must be equal.

A server is always another machine: how it groups what it is asked, and on what it computes, is not known here.
"""


@dataclass(frozen=True)
class Verification:
    """What came of scoring a run's images again.

    Attributes:
        images: How many were read back and scored.
        exact: Whether equal bits were demanded: same machine type, same versions, stored judge.
        largest: Largest difference in log-odds from what was recorded.
        failures: One line for each image or file that does not say what was recorded; empty where all do.
        rows: Search, niche, level (0 for the strongest image) and log-odds of every image that could be scored.
        wavering: Whether the target gives other answers to the same input, so that no equality can be asked for.
        superclasses: Search, niche, level, name and log-odds of every superclass that an image's class is in.
    """

    images: int
    exact: bool
    largest: float
    failures: tuple[str, ...]
    rows: tuple[tuple[int, int, float, float], ...]
    wavering: bool = False
    superclasses: tuple[Placed, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every image says what was recorded."""
        return not self.failures

    def __str__(self) -> str:
        if self.failures:
            return f"{len(self.failures)} of {self.images} images failed: {self.failures[0]}"
        if self.wavering:
            return f"{self.images} images read back and scored again: the target wavers, by {self.largest:.3g} at most"
        demand = "bit for bit" if self.exact else f"within {TOLERANCE:g} in log-odds (another machine)"
        return f"{self.images} images read back from disk and scored again: as recorded, {demand}"


def confirm(run: Run, target: Target) -> Verification:
    """Read every image that a run keeps back from its PNG, have the reference judge it as it did in the run, compare.

    Args:
        run: Its database says which images there must be and what they scored.
        target: The run's target.
    """
    kept = [(record, item) for record in run.classes for item in record.kept()]
    found, failures = _read_back(run, [item for _, item in kept])
    wavering = isinstance(itself(target), LowestOfFive)
    here = run.about.machine == describe_machine() and run.about.versions == describe_versions(run.about.judge)
    exact = here and run.about.judge.get("engine") != REMOTE
    rows, largest = [], 0.0
    outputs = _judged(run, target, list(found.values()))
    columns = torch.tensor([target.labels.index(kept[i][1].label) for i in found]).long()
    scores = bid_value(outputs, target.link).gather(1, columns.unsqueeze(1)).squeeze(1).tolist()  # as it was recorded
    for i, score in zip(found, scores, strict=True):
        record, item = kept[i]
        rows.append((record.search, record.niche, item.level or 0.0, score))
        gap = abs(score - item.log_odds)
        largest = max(largest, gap)
        if gap > (inf if wavering else 0.0 if exact else TOLERANCE):
            failures.append(f"{item.file}: log-odds {score!r}, recorded {item.log_odds!r}")
    placed = [(record.search, record.niche, item.level or 0.0, item.label) for record, item in (kept[i] for i in found)]
    told = () if why_no_superclasses(target) else superclass_rows(run.about, target.labels, outputs.logits, placed)
    return Verification(len(kept), exact, largest, tuple(failures), tuple(rows), wavering, tuple(told))


def check_same_target(recorded: dict[str, Any], target: Target, folder: Path) -> None:
    """Refuse a target that is not the one a run was made on.

    Raises:
        RunError: Its fingerprint is another one, or that of a guard in front of it.
    """
    guards = [guard.fingerprint()[:12] for guard in guards_of(itself(target))]
    before = [guard["fingerprint"][:12] for guard in recorded.get("guards", ())]
    if guards != before:
        raise RunError(
            expected=f"target {recorded['name']} behind the guard {', '.join(before) or 'none'}",
            got=f"the guard {', '.join(guards) or 'none'}",
            where=str(folder),
            do="Put the guard back that the run was made with; another one accepts other images.",
        )
    if target.fingerprint() != recorded["fingerprint"]:
        raise RunError(
            expected=f"target {recorded['name']} with fingerprint {recorded['fingerprint'][:12]}",
            got=f"{target.name} with fingerprint {target.fingerprint()[:12]}",
            where=str(folder),
            do="Use the weights the run was made with; another network gives other answers.",
        )


@keywords(VerifySettings)
def verify(settings: VerifySettings) -> Verification:
    """Read the images of a run back from disk, score them again, and compare with what was recorded.

    Takes the fields of `VerifySettings`. Nothing is written; the folder may be read-only. For a run of `fool_with`,
    whose target no name leads to, see `verify_with`.

    Raises:
        RunError: No run, damaged, not published yet, or its target is another one now.
    """
    run = open_run(settings.run)
    target = load_target(run.about.target["text"], trusting(run), access_of(run.about.settings))
    return _verify(run, target)


def trusting(run: Run) -> Declaration:
    """What is declared beside the text that a run's target is loaded from."""
    return replace(beside(run.about.target), trust=tuple(run.about.settings.get("trust") or ()))


def verify_with(run: Path | str, target: Target) -> Verification:
    """`verify` a run whose target is at hand as an object, as `fool_with` made it.

    Args:
        run: The run folder.
        target: The one the run was made on; its fingerprint must be equal.

    Raises:
        RunError: No run, damaged, not published yet, or made on another target.
    """
    return _verify(open_run(run), target)


def _verify(run: Run, target: Target) -> Verification:
    target = as_recorded(target, run.about.target)
    check_same_target(run.about.target, target, run.folder)
    published = read_results(run.folder)
    found = confirm(run, target)
    return replace(found, failures=(*_compare(published, results(run)), *found.failures))


def _read_back(run: Run, kept: Sequence[Kept]) -> tuple[dict[int, Tensor], list[str]]:
    spec, found, failures = read_spec(run), {}, []
    for i, item in enumerate(kept):
        try:
            found[i] = spec.read(run.folder / item.file)
        except RunError as failure:
            failures.append(str(failure))
            continue
        if not torch.equal(found[i], item.levels):
            failures.append(f"{item.file}: its pixels are not those that were recorded")
    return found, failures


def _judged(run: Run, target: Target, images: list[Tensor]) -> Outputs:
    """What the reference says of each image, as in the run; each distinct one is asked about once."""
    if not images:
        return Outputs(torch.empty(0, len(target.labels)))
    judge = reference_judge(target, JudgeSettings(**run.about.judge))
    content = [image.numpy().tobytes() for image in images]
    distinct = dict(zip(content, images, strict=True))
    place = {key: row for row, key in enumerate(distinct)}
    outputs = judge.judge(from_levels(torch.stack(list(distinct.values()))))
    return outputs.take(torch.tensor([place[key] for key in content]))


def _compare(published: dict[str, Any], expected: dict[str, Any]) -> list[str]:
    """Whether ``results.json`` says what the database holds, in every part."""
    parts = dict.fromkeys([*expected, *published])
    return [
        f"{RESULTS}: its {part} is not what the database holds"
        for part in parts
        if published.get(part) != expected.get(part)
    ]
