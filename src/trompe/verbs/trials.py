"""From finished runs of a portfolio to what they come to together; nothing is judged or read here."""

from collections.abc import Sequence

from trompe.measure.trials import KINDS, Attacked, Judgement, Key, Kind, SearchRow, attacked, decide
from trompe.portfolio import SCALES, Portfolio
from trompe.run import Run
from trompe.run.reads import READERS
from trompe.settings import TrialSettings


def judge_runs(runs: Sequence[Run], settings: TrialSettings, portfolio: Portfolio) -> Judgement:
    """What finished runs of one portfolio come to, counted again from what is recorded in them.

    Args:
        runs: One a model.
        settings: Of the command.
        portfolio: That was tried.
    """
    rows = [row for number, run in enumerate(runs) for row in rows_of(run, number, portfolio)]
    together = all(len(search.niches) <= run.about.search[search.method]["batch"] or "population" in
                   run.about.search[search.method] for run in runs for search in run.searches)  # fmt: skip
    # Where groups of classes take turns, a smaller budget is no beginning of a larger one.
    scales = [scale for scale in SCALES if together and scale <= settings.budget_scale]
    by_budget = {
        scale: [row for number, run in enumerate(runs)
                for row in rows_of(run, number, portfolio, scale / settings.budget_scale)]
        for scale in scales
    }  # fmt: skip
    independent = runs[0].measured[READERS].get("independent", ())
    doubts = list(dict.fromkeys(doubt for run in runs for doubt in run.measured["trials"]["doubts"]))
    unread = next(filter(None, (run.measured["trials"].get("unread", "") for run in runs)), "")
    return decide(rows, settings.level, independent, by_budget, doubts, _not_tried(runs, portfolio), unread)


def rows_of(run: Run, model: int, portfolio: Portfolio, share: float = 1.0) -> list[Attacked]:
    """The trials of one run, with the images that were found within a share of the budget.

    Args:
        run: Of `judge`, finished.
        model: Its number: two models may have one name.
        portfolio: That was tried.
        share: Of the budget, above 0; an image that was the strongest then, and no first one, is not kept.
    """
    told, kinds = run.measured["trials"], portfolio.kinds
    when = {(r.search, r.niche, kept.level or 0.0): kept.evaluations for r in run.classes for kept in r.kept()}
    limits = {search.number: _within(run, search.number, share) for search in run.searches}
    kept = {key: odds for key, odds in run.judgements().items() if when[key] <= limits[key[0]]}
    found = run.measured[READERS].get("reads", ())
    reads: dict[Key, Sequence[str]] = {(int(s), int(n), float(level)): said for s, n, level, said in found}
    name = f"{model}-{run.about.target['name']}"
    searches = [
        SearchRow(search.number, name, search.method, seed, search.niches, kinds[search.method])
        for search, seed in zip(run.searches, told["seeds"], strict=True)
    ]
    target = run.about.target
    return attacked(searches, kept, reads, when, (*target.get("harmless", ()), target.get("abstain", "")))


def _within(run: Run, search: int, share: float) -> float:
    """Evaluations of a search that fall within a share of the portfolio's budget."""
    if share >= 1.0:
        return float("inf")
    numbers = run.about.search[run.searches[search].method]
    steps = int(numbers["generations"] * share) * max(1, int(numbers.get("population", 1)) // int(numbers["batch"]))
    done = [step["evaluations"] for step in run.steps(search) if step["number"] <= steps]
    return float(max(done, default=0))


def _not_tried(runs: Sequence[Run], portfolio: Portfolio) -> dict[Kind, str]:
    """Whole kinds of attack that were not tried, in words."""
    left = {method: why for run in runs for method, why in run.measured["trials"]["left_out"].items()}
    gone: dict[Kind, str] = {}
    for kind in KINDS:
        methods = [method for method, own in portfolio.kinds.items() if own == kind]
        if not methods:
            gone[kind] = f"no {kind} attack was tried: there is none in the portfolio {portfolio.title}"
        elif all(method in left for method in methods):
            gone[kind] = f"no {kind} attack could be tried: {left[methods[0]]}"
    return gone
