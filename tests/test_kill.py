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

FOOL = ("fool", "lenet-mnist", "--generations")
EVOLVE, ENDLESS = (*FOOL, "12"), (*FOOL, "2000")
OTHERS = {
    "cppn-evolve": (*FOOL, "25", "--encoding", "cppn"),
    "pixels-ascend": (*FOOL, "200", "--by", "ascend"),
    "pixels-squares": (*FOOL, "300", "--by", "squares"),
    "audit": ("audit", "lenet-mnist", "--budget", "2000"),
}
"""What else can be killed; each takes seconds from its first step on."""
# A suite that runs in the background ignores Ctrl-C, and so would what it starts.
PROGRAM = """
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from trompe.cli.main import entry
entry()
"""


def command(out, words=EVOLVE):
    return [sys.executable, "-c", PROGRAM, *words, "--confidence", "None", "--resume", "--out", str(out)]


def end(out):
    """Everything a run promises to repeat: what is recorded, every image's bytes, the results but for the time."""
    images = {str(path.relative_to(out)): hashlib.sha256(path.read_bytes()).hexdigest() for path in out.rglob("*.png")}
    results = json.loads((out / "results.json").read_text())
    results["summary"].pop("seconds")
    return open_run(out).digest(), images, results


def go_through(out, words):
    """An uninterrupted run: how long it took, and its end."""
    before = time.monotonic()
    subprocess.run(command(out, words), check=True, capture_output=True)
    return time.monotonic() - before, end(out)


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return go_through(tmp_path_factory.mktemp("whole") / "run", EVOLVE)


@pytest.fixture(scope="module", params=OTHERS)
def other(request, tmp_path_factory):
    """The words of another command, how long its steps take, and its end."""
    words, out = OTHERS[request.param], tmp_path_factory.mktemp("other") / "run"
    _, wanted = go_through(out, words)
    return words, sum(search.seconds for search in open_run(out).searches), wanted


def steps_recorded(out):
    """Steps that a killed run shows; none where the kill came before there was a run."""
    try:
        run = open_run(out)
    except RunError:
        return 0
    for search in run.searches:
        steps = run.steps(search.number)
        assert [step["number"] for step in steps] == list(range(len(steps)))
        if steps:  # what it shows is consistent with itself
            records = [record for record in run.classes if record.search == search.number]
            assert search.evaluations == steps[-1]["evaluations"]
            assert max(record.strongest.log_odds for record in records) == steps[-1]["highest"]
    return sum(search.steps for search in run.searches)


def steps_so_far(out):
    """Steps that a run shows while it is written; unlike `steps_recorded`, this looks once, at a moving target."""
    try:
        return sum(search.steps for search in open_run(out).searches)
    except RunError:
        return 0


def wait_for_a_step(process, out, before):
    """Loading torch takes seconds, or many on a busy machine; a moment is then no longer one of the search."""
    while steps_so_far(out) <= before and process.poll() is None:
        time.sleep(0.02)


def kill_and_resume(out, moments, wanted, words=EVOLVE, *, under_way=False):
    kept = 0
    for moment in moments:
        process = subprocess.Popen(command(out, words), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if under_way:
            wait_for_a_step(process, out, kept)
        time.sleep(moment)
        process.kill()
        process.wait()
        shown = steps_recorded(out)
        assert shown >= kept  # a later kill never takes back what an earlier one left
        kept = shown
    done = subprocess.run(command(out, words), capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert end(out) == wanted


@pytest.mark.parametrize("share", [*(pytest.param(x, marks=pytest.mark.slow) for x in (0.5, 0.9)), 0.75])
def test_a_run_killed_once_ends_in_the_same_bytes(share, whole, tmp_path):
    duration, wanted = whole
    kill_and_resume(tmp_path / "run", [share * duration], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20))
def test_a_run_killed_at_random_moments_ends_in_the_same_bytes(seed, whole, tmp_path):
    duration, wanted = whole
    chance = random.Random(seed)
    kill_and_resume(tmp_path / "run", [chance.uniform(0.0, duration) for _ in range(1 + seed % 3)], wanted)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_whatever_was_killed_at_random_moments_ends_in_the_same_bytes(seed, other, tmp_path):
    """Ascend and squares go on in the middle of a turn, an audit in the middle of any of its methods."""
    words, duration, wanted = other
    chance = random.Random(seed)
    moments = [chance.uniform(0.0, duration / 3) for _ in range(3)]
    kill_and_resume(tmp_path / "run", moments, wanted, words, under_way=True)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interruption_says_so_and_can_be_resumed(number, tmp_path):
    out = tmp_path / "run"
    process = subprocess.Popen(command(out, ENDLESS), stderr=subprocess.PIPE, text=True)
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
    again = subprocess.Popen(command(out, ENDLESS), stderr=subprocess.DEVNULL)
    while open_run(out).searches[0].evaluations <= before and time.monotonic() < deadline:
        time.sleep(0.05)
    again.send_signal(signal.SIGINT)
    assert again.wait(timeout=60) == 130
    assert open_run(out).searches[0].evaluations > before
