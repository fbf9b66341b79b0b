"""What a run says about itself: settings, target, judge, versions, machine."""

import platform
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, Self

import torch

SCHEMA_VERSION = 2
"""Of the database; a reader refuses a newer one. 2: the reference's log-odds may be missing for a while."""

RESULTS_VERSION = 1
"""Of ``results.json``."""

_ENGINES = ("onnxruntime", "openvino", "ray")

NOT_MEASURED = "not measured"
NOT_SET = "not set"
"""What stands in ``results.json`` for a setting without a value: it holds no null."""


@dataclass(frozen=True)
class About:
    """Everything that was fixed before the first step.

    Attributes:
        settings: The command's settings as they were resolved, without the folder.
        target: Name, fingerprint, labels, link and spec of the classifier.
        judge: How it is asked; enforced when the run is resumed or repeated.
        encoding: By method, name and every setting of the encoding.
        levels: Confidence levels for which the first image is kept, ascending.
        versions: Of trompe and what computes the numbers.
        machine: Type of machine on which bytes are promised to repeat.
        commit: The git commit of trompe's own source, or "not a checkout".
        created: UTC, to the second.
        search: By method, preset and every number of the search, so that they are known even where a later trompe
            gives the preset others. Empty in runs from before they were recorded.
    """

    settings: dict[str, Any]
    target: dict[str, Any]
    judge: dict[str, Any]
    encoding: dict[str, Any]
    levels: tuple[float, ...]
    versions: dict[str, str]
    machine: str
    commit: str
    created: str
    search: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def now(  # noqa: PLR0913  one for each thing that is fixed
        cls, *, settings: dict[str, Any], target: dict[str, Any], judge: dict[str, Any], encoding: dict[str, Any],
        search: dict[str, Any], levels: tuple[float, ...],
    ) -> Self:  # fmt: skip
        """A record of these things, on this machine, at this moment."""
        created = datetime.now(UTC).replace(microsecond=0).isoformat()
        found = (describe_versions(judge, encoding), describe_machine(), _commit(), created)
        return cls(settings, target, judge, encoding, levels, *found, search)

    @property
    def spared(self) -> frozenset[str]:
        """Labels that stay out of every rate: the harmless, and the one for none of these."""
        return frozenset({*self.target.get("harmless", ()), self.target.get("abstain", "")} - {""})

    @property
    def superclasses(self) -> dict[str, list[str]]:
        """Labels by superclass, as they were declared; empty where none were."""
        found: dict[str, list[str]] = self.target.get("declared", {}).get("superclasses", {})
        return found

    def to_items(self) -> dict[str, Any]:
        """Every field by name, JSON-ready."""
        return asdict(self)

    @classmethod
    def from_items(cls, items: dict[str, Any]) -> Self:
        """From what `to_items` gave; keys that are no fields are left out."""
        known = {own.name: items[own.name] for own in fields(cls) if own.name != "search"}
        return cls(**{**known, "levels": tuple(known["levels"]), "search": items.get("search", {})})


def describe_versions(
    judge: Mapping[str, Any] | None = None, encoding: Mapping[str, Any] | None = None
) -> dict[str, str]:
    """Versions of what the bytes of a run depend on, with those of the engines and renderers that it names."""
    plain = {"trompe": version("trompe"), "torch": str(torch.__version__), "python": platform.python_version()}
    named = {(judge or {}).get(key) for key in ("engine", "reference")}
    if "torch:cuda" in named:
        plain |= {"gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else "none"}
    named |= {method.get("renderer") for method in (encoding or {}).values() if isinstance(method, Mapping)}
    return plain | {package: _version(package) for package in (*_ENGINES, "numba") if package in named}


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def describe_machine() -> str:
    """The type of this machine: processor, the instructions torch uses on it, operating system."""
    return f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}, {platform.system()} {platform.machine()}"


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    try:
        lines = info.read_text(encoding="utf-8").splitlines() if info.exists() else []
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or "unknown processor"


def _commit() -> str:
    here = Path(__file__).parent
    try:
        answer = subprocess.run(  # noqa: S603  fixed words
            ["git", "-C", str(here), "rev-parse", "HEAD"],  # noqa: S607
            capture_output=True, text=True, check=True, timeout=5,
        )  # fmt: skip
    except (OSError, subprocess.SubprocessError):
        return "not a checkout"
    return answer.stdout.strip()
