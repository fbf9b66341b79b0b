"""MAP-Elites over classes: the paper's loop."""

from collections.abc import Iterator

import torch

from trompe.core.seeds import Stream
from trompe.core.types import G, Parents, Step
from trompe.search.archive import Archive
from trompe.search.contest import BEGINNING, Contest, Plan, Tally


def evolve(contest: Contest[G], archive: Archive[G], plan: Plan, tally: Tally = BEGINNING) -> Iterator[Step[G]]:
    """Random candidates first, then step after step of the occupants' offspring.

    Parents are uniform over niches, with replacement (where the plan has a goal, over those below it); every candidate
    bids for every niche; the archive changes after each step. A step depends on the archive, the plan and its own
    number alone, so a search taken up from a recorded archive goes on as if it had never stopped.

    Reference: Mouret 2015 (MAP-Elites); Nguyen 2015, section 2.2.

    Differs from the paper: its text changes the archive after every candidate, the released code after every
    generation of 200; here it is after every ``plan.batch``. See also `Archive` and `EveryClass`.

    Args:
        contest: Where candidates are made and judged.
        archive: Changed in place.
        plan: How long.
        tally: Where to go on from; by default at the beginning.

    Yields:
        Each step after it happened.
    """
    while room := plan.wanted(tally):
        stream = Stream(plan.seed, f"evolve/{contest.encoding.name}", tally.number + 1, archive.device)
        if tally.number < 0:
            genomes, parents = (
                contest.encoding.random(room, stream),
                torch.full((room, 2), -1, device=archive.device or None),
            )
        else:
            genomes, parents = offspring(contest, archive, room, stream, plan.goal)
        step, tally = contest.hold(archive, genomes, parents, tally)
        yield step


def offspring(
    contest: Contest[G], archive: Archive[G], n: int, stream: Stream, goal: float
) -> tuple[G, Parents]:  # fmt: skip
    """Children and the ids of both parents: the one each child is a copy of first, then its mate."""
    mates, ids = archive.parents(n + n % 2, stream.branch("parents"), goal)
    children = contest.encoding.vary(mates, stream)
    rows = torch.arange(n, device=ids.device)
    return (children if n == len(children) else children.take(rows)), torch.stack([ids[rows], ids[rows ^ 1]], 1)
