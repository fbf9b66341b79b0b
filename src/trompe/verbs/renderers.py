"""What paints the networks of a run: chosen once, when it begins."""

from dataclasses import replace
from typing import TypeVar

from trompe.encodings.cppn import Renderer, numba_installed
from trompe.settings import AuditSettings, FoolSettings
from trompe.verbs.begun import begun

S = TypeVar("S", FoolSettings, AuditSettings)


def with_renderer(settings: S) -> S:
    """The settings with their renderer filled in, once and for all.

    As the run was begun, where it is taken up again; otherwise where networks evolve dense on a GPU, and numba where
    another engine than torch is given and it is installed; otherwise torch.

    Args:
        settings: From `with_device`.
    """
    if settings.renderer is not None:
        return settings
    if settings.device == "cuda" and _paints(settings):
        return replace(settings, renderer="dense")
    about = begun(settings)
    fast = settings.engine not in (None, "torch") and _paints(settings) and numba_installed()
    renderer: Renderer = about.settings.get("renderer", "torch") if about else "numba" if fast else "torch"
    return replace(settings, renderer=renderer)


def _paints(settings: FoolSettings | AuditSettings) -> bool:
    """Whether networks evolve; where they are climbed through, torch paints in any case."""
    if isinstance(settings, FoolSettings):
        return settings.encoding == "cppn" and settings.by in ("evolve", "scatter")
    return "cppn-evolve" in settings.methods or "cppn-scatter" in settings.methods
