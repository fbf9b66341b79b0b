"""Whether a run is judged by a cluster, and the workers that it then has."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from trompe.core.check import check_at_least
from trompe.core.errors import BadInput
from trompe.core.types import Encoding, Niches, Target
from trompe.search import CLUSTER, Cluster, Judge, Worker
from trompe.settings import AuditSettings, FoolSettings
from trompe.verbs.thrift import line_of

_SECONDS = 180.0
"""To wait for workers to come, from one to the next."""
_OPTIONS = ("address", "workers", "asynchronous")


def check_cluster(target: Target, settings: FoolSettings | AuditSettings) -> None:
    """Refuse a cluster for a target that others compute already, and its options without one.

    Raises:
        BadInput: There is one.
    """
    if settings.workers is not None:
        check_at_least(settings.workers, 1, "--workers")
    given = [f"--{name}" for name in _OPTIONS if getattr(settings, name)]
    if settings.engine != CLUSTER and given:
        raise BadInput(
            expected=f"no {given[0]} without --engine {CLUSTER}",
            got=f"--engine {settings.engine}" if settings.engine else "no --engine",
            where=given[0],
            do=f"Leave it out, or add --engine {CLUSTER}.",
        )
    if settings.engine == CLUSTER and line_of(target) is not None:
        raise BadInput(
            expected="a target on this machine, to be passed to workers",
            got="one behind a URL",
            where=f"--engine {CLUSTER}",
            do="Leave it out: the server computes.",
        )


@contextmanager
def with_cluster(
    judge: Judge | None, encodings: Sequence[Encoding[Any]], niches: Sequence[Niches], settings: FoolSettings
) -> Iterator[Cluster | None]:
    """Workers for as long as the block lasts; None where the judge is no cluster, or there is none.

    Args:
        judge: Of the searches that need no gradient; None where all do.
        encodings: Of every search of the run.
        niches: Of every search of the run.
        settings: Where the cluster is, and how many workers there are to be.

    Raises:
        TargetError: Ray is not installed, or the target cannot leave this process.
        NoAnswer: The cluster does not answer, or no worker comes.
    """
    if judge is None or judge.settings.engine != CLUSTER:
        yield None
        return
    from trompe.search.on_ray import RayCrew

    worker = Worker(judge, tuple(encodings), tuple(niches))
    crew = RayCrew(worker, settings.workers, settings.address)
    cluster = Cluster(crew, worker)
    try:
        cluster.gather(crew.size, _SECONDS)
        yield cluster
    finally:
        cluster.close()
