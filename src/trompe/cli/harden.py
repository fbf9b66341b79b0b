"""`trompe harden`."""

from collections.abc import Generator
from typing import TYPE_CHECKING

from trompe.cli.parse import parse
from trompe.cli.show import say, watching
from trompe.settings import HardenSettings

if TYPE_CHECKING:
    from trompe.hardening import Hardened, Progress


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("harden", HardenSettings, words)
    import torch

    from trompe.verbs.harden import hardening

    torch.set_num_threads(1)  # batches of 64 small images: more threads are slower, and change the bits
    hardened = _watched(hardening(settings), quiet=show.quiet or show.json)
    if show.json:
        say((settings.out / "card.json").read_text(encoding="utf-8").rstrip("\n"))
        return 0
    _say(hardened)
    return 0


def _watched(work: "Generator[Progress, None, Hardened]", *, quiet: bool) -> "Hardened":
    total = next(work).total
    with watching("part", total, quiet=quiet) as watch:
        while True:
            try:
                progress = next(work)
            except StopIteration as end:
                found: Hardened = end.value
                return found
            watch.tell(progress.done, progress.words)


def _say(hardened: "Hardened") -> None:
    test = hardened.test
    share = test.accuracy_of_accepted
    say(f"accuracy              {100 * test.accuracy:.2f} % of {test.images:,} test images, opened once")
    say(f"accepted              {100 * test.coverage:.2f} %")
    say(f"accuracy of accepted  {'not measured' if share is None else f'{100 * share:.2f} %'}")
    say(f"accepted and correct  {100 * test.accepted_and_correct:.2f} %")
    say(f"at 99 % confidence    {100 * test.sure / test.images:.2f} % of them")
    say(f"recipe                {hardened.card.hardened['recipe']}: {hardened.card.hardened['manner']}")
    say(f"target                {hardened.folder}")
    say(f"Attack it anew: trompe fool {hardened.folder} --by ascend --out RUN")
