"""A real Ray cluster on this machine: results do not hang on the number of workers, nor on who is killed."""

import os
import signal
import subprocess
import sys
from dataclasses import replace

import pytest

import trompe
from trompe.core.errors import Notice, TargetError
from trompe.run import open_run
from trompe.search.on_ray import load_ray
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import load_target
from trompe.verbs.audit import audit_session
from trompe.verbs.fool import fool_session
from trompe.verbs.rerun import repeat

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("default::ResourceWarning", "default::DeprecationWarning", "default::FutureWarning"),
]
RUN = {"engine": "ray", "generations": 3, "confidence": None, "readers": "none"}


@pytest.fixture(scope="module")
def cluster():
    """One cluster for all tests, as a user's own program would have it; its address."""
    pytest.importorskip("ray")
    ray = load_ray()
    ray.init(address="local", num_cpus=2, include_dashboard=False, log_to_driver=False, logging_level="ERROR",
             configure_logging=False, object_store_memory=100_000_000)  # fmt: skip
    yield ray.get_runtime_context().gcs_address
    ray.shutdown()


def go(settings, disturb=None):
    """A run to its end; its digest."""
    with fool_session(settings) as session:
        for step in session:
            if disturb:
                disturb(session, step)
        return session.finish().digest()


@pytest.fixture(scope="module")
def whole(cluster, tmp_path_factory):
    return go(FoolSettings("lenet-mnist", **RUN, workers=1, out=tmp_path_factory.mktemp("whole") / "run"))


def test_two_workers_record_what_one_does(whole, tmp_path):
    assert go(FoolSettings("lenet-mnist", **RUN, workers=2, out=tmp_path / "run")) == whole


def test_networks_are_painted_where_they_are_judged_to_the_same_bytes(cluster, tmp_path):
    """Against the same run in this process: only the engine's name, in the settings and the judge, is another."""
    settings = FoolSettings("lenet-mnist", **RUN, encoding="cppn", renderer="torch", workers=2, out=tmp_path / "ray")
    go(settings)
    judge = replace(trompe.search.JudgeSettings(**open_run(tmp_path / "ray").about.judge), engine="torch")
    with fool_session(replace(settings, engine="torch", workers=None, out=tmp_path / "own"), None, judge) as session:
        list(session)
        session.finish()
    ends = [[(k.label, k.candidate, k.log_odds, k.levels.tolist()) for record in open_run(tmp_path / name).classes
             for k in record.kept()] for name in ("ray", "own")]  # fmt: skip
    assert ends[0] == ends[1]


def test_a_killed_worker_changes_nothing(whole, tmp_path):
    killed = []

    def kill(session, step):
        if step.number in (3, 8):
            killed.append(session._cluster.crew.processes()[0])
            os.kill(killed[-1], signal.SIGKILL)

    with pytest.warns(Notice, match="what it had is judged again"):
        digest = go(FoolSettings("lenet-mnist", **RUN, workers=2, out=tmp_path / "run"), kill)
    assert digest == whole
    assert len(set(killed)) == 2
    assert len(open_run(tmp_path / "run").measured["notices"]) == 2


def test_it_is_interrupted_and_goes_on_with_another_number_of_workers(whole, tmp_path):
    settings = FoolSettings("lenet-mnist", **RUN, workers=2, out=tmp_path / "run")

    def interrupt(session, step):
        if step.number == 5:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        go(settings, interrupt)
    assert go(replace(settings, workers=1, resume=True)) == whole
    with repeat(trompe.settings.RerunSettings(tmp_path / "run", out=tmp_path / "again")) as session:
        list(session)
        assert session.finish().digest() == whole


def test_without_waiting_a_run_is_whole_too(cluster, tmp_path):
    settings = FoolSettings("lenet-mnist", **RUN, workers=2, asynchronous=True, out=tmp_path / "run")
    go(settings)
    run = open_run(tmp_path / "run")
    assert [search.evaluations for search in run.searches] == [800]
    assert trompe.verify(tmp_path / "run").passed


def test_an_audit_uses_one_cluster_for_all_its_methods(cluster, tmp_path):
    settings = AuditSettings(
        "lenet-mnist", engine="ray", workers=2, budget=100, readers="none", survival=False, out=tmp_path / "audit",
        methods=("pixels-squares", "cppn-evolve", "pixels-ascend"),
    )  # fmt: skip
    with audit_session(settings) as session:
        list(session)
        run = session.finish()
    assert [search.evaluations for search in run.searches[:2]] == [100, 100]
    assert run.searches[2].evaluations <= 100, "it climbs here, and may be done sooner"
    assert run.about.judge["engine"] == "ray"
    assert "ray" in run.about.versions


def test_what_goes_wrong_in_a_worker_is_said_as_it_would_be_here(cluster, tmp_path):
    target = replace(load_target("lenet-mnist"), labels=tuple("abcdefghijk"))  # eleven labels, ten outputs
    settings = FoolSettings("odd", **RUN, workers=1, out=tmp_path / "run")
    message = r"^target lenet-mnist: expected logits of shape \(8, 11\).*got shape \(8, 10\)"
    with pytest.raises(TargetError, match=message):
        trompe.fool_with(settings, target)
    assert open_run(tmp_path / "run").state == "interrupted"


def test_a_target_that_cannot_leave_its_process_is_refused(cluster, tmp_path):
    target = load_target("lenet-mnist")
    target.module.lock = __import__("threading").Lock()
    with pytest.raises(TargetError, match=r"expected a target that can be passed to other processes; got .*lock"):
        trompe.fool_with(FoolSettings("locked", **RUN, workers=1, out=tmp_path / "run"), target)
    assert not (tmp_path / "run").exists()


def test_the_command_joins_a_cluster_by_its_address_and_leaves_it_running(cluster, whole, tmp_path):
    words = ["fool", "lenet-mnist", "--engine", "ray", "--workers", "1", "--generations", "3", "--confidence", "None"]
    words += ["--readers", "none", "--quiet", "--address", cluster, "--out", str(tmp_path / "run")]
    program = f"import sys; from trompe.cli.main import main; sys.exit(main({words!r}))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert open_run(tmp_path / "run").digest() == whole
    assert load_ray().is_initialized()
    assert load_ray().cluster_resources()["CPU"] == 2.0


def test_no_thread_of_ray_asks_on_while_a_run_of_its_own_cluster_waits(tmp_path):
    """The one that prints errors went on asking its closed line, on a whole core."""
    settings = {**RUN, "workers": 1, "out": tmp_path / "run"}
    program = f"""
import threading
from pathlib import PosixPath
from trompe.settings import FoolSettings
from trompe.verbs.fool import fool_session
with fool_session(FoolSettings("lenet-mnist", **{settings!r})) as session:
    next(iter(session))
    print(sorted(thread.name for thread in threading.enumerate() if "listen" in thread.name))
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "[]\n"), done.stderr
