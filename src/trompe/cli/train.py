"""`trompe train ARCHITECTURE`."""

import json
from collections.abc import Iterator
from typing import Any

from trompe.cli.parse import Show, parse
from trompe.cli.show import watching
from trompe.settings import TrainSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("train", TrainSettings, words)
    import torch

    torch.set_num_threads(1)  # batches of 64 small images: more threads are slower, and change the bits
    return _readers(settings, show) if settings.architecture == "readers" else _network(settings, show)


def _network(settings: TrainSettings, show: Show) -> int:
    from trompe.targets.trained import read_card
    from trompe.verbs.train import training

    with watching("iteration", settings.iterations, quiet=show.quiet or show.json) as watch:
        for done, loss in training(settings):
            if done % 50 == 0:
                watch.tell(done, f"loss {loss:.4f}")
    card = read_card(settings.out)
    if show.json:
        print((settings.out / "card.json").read_text(encoding="utf-8"), end="")
    else:
        print(f"test error {card.test_errors / 100:.2f} % of 10,000 images, opened once")
        print(f"target     {settings.out}")
    return 0


def _readers(settings: TrainSettings, show: Show) -> int:
    from trompe.measure.readers.store import CALIBRATION, stored_readers, unfit
    from trompe.verbs.train_readers import STEPS, training_readers

    with watching("reader", STEPS, quiet=show.quiet or show.json) as watch:
        for done, what in training_readers(settings):
            watch.tell(done, what)
    measured_of_all = (settings.out / CALIBRATION).read_text(encoding="utf-8")
    if show.json:
        print(measured_of_all, end="")
        return 0
    for reader in stored_readers(settings.out):
        measured = reader.calibration
        print(f"{reader.name:<9}  reads {100 * measured['sensitivity']:.2f} % of real images as themselves, "
              f"{100 - 100 * measured['specificity']:.2f} % of noise as something")  # fmt: skip
        refused = unfit(reader)
        if refused:
            print(f"           {refused}: it will not judge.")
    for line in disagreement_lines(json.loads(measured_of_all)["disagreement"]):
        print(line)
    print(f"readers    {settings.out}")
    return 0


def disagreement_lines(found: dict[str, Any]) -> Iterator[str]:
    """How often two readers read the same real, spoilt or empty images differently: a table each, in per cent.

    Args:
        found: As it stands in ``calibration.json``.
    """
    for kind in ("real", "spoilt", "noise"):
        yield f"{f'% of {kind} images read differently by':<42}" + "".join(f"{name:>9}" for name in found["readers"])
        for name, row in zip(found["readers"], found[kind], strict=True):
            yield f"{name:>42}" + "".join(f"{100 * share:>9.1f}" for share in row)
