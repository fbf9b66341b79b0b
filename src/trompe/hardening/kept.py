"""The rounds of a loop on disk: each a folder that is there whole or not at all."""

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from safetensors import SafetensorError
from safetensors.torch import load_file, save

from trompe.core.errors import RunError
from trompe.hardening.evolved import Fooling
from trompe.targets.architectures import Centred

SETTINGS, ROUNDS = "harden.json", "rounds"
_WEIGHTS, _IMAGES = "model.safetensors", "attack.safetensors"


@dataclass(frozen=True)
class Keep:
    """A folder of rounds.

    Attributes:
        folder: Where they are.
    """

    folder: Path

    @classmethod
    def open(cls, folder: Path, wanted: dict[str, Any], *, resume: bool) -> Self:
        """The rounds in a folder; begun anew where there are none.

        Args:
            folder: Which; made where it is not there.
            wanted: Everything that decides what the rounds will be, JSON-ready.
            resume: Whether rounds may be there.

        Raises:
            RunError: Rounds are there and are not to be gone on with, or were begun otherwise.
        """
        path = folder / SETTINGS
        wanted = json.loads(json.dumps(wanted))
        if path.exists():
            _check(path, wanted, resume=resume)
        else:
            (folder / ROUNDS).mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(wanted, indent=2) + "\n", encoding="utf-8")
        return cls(folder)

    def write(self, number: int, module: Centred, attack: Fooling) -> None:
        """Keep a round."""
        part, whole = self._folder(number).with_name(f".{number:03d}.part"), self._folder(number)
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        weights = {name: value.contiguous() for name, value in module.state_dict().items()}
        (part / _WEIGHTS).write_bytes(save(weights))
        (part / _IMAGES).write_bytes(save({name: value.contiguous() for name, value in vars(attack).items()}))
        part.replace(whole)

    def read(self, number: int, make: Callable[[], Centred]) -> tuple[Centred, Fooling] | None:
        """The network and the attack of a round; None where it is not there.

        Args:
            number: Of the round.
            make: Makes an untrained network of its kind.

        Raises:
            RunError: It is damaged.
        """
        folder = self._folder(number)
        if not folder.exists():
            return None
        try:
            module = make()
            module.load_state_dict(load_file(folder / _WEIGHTS))
            attack = Fooling(**load_file(folder / _IMAGES))
        except (OSError, SafetensorError, RuntimeError, TypeError) as cause:
            raise RunError(
                expected="a whole round", got=str(cause), where=str(folder), do="Delete the folder; it is done again."
            ) from cause
        module.eval()
        return module, attack

    def _folder(self, number: int) -> Path:
        return self.folder / ROUNDS / f"{number:03d}"


def _check(path: Path, wanted: dict[str, Any], *, resume: bool) -> None:
    try:
        there = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as cause:
        raise RunError(
            expected="the settings of a hardening", got=str(cause), where=str(path), do="Choose another folder."
        ) from cause
    if not resume:
        raise RunError(
            expected="a folder without a hardening",
            got="one that was begun",
            where=str(path),
            do="Go on with --resume, or choose another folder.",
        )
    others = sorted(key for key in {**there, **wanted} if there.get(key) != wanted.get(key))
    if others:
        raise RunError(
            expected="the settings it was begun with",
            got=f"other values of {', '.join(others)}",
            where=str(path),
            do="Give the same settings, or choose another folder.",
        )
