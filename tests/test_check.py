"""Checks at the door: every refusal says what was expected, what came, where, and what to do."""

import re

import pytest
import torch

from trompe.core.check import check_at_least, check_images, check_level, check_name, check_outputs
from trompe.core.errors import BadInput, DataError, RunError, TargetError, TrompeError
from trompe.core.types import Outputs

NAN, INFINITY = float("nan"), float("inf")


def four_parts(expected: str, got: str, where: str, do: str) -> str:
    return "^" + re.escape(f"{where}: expected {expected}; got {got}. {do}") + "$"


def test_an_error_is_one_line_of_four_parts():
    error = BadInput(expected="a\n  b", got="c", where="d", do="E.")
    assert str(error) == "d: expected a b; got c. E."
    assert (error.expected, error.got, error.where, error.do) == ("a\n  b", "c", "d", "E.")


@pytest.mark.parametrize(
    ("kind", "builtin"), [(BadInput, ValueError), (TargetError, ValueError), (DataError, OSError), (RunError, OSError)]
)
def test_each_error_is_also_the_natural_builtin(kind, builtin):
    error = kind(expected="a", got="b", where="c", do="D.")
    assert isinstance(error, TrompeError)
    assert isinstance(error, builtin)
    assert str(error) == "c: expected a; got b. D."


@pytest.mark.parametrize(
    ("images", "got"),
    [
        (torch.full((2, 1, 4, 4), 7, dtype=torch.uint8), "uint8 in [7, 7] with shape (2, 1, 4, 4)"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.float64), "float64 in [0, 0] with shape (2, 1, 4, 4)"),
        (torch.zeros(2, 1, 4, 5), "float32 in [0, 0] with shape (2, 1, 4, 5)"),
        (torch.zeros(1, 4, 4), "float32 in [0, 0] with shape (1, 4, 4)"),
        (torch.full((1, 1, 4, 4), 255.0), "float32 in [255, 255] with shape (1, 1, 4, 4)"),
        (torch.full((1, 1, 4, 4), -0.5), "float32 in [-0.5, -0.5] with shape (1, 1, 4, 4)"),
        (torch.full((1, 1, 4, 4), NAN), "float32 in [nan, nan] with shape (1, 1, 4, 4)"),
        (torch.zeros(0, 1, 5, 4), "float32 with shape (0, 1, 5, 4)"),
    ],
)
def test_unusable_images_are_refused(images, got):
    message = four_parts(
        "images as float32 in [0, 1] with shape (n, 1, 4, 4)", got, "here",
        "Divide bytes by 255, move channels first, add a batch axis.",
    )  # fmt: skip
    with pytest.raises(BadInput, match=message):
        check_images(images, (1, 4, 4), "here")


def test_one_bad_value_among_many_images_is_found():
    """Catches a check of the first row only."""
    images = torch.zeros(50, 1, 4, 4)
    images[49, 0, 3, 3] = 1.0001
    with pytest.raises(BadInput, match=r"got float32 in \[0, 1.0001\]"):
        check_images(images, (1, 4, 4), "here")
    images[49, 0, 3, 3] = NAN
    with pytest.raises(BadInput, match="nan"):
        check_images(images, (1, 4, 4), "here")


def test_the_ends_of_the_range_are_images():
    check_images(torch.tensor([0.0, 1.0]).reshape(1, 1, 1, 2), (1, 1, 2), "here")
    check_images(torch.zeros(0, 1, 1, 2), (1, 1, 2), "here")


@pytest.mark.parametrize("shape", [(3, 1), (2, 2), (3, 3)])
def test_answers_of_another_shape_are_refused(shape):
    message = four_parts(
        "logits of shape (3, 2), one row an input and one column a label", f"shape {shape}", "target t",
        "Check that the model has one output a class and that the labels are its labels.",
    )  # fmt: skip
    with pytest.raises(TargetError, match=message):
        check_outputs(Outputs(torch.zeros(shape)), 3, ("a", "b"), "target t")


@pytest.mark.parametrize(
    ("value", "row", "column", "said"), [(NAN, 2, 1, "nan"), (INFINITY, 1, 0, "inf"), (NAN, 0, 0, "nan")]
)
def test_a_logit_that_is_no_number_is_refused_and_named(value, row, column, said):
    logits = torch.zeros(3, 2)
    logits[row, column] = value
    message = four_parts(
        "logits that are numbers below +infinity, at least one of them above -infinity",
        f"{said} for class {'ab'[column]!r} in row {row} of 3", "target t",
        "Run the model on this kind of input by itself; a model in float16 often overflows here.",
    )  # fmt: skip
    with pytest.raises(TargetError, match=message):
        check_outputs(Outputs(logits), 3, ("a", "b"), "target t")


def test_a_row_of_nothing_but_minus_infinity_is_refused():
    logits = torch.zeros(3, 2)
    logits[1] = -INFINITY
    with pytest.raises(TargetError, match=r"got -inf for class 'a' in row 1 of 3"):
        check_outputs(Outputs(logits), 3, ("a", "b"), "target t")


def test_infinities_that_cancel_in_the_sum_are_still_found():
    """Catches a check that trusts the sum: inf + -inf is NaN, and -inf alone is an honest log-probability."""
    logits = torch.zeros(3, 2)
    logits[0, 0], logits[1, 1] = INFINITY, -INFINITY
    with pytest.raises(TargetError, match="got inf for class 'a' in row 0"):
        check_outputs(Outputs(logits), 3, ("a", "b"), "target t")


@pytest.mark.parametrize("fill", [0.0, 3e38, -3e38])
def test_honest_answers_pass_also_where_their_sum_overflows(fill):
    logits = torch.full((3, 2), fill)
    logits[1, 1] = -INFINITY
    check_outputs(Outputs(logits), 3, ("a", "b"), "target t")


def test_an_unknown_name_is_refused_with_the_nearest_known_one():
    message = four_parts("one of lenet-mnist, mlp-mnist", "'lenet-minst'", "TARGET", "Did you mean 'lenet-mnist'?")
    with pytest.raises(BadInput, match=message):
        check_name("lenet-minst", ["lenet-mnist", "mlp-mnist"], "TARGET")


def test_an_unknown_name_like_no_other_is_refused_without_a_guess():
    with pytest.raises(BadInput, match=four_parts("one of a, b", "'zebra'", "x", "Choose a name from the list.")):
        check_name("zebra", iter(["a", "b"]), "x")


def test_a_long_list_of_names_is_cut():
    names = [f"class-{number:03d}" for number in range(1000)]
    with pytest.raises(
        BadInput, match=r"class-011, and 988 more; got .class-01x.\. Did you mean .class-\d1\d.\?|class-\d01.\?"
    ):
        check_name("class-01x", names, "x")
    check_name("class-999", names, "x")


def test_a_number_below_the_least_is_refused():
    with pytest.raises(BadInput, match=four_parts("a number of at least 1", "0", "--budget", "Give a larger number.")):
        check_at_least(0, 1, "--budget")
    with pytest.raises(BadInput, match="got nan"):
        check_at_least(NAN, 1, "--budget")
    check_at_least(1, 1, "--budget")


@pytest.mark.parametrize("level", [0.0, 1.0, -0.1, 99.0, NAN])
def test_a_level_that_no_softmax_can_have_is_refused(level):
    message = four_parts(
        "a confidence strictly between 0 and 1", f"{level:g}", "--confidence",
        "Give for example 0.9999; certainty itself is never reached by a softmax.",
    )  # fmt: skip
    with pytest.raises(BadInput, match=message):
        check_level(level, "--confidence")
    check_level(0.9999, "--confidence")
