"""`trompe train ARCHITECTURE`."""

from trompe.cli.parse import parse
from trompe.cli.show import watching
from trompe.settings import TrainSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    settings, show = parse("train", TrainSettings, words)
    import torch

    from trompe.targets.trained import read_card
    from trompe.verbs.train import training

    torch.set_num_threads(1)  # batches of 64 small images: more threads are slower, and change the bits
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
