"""The same in numbers: looks to each level class by class, and what a second network says."""

from dataclasses import dataclass
from typing import Any

from trompe.core.numerics import level_odds
from trompe.measure.statistics import Share
from trompe.run.survived import counted
from trompe.showing.evidence import Evidence
from trompe.showing.tiles import say_method
from trompe.showing.words import say, say_count, say_level

MOST_ROWS = 200
"""A longer table is left to ``results.json``."""


@dataclass(frozen=True)
class Table:
    """A table of words."""

    head: list[str]
    rows: list[list[str]]
    left_out: int


def reached_table(evidence: Evidence) -> Table:
    """For every class and method, the looks until each level and the strongest confidence."""
    levels, run = evidence.run.about.levels, evidence.run
    rows = []
    for record in run.classes[:MOST_ROWS]:
        spent = f"not within {say_count(run.searches[record.search].evaluations)}"
        looks = [say_count(kept.evaluations) if (kept := record.first(level)) else spent for level in levels]
        best = say(record.strongest.log_odds) if record.strongest else "not measured"
        rows.append([say_label(evidence, record.label), say_method(evidence, record), *looks, best])
    head = ["class", "method", *(f"looks to {say_level(level)}" for level in levels), "strongest"]
    return Table(head, rows, max(0, len(run.classes) - MOST_ROWS))


def survival_table(evidence: Evidence) -> Table | None:
    """Of the kept images of each method that reach the shown level, how many still do after each transform."""
    found = [each for each in counted(evidence.run) if each.level == evidence.level and each.of]
    if not found:
        return None
    cells = {(each.method, each.transform): f"{each.still} of {each.of}" for each in found}
    methods, transforms = (list(dict.fromkeys(key[i] for key in cells)) for i in (0, 1))
    rows = [[method, *(cells[method, transform] for transform in transforms)] for method in methods]
    return Table(["method", *transforms], rows, 0)


def repeats_table(evidence: Evidence) -> Table | None:
    """For every class and method, in how many of its runs each level was reached; None where each ran once."""
    run = evidence.run
    if run.repeats == 1:
        return None
    shares = {level: run.repeated(level) for level in run.about.levels}
    places = list(shares[run.about.levels[0]])
    rows = [
        [say_label(evidence, label), method, *(say_share(shares[level][label, method]) for level in run.about.levels)]
        for label, method in places[:MOST_ROWS]
    ]
    head = ["class", "method", *(f"runs that reached {say_level(level)}" for level in run.about.levels)]
    return Table(head, rows, max(0, len(places) - MOST_ROWS))


def control_table(evidence: Evidence) -> Table | None:
    """What each method reached against the positive control; None where it was not run."""
    rows = evidence.run.measured.get("control") or []
    if not rows:
        return None
    head = ["method", "reached", "attempted", "looks"]
    cells = [[row["method"], *(say_count(row[key]) for key in ("reached", "attempted", "evaluations"))] for row in rows]
    return Table(head, cells, 0)


def say_label(evidence: Evidence, label: str) -> str:
    """A label, and where it stays out of every rate, that it does."""
    return f"{label} (not counted)" if label in evidence.spared else label


def say_share(share: Share) -> str:
    """So many of so many, and the interval; the heading says that it is one of 95 %.

    Example:
        >>> say_share(Share(5, 5, 0.5655, 1.0)), say_share(Share(1, 1, 0.2, 1.0))
        ('5 of 5 (57 to 100 %)', '1 of 1')
    """
    interval = f" ({100 * share.low:.0f} to {100 * share.high:.0f} %)" if share.of > 1 else ""
    return f"{share.count} of {share.of}{interval}"


def transfer(evidence: Evidence) -> str:
    """How many strongest images other classifiers give the same class, in words.

    What `trompe transfer` measured, with its base rates; otherwise what the second network says.
    """
    if evidence.transfers:
        told = " ".join(_transferred(evidence, entry) for entry in evidence.transfers)
        return f"{told} Networks agreeing shows that such images transfer, not that they can be read."
    if evidence.second.target is None or not evidence.opinions:
        return f"not measured: {evidence.second.reason or 'no image has been recorded'}."
    labels, level = evidence.run.about.target["labels"], evidence.level
    found = [
        (odds, labels.index(record.label))
        for record in evidence.counted
        if (odds := evidence.opinions.get((record.search, record.niche, 0.0))) is not None
    ]
    same = sum(int(odds.argmax()) == own for odds, own in found)
    sure = sum(float(odds[own]) >= level_odds(level) for odds, own in found)
    return (
        f"of {len(found)} strongest images, {evidence.second.name} names {same} the same class, {sure} of them with at "
        f"least {say_level(level)}. Two networks agreeing shows that such images transfer, not that they can be read."
    )


def _transferred(evidence: Evidence, entry: dict[str, Any]) -> str:
    """One classifier's counts at the shown level, method by method: of the strongest images, and of the base rates."""
    key, parts = f"{evidence.level:g}", []
    for method in dict.fromkeys(row["method"] for row in entry["rows"]):
        rows = [row for row in entry["rows"] if row["method"] == method]
        said = [
            f"{row['same'][key]} of {row['comparable']} {row['images']}" if row["comparable"] else
            f"no {row['images']} of a class that it has" for row in rows
        ]  # fmt: skip
        parts.append(f"{', '.join(said)} ({method})")
    return f"to {entry['target']}, the same class with at least {say_level(evidence.level)}: {'; '.join(parts)}."
