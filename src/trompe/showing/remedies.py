"""What one can do about it, cheapest first: each with what it did in this run, or that it was not tried."""

from trompe.core.numerics import level_odds
from trompe.run.survived import counted
from trompe.showing.evidence import Evidence
from trompe.showing.words import say_level, say_some
from trompe.verbs.gate import best_odds

NOT_TRIED = "not tried"


def remedies(evidence: Evidence) -> list[tuple[str, str]]:
    """Names and outcomes; no threshold is among them that the search was not run against."""
    return [
        ("Declare harmless classes and the operating threshold", _declared(evidence)),
        ("Check the preprocessing again (trompe inspect TARGET --images FOLDER)", _preprocessing(evidence)),
        ("Reject below a threshold", _threshold(evidence)),
        ("Re-encode, resize or crop what comes in", _survival(evidence)),
        ("Answer with fewer decimals, and limit the rate", _rounded(evidence)),
        ("Put a guard in front", NOT_TRIED),
        ("Add a class for nonsense", _abstain(evidence)),
        ("Train again with such images (hardening)", f"{NOT_TRIED}. Whoever does must search the new network again."),
    ]


def _declared(evidence: Evidence) -> str:
    target = evidence.run.about.target
    harmless, threshold = target.get("harmless", []), target.get("threshold")
    said = [f"{say_some(harmless)}: harmless, in no rate here"] if harmless else []
    said += [f"the product acts from {say_level(threshold)} on"] if threshold else []
    return f"declared: {'; '.join(said)}" if said else f"{NOT_TRIED}: nothing is declared, so every class counts"


def _preprocessing(evidence: Evidence) -> str:
    status = evidence.run.about.target.get("preprocessing", "unverified")
    return {
        "declared": "taken as it was declared",
        "confirmed": "done: labelled images confirmed it",
        "contradicted": "labelled images contradict what was declared: correct it before believing anything here",
        "unverified": f"{NOT_TRIED}, and nobody declared it: until then the numbers may be about the wrong input",
    }[str(status)]


def _threshold(evidence: Evidence) -> str:
    about = evidence.run.about
    threshold, goal = about.target.get("threshold"), about.settings.get("confidence")
    if not threshold:
        return f"{NOT_TRIED}: none is declared, and the search was not run again against one"
    if goal is not None and goal < threshold:
        return f"{NOT_TRIED}: the search stopped at {say_level(goal)}, below the declared {say_level(threshold)}"
    if not evidence.verified:
        return "not measured: no image was read back"
    best = best_odds(evidence.run).values()
    past = sum(odds >= level_odds(threshold) for odds in best)
    return f"searched against the declared {say_level(threshold)}: at least {past} of {len(best)} classes got past it"


def _survival(evidence: Evidence) -> str:
    told = evidence.run.about.settings.get("survive") or ()
    knew = f"The search was told of {', '.join(told)}, and got this far all the same. " if told else ""
    found: dict[str, tuple[int, int]] = {}
    for each in counted(evidence.run):
        if each.level == evidence.level and each.of:
            still, of = found.get(each.transform, (0, 0))
            found[each.transform] = still + each.still, of + each.of
    if not found:
        return knew.strip() or NOT_TRIED
    least, most = (pick(found, key=lambda name: found[name][0]) for pick in (min, max))
    range_ = " to ".join(f"{found[name][0]} of {found[name][1]} ({name})" for name in dict.fromkeys((least, most)))
    blind = "" if told else " They were made without knowing of it; --survive searches for such as last."
    return f"{knew}Of the pictures that reach {say_level(evidence.level)}, at least {range_} still do.{blind}"


def _rounded(evidence: Evidence) -> str:
    names = [item["name"] for item in evidence.run.about.target.get("findings", ())]
    return "its scores are rounded; the looks above are what that costs" if "rounded" in names else NOT_TRIED


def _abstain(evidence: Evidence) -> str:
    abstain = evidence.run.about.target.get("abstain")
    return f"there is one, {abstain}: what it wins is not accepted" if abstain else NOT_TRIED
