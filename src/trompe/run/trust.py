"""What must be known of a run's target before any of its numbers is believed."""

from collections.abc import Sequence
from typing import Any

from trompe.run.read import Run

DOUBTED = {
    "unverified": "nobody declared the preprocessing and no labelled images confirmed it",
    "contradicted": "labelled images contradict the preprocessing that was declared",
}
"""States of preprocessing in which a gate decides nothing, and what they mean."""


ENOUGH = 0.9
"""Share of classes that some method must reach for the control to have passed."""


def first_line(target: dict[str, Any]) -> str:
    """What vouches for the target's preprocessing; the first line of page, terminal, JSON and JUnit.

    Args:
        target: What a run records of its target.
    """
    status = target.get("preprocessing", "unverified")
    if status in DOUBTED:
        return f"{target['name']}: UNVERIFIED: {DOUBTED[status]}; the numbers may be about the wrong input"
    told = {"declared": "preprocessing declared", "confirmed": "preprocessing confirmed by labelled images"}
    return f"{target['name']}: {told[status]}"


def doubted(target: dict[str, Any]) -> bool:
    """Whether nothing vouches for the target's preprocessing, or labelled images speak against it."""
    return target.get("preprocessing", "unverified") in DOUBTED


def opening(target: dict[str, Any]) -> list[str]:
    """What a terminal says before any number: a doubted preprocessing, and what only the user can say."""
    return [*([first_line(target)] if doubted(target) else []), *questions(target)]


def questions(target: dict[str, Any]) -> list[str]:
    """What only the user can say: of two classes, one may be the right answer to nonsense."""
    if len(target["labels"]) != 2 or target.get("harmless") or target.get("abstain"):
        return []
    one, other = target["labels"]
    return [
        f"Is one of the two classes, {one!r} or {other!r}, the right answer to nonsense? If so, declare it: "
        f'harmless = ["{other}"]; until then both count.'
    ]


def passed(rows: Sequence[dict[str, Any]]) -> bool:
    """Whether some method reached nearly every class of the control."""
    return any(row["attempted"] > 0 and row["reached"] >= ENOUGH * row["attempted"] for row in rows)


def reservations(run: Run) -> list[str]:
    """Everything that makes the run's numbers worth less, one sentence each; empty where nothing does."""
    target = run.about.target
    said = opening(target)
    said += [f"Finding {item['name']}: {item['means']}" for item in target.get("findings", ())]
    rows = run.measured.get("control") or []
    if rows and not passed(rows):
        best = max(rows, key=lambda row: row["reached"])
        said.append(
            f"The positive control failed: at this budget {best['reached']} of {best['attempted']} classes of a random "
            "linear classifier were reached, so that few classes reached here say little."
        )
    return said
