"""`gate`: what a run says about conditions that must not hold."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from pathlib import Path
from statistics import median_low
from typing import Any

from trompe.core.errors import BadInput
from trompe.core.numerics import level_odds
from trompe.measure.gate import READ, Condition, Judged, Measured, Outcome, judge_condition, parse_condition, verdict
from trompe.measure.metrics import odds_that_pass, usual_log_odds
from trompe.measure.trials import NotMeasured
from trompe.run import ClassRecord, Run, open_run
from trompe.run.reads import reads_of, say_range
from trompe.run.trust import DOUBTED, passed
from trompe.verbs.audit import answers_of
from trompe.verbs.compare import worse
from trompe.verbs.readable import SKIP

MODESTY = "Passing means that these attacks at this budget found nothing, no more."
_TOP = 0.9999


@dataclass(frozen=True)
class Gate:
    """What a gate says of a run.

    Attributes:
        outcome: Of all conditions together.
        judged: Each condition and what came of it.
        preprocessing: Whether anything vouches for it: declared, confirmed, unverified or contradicted.
        hidden: Why a failure may have gone unseen; empty where the measurement can be trusted.
    """

    outcome: Outcome
    judged: tuple[Judged, ...]
    preprocessing: str
    hidden: tuple[str, ...]

    @property
    def exit_code(self) -> int:
        """0 passed, 3 failed, 4 undecided."""
        return {"passed": 0, "failed": 3, "undecided": 4}[self.outcome]

    def lines(self) -> list[str]:
        """The verdict, for people."""
        heads = {"passed": "pass", "failed": "FAIL", "undecided": "undecided"}
        found = [f"{heads[one.outcome]:<10} {one.condition}: {one.words}" for one in self.judged]
        first = f"gate       {self.outcome}"
        if self.preprocessing in DOUBTED:
            first += f": {DOUBTED[self.preprocessing]}"
        return [first, *found, *([MODESTY] if self.outcome == "passed" else [])]


def gate(run: Run | Path | str, conditions: Sequence[str], baseline: Run | Path | str | None = None) -> Gate:
    """Whether any of the conditions holds of a run: shown, shown not to, or undecided.

    Args:
        run: A finished audit, or its folder.
        conditions: Like ``confident@0.99 > 0.2``; see `trompe.measure.gate`.
        baseline: For ``worse-than-baseline``.

    Raises:
        BadInput: A condition is none, or asks for what this run cannot have.
    """
    run = run if isinstance(run, Run) else open_run(run)
    other = baseline if isinstance(baseline, Run) or baseline is None else open_run(baseline)
    wanted, skipped = [parse_condition(text) for text in conditions], run.about.settings.get("readers") == SKIP
    natural, baselined = bool(answers_of(run)), other is not None
    check_conditions(wanted, run.about.target, natural=natural, baseline=baselined, skipped=skipped)
    hidden = hiding(run)
    judged = tuple(judge_condition(one, _measure(one, run, other), hidden) for one in wanted)
    status = str(run.about.target.get("preprocessing", "unverified"))
    return Gate(verdict(judged, unverified=status in DOUBTED), judged, status, hidden)


def undecided(conditions: Sequence[str], preprocessing: str, why: str) -> Gate:
    """The verdict where the target did not answer: undecided, whatever had been found by then.

    Args:
        conditions: As they were given; at least one.
        preprocessing: Whether anything vouches for it; ``unverified`` where the target could not even be looked at.
        why: In words.
    """
    judged = tuple(Judged(parse_condition(text).text, "undecided", why) for text in conditions)
    return Gate(verdict(judged, unverified=False), judged, preprocessing, (why,))


def check_conditions(
    wanted: Sequence[Condition], target: dict[str, Any], *, natural: bool, baseline: bool, skipped: bool = False
) -> None:
    """Refuse conditions that nothing could ever decide, before anything is searched.

    Raises:
        BadInput: A threshold is not declared, there are no natural images, no baseline, or no reader may be asked.
    """
    for one in wanted:
        needs = {
            'threshold = ... in the target file': one.level == "operating" and not target.get("threshold"),
            "readers, by leaving --readers none out": one.metric in READ and skipped,
            "natural images, by --images": (one.level == "tpr95" or one.metric == "above-natural") and not natural,
            "a run to compare with, by --baseline": one.metric == "worse-than-baseline" and not baseline,
        }  # fmt: skip
        for missing, lacking in needs.items():
            if lacking:
                raise BadInput(expected=missing, got="none", where=f"--fail-on {one.text!r}", do="Give it.")


def hiding(run: Run) -> tuple[str, ...]:
    """Why a failure may have gone unseen in a run, in words."""
    target = run.about.target
    findings = [f"finding {item['name']}" for item in target.get("findings", ()) if item["hides"]]
    if not target.get("examined"):
        findings.append("the target was not examined")
    labels = run.labels_that_count
    missing = [label for label in labels if run[label].strongest is None]
    if missing:
        findings.append(f"{len(missing)} of {len(labels)} classes were not attempted")
    if run.state != "done":
        findings.append(f"the run is {run.state}")
    rows = run.measured.get("control")
    if not rows:
        findings.append("the positive control was not run")
    elif not passed(rows):
        best = max(rows, key=lambda row: row["reached"])
        findings.append(
            f"the positive control failed ({best['reached']} of {best['attempted']} classes at this budget)"
        )
    return tuple(findings)


def best_odds(run: Run) -> dict[str, float]:
    """By label that counts: log-odds of the strongest image that was read back; -inf where there is none."""
    told, found = run.judgements(), dict.fromkeys(run.labels_that_count, -inf)
    for record in run.classes:
        odds = told.get((record.search, record.niche, 0.0))
        if record.label in found and odds is not None:
            found[record.label] = max(found[record.label], odds)
    return found


def _measure(one: Condition, run: Run, baseline: Run | None) -> Measured | None:
    if one.metric == "worse-than-baseline":
        return None if baseline is None else worse(run, baseline)
    best = best_odds(run)
    if not best:
        return None
    if one.metric == "above-natural":
        usual = usual_log_odds(answers_of(run))
        return None if usual is None else _share(best, usual, "the median of rightly named natural images")
    odds = _odds(one.level, run)
    if odds is None:
        return None
    if one.metric in READ:
        return _read(run, one, odds)
    return _looks(run, odds) if one.metric == "looks" else _share(best, odds, f"the level {one.level}")


def _odds(level: str, run: Run) -> float | None:
    if level == "operating":
        return level_odds(run.about.target["threshold"])
    return odds_that_pass(answers_of(run)) if level == "tpr95" else level_odds(float(level))


def _share(best: dict[str, float], odds: float, what: str) -> Measured:
    above = sum(value >= odds for value in best.values())
    return Measured(above / len(best), above / len(best), f"at least {above} of {len(best)} classes reach {what}")


def _read(run: Run, one: Condition, odds: float) -> Measured:
    """At least what no reader reads, at most what not every reader reads; anything, where nobody can say."""
    reads = reads_of(run)
    if reads.lacking:
        return Measured(-inf, inf, f"not measured: {reads.lacking}")
    found = reads.at_odds(odds)
    if isinstance(found, NotMeasured):
        return Measured(-inf, inf, str(found))
    share, what = (found.pairs, "classes are fooled") if one.metric == "fooled" else (found.open, "trials are open")
    words = f"{say_range(share)} {what} at the level {one.level} (no reader reads the class, or not every reader)"
    return Measured(share.low.count / share.low.of, share.high.count / share.high.of, words)


def _looks(run: Run, odds: float) -> Measured:
    """Median over classes of the evaluations of the cheapest method; one that was not reached took more than all."""
    labels = set(run.labels_that_count)
    found = []  # at least, at most, method: a search that ended early was cheap to run and proves little
    for search in run.searches:
        records = [record for record in run.classes if record.search == search.number and record.label in labels]
        took = sorted(_evaluations(run, record, odds) for record in records)
        middle = median_low(took) if took else inf
        found.append((min(middle, search.evaluations + 1), middle, search.method))
    least, (most, method) = min(item[0] for item in found), min(item[1:] for item in found)
    if most == inf:
        return Measured(least, inf, f"not within {least - 1:,.0f} evaluations in the median class")
    return Measured(least, most, f"{most:,.0f} evaluations in the median class by {method}")


def _evaluations(run: Run, record: ClassRecord, odds: float) -> float:
    for level, kept in sorted(record.firsts.items()):
        if abs(level_odds(level) - odds) < 1e-9:
            return float(kept.evaluations)
    spent = {step["number"]: step["evaluations"] for step in run.steps(record.search)}
    won = [spent[change.step] for change in run.takeovers(record.search)
           if change.niche == record.niche and change.value >= odds]  # fmt: skip
    return float(min(won, default=inf))
