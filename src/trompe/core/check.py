"""Checks at the door: what comes from outside is looked at once, here, and trusted afterwards."""

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from pathlib import Path

import torch
from torch import Tensor

from trompe.core.errors import BadInput, TargetError
from trompe.core.types import Outputs


def check_images(images: Tensor, shape: Sequence[int], where: str, *, look: bool = True) -> None:
    """Refuse anything but a float32 batch in [0, 1] of inputs of the given shape.

    Args:
        images: The batch.
        shape: Of one input.
        where: Who is asked, for the message.
        look: Whether to look at values, for which one has to wait where they are on a GPU; otherwise any will do.

    Raises:
        BadInput: Another type, shape or range, or not a number.
    """
    if images.dtype == torch.float32 and tuple(images.shape[1:]) == tuple(shape) and (not look or _in_range(images)):
        return
    raise BadInput(
        expected=f"images as float32 in [0, 1] with shape ({', '.join(map(str, ('n', *shape)))})",
        got=_say_array(images),
        where=where,
        do="Divide bytes by 255, move channels first, add a batch axis.",
    )


def check_outputs(outputs: Outputs, rows: int, labels: Sequence[str], where: str, *, look: bool = True) -> None:
    """Refuse answers that cannot be judged.

    Args:
        outputs: The answers.
        rows: How many inputs there were.
        labels: One a column.
        where: Who answered, for the message.
        look: Whether to look at logits, for which one has to wait where they are on a GPU; see `with_faults_marked`.

    Raises:
        TargetError: Not one row an input, not one column a label, or a logit that is NaN or +infinity; or features
            that are not one row of numbers an input.
    """
    logits = outputs.logits
    if tuple(logits.shape) != (rows, len(labels)):
        raise TargetError(
            expected=f"logits of shape ({rows}, {len(labels)}), one row an input and one column a label",
            got=f"shape {tuple(logits.shape)}",
            where=where,
            do="Check that the model has one output a class and that the labels are its labels.",
        )
    features = outputs.features
    if features is not None and (features.ndim != 2 or len(features) != rows or not bool(features.isfinite().all())):
        raise TargetError(
            expected=f"features of shape ({rows}, d), all of them numbers",
            got=f"shape {tuple(features.shape)}" + ("" if bool(features.isfinite().all()) else " with NaN or infinity"),
            where=where,
            do="Name another layer.",
        )
    # A finite sum is proof that all is well, at a fraction of the cost; only otherwise is each entry looked at.
    if not look or bool(torch.isfinite(logits.sum())):
        return
    bad = _faults(logits)
    if bool(bad.any()):
        row, column = bad.nonzero()[0].tolist()
        raise TargetError(
            expected="logits that are numbers below +infinity, at least one of them above -infinity",
            got=f"{logits[row, column].item()} for class {labels[column]!r} in row {row} of {rows}",
            where=where,
            do="Run the model on this kind of input by itself; a model in float16 often overflows here.",
        )


def with_faults_marked(logits: Tensor) -> Tensor:
    """The logits, those that `check_outputs` would refuse as NaN, which makes a bid NaN, which no archive takes."""
    return logits.masked_fill(_faults(logits), torch.nan)


def _faults(logits: Tensor) -> Tensor:
    return torch.isnan(logits) | torch.isposinf(logits) | torch.isneginf(logits).all(1, keepdim=True)


def check_name(name: str, known: Iterable[str], where: str) -> None:
    """Refuse a name that is not known, suggesting the nearest one.

    Raises:
        BadInput: The name is not among the known ones.
    """
    names = list(known)
    if name in names:
        return
    near = get_close_matches(name, names, n=1, cutoff=0.5)
    shown = ", ".join(names[:12]) + (f", and {len(names) - 12} more" if len(names) > 12 else "")
    raise BadInput(
        expected=f"one of {shown}",
        got=repr(name),
        where=where,
        do=f"Did you mean {near[0]!r}?" if near else "Choose a name from the list.",
    )


def check_at_least(value: float, least: float, where: str) -> None:
    """Refuse a number below the least sensible one.

    Raises:
        BadInput: It is below, or not a number.
    """
    if not value >= least:
        raise BadInput(
            expected=f"a number of at least {least:g}", got=f"{value:g}", where=where, do="Give a larger number."
        )


def check_level(level: float, where: str) -> None:
    """Refuse a confidence level that is not strictly between 0 and 1.

    Raises:
        BadInput: It is 0, 1, outside, or not a number.
    """
    if not 0.0 < level < 1.0:
        raise BadInput(
            expected="a confidence strictly between 0 and 1",
            got=f"{level:g}",
            where=where,
            do="Give for example 0.9999; certainty itself is never reached by a softmax.",
        )


def _in_range(images: Tensor) -> bool:
    if not images.numel():
        return True
    low, high = images.detach().aminmax()
    return bool(low >= 0.0) and bool(high <= 1.0)


def _say_array(images: Tensor) -> str:
    kind = str(images.dtype).removeprefix("torch.")
    if not images.numel():
        return f"{kind} with shape {tuple(images.shape)}"
    low, high = images.detach().to(torch.float64).aminmax()
    return f"{kind} in [{low.item():g}, {high.item():g}] with shape {tuple(images.shape)}"


def is_there(path: Path) -> bool:
    """Whether there is something at a path; not where no file could be, as of a name that is too long."""
    try:
        return path.exists()
    except OSError:
        return False
