"""Many who judge for one search: parts go out, what beats the archive comes back, and the dead are replaced."""

import warnings
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Generic, Protocol

import torch
from torch import Tensor

from trompe.core.errors import NoAnswer, Notice
from trompe.core.numerics import to_levels
from trompe.core.types import G, Images, Parents, Rows
from trompe.search.judge import Judge, with_threads
from trompe.search.parts import Beating, Part, joined, lighter_as_genomes, unpack_beating
from trompe.search.worker import Worker

CLUSTER = "ray"
"""Engine of a judge whose target is computed by the workers of a Ray cluster, each in the target's own engine."""
PARTS = 8
"""Calls that a step is divided into, where they are large enough; so many workers it can keep busy at once."""
FEWEST, MOST = 8, 256
"""Rows a call: at least (where there are so many), and at most."""
TRIES = 3
"""Workers that may die of one part."""


def part_rows(rows: int) -> int:
    """Rows a call, of steps of so many candidates; whatever the number of workers, so that results do not hang on it.

    Example:
        >>> part_rows(4), part_rows(50), part_rows(400), part_rows(16_384)
        (4, 8, 50, 256)
    """
    return min(rows, MOST, max(FEWEST, -(-rows // PARTS)))


@dataclass(frozen=True)
class Event:
    """Something that a worker did.

    Attributes:
        worker: Its number.
        reply: To the part that it was sent; empty where it has only now come and is free.
        lost: Why it is gone, with the part that it had; empty where it is not.
        notices: What users must know of it.
    """

    worker: int
    reply: bytes = b""
    lost: str = ""
    notices: tuple[str, ...] = ()


class Crew(Protocol):
    """Workers, wherever they are. Whoever is lost is replaced by another, which comes when it can."""

    def send(self, worker: int, message: bytes) -> None:
        """Let a free worker judge a part."""
        ...

    def receive(self, seconds: float | None = None) -> Event | None:
        """What happens next; None where nothing does for so long.

        Raises:
            TrompeError: That a worker met while judging.
        """
        ...

    def close(self) -> None:
        """Let all of them go."""
        ...


@dataclass(eq=False)
class Cluster:
    """Sends parts to whoever is free, again where a worker died, and each answer is counted once.

    Attributes:
        crew: Who judges.
        worker: What each of them holds.
        sent: Bytes of messages to workers so far.
        received: Bytes of their answers so far.
        notices: What users must know of the workers, one sentence each.
    """

    crew: Crew
    worker: Worker
    sent: int = 0
    received: int = 0

    def __post_init__(self) -> None:
        self.notices: list[str] = []
        self._free: list[int] = []
        self._busy: dict[int, int | None] = {}  # worker: the part it has; None where nobody wants it any more
        self._messages: dict[int, bytes] = {}  # of parts without an answer
        self._waiting: deque[int] = deque()  # parts that no worker has
        self._lost: Counter[int] = Counter()
        self._in_a_row = self._number = 0

    def gather(self, workers: int, seconds: float) -> None:
        """Wait until so many workers have come, or for so long; those that are late join when they come.

        Raises:
            NoAnswer: Not one has come, or they die.
        """
        while len(self._free) < workers and (event := self.crew.receive(seconds)) is not None:
            self._note(event)
        if not self._free:
            raise NoAnswer(
                expected=f"at least one of {workers} workers",
                got=f"none within {seconds:g} seconds",
                where="--engine ray",
                do="See with `ray status` whether the cluster has processors or GPUs to spare.",
            )
        if len(self._free) < workers:
            self._tell(f"{len(self._free)} of {workers} workers have come; the others join when they can")

    @property
    def workers(self) -> int:
        """How many there are now."""
        return len(self._free) + len(self._busy)

    def post(self, message: bytes) -> int:
        """Have a part judged as soon as somebody is free; returns its number."""
        self._number += 1
        self._messages[self._number] = message
        self._waiting.append(self._number)
        self._send()
        return self._number

    def collect(self) -> tuple[int, bytes]:
        """The number of a part that was posted, and the answer to it: whichever comes first.

        Raises:
            NoAnswer: Workers die one after the other.
            TargetError: A worker's target gave answers that cannot be judged.
        """
        while True:
            event = self.crew.receive()
            if event is None:
                continue
            part = self._note(event)
            self._send()
            if part is not None:
                return part, event.reply

    def forget(self) -> None:
        """Nobody wants the answers to what was posted so far."""
        self._busy = dict.fromkeys(self._busy)
        self._messages.clear()
        self._waiting.clear()

    def close(self) -> None:
        """Let the workers go."""
        self.crew.close()

    def _send(self) -> None:
        while self._free and self._waiting:
            worker, part = self._free.pop(0), self._waiting.popleft()
            self._busy[worker] = part
            self.sent += len(self._messages[part])
            self.crew.send(worker, self._messages[part])

    def _note(self, event: Event) -> int | None:
        """Take note of what a worker did; the part that it answered, if somebody wants the answer."""
        part = self._busy.pop(event.worker, None)
        for notice in event.notices:
            self._tell(f"worker {event.worker}: {notice}")
        if event.lost:
            self._free = [worker for worker in self._free if worker != event.worker]
            self._mourn(event, part)
            return None
        self._free.append(event.worker)
        if event.reply:
            self._in_a_row = 0
            self.received += len(event.reply)
        if part is None or part not in self._messages:
            return None
        del self._messages[part]
        return part

    def _mourn(self, event: Event, part: int | None) -> None:
        """A worker is gone: what it had goes to the next one that is free, unless workers keep on dying."""
        self._in_a_row += 1
        if part is not None and part in self._messages:
            self._lost[part] += 1
            self._waiting.appendleft(part)
            self._tell(f"worker {event.worker} died; what it had is judged again")
        if self._lost[part or 0] >= TRIES or self._in_a_row > TRIES * (self.workers + 1):
            raise NoAnswer(
                expected="workers that live until they answer",
                got=f"one after the other dead, the last of: {event.lost}",
                where="--engine ray",
                do="See their logs; what was recorded is kept: go on with --resume, perhaps with a smaller --batch.",
            )

    def _tell(self, notice: str) -> None:
        self.notices.append(notice)
        warnings.warn(notice, Notice, stacklevel=2)


@dataclass(frozen=True, eq=False)
class Sent(Generic[G]):
    """Candidates that were sent to be judged.

    Attributes:
        genomes: One a candidate.
        parents: Int64, shape (n, 2), -1 where there is none.
        images: What they look like, where that is what was sent.
    """

    genomes: G
    parents: Parents
    images: Images | None


@dataclass(eq=False)
class ClusterHands(Generic[G]):
    """The workers of a cluster as the hands of one search.

    Attributes:
        cluster: Theirs.
        search: Its number in the run.
    """

    cluster: Cluster
    search: int

    def __post_init__(self) -> None:
        self._sent: dict[int, Sent[G]] = {}

    def judge(self, genomes: G, value: Tensor, only: Rows | None = None) -> Beating:
        """Those of the candidates whose bids may change the archive; they do not depend on who judged which.

        Every worker gets about as many as every other, in whole calls of the judge.

        Args:
            genomes: One a candidate.
            value: Float64, shape (niches,), what the archive holds.
            only: Int64, shape (n,), the one niche that each candidate bids for; by default each bids for all.
        """
        self.begin()
        images, starts = self._images(genomes), {}
        found: list[tuple[int, Beating]] = []
        for rows in shares(len(genomes), self._judge.settings.batch, self.cluster.workers):
            mine, own = None if images is None else images[rows], None if only is None else only[rows]
            starts[self.cluster.post(self._pack(genomes.take(rows), mine, value, own))] = rows
        while len(found) < len(starts):
            number, reply = self.cluster.collect()
            rows = starts[number]
            part = unpack_beating(reply, len(value), None if images is None else images[rows])
            found.append((int(rows[0]), part))
        return joined(found)

    def begin(self) -> None:
        """Nothing that was sent before is waited for any more."""
        self.cluster.forget()
        self._sent.clear()

    def send(self, genomes: G, parents: Parents, value: Tensor) -> None:
        """Have candidates judged by whoever is free next, without waiting for it.

        Args:
            genomes: One a candidate.
            parents: Int64, shape (n, 2), -1 where there is none.
            value: Float64, shape (niches,), what the archive holds.
        """
        images = self._images(genomes)
        number = self.cluster.post(self._pack(genomes, images, value))
        self._sent[number] = Sent(genomes, parents, images)

    def next(self, niches: int) -> tuple[Sent[G], Beating]:
        """Whatever of what was sent is judged first, and what was found in it."""
        number, reply = self.cluster.collect()
        sent = self._sent.pop(number)
        return sent, unpack_beating(reply, niches, sent.images)

    @property
    def under_way(self) -> tuple[int, int]:
        """How many batches were sent and not judged yet, and how many candidates are in them."""
        return len(self._sent), sum(len(sent.genomes) for sent in self._sent.values())

    @property
    def room(self) -> int:
        """How many more batches it takes for every worker to have one at hand and one to go on with."""
        return 2 * max(self.cluster.workers, 1) - len(self._sent)

    @property
    def _judge(self) -> Judge:
        return self.cluster.worker.judge

    def _images(self, genomes: G) -> Images | None:
        """What the candidates look like, where sending that takes fewer bytes than sending them."""
        encoding = self.cluster.worker.encodings[self.search]
        if lighter_as_genomes(genomes, self._judge.target.spec.shape):
            return None
        with with_threads(self._judge.settings.threads):
            return encoding.express(genomes)

    def _pack(self, genomes: G, images: Images | None, value: Tensor, only: Rows | None = None) -> bytes:
        if images is None:
            return Part(self.search, value, genomes=genomes, only=only).pack()
        return Part[G](self.search, value, levels=to_levels(images), only=only).pack()


def shares(n: int, batch: int, workers: int) -> Iterator[Rows]:
    """So many candidates for so many workers, about as many for each, all but the last in whole batches.

    Example:
        >>> [rows.tolist() for rows in shares(7, 2, 3)]
        [[0, 1, 2, 3], [4, 5], [6]]
    """
    calls = -(-n // batch)
    count = max(1, min(workers, calls))
    ends = [min(n, batch * (-(-calls * (i + 1) // count))) for i in range(count)]
    for first, end in zip([0, *ends[:-1]], ends, strict=True):
        yield torch.arange(first, end)
