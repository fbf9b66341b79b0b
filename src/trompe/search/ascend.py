"""Gradient ascent: one image a class, moved up the slope of the target's own answers."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Generic

import torch
from torch import Tensor

from trompe.core.errors import BadInput
from trompe.core.numerics import Link
from trompe.core.seeds import Stream
from trompe.core.types import Candidates, Climbable, G, Outputs, Rows, Step
from trompe.search.archive import Archive
from trompe.search.contest import BEGINNING, Contest, Plan, Tally
from trompe.search.hide import closeness_slope
from trompe.search.judge import Slope
from trompe.search.rules import RULES, Ground, Hide, Rule
from trompe.search.starts import NATURAL_STARTS, begin, centre_image
from trompe.search.turns import Turn


@dataclass(frozen=True)
class _Climbers(Generic[G]):
    """Where the members of a group stand.

    Attributes:
        genomes: One a member.
        memory: What the rule remembers of each; shape (members, kinds, numbers).
        ids: Int64, shape (members,), the candidate that each stood at before it moved here; -1 at the start.
        stuck: Bool, shape (members,), who found no slope at all and gave up.
    """

    genomes: G
    memory: Tensor
    ids: Rows
    stuck: Tensor


@dataclass(frozen=True)
class _Look(Generic[G]):
    """What some members of a group saw from where they stand."""

    members: Rows
    candidates: Candidates[G]
    slope: Slope


def ascend(
    contest: Contest[G], archive: Archive[G], plan: Plan, tally: Tally = BEGINNING, rule: Rule = RULES["sign-momentum"]
) -> Iterator[Step[G]]:
    """Climb from a start towards each class; the image on the 8-bit grid is judged, kept, and where the slope is taken.

    Classes take turns in groups. A step judges one candidate for each class of the group that is below the goal, and
    each is climbed for its own class but bids for all. A class whose slope is zero everywhere gives up.

    A float genome is moved; what is judged is its expression on the grid, with a straight-through gradient. Nothing of
    that is stored: a search taken up in the middle of a turn computes the turn again from its start, without
    recording, counting or offering anything anew, and goes on to the same bits. In a later round (see `Turn`) a class
    begins again, at another start.

    Reference: Nguyen 2015, section 3.9.

    Args:
        contest: Where candidates are made and judged. Its encoding must be `Climbable`.
        archive: Changed in place.
        plan: How long; ``batch`` is the largest group.
        tally: Where to go on from; by default at the beginning.
        rule: Where a turn begins, what is climbed, and how; one of `RULES` or your own.

    Yields:
        Each step after it happened.

    Raises:
        BadInput: The encoding's genomes cannot be moved by a gradient.
        TargetError: The target has no gradient.
    """
    way = _Way(contest, _climbable(contest), plan.seed, rule)
    turn = Turn.restore(tally.state)
    climbers = way.retrace(turn, tally) if len(turn.open(archive.elites.value, plan)) else None
    while True:
        members = turn.open(archive.elites.value, plan)
        if climbers is not None:
            members = members[~climbers.stuck[members]]
        if climbers is None or not len(members):
            following = turn.next(archive.elites.value, plan, tally.evaluations)
            if following is None:
                return
            turn, climbers, members = following, way.begin(following), torch.arange(len(following.niches))
        members = members[: plan.admitted(len(members), tally.evaluations)]
        if not len(members):
            return
        look = way.look(climbers, turn, members, tally)
        climbers, turn = way.move(climbers, turn, look), turn.after(members)
        tally = replace(tally, backwards=tally.backwards + len(members), state=turn.to_state())
        only = turn.niches[members] if rule.start in NATURAL_STARTS else None
        step, tally = contest.enter(archive, look.candidates, look.slope.outputs, tally, only)
        yield step


@dataclass(frozen=True)
class _Way(Generic[G]):
    """How one search climbs: all of it that stays the same."""

    contest: Contest[G]
    climbable: Climbable[G]
    seed: int
    rule: Rule

    def begin(self, turn: Turn) -> _Climbers[G]:
        """Everybody at the start of a turn."""
        encoding, members = self.contest.encoding, len(turn.niches)
        stream = Stream(self.seed, f"ascend/{encoding.name}", turn.number)
        columns, target = torch.tensor(self.contest.niches.columns)[turn.niches], self.contest.judge.target
        genomes = begin(encoding, target, self.rule.start, columns, stream, self.contest.material)
        numbers = self.climbable.numbers(genomes)
        memory = numbers.new_zeros(members, self.rule.kinds, numbers.shape[1])
        return _Climbers(genomes, memory, torch.full((members,), -1), torch.zeros(members, dtype=torch.bool))

    def look(self, climbers: _Climbers[G], turn: Turn, members: Rows, tally: Tally) -> _Look[G]:
        """Judge where these members stand, each with the slope for its own class."""
        mothers = climbers.ids[members]
        parents = torch.stack([mothers, torch.full_like(mothers, -1)], 1)
        candidates = self.contest.candidates(climbers.genomes.take(members), parents, tally)
        classes = torch.tensor(self.contest.niches.columns)[turn.niches[members]]
        link: Link = self.contest.judge.target.link

        def height(outputs: Outputs, own: Rows) -> Tensor:
            return self.rule.height(outputs, own, link)

        slope = self.contest.judge.slope(candidates.inputs, height, classes)
        if isinstance(self.rule, Hide):
            away = closeness_slope(candidates.inputs, classes, self.contest.material)
            slope = replace(slope, gradient=self.rule.combine(slope.gradient, away))
        return _Look(members, candidates, slope)

    def move(self, climbers: _Climbers[G], turn: Turn, look: _Look[G]) -> _Climbers[G]:
        """Those who looked, one step on; the others where they were."""
        members, genomes = look.members, look.candidates.genomes
        gradient = self.climbable.pull_back(genomes, look.slope.gradient)
        centre = centre_image(self.contest.judge.target)
        ground = Ground(gradient, look.slope.height, turn.steps, centre)
        numbers, memory = self.rule.move(self.climbable.numbers(genomes), climbers.memory[members], ground)
        source = torch.arange(len(turn.niches))
        source[members] = len(source) + torch.arange(len(members))
        everyone = climbers.genomes.join([self.climbable.with_numbers(genomes, numbers)]).take(source)
        return _Climbers(
            everyone,
            climbers.memory.index_copy(0, members, memory),
            climbers.ids.index_copy(0, members, look.candidates.ids),
            climbers.stuck.index_copy(0, members, (gradient == 0.0).all(1)),
        )

    def retrace(self, turn: Turn, tally: Tally) -> _Climbers[G]:
        """Where everybody stands after the recorded steps of a turn, computed again from its start."""
        climbers, done = self.begin(turn), replace(turn, tried=torch.zeros_like(turn.tried))
        while done.steps < turn.steps:
            members = (turn.tried > done.steps).nonzero().flatten()
            # Ids are right for the last step, the only one whose ids are asked for again.
            there = replace(tally, evaluations=tally.evaluations - len(members))
            climbers = self.move(climbers, done, self.look(climbers, done, members, there))
            done = done.after(members)
        return climbers


def _climbable(contest: Contest[G]) -> Climbable[G]:
    if isinstance(contest.encoding, Climbable):
        return contest.encoding
    raise BadInput(
        expected="an encoding whose genomes a gradient can move, such as pixels",
        got=contest.encoding.name,
        where="--by ascend",
        do="Choose another encoding, or another search.",
    )
