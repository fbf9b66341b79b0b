"""`trompe targets`."""

import json

from trompe.cli.parse import parse
from trompe.settings import TargetsSettings


def run(words: list[str]) -> int:
    """Run the command; returns its exit code."""
    _, show = parse("targets", TargetsSettings, words)
    from trompe.targets import bundled_targets
    from trompe.targets.trained import read_card

    cards = {name: read_card(folder) for name, folder in bundled_targets().items()}
    if show.json:
        print(json.dumps({name: vars(card) for name, card in cards.items()}, ensure_ascii=False))
        return 0
    for name, card in cards.items():
        error = f"{card.test_errors / 100:.2f} % test error"
        print(f"{name:<14} {card.architecture:<8} {card.data:<14} {error}  {len(card.labels)} classes")
    return 0
