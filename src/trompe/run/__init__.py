"""The run folder: what a run is made of, how it is written, read and resumed."""

from trompe.run.about import SCHEMA_VERSION, About, describe_machine, describe_versions
from trompe.run.read import ClassRecord, Count, Kept, Run, open_run
from trompe.run.record import Recorder
from trompe.run.results import publish

__all__ = [
    "SCHEMA_VERSION",
    "About",
    "ClassRecord",
    "Count",
    "Kept",
    "Recorder",
    "Run",
    "describe_machine",
    "describe_versions",
    "open_run",
    "publish",
]
