"""What came of a run, in lines for a terminal; every number is from the run folder."""

from statistics import median
from typing import Any

from trompe.core.numerics import say_confidence
from trompe.run import Run

_TOP = 0.9999


def describe(run: Run) -> list[str]:
    """The result: one line a class with a column a method, then the counts of each method, then the costs."""
    lines = [*_table(run), ""]
    for search in run.searches:
        records = [record for record in run.classes if record.search == search.number]
        lines.append(f"{search.method:<15} {_counts(records)}")
    searches = run.searches
    evaluations, seconds = sum(search.evaluations for search in searches), sum(search.seconds for search in searches)
    odds = [record.strongest.log_odds for record in run.classes if record.strongest]
    rate = evaluations / seconds if seconds else 0.0
    counts = ", ".join(f"{run.confident(level)} at {100 * level:g} %" for level in run.about.levels[2:])
    return [
        *lines,
        "",
        f"{run.about.target['name']} is confident of nonsense: {counts}",
        f"median     {say_confidence(median(odds)) if odds else 'not measured'}",
        f"cost       {evaluations:,} evaluations in {seconds:.1f} s ({rate:,.0f} a second)",
        *_remote(run),
        f"ended by   {', '.join(search.reason or search.state for search in searches)}",
        "readable   not measured (whether a person sees the class in an image)",
        f"images     {run.folder / 'images'}",
    ]


def _remote(run: Run) -> list[str]:
    """What was sent to a remote target, and what people should know of any target's answers."""
    most = run.about.settings.get("max_queries")
    limit = f" of at most {most:,}" if most and run.queries and run.queries <= most else ""
    told = run.about.target.get("remote", {})
    sent = [] if run.queries is None else [f"queries    {run.queries:,}{limit} rows sent to {told.get('url', 'it')}"]
    return sent + [f"note       {note}" for note in run.about.target.get("notes", [])]


def _table(run: Run) -> list[str]:
    labels = list(dict.fromkeys(record.label for record in run.classes))
    cells = {(record.search, record.label): _cell(record) for record in run.classes}
    first = max(len(label) for label in labels)
    widths = [
        max(len(search.method), *(len(cells[search.number, label]) for label in labels)) for search in run.searches
    ]
    head = [f"{search.method:<{width}}" for search, width in zip(run.searches, widths, strict=True)]
    rows = [
        [f"{cells[search.number, label]:<{width}}" for search, width in zip(run.searches, widths, strict=True)]
        for label in labels
    ]
    lines = ["   ".join([" " * first, *head]).rstrip()]
    return lines + ["   ".join([f"{label:<{first}}", *row]).rstrip() for label, row in zip(labels, rows, strict=True)]


def _cell(record: Any) -> str:
    if record.strongest is None:
        return "not measured"
    first = record.first(_TOP)
    when = f" ({first.evaluations:,})" if first else ""
    return f"{say_confidence(record.strongest.log_odds)}{when}"


def _counts(records: list[Any]) -> str:
    reached = [first.evaluations for record in records if (first := record.first(_TOP))]
    words = f"at least {len(reached)} of {len(records)} at 99.99 %"
    return f"{words}, after {min(reached):,} to {max(reached):,} evaluations" if reached else words
