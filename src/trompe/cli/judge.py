"""`trompe judge TARGET`."""

import json
from typing import Any

from trompe.cli.parse import parse, plain
from trompe.settings import TrialSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code: 0 whatever came of it, since nothing was asked to be decided."""
    settings, show = parse("judge", TrialSettings, words)
    from trompe.cli.show import watching
    from trompe.verbs.judge import case_of, run_case

    case = case_of(settings)
    searches = len(case.portfolio.kinds) * len(case.seeds) * len(case.targets)
    done: dict[str, int] = {}
    with watching("search", searches, quiet=show.quiet or show.json) as watch:

        def tell(session: Any) -> None:
            done[str(session.folder)] = session.current
            watch.tell(sum(done.values()) + len(done) - 1, session.attempt.method)

        judged = run_case(case, tell)
    if show.json:
        print(json.dumps(judged.describe(), ensure_ascii=False, allow_nan=False))
        return 0
    for line in lines(judged):
        print(plain(line))
    return 0


def lines(judged: Any) -> list[str]:
    """What came of it, for a terminal; every number is in judgement.json."""
    from trompe.measure.trials import NotMeasured

    told, found = judged.judgement, judged.judgement.measured
    names = [juror.reader.name for juror in judged.jurors if not juror.excluded]
    head = [
        f"portfolio  {judged.portfolio.title}, {sum(len(run.searches) for run in judged.runs)} searches",
        f"confident  {told.confident} trials reached {100 * told.level:g} %, readable or not",
        f"readers    {', '.join(names) or 'none'}",
        *(f"           {juror.reader.name} does not count: {juror.excluded}" for juror in judged.jurors
          if juror.excluded),
    ]  # fmt: skip
    if isinstance(found, NotMeasured):
        middle = [f"open       {found}"]
    else:
        middle = [
            f"open       {found.open} trials",
            f"           images that no reader reads: {found.open.low}; that not every reader reads: {found.open.high}",
            f"           over {found.unit}; of the pairs {found.pairs}",
            f"worst      {found.worst}",
            f"images     {found.readable}",
            "",
            *_table(found.cells),
            "",
        ]
    left = {method: why for methods in judged.left_out.values() for method, why in methods.items()}
    budget = [f"budget     x{scale}: {found} open" for scale, found in told.by_budget.items()]
    return [
        *head,
        *middle,
        *budget,
        *(f"left out   {method}: {why}" for method, why in left.items()),
        *(f"unsettled  {why}" for why in told.unsettled),
        f"verdict    {told.verdict}",
        f"written    {judged.folder / 'judgement.json'}; pictures: trompe report {judged.runs[0].folder}",
    ]


def _table(cells: Any) -> list[str]:
    """Open trials by attack and start, the largest cell first."""
    rows = [("attack", "start", "open trials"), *((cell.attack, cell.start, str(cell.open)) for cell in cells)]
    widths = [max(len(row[i]) for row in rows) for i in range(3)]
    return ["  ".join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip() for row in rows]
