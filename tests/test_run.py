"""The run folder: what was recorded is what is read, within bounds, from anywhere, at any time."""

import json
import re
import shutil
import sqlite3
import zlib
from dataclasses import replace
from unittest.mock import Mock

import pytest
import torch
from PIL import Image
from safetensors.torch import load as load_arrays
from torch import nn

from trompe.core.errors import RunError
from trompe.core.numerics import level_odds, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Candidates, Step, Wins
from trompe.encodings import Cppn, PixelGenomes, Pixels
from trompe.run import About, Recorder, open_run, publish
from trompe.run import record as record_module
from trompe.run.blobs import (
    GENOME_LIMIT,
    pack_arrays,
    pack_images,
    pack_levels,
    pack_rows,
    picture,
    unpack_arrays,
    unpack_levels,
)
from trompe.run.results import results, write_results
from trompe.run.schema import DATABASE
from trompe.search import Archive, Contest, Judge, JudgeSettings, evolve
from trompe.settings import FoolSettings
from trompe.targets import TorchTarget
from trompe.verbs.fool import Attempt, Session, fool_with

LEVELS = (0.5, 0.9, 0.99, 0.9999)


def about(spec, labels=("a", "b")):
    target = {"name": "made-up", "text": "made-up", "fingerprint": "0", "labels": list(labels), "link": "softmax"}
    return About.now(
        settings={"seed": 0, "budget": None}, target={**target, "spec": spec.describe()},
        judge={"batch": 4, "threads": 1, "engine": "torch", "precision": "float32"}, encoding={"name": "pixels"},
        search={}, levels=LEVELS,
    )  # fmt: skip


def step_of(genomes, inputs, niches, number=0, value=1.0):
    """A step in which candidate i took niche i, and the first of them was the first at level 0.5."""
    n = len(genomes)
    ids = torch.arange(n) + 10 * number
    parents = torch.stack([ids - 10, ids - 9], 1).clamp(min=-1)
    candidates = Candidates(ids, parents, genomes, inputs)
    values = torch.full((n,), value, dtype=torch.float64) + torch.arange(n)
    one = torch.zeros(1 if number == 0 else 0, dtype=torch.int64)
    wins = Wins(
        torch.tensor(niches), torch.arange(n), values, candidates, one, one, one, values[:1][one], candidates.take(one)
    )
    return Step(number, 10 * number + n, 10 * number + n, 0, wins, {"median": value}, {"latent": torch.ones(2)})


@pytest.fixture
def recorded(tiny, tmp_path):
    """A real search on the tiny target, recorded, beside everything that happened in memory."""
    settings = FoolSettings(tiny.name, out=tmp_path / "run", generations=5, population=40, batch=20, confidence=None)
    attempt = Attempt.prepare(settings, tiny)
    with Session(attempt) as session:
        steps = list(session)
        run = session.finish()
    return run, steps, attempt


def rows(folder, query):
    connection = sqlite3.connect(folder / DATABASE)
    try:
        return connection.execute(query).fetchall()
    finally:
        connection.close()


def test_every_winner_is_there_once_with_parents_genome_and_picture(recorded):
    run, steps, _ = recorded
    found = {
        row[0]: row[1:] for row in rows(run.folder, "SELECT id, step, parent, mate, genome, picture FROM candidate")
    }
    wanted = 0
    for step in steps:
        winners = step.wins.winners
        for i in range(len(winners)):
            number, parent, mate, genome, small = found[int(winners.ids[i])]
            assert (number, parent, mate) == (step.number, *winners.parents[i].tolist())
            assert torch.equal(load_arrays(genome)["genes"][0], winners.genomes.genes[i])
            assert torch.equal(unpack_levels(small, (1, 6, 6)), to_levels(winners.inputs)[i])
            wanted += 1
    assert len(found) == wanted


