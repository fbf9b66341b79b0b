"""The run-time checker of annotations: beartype, with those hints left out that it cannot check.

Left out are ``Self`` (resolved only where a whole class is decorated, and the import hook decorates one method at a
time), type variables and protocols (which answer no ``isinstance``). Whatever stands beside them, as in
``tuple[G, Rows]``, is checked. Shapes and types of tensors always are.
"""

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, Union, get_args, get_origin

from beartype import BeartypeConf, beartype

_TYPED = beartype(conf=BeartypeConf(is_pep484_tower=True))  # an int is a float
F = TypeVar("F", bound=Callable[..., Any])


def checked(function: F) -> F:
    """The function, refusing arguments and results that are not as annotated."""
    function.__annotations__ = {name: _checkable(hint) for name, hint in function.__annotations__.items()}
    return _TYPED(function)


def _checkable(hint: Any) -> Any:
    origin, parts = get_origin(hint), get_args(hint)
    if hint is Self or isinstance(hint, TypeVar) or getattr(origin or hint, "_is_protocol", False):
        return Any
    if origin is type or (isinstance(origin, type) and issubclass(origin, Generic)):
        return origin
    simpler = tuple(map(_checkable, parts))
    if all(new is old for new, old in zip(simpler, parts, strict=True)):
        return hint
    if isinstance(origin, type) and hasattr(origin, "__class_getitem__"):
        return origin[simpler]
    return Union[simpler]  # noqa: UP007  made of parts that are known only now
