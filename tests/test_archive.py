"""The archive, against a loop over candidates one by one, and by its laws."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trompe.core.errors import TargetError
from trompe.core.numerics import level_odds
from trompe.core.seeds import Stream
from trompe.core.types import Bids, Candidates
from trompe.encodings import PixelGenomes
from trompe.search import Archive

LEVELS = (0.5, 0.9, 0.99)
NOTHING = -math.inf


def candidates(first: int, n: int) -> Candidates[PixelGenomes]:
    """Candidates whose genome and input hold their own id, so that a mixed-up row shows."""
    ids = torch.arange(first, first + n)
    genes = ids.to(torch.float32).reshape(-1, 1).expand(-1, 4).contiguous()
    inputs = (ids.to(torch.float32) / 1000.0).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2)
    return Candidates(ids, torch.stack([ids + 5000, ids + 6000], 1), PixelGenomes(genes), inputs)


def bids(rows: list[list[float]]) -> Bids:
    return Bids(torch.tensor(rows, dtype=torch.float64))


class Oracle:
    """Candidates enter one by one; strictly better takes the niche; the first to reach a level is noted."""

    def __init__(self, niches: int) -> None:
        self.value = [NOTHING] * niches
        self.ids = [-1] * niches
        self.crossed = [[-1] * len(LEVELS) for _ in range(niches)]

    def offer(self, first: int, rows: list[list[float]]):
        before, new = list(self.ids), []
        for row, values in enumerate(rows):
            for niche, value in enumerate(values):
                if value > self.value[niche]:
                    self.value[niche], self.ids[niche] = value, first + row
                for place, level in enumerate(LEVELS):
                    if value >= math.log(level) - math.log1p(-level) and self.crossed[niche][place] < 0:
                        self.crossed[niche][place] = first + row
                        new.append((niche, place, first + row, value))
        won = [
            (niche, new_id, self.value[niche])
            for niche, (old_id, new_id) in enumerate(zip(before, self.ids, strict=True))
            if old_id != new_id
        ]
        return won, sorted(new)


coarse = st.sampled_from([NOTHING, -3.0, 0.0, 1.0, level_odds(0.9), 2.5, level_odds(0.99), 9.0])
value = coarse | st.floats(-20.0, 20.0)


@st.composite
def offers(draw):
    """Batches of bids for some niches, with many ties."""
    niches = draw(st.integers(1, 5))
    row = st.lists(value, min_size=niches, max_size=niches)
    return niches, draw(st.lists(st.lists(row, min_size=1, max_size=8), min_size=1, max_size=5))


@given(offers())
def test_an_offer_of_a_batch_does_what_one_by_one_would(offered):
    """Catches `>=` for `>`, the last of equals, a skipped row or niche, a level noted late or twice, mixed-up rows."""
    niches, batches = offered
    archive, oracle, first = Archive(niches, LEVELS), Oracle(niches), 0
    for rows in batches:
        wins = archive.offer(candidates(first, len(rows)), bids(rows))
        won, new = oracle.offer(first, rows)
        winner_ids, first_ids = wins.winners.ids, wins.firsts.ids
        assert list(zip(wins.niche.tolist(), winner_ids[wins.row].tolist(), wins.value.tolist(), strict=True)) == won
        found = zip(
            wins.first_niche.tolist(), wins.first_level.tolist(), first_ids[wins.first_row].tolist(),
            wins.first_value.tolist(), strict=True,
        )  # fmt: skip
        assert list(found) == new
        assert archive.elites.value.tolist() == oracle.value
        assert archive.elites.ids.tolist() == oracle.ids
        assert archive.elites.crossed.tolist() == oracle.crossed
        first += len(rows)


@given(offers())
def test_whoever_holds_a_niche_is_there_with_genome_and_inputs_of_its_own(offered):
    """Catches genomes, inputs or parents seated under another's id."""
    niches, batches = offered
    archive, first = Archive(niches, LEVELS), 0
    for rows in batches:
        wins = archive.offer(candidates(first, len(rows)), bids(rows))
        for part in (wins.winners, wins.firsts):
            assert len(set(part.ids.tolist())) == len(part)  # once each
            expected = candidates(0, first + len(rows)).take(part.ids)
            assert torch.equal(part.genomes.genes, expected.genomes.genes)
            assert torch.equal(part.inputs, expected.inputs)
            assert torch.equal(part.parents, expected.parents)
        elites = archive.elites
        for niche in (elites.ids >= 0).nonzero().flatten().tolist():
            assert elites.genomes.genes[niche].tolist() == [float(elites.ids[niche])] * 4
        first += len(rows)


