"""Where a run is computed: chosen once, when it begins."""

from dataclasses import replace
from typing import Literal, TypeVar

import torch

from trompe.core.errors import BadInput
from trompe.settings import AuditSettings, FoolSettings
from trompe.verbs.begun import begun

S = TypeVar("S", FoolSettings, AuditSettings)

STAYING = ("evolve", "scatter")
"""Searches that stay on a device; in others only the network that is asked is there, and gradients are the CPU's."""


def with_device(settings: S) -> S:
    """The settings with their device filled in, once and for all: as the run was begun, where it is taken up again.

    Raises:
        BadInput: A GPU is asked for and there is none, or something beside it that does not work there.
    """
    if settings.device == "auto":
        about, found = begun(settings), torch.cuda.is_available()
        device: Literal["cpu", "cuda"] = about.settings.get("device", "cpu") if about else "cuda" if found else "cpu"
        settings = replace(settings, device=device)
    if settings.device == "cuda":
        _check_gpu(settings)
    return settings


def _check_gpu(settings: FoolSettings | AuditSettings) -> None:
    if not torch.cuda.is_available():
        raise BadInput(
            expected="a GPU that torch can use",
            got=f"none (torch {torch.__version__})",
            where="--device cuda",
            do="Leave it out, or install a torch for your GPU; --device auto takes one where there is one.",
        )
    if isinstance(settings, FoolSettings) and settings.encoding == "tokens":
        raise BadInput(
            expected="--encoding pixels or cppn with --device cuda",
            got="tokens",
            where="--encoding",
            do="Leave the device out: rows of tokens evolve on the CPU.",
        )
    if settings.engine not in (None, "torch"):
        raise BadInput(
            expected="no --engine with --device cuda, where torch computes",
            got=settings.engine,
            where="--engine",
            do="Leave one of them out.",
        )
    if settings.renderer not in (None, "dense"):
        raise BadInput(
            expected="--renderer dense with --device cuda, or none",
            got=settings.renderer,
            where="--renderer",
            do="Leave it out: the others paint on the CPU.",
        )
