"""The wheel carries all that the main job needs: networks, samples, the page's parts, and nothing to be fetched."""

import json
import os
import subprocess
import sys
import zipfile
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
TARGETS = {"lenet-mnist", "lenet-mnist-b", "mlp-mnist", "softmax-mnist", "lenet-fashion"} | {
    f"{name}-mnist" for name in ("naive-bayes", "lda", "qda", "kernel-bayes", "vae", "flow", "energy")
}
METHODS = ("pixels-evolve", "cppn-evolve", "pixels-ascend", "pixels-squares")
WEIGHTS = "trompe/targets/weights/"
OFFLINE = """
import socket, sys, trompe
def refuse(*_):
    raise AssertionError("the network was asked")
socket.socket.connect = socket.getaddrinfo = refuse
print(trompe.__file__, file=sys.stderr)
from trompe.cli.main import entry
entry()
"""


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    """What the wheel unpacks to."""
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(folder)]
    copy = folder / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True, capture_output=True)
    subprocess.run([*build, str(copy)], check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder / "site")
    return folder / "site"


def offline(site: Path, folder: Path, *words: str) -> str:
    """What the command says where there is no checkout, no home and no network."""
    environment = {
        **{key: value for key, value in os.environ.items() if key != "TROMPE_DATA"},
        "PYTHONPATH": str(site),
        "HOME": str(folder / "no-home"),
    }
    done = subprocess.run(
        [sys.executable, "-P", "-c", OFFLINE, *words], env=environment, cwd=folder, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(site) in done.stderr
    return done.stdout


def test_the_wheel_has_every_network_and_none_is_large(site):
    files = [path for path in (site / WEIGHTS).rglob("*") if path.is_file()]
    assert {path.relative_to(site / WEIGHTS).parts[0] for path in files} == TARGETS
    assert all(path.stat().st_size < 2_000_000 for path in files)


def test_fool_and_report_run_from_the_wheel_alone_without_network_or_home(site, tmp_path):
    """Package data that a checkout has and the wheel has not."""
    assert "as recorded, bit for bit" in offline(
        site, tmp_path, "fool", "lenet-mnist", "--generations", "2", "--out", "run"
    )
    offline(site, tmp_path, "report", "run")
    assert "pictures of the mnist test set" in (tmp_path / "run" / "report.html").read_text(encoding="utf-8")


@pytest.mark.slow
def test_the_demo_from_the_wheel_makes_every_digit_certain_by_every_method(site, tmp_path):
    assert "as recorded, bit for bit" in offline(site, tmp_path, "demo")
    classes = json.loads((tmp_path / "trompe-demo" / "results.json").read_text())["classes"]
    certain = Counter(entry["method"] for entry in classes if entry["verified_confidence"] >= 0.9999)
    assert certain == dict.fromkeys(METHODS, 10)
    assert {"report.html", "contact-sheet.png"} <= {path.name for path in (tmp_path / "trompe-demo").iterdir()}