@given(offers())
def test_values_never_fall_and_first_crossings_never_change(offered):
    niches, batches = offered
    archive, first = Archive(niches, LEVELS), 0
    for rows in batches:
        value, crossed = archive.elites.value.clone(), archive.elites.crossed.clone()
        archive.offer(candidates(first, len(rows)), bids(rows))
        first += len(rows)
        assert bool((archive.elites.value >= value).all())
        assert torch.equal(archive.elites.crossed[crossed >= 0], crossed[crossed >= 0])


@given(offers())
def test_offering_the_same_again_changes_nothing(offered):
    """Catches `>=`: equals must not take over."""
    niches, batches = offered
    archive, first = Archive(niches, LEVELS), 0
    for rows in batches:
        archive.offer(candidates(first, len(rows)), bids(rows))
        state = (archive.elites.ids.tolist(), archive.elites.value.tolist(), archive.elites.crossed.tolist())
        wins = archive.offer(candidates(first + 500, len(rows)), bids(rows))
        assert (len(wins.niche), len(wins.winners), len(wins.first_niche), len(wins.firsts)) == (0, 0, 0, 0)
        assert state == (archive.elites.ids.tolist(), archive.elites.value.tolist(), archive.elites.crossed.tolist())
        first += len(rows)


@given(offers())
def test_how_candidates_are_batched_does_not_change_who_holds_what(offered):
    niches, batches = offered
    rows = [row for batch in batches for row in batch]
    together, apart = Archive(niches, LEVELS), Archive(niches, LEVELS)
    together.offer(candidates(0, len(rows)), bids(rows))
    for number, row in enumerate(rows):
        apart.offer(candidates(number, 1), bids([row]))
    assert together.elites.ids.tolist() == apart.elites.ids.tolist()
    assert together.elites.crossed.tolist() == apart.elites.crossed.tolist()
    assert together.elites.value.tolist() == apart.elites.value.tolist()


