"""The wheel carries all that the main job needs: a network, its samples, nothing to be fetched."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
TARGETS = {"lenet-mnist", "lenet-mnist-b", "mlp-mnist", "softmax-mnist", "lenet-fashion"}
WEIGHTS = "trompe/targets/weights/"


def test_fool_runs_from_the_wheel_alone_without_network_or_home(tmp_path):
    """Package data that a checkout has and the wheel has not."""
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "-w", str(tmp_path)]
    copy = tmp_path / "source"
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(copy)], check=True, capture_output=True)
    subprocess.run([*build, str(copy)], check=True, capture_output=True)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        sizes = {info.filename: info.file_size for info in archive.infolist()}
    weights = {name.removeprefix(WEIGHTS): size for name, size in sizes.items() if name.startswith(WEIGHTS)}
    assert {name.split("/")[0] for name in weights} == TARGETS
    assert all(size < 2_000_000 for size in weights.values())
    environment = {
        **{key: value for key, value in os.environ.items() if key != "TROMPE_DATA"},
        "PYTHONPATH": str(tmp_path / "site"),
        "HOME": str(tmp_path / "no-home"),
    }
    program = "import sys, trompe; from trompe.cli.main import entry; print(trompe.__file__, file=sys.stderr); entry()"
    words = ["fool", "lenet-mnist", "--generations", "2", "--out", str(tmp_path / "run")]
    done = subprocess.run(
        [sys.executable, "-P", "-c", program, *words], env=environment, cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert str(tmp_path / "site") in done.stderr
    assert "as recorded, bit for bit" in done.stdout
