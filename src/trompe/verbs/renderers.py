"""What paints the networks of a run: chosen once, when it begins."""

from dataclasses import replace
from pathlib import Path
from typing import TypeVar, cast

from trompe.core.errors import RunError
from trompe.encodings.cppn import Renderer, numba_installed
from trompe.run import open_run
from trompe.run.schema import DATABASE
from trompe.settings import AuditSettings, FoolSettings

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
    stored = _stored(settings)
    fast = settings.engine not in (None, "torch") and _paints(settings) and numba_installed()
    return replace(settings, renderer=stored or ("numba" if fast else "torch"))


def _paints(settings: FoolSettings | AuditSettings) -> bool:
    """Whether networks evolve; where they are climbed through, torch paints in any case."""
    if isinstance(settings, FoolSettings):
        return settings.encoding == "cppn" and settings.by in ("evolve", "scatter")
    return "cppn-evolve" in settings.methods or "cppn-scatter" in settings.methods


def _stored(settings: FoolSettings | AuditSettings) -> Renderer | None:
    """As the run in the folder was begun; None where none was, or it cannot be read, which others will say."""
    folder = Path(settings.out)
    if not settings.resume or not (folder / DATABASE).is_file():
        return None
    try:
        return cast("Renderer", open_run(folder).about.settings.get("renderer", "torch"))
    except RunError:
        return None
