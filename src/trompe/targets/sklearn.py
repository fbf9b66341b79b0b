"""A fitted scikit-learn estimator as a target, from memory or from a skops file that runs no code."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy
import torch
from torch import Tensor

from trompe.core.errors import TargetError
from trompe.core.numerics import filled_up
from trompe.core.seeds import Stream
from trompe.targets.declaration import Declaration
from trompe.targets.foreign import ForeignTarget, foreign


@dataclass(frozen=True, eq=False)
class Estimator:
    """A fitted estimator as a model: one row of numbers an image in, ``predict_proba`` out.

    Attributes:
        estimator: Fitted.
        name: For errors.
        digest: Hash of the file or of the parameters it was made of.
    """

    estimator: Any
    name: str
    digest: str

    def __call__(self, batch: Tensor) -> Tensor:
        """Probabilities of every class.

        Raises:
            TargetError: It refuses the input; usually its shape.
        """
        try:
            answer = self.estimator.predict_proba(filled_up(batch.flatten(1)).numpy())
        except (ValueError, TypeError, AttributeError) as cause:
            raise TargetError(
                expected=f"an estimator that takes rows of {batch[0].numel()} numbers",
                got=" ".join(str(cause).split()),
                where=f"target {self.name}",
                do="Declare the shape of its images in a target file: shape = [channels, height, width].",
            ) from cause
        if isinstance(answer, list):  # a yes or no for each label
            answer = numpy.stack(
                [_yes(part, names) for part, names in zip(answer, self.estimator.classes_, strict=True)], 1
            )
        return torch.from_numpy(numpy.asarray(answer, dtype=numpy.float64))[: len(batch)]

    def fingerprint(self) -> str:
        """The digest."""
        return self.digest


def open_skops(text: str, declared: Declaration) -> ForeignTarget:
    """A fitted estimator from a file that skops wrote.

    Raises:
        TargetError: skops is not installed, the file is damaged, or holds types beyond the plain ones that
            ``declared.trust`` does not name.
    """
    try:
        import skops.io
    except ImportError as cause:
        raise TargetError(
            expected="the packages scikit-learn and skops",
            got=str(cause),
            where=f"TARGET {text}",
            do="pip install 'trompe[sklearn]'",
        ) from cause
    path = Path(text)
    try:
        content = path.read_bytes()
        unknown = [name for name in skops.io.get_untrusted_types(data=content) if name not in declared.trust]
    except Exception as cause:  # a damaged archive fails in many ways
        raise _damaged(text, cause) from cause
    if unknown:
        raise TargetError(
            expected="plain scikit-learn and NumPy types only",
            got=f"also {', '.join(unknown)}",
            where=f"TARGET {text}",
            do=f'If you trust them, name them in a target file: trust = ["{unknown[0]}", ...], or with --trust.',
        )
    try:
        estimator = skops.io.loads(content, trusted=list(declared.trust))
    except Exception as cause:
        raise _damaged(text, cause) from cause
    return from_estimator(path.stem, estimator, declared, hashlib.sha256(content).hexdigest())


def from_estimator(name: str, estimator: Any, declared: Declaration, digest: str = "") -> ForeignTarget:
    """A target from a fitted estimator with ``predict_proba``; where undeclared, its images are square and grey.

    Raises:
        TargetError: It has no probabilities, is not fitted, or the shape of its images must be declared.
    """
    wide = getattr(estimator, "n_features_in_", None)
    classes = getattr(estimator, "classes_", None)
    if not callable(getattr(estimator, "predict_proba", None)) or wide is None or classes is None:
        raise TargetError(
            expected="a fitted classifier with predict_proba",
            got=type(estimator).__name__,
            where=f"target {name}",
            do="Fit it with probability estimates (for an SVC, probability=True), or wrap it in a function.",
        )
    labelled = isinstance(classes, list)  # a list of arrays: one yes or no a label
    more = [i for i, names in enumerate(classes) if len(names) > 2] if labelled else []
    if more:
        raise TargetError(
            expected="a yes or no for each label",
            got=f"{len(classes[more[0]])} answers for label {more[0]}",
            where=f"target {name}",
            do="Wrap it in a function that gives one row of numbers an image.",
        )
    side = round(int(wide) ** 0.5)
    known = Declaration(
        shape=(1, side, side) if side * side == int(wide) else None,
        labels=() if labelled else tuple(str(label) for label in classes),
        outputs="probabilities",
        link="independent" if labelled else "softmax",
    )
    return foreign(name, Estimator(estimator, name, digest or _digest(estimator)), declared, known)


def _yes(part: Any, names: Any) -> Any:
    """The column of yes, the last of two; of a label that was always the same in training, that or its contrary."""
    constant = len(names) == 1
    return part[:, 0] * 0.0 if constant and not names[0] else part[:, -1]


def _digest(estimator: Any) -> str:
    """A hash of its parameters and of its answers to 64 fixed rows of numbers; there is no file to hash."""
    rows = Stream(0, "fingerprint", 0).uniform(64, int(estimator.n_features_in_)).numpy()
    answers = estimator.predict_proba(rows)
    parts = answers if isinstance(answers, list) else [answers]
    told = b"".join(numpy.asarray(part, dtype=numpy.float64).tobytes() for part in parts)
    return hashlib.sha256(repr(estimator).encode() + told).hexdigest()


def _damaged(text: str, cause: Exception) -> TargetError:
    return TargetError(
        expected="an estimator that skops wrote",
        got=f"{type(cause).__name__}: {cause}",
        where=f"TARGET {text}",
        do="Write it again with skops.io.dump, with the versions that are installed here.",
    )
