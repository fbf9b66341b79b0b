"""Whole runs against servers on this machine: every row is counted, no secret is kept, and what fails can go on."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from servers import Faulty, Inference, Scores, busy, error, fewer, hang_up, html, late, nan, serve
from tiny import TINY_LABELS, make_tiny_target

from trompe import FoolSettings, fool_with, load_target, open_run
from trompe.cli.main import main
from trompe.core.errors import TargetError
from trompe.targets import Declaration, Request, write_declaration

QUICK = ["--generations", "3", "--population", "20", "--batch", "10", "--confidence", "None", "--quiet"]
PREDICTIONS = {"scores": "$.predictions[*].score", "names": "$.predictions[*].label"}
SECRET = "abracadabra-open-sesame"  # noqa: S105

KINDS = {
    "bytes": (Inference(), "/v2/models/tiny", {}),
    "json": (Inference(binary=False), "/v2/models/tiny", {}),
    "batches": (Inference(), "/v2/models/tiny", {"batch": 4}),
    "form": (Scores(top=3, decimals=3), "/x", {"send": "multipart", "name": "file", **PREDICTIONS}),
    "base64": (Scores(), "/x", {"send": "base64", "name": "image", "scores": "$.all"}),
    "numbers": (Scores(), "/x", {"send": "json", "name": "instances[]", "scores": "$.all"}),
}


def target_file(folder, url, floor=0.0, **request):
    path = Path(folder) / "served.toml"
    asked = Request(**{"timeout": 5.0, "retries": 1, **request})
    write_declaration(path, Declaration(url, shape=(1, 6, 6), labels=TINY_LABELS, floor=floor, request=asked))
    return str(path)


@pytest.mark.parametrize("kind", KINDS)
def test_fool_a_server_from_end_to_end(kind, tmp_path, capsys):
    app, path, request = KINDS[kind]
    with serve(app) as server:
        file = target_file(tmp_path, server.url + path, 0.0005 if kind == "form" else 0.0, **request)
        out = tmp_path / "run"
        assert main(["fool", file, *QUICK, "--max-queries", "400", "--out", str(out)]) == 0
        told, run = capsys.readouterr().out, open_run(out)
        asked = server.posts * request.get("batch", 1)
        assert run.queries == asked <= 400
        assert json.loads((out / "results.json").read_text())["summary"]["queries"] == asked
        assert f"queries    {asked:,} of at most 400 rows sent to {server.url}{path}" in told
        assert ("no confidence above 99.8 % can be seen" in told) == (kind == "form")
        assert "as recorded, within 0.001 in log-odds (another machine)" in told
        assert all(record.strongest for record in run.classes)
        assert run.about.judge == {
            "batch": request.get("batch", 1), "threads": 1, "engine": "remote", "precision": "float32",
            "reference": "remote",
        }  # fmt: skip
        assert main(["verify", str(out)]) == 0
        again = ["rerun", str(out), "--quiet", "--out", str(tmp_path / "again")]
        assert main(again) == 0
        assert "the same bytes" in capsys.readouterr().err
        assert open_run(out).queries == asked


@pytest.mark.parametrize("kind", ["bytes", "form"])
def test_audit_a_server_from_end_to_end(kind, tmp_path, capsys):
    app, path, request = KINDS[kind]
    with serve(app) as server:
        file = target_file(tmp_path, server.url + path, **request)
        out = tmp_path / "run"
        assert main(["audit", file, "--max-queries", "600", "--quiet", "--out", str(out)]) == 0
        run, told = open_run(out), capsys.readouterr().out
        assert run.queries == server.posts <= 600
        assert f"queries    {run.queries:,} of at most 600" in told
        assert [search.method for search in run.searches] == ["pixels-evolve", "cppn-evolve", "pixels-squares"]
        assert all(search.evaluations >= 50 or search.reason != "max-queries" for search in run.searches)
        assert (out / "report.html").exists()
        assert open_run(out).queries == server.posts  # the page asked nothing
        assert f"trompe audit {file} --max-queries 600 --out NEW" in (out / "report.html").read_text()


@pytest.mark.parametrize("limit", [3, 4, 5, 20, 37, 41, 90, 123])
@pytest.mark.parametrize("by", ["evolve", "squares"])
def test_the_limit_is_never_passed_and_what_is_kept_is_verified(limit, by, tmp_path, capsys):
    with serve(Inference()) as server:
        out, words = tmp_path / "run", ["--quiet", "--confidence", "None", "--max-queries", str(limit)]
        assert main(["fool", f"{server.url}/v2/models/tiny", "--by", by, *words, "--out", str(out)]) == 0
        run = open_run(out)
        assert run.queries == server.posts <= limit
        assert run.searches[0].reason == "max-queries"
        assert "as recorded, within 0.001 in log-odds (another machine)" in capsys.readouterr().out
        if limit > 50:
            assert run.searches[0].evaluations >= limit - 1 - 20 - (10 if by == "evolve" else 4)


def test_a_limit_too_low_for_one_image_is_said(tmp_path, capsys):
    with serve(Inference()) as server:
        words = ["fool", f"{server.url}/v2/models/tiny", "--quiet", "--out", str(tmp_path / "run"), "--max-queries"]
        assert main([*words, "2"]) == 2
        assert "--max-queries: expected rows left for at least one image" in capsys.readouterr().err
        assert server.posts == 1
        assert main([*words, "400", "--resume"]) == 0
        assert open_run(tmp_path / "run").queries == server.posts <= 400


def test_retries_count_and_the_limit_holds_for_them(tmp_path):
    with serve(Faulty(Inference(), lambda: busy("0"), after=30, count=20)) as server:
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny", retries=25)
        assert main(["fool", file, *QUICK, "--max-queries", "70", "--out", str(tmp_path / "run")]) == 0
        run = open_run(tmp_path / "run")
        assert run.queries == server.posts <= 70
        assert (run.searches[0].evaluations, run.searches[0].reason) == (30, "max-queries")


@pytest.mark.parametrize(
    ("fault", "said"),
    [(error, "20 server errors in a row, the last 500: .*out of memory"), (nan, "got nan"),
     *(pytest.param(*row, marks=pytest.mark.slow) for row in (
         (late, "none within 0.3 s"), (html, "text/html"), (fewer, r"0 numbers for shape \[0, 4\]"),
         (hang_up, "a connection that broke off")))],
)  # fmt: skip
def test_a_server_that_fails_leaves_one_line_and_a_run_to_go_on_with(fault, said, tmp_path, capsys):
    count = 20 if fault is error else 2
    with serve(Faulty(Inference(binary=False), fault, after=45, count=count)) as server:
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny", timeout=0.3, concurrency=1)
        out, words = tmp_path / "run", ["fool", file, *QUICK, "--max-queries", "500"]
        assert main([*words, "--out", str(out)]) == 2
        told = capsys.readouterr()
        assert told.out == ""
        assert told.err.count("\n") == 1
        assert "Traceback" not in told.err
        assert re.search(said, told.err), told.err
        run = open_run(out)
        assert run.queries == server.posts
        assert run.state == "interrupted"
        assert run.searches[0].steps == 3  # 20 and 10 and 10 of the 43 that were judged
        assert json.loads((out / "results.json").read_text())["summary"]["queries"] == server.posts
        assert main([*words, "--out", str(out), "--resume"]) == 0
        assert open_run(out).queries == server.posts <= 500
        assert main([*words, "--out", str(tmp_path / "whole")]) == 0
        assert open_run(out).digest() == open_run(tmp_path / "whole").digest()


def test_a_server_that_dies_leaves_a_run_to_go_on_with(tmp_path, capsys):
    """Its address is taken again by another server of the same model."""
    with serve(Inference()) as server:
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny")
        target = load_target(file)
        sent = []
    settings = FoolSettings(file, generations=2, population=10, max_queries=100, out=tmp_path / "run")
    with pytest.raises(TargetError, match="no connection"):
        fool_with(settings, target)
    sent.append(open_run(tmp_path / "run").queries)
    assert sent == [server.posts] == [1]  # the look when it was loaded; nothing could be sent since
    assert main(["fool", file, "--out", str(tmp_path / "new"), "--quiet"]) == 2
    assert "no connection" in capsys.readouterr().err
    assert not (tmp_path / "new").exists()


def test_no_kill_leaves_a_row_uncounted(tmp_path):
    def slow(method, path, headers, body):
        time.sleep(0.004)
        return Inference()(method, path, headers, body)

    with serve(slow) as server:
        words = [
            "fool",
            f"{server.url}/v2/models/tiny",
            "--confidence",
            "None",
            "--quiet",
            "--out",
            str(tmp_path / "run"),
        ]
        code = "from trompe.cli.main import entry; entry()"
        process = subprocess.Popen([sys.executable, "-c", code, *words, "--max-queries", "900"], start_new_session=True)
        try:
            until = time.monotonic() + 60
            while server.posts < 330 and time.monotonic() < until:
                time.sleep(0.002)
        finally:
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
        time.sleep(0.1)
        counted = open_run(tmp_path / "run").queries
        assert server.posts <= counted <= server.posts + 2  # what was about to be sent, two at a time
        over = counted - server.posts
        assert main([*words, "--max-queries", "900", "--resume"]) == 0
        assert open_run(tmp_path / "run").queries == server.posts + over <= 900


def test_a_limit_may_be_raised_where_a_run_goes_on(tmp_path, capsys):
    with serve(Faulty(Inference(), lambda: busy("0"), after=40, count=60)) as server:
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny", retries=99)
        words = ["fool", file, *QUICK, "--out", str(tmp_path / "run"), "--max-queries"]
        assert main([*words, "60"]) == 2
        assert "--max-queries: expected at most 60 rows" in capsys.readouterr().err
        assert open_run(tmp_path / "run").queries == server.posts == 60
        assert main([*words, "60", "--resume"]) == 2
        assert server.posts == 60  # not even the look when it is loaded
        assert main([*words, "300", "--resume"]) == 0
        assert open_run(tmp_path / "run").queries == server.posts <= 300
        assert main([*words, "300", "--resume", "--seed", "1"]) == 2


def test_a_finished_run_that_is_looked_at_keeps_its_count_and_its_bytes(tmp_path):
    with serve(Inference()) as server:
        words = ["fool", f"{server.url}/v2/models/tiny", *QUICK, "--max-queries", "90", "--out", str(tmp_path / "run")]
        assert main(words) == 0
        before = (tmp_path / "run" / "run.sqlite").read_bytes()
        assert main([*words, "--resume"]) == 0
        assert (tmp_path / "run" / "run.sqlite").read_bytes() == before
        assert main(["verify", str(tmp_path / "run")]) == 0


def test_another_version_of_the_model_is_another_target(tmp_path, capsys):
    app = Inference()
    with serve(app) as server:
        words = ["fool", f"{server.url}/v2/models/tiny", *QUICK, "--out", str(tmp_path / "run")]
        assert main(words) == 0
        app.version = "2"
        assert main(["verify", str(tmp_path / "run")]) == 2
        assert "fingerprint" in capsys.readouterr().err


@pytest.mark.parametrize("by_option", [True, False])
def test_a_secret_is_in_no_file_and_no_output(by_option, tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("SHOP_KEY", SECRET)

    def guarded(method, path, headers, body):
        if headers.get("authorization") != SECRET:
            return 401, {}, b'{"error": "who are you?"}'
        if method == "POST" and len(server.asked) % 25 == 0:
            return 503, {}, f'{{"error": "not now, {SECRET}"}}'.encode()
        return Inference()(method, path, headers, body)

    with serve(guarded) as server:
        request = {} if by_option else {"headers": {"Authorization": "env:SHOP_KEY"}}
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny", **request)
        option = ["--header", "Authorization=SHOP_KEY"] if by_option else []
        words = ["fool", file, *QUICK, *option, "--out", str(tmp_path / "run")]
        assert main(words) == 0
        for more in (["report", str(tmp_path / "run")], ["verify", str(tmp_path / "run")], [*words, "--resume"]):
            assert main(more) == 0
        assert main(["rerun", str(tmp_path / "run"), "--quiet", "--out", str(tmp_path / "again")]) == 0
        Inference.__call__, honest = _refusing, Inference.__call__
        try:
            assert main([*words[:-1], str(tmp_path / "refused")]) == 2
        finally:
            Inference.__call__ = honest
    told = capsys.readouterr()
    assert "[secret]" in told.err
    assert SECRET not in told.out + told.err
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert {"run.sqlite", "results.json", "report.html"} <= {path.name for path in files}
    again = (tmp_path / "run" / "report.html").read_text()
    assert ("--header Authorization=SHOP_KEY" in again) is by_option
    assert f"trompe fool {file}" in again
    assert [path for path in files if SECRET.encode() in path.read_bytes()] == []


def _refusing(self, method, path, headers, body):
    return 403, {}, f'{{"error": "{headers["authorization"]} has expired"}}'.encode()


@pytest.mark.parametrize(
    ("words", "said"),
    [(["--header", f"Authorization={SECRET}"], "--header: expected NAME=VARIABLE.*got something else"),
     (["--header", "X-Key=NOT_SET_ANYWHERE"], "--header: .*got one that is not set"),
     (["--max-queries", "0"], "--max-queries: expected a number of at least 1"),
     (["--max-queries", "9"], "nothing is sent to a target on this machine")],
)  # fmt: skip
def test_what_cannot_be_granted_is_refused(words, said, tmp_path, capsys):
    assert main(["fool", "lenet-mnist", *words, "--quiet", "--out", str(tmp_path / "run")]) == 2
    told = capsys.readouterr().err
    assert re.search(said, told), told
    assert SECRET not in told
    assert not (tmp_path / "run").exists()


def test_a_search_far_away_needs_a_word_and_a_limit(tmp_path, capsys):
    words = ["fool", "https://far.example/v2/models/tiny", "--quiet", "--out", str(tmp_path / "run")]
    assert main(words) == 2
    assert "authorized" in capsys.readouterr().err
    file = target_file(tmp_path, "https://far.example/v2/models/tiny", authorized="Ada, owner")
    assert main(["fool", file, "--quiet", "--out", str(tmp_path / "run")]) == 2
    assert "--max-queries" in capsys.readouterr().err
    assert main(["audit", file, "--quiet", "--out", str(tmp_path / "run")]) == 2
    assert "--max-queries" in capsys.readouterr().err


def test_gradient_ascent_on_a_server_is_refused_before_anything_is_searched(tmp_path, capsys):
    with serve(Inference()) as server:
        url = f"{server.url}/v2/models/tiny"
        assert main(["fool", url, "--by", "ascend", "--quiet", "--out", str(tmp_path / "run")]) == 2
        assert "gradient" in capsys.readouterr().err
        assert server.posts == 1
        assert not (tmp_path / "run").exists()


def test_a_target_at_hand_is_limited_and_counted_too(tmp_path):
    with serve(Inference()) as server:
        target = load_target(f"{server.url}/v2/models/tiny")
        settings = FoolSettings("mine", by="squares", max_queries=50, confidence=None, out=tmp_path / "run")
        run = fool_with(settings, target)
        assert run.queries == server.posts <= 50
        assert run.about.target["remote"] == {"url": f"{server.url}/v2/models/tiny", "authorized": ""}


def test_a_server_finds_what_the_model_itself_finds(tmp_path):
    """The same search on the model at hand: the same candidates, and log-odds equal but for the last bits."""
    with serve(Inference()) as server:
        settings = {"generations": 3, "population": 20, "batch": 10, "confidence": None}
        remote = fool_with(
            FoolSettings("a", **settings, out=tmp_path / "a"), load_target(f"{server.url}/v2/models/tiny")
        )
    local = fool_with(FoolSettings("b", **settings, out=tmp_path / "b"), make_tiny_target())
    for one, other in zip(remote.classes, local.classes, strict=True):
        assert one.strongest.candidate == other.strongest.candidate
        assert one.strongest.log_odds == pytest.approx(other.strongest.log_odds, abs=1e-4)
    assert local.queries is None
    assert "queries" not in json.loads((tmp_path / "b" / "results.json").read_text())["summary"]


def test_bits_are_not_asked_of_a_server_but_answers_are(tmp_path, capsys):
    """What a server computes differs in its last bits with what else it is asked; a changed model differs by more."""
    noise, step = [0.0], [0.0]

    def change(document):
        noise[0] += step[0]
        return {"outputs": [{**tensor, "data": [x + noise[0] * (i % 4 == 0) for i, x in enumerate(tensor["data"])]}
                            for tensor in document["outputs"]]}  # fmt: skip

    for step[0], code in ((1e-9, 0), (0.003, 3)):
        with serve(Inference(binary=False, change=change)) as server:
            out = str(tmp_path / f"run-{code}")
            assert main(["fool", f"{server.url}/v2/models/tiny", *QUICK, "--out", out]) == code
            assert ("VERIFICATION FAILED" in capsys.readouterr().out) == bool(code)
            again = ["rerun", out, "--quiet", "--out", str(tmp_path / f"again-{code}")]
            assert main(again) == code  # other bytes are no failure, other answers are
            assert "other bytes (not promised: " in capsys.readouterr().err


@pytest.mark.slow
def test_versions_sent_to_a_server_are_counted_and_survival_sends_none(tmp_path):
    with serve(Inference()) as server:
        file = target_file(tmp_path, f"{server.url}/v2/models/tiny")
        words = ["--max-queries", "400", "--confidence", "None", "--quiet"]
        assert main(["fool", file, *words, "--survive", "jpeg75,shift1", "--out", str(tmp_path / "run")]) == 0
        assert open_run(tmp_path / "run").queries == server.posts <= 400
        assert open_run(tmp_path / "run").searches[0].forwards > 200
        assert main(["verify", str(tmp_path / "run")]) == 0
        assert main(["audit", file, *words, "--methods", "pixels-squares", "--out", str(tmp_path / "audit")]) == 0
        assert open_run(tmp_path / "audit").survival() == {}
