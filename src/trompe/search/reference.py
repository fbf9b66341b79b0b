"""Fast engines search, the reference counts: who is asked while searching, and who says what was reached."""

from dataclasses import replace
from math import prod

from trompe.core.errors import BadInput
from trompe.core.types import Target
from trompe.search.cluster import CLUSTER
from trompe.search.judge import Judge, JudgeSettings
from trompe.targets.device import moved
from trompe.targets.engines import ENGINES, engine_target, own_engine
from trompe.targets.torch import TorchTarget

_BYTES = 2_500_000
"""Of images in a batch of the reference, about: 4 of 224 x 224 in colour, which took a third of the time of 50."""


def search_judge(target: Target, settings: JudgeSettings) -> Judge:
    """The judge of a search: the target in the engine that the settings name.

    Args:
        target: As it was loaded.
        settings: Of the run.

    Raises:
        TargetError: The engine is not installed, or the target cannot be had in it.
    """
    if settings.counts:  # whatever the run calls it: targets of other kinds come in one engine only
        settings = reference_settings(target, settings)
    if settings.device:
        return Judge(moved(plain_torch(target), settings.device), settings)
    asked = reference_settings(target, settings) if settings.engine == CLUSTER else settings  # each worker's own
    return Judge(engine_target(target, asked), settings, settings.abreast)


def plain_torch(target: Target) -> TorchTarget:
    """The target, if it is a torch network and nothing more.

    Raises:
        BadInput: It is not; guards and transforms compute on the CPU.
    """
    if isinstance(target, TorchTarget) and not target.declared.layer:
        return target
    raise BadInput(
        expected="a torch network, without a guard in front and without --survive, to be moved to a GPU",
        got=f"{target.name} as {type(target).__name__}",
        where="--device",
        do="Leave it out: others are computed on the CPU.",
    )


def reference_judge(target: Target, settings: JudgeSettings) -> Judge:
    """The judge whose values count: the target's own engine in float32; see `reference_settings`.

    Args:
        target: As it was loaded.
        settings: Of the run.
    """
    asked = reference_settings(target, settings)
    judge = search_judge(target, asked)
    alone = asked.threads < settings.threads and is_apart(target)
    return replace(judge, abreast=settings.threads) if alone else judge


def is_apart(target: Target) -> bool:
    """Whether it may be asked about several batches at the same time: a layer that is listened to cannot."""
    return isinstance(target, TorchTarget) and not target.declared.layer


def reference_settings(target: Target, settings: JudgeSettings) -> JudgeSettings:
    """These settings with the target's own engine in float32.

    Where another engine searches, in batches no larger than what is computed on the way stays in memory from one call
    to the next: of large images torch otherwise spends most of its time getting pages from the system. Each of them
    is computed by one thread, and several at the same time: threads that share small batches mostly wait.
    """
    own = own_engine(target)
    batch = settings.batch if settings.counts else min(settings.batch, fitting_rows(target))
    threads = 1 if own == "torch" and not settings.counts else settings.threads
    return replace(settings, batch=batch, threads=threads, engine=own, precision="float32", reference=own)


def fitting_rows(target: Target) -> int:
    """Images a call, so many that what torch computes on the way stays in memory from one call to the next."""
    return max(1, _BYTES // (4 * prod(target.spec.shape)))


def named_settings(target: Target, name: str | None, batch: int, threads: int) -> JudgeSettings:
    """How a target is asked in the engine of this name.

    Args:
        target: As it was loaded.
        name: A key of `ENGINES`, or `CLUSTER`, or torch and a device, as in ``torch:cuda``; None for the target's own
            engine.
        batch: Rows a call.
        threads: That compute it.
    """
    own = own_engine(target)
    if name == CLUSTER or (name or "").startswith("torch:"):
        return JudgeSettings(batch, threads, str(name), "float32", own)
    engine, precision = ENGINES[name] if name else (own, "float32")
    return JudgeSettings(batch, threads, engine, precision, own)
