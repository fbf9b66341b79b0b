"""What an interrupted hardening goes on from: rounds, each a whole folder or none, or where one training stood."""

import json
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn

from trompe.core.errors import RunError
from trompe.hardening.evolved import Fooling
from trompe.run.folder import write_whole
from trompe.targets.architectures import Centred

SETTINGS, ROUNDS = "harden.json", "rounds"
_WEIGHTS, _IMAGES = "model.safetensors", "attack.safetensors"
_HALFWAY = "halfway.safetensors"
_OF_MODULE, _OF_OPTIMISER, _DONE, _MOMENTUM = "module.", "optimiser.", "done", "momentum_buffer"


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
        _begin(folder, wanted, resume=resume)
        (folder / ROUNDS).mkdir(exist_ok=True)
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


@dataclass(eq=False)
class Halfway:
    """Where a single training stood, in one file that is replaced every few seconds; a `Bookmark`.

    Attributes:
        seconds: Between two times it is written.
        folder: Where the file is.
    """

    seconds: ClassVar[float] = 10.0
    folder: Path
    _written: float = field(default_factory=time.monotonic, init=False)

    @classmethod
    def open(cls, folder: Path, wanted: dict[str, Any], *, resume: bool) -> Self:
        """The training in a folder; begun anew where there is none.

        Args:
            folder: Which; made where it is not there.
            wanted: Everything that decides what the training will be; JSON-ready but for paths.
            resume: Whether one may have been begun there.

        Raises:
            RunError: One was begun and is not to be gone on with, or was begun otherwise.
        """
        _begin(folder, wanted, resume=resume)
        return cls(folder)

    def restore(self, module: nn.Module, optimiser: torch.optim.Optimizer) -> int:
        """Bring module and optimiser to where they were written.

        Raises:
            RunError: The file is damaged.
        """
        path = self.folder / _HALFWAY
        if not path.exists():
            return 0
        try:
            there = load_file(path)
            module.load_state_dict({name: there[f"{_OF_MODULE}{name}"] for name in module.state_dict()})
            for number, value in enumerate(_values(optimiser)):
                momentum = there[f"{_OF_OPTIMISER}{number}"]
                if momentum.numel():  # empty of a weight that nothing was ever learnt of
                    optimiser.state[value][_MOMENTUM] = torch.empty_like(value).copy_(momentum)
            return int(there[_DONE])
        except (OSError, SafetensorError, RuntimeError, KeyError) as cause:
            raise RunError(
                expected="a training halfway", got=str(cause), where=str(path), do="Delete the file; it begins again."
            ) from cause

    def keep(self, done: int, module: nn.Module, optimiser: torch.optim.Optimizer) -> None:
        """Write where both are, unless they were written a moment ago.

        Raises:
            RunError: The folder cannot be written.
        """
        if time.monotonic() - self._written < self.seconds:
            return
        tensors = {f"{_OF_MODULE}{name}": value for name, value in module.state_dict().items()}
        none = torch.empty(0)
        momenta = [optimiser.state.get(value, {}).get(_MOMENTUM, none) for value in _values(optimiser)]
        tensors |= {f"{_OF_OPTIMISER}{number}": value for number, value in enumerate(momenta)}
        whole = {_DONE: torch.tensor(done), **{key: each.contiguous() for key, each in tensors.items()}}
        write_whole(self.folder / _HALFWAY, save(whole))
        self._written = time.monotonic()

    def done(self) -> None:
        """Leave nothing of it behind."""
        for name in (_HALFWAY, f".{_HALFWAY}.part", SETTINGS):
            (self.folder / name).unlink(missing_ok=True)


def _values(optimiser: torch.optim.Optimizer) -> list[Tensor]:
    return [value for group in optimiser.param_groups for value in group["params"]]


def _begin(folder: Path, wanted: dict[str, Any], *, resume: bool) -> None:
    path, wanted = folder / SETTINGS, json.loads(json.dumps(wanted, default=str))  # paths as text
    if path.exists():
        _check(path, wanted, resume=resume)
        return
    write_whole(path, (json.dumps(wanted, indent=2) + "\n").encode())


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
