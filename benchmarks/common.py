"""What every benchmark shares: the machine in words, a quiet start, and results kept as data."""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

import torch

torch.set_num_threads(1)
RESULTS = Path(__file__).parent / "results"


def machine() -> dict[str, Any]:
    """The machine and the versions that the numbers belong to."""
    from trompe.run import describe_machine, describe_versions

    return {
        "machine": describe_machine(),
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "python": platform.python_version(),
        "versions": describe_versions(),
        "date": datetime.now(UTC).date().isoformat(),
    }


def keep(name: str, numbers: dict[str, Any]) -> None:
    """Store numbers as ``results/NAME.json``, with the machine they were measured on."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps({**machine(), **numbers}, indent=2) + "\n", encoding="utf-8")


def fastest(target: Any) -> str:
    """Name of the engine that a network is searched with: the first of these that is installed."""
    from trompe.targets.engines import available

    return next(one for one in ("openvino-bf16", "openvino", "torch") if one in available(target))


def say(line: str) -> None:
    """Print a line at once."""
    print(line, flush=True)
