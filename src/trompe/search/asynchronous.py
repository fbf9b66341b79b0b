"""MAP-Elites in which nobody waits for anybody: the archive changes whenever a worker has an answer."""

from collections.abc import Iterator
from dataclasses import replace
from itertools import islice

import torch

from trompe.core.seeds import Stream
from trompe.core.types import G, Step
from trompe.search.archive import Archive
from trompe.search.cluster import ClusterHands
from trompe.search.contest import BEGINNING, Contest, Plan, Tally
from trompe.search.evolve import evolve, offspring


def evolve_asynchronously(
    contest: Contest[G], archive: Archive[G], plan: Plan, tally: Tally = BEGINNING
) -> Iterator[Step[G]]:
    """As `evolve`, but each worker has a batch of its own, and a slow one holds up none of the others.

    Parents are chosen when a batch is sent, of what the archive holds then; when its answer comes, it meets what the
    archive holds by then. Candidates are numbered in the order of the answers, so that nothing about a run says what
    did not happen in it. That order is chance: a run cannot be repeated. Where it is interrupted, what was under way is
    lost and judged by nobody; where it goes on, new numbers are drawn.

    Without workers it is `evolve`.
    """
    hands = contest.hands
    if not isinstance(hands, ClusterHands):
        yield from evolve(contest, archive, plan, tally)
        return
    if tally.number < 0:  # the random beginning, all workers together: before it there are no parents
        for step in islice(evolve(contest, archive, plan, tally), 1):
            tally = Tally(step.number, step.evaluations, step.forwards)
            yield step
    hands.begin()
    drawn = int(tally.state["drawn"]) if "drawn" in tally.state else max(tally.number, 0)
    while True:
        while hands.room > 0 and (more := plan.wanted(_with(tally, *hands.under_way))):
            drawn += 1
            stream = Stream(plan.seed, f"evolve/{contest.encoding.name}", drawn)
            hands.send(*offspring(contest, archive, more, stream, plan.goal), archive.elites.value)
        if not hands.under_way[0]:
            return
        sent, found = hands.next(len(archive.elites.value))
        now = replace(tally, state={"drawn": torch.tensor([drawn])})
        step, tally = contest.settle(archive, sent.genomes, sent.parents, found, now)
        yield step


def _with(tally: Tally, batches: int, candidates: int) -> Tally:
    """Where the search will stand once everything that is under way has been judged."""
    return Tally(tally.number + batches, tally.evaluations + candidates)
