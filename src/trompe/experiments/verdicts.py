"""Verdicts, computed from what was measured by the same rules for every claim."""

import math
from collections.abc import Sequence
from dataclasses import replace

from trompe.experiments.nouns import Claim, Measured, Outcome, Verdict
from trompe.experiments.wording import counted
from trompe.measure.inference import Interval, holm, least_signed_rank, mean_interval, signed_rank

CHANCE = 0.05
_DECIDED = ("reproduces", "does not reproduce", "holds", "does not hold",
            "holds on a stand-in", "does not hold on a stand-in")  # fmt: skip


def judge(claim: Claim, measured: Measured) -> Verdict:
    """What measurements say of a claim.

    An existence is shown by one value, whatever the budget; that nothing was found says something only at the paper's
    budget. Everything else is decided by the 95 % interval of the mean over units: inside the line it agrees, outside
    it does not, across it nothing is decided, and neither is anything below the paper's budget, or below our plan
    where the paper's is not known.

    Args:
        claim: Fixed before.
        measured: Values in the units of the claim's line.

    Returns:
        The verdict as it is alone; see `settle` for a page of them.
    """
    if measured.missing:
        return Verdict(claim, "cannot be run here", measured.missing, measured.population, ())
    if not measured.values:
        return Verdict(
            claim, "undecided", _too_little(claim, measured) or "nothing was measured", measured.population, ()
        )
    if claim.kind == "existence":
        return _existence(claim, measured)
    if len(measured.values) < 2:
        reason = f"one {claim.unit} has no interval"
        return Verdict(claim, "undecided", reason, measured.population, measured.values)
    found = mean_interval(measured.values)
    agrees, reason = _against_line(claim, found)
    if measured.short:
        agrees, reason = None, _too_little(claim, measured)
    outcome = _outcome(claim, agrees)
    chance = _chance(claim, measured.values, found)
    return Verdict(claim, outcome, reason, measured.population, measured.values, found, chance)


def settle(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """Verdicts of one page brought together: p-values adjusted by Holm's steps, undecided where that takes one back.

    A claim that has a p-value counts, decided or not. Given several times over, the same claims are only stricter.
    Where there are so few units that no data could decide, the reason says so, whatever else it says.

    Example:
        >>> settle([])
        []
    """
    chances = {i: verdict.chance for i, verdict in enumerate(verdicts) if verdict.chance is not None}
    adjusted = holm(chances)
    return [_counted(verdict, adjusted[i], len(chances)) if i in adjusted else verdict
            for i, verdict in enumerate(verdicts)]  # fmt: skip


def _counted(verdict: Verdict, adjusted: float, among: int) -> Verdict:
    verdict = replace(verdict, adjusted=adjusted)
    units = len(verdict.values)
    if (least := least_signed_rank(units)) > CHANCE:
        words = f"{counted(units, verdict.claim.unit)} cannot decide: its p-value cannot fall below {least:g}"
        return replace(verdict, outcome="undecided", reason=f"{verdict.reason}; {words}")
    if verdict.outcome not in _DECIDED or adjusted <= CHANCE:
        return verdict
    reason = f"{verdict.reason}, but p = {adjusted:.2g} among the {among} p-values of this page (Holm)"
    return replace(verdict, outcome="undecided", reason=reason)


def _existence(claim: Claim, measured: Measured) -> Verdict:
    count = sum(value >= claim.low for value in measured.values)
    of, units = len(measured.values), measured.population
    if count:
        return Verdict(claim, _outcome(claim, agrees=True), f"found in {count} of {of}", units, measured.values)
    if measured.short:
        reason = f"found in 0 of {of}; {_too_little(claim, measured)}"
        return Verdict(claim, "undecided", reason, units, measured.values)
    return Verdict(claim, _outcome(claim, agrees=False), f"found in 0 of {of}", units, measured.values)


def _too_little(claim: Claim, measured: Measured) -> str:
    """How the budget is too small, in words; empty where it is not."""
    whose = "the paper" if claim.theirs and not measured.planned else "the plan"
    return f"budget below {whose}'s: {measured.short}" if measured.short else ""


def _against_line(claim: Claim, found: Interval) -> tuple[bool | None, str]:
    """Whether an interval agrees with the line, and in what words; None where it straddles it."""
    if claim.low == claim.high:
        inside = found.low <= claim.low <= found.high
        return inside, f"{claim.line} lies {'inside' if inside else 'outside'} our interval"
    # A direction's line is that of no difference, which an interval must leave out; a level may be met exactly.
    above = found.low > claim.low if claim.kind == "direction" else found.low >= claim.low
    if above and found.high <= claim.high:
        return True, f"our interval is {claim.line}"
    if found.high < claim.low or found.low > claim.high:
        return False, f"our interval lies wholly off the line ({claim.line})"
    if claim.kind == "direction" and found.low == found.high:
        return None, "no difference in any of them"
    return None, f"our interval straddles the line ({claim.line})"


def _outcome(claim: Claim, agrees: bool | None) -> Outcome:
    if agrees is None:
        return "undecided"
    if claim.stand_in:
        return "holds on a stand-in" if agrees else "does not hold on a stand-in"
    if not claim.theirs:
        return "holds" if agrees else "does not hold"
    return "reproduces" if agrees else "does not reproduce"


def _chance(claim: Claim, values: Sequence[float], found: Interval) -> float | None:
    """p-value of the line that decides: where the mean agrees the nearer of its two ends, otherwise the one missed."""
    if claim.low == claim.high:  # that a number lies inside an interval is no test of anything
        return None
    ends = [end for end in (claim.low, claim.high) if math.isfinite(end)]
    missed = [end for end in ends if (found.middle < end) == (end == claim.low)]
    return max(signed_rank([value - end for value in values]) for end in (missed[:1] or ends))
