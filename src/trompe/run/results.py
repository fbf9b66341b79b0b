"""What a run shows: one PNG for every kept image, and ``results.json``."""

import json
import math
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from statistics import median
from typing import Any

from trompe.core.errors import RunError
from trompe.core.numerics import probability, say_confidence
from trompe.core.specs import ImageSpec
from trompe.core.tokens import spec_from
from trompe.measure.trials import Key, Measured, Range
from trompe.run.about import NOT_MEASURED, NOT_SET, RESULTS_VERSION
from trompe.run.read import ClassRecord, Kept, Run
from trompe.run.reads import READERS, WHICH, Reads, reads_of, say_range
from trompe.run.rows import PACKERS
from trompe.run.survived import counted
from trompe.run.trust import first_line

RESULTS = "results.json"


def publish(run: Run) -> None:
    """Write the PNG of every kept image, then ``results.json``; each file as a whole or not at all.

    Raises:
        RunError: The folder cannot be written.
    """
    write_images(run)
    write_results(run)


def write_images(run: Run) -> None:
    """One PNG for every kept image, with a text chunk that says what it is.

    Raises:
        RunError: The folder cannot be written.
    """
    spec, maker, target = read_spec(run), run.about.versions["trompe"], run.about.target["name"]

    def write(kept: Kept) -> None:
        path = run.folder / kept.file
        path.parent.mkdir(parents=True, exist_ok=True)
        note = f"trompe {maker}: made to be labelled {kept.label} by {target}; not a photograph"
        spec.write(path, kept.levels, note)

    with _writing(run.folder), ThreadPoolExecutor(PACKERS) as pool:  # compressing takes most of it
        list(pool.map(write, [kept for record in run.classes for kept in record.kept()]))


def write_results(run: Run) -> None:
    """``results.json``, from what the database holds.

    Raises:
        RunError: The folder cannot be written.
    """
    part = run.folder / f".{RESULTS}.part"
    text = json.dumps(results(run), indent=2, ensure_ascii=False, allow_nan=False)
    with _writing(run.folder):
        part.write_text(text + "\n", encoding="utf-8")
        part.replace(run.folder / RESULTS)


@contextmanager
def _writing(folder: Path) -> Iterator[None]:
    try:
        yield
    except RunError:
        raise
    except OSError as cause:
        raise RunError(
            expected="a folder that can be written",
            got=cause.strerror or str(cause),
            where=str(folder),
            do="Free some space or change the permissions, then go on with --resume; everything recorded is kept.",
        ) from cause


def read_spec(run: Run) -> ImageSpec:
    """The inputs of the run's target."""
    return spec_from(run.about.target["spec"])


def results(run: Run) -> dict[str, Any]:
    """The content of ``results.json``; see docs/run-format.md. What was not measured says so in words."""
    judgements, survival, reads = run.judgements(), counted(run), reads_of(run)
    told = run.superclasses()
    return {
        "first_line": first_line(run.about.target),
        "schema_version": RESULTS_VERSION,
        "trompe": run.about.versions["trompe"],
        "state": run.state,
        "target": run.about.target,
        "settings": {key: NOT_SET if value is None else value for key, value in run.about.settings.items()},
        "judge": run.about.judge,
        "classes": [
            _class_entry(run, record, judgements) | _superclasses(run, record, told) | _reads_entry(run, record, reads)
            for record in run.classes
        ],
        "summary": {**_summary(run, judgements), **({"fooled": fooled(run, reads)} if _asked(run) else {})},
        **({"survival": [asdict(each) for each in survival]} if survival else {}),
        "measured": run.measured,
    }


def _class_entry(run: Run, record: ClassRecord, judgements: dict[tuple[int, int, float], float]) -> dict[str, Any]:
    search = run.searches[record.search]
    missing = f"not within {search.evaluations} evaluations"
    best = record.strongest
    verified = judgements.get((record.search, record.niche, 0.0))
    firsts = {f"{level:g}": record.first(level) for level in run.about.levels}
    return {
        "label": record.label,
        "method": record.method,
        "search": record.search,
        "confidence": best.confidence if best else NOT_MEASURED,
        "log_odds": best.log_odds if best else NOT_MEASURED,
        "verified_confidence": NOT_MEASURED if verified is None else probability(verified),
        "verified_log_odds": NOT_MEASURED if verified is None else verified,
        "evaluations": search.evaluations,
        "forwards": search.forwards,
        "backwards": search.backwards,
        "evaluations_to": {level: kept.evaluations if kept else missing for level, kept in firsts.items()},
        "image_first": {level: kept.file if kept else missing for level, kept in firsts.items()},
        "image_strongest": best.file if best else NOT_MEASURED,
    }


def _asked(run: Run) -> bool:
    """Whether the run is younger than readers; an older one's results stay as they were written."""
    return READERS in run.measured


def _reads_entry(run: Run, record: ClassRecord, reads: Reads) -> dict[str, Any]:
    """What each reader said of a class's images; nothing where none was asked."""
    if not reads.said:
        return {}
    firsts = {f"{level:g}": _said(reads, (record.search, record.niche, level)) for level in run.about.levels}
    strongest = _said(reads, (record.search, record.niche, 0.0))
    return {"read_as": {"first": firsts, "strongest": strongest}}


