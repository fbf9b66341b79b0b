"""The baseline: as many random candidates, and the best of them."""

from collections.abc import Iterator

import torch

from trompe.core.seeds import Stream
from trompe.core.types import G, Step
from trompe.search.archive import Archive
from trompe.search.contest import BEGINNING, Contest, Plan, Tally


def scatter(contest: Contest[G], archive: Archive[G], plan: Plan, tally: Tally = BEGINNING) -> Iterator[Step[G]]:
    """Random candidates, batch after batch; nothing is learned from one for the next.

    Takes and yields what `evolve` does, so that both can be compared at equal evaluations.
    """
    while room := plan.wanted(tally):
        stream = Stream(plan.seed, f"scatter/{contest.encoding.name}", tally.number + 1, archive.device)
        genomes = contest.encoding.random(room, stream)
        parents = torch.full((room, 2), -1, device=archive.device or None)
        step, tally = contest.hold(archive, genomes, parents, tally)
        yield step
