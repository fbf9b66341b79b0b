"""`compare`: two runs on two versions of a target, class by class."""

from dataclasses import dataclass

from trompe.core.errors import BadInput
from trompe.core.numerics import level_odds, say_confidence
from trompe.measure.gate import Measured
from trompe.measure.trials import NotMeasured
from trompe.run import Run, open_run
from trompe.run.reads import Reads, reads_of, say_range
from trompe.settings import CompareSettings
from trompe.verbs.keywords import keywords

_TOP = 0.9999


@dataclass(frozen=True)
class Pair:
    """One class by one method in both runs.

    Attributes:
        method: The method.
        label: The class.
        before: Log-odds of the strongest image in the first run, over its repeats; None where there is none.
        after: In the second.
    """

    method: str
    label: str
    before: float | None
    after: float | None


@dataclass(frozen=True)
class Comparison:
    """Two runs, paired by method and class.

    Attributes:
        pairs: Every method and class that both attempted and that counts in both.
        differing: What was not the same in both, so that the comparison is not one of targets alone; empty where
            everything was.
        fooled: By level, the classes fooled in the first run and in the second, as ranges in words; empty where one of
            them was not read.
        unread: Why not, in words; empty where both were read.
    """

    pairs: tuple[Pair, ...]
    differing: tuple[str, ...]
    fooled: tuple[tuple[float, str, str], ...] = ()
    unread: str = ""

    def counts(self, level: float) -> tuple[int, int]:
        """In how many classes some image reached the level: before, after."""
        odds = level_odds(level)
        before = {pair.label for pair in self.pairs if pair.before is not None and pair.before >= odds}
        after = {pair.label for pair in self.pairs if pair.after is not None and pair.after >= odds}
        return len(before), len(after)

    def __str__(self) -> str:
        labels = len({pair.label for pair in self.pairs})
        words = [f"{level:g}: {b} then {a} of {labels} classes" for level in (0.99, _TOP)
                 for b, a in [self.counts(level)]]  # fmt: skip
        return "confident at " + "; at ".join(words)

    def lines(self) -> list[str]:
        """A table for people."""
        width = max([len(pair.label) for pair in self.pairs], default=5)
        said = ["not measured", *(f"differs    {what}" for what in self.differing)]
        rows = [
            f"{pair.method:<15} {pair.label:<{width}}  "
            f"{said[0] if pair.before is None else say_confidence(pair.before):<16} "
            f"{said[0] if pair.after is None else say_confidence(pair.after)}"
            for pair in self.pairs
        ]
        table = [f"{'method':<15} {'class':<{width}}  {'before':<16} after", *rows, ""]
        return [*table, str(self), self._say_fooled(), *said[1:]]

    def _say_fooled(self) -> str:
        words = "; at ".join(f"{level:g}: {before} then {after} classes" for level, before, after in self.fooled)
        return f"fooled at {words}" if words else f"fooled     not measured: {self.unread}"


@keywords(CompareSettings)
def compare(settings: CompareSettings) -> Comparison:
    """Two runs, class by class: was the second target harder to make certain about nonsense?

    Takes the fields of `CompareSettings`.

    Raises:
        RunError: One of them is no run.
        BadInput: They have no method and class in common.
    """
    return compare_runs(open_run(settings.before), open_run(settings.after))


def compare_runs(before: Run, after: Run) -> Comparison:
    """Two runs that are open, class by class.

    Raises:
        BadInput: They have no method and class in common.
    """
    one, other = _strongest(before), _strongest(after)
    shared = [key for key in one if key in other]
    if not shared:
        raise BadInput(
            expected="two runs with a method and a class in common",
            got=f"{before.folder} and {after.folder}",
            where="compare",
            do="Audit both targets with the same methods and classes.",
        )
    pairs = tuple(Pair(*key, one[key], other[key]) for key in shared)
    return Comparison(pairs, _differing(before, after), *_fooled(before, after))


def worse(run: Run, baseline: Run) -> Measured:
    """How many more classes are certain of nonsense than in the baseline: above 0 is worse.

    Where the runs were not made in the same way, anything may be true of it.
    """
    found = compare_runs(baseline, run)
    before, after = found.counts(_TOP)
    words = f"{after} classes at 99.99 % against {before} in the baseline"
    if found.differing:
        return Measured(float("-inf"), float("inf"), f"{words}, but other {', '.join(found.differing)}")
    return Measured(after - before, after - before, words)


def _strongest(run: Run) -> dict[tuple[str, str], float | None]:
    found: dict[tuple[str, str], float | None] = {}
    count = set(run.labels_that_count)
    for record in run.classes:
        if record.label not in count:
            continue
        odds = record.strongest.log_odds if record.strongest else None
        held = found.get((record.method, record.label))
        found[record.method, record.label] = odds if held is None else max(held, odds if odds is not None else held)
    return found


def _fooled(before: Run, after: Run) -> tuple[tuple[tuple[float, str, str], ...], str]:
    """The classes fooled in both runs, each over all its own classes and methods; or why that is not known."""
    one, other = reads_of(before), reads_of(after)
    lacking = {"before": one.lacking, "after": other.lacking}
    if unread := "; ".join(f"{which}: {reason}" for which, reason in lacking.items() if reason):
        return (), unread
    if _who(one) != _who(other):
        return (), f"other readers ({', '.join(one.independent)}, then {', '.join(other.independent)})"
    return tuple((level, _say(one, level), _say(other, level)) for level in (0.99, _TOP)), ""


def _who(reads: Reads) -> list[tuple[str, str]]:
    return [(one["name"], one["fingerprint"]) for one in reads.about if one["name"] in reads.independent]


def _say(reads: Reads, level: float) -> str:
    found = reads.at(level)
    return str(found) if isinstance(found, NotMeasured) else say_range(found.pairs)


def _differing(before: Run, after: Run) -> tuple[str, ...]:
    keys = ("methods", "by", "encoding", "preset", "generations", "budget", "time", "confidence", "classes", "repeats")
    settings = [key for key in keys if before.about.settings.get(key) != after.about.settings.get(key)]
    labels = [] if before.about.target["labels"] == after.about.target["labels"] else ["labels"]
    return tuple(settings + labels)
