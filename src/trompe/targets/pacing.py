"""How fast a server is asked, and how long to wait after it said no. Nothing here is drawn at random."""

import time
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from threading import Event, Lock

RATE = 5.0
"""Requests a second where none is declared and the server is not on this machine."""
LONGEST = 600.0
"""Seconds that a server may ask to be left alone before the run is put off instead."""
_FIRST, _LAST = 0.5, 10.0
_NEAR = 1.0 / 40.0
"""Waiting for a server on this machine, whose owner is waiting too, is so much shorter."""


class Clock:
    """Time, and sleep that can be cut short."""

    def __init__(self) -> None:
        self._awake = Event()

    def now(self) -> float:
        """Seconds, from some beginning."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait so long, or until `wake`."""
        self._awake.wait(seconds)

    def wake(self) -> None:
        """End every sleep, and those to come until `rest`."""
        self._awake.set()

    def rest(self) -> None:
        """Let sleeps be sleeps again."""
        self._awake.clear()

    @property
    def awake(self) -> bool:
        """Whether `wake` was called."""
        return self._awake.is_set()


class Pace:
    """Lets requests begin no closer together than a rate allows, from however many threads.

    Args:
        rate: Requests a second; None for no limit.
        clock: Tells and spends the time.
    """

    def __init__(self, rate: float | None, clock: Clock) -> None:
        self._gap, self._clock = 1.0 / rate if rate else 0.0, clock
        self._next = 0.0
        self._lock = Lock()

    def wait(self) -> None:
        """Return when the next request may begin."""
        if not self._gap:
            return
        with self._lock:
            now = self._clock.now()
            turn = max(now, self._next)
            self._next = turn + self._gap
        self._clock.sleep(turn - now)


def back_off(tries: int, *, near: bool) -> float:
    """Seconds to wait after so many failures, doubling up to a bound.

    Example:
        >>> [back_off(tries, near=False) for tries in (0, 1, 2, 9)]
        [0.5, 1.0, 2.0, 10.0]
    """
    seconds = min(_FIRST * 2.0 ** min(tries, 10), _LAST)
    return seconds * _NEAR if near else seconds


def asked_wait(value: str, today: datetime | None = None) -> float | None:
    """Seconds that a Retry-After header asks for, as a number or as a date; None where it says neither.

    Example:
        >>> asked_wait("7"), asked_wait("soon")
        (7.0, None)
    """
    if value.strip().isdigit():
        return float(value)
    try:
        then = parsedate_to_datetime(value)
    except ValueError:
        return None
    then = then if then.tzinfo else then.replace(tzinfo=UTC)
    return max((then - (today or datetime.now(UTC))).total_seconds(), 0.0)
