"""What a run grants a target behind a URL, and the count of what was sent to it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Lock

from trompe.core.errors import TargetError


@dataclass(frozen=True)
class Access:
    """What a run grants a target behind a URL.

    Attributes:
        limit: Rows that may be sent, at most; None for no such limit.
        budget: Whether the search has a budget of its own, which bounds them where `limit` does not.
        spent: Rows that were sent before, where a run goes on.
        headers: To be sent beside those of the target file; each value is ``env:NAME``.
        run: What the run is called in the User-Agent.
    """

    limit: int | None = None
    budget: bool = False
    spent: int = 0
    headers: Mapping[str, str] = field(default_factory=dict)
    run: str = "none"


class Meter:
    """Counts rows before they are sent, so that no kill and no error leaves one uncounted, and none is one too many.

    Args:
        limit: Rows at most; None for no limit.
        sent: Rows that were sent before.

    Attributes:
        limit: As given.
        sent: Rows sent, with retries, inspection and verification.

    Example:
        >>> meter = Meter(limit=3)
        >>> meter.spend(2)
        >>> meter.sent, meter.left
        (2, 1)
    """

    def __init__(self, limit: int | None = None, sent: int = 0) -> None:
        self.limit, self.sent, self._before = limit, sent, sent
        self._note: Callable[[int], None] | None = None
        self._lock = Lock()

    @property
    def left(self) -> int | None:
        """Rows that may still be sent; None without a limit."""
        return None if self.limit is None else max(self.limit - self.sent, 0)

    def go_on(self, before: int, limit: int | None) -> None:
        """Count from what a run had sent before this process, under the run's limit where it has one."""
        with self._lock:
            self.sent += before - self._before
            self._before, self.limit = before, self.limit if limit is None else limit

    def keep(self, note: Callable[[int], None] | None) -> None:
        """From now on, have every new count written down before anything is sent; the present one at once."""
        with self._lock:
            self._note = note
            if note is not None:
                note(self.sent)

    def admit(self, rows: int) -> None:
        """Refuse what would go beyond the limit, before any of it is sent.

        Raises:
            TargetError: It would.
        """
        if self.limit is not None and self.sent + rows > self.limit:
            raise TargetError(
                expected=f"at most {self.limit:,} rows sent to the target",
                got=f"{self.sent:,} sent and {rows:,} more needed",
                where="--max-queries",
                do="What was recorded is kept: go on with --resume and a larger --max-queries.",
            )

    def spend(self, rows: int) -> None:
        """Count rows that are about to be sent.

        Raises:
            TargetError: They would go beyond the limit; then nothing is counted.
        """
        with self._lock:
            self.admit(rows)
            if self._note is not None and rows:
                self._note(self.sent + rows)
            self.sent += rows

    def give_back(self, rows: int) -> None:
        """Take back a count of what could not be sent: no connection came about."""
        with self._lock:
            self.sent -= rows
            if self._note is not None and rows:
                self._note(self.sent)
