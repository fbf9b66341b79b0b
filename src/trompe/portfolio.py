"""The attacks that every defence must stand, fixed before any defence was written.

A portfolio is a value: starts, attacks and how often. It is never changed; a better one gets a number of its own, so
that rows measured with one can be compared. Its digest is held by a test.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Literal

SCALES = (1, 3, 10)
"""Budgets, as multiples of a portfolio's own."""

Kind = Literal["white-box", "black-box", "transfer"]


@dataclass(frozen=True)
class Attack:
    """One way to search, from some starts.

    Attributes:
        encoding: What is moved: ``pixels`` or ``cppn``.
        by: The search: ``evolve``, ``ascend`` or ``squares``.
        preset: Of the search.
        generations: After the beginning, at most, at budget x1: steps of each class, or generations of all.
        kind: What it is allowed: gradients, questions, or only images made against another network.
        starts: Where it begins; empty for the search's own beginning alone.
    """

    encoding: Literal["pixels", "cppn"]
    by: Literal["evolve", "ascend", "squares"]
    preset: str
    generations: int
    kind: Kind
    starts: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """As results name it, without the start.

        Example:
            >>> Attack("pixels", "ascend", "adam", 100, "white-box").name
            'pixels-ascend:adam'
        """
        return f"{self.encoding}-{self.by}:{'transfer' if self.kind == 'transfer' else self.preset}"

    def methods(self) -> tuple[str, ...]:
        """The methods of its searches, one a start: ``ATTACK:START``, with ``own`` for the search's own beginning."""
        return tuple(f"{self.name}:{start}" for start in self.starts or ("own",))


@dataclass(frozen=True)
class Portfolio:
    """Attacks with their starts, and how many seeds.

    Attributes:
        name: ``full`` or ``screen``, or your own.
        version: Counted up whenever anything here becomes other.
        attacks: All of them; the order is that of the run.
        seeds: Of every search, unless trials per class say otherwise.
        confidence: At which a class is left alone.
    """

    name: str
    version: int
    attacks: tuple[Attack, ...]
    seeds: int
    confidence: float = 0.9999

    @property
    def title(self) -> str:
        """Name and version, for example ``full-1``."""
        return f"{self.name}-{self.version}"

    @property
    def kinds(self) -> dict[str, Kind]:
        """What each method is allowed."""
        return {method: attack.kind for attack in self.attacks for method in attack.methods()}

    def digest(self) -> str:
        """sha256 over all of it: two portfolios of one digest are one."""
        return hashlib.sha256(json.dumps(asdict(self), sort_keys=True).encode()).hexdigest()


STARTS = (
    "uniform", "near-black", "grey", "low-frequency", "salt", "blocks", "class-mean", "transferred", "other-class",
)  # fmt: skip
"""Of the full portfolio."""
_SCREEN_STARTS = ("uniform", "near-black", "low-frequency", "class-mean")

PORTFOLIO_1 = Portfolio(
    "full",
    1,
    (
        Attack("pixels", "ascend", "sign-momentum", 60, "white-box", STARTS),
        Attack("pixels", "ascend", "adam", 200, "white-box", STARTS),
        Attack("pixels", "ascend", "hide", 60, "white-box", STARTS),
        Attack("cppn", "ascend", "adam", 200, "white-box"),
        Attack("pixels", "squares", "random-squares", 500, "black-box", STARTS),
        Attack("pixels", "evolve", "paper", 100, "black-box"),
        Attack("cppn", "evolve", "paper", 100, "black-box"),
        Attack("pixels", "squares", "random-squares", 0, "transfer", ("transferred",)),
    ),
    seeds=3,
)
"""Everything: nine starts, white box, black box, transfer, and `hide`."""

SCREEN_1 = Portfolio(
    "screen",
    1,
    (
        Attack("pixels", "ascend", "sign-momentum", 60, "white-box", _SCREEN_STARTS),
        Attack("pixels", "ascend", "adam", 200, "white-box", _SCREEN_STARTS),
        Attack("pixels", "ascend", "hide", 60, "white-box", _SCREEN_STARTS),
    ),
    seeds=1,
)
"""A fast subset for trying things out: white box, four starts, one seed. It proves open trials, and nothing else."""

PORTFOLIOS: Mapping[str, Portfolio] = {"full": PORTFOLIO_1, "screen": SCREEN_1}
"""By the name that ``--portfolio`` has for them: the newest version of each."""
