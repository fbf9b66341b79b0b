"""Whether to believe it, what to do about it, how to do it again: facts as pairs of words."""

import shlex
from collections import Counter
from dataclasses import MISSING, dataclass, fields
from typing import Any

from trompe.run.about import NOT_MEASURED
from trompe.run.trust import passed
from trompe.settings import AuditSettings, FoolSettings
from trompe.showing.evidence import Evidence
from trompe.showing.people import people_trust
from trompe.showing.remedies import remedies
from trompe.showing.tiles import say_method
from trompe.showing.words import not_measured, say_count, say_level, say_some

Fact = tuple[str, str]


@dataclass(frozen=True)
class Account:
    """Three lists of facts, each a name and what is known."""

    trust: list[Fact]
    remedies: list[Fact]
    again: list[Fact]
    command: str


_COMMANDS: dict[str, type[AuditSettings | FoolSettings]] = {"audit": AuditSettings, "fool": FoolSettings}


def account(evidence: Evidence) -> Account:
    """The facts of a run, failures first."""
    return Account(trust(evidence), remedies(evidence), again(evidence), command(evidence))


def trust(evidence: Evidence) -> list[Fact]:
    """What was checked, and in so many words what was not."""
    run = evidence.run
    kept = {(record.search, record.niche, item.level or 0.0): item.log_odds
            for record in run.classes for item in record.kept()}  # fmt: skip
    gaps = [abs(odds - evidence.verified[key]) for key, odds in kept.items() if key in evidence.verified]
    checked = f"{say_count(len(gaps))} of {say_count(len(kept))} kept images were read back from disk and judged again"
    apart = f"; largest difference {max(gaps):.2g} in log-odds" if gaps else ""
    missed = [record for record in evidence.counted if record.first(evidence.level) is None]
    return [
        *([(f"Not reached at {say_level(evidence.level)}", _misses(evidence, missed))] if missed else []),
        ("Verified against claimed", checked + apart if kept else not_measured("no image has been recorded")),
        ("Positive control", _control(evidence)),
        ("Findings about the target", _findings(evidence)),
        ("Readers", _readers(evidence)),
        ("People", people_trust(evidence)),
        ("Survival", _survival(evidence)),
        ("Repeats", _repeats(evidence)),
    ]


def again(evidence: Evidence) -> list[Fact]:
    """Seed, versions, commit, machine, time; less of it on a public page."""
    run, about = evidence.run, evidence.run.about
    judge = ", ".join(f"{key} {value}" for key, value in about.judge.items())
    levels = ", ".join(say_level(level) for level in about.levels)
    ended = Counter(search.reason or search.state for search in run.searches)
    facts = [
        ("Target", f"{about.target['name']}, fingerprint {about.target['fingerprint'][:16]}"),
        ("Method", ", ".join(dict.fromkeys(search.method for search in run.searches))),
        ("Seed", str(about.settings.get("seed", "not recorded"))),
        ("Cost", _cost(evidence)),
        ("Ended by", ", ".join(f"{reason}{_times(count, ended)}" for reason, count in ended.items())),
        ("Judge", judge),
        ("Levels kept", levels),
        ("Versions", ", ".join(f"{name} {version}" for name, version in about.versions.items())),
    ]
    if not evidence.public:
        facts += [("Commit", about.commit), ("Machine", about.machine), ("Folder", str(run.folder.absolute()))]
    return [*facts, ("Begun", about.created)]


def command(evidence: Evidence) -> str:
    """The command line that makes this run again; empty where the run was not made by one.

    Headers of a remote target are in it as NAME=VARIABLE: a run knows the name of what holds a secret, and no more.
    """
    about, parts = evidence.run.about, []
    verb = about.settings.get("command", "")
    if verb not in _COMMANDS or (evidence.own.target is None and "remote" not in about.target):
        return ""
    known = {field.name: field for field in fields(_COMMANDS[verb]) if field.name not in ("target", "out", "resume")}
    for name, field in known.items():
        value = about.settings.get(name, _default(field.default))
        if value == _default(field.default):
            continue
        if value is False:
            parts.append(f"--no-{name.replace('_', '-')}")
        else:
            parts += [
                f"--{name.replace('_', '-')}",
                *(str(one) for one in (value if isinstance(value, list) else [value])),
            ]
    target = about.target["name"] if evidence.public else about.target["text"]
    return shlex.join(["trompe", verb, target, *parts, "--out", "NEW"])


def _times(count: int, ended: Counter[str]) -> str:
    return f" ({count} of {ended.total()} searches)" if ended.total() > 1 else ""


def _default(value: Any) -> Any:
    return [] if value is MISSING else list(value) if isinstance(value, tuple) else value


def _misses(evidence: Evidence, missed: list[Any]) -> str:
    several = len(evidence.run.searches) > 1
    names = [f"{record.label} ({say_method(evidence, record)})" if several else record.label for record in missed]
    spent = say_count(max((search.evaluations for search in evidence.run.searches), default=0))
    return f"{say_some(names)}. A miss says no more than: not within {spent} looks."


def _cost(evidence: Evidence) -> str:
    searches = evidence.run.searches
    looks, rows = (sum(getattr(search, key) for search in searches) for key in ("evaluations", "forwards"))
    gradients = sum(search.backwards for search in searches)
    seconds = sum(search.seconds for search in searches)
    time = f"{seconds:.1f}\N{NO-BREAK SPACE}s"
    return f"{say_count(looks)} looks, {say_count(rows)} rows sent, {say_count(gradients)} gradients, {time}"


def _control(evidence: Evidence) -> str:
    rows = evidence.run.measured.get("control") or []
    if not rows:
        return not_measured("the same search was not run against a network known to give way")
    best = max(rows, key=lambda row: row["reached"])
    reached = f"{say_count(best['reached'])} of {say_count(best['attempted'])} classes of a random linear classifier"
    outcome = "passed" if passed(rows) else "failed"
    return f"{outcome}: at the same budget the best method reached {reached} at {say_level(best['level'])}"


def _findings(evidence: Evidence) -> str:
    target = evidence.run.about.target
    if not target.get("examined"):
        return not_measured("it was not inspected for faults of its own")
    found = [f"{item['name']}: {item['means'].rstrip('.')}" for item in target["findings"]]
    return ". ".join([*found, ""]).strip() or "none: it was inspected, and nothing strange was found"


def _readers(evidence: Evidence) -> str:
    reads = evidence.reads
    if reads.lacking:
        return not_measured(reads.lacking)
    asked = f"{', '.join(reads.independent)} read every kept image as it lies on disk"
    left = [name for name in reads.readers if name not in reads.independent]
    return f"{asked}; no person did" + (f". Not counted: {say_some(left)}, not independent" if left else "")


def _survival(evidence: Evidence) -> str:
    transforms = dict.fromkeys(key[3] for key in evidence.run.survival())
    if not transforms:
        return not_measured("JPEG, resizing and shifts by a pixel were not tried on these images")
    return f"every kept image was judged again after {', '.join(transforms)}; the counts are above"


def _repeats(evidence: Evidence) -> str:
    most = evidence.run.repeats
    if most > 1:
        return (
            f"{say_count(most)} runs of each method; counts above are over the best of them, the table under "
            "How hard was it? counts the runs, with intervals over runs and never over classes"
        )
    return f"{NOT_MEASURED}: one run of each method gives counts, without an interval"
