"""A server that trompe did not write: MLServer with a model of scikit-learn, in an environment of its own."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from trompe.cli.main import main
from trompe.run import open_run
from trompe.targets import Declaration, Preprocessing, Request, write_declaration

pytestmark = pytest.mark.slow

TRAIN = """
import joblib
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
digits = load_digits()
joblib.dump(LogisticRegression(max_iter=200).fit(digits.data / 16, digits.target), "model.joblib")
"""
DIGITS = tuple("0123456789")


@pytest.fixture(scope="module")
def address(tmp_path_factory):
    """The URL of the model, for as long as the tests of this file run."""
    folder = tmp_path_factory.mktemp("mlserver")
    python = _environment(folder / "venv")
    subprocess.run([python, "-c", TRAIN], cwd=folder, check=True, timeout=300)
    ports = [_free_port() for _ in range(3)]
    tensor = {"name": "pixels", "datatype": "FP32", "shape": [-1, 64]}
    outputs = [{"name": "predict", "datatype": "INT64", "shape": [-1]},
               {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 10]}]  # fmt: skip
    model = {"name": "digits", "implementation": "mlserver_sklearn.SKLearnModel", "inputs": [tensor],
             "outputs": outputs, "parameters": {"uri": "./model.joblib", "version": "v1"}}  # fmt: skip
    settings = {"host": "127.0.0.1", "http_port": ports[0], "grpc_port": ports[1], "metrics_port": ports[2],
                "parallel_workers": 0, "debug": False}  # fmt: skip
    (folder / "model-settings.json").write_text(json.dumps(model))
    (folder / "settings.json").write_text(json.dumps(settings))
    with (folder / "log").open("w") as log:
        command = [python.parent / "mlserver", "start", "."]
        server = subprocess.Popen(command, cwd=folder, stdout=log, stderr=log, start_new_session=True)
    try:
        url = f"http://127.0.0.1:{ports[0]}/v2/models/digits"
        _wait_for(f"{url}/ready", server, folder / "log")
        yield url
    finally:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(server.pid, signal.SIGTERM)
        server.wait(30)


def _environment(folder: Path) -> Path:
    python = folder / "bin" / "python"
    install = [python, "-m", "pip", "install", "--quiet", "mlserver==1.7.*", "mlserver-sklearn==1.7.*"]
    for command in ([sys.executable, "-m", "venv", folder], install):
        done = subprocess.run(command, capture_output=True, text=True, timeout=900)
        if done.returncode:
            reason = (done.stderr.strip() or "no reason given").splitlines()[-1]
            pytest.skip(f"MLServer cannot be installed here: {reason}")
    return python


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait_for(url: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    for _ in range(240):
        assert server.poll() is None, log.read_text()[-2000:]
        with contextlib.suppress(OSError), opener.open(url, timeout=2) as answer:
            if answer.status == 200:
                return
        time.sleep(0.5)
    raise AssertionError(log.read_text()[-2000:])


def _target_file(folder: Path, url: str, **request: object) -> str:
    path = folder / "digits.toml"
    flat = Preprocessing(layout="flat")
    asked = Request(**{"scores": "predict_proba", **request})
    write_declaration(path, Declaration(url, shape=(1, 8, 8), labels=DIGITS, preprocessing=flat, request=asked))
    return str(path)


def test_fool_mlserver(address, tmp_path, capsys):
    out = tmp_path / "run"
    words = ["--generations", "4", "--population", "50", "--confidence", "0.9", "--max-queries", "600", "--quiet"]
    assert main(["fool", _target_file(tmp_path, address), *words, "--out", str(out)]) == 0
    told, run = capsys.readouterr().out, open_run(out)
    assert "as recorded, within 0.001 in log-odds (another machine)" in told
    assert f"rows sent to {address}" in told
    assert run.about.target["labels"] == list(DIGITS)
    assert run.queries <= 600
    assert run.confident(0.5).at_least >= 3
    assert main(["verify", str(out)]) == 0


def test_audit_mlserver_in_batches(address, tmp_path, capsys):
    out = tmp_path / "run"
    file = _target_file(tmp_path, address, batch=5)
    assert main(["audit", file, "--max-queries", "1500", "--quiet", "--out", str(out)]) == 0
    run = open_run(out)
    assert len(run.searches) == 3
    assert run.queries <= 1500
    assert run.queries % 5 == 0
    assert (out / "report.html").exists()


def test_its_class_numbers_alone_are_refused(address, tmp_path, capsys):
    file = _target_file(tmp_path, address, scores="predict")
    assert main(["fool", file, "--quiet", "--out", str(tmp_path / "run")]) == 2
    assert "says nothing of certainty" in capsys.readouterr().err
