"""A Python object, or the factory of one, as a target."""

import hashlib
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, cast

import numpy
import torch
from torch import Tensor, nn

from trompe.core.errors import TargetError
from trompe.core.types import Target
from trompe.targets.declaration import Declaration
from trompe.targets.foreign import check_no_layer, foreign
from trompe.targets.partial import spread
from trompe.targets.reading import FLOOR
from trompe.targets.torch import from_module


@dataclass(frozen=True, eq=False)
class Function:
    """A callable on arrays as a model.

    Attributes:
        function: Takes a batch as an array; gives an array of numbers, or a list of {label: score}.
        labels: In the order of the numbers; needed where it gives scores by label.
        floor: Least probability that its scores tell from 0.
        name: For errors.
    """

    function: Callable[[Any], Any]
    labels: tuple[str, ...]
    floor: float
    name: str

    def __call__(self, batch: Tensor) -> Tensor:
        """Its numbers; of scores by label, probabilities of every class.

        Raises:
            TargetError: It failed, or gives something else.
        """
        return self._tensor(self.answer(batch))

    def answer(self, batch: Tensor) -> Any:
        """What the function gives, as it is.

        Raises:
            TargetError: It failed.
        """
        try:
            return self.function(batch.numpy())
        except Exception as cause:
            raise TargetError(
                expected=f"an answer to an array of shape {tuple(batch.shape)}, {batch.dtype}".replace("torch.", ""),
                got=f"{type(cause).__name__}: {cause}",
                where=f"target {self.name}",
                do="Call it with such an array by yourself; a target file declares its preprocessing.",
            ) from cause

    def fingerprint(self) -> str:
        """A hash of its name and, where it has any, of its code: what it computes with is not looked into."""
        code = getattr(getattr(self.function, "__call__", self.function), "__code__", None)  # noqa: B004
        own = getattr(self.function, "__code__", code)
        return hashlib.sha256(f"{self.name} {own.co_code.hex() if own else ''}".encode()).hexdigest()

    def _tensor(self, answer: Any) -> Tensor:
        if isinstance(answer, list | tuple) and answer and isinstance(answer[0], Mapping):
            return spread(answer, self.labels, self.floor, f"target {self.name}")
        try:
            return torch.as_tensor(numpy.asarray(answer))
        except (TypeError, ValueError, RuntimeError) as cause:
            raise TargetError(
                expected="an array of shape (n, classes), or a list of {label: score}",
                got=f"{type(answer).__name__}",
                where=f"target {self.name}",
                do="Return scores; a label without a score says nothing of certainty.",
            ) from cause


def from_object(thing: object, declared: Declaration, name: str = "") -> Target:
    """A target from a Python object: a target as it is, a torch module, a fitted estimator, or a callable on arrays.

    Raises:
        TargetError: It is none of these, or does not answer as declared.
    """
    name = name or getattr(thing, "name", "") or type(thing).__name__
    if callable(getattr(thing, "judge", None)) and callable(getattr(thing, "fingerprint", None)):
        check_no_layer(declared, name)
        return cast("Target", thing)
    if isinstance(thing, nn.Module):
        return from_module(name, thing, declared)
    if callable(getattr(thing, "predict_proba", None)):
        from trompe.targets.sklearn import from_estimator

        return from_estimator(name, thing, declared)
    if callable(thing):
        labels = declared.labels if isinstance(declared.labels, tuple) else ()
        model = Function(thing, labels, declared.floor or FLOOR, name)
        known = Declaration(outputs="probabilities" if _gives_scores(model, declared) else "")
        return foreign(name, model, declared, known)
    raise TargetError(
        expected="a torch module, a fitted estimator with predict_proba, or a callable on arrays",
        got=type(thing).__name__,
        where="TARGET",
        do="Wrap it in a function from an array of images to an array of scores.",
    )


def from_factory(text: str, declared: Declaration) -> Target:
    """The target that ``package.module:factory`` makes; this runs other people's code.

    What the name stands for is called without arguments where it is a function, unless the function itself is the
    model (it takes an argument).

    Raises:
        TargetError: It cannot be imported or called, or gives no model.
    """
    module_name, _, attribute = text.partition(":")
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        factory = getattr(import_module(module_name), attribute)
        made = factory if _is_model(factory) else factory()
    except Exception as cause:
        raise TargetError(
            expected="package.module:factory, a function without arguments that returns a model",
            got=f"{type(cause).__name__}: {cause}",
            where=f"TARGET {text}",
            do="Try it in Python, from this folder: import it and call it.",
        ) from cause
    return from_object(made, declared, text)


def _is_model(thing: object) -> bool:
    if isinstance(thing, nn.Module) or hasattr(thing, "judge") or hasattr(thing, "predict_proba"):
        return not isinstance(thing, type)
    code = getattr(thing, "__code__", None)
    required = code.co_argcount - len(getattr(thing, "__defaults__", None) or ()) if code else 0
    return bool(required > 0)


def _gives_scores(model: Function, declared: Declaration) -> bool:
    """Whether it answers by label: seen by asking about one black image."""
    if declared.shape is None:
        return False
    answer = model.answer(declared.prepared.apply(torch.zeros(1, *declared.shape)))
    return isinstance(answer, list | tuple) and bool(answer) and isinstance(answer[0], Mapping)