def _said(reads: Reads, key: Key) -> dict[str, str] | str:
    return reads.said.get(key, NOT_MEASURED)


def fooled(run: Run, reads: Reads) -> dict[str, Any] | str:
    """Fooled classes and open trials by level, then by method and by first or strongest image; or why not.

    JSON-ready, as it stands in ``results.json``, and with people's word among the reads in ``people.json``.
    """
    if reads.lacking:
        return f"{NOT_MEASURED}: {reads.lacking}"
    found = {f"{level:g}": measured for level in run.about.levels if isinstance(measured := reads.at(level), Measured)}
    return {
        "readers": list(reads.independent),
        "classes": {level: _range(one.pairs) for level, one in found.items()},
        "trials": {level: _range(one.open) for level, one in found.items()},
        "images": {method: _images(run, reads, method) for method in dict.fromkeys(s.method for s in run.searches)},
    }


def _range(found: Range) -> dict[str, Any]:
    """Both rules: what no reader reads, and what not every reader reads."""
    return {
        "least": found.low.count,
        "most": found.high.count,
        "of": found.high.of,
        "readers_disagree": found.disagree,
        "words": say_range(found),
    }


def _images(run: Run, reads: Reads, method: str) -> dict[str, Any]:
    """The confident images of a method, by first or strongest and by level: how many, and how they are read."""
    return {
        which: {
            f"{level:g}": found.readable.describe()
            for level in run.about.levels
            if isinstance(found := reads.at(level, method=method, which=which), Measured)
        }
        for which in WHICH
    }


def _superclasses(run: Run, record: ClassRecord, told: dict[tuple[int, int, float, str], float]) -> dict[str, Any]:
    """By superclass of the class, how sure the target is of the strongest image; nothing where none is declared."""
    why = run.measured.get("superclasses", {}).get("not_measured")
    missing = f"{NOT_MEASURED}: {why}" if why else NOT_MEASURED
    found: dict[str, Any] = {}
    for name, members in run.about.superclasses.items():
        if record.label in members:
            odds = told.get((record.search, record.niche, 0.0, name))
            known = {} if odds is None else {"verified_confidence": probability(odds), "verified_log_odds": odds}
            found[name] = known or missing
    return {"superclasses": found} if run.about.superclasses else {}


def _summary(run: Run, judgements: dict[tuple[int, int, float], float]) -> dict[str, Any]:
    odds = [best.log_odds for label in run.labels_that_count if (best := run[label].strongest)]
    images = {(r.search, r.niche, k.level or 0.0): k.log_odds for r in run.classes for k in r.kept()}
    gaps = [abs(judgements[key] - odds) for key, odds in images.items() if key in judgements]
    counts = {f"{level:g}": run.confident(level) for level in run.about.levels}
    middle = median(odds) if odds else None
    return {
        "attempted": len(run.labels_that_count),
        "median_confidence": NOT_MEASURED if middle is None else probability(middle),
        "median_log_odds": NOT_MEASURED if middle is None else middle,
        "median_in_words": NOT_MEASURED if middle is None else say_confidence(middle),
        "confident": {level: str(count) for level, count in counts.items()},
        "repeats": _repeats(run),
        "verified": f"{len(gaps)} of {len(images)} images",
        "largest_difference": max(gaps) if gaps else NOT_MEASURED,
        "evaluations": sum(search.evaluations for search in run.searches),
        "forwards": sum(search.forwards for search in run.searches),
        "backwards": sum(search.backwards for search in run.searches),
        **({} if run.queries is None else {"queries": run.queries}),
        "seconds": round(math.fsum(search.seconds for search in run.searches), 3),
        "ended": [search.reason or search.state for search in run.searches],
    }


def _repeats(run: Run) -> dict[str, Any] | str:
    """By method, label and level: in how many repeats the level was reached; in words where there was one run each."""
    if run.repeats == 1:
        return f"{NOT_MEASURED}: one run of each method gives counts, without an interval"
    shares = {level: run.repeated(level) for level in run.about.levels}
    table: dict[str, Any] = {}
    for label, method in shares[run.about.levels[0]]:
        entry = {f"{level:g}": asdict(shares[level][label, method]) for level in run.about.levels}
        table.setdefault(method, {})[label] = entry
    return table


def read_results(folder: Path) -> dict[str, Any]:
    """The content of a run's ``results.json``.

    Raises:
        RunError: Missing or damaged.
    """
    try:
        content = json.loads((folder / RESULTS).read_text(encoding="utf-8"))
        if not isinstance(content, dict):
            raise ValueError(f"a JSON {type(content).__name__} instead of an object")
    except (OSError, ValueError) as cause:
        raise RunError(
            expected=f"a readable {RESULTS}",
            got=str(cause),
            where=str(folder / RESULTS),
            do="Write it again with --resume.",
        ) from cause
    return content
