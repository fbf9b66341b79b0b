"""What came of a run, in lines for a terminal; every number is from the run folder."""

from collections import Counter
from statistics import median
from typing import Any

from trompe.core.numerics import say_confidence
from trompe.measure.trials import Measured
from trompe.run import Run
from trompe.run.painters import Painter, middle_size, painters
from trompe.run.read import SearchRecord
from trompe.run.reads import reads_of, say_range
from trompe.run.survived import counted
from trompe.run.trust import opening, reservations
from trompe.showing.tables import say_share
from trompe.showing.words import say_some

_TOP, _SURVIVAL = 0.9999, 0.99


def describe(run: Run) -> list[str]:
    """The result: one line a class with a column a method, then the counts of each search, then the costs."""
    lines = [*_table(_columns(run)), *_means(run), ""]
    count = run.labels_that_count
    for search in run.searches:
        records = [record for record in run.classes if record.search == search.number and record.label in count]
        lines.append(f"{search.method:<15}{_which(run, search)} {_counts(records)}")
    searches = run.searches
    evaluations, seconds = sum(search.evaluations for search in searches), sum(search.seconds for search in searches)
    odds = [record.strongest.log_odds for record in run.classes if record.strongest and record.label in count]
    rate = evaluations / seconds if seconds else 0.0
    best = f" (each in the best of {run.repeats} runs)" if run.repeats > 1 else ""
    counts = ", ".join(f"{run.confident(level)} at {100 * level:g} %" for level in run.about.levels[2:])
    opened = opening(run.about.target)
    return [
        *opened,
        *lines,
        "",
        *(f"note       {said}" for said in [*reservations(run), *_spared(run)] if said not in opened),
        f"{run.about.target['name']} is confident of nonsense: {counts}{best}",
        f"median     {say_confidence(median(odds)) if odds else 'not measured'}",
        f"cost       {evaluations:,} evaluations in {seconds:.1f} s ({rate:,.0f} a second)",
        *_remote(run),
        f"ended by   {_ends(run)}",
        *_networks(run),
        *_survival(run),
        *_readable(run),
        f"images     {run.folder / 'images'}",
    ]


def _survival(run: Run) -> list[str]:
    """Per method: of the kept images that reach 99 %, how many still do after each transform."""
    found = [each for each in counted(run) if each.level == _SURVIVAL and each.of]
    return [
        f"survive    {method} at {100 * _SURVIVAL:g} %: "
        + ", ".join(f"{each.transform} {each.still} of {each.of}" for each in found if each.method == method)
        for method in dict.fromkeys(each.method for each in found)
    ]


def _readable(run: Run) -> list[str]:
    """In how many classes the images are nonsense, as far as readers can tell; or why that is not known."""
    reads = reads_of(run)
    if reads.lacking:
        return [f"readable   not measured: {reads.lacking}"]
    found = [one for level in run.about.levels[2:] if isinstance(one := reads.at(level), Measured)]
    classes = ", ".join(f"{say_range(one.pairs)} classes at {100 * one.level:g} %" for one in found)
    trials = f"; open trials {', '.join(say_range(one.open) for one in found)}" if run.repeats > 1 else ""
    doubt = " (readers disagree: ask people, by `trompe read`)" if any(one.pairs.disagree for one in found) else ""
    return [
        f"fooled     {classes}{trials}{doubt}",
        f"readers    {', '.join(reads.independent)}: the low end no reader reads, the high end not every reader",
    ]


def _which(run: Run, search: SearchRecord) -> str:
    """Which of a method's runs a search is, where it has several."""
    same = [other.number for other in run.searches if other.method == search.method]
    return f" run {same.index(search.number) + 1}:" if run.repeats > 1 else ""


def _ends(run: Run) -> str:
    """Why the search ended; counted where there are several."""
    reasons = [search.reason or search.state for search in run.searches]
    if len(reasons) == 1:
        return reasons[0]
    return ", ".join(f"{reason} ({count} of {len(reasons)})" for reason, count in Counter(reasons).items())


def _means(run: Run) -> list[str]:
    """What the numbers in the table are."""
    if run.repeats == 1:
        reached = any(record.first(_TOP) for record in run.classes)
        return ["the strongest image; in brackets: evaluations until the first at 99.99 %"] if reached else []
    return [f"of {run.repeats} runs of each method, those that reached 99.99 % (95 % Wilson interval over the runs)"]


def _networks(run: Run) -> list[str]:
    """How large the networks are that paint the strongest images; nothing where no method has any."""
    found: dict[str, list[Painter]] = {}
    for (search, niche), painter in painters(run).items():
        if run.searches[search].niches[niche] not in run.about.spared:
            found.setdefault(run.searches[search].method, []).append(painter)
    sizes = {method: middle_size(networks) for method, networks in found.items()}
    return [
        f"networks   {method}: median {nodes:g} nodes, {connections:g} connections"
        for method, (nodes, connections) in sizes.items()
    ]


def _spared(run: Run) -> list[str]:
    """Which classes are in no count."""
    labels = dict.fromkeys(record.label for record in run.classes)
    spared = [label for label in labels if label not in run.labels_that_count]
    return [f"not counted: {say_some(spared)} (declared harmless, or for none of these)"] if spared else []


def _remote(run: Run) -> list[str]:
    """What was sent to a remote target, and what people should know of any target's answers."""
    most = run.about.settings.get("max_queries")
    limit = f" of at most {most:,}" if most and run.queries and run.queries <= most else ""
    told = run.about.target.get("remote", {})
    sent = [] if run.queries is None else [f"queries    {run.queries:,}{limit} rows sent to {told.get('url', 'it')}"]
    return sent + [f"note       {note}" for note in run.about.target.get("notes", [])]


def _columns(run: Run) -> dict[str, dict[str, str]]:
    """By method and label: the strongest image, or in how many of its runs the method reached the class."""
    columns: dict[str, dict[str, str]] = {search.method: {} for search in run.searches}
    if run.repeats > 1:
        for (label, method), share in run.repeated(_TOP).items():
            columns[method][label] = say_share(share)
        return columns
    for record in run.classes:
        columns[record.method][record.label] = _cell(record)
    return columns


def _table(columns: dict[str, dict[str, str]]) -> list[str]:
    labels = list(dict.fromkeys(label for cells in columns.values() for label in cells))
    first = max(len(label) for label in labels)
    widths = {method: max(len(method), *(len(cell) for cell in cells.values())) for method, cells in columns.items()}
    head = [f"{method:<{width}}" for method, width in widths.items()]
    lines = ["   ".join([" " * first, *head]).rstrip()]
    for label in labels:
        row = [f"{cells.get(label, ''):<{widths[method]}}" for method, cells in columns.items()]
        lines.append("   ".join([f"{label:<{first}}", *row]).rstrip())
    return lines


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
