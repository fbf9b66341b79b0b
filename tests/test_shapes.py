"""The import hook is on: shape and type annotations hold while the tests run."""

import pytest
import torch
from jaxtyping import TypeCheckError

from trompe.core.numerics import from_levels, log_odds
from trompe.core.types import Bids, Candidates, Outputs
from trompe.encodings import PixelGenomes
from trompe.search import Archive


def _candidates(n: int) -> Candidates[PixelGenomes]:
    genomes = PixelGenomes(torch.zeros(n, 4))
    return Candidates(torch.arange(n), torch.full((n, 2), -1), genomes, torch.zeros(n, 1, 2, 2))


def test_a_function_refuses_a_tensor_of_another_rank():
    with pytest.raises(TypeCheckError, match="logits"):
        log_odds(torch.zeros(3))


def test_a_function_refuses_a_tensor_of_another_type():
    with pytest.raises(TypeCheckError, match="levels"):
        from_levels(torch.zeros(1, 1, 2, 2))


def test_a_method_refuses_what_is_no_record_of_the_right_kind():
    with pytest.raises(TypeCheckError, match="bids"):
        Archive(3, (0.5,)).offer(_candidates(2), torch.zeros(2, 3, dtype=torch.float64))


def test_a_record_refuses_a_field_of_another_type_or_shape():
    with pytest.raises(TypeCheckError, match="value"):
        Bids(torch.zeros(2, 3))  # float32
    with pytest.raises(TypeCheckError, match="logits"):
        Outputs(torch.zeros(4))


def test_two_fields_of_one_record_must_agree_in_length():
    with pytest.raises(TypeCheckError, match="parents"):
        Candidates(torch.arange(2), torch.full((3, 2), -1), PixelGenomes(torch.zeros(2, 4)), torch.zeros(2, 1, 2, 2))


def test_a_generator_of_type_variables_is_checked_beside_them():
    """`tuple[G, Rows]` is looked into although G itself cannot be checked."""
    archive = Archive(2, (0.5,))
    archive.offer(_candidates(1), Bids(torch.zeros(1, 2, dtype=torch.float64)))
    with pytest.raises(TypeCheckError, match="stream"):
        archive.parents(1, stream=None)
