"""trompe: how sure is your classifier about nonsense?

Verbs are plain functions with the names of the commands: `fool`, `film`, `draw`, `audit`, `report`, `verify`, `rerun`,
`train`, `transfer`, `export`, ... `fool_with`, `audit_with` and `verify_with` take a target that is an object of your
own; `load_target` and `open_run` turn names and folders into objects. Everything is loaded when it is first used, so
that importing the package costs nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from trompe.core.errors import TrompeError
    from trompe.experiments.paper import paper
    from trompe.experiments.why import why
    from trompe.portfolio import PORTFOLIO_1, SCREEN_1
    from trompe.run import Run, open_run
    from trompe.settings import AuditSettings, FoolSettings
    from trompe.showing.draw import draw
    from trompe.showing.film import film
    from trompe.showing.read import read
    from trompe.showing.report import report
    from trompe.targets import Declaration, Preprocessing, TorchTarget, bundled_targets, load_target
    from trompe.verbs.audit import audit, audit_with
    from trompe.verbs.compare import compare
    from trompe.verbs.export import export
    from trompe.verbs.fool import fool, fool_with
    from trompe.verbs.gate import gate
    from trompe.verbs.guard import guard
    from trompe.verbs.guarded import load_guarded
    from trompe.verbs.harden import harden
    from trompe.verbs.inspect import inspect
    from trompe.verbs.judge import judge
    from trompe.verbs.rerun import rerun
    from trompe.verbs.train import train
    from trompe.verbs.transfer import transfer
    from trompe.verbs.verify import verify, verify_with

_HOMES = {
    "AuditSettings": "trompe.settings",
    "Declaration": "trompe.targets",
    "FoolSettings": "trompe.settings",
    "PORTFOLIO_1": "trompe.portfolio",
    "Preprocessing": "trompe.targets",
    "Run": "trompe.run",
    "SCREEN_1": "trompe.portfolio",
    "TorchTarget": "trompe.targets",
    "TrompeError": "trompe.core.errors",
    "audit": "trompe.verbs.audit",
    "audit_with": "trompe.verbs.audit",
    "bundled_targets": "trompe.targets",
    "draw": "trompe.showing.draw",
    "export": "trompe.verbs.export",
    "film": "trompe.showing.film",
    "fool": "trompe.verbs.fool",
    "fool_with": "trompe.verbs.fool",
    "compare": "trompe.verbs.compare",
    "gate": "trompe.verbs.gate",
    "guard": "trompe.verbs.guard",
    "harden": "trompe.verbs.harden",
    "inspect": "trompe.verbs.inspect",
    "judge": "trompe.verbs.judge",
    "load_guarded": "trompe.verbs.guarded",
    "load_target": "trompe.targets",
    "open_run": "trompe.run",
    "read": "trompe.showing.read",
    "paper": "trompe.experiments.paper",
    "report": "trompe.showing.report",
    "rerun": "trompe.verbs.rerun",
    "train": "trompe.verbs.train",
    "transfer": "trompe.verbs.transfer",
    "verify": "trompe.verbs.verify",
    "verify_with": "trompe.verbs.verify",
    "why": "trompe.experiments.why",
}

__all__ = [
    "PORTFOLIO_1",
    "SCREEN_1",
    "AuditSettings",
    "Declaration",
    "FoolSettings",
    "Preprocessing",
    "Run",
    "TorchTarget",
    "TrompeError",
    "audit",
    "audit_with",
    "bundled_targets",
    "compare",
    "draw",
    "export",
    "film",
    "fool",
    "fool_with",
    "gate",
    "guard",
    "harden",
    "inspect",
    "judge",
    "load_guarded",
    "load_target",
    "open_run",
    "paper",
    "read",
    "report",
    "rerun",
    "train",
    "transfer",
    "verify",
    "verify_with",
    "why",
]


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'trompe' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
