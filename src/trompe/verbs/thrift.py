"""A limit on what is sent to a remote target, shared out between searches and what verifying them will take."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from trompe.core.errors import BadInput, TargetError
from trompe.core.types import Target
from trompe.run import Run
from trompe.search import REMOTE, Archive, Judge, JudgeSettings, Plan, Tally

MAX_QUERIES = "max-queries"
"""Why a search ended that had no rows left to send."""


def line_of(target: Target) -> Any:
    """The line to the server behind which a target is; None where it is on this machine."""
    return getattr(target, "line", None)


def remote_judge(target: Target) -> JudgeSettings | None:
    """How a remote target is asked: as many rows at a time as its requests hold; None where it is not remote."""
    line = line_of(target)
    return None if line is None else JudgeSettings(line.batch, engine=REMOTE, reference=REMOTE)


def check_remote(target: Target, settings: Any) -> None:
    """Refuse a limit or a header for a target that nothing is sent to.

    Raises:
        BadInput: There is one.
    """
    given = [name for name in ("max_queries", "header") if getattr(settings, name)]
    if given and line_of(target) is None:
        raise BadInput(
            expected=f"no --{given[0].replace('_', '-')}: nothing is sent to a target on this machine",
            got="one",
            where="--" + given[0].replace("_", "-"),
            do="Leave it out; --budget bounds a search of any target.",
        )


@dataclass(frozen=True, eq=False)
class Thrift:
    """What one search may send.

    Every image that is kept must be asked about once more in the end, so a search stops while there are rows left
    for all of them.

    Attributes:
        judge: Of the run.
        owed: Distinct images that other searches of the run keep.
        searches: How many have not ended, this one included; they share what is left.
        kept: Images this one can keep, at most: one for each niche and level, and the strongest.
    """

    judge: Judge
    owed: int
    searches: int
    kept: int

    @property
    def limited(self) -> bool:
        """Whether there is a limit at all."""
        line = line_of(self.judge.target)
        return line is not None and line.meter.left is not None

    def plan(self, plan: Plan, tally: Tally) -> Plan:
        """The plan, with no more evaluations than there are rows for.

        Raises:
            TargetError: Not one evaluation is possible, and none was made.
        """
        if not self.limited:
            return plan
        grain = self.judge.settings.batch
        share = (self._left() - self._rows(self.owed)) // self.searches // self._crops
        room = max(share // 2, share - self._rows(self.kept) // self._crops) // grain * grain
        if room < 1 and tally.number < 0:
            raise TargetError(
                expected="rows left for at least one image, and for judging it again in the end",
                got=f"{self._left():,} left",
                where="--max-queries",
                do="Give more, or attempt fewer methods.",
            )
        least = tally.evaluations + max(room, 0)
        return replace(plan, budget=least if plan.budget is None else min(plan.budget, least))

    def exhausted(self, plan: Plan, archive: Archive[Any], tally: Tally) -> bool:
        """Whether the next step, and verification after it, would need more rows than are left."""
        wanted = plan.wanted(tally)
        if not self.limited or not wanted:
            return False
        kept = len(set(archive.elites.ids.tolist()) | set(archive.elites.crossed.flatten().tolist()))
        return self._rows(wanted) + self._rows(self.owed + min(kept + wanted, self.kept)) > self._left()

    def _left(self) -> int:
        left: int = line_of(self.judge.target).meter.left
        return left

    def _rows(self, images: int) -> int:
        return self.judge.forwards(images)

    @property
    def _crops(self) -> int:
        return int(getattr(self.judge.target, "rows", 1))


def images_owed(run: Run, but: int) -> int:
    """Distinct images kept by all searches of a run but one."""
    return len({(record.search, kept.candidate) for record in run.classes if record.search != but
                for kept in record.kept()})  # fmt: skip


def searches_left(states: Sequence[str]) -> int:
    """How many searches have not ended."""
    return max(sum(state != "done" for state in states), 1)
