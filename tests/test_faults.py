"""Harm from outside that a run, a target folder or a data folder may meet: said in one error, and nothing is lost."""

import ctypes
import fcntl
import hashlib
import io
import json
import os
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import zlib
from contextlib import suppress
from pathlib import Path

import pytest
import torch
from PIL import Image
from tiny import TINY_LABELS, TINY_SPEC

import trompe
from trompe.cli.main import main
from trompe.core.errors import RunError, TrompeError
from trompe.data import sources
from trompe.data.idx import read_idx, write_idx
from trompe.run import open_run
from trompe.run import record as record_module
from trompe.run.folder import LOCK, take_lock
from trompe.run.schema import DATABASE
from trompe.settings import FoolSettings
from trompe.targets import TorchTarget
from trompe.verbs.fool import Attempt, Session, fool_with
from trompe.verbs.verify import confirm

SHORT = {"generations": 3, "population": 20, "batch": 20, "confidence": None}


def settings(out, **changes):
    return FoolSettings("tiny-0", out=out, **{**SHORT, **changes})


def files(folder):
    return {
        path.relative_to(folder).as_posix(): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in folder.rglob("*")
        if path.is_file()
    }


@pytest.fixture(scope="module")
def finished(tiny, tmp_path_factory):
    out = tmp_path_factory.mktemp("faults") / "run"
    fool_with(settings(out), tiny)
    return out


@pytest.fixture
def run(finished, tmp_path):
    return shutil.copytree(finished, tmp_path / "run")


