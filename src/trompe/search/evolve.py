"""MAP-Elites over classes: the paper's loop."""

from collections.abc import Iterator

import torch

from trompe.core.seeds import Stream
from trompe.core.types import G, Step
from trompe.search.archive import Archive
from trompe.search.contest import Contest, Plan, Tally


def evolve(contest: Contest[G], archive: Archive[G], plan: Plan, tally: Tally = Tally()) -> Iterator[Step[G]]:  # noqa: B008
    """Random candidates first, then generation after generation of the occupants' offspring.

    Parents are uniform over niches, with replacement; every candidate bids for every niche; the archive changes only
    after a whole generation is judged. Each step depends on the archive, the plan and its own number alone, so a
    search taken up from a recorded archive goes on as if it had never stopped.

    Reference: Mouret 2015 (MAP-Elites); Nguyen 2015, section 2.2.

    Differs from the paper: see `Archive` and `EveryClass`.

    Args:
        contest: Where candidates are made and judged.
        archive: Changed in place.
        plan: How long.
        tally: Where to go on from; the default begins anew.

    Yields:
        Each step after it happened.
    """
    while tally.number < plan.generations:
        number = tally.number + 1
        wanted = plan.population if number else plan.initial
        room = plan.room(tally.evaluations, wanted)
        if not room:
            return
        stream = Stream(plan.seed, f"evolve/{contest.encoding.name}", number)
        if number:
            mates, ids = archive.parents(wanted + wanted % 2, stream.branch("parents"))
            genomes = contest.encoding.vary(mates, stream)
            pair = torch.arange(room)
            parents = torch.stack([ids[pair], ids[pair ^ 1]], 1)
        else:
            genomes = contest.encoding.random(wanted, stream)
            parents = torch.full((room, 2), -1)
        if room < len(genomes):
            genomes = genomes.take(torch.arange(room))
        step, tally = contest.hold(archive, genomes, parents, tally)
        yield step
