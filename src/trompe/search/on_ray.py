"""Workers on a Ray cluster, on this machine or on many. Ray is imported here only, and sends no statistics."""

import logging
import os
import signal
import socket
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Any

import torch

from trompe.core.errors import NoAnswer, Notice, TargetError, TrompeError
from trompe.search.cluster import Event
from trompe.search.worker import Worker
from trompe.targets.device import on_device

_SECONDS = 5.0
_PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + bytes([0, 0, 0, 4, 0, 0, 0, 0, 0])
"""How a gRPC connection begins, with empty settings: a Ray head answers with settings of its own."""
_SETTINGS = 4
_MEMORY = 200_000_000
"""Of a cluster on this machine, bytes for what is passed around: the target, once."""


class Seat:
    """Where a worker sits: a process of the cluster with one worker in it, on a GPU where it was given one.

    Args:
        worker: What it holds.
    """

    def __init__(self, worker: Worker) -> None:
        target = on_device(worker.judge.target, "cuda" if torch.cuda.is_available() else "cpu")
        self.worker = replace(worker, judge=replace(worker.judge, target=target))

    def come(self) -> tuple[bytes, list[str]]:
        """Nothing; once it is answered, the worker is there."""
        return b"", []

    def answer(self, message: bytes) -> tuple[bytes, list[str]]:
        """As `Worker.answer`, with what users must know of it."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            reply = self.worker.answer(message)
        return reply, [str(one.message) for one in caught if issubclass(one.category, Notice)]

    def process(self) -> int:
        """Its process on its machine."""
        return os.getpid()


class RayCrew:
    """Workers on Ray. The target is passed to each machine once; whoever dies is replaced.

    Args:
        worker: What each of them holds.
        workers: How many; None for one a GPU of the cluster, or where it has none, a processor (by judge's threads).
        address: Of a cluster: HOST:PORT, or auto for the one this machine is part of; None to start one here, which
            ends with this crew.

    Attributes:
        size: How many workers there are to be.

    Raises:
        TargetError: Ray is not installed, or the target cannot leave this process.
        NoAnswer: Nothing that is Ray answers there.
    """

    def __init__(self, worker: Worker, workers: int | None, address: str | None) -> None:
        self._ray = load_ray()
        threads = worker.judge.settings.threads
        self._ours = not self._ray.is_initialized()
        if self._ours:
            _connect(self._ray, address, None if workers is None else workers * threads)
        found = self._ray.cluster_resources()
        gpus = int(found.get("GPU", 0))
        self._needs = {"num_gpus": 1} if gpus else {"num_cpus": threads}
        self.size = workers or gpus or max(1, int(found.get("CPU", 1)) // threads)
        self._seats: dict[int, Any] = {}
        self._calls: dict[Any, int] = {}
        self._hired = 0
        try:
            self._worker = self._ray.put(worker)
        except (TypeError, AttributeError, ValueError) as cause:  # as pickling says that it cannot
            self.close()
            raise _stays(worker, cause.__cause__ or cause) from cause
        for _ in range(self.size):
            self._hire()

    def send(self, worker: int, message: bytes) -> None:
        """Let a free worker judge a part."""
        self._calls[self._seats[worker].answer.remote(message)] = worker

    def receive(self, seconds: float | None = None) -> Event | None:
        """What happens next; None where nothing does for so long.

        Raises:
            TrompeError: That a worker met while judging.
        """
        done, _ = self._ray.wait(list(self._calls), num_returns=1, timeout=seconds)
        if not done:
            return None
        worker = self._calls.pop(done[0])
        try:
            reply, notices = self._ray.get(done[0])
        except self._ray.exceptions.RayTaskError as failure:
            if isinstance(failure.cause, TrompeError):
                raise failure.cause from None
            raise
        except self._ray.exceptions.RayError as failure:
            del self._seats[worker]
            self._hire()
            return Event(worker, lost=_last_line(str(failure)))
        return Event(worker, reply, notices=tuple(notices))

    def processes(self) -> list[int]:
        """Of every worker that is there, on its machine."""
        return list(self._ray.get([seat.process.remote() for seat in self._seats.values()]))

    def close(self) -> None:
        """Let all of them go, and the cluster with them where it was started here."""
        for seat in self._seats.values():
            with suppress(Exception):
                self._ray.kill(seat)
        self._seats.clear()
        self._calls.clear()
        if self._ours:
            self._ray.shutdown()

    def _hire(self) -> None:
        self._hired += 1
        seat = self._ray.remote(Seat).options(**self._needs, max_restarts=0).remote(self._worker)
        self._seats[self._hired] = seat
        self._calls[seat.come.remote()] = self._hired


def load_ray() -> Any:
    """The package, told before its import to send no statistics.

    Raises:
        TargetError: It is not installed.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
    os.environ.setdefault("RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO", "0")
    os.environ.setdefault("RAY_raylet_start_wait_time_s", "120")  # its 30 are too few for a busy machine
    try:
        import ray
        import ray.exceptions
    except ImportError as cause:
        raise TargetError(
            expected="the package ray",
            got="not installed",
            where="--engine ray",
            do="pip install 'trompe[ray]'; or choose another engine.",
        ) from cause
    return ray


def _connect(ray: Any, address: str | None, cpus: int | None) -> None:
    """Join the cluster at an address, or start one here.

    Raises:
        NoAnswer: It does not answer, or refuses.
    """
    if address not in (None, "auto", "local"):
        _check_address(str(address))
    own: dict[str, Any] = {"num_cpus": cpus, "include_dashboard": False, "object_store_memory": _MEMORY}
    try:
        with _quiet():
            ray.init(
                address=address or "local", log_to_driver=False, configure_logging=False, logging_level=logging.ERROR,
                **({} if address not in (None, "local") else own),
            )  # fmt: skip
    except Exception as cause:  # many, of no common base
        raise (_unanswered(str(address), _last_line(str(cause))) if address else _unstarted(cause)) from cause
    _silence(ray)


def _silence(ray: Any) -> None:
    """Stop the thread that prints what Ray says of dead workers: it is said by us, in one line."""
    with suppress(AttributeError):  # nothing of this is public
        worker = ray._private.worker.global_worker
        worker.threads_stopped.set()  # or the thread would ask the closed subscriber again and again, on a whole core
        worker.gcs_error_subscriber.close()


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Ray's advice, and with the handling of SIGTERM put back, which Ray takes over."""
    logger = logging.getLogger("ray")
    level, handler = logger.level, signal.getsignal(signal.SIGTERM)
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
        with suppress(ValueError):  # not in the main thread, where Ray does not touch it either
            signal.signal(signal.SIGTERM, handler)


def _check_address(address: str) -> None:
    """Refuse in seconds what Ray would wait minutes for.

    Raises:
        NoAnswer: Not HOST:PORT, or nobody there, or not Ray.
    """
    host, _, port = address.rpartition(":")
    if not host or not port.isdigit() or "/" in address:
        raise _unanswered(address, "no address of a head, HOST:PORT")
    if os.environ.get("RAY_USE_TLS") == "1":
        return
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS) as line:
            line.sendall(_PREFACE)
            begun = line.recv(9, socket.MSG_WAITALL)
    except (OSError, OverflowError) as cause:
        raise _unanswered(address, f"no answer within {_SECONDS:g} s ({cause})") from cause
    if len(begun) < 4 or begun[3] != _SETTINGS:
        raise _unanswered(address, "an answer that is not Ray's")


def _unanswered(address: str, got: str) -> NoAnswer:
    return NoAnswer(
        expected="a Ray cluster that answers",
        got=got,
        where=f"--address {address}",
        do="Run trompe on a machine of the cluster, with the HOST:PORT that `ray start --head` said, or auto.",
    )


def _unstarted(cause: Exception) -> NoAnswer:
    return NoAnswer(
        expected="a Ray cluster that starts on this machine",
        got=_last_line(str(cause)),
        where="--engine ray",
        do="Do it again when the machine is less busy, or start one with `ray start --head` and give --address auto.",
    )


def _stays(worker: Worker, cause: BaseException) -> TargetError:
    return TargetError(
        expected="a target that can be passed to other processes",
        got=_last_line(str(cause)),
        where=f"target {worker.judge.target.name}",
        do="Give it in a file or by a name; or choose another engine.",
    )


def _last_line(text: str) -> str:
    """The end of what Ray says, which is its point."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1][:300].rstrip(".") if lines else "nothing said"