@pytest.fixture
def killed(finished, tmp_path):
    """A run whose log still lies beside it, as `kill -9` leaves it; the log holds what the file alone does not."""
    writer = sqlite3.connect(shutil.copytree(finished, tmp_path / "living") / DATABASE, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE search SET reason = 'in the log'")
    folder = shutil.copytree(tmp_path / "living", tmp_path / "killed")
    writer.close()
    (folder / f"{DATABASE}-shm").unlink()
    return folder


def change(folder, statement, *values):
    connection = sqlite3.connect(folder / DATABASE)
    assert connection.execute(statement, values).rowcount >= 1
    connection.commit()
    connection.close()


def bound_by_permissions():
    """Between fork and exec: even root is then bound by permission bits."""
    prctl = ctypes.CDLL(None).prctl
    for override in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        prctl(24, override, 0, 0, 0)  # PR_CAPBSET_DROP


@pytest.fixture
def locked():
    """Take away every right to write to a folder; given back in the end. Skips where permission bits do not bind."""
    taken = []

    def lock(folder):
        probe = [sys.executable, "-c", f"open({str(folder / 'probe')!r}, 'w')"]
        for path in (folder, *folder.rglob("*")):
            taken.append((path, path.stat().st_mode))
            path.chmod(0o555 if path.is_dir() else 0o444)
        if subprocess.run(probe, capture_output=True, preexec_fn=bound_by_permissions).returncode == 0:
            pytest.skip("this system lets this user write anywhere")
        return folder

    yield lock
    for path, mode in taken:
        path.chmod(mode)


def test_a_read_only_folder_is_read_and_never_written(finished, killed, locked, tmp_path):
    """With real permission bits: a finished run, one whose log SQLite cannot replay in place, and an empty folder."""
    whole, empty = shutil.copytree(finished, tmp_path / "whole"), tmp_path / "empty"
    wanted = [
        ["generations", open_run(finished).digest()],
        ["in the log", open_run(shutil.copytree(killed, tmp_path / "copy")).digest()],
    ]
    empty.mkdir()
    for folder in (whole, killed, empty):
        locked(folder)
    before = {folder: files(folder) for folder in (whole, killed, empty)}
    program = """
import json, sys
from trompe.cli.main import main
from trompe.run import open_run
whole, killed, empty = sys.argv[1:]
fool = ["fool", "softmax-mnist", "--generations", "1", "--quiet", "--out"]
codes = [main([*fool, killed, "--resume"]), main([*fool, empty]), main([*fool, empty + "/run"])]
print(json.dumps([codes, [[run.searches[0].reason, run.digest()] for run in map(open_run, (whole, killed))]]))
"""
    done = subprocess.run(
        [sys.executable, "-c", program, whole, killed, empty],
        capture_output=True, text=True, preexec_fn=bound_by_permissions,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == [[2, 2, 2], wanted]
    lines = done.stderr.splitlines()
    assert len(lines) == 3
    for line in lines:
        assert re.fullmatch(r"trompe: --out \S+: expected a folder that can be written; got .+\. Choose .+", line)
    assert {folder: files(folder) for folder in (whole, killed, empty)} == before


def test_whoever_reads_a_run_does_not_make_its_writer_fail(tiny, tmp_path, monkeypatch):
    """A live view or a database browser may be looking at the very moment the run ends."""
    connect = record_module._connect

    def impatient(folder):
        connection = connect(folder)
        connection.execute("PRAGMA busy_timeout = 0")
        return connection

    monkeypatch.setattr(record_module, "_connect", impatient)
    reader = None
    try:
        with Session(Attempt.prepare(settings(tmp_path / "run"), tiny)) as session:
            for _ in session:
                pass
            reader = sqlite3.connect(tmp_path / "run" / DATABASE)
            reader.execute("SELECT count(*) FROM step").fetchone()
            session.finish()
    finally:
        if reader is not None:
            reader.close()
    assert open_run(tmp_path / "run").state == "done"


def test_a_run_stays_as_it_was_opened_while_it_grows(tiny, tmp_path, monkeypatch):
    """Otherwise a page made of a living run has more steps in its curve than evaluations in its headline."""
    monkeypatch.setattr(record_module, "COMMIT_SECONDS", 0.0)

    def shown(run):
        return run.searches, run.steps(), run.takeovers(), run.judgements(), run.lineage("north")

    with Session(Attempt.prepare(settings(tmp_path / "run"), tiny)) as session:
        steps = iter(session)
        next(steps)
        opened = open_run(tmp_path / "run")
        before, digest = str(shown(opened)), opened.digest()
        for _ in steps:
            pass
        session.finish()
    assert len(opened.steps()) == opened.searches[0].steps == 1
    assert str(shown(opened)) == before
    later = open_run(tmp_path / "run")
    assert len(later.steps()) == later.searches[0].steps == 1 + 3
    assert len(later.takeovers()) > len(opened.takeovers())
    assert len(later.judgements()) == sum(len(record.kept()) for record in later.classes)
    assert digest != opened.digest() == later.digest()  # the one that is of the moment of the call


def test_a_lock_on_a_file_that_was_just_removed_is_no_lock(tmp_path, monkeypatch):
    """Between opening the lock file and locking it, the writer before may let go, and removes it."""
    flock = fcntl.flock

    def late(handle, how):
        monkeypatch.setattr(fcntl, "flock", flock)
        (tmp_path / LOCK).unlink()
        flock(handle, how)

    (tmp_path / LOCK).touch()
    monkeypatch.setattr(fcntl, "flock", late)
    handles = [take_lock(tmp_path)]
    try:
        with pytest.raises(RunError, match="expected a run that nobody else writes to"):
            handles.append(take_lock(tmp_path))
    finally:
        for handle in handles:
            os.close(handle)


def test_an_interruption_after_the_end_leaves_a_finished_run_finished(run, tiny):
    """Ctrl-C while a finished run is shown again must not make it an unfinished one."""
    before = files(run)
    with pytest.raises(KeyboardInterrupt), Session(Attempt.prepare(settings(run, resume=True), tiny)):
        raise KeyboardInterrupt
    assert files(run) == before


def test_beginning_anew_spares_what_trompe_did_not_write(tiny, tmp_path):
    """A copy of the database that somebody put beside a damaged one is theirs."""
    folder = tmp_path / "run"
    folder.mkdir()
    (folder / DATABASE).touch()
    (folder / f"{DATABASE}.bak").write_text("the only copy")
    with suppress(RunError):  # refusing is as good as sparing
        fool_with(settings(folder, resume=True), tiny)
    assert (folder / f"{DATABASE}.bak").read_text() == "the only copy"


DAMAGES = {
    "an image": ("UPDATE current SET input = ?", b"no zlib stream"),
    "an image of another size": ("UPDATE current SET input = ?", zlib.compress(b"short")),
    "a fact": ("UPDATE about SET value = ? WHERE key = 'target'", "{"),
    "a missing fact": ("DELETE FROM about WHERE key = ?", "judge"),
    "an encoding of text": ("UPDATE about SET value = CAST(? AS TEXT) WHERE key = 'target'", b"\xff"),
    "niches": ("UPDATE search SET niches = ?", "[]"),
    "statistics": ("UPDATE step SET statistics = ?", "{"),
    "a genome": ("UPDATE current SET genome = ?", b"no safetensors"),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_inside_the_database_is_said_and_not_shown_as_a_fault(damage, run, tiny):
    """Found by flipping bits: a damaged run is bad input, whatever the damage hits."""
    statement, value = DAMAGES[damage]
    change(run, statement, value)
    change(run, "UPDATE search SET state = ?", "interrupted")

    def use():
        open_run(run).steps()
        fool_with(settings(run, resume=True), tiny)

    with pytest.raises(RunError):
        use()


@pytest.mark.parametrize("size", [pytest.param(0), pytest.param(1), 99, 4096, 20_000])
def test_a_cut_database_is_refused_and_kept_as_it_is(size, run, tiny):
    """Also by --resume, which must not begin anew over what can still be restored."""
    path = run / DATABASE
    path.write_bytes(path.read_bytes()[:size])
    before = files(run)
    with pytest.raises(RunError, match=rf"{DATABASE}: expected .+; got .+\. [A-Z].+\."):
        open_run(run)
    with pytest.raises(RunError, match=rf"{DATABASE}: expected .+; got .+\. [A-Z].+\."):
        fool_with(settings(run, resume=True), tiny)
    assert files(run) == before


def test_a_healthy_run_is_read_without_any_scratch_space(run, monkeypatch):
    """On a full disk the folder for temporary files is full as well."""

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "TemporaryDirectory", full)
    assert open_run(run).state == "done"


def test_images_that_cannot_be_written_are_one_error_and_resume_writes_them(run, tiny):
    """The full disk may first be met by an image and not by the database."""
    (run / "results.json").unlink()
    shutil.rmtree(run / "images")
    (run / "images").write_text("in the way")
    with pytest.raises(RunError, match=r"expected a folder that can be written; got .+--resume"):
        fool_with(settings(run, resume=True), tiny)
    (run / "images").unlink()
    assert confirm(fool_with(settings(run, resume=True), tiny), tiny).passed


@pytest.mark.parametrize("content", ["[]", "null", "{}", "3"])
def test_results_that_are_no_results_are_written_again(content, run, tiny):
    before = (run / "results.json").read_text()
    (run / "results.json").write_text(content)
    fool_with(settings(run, resume=True), tiny)
    assert (run / "results.json").read_text() == before


@pytest.mark.parametrize(
    ("part", "key", "value"),
    [
        ("summary", "confident", {"0.5": "at least 4 of 4 attempted"}),
        ("summary", "median_confidence", 0.999999),
        ("settings", "generations", 1),
        ("target", "fingerprint", "0" * 64),
    ],
)
def test_verification_notices_every_edited_number(part, key, value, run, tiny, monkeypatch):
    """The headline is what people quote."""
    monkeypatch.setattr("trompe.verbs.verify.load_target", lambda *_, **__: tiny)
    assert trompe.verify(run).passed
    told = json.loads((run / "results.json").read_text())
    told[part][key] = value
    (run / "results.json").write_text(json.dumps(told))
    assert not trompe.verify(run).passed


def test_verification_notices_a_pixel_that_the_target_does_not_see(tmp_path):
    """A network is blind to many a pixel; an image with another one there is not the one that was judged."""
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(36, 4))
    with torch.no_grad():
        net[1].weight.copy_(torch.linspace(-1, 1, 144).reshape(4, 36)).select(1, 7).zero_()
        net[1].bias.zero_()
    blind = TorchTarget("tiny-0", net.eval().requires_grad_(False), TINY_SPEC, TINY_LABELS)
    run = fool_with(settings(tmp_path / "run"), blind)
    path = run.folder / run["north"].strongest.file
    with Image.open(path) as image:
        image.putpixel((1, 1), image.getpixel((1, 1)) ^ 64)
        image.save(path)
    assert not confirm(run, blind).passed


def test_an_image_of_absurd_size_is_a_failed_verification(run, tiny):
    record = open_run(run)
    content = io.BytesIO()
    Image.new("1", (20_000, 20_000)).save(content, "PNG")
    (run / record["north"].strongest.file).write_bytes(content.getvalue())
    assert not confirm(record, tiny).passed


def test_a_folder_that_cannot_be_made_is_refused_before_training(tmp_path, monkeypatch):
    """Not after ten minutes of it, and not with a traceback."""
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setattr("trompe.verbs.train.errors", lambda *_: 0)
    monkeypatch.setattr("trompe.verbs.train.fit", lambda *_: iter(()))
    with pytest.raises(TrompeError, match="expected a folder that can be written; got"):
        trompe.train("softmax", iterations=1, out=tmp_path / "file" / "net")


@pytest.mark.parametrize("command", ["train", "verify"])
def test_only_what_can_be_resumed_says_so_when_interrupted(command, run, capsys, monkeypatch):
    """`trompe train` and `trompe verify` keep nothing and have no --resume."""

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(f"trompe.cli.{command}.parse", interrupt)
    assert main([command, str(run)]) == 130
    assert "--resume" not in capsys.readouterr().err


class Greedy(torch.nn.Module):
    """Wants more memory than any machine has, from its k-th call on."""

    def __init__(self, module, calls):
        super().__init__()
        self.module, self.calls = module, calls

    def forward(self, images):
        self.calls -= 1
        return self.module(images if self.calls > 0 else torch.empty(1 << 50))


def test_no_memory_left_is_one_line_with_what_to_do_and_keeps_what_was_recorded(tiny, tmp_path, monkeypatch, capsys):
    """Torch says it by a RuntimeError, which is what a fault of trompe would be, too."""
    greedy = TorchTarget("tiny-0", Greedy(tiny.module, 4).eval(), tiny.spec, tiny.labels)
    monkeypatch.setattr("trompe.verbs.fool.load_target", lambda *_, **__: greedy)
    words = ["fool", "x", "--generations", "9", "--population", "20", "--quiet", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"trompe fool: expected enough memory; got none left\. .+--resume.+--batch.+\.", line)
    assert open_run(tmp_path / "run").searches[0].steps == 3


def test_no_memory_left_to_read_a_run_is_not_damage_of_the_run(run, monkeypatch, capsys):
    monkeypatch.setattr("trompe.run.read.unpack_levels", lambda *_: torch.empty(1 << 50))
    assert main(["verify", str(run)]) == 2
    assert capsys.readouterr().err == (
        "trompe verify: expected enough memory; got none left. Free some memory and do it again.\n"
    )


def test_another_runtime_error_is_still_a_fault_of_trompe(run, monkeypatch):
    def fail(*_):
        raise RuntimeError("a fault")

    monkeypatch.setattr("trompe.cli.verify.parse", fail)
    with pytest.raises(RuntimeError, match="a fault"):
        main(["verify", str(run)])


def test_a_label_cannot_command_the_terminal(tiny, tmp_path, monkeypatch, capsys):
    """A target folder comes from a stranger: its labels may hold escape sequences and line breaks."""
    hostile = TorchTarget("tiny-0", tiny.module, tiny.spec, ("\x1b[2Ja", "b\nverified   4 images", "c\r", "d\x07"))
    monkeypatch.setattr("trompe.verbs.fool.load_target", lambda *_, **__: hostile)
    words = ["fool", "x", "--generations", "1", "--population", "20", "--quiet", "--out", str(tmp_path / "run")]
    assert main(words) == 0
    out = capsys.readouterr().out
    assert not re.search(r"[\x00-\x09\x0b-\x1f\x7f]", out)
    assert len([line for line in out.splitlines() if line.startswith("verified")]) == 1


def test_a_run_on_a_target_folder_verifies_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(trompe.bundled_targets()["softmax-mnist"], "mine")
    trompe.fool("./mine", generations=1, population=50, out=Path("run"))
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert trompe.verify(Path("../run")).passed


@pytest.mark.parametrize("shape", [(0,), (3, 0), (0, 28, 28)])
def test_an_idx_file_without_values_is_read_as_it_was_written(shape, tmp_path):
    write_idx(tmp_path / "values", torch.zeros(shape, dtype=torch.uint8))
    assert tuple(read_idx(tmp_path / "values").shape) == shape


def test_files_in_a_folder_that_the_user_named_are_not_overwritten(tmp_path, monkeypatch):
    """They may be another version of the data set, and the only copy."""
    right = {name: torch.zeros(2, dtype=torch.uint8) for name in sources.FILES}
    sums = {name: hashlib.sha256(bytes(2)).hexdigest() for name in sources.FILES}
    for folder, value in ((tmp_path / "data" / "toy", 7), (tmp_path / "system", 0)):
        folder.mkdir(parents=True)
        for name, file in sources.FILES.items():
            write_idx(folder / file, right[name] + value)
    monkeypatch.setenv("TROMPE_DATA", str(tmp_path / "data"))
    monkeypatch.setattr(sources, "MIRRORS", {"toy": "http://127.0.0.1:9/"})
    monkeypatch.setattr(sources, "SYSTEM_FOLDERS", {"toy": tmp_path / "system"})
    before = files(tmp_path / "data")
    assert torch.equal(sources.fetch("toy", sums)["t10k-images"], right["t10k-images"])
    assert files(tmp_path / "data") == before


def test_a_table_without_a_column_is_a_damaged_run(run):
    """Found by flipping bits in the schema; also what a foreign database with tables of the same names looks like."""
    connection = sqlite3.connect(run / DATABASE)
    connection.execute("ALTER TABLE current RENAME COLUMN candidate TO candidale")
    connection.commit()
    connection.close()
    with pytest.raises(RunError, match=rf"{DATABASE}: expected .+; got no such column"):
        open_run(run)


def test_a_schema_that_is_no_text_is_a_damaged_run(run, tiny):
    content = (run / DATABASE).read_bytes()
    assert content.count(b"tabletakeovertakeover") == 1
    (run / DATABASE).write_bytes(content.replace(b"tabletakeover", b"tabletake\xefver"))
    with pytest.raises(RunError, match=rf"{DATABASE}: expected an undamaged database; got .+\. [A-Z].+\."):
        open_run(run)
    with pytest.raises(RunError, match=rf"{DATABASE}: expected an undamaged database; got .+\. [A-Z].+\."):
        fool_with(settings(run, resume=True), tiny)
    assert not (run / LOCK).exists()
