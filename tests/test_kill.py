"""Killed at any moment, a run opens, shows what was recorded, and is resumed to the bytes of an uninterrupted one."""

import hashlib
import json
import random
import signal
import subprocess
import sys
import time

import pytest

from trompe.core.errors import RunError
from trompe.run import open_run

GENERATIONS = 12
# A suite that runs in the background ignores Ctrl-C, and so would what it starts.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trompe.cli.main import entry
entry()
"""


def command(out, generations=GENERATIONS):
    words = ["fool", "lenet-mnist", "--generations", str(generations), "--confidence", "None", "--resume"]
    return [sys.executable, "-c", PROGRAM, *words, "--out", str(out)]


def end(out):
    """Everything a run promises to repeat: what is recorded, every image's bytes, the results but for the time."""
    images = {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in out.rglob("*.png")}
    results = json.loads((out / "results.json").read_text())
    results["summary"].pop("seconds")
    return open_run(out).digest(), images, results


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """An uninterrupted run: how long it took, and its end."""
    out = tmp_path_factory.mktemp("whole") / "run"
    before = time.monotonic()
    subprocess.run(command(out), check=True, capture_output=True)
    return time.monotonic() - before, end(out)


def steps_recorded(out):
    """Steps that a killed run shows; none where the kill came before there was a run."""
    try:
        run = open_run(out)
    except RunError:
        return 0
    steps = run.steps()
    assert [step["number"] for step in steps] == list(range(len(steps)))
    if steps:  # what it shows is consistent with itself
        assert run.searches[0].evaluations == steps[-1]["evaluations"]
        assert all(record.strongest is not None for record in run.classes)
        assert max(record.strongest.log_odds for record in run.classes) == steps[-1]["highest"]
    return len(steps)


def steps_so_far(out):
    """Steps that a run shows while it is written; unlike `steps_recorded`, this looks once, at a moving target."""
    try:
        return open_run(out).searches[0].steps
    except RunError:
        return 0


def kill_and_resume(out, moments, wanted):
    kept = 0
    for moment in moments:
        process = subprocess.Popen(command(out), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(moment)
        process.kill()
        process.wait()
        shown = steps_recorded(out)
        assert shown >= kept  # a later kill never takes back what an earlier one left
        kept = shown
    done = subprocess.run(command(out), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert end(out) == wanted


@pytest.mark.parametrize("share", [0.5, 0.75, 0.9])
def test_a_run_killed_once_ends_in_the_same_bytes(share, whole, tmp_path):
    duration, wanted = whole
    kill_and_resume(tmp_path / "run", [share * duration], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(seed, whole, tmp_path):
    duration, wanted = whole
    chance = random.Random(seed)
    kill_and_resume(tmp_path / "run", [chance.uniform(0.0, duration) for _ in range(1 + seed % 3)], wanted)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_so_and_can_be_resumed(number, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(command(out, generations=2000), stderr=subprocess.PIPE, text=True)
    deadline = time.monotonic() + 60
    while steps_so_far(out) < 5 and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    _, words = process.communicate(timeout=60)
    assert process.returncode == 130
    assert words.splitlines()[-1].startswith("trompe: interrupted.")
    assert "--resume" in words
    assert "Traceback" not in words
    run = open_run(out)
    results = json.loads((out / "results.json").read_text())
    assert run.state == results["state"] == "interrupted"
    assert all((out / entry["image_strongest"]).is_file() for entry in results["classes"])
    assert results["classes"][0]["verified_log_odds"] == "not measured"
    before = run.searches[0].evaluations
    again = subprocess.Popen(command(out, generations=2000), stderr=subprocess.DEVNULL)
    while open_run(out).searches[0].evaluations <= before and time.monotonic() < deadline:
        time.sleep(0.05)
    again.send_signal(signal.SIGINT)
    assert again.wait(timeout=60) == 130
    assert open_run(out).searches[0].evaluations > before