def test_every_takeover_is_there_and_the_last_one_of_a_niche_is_its_occupant(recorded):
    run, steps, _ = recorded
    wanted = [
        (step.number, niche, int(step.wins.winners.ids[row]), value)
        for step in steps
        for niche, row, value in zip(
            step.wins.niche.tolist(), step.wins.row.tolist(), step.wins.value.tolist(), strict=True
        )
    ]
    found = rows(run.folder, "SELECT step, niche, candidate, value FROM takeover ORDER BY step, niche")
    assert found == wanted
    last = {niche: (candidate, value) for _, niche, candidate, value in wanted}
    current = rows(run.folder, "SELECT niche, candidate, log_odds, search_log_odds, value FROM current")
    assert {niche: (candidate, odds) for niche, candidate, odds, _, _ in current} == last
    assert all(odds == searched == value for _, _, odds, searched, value in current)


def test_the_archive_read_back_is_the_archive_that_was(recorded, tiny):
    run, steps, attempt = recorded
    archive = Archive(4, LEVELS)
    contest = Contest(attempt.encoding, Judge(tiny, attempt.judge), attempt.niches, LEVELS)
    for _ in evolve(contest, archive, attempt.plan):
        pass
    with Recorder.resume(run.folder) as recorder:
        opened = recorder.reopen(0, PixelGenomes)
    assert torch.equal(opened.archive.elites.value, archive.elites.value)
    assert torch.equal(opened.archive.elites.ids, archive.elites.ids)
    assert torch.equal(opened.archive.elites.genomes.genes, archive.elites.genomes.genes)
    assert torch.equal(opened.archive.elites.crossed, archive.elites.crossed)
    assert (opened.tally.number, opened.tally.evaluations) == (steps[-1].number, steps[-1].evaluations)
    assert opened.state == "done"


def test_firsts_are_the_first_in_the_order_of_evaluation(recorded, tiny):
    """Judged again one after the other, by a loop that knows nothing of archives."""
    run, _, attempt = recorded
    archive = Archive(4, LEVELS)
    encoding, judge = attempt.encoding, Judge(tiny, attempt.judge)
    reached = {}

    class Spy(type(judge)):
        def judge(self, inputs):
            outputs = super().judge(inputs)
            for logits in outputs.logits.double():
                for niche in range(4):
                    odds = (logits[niche] - torch.cat([logits[:niche], logits[niche + 1 :]]).logsumexp(0)).item()
                    for level in LEVELS:
                        if odds >= torch.logit(torch.tensor(level, dtype=torch.float64)).item():
                            reached.setdefault((niche, level), self.seen[0])
                self.seen[0] += 1
            return outputs

    spy = Spy(tiny, attempt.judge)
    object.__setattr__(spy, "seen", [1])
    for _ in evolve(Contest(encoding, spy, attempt.niches, LEVELS), archive, attempt.plan):
        pass
    kept = {
        (record.niche, level): first.evaluations for record in run.classes for level, first in record.firsts.items()
    }
    assert kept == reached
    assert kept


def test_bytes_a_winner_are_bounded(tmp_path):
    """At 28 x 28, direct encoding, noise that does not compress: at most 6 KB a winner, all tables and indices in."""
    encoding = Pixels(ImageSpec(1, 28, 28))
    with Recorder.create(tmp_path / "run", about(encoding.spec), [("pixels-evolve", ("a", "b"))]) as recorder:
        for number in range(150):
            genomes = PixelGenomes(torch.rand(2, 784))
            recorder.record(0, step_of(genomes, encoding.express(genomes), [0, 1], number, number), 0.0)
    assert (tmp_path / "run" / DATABASE).stat().st_size <= 64 * 1024 + 300 * 6 * 1024


