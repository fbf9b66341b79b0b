"""Errors that say what was expected, what came, where, and what to do."""

from functools import partial
from typing import Any


class TrompeError(Exception):
    """Something outside trompe is not as it must be; the message has four parts and fits on one line.

    Args:
        expected: What would have been right.
        got: What was found instead.
        where: The file, option or object concerned.
        do: What the reader can do about it, as a full sentence.

    Example:
        >>> raise BadInput(expected="a budget of at least 1", got="0", where="--budget", do="Give a larger number.")
        Traceback (most recent call last):
        ...
        trompe.core.errors.BadInput: --budget: expected a budget of at least 1; got 0. Give a larger number.
    """

    def __init__(self, *, expected: str, got: str, where: str, do: str) -> None:
        self.expected, self.got, self.where, self.do = expected, got, where, do
        super().__init__(" ".join(f"{where}: expected {expected}; got {got}. {do}".split()))

    def __reduce__(self) -> tuple[Any, ...]:
        parts = {"expected": self.expected, "got": self.got, "where": self.where, "do": self.do}
        return partial(type(self), **parts), ()  # by default, what takes keywords cannot leave its process


class BadInput(TrompeError, ValueError):  # noqa: N818  the four words of an error message follow it
    """An option, an array or a name is not usable."""


class TargetError(TrompeError, ValueError):
    """A classifier answers in a way that cannot be judged."""


class NoAnswer(TargetError):  # noqa: N818
    """A classifier does not answer at all for now: its server is down, overloaded or out of reach."""


class DataError(TrompeError, OSError):
    """A data set cannot be had, or is not what it claims to be."""


class RunError(TrompeError, OSError):
    """A run folder cannot be read, written or resumed."""


class Notice(UserWarning):
    """Something that a user must know of a run that goes on all the same, in one sentence."""


_OUT_OF_MEMORY = ("can't allocate memory", "not enough memory", "out of memory")


def out_of_memory(error: BaseException) -> bool:
    """Whether an error only says that there is no memory left, which torch says by a `RuntimeError`.

    Example:
        >>> out_of_memory(MemoryError()), out_of_memory(RuntimeError("sizes do not match"))
        (True, False)
    """
    said = isinstance(error, RuntimeError) and any(sign in str(error) for sign in _OUT_OF_MEMORY)
    return said or isinstance(error, MemoryError)
