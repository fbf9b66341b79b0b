"""The run-time checker of annotations: beartype, with two kinds of hint made simpler.

``Self`` admits anything: beartype resolves it only where it decorates a whole class, and the import hook decorates one
method at a time. ``type[G]`` is any class: G is bound to a protocol, which cannot be asked about subclasses.
"""

from collections.abc import Callable
from typing import Any, Self, TypeVar, get_args, get_origin

from beartype import beartype

F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """The function, refusing arguments and results that are not as annotated."""
    function.__annotations__ = {name: _checkable(hint) for name, hint in function.__annotations__.items()}
    return beartype(function)


def _checkable(hint: Any) -> Any:
    if get_origin(hint) is type:
        return type
    parts = get_args(hint)
    if hint is Self:
        return Any
    if Self in parts:
        return get_origin(hint)[tuple(map(_checkable, parts))]
    return hint