def test_a_large_genome_is_kept_of_occupants_only_and_a_large_image_as_a_small_picture(tmp_path):
    spec = ImageSpec(3, 80, 130)
    encoding = Pixels(spec)
    genomes = PixelGenomes(torch.rand(2, 3 * 80 * 130))
    images = encoding.express(genomes)
    with Recorder.create(tmp_path / "run", about(spec), [("pixels-evolve", ("a", "b"))]) as recorder:
        recorder.record(0, step_of(genomes, images, [0, 1]), 0.0)
    ((genome, small), _) = rows(tmp_path / "run", "SELECT genome, picture FROM candidate")
    assert genome is None
    assert torch.equal(unpack_levels(small, (3, 27, 44)), to_levels(images)[0, :, ::3, ::3])
    ((full, judged), _) = rows(tmp_path / "run", "SELECT genome, input FROM current ORDER BY niche")
    assert len(full) > GENOME_LIMIT
    assert torch.equal(unpack_arrays(full)["genes"], genomes.genes[:1])
    assert torch.equal(unpack_levels(judged, (3, 80, 130)), to_levels(images)[0])


@pytest.mark.parametrize("kind", ["noise", "flat", "ramp"])
@pytest.mark.parametrize("side", [1, 28, 64, 224])
def test_packed_images_come_back_bit_by_bit(kind, side):
    values = torch.arange(side * side).reshape(1, side, side)
    image = {"noise": values * 7919 % 251, "flat": values * 0 + 9, "ramp": values // side % 256}[kind].to(torch.uint8)
    assert torch.equal(unpack_levels(pack_levels(image), tuple(image.shape)), image)
    assert max(picture(image).shape) <= 64


@pytest.mark.parametrize("size", [1, 2, 36, 784, 4095, 4096, 4097, 12288, 70000])
def test_noise_is_wrapped_as_the_compressor_wraps_it(size):
    """Records repeat byte for byte, so a shortcut may not show; 4096 and 70000 bytes are cut into pieces."""
    noise = (torch.arange(3 * size).reshape(3, size) * 7919 % 251).to(torch.uint8)
    packers = [zlib.compressobj(0, zlib.DEFLATED, *((12, 5) if size <= 4096 else ())) for _ in noise]
    contents = [row.numpy().tobytes() for row in noise]
    packed = pack_images(noise)
    assert packed == [packer.compress(each) + packer.flush() for packer, each in zip(packers, contents, strict=True)]
    assert [zlib.decompress(blob) for blob in packed] == contents


def test_genomes_of_changing_width_are_recorded_and_resumed(tiny, tmp_path):
    settings = FoolSettings(tiny.name, encoding="cppn", out=tmp_path / "run", generations=8, confidence=None)
    run = fool_with(settings, tiny)
    encoding = Cppn(tiny.spec)
    with Recorder.resume(run.folder) as recorder:
        elites = recorder.reopen(0, encoding.genome_type).archive.elites
    painted = to_levels(encoding.express(elites.genomes))
    for record in run.classes:
        assert torch.equal(painted[record.niche], record.strongest.levels)


@pytest.mark.parametrize("stop", [3, 5, 8])
def test_networks_go_on_in_the_room_they_had(stop, tiny, tmp_path):
    """Variation draws for the widest network there was, which may have lost its niche before the run was cut."""
    settings = FoolSettings("tiny", encoding="cppn", confidence=None, generations=6, population=40, batch=20,
                            out=tmp_path / "cut")  # fmt: skip
    with Session(Attempt.prepare(settings, tiny)) as session:
        for step in session:
            if step.number == stop:
                break
    with Session(Attempt.prepare(replace(settings, resume=True), tiny)) as session:
        for _ in session:
            pass
        cut = session.finish()
    assert cut.digest() == fool_with(replace(settings, out=tmp_path / "whole"), tiny).digest()


@pytest.mark.parametrize("stop", [2, 5])
def test_large_genomes_that_nobody_goes_on_from_are_left_out_and_the_run_resumes(stop, tmp_path):
    """Gradient ascent rewrote four bytes a pixel and class, step after step, which cost as much as the network."""
    torch.manual_seed(0)
    net = nn.Sequential(nn.AvgPool2d(10), nn.Flatten(), nn.Linear(3 * 8 * 13, 4)).eval()
    target = TorchTarget("wide", net, ImageSpec(3, 80, 130), tuple("abcd"))
    settings = FoolSettings("wide", by="ascend", batch=3, confidence=None, generations=3, out=tmp_path / "cut")
    with Session(Attempt.prepare(settings, target)) as session:
        for step in session:
            if step.number == stop:
                break
    assert {blob for (blob,) in rows(tmp_path / "cut", "SELECT genome FROM current")} == {b""}
    with Session(Attempt.prepare(replace(settings, resume=True), target)) as session:
        steps = [step.number for step in session]
        cut = session.finish()
    assert steps[0] == stop + 1
    whole = fool_with(replace(settings, out=tmp_path / "whole"), target)
    assert cut.digest() == whole.digest()


def test_a_run_opens_while_it_is_being_written(tiny, tmp_path, monkeypatch):
    monkeypatch.setattr(record_module, "COMMIT_SECONDS", 0.0)
    settings = FoolSettings(tiny.name, out=tmp_path / "run", generations=4, population=40, batch=40, confidence=None)
    with Session(Attempt.prepare(settings, tiny)) as session:
        for step in session:
            seen = open_run(tmp_path / "run")
            assert seen.state == "running"
            assert seen.searches[0].evaluations == step.evaluations
            assert results(seen)["state"] == "running"


def test_a_run_before_its_first_step_says_not_measured(tmp_path):
    with Recorder.create(tmp_path / "run", about(ImageSpec(1, 2, 2)), [("pixels-evolve", ("a", "b"))]):
        pass
    told = results(open_run(tmp_path / "run"))
    entry = told["classes"][0]
    assert entry["confidence"] == entry["log_odds"] == entry["verified_log_odds"] == "not measured"
    assert entry["evaluations_to"]["0.99"] == entry["image_first"]["0.99"] == "not within 0 evaluations"
    assert told["summary"]["median_confidence"] == "not measured"
    assert told["summary"]["confident"]["0.99"] == "at least 0 of 2 attempted"


def walk(value):
    yield value
    for part in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from walk(part)


def test_results_hold_no_null_nan_or_infinity_and_say_what_was_missed(recorded):
    run, _, _ = recorded
    told = json.loads((run.folder / "results.json").read_text(), parse_constant=pytest.fail)
    assert None not in list(walk(told))
    assert told["schema_version"] == 1
    assert told["settings"]["budget"] == "not set"
    for entry in told["classes"]:
        assert entry["method"] == "pixels-evolve"
        assert entry["verified_log_odds"] == entry["log_odds"]
        for level, evaluations in entry["evaluations_to"].items():
            if isinstance(evaluations, int):
                assert (run.folder / entry["image_first"][level]).is_file()
            else:
                assert evaluations == entry["image_first"][level] == "not within 240 evaluations"
    images = {entry["image_strongest"] for entry in told["classes"]}
    images |= {file for entry in told["classes"] for file in entry["image_first"].values() if file.endswith(".png")}
    assert images == {path.relative_to(run.folder).as_posix() for path in run.folder.rglob("*.png")}


def test_every_png_says_what_it_is(recorded):
    run, _, _ = recorded
    for record in run.classes:
        with Image.open(run.folder / record.strongest.file) as image:
            note = image.text["Comment"]
        assert re.fullmatch(rf"trompe \S+: made to be labelled {record.label} by tiny-0; not a photograph", note)


CHANGES = (
    "UPDATE candidate SET parent = parent + 1 WHERE id = (SELECT max(id) FROM candidate)",
    "UPDATE candidate SET genome = x'00' WHERE id = (SELECT min(id) FROM candidate)",
    "DELETE FROM takeover WHERE step = 0 AND niche = 0",
    "UPDATE current SET log_odds = log_odds + 1e-12 WHERE niche = 3",
    "UPDATE first SET candidate = candidate + 1 WHERE niche = 0 AND level = 0.5",
    "UPDATE step SET statistics = '{}' WHERE number = 3",
    "UPDATE search SET reason = 'time'",
)


@pytest.mark.parametrize("change", CHANGES)
def test_the_digest_changes_with_anything_recorded(change, recorded):
    run, _, _ = recorded
    before = run.digest()
    connection = sqlite3.connect(run.folder / DATABASE)
    assert connection.execute(change).rowcount >= 1
    connection.commit()
    connection.close()
    assert open_run(run.folder).digest() != before


def test_the_digest_does_not_change_with_time_or_machine(recorded):
    run, _, _ = recorded
    before = run.digest()
    connection = sqlite3.connect(run.folder / DATABASE)
    connection.execute("UPDATE step SET seconds = seconds + 1")
    connection.execute("UPDATE about SET value = '\"elsewhere\"' WHERE key IN ('machine', 'created', 'commit')")
    connection.execute("DELETE FROM judgement")
    connection.commit()
    connection.close()
    assert open_run(run.folder).digest() == before


def test_a_finished_run_opens_where_nothing_can_be_written(recorded):
    """One plain file is left, so that SQLite needs no log and no lock file beside it."""
    run, _, _ = recorded
    assert {path.name for path in run.folder.iterdir()} == {DATABASE, "images", "results.json"}
    connection = sqlite3.connect(f"file:{run.folder / DATABASE}?mode=ro&immutable=1", uri=True)
    assert connection.execute("PRAGMA journal_mode").fetchone() == ("delete",)
    connection.close()
    (run.folder / DATABASE).chmod(0o444)
    run.folder.chmod(0o500)
    try:
        assert open_run(run.folder).digest() == run.digest()
    finally:
        run.folder.chmod(0o700)


def test_a_killed_run_opens_from_a_folder_where_sqlite_cannot_write(recorded, tmp_path, monkeypatch):
    """Its log lies beside it; where SQLite cannot use it in place, a copy is read."""
    run, _, _ = recorded
    writer = sqlite3.connect(run.folder / DATABASE, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("UPDATE search SET reason = 'in the log'")
    killed = shutil.copytree(run.folder, tmp_path / "killed")
    writer.close()
    assert (killed / f"{DATABASE}-wal").stat().st_size > 0
    connect = sqlite3.connect

    class Refused:
        def execute(self, *_):
            raise sqlite3.OperationalError("attempt to write a readonly database")

        def close(self):
            pass

    def elsewhere(path, **more):
        return Refused() if str(killed) in str(path) else connect(path, **more)

    monkeypatch.setattr(sqlite3, "connect", elsewhere)
    assert open_run(killed).searches[0].reason == "in the log"


def test_two_writers_are_refused(tiny, tmp_path):
    settings = FoolSettings(tiny.name, out=tmp_path / "run", generations=2, confidence=None)
    with Session(Attempt.prepare(settings, tiny)) as session:
        next(iter(session))
        with pytest.raises(RunError, match="expected a run that nobody else writes to; got one that another process"):
            Recorder.resume(tmp_path / "run")


def test_steps_interrupted_while_they_are_written_are_all_there_or_none(tmp_path, monkeypatch):
    """What an impatient person interrupts is written afterwards, in the order in which it happened."""
    encoding = Pixels(ImageSpec(1, 4, 4))
    genomes = PixelGenomes(torch.rand(2, 16))
    steps = [step_of(genomes, encoding.express(genomes), [0, 1], number, number) for number in range(3)]
    with Recorder.create(tmp_path / "run", about(encoding.spec), [("pixels-evolve", ("a", "b"))]) as recorder:
        recorder.record(0, steps[0], 0.0)
        recorder.commit()
        with monkeypatch.context() as patch:

            def interrupt(*_, **__):
                raise KeyboardInterrupt

            patch.setattr(record_module, "current_rows", interrupt)
            recorder.record(0, steps[1], 0.0)
            recorder.record(0, steps[2], 0.0)
            with pytest.raises(KeyboardInterrupt):
                recorder.commit()
        assert recorder._connection.execute("SELECT count(*) FROM step").fetchone() == (1,)
        recorder.mark(0, "interrupted", "interrupted")
    assert rows(tmp_path / "run", "SELECT number FROM step ORDER BY number") == [(0,), (1,), (2,)]
    assert rows(tmp_path / "run", "SELECT id FROM candidate ORDER BY id") == [(0,), (1,), (10,), (11,), (20,), (21,)]
    assert rows(tmp_path / "run", "SELECT candidate FROM current ORDER BY niche") == [(20,), (21,)]


@pytest.mark.parametrize("kind", ["pixels", "cppn"])
def test_steps_written_together_are_as_each_by_itself(kind, tiny, tmp_path, monkeypatch):
    """Catches winners with another's genome, picture, parents or step, and genomes packed in another's form."""
    digests = []
    for seconds, room in ((0.0, 10**9), (1e9, 10**9), (1e9, 100)):
        monkeypatch.setattr(record_module, "COMMIT_SECONDS", seconds)
        monkeypatch.setattr(record_module, "HELD_VALUES", room)
        out = tmp_path / f"{seconds}-{room}"
        settings = FoolSettings(tiny.name, encoding=kind, out=out, generations=30, population=20, batch=20, classes=())
        with Session(Attempt.prepare(replace(settings, confidence=None), tiny)) as session:
            written = [len(rows(out, "SELECT 1 FROM step")) for _ in session]
            digests.append(session.finish().digest())
        assert (written[-1] == 0) is (seconds == 1e9)
    assert len(set(digests)) == 1


def test_a_folder_left_by_a_kill_before_anything_was_recorded_is_begun_anew(tiny, tmp_path):
    (tmp_path / "run").mkdir()
    sqlite3.connect(tmp_path / "run" / DATABASE).close()
    (tmp_path / "run" / "run.lock").touch()
    settings = FoolSettings(tiny.name, out=tmp_path / "run", generations=1, confidence=None, resume=True)
    assert fool_with(settings, tiny).state == "done"


def test_publishing_where_it_cannot_be_written_says_so_and_keeps_the_record(recorded, monkeypatch):
    run, _, _ = recorded
    full = Mock(side_effect=OSError(28, "No space left"))
    monkeypatch.setattr("trompe.core.specs.Image.fromarray", full)
    with pytest.raises(RunError, match=r"expected a folder that can be written; got No space left.*--resume"):
        publish(run)
    assert open_run(run.folder).digest() == run.digest()


def test_settings_of_the_judge_are_those_that_were_stored(tiny, tmp_path):
    """A resumed run asks as it was begun, whatever the new session would choose."""
    settings = FoolSettings(tiny.name, out=tmp_path / "run", generations=3, population=40, batch=20, confidence=None)
    attempt = Attempt.prepare(settings, tiny, JudgeSettings(batch=7))
    with Session(attempt) as session:
        next(iter(session))
    again = FoolSettings(**{**vars(settings), "resume": True})
    with Session(Attempt.prepare(again, tiny)) as session:
        for _ in session:
            pass
        run = session.finish()
    assert run.about.judge["batch"] == 7
    whole = FoolSettings(**{**vars(settings), "out": tmp_path / "whole"})
    with Session(Attempt.prepare(whole, tiny, JudgeSettings(batch=7))) as session:
        for _ in session:
            pass
        assert session.finish().digest() == run.digest()


@pytest.mark.parametrize("part", ["settings", "target", "judge", "encoding", "levels"])
def test_the_digest_changes_with_anything_fixed_at_the_start(part, recorded):
    """Two runs that were asked in different ways are not the same run, even where the same images came out."""
    run, _, _ = recorded
    fixed = getattr(run.about, part)
    other = fixed[:-1] if part == "levels" else {**fixed, "new": 1}
    assert replace(run, about=replace(run.about, **{part: other})).digest() != run.digest()


def test_firsts_are_stored_with_the_evaluation_at_which_they_came(recorded):
    """Evaluations are counted from 1, ids from 0: a reader of the table alone must not be one off."""
    run, _, _ = recorded
    found = rows(run.folder, "SELECT niche, level, evaluations, log_odds FROM first")
    kept = [
        (r.niche, level, first.evaluations, first.log_odds) for r in run.classes for level, first in r.firsts.items()
    ]
    assert sorted(found) == sorted(kept)
    evaluated = dict(rows(run.folder, "SELECT number, evaluations FROM step"))
    origin = dict(rows(run.folder, "SELECT id, step FROM candidate"))
    for candidate, evaluations in rows(run.folder, "SELECT candidate, evaluations FROM first"):
        if candidate in origin:  # a first image need not have won its niche
            step = origin[candidate]
            assert evaluated.get(step - 1, 0) < evaluations <= evaluated[step]


def test_an_image_exactly_at_a_level_has_reached_it(tmp_path):
    encoding = Pixels(ImageSpec(1, 4, 4))
    genomes = PixelGenomes(torch.rand(2, 16))
    step = step_of(genomes, encoding.express(genomes), [0, 1], value=level_odds(0.99))
    with Recorder.create(tmp_path / "run", about(encoding.spec), [("pixels-evolve", ("a", "b"))]) as recorder:
        recorder.record(0, step, 0.0)
    assert open_run(tmp_path / "run").confident(0.99).at_least == 2


def test_a_full_disk_that_takes_back_several_steps_takes_back_their_occupants_too(tmp_path, monkeypatch):
    """SQLite may undo the whole transaction; what stays must have no gap, nor occupants of steps that never were."""
    monkeypatch.setattr(record_module, "COMMIT_SECONDS", 1e9)
    monkeypatch.setattr(record_module, "HELD_VALUES", 4 * 784)
    encoding = Pixels(ImageSpec(1, 28, 28))
    with Recorder.create(tmp_path / "run", about(encoding.spec), [("pixels-evolve", ("a", "b"))]) as recorder:
        ask = recorder._connection.execute

        def go(numbers):
            for number in numbers:
                genomes = PixelGenomes(torch.rand(2, 784))
                recorder.record(0, step_of(genomes, encoding.express(genomes), [0, 1], number, number), 0.0)

        go([0])
        recorder.commit()
        ask(f"PRAGMA max_page_count = {ask('PRAGMA page_count').fetchone()[0] + 8}")
        with pytest.raises(RunError, match="expected room on the disk"):
            go(range(1, 20))
        ask("PRAGMA max_page_count = 100000")
        recorder.mark(0, "interrupted", "interrupted")
    kept = rows(tmp_path / "run", "SELECT max(number) FROM step")[0][0]
    assert kept < 19
    assert rows(tmp_path / "run", "SELECT count(*) FROM step") == [(kept + 1,)]
    assert rows(tmp_path / "run", "SELECT candidate FROM current ORDER BY niche") == [(10 * kept,), (10 * kept + 1,)]
    assert rows(tmp_path / "run", "SELECT max(id) FROM candidate") == [(10 * kept + 1,)]


def test_results_are_replaced_as_a_whole(recorded, monkeypatch):
    """A reader, or a kill, in the middle of writing finds the old results and not half of the new ones."""
    run, _, _ = recorded
    before = (run.folder / "results.json").read_text()
    whole = replace(run, about=replace(run.about, settings={**run.about.settings, "seed": 7}))

    def stopped(part, _):
        assert json.loads(part.read_text())["settings"]["seed"] == 7
        raise KeyboardInterrupt

    monkeypatch.setattr("pathlib.Path.replace", stopped)
    with pytest.raises(KeyboardInterrupt):
        write_results(whole)
    assert (run.folder / "results.json").read_text() == before


def test_the_seconds_of_a_run_are_those_of_its_steps(recorded):
    run, _, _ = recorded
    told = json.loads((run.folder / "results.json").read_text())["summary"]["seconds"]
    assert told == pytest.approx(rows(run.folder, "SELECT sum(seconds) FROM step")[0][0], abs=1e-3)
    assert told > 0


def test_rows_are_packed_as_each_by_itself():
    """Catches a front that fits other rows, and numbers in the order of names instead of places."""
    genomes = Cppn(ImageSpec(1, 4, 4)).random(5, Stream(0, "pack", 0)).to_arrays()
    alone = [pack_arrays({name: values[i : i + 1] for name, values in genomes.items()}) for i in range(5)]
    assert pack_rows(genomes, 5) == alone
    assert pack_rows({name: values[:0] for name, values in genomes.items()}, 0) == []
