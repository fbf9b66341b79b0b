"""Conformance kits: examine your own target, encoding, niches or guard as trompe examines its own.

Each kit asks for what the rest of trompe relies on and cannot check while it runs. Its findings are sentences; none
means that the object conforms.

Example:
    >>> import trompe
    >>> print(examine_target(trompe.load_target("softmax-mnist")))
    target softmax-mnist conforms
"""

from trompe.testing.encodings import examine_encoding
from trompe.testing.guards import examine_guard
from trompe.testing.niches import examine_niches
from trompe.testing.report import Report
from trompe.testing.targets import examine_target

__all__ = ["Report", "examine_encoding", "examine_guard", "examine_niches", "examine_target"]
