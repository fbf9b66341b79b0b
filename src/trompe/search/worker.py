"""One who judges for a search elsewhere: holds the target, expresses candidates, and says which of them beat it."""

from dataclasses import dataclass
from typing import Any

from trompe.core.numerics import from_levels
from trompe.core.types import Encoding, Images, Niches
from trompe.search.judge import Judge, with_threads
from trompe.search.parts import Part, beating, only_own, pack_beating, unpack_part


@dataclass(frozen=True, eq=False)
class Worker:
    """Everything it takes to judge the candidates of a run's searches; the same for every worker.

    Attributes:
        judge: The target in its own engine.
        encodings: Of every search of the run.
        niches: Of every search of the run.
    """

    judge: Judge
    encodings: tuple[Encoding[Any], ...]
    niches: tuple[Niches, ...]

    def answer(self, message: bytes) -> bytes:
        """Judge a part, and say which of its candidates beat what it says is to be beaten.

        Args:
            message: From `Part.pack`.

        Returns:
            For `unpack_beating`; with the judged bytes where genomes were sent.

        Raises:
            TargetError: The target's answers cannot be judged.
        """
        part: Part[Any] = unpack_part(message, self.encodings)
        inputs = self._inputs(part)
        bids = self.niches[part.search].bids(self.judge.judge(inputs), inputs)
        found = beating(only_own(bids, part.only), part.value, inputs)
        return pack_beating(found, with_inputs=part.levels is None)

    def _inputs(self, part: Part[Any]) -> Images:
        if part.levels is not None:
            return from_levels(part.levels)
        with with_threads(self.judge.settings.threads):
            return self.encodings[part.search].express(part.genomes)
