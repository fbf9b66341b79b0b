"""`export`: a run's images as plain files, for programs that know nothing of runs."""

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy

from trompe.core.errors import RunError
from trompe.run import ClassRecord, Kept, Run, open_run
from trompe.run.folder import write_whole
from trompe.run.names import class_folders
from trompe.run.results import read_spec
from trompe.settings import ExportSettings
from trompe.verbs.keywords import keywords

ARRAYS, README = "images.npz", "README.txt"

Entry = tuple[ClassRecord, Kept]


@dataclass(frozen=True)
class Exported:
    """What was written.

    Attributes:
        folder: Where.
        images: How many.
        classes: How many classes have one.
    """

    folder: Path
    images: int
    classes: int


@keywords(ExportSettings)
def export(settings: ExportSettings) -> Exported:
    """Write every image that a run keeps into a folder of its class, and all of them into one array file.

    Takes the fields of `ExportSettings`. The images are those that were judged, byte by byte.

    Raises:
        RunError: No run, damaged, nothing in it yet, or the folder is not empty or cannot be written.
    """
    run, folder = open_run(settings.run), Path(settings.out)
    kept = [(record, item) for record in run.classes for item in record.kept()]
    if not kept:
        raise RunError(
            expected="a run that keeps an image", got="none", where=str(run.folder), do="Go on with it by --resume."
        )
    _check_empty(folder)
    files = _files(run, kept)
    for file, (_, item) in zip(files, kept, strict=True):
        _write_image(run, folder / file, item)
    write_whole(folder / ARRAYS, _arrays(kept, files))
    write_whole(folder / README, _readme(run, len(kept)).encode())
    return Exported(folder, len(kept), len({item.label for _, item in kept}))


def _files(run: Run, kept: Sequence[Entry]) -> list[str]:
    folders = class_folders(run.about.target["labels"])
    return [f"{folders[item.label]}/{record.search}-{record.method}-{_which(item)}.png" for record, item in kept]


def _which(item: Kept) -> str:
    return "strongest" if item.level is None else f"first-{item.level:g}"


def _write_image(run: Run, path: Path, item: Kept) -> None:
    note = f"made to be labelled {item.label} by {run.about.target['name']}; not a photograph"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        read_spec(run).write(path, item.levels, note)
    except OSError as cause:
        raise _unwritable(path, cause) from cause


def _arrays(kept: Sequence[Entry], files: Sequence[str]) -> bytes:
    """Arrays of numbers and of text; nothing in it is pickled."""
    file = io.BytesIO()
    numpy.savez_compressed(
        file,
        images=numpy.stack([item.levels.numpy() for _, item in kept]),
        labels=numpy.array([item.label for _, item in kept]),
        methods=numpy.array([record.method for record, _ in kept]),
        levels=numpy.array([item.level or 0.0 for _, item in kept], dtype=numpy.float64),
        log_odds=numpy.array([item.log_odds for _, item in kept], dtype=numpy.float64),
        files=numpy.array(files),
    )
    return file.getvalue()


def _readme(run: Run, images: int) -> str:
    folders = class_folders(run.about.target["labels"])
    attempted = dict.fromkeys(record.label for record in run.classes)
    renamed = [f"  {folders[label]}: {label!r}" for label in attempted if folders[label] != label]
    head = _README.format(
        images=images, target=run.about.target["name"], maker=run.about.versions["trompe"], arrays=ARRAYS
    )
    return "\n".join([head, *(["Folders whose class has another name:", *renamed, ""] if renamed else [])])


_README = """\
{images} images that {target} was searched for, made by trompe {maker}.

They were made to be given a class, and are not photographs of anything. Whether a person can see the class in one was
not measured. Use them on models you own or are allowed to test.

One folder a class. SEARCH-METHOD-first-LEVEL.png is the first image that reached a confidence, and
SEARCH-METHOD-strongest.png the one {target} was surest of; the same image may be both.

{arrays} holds the same images (uint8: image, channel, row, column) with their labels, methods, levels (0: strongest),
log_odds and files. Images of neither 1 nor 3 channels are PNGs with their channels one below the other.

How sure is another classifier about them? trompe transfer FOLDER --to TARGET
"""


def _check_empty(folder: Path) -> None:
    try:
        held = folder.is_file() or (folder.exists() and any(folder.iterdir()))
    except OSError as cause:
        raise _unwritable(folder, cause) from cause
    if held:
        raise RunError(
            expected="a folder that is empty or does not exist",
            got="one with files in it" if folder.is_dir() else "a file",
            where=f"--out {folder}",
            do="Choose another folder.",
        )


def _unwritable(path: Path, cause: OSError) -> RunError:
    return RunError(
        expected="a folder that can be written",
        got=cause.strerror or str(cause),
        where=str(path.parent),
        do="Choose another place with --out.",
    )
