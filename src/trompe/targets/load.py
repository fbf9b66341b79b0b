"""From the text that stands for a target to the target."""

from pathlib import Path

from trompe.core.check import check_name
from trompe.core.types import Target
from trompe.targets.trained import CARD, load_trained

_WEIGHTS = Path(__file__).parent / "weights"


def bundled_targets() -> dict[str, Path]:
    """The targets that come with trompe, by name, each with its folder."""
    return {card.parent.name: card.parent for card in sorted(_WEIGHTS.glob(f"*/{CARD}"))}


def load_target(text: str) -> Target:
    """The target that a text stands for: a bundled name, or a folder that `trompe train` wrote.

    Raises:
        BadInput: Neither; the nearest name is suggested.
        TargetError: The folder is damaged.
    """
    folder = Path(text)
    if (folder / CARD).is_file():
        return load_trained(folder, folder.resolve().name)
    bundled = bundled_targets()
    check_name(text, bundled, "TARGET (a bundled name, or a folder written by `trompe train`)")
    return load_trained(bundled[text], text)