def test_among_equals_the_earliest_wins_however_many_there_are():
    """Holds `argmax` to the first of equals, also where it works in parallel or in vectors."""
    for n in (2, 17, 64, 1000, 40_000):
        archive = Archive(2, LEVELS)
        rows = torch.zeros(n, 2, dtype=torch.float64)
        rows[n // 2 :, 1] = 3.0
        wins = archive.offer(candidates(0, n), Bids(rows))
        assert wins.winners.ids[wins.row].tolist() == [0, n // 2]
        assert archive.elites.crossed.tolist() == [[0, -1, -1], [0, n // 2, -1]]


def test_a_level_counts_as_reached_exactly_at_it():
    archive = Archive(1, (0.9,))
    below = math.nextafter(level_odds(0.9), 0.0)
    archive.offer(candidates(0, 1), bids([[below]]))
    assert archive.elites.crossed.tolist() == [[-1]]
    archive.offer(candidates(1, 1), bids([[level_odds(0.9)]]))
    assert archive.elites.crossed.tolist() == [[1]]


def test_the_first_to_reach_a_level_need_not_win():
    """Catches first crossings that are looked for among the winners only."""
    archive = Archive(1, LEVELS)
    wins = archive.offer(candidates(0, 3), bids([[0.5], [0.2], [7.0]]))
    assert archive.elites.crossed.tolist() == [[0, 2, 2]]
    assert wins.firsts.ids.tolist() == [0, 2]
    assert wins.winners.ids.tolist() == [2]


def test_no_bid_at_all_leaves_a_niche_empty():
    archive = Archive(2, LEVELS)
    wins = archive.offer(candidates(0, 2), bids([[NOTHING, 1.0], [NOTHING, NOTHING]]))
    assert wins.niche.tolist() == [1]
    assert archive.elites.ids.tolist() == [-1, 0]
    assert archive.elites.value.tolist() == [NOTHING, 1.0]


def test_an_archive_in_which_nobody_bids_has_no_parents():
    archive = Archive(2, LEVELS)
    archive.offer(candidates(0, 1), bids([[NOTHING, NOTHING]]))
    with pytest.raises(LookupError, match="an empty archive has no parents; offer candidates first"):
        archive.parents(2, Stream(0, "parents", 0))


def test_a_bid_that_is_no_number_is_refused_and_changes_nothing():
    archive = Archive(2, LEVELS)
    archive.offer(candidates(0, 1), bids([[0.0, 0.0]]))
    with pytest.raises(TargetError, match=r"^candidate 7: expected a number for every bid; got NaN\. Check the model"):
        archive.offer(candidates(5, 3), bids([[1.0, 1.0], [2.0, 2.0], [3.0, math.nan]]))
    assert archive.elites.ids.tolist() == [0, 0]
    assert archive.elites.value.tolist() == [0.0, 0.0]


def test_what_was_given_out_is_not_changed_by_later_offers():
    """Catches a win that shares memory with the archive: a recorded step would change under the writer's hands."""
    archive = Archive(2, LEVELS)
    wins = archive.offer(candidates(0, 2), bids([[1.0, 0.0], [0.0, 2.0]]))
    value, genes = wins.value.clone(), wins.winners.genomes.genes.clone()
    parents, ids = archive.parents(4, Stream(0, "parents", 0))
    bred = parents.genes.clone(), ids.clone()
    archive.offer(candidates(2, 1), bids([[9.0, 9.0]]))
    assert torch.equal(wins.value, value)
    assert torch.equal(wins.winners.genomes.genes, genes)
    assert torch.equal(parents.genes, bred[0])
    assert torch.equal(ids, bred[1])


def test_parents_are_uniform_over_the_occupied_niches_and_come_with_their_genomes():
    """Catches parents uniform over candidates, an end that is never drawn, and empty niches among them."""
    archive = Archive(6, LEVELS)
    rows = [[1.0, 1.0, 1.0, 0.0, NOTHING, 0.0], [0.0, 0.0, 0.0, 1.0, NOTHING, 0.0], [0.0, 0.0, 0.0, 0.0, NOTHING, 5.0]]
    archive.offer(candidates(0, 3), bids(rows))
    n = 30_000
    genomes, ids = archive.parents(n, Stream(0, "parents", 0))
    assert torch.equal(genomes.genes[:, 0], ids.to(torch.float32))
    counts = ids.bincount(minlength=3).tolist()
    for count, share in zip(counts, (0.6, 0.2, 0.2), strict=True):  # niches held: 3, 1, 1 of 5
        assert abs(count - n * share) < 3 * math.sqrt(n * share * (1 - share))


def test_parents_are_drawn_independently():
    """Catches a draw without replacement or mates that are always the same."""
    archive = Archive(4, LEVELS)
    archive.offer(candidates(0, 4), Bids(torch.eye(4, dtype=torch.float64)))
    _, ids = archive.parents(40_000, Stream(1, "parents", 0))
    pairs = (4 * ids[0::2] + ids[1::2]).bincount(minlength=16).to(torch.float64)
    assert ((pairs - 1250) ** 2 / 1250).sum() < 39.7  # 99.95 % quantile at 15 degrees of freedom
    again, _ = archive.parents(40_000, Stream(1, "parents", 0))
    other, _ = archive.parents(40_000, Stream(1, "parents", 1))
    assert torch.equal(again.genes[:, 0].long(), ids)
    assert not torch.equal(other.genes[:, 0].long(), ids)


def test_niches_at_the_goal_give_no_parents_unless_all_are():
    """Catches a goal that is not reached exactly at it, a goal that closes a niche for good, and no parents at all."""
    archive = Archive(3, (0.5,))
    genomes = PixelGenomes(torch.arange(3.0).unsqueeze(1))
    candidates = Candidates(torch.arange(3), torch.full((3, 2), -1), genomes, torch.zeros(3, 1, 1, 1))
    archive.offer(candidates, Bids(torch.diag(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64)) - 1e-9))
    archive.elites.value.copy_(torch.tensor([1.0, 2.0, 3.0], dtype=torch.float64))
    stream = Stream(0, "below", 0)
    assert set(archive.parents(99, stream, below=2.0)[1].tolist()) == {0}
    assert set(archive.parents(99, stream, below=2.5)[1].tolist()) == {0, 1}
    assert set(archive.parents(99, stream, below=0.5)[1].tolist()) == {0, 1, 2}
    assert torch.equal(archive.parents(99, stream)[1], archive.parents(99, stream, below=9.0)[1])
