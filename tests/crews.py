"""Workers in this process: they answer in whatever order a test wants, die when it wants, and are replaced."""

from collections.abc import Callable
from typing import Any

from arena import LEVELS

from trompe.core.types import Niches
from trompe.search import Cluster, ClusterHands, Contest, EveryClass, Judge, JudgeSettings, Worker
from trompe.search.cluster import Event


class LocalCrew:
    """Answers with what a worker says.

    Args:
        worker: What each holds.
        size: How many there are.
        choose: Of the numbers of busy workers, who answers next; the first to be sent something by default.
        dies: Whether a worker dies of a message; asked with the worker's number and how many were sent before.
        joins: Whether somebody comes for who died.
    """

    def __init__(
        self, worker: Worker, size: int, choose: Callable[[list[int]], int] = lambda busy: busy[0],
        dies: Callable[[int, int], bool] = lambda *_: False, joins: bool = True,
    ) -> None:  # fmt: skip
        self.worker, self._choose, self._dies, self._joins = worker, choose, dies, joins
        self._coming, self._hired = list(range(1, size + 1)), size
        self.inbox: dict[int, tuple[int, bytes]] = {}
        self.messages: list[bytes] = []
        self.replies: list[bytes] = []
        self.closed = False

    def send(self, worker: int, message: bytes) -> None:
        assert worker not in self.inbox, "a worker that is busy was sent another part"
        self.inbox[worker] = len(self.messages), message
        self.messages.append(message)

    def receive(self, seconds: float | None = None) -> Event | None:
        if self._coming:
            return Event(self._coming.pop(0))
        if not self.inbox:
            assert seconds is not None, "waits for ever"
            return None
        worker = self._choose(list(self.inbox))
        before, message = self.inbox.pop(worker)
        if self._dies(worker, before):
            if self._joins:
                self._hired += 1
                self._coming.append(self._hired)
            return Event(worker, lost="killed")
        self.replies.append(self.worker.answer(message))
        return Event(worker, self.replies[-1])

    def close(self) -> None:
        self.closed = True


def crewed(contest: Contest[Any], size: int, **how: Any) -> tuple[Contest[Any], LocalCrew]:
    """The same contest, judged by so many workers, and these."""
    worker = Worker(contest.judge, (contest.encoding,), (contest.niches,))
    crew = LocalCrew(worker, size, **how)
    cluster = Cluster(crew, worker)
    cluster.gather(size, 1.0)
    niches: Niches = contest.niches
    return Contest(contest.encoding, contest.judge, niches, LEVELS, hands=ClusterHands(cluster, 0)), crew


def plain_worker(target: Any, encoding: Any, batch: int = 4) -> Worker:
    """One that holds a target and one search."""
    return Worker(Judge(target, JudgeSettings(batch)), (encoding,), (EveryClass.of(target),))
