"""`train readers`: fit machine readers to a data set or a folder of images, and calibrate them."""

import json
import platform
from collections.abc import Iterator
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from PIL import Image

from trompe.core.check import check_at_least
from trompe.core.errors import DataError
from trompe.data import Split, load
from trompe.data.folders import UNKNOWN, image_files, read_photographs
from trompe.data.halves import fifths, half, half_name
from trompe.measure.readers.calibrate import calibrate, disagreements
from trompe.measure.readers.fit import FITS, fit_readers, material
from trompe.measure.readers.store import CALIBRATION, save_known, save_reader
from trompe.settings import TrainSettings
from trompe.verbs.place import check_folder

STEPS = len(FITS) + 1
_MODES = {"L": 1, "1": 1, "I;16": 1, "RGBA": 4}


def training_readers(settings: TrainSettings) -> Iterator[tuple[int, str]]:
    """Fit and calibrate the readers, and write their folder.

    Yields:
        Steps done of `STEPS`, and what was done last.
    """
    check_at_least(settings.iterations, 1, "--iterations")
    check_at_least(settings.seed, 0, "--seed")
    check_folder(settings.out)
    own, test, labels, data = _images(settings)
    readers = []
    given = material(own, labels, settings.seed, settings.iterations)
    save_known(settings.out, given.known)
    channels, height, width = own.images.shape[1:]
    for reader in fit_readers(given, (channels, height, width), labels, data):
        save_reader(settings.out, reader)
        readers.append(reader)
        yield len(readers), reader.name
    numbers = {reader.name: calibrate(reader, test, seed=settings.seed) for reader in readers}
    record = {
        "command": _command(settings),
        "settings": {key: str(value) if isinstance(value, Path) else value for key, value in _asked(settings).items()},
        "data": data,
        "fingerprint": {"fitted": own.fingerprint(), "calibrated": test.fingerprint()},
        "versions": {"trompe": version("trompe"), "torch": str(torch.__version__), "python": platform.python_version()},
        "readers": {
            reader.name: {"fingerprint": reader.fingerprint(), "uses": sorted(reader.uses), **numbers[reader.name]}
            for reader in readers
        },
        "disagreement": disagreements(readers, test, seed=settings.seed),
    }
    text = json.dumps(record, indent=2, ensure_ascii=False)
    (settings.out / CALIBRATION).write_text(text + "\n", encoding="utf-8")
    yield STEPS, "calibrated"


def _images(settings: TrainSettings) -> tuple[Split, Split, tuple[str, ...], str]:
    """Images to fit to, images to calibrate on, their labels, and what the first are called."""
    if settings.images is None:
        data = load(settings.data)
        return half(data.train, "odd"), data.test, data.labels, half_name(settings.data, "odd")
    split, labels = _folder(settings.images)
    train, last = fifths(split)
    return half(train, "odd"), last, labels, half_name(f"images-{train.fingerprint()[:12]}", "odd")


def _folder(folder: Path) -> tuple[Split, tuple[str, ...]]:
    """Every image of a folder of folders, in the shape of the first one."""
    try:
        labels = tuple(sorted(part.name for part in folder.iterdir() if part.is_dir() and part.name[0] != "."))
    except OSError as cause:
        raise _no_images(folder, cause.strerror or str(cause)) from cause
    files = [path for path, column in image_files(folder, labels) if column != UNKNOWN]
    if len(labels) < 2 or not files:
        raise _no_images(folder, f"{len(labels)} folders with {len(files)} images")
    try:
        with Image.open(files[0]) as first:
            shape = (_MODES.get(first.mode, 3), first.height, first.width)
    except OSError as cause:
        raise _no_images(folder, f"{files[0]} ({cause})") from cause
    found = read_photographs(folder, labels, shape)
    return Split(found.images, found.classes), labels


def _no_images(folder: Path, got: str) -> DataError:
    return DataError(
        expected="a folder with a folder of images for each of two or more classes",
        got=got,
        where=f"--images {folder}",
        do="Sort the images into folders that are named after their classes.",
    )


def _asked(settings: TrainSettings) -> dict[str, Any]:
    return {key: value for key, value in asdict(settings).items() if key not in ("out", "_")}


def _command(settings: TrainSettings) -> str:
    what = f"--data {settings.data}" if settings.images is None else f"--images {settings.images}"
    return f"trompe train readers {what} --seed {settings.seed} --iterations {settings.iterations}"
