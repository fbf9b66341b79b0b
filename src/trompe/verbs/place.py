"""Where what is trained may be written."""

from pathlib import Path

from trompe.core.errors import BadInput
from trompe.measure.readers.store import CALIBRATION
from trompe.targets.trained import CARD


def check_folder(folder: Path) -> None:
    """Make the folder, or refuse one that cannot be written or holds a network or readers already.

    Raises:
        BadInput: It is refused.
    """
    if folder.exists() and not folder.is_dir():
        raise BadInput(expected="a folder", got="a file", where=f"--out {folder}", do="Choose another place.")
    if any((folder / card).exists() for card in (CARD, CALIBRATION)):
        raise BadInput(
            expected="a folder without a network or readers",
            got="one with something trained in it",
            where=f"--out {folder}",
            do="Choose another folder, or delete this one.",
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as cause:
        raise BadInput(
            expected="a folder that can be written",
            got=cause.strerror or str(cause),
            where=f"--out {folder}",
            do="Choose another place, or change its permissions.",
        ) from cause
