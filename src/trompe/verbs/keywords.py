"""From a settings record to keyword arguments: the fields are written down once, in `trompe.settings`."""

from collections.abc import Callable
from functools import update_wrapper
from inspect import Parameter, Signature, signature
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
S = TypeVar("S")
R = TypeVar("R")


def keywords(settings: Callable[P, S]) -> Callable[[Callable[[S], R]], Callable[P, R]]:
    """Let a function of one settings record be called with the record's fields as arguments.

    Example:
        >>> from pathlib import Path
        >>> from trompe.settings import VerifySettings
        >>> @keywords(VerifySettings)
        ... def where(settings: VerifySettings) -> str:
        ...     return str(settings.run)
        >>> where(Path("run")), where(run=Path("run"))
        ('run', 'run')
    """

    def wrap(work: Callable[[S], R]) -> Callable[P, R]:
        def call(*args: P.args, **kwargs: P.kwargs) -> R:
            return work(settings(*args, **kwargs))

        update_wrapper(call, work)
        # What help() and editors show is the record's signature; the wrapped function's own is of no use to a caller.
        del call.__wrapped__  # type: ignore[attr-defined]
        call.__annotations__ = {}
        call.__signature__ = _shown(settings, work)  # type: ignore[attr-defined]
        return call

    return wrap


def _shown(settings: Callable[..., object], work: Callable[..., object]) -> Signature:
    fields: list[Parameter] = list(signature(settings).parameters.values())
    return Signature(fields, return_annotation=signature(work).return_annotation)
