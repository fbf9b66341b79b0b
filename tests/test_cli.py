"""The command line as a stranger meets it: one line for every mistake, the right exit code, nothing left behind."""

import json
import os
import pty
import re
import shutil
import sqlite3
import subprocess
import sys
from dataclasses import replace

import pytest
import torch

from trompe.cli.main import main, overview
from trompe.cli.parse import COMMANDS, gathered, parse
from trompe.core.specs import ImageSpec
from trompe.core.types import Outputs
from trompe.run.schema import DATABASE
from trompe.settings import AuditSettings, TransferSettings
from trompe.targets import TorchTarget
from trompe.targets.load import bundled_targets

LONG = 300 * "a"
QUICK = ["--generations", "2", "--population", "20", "--confidence", "None"]


def trompe(*words, cwd=None, **environment):
    command = [sys.executable, "-c", "from trompe.cli.main import entry; entry()", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, cwd=cwd, env={**os.environ, **environment}, stdin=subprocess.DEVNULL
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    out = tmp_path_factory.mktemp("cli") / "run"
    done = trompe("fool", "lenet-mnist", *QUICK, "--out", out)
    assert done.returncode == 0, done.stderr
    return out, done


@pytest.fixture
def run(made, tmp_path):
    return shutil.copytree(made[0], tmp_path / "run")


def refused(words, capsys, expected):
    """Exit code 2 and one line on standard error that says expected, got, where and what to do."""
    assert main([str(word) for word in words]) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.count("\n") == 1
    assert "Traceback" not in err
    assert re.search(expected, err), err
    assert re.search(r"expected .+; got .+\. \S.*\.?$", err.strip())


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["fol"], r"expected one of demo, .*; got 'fol'\. Did you mean 'fool'\?"),
        (["xyzzy"], r"got 'xyzzy'\. See trompe --help"),
        (["fool"], r"trompe fool: expected options .*; got .*(TARGET|--out)"),
        (["fool", "lenet-mnist"], r"trompe fool: expected options .*; got .*--out"),
        (["fool", "lenet-mnist", "--out", "r", "--genrations", "3"], r"--genrations.*--generations"),
        (["fool", "lenet-mnist", "--out", "r", "--population", "many"], r"--population.*'many'"),
        (["fool", "lenet-mnist", "--out", "r", "--by", "magic"], r"'magic'.*--by.*evolve"),
        (["fool", "lenet-mnst", "--out", "r"], r"got 'lenet-mnst'\. Did you mean 'lenet-mnist'\?"),
        (["fool", "lenet-mnist", "--out", "r", "--classes", "3", "x"], r"--classes: expected one of 0, 1, .*; got 'x'"),
        (["fool", "lenet-mnist", "--out", "r", "--budget", "0"], r"--budget: expected a number of at least 1; got 0"),
        (
            ["fool", "lenet-mnist", "--out", "r", "--confidence", "1"],
            r"--confidence: .*strictly between 0 and 1; got 1",
        ),
        (["fool", "lenet-mnist", "--out", "r", "--time", "soon"], r"--time: .*; got 'soon'"),
        (["fool", "lenet-mnist", "--out", "/proc/nowhere"], r"/proc/nowhere: expected a folder that can be written"),
        (["judge", "lenet-mnist", "--classes", "x", "--out", "j"], r"--classes: expected one of 0, 1, .*; got 'x'"),
        (["judge", "lenet-mnist", "--readers", "nowhere", "--out", "j"], r"nowhere: expected .*readers.*; got"),
        (["verify", "nowhere"], r"nowhere: expected a run folder; got no such folder"),
        (["rerun", "nowhere", "--out", "r"], r"nowhere: expected a run folder; got no such folder"),
        (["train", "lenet", "--out", "r", "--data", "imagenet"], r"'imagenet'.*--data"),
        (
            ["train", "lenet", "--out", "r", "--iterations", "0"],
            r"--iterations: expected a number of at least 1; got 0",
        ),
    ],
)
def test_bad_input_is_one_line_and_leaves_nothing(words, expected, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    refused(words, capsys, expected)
    assert list(tmp_path.iterdir()) == []


def test_a_file_where_a_folder_should_be(capsys, tmp_path):
    file = tmp_path / "file"
    file.write_text("important")
    refused(["fool", "lenet-mnist", "--out", file], capsys, r"expected a folder; got a file")
    refused(["verify", file], capsys, r"expected a run folder; got a file")
    refused(["train", "softmax", "--out", file], capsys, r"expected a folder; got a file")
    assert file.read_text() == "important"


def test_what_is_no_run_or_a_damaged_or_newer_one(capsys, run, tmp_path):
    (tmp_path / "empty").mkdir()
    refused(["verify", tmp_path / "empty"], capsys, rf"got a folder without {DATABASE}")
    whole = (run / DATABASE).read_bytes()
    for content in (b"", b"not a database at all, but long enough to look at" * 9, whole[: len(whole) // 2]):
        (run / DATABASE).write_bytes(content)
        refused(["verify", run], capsys, r"expected (the database of a trompe run|an undamaged database)")
    (run / DATABASE).write_bytes(whole)
    connection = sqlite3.connect(run / DATABASE)
    connection.execute("PRAGMA user_version = 99")
    connection.commit()
    connection.close()
    for words in (
        ["verify", run],
        ["rerun", run, "--out", tmp_path / "n"],
        ["fool", "lenet-mnist", "--out", run, "--resume"],
    ):
        refused(words, capsys, r"expected a run of schema \d+ or older; got schema 99.*newer trompe")


def test_a_foreign_database_is_no_run(capsys, tmp_path):
    connection = sqlite3.connect(tmp_path / DATABASE)
    connection.execute("CREATE TABLE cats (name TEXT)")
    connection.commit()
    connection.close()
    refused(["verify", tmp_path], capsys, r"expected the database of a trompe run; got no such table")


def test_a_full_disk_is_said_and_what_was_recorded_is_resumed(capsys, tmp_path, monkeypatch):
    """SQLite's own "database or disk is full", from a limit on the pages of the file."""
    from trompe.run import record

    words = ["fool", "lenet-mnist", "--generations", "8", "--confidence", "None", "--quiet", "--out"]
    assert main([*words, str(tmp_path / "whole")]) == 0
    connect = record._connect

    def small(folder):
        connection = connect(folder)
        connection.execute("PRAGMA max_page_count = 150")
        return connection

    monkeypatch.setattr(record, "COMMIT_SECONDS", 0.0)
    monkeypatch.setattr(record, "_connect", small)
    capsys.readouterr()
    refused([*words, tmp_path / "cut"], capsys, r"expected room on the disk; got database or disk is full.*--resume")
    monkeypatch.undo()
    from trompe.run import open_run

    kept = open_run(tmp_path / "cut")
    assert kept.searches[0].steps > 3
    assert main([*words, str(tmp_path / "cut"), "--resume"]) == 0
    assert open_run(tmp_path / "cut").digest() == open_run(tmp_path / "whole").digest()


@pytest.mark.parametrize(
    ("outputs", "expected"),
    [
        (lambda images: Outputs(torch.full((len(images), 4), float("nan"))), r"got nan for class 'north'"),
        (
            lambda images: Outputs(torch.zeros(len(images), 3)),
            r"expected logits of shape \(20, 4\).*got shape \(20, 3\)",
        ),
        (lambda images: Outputs(torch.zeros(len(images) - 1, 4)), r"got shape \(19, 4\)"),
    ],
)
def test_a_model_that_answers_nonsense(outputs, expected, tiny, capsys, tmp_path, monkeypatch):
    class Odd(TorchTarget):
        def judge(self, inputs):
            return outputs(inputs)

    odd = Odd(tiny.name, tiny.module, tiny.spec, tiny.labels)
    monkeypatch.setattr("trompe.verbs.fool.load_target", lambda *_, **__: odd)
    refused(["fool", "odd", *QUICK, "--quiet", "--out", tmp_path / "run"], capsys, expected)


def test_a_model_for_another_shape(tiny, capsys, tmp_path, monkeypatch):
    wrong = TorchTarget("wrong", tiny.module, ImageSpec(1, 7, 7), tiny.labels)
    monkeypatch.setattr("trompe.verbs.fool.load_target", lambda *_, **__: wrong)
    expected = r"expected a module that takes images of shape \('n', 1, 7, 7\); got .*shapes cannot be multiplied"
    refused(["fool", "wrong", *QUICK, "--quiet", "--out", tmp_path / "run"], capsys, expected)


def test_a_fault_of_trompe_is_no_bad_input(tiny, tmp_path, monkeypatch):
    def broken(*_, **__):
        raise ZeroDivisionError

    monkeypatch.setattr("trompe.verbs.fool.load_target", broken)
    with pytest.raises(ZeroDivisionError):  # the interpreter then shows it and exits with 1
        main(["fool", "x", "--out", str(tmp_path / "run")])


def test_failed_verification_is_exit_code_3(run, capsys):
    assert main(["verify", str(run)]) == 0
    assert "as recorded, bit for bit" in capsys.readouterr().out
    victim = next((run / "images").rglob("*strongest.png"))
    victim.unlink()
    assert main(["verify", str(run)]) == 3
    assert victim.name in capsys.readouterr().out
    assert main(["verify", str(run), "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["passed"] is False
    assert len(told["failures"]) == 1


def test_a_run_whose_own_images_do_not_verify_is_exit_code_3(tmp_path, monkeypatch, capsys):
    """A fault between the search and the disk must not be reported as success."""
    read = ImageSpec.read
    monkeypatch.setattr(ImageSpec, "read", lambda spec, path: read(spec, path) // 2)
    assert main(["fool", "lenet-mnist", *QUICK, "--quiet", "--out", str(tmp_path / "run")]) == 3
    assert "VERIFICATION FAILED" in capsys.readouterr().out
    assert main(["fool", "lenet-mnist", *QUICK, "--quiet", "--json", "--out", str(tmp_path / "other")]) == 3
    assert json.loads(capsys.readouterr().out)["summary"]["largest_difference"] > 0


def test_a_run_in_a_folder_that_is_called_as_its_target_is_verified(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    small = ["--budget", "40", "--population", "20", "--quiet", "--out"]
    for out in ("softmax-mnist", "two"):
        assert main(["fool", "softmax-mnist", *small, out]) in (0, 4)
    assert main(["verify", "two"]) == 0
    assert main(["rerun", "two", "--out", "three", "--quiet"]) == 0
    assert "the same bytes" in capsys.readouterr().err


def test_a_run_of_a_folder_is_repeated_from_anywhere(tmp_path, monkeypatch, capsys):
    for name in ("here", "there"):
        (tmp_path / name).mkdir()
    shutil.copytree(bundled_targets()["softmax-mnist"], tmp_path / "here" / "net")
    monkeypatch.chdir(tmp_path / "here")
    assert main(["fool", "net", "--budget", "40", "--population", "20", "--quiet", "--out", "run"]) in (0, 4)
    monkeypatch.chdir(tmp_path / "there")
    assert main(["rerun", "../here/run", "--out", "again", "--quiet"]) == 0
    assert "the same bytes" in capsys.readouterr().err
    assert main(["verify", "again"]) == 0


@pytest.mark.parametrize(
    "words", [["fool", LONG, "--out", "r"], ["fool", "softmax-mnist", "--out", LONG], ["verify", LONG]]
)
def test_a_name_too_long_for_a_file_is_one_line(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    refused(words, capsys, LONG[:20])


def test_rerun_says_whether_the_bytes_are_the_same(run, tmp_path, capsys):
    assert main(["rerun", str(run), "--out", str(tmp_path / "again"), "--quiet"]) == 0
    assert "the same bytes" in capsys.readouterr().err
    connection = sqlite3.connect(run / DATABASE)
    connection.execute("UPDATE step SET forwards = forwards + 1 WHERE number = 1")
    connection.commit()
    connection.close()
    assert main(["rerun", str(run), "--out", str(tmp_path / "other"), "--quiet"]) == 3
    assert "other bytes" in capsys.readouterr().err


def test_json_is_one_document_and_all_of_standard_output(tmp_path):
    done = trompe("fool", "lenet-mnist", *QUICK, "--json", "--out", tmp_path / "run")
    assert json.loads(done.stdout) == json.loads((tmp_path / "run" / "results.json").read_text())
    assert done.stderr == ""
    listed = json.loads(trompe("targets", "--json").stdout)
    assert listed["lenet-mnist"]["architecture"] == "lenet"


def test_the_summary_says_what_the_results_say(made):
    out, done = made
    results = json.loads((out / "results.json").read_text())
    assert f"{results['summary']['confident']['0.99']} at 99 %" in done.stdout
    assert f"{results['summary']['evaluations']:,} evaluations" in done.stdout
    assert results["summary"]["median_in_words"] in done.stdout
    fooled = results["summary"]["fooled"]
    read = isinstance(fooled, dict)
    words = f"fooled     {fooled['classes']['0.99']['words']} classes" if read else "readable   not measured"
    assert f"\n{words}" in done.stdout


def test_piped_progress_is_plain_lines(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("trompe.cli.show._LINE_SECONDS", 0.0)
    assert main(["fool", "lenet-mnist", *QUICK, "--out", str(tmp_path / "run")]) == 0
    lines = capsys.readouterr().err.splitlines()
    assert re.fullmatch(r"pixels-evolve generation 2 of 2  median \d.* %  \d+ of 10 at 99\.99 %  [\d,]+/s", lines[-1])
    assert all("\x1b" not in line for line in lines)
    assert main(["fool", "lenet-mnist", *QUICK, "--quiet", "--out", str(tmp_path / "silent")]) == 0
    assert capsys.readouterr().err == ""


def test_progress_ends_where_the_budget_does(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("trompe.cli.show._LINE_SECONDS", 0.0)
    words = ["fool", "lenet-mnist", "--generations", "50", "--budget", "500", "--confidence", "None"]
    assert main([*words, "--out", str(tmp_path / "run")]) == 0
    assert " generation 2 of 2 " in capsys.readouterr().err.splitlines()[-1]


def watched(tmp_path, *, finished):
    """What a true-colour terminal is sent: by standard error while it works, or by standard output when it is done."""
    leader, follower = pty.openpty()
    words = ["fool", "lenet-mnist", "--generations", "40", "--confidence", "None", "--out", str(tmp_path / "run")]
    process = subprocess.Popen(
        [sys.executable, "-c", "from trompe.cli.main import entry; entry()", *words],
        stdout=follower if finished else subprocess.DEVNULL, stdin=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL if finished else follower,
        env={**os.environ, "TERM": "xterm-256color", "COLORTERM": "truecolor", "COLUMNS": "200", "LINES": "60"},
    )  # fmt: skip
    os.close(follower)
    shown = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:
            break
        if not part:
            break
        shown += part
    os.close(leader)
    assert process.wait() == 0
    return shown.decode(errors="replace")


@pytest.mark.slow
def test_a_terminal_gets_a_live_bar_and_tiles(tmp_path):
    text = watched(tmp_path, finished=False)
    assert "\x1b[" in text
    assert "generation" in text
    assert "left" in text
    assert "▀" in text


def test_the_finished_sheet_stays_on_a_terminal(tmp_path):
    text = watched(tmp_path, finished=True)
    assert text.count("▀") >= 10 * 28 * 14
    assert text.index("the first image of each class") < text.index("▀") < text.index("pixels-evolve")


@pytest.mark.parametrize("command", [None, *COMMANDS])
def test_help_is_there_and_loads_nothing_heavy(command):
    words = [command, "--help"] if command else ["--help"]
    heavy = {"torch", "numpy", "PIL", "safetensors"}
    program = (
        f"import sys\nfrom trompe.cli.main import main\n"
        f"try:\n    code = main({words!r})\nexcept SystemExit as end:\n    code = end.code\n"
        f"print('CODE', code or 0, sorted({heavy} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "CODE 0 []"
    assert "usage: trompe" in done.stdout


def test_every_command_is_in_the_overview_under_its_group():
    text = overview()
    for name, (group, summary) in COMMANDS.items():
        assert re.search(rf"{group}:(\n  .*)*\n  {name} +{re.escape(summary)}", text)
    assert main(["--version"]) == 0


def test_the_package_can_be_run_as_a_module():
    words = [sys.executable, "-m", "trompe", "--version"]
    assert subprocess.run(words, capture_output=True, text=True, check=True).stdout.startswith("trompe ")


def test_nothing_is_written_outside_the_run_folder(tmp_path):
    home, here, out = tmp_path / "home", tmp_path / "here", tmp_path / "run"
    home.mkdir()
    here.mkdir()
    environment = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "TMPDIR": str(here), "TROMPE_DATA": ""}
    done = trompe("fool", "lenet-mnist", *QUICK, "--out", out, cwd=here, **environment)
    assert done.returncode == 0, done.stderr
    assert trompe("verify", out, cwd=here, **environment).returncode == 0
    assert list(home.rglob("*")) == []
    assert list(here.rglob("*")) == []
    assert {path.name for path in out.iterdir()} == {DATABASE, "images", "results.json"}


def test_labels_cannot_format_the_terminal(tiny, tmp_path, monkeypatch, capsys):
    hostile = TorchTarget("odd", tiny.module, tiny.spec, ("[red]a[/]", "b" * 80, "猫", "../../etc/x"))
    monkeypatch.setattr("trompe.verbs.fool.load_target", lambda *_, **__: hostile)
    assert main(["fool", "odd", *QUICK, "--out", str(tmp_path / "run")]) == 0
    out = capsys.readouterr().out
    assert "[red]a[/]" in out
    assert "猫" in out
    names = {path.relative_to(tmp_path / "run" / "images").as_posix() for path in tmp_path.rglob("*.png")}
    assert all(
        re.fullmatch(r"0-pixels-evolve/\d{4}-[A-Za-z0-9-]{1,40}-(strongest|first-0\.\d+)\.png", n) for n in names
    )


def test_demo_is_the_audit_of_the_bundled_lenet(tmp_path, monkeypatch, capsys):
    import trompe.verbs.audit as module

    asked, begin = [], module.audit_session

    def small(settings):
        asked.append(settings)
        return begin(replace(settings, budget=60))

    monkeypatch.setattr(module, "audit_session", small)
    assert main(["demo", "--out", str(tmp_path / "demo"), "--quiet"]) == 0
    assert (asked[0].target, asked[0].seed, asked[0].confidence) == ("lenet-mnist", 0, 0.9999)
    assert asked[0].methods == ("pixels-evolve", "cppn-evolve", "pixels-ascend", "pixels-squares")
    assert (tmp_path / "demo" / "results.json").is_file()


@pytest.mark.parametrize(
    "words",
    [
        ["--fail-on", "A", "B", "--seed", "3", "-o", "x.md", "y.xml"],
        ["--fail-on", "A", "--seed", "3", "--fail-on", "B", "-o", "x.md", "--output", "y.xml"],
        ["--fail-on=A", "-o", "x.md", "--fail_on", "B", "--seed=3", "-o", "y.xml"],
    ],
)
def test_an_option_with_several_values_may_be_given_several_times(words: list[str]) -> None:
    """A gate must not forget its first condition because there is a second one."""
    found, _ = parse("audit", AuditSettings, ["T", *words, "--out", "run"])
    assert (found.fail_on, found.seed) == (("A", "B"), 3)
    assert [path.name for path in found.output] == ["x.md", "y.xml"]


def test_what_tyro_gathers_itself_is_left_to_it() -> None:
    assert parse("transfer", TransferSettings, ["R", "--to", "A", "--to", "B"])[0].to == ("A", "B")
    assert gathered(TransferSettings, ["R", "--to", "A", "--to", "B"]) == ["R", "--to", "A", "--to", "B"]
