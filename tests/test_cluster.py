"""A cluster judges as one process would, whoever dies, answers late or comes again; without Ray, which is elsewhere."""

import copy
import random
import socket
import sys
import threading
import warnings
from contextlib import suppress
from dataclasses import replace
from itertools import pairwise

import hypothesis
import pytest
import torch
from arena import LEVELS, contest_on, curved, group_plan, held, noise, said
from crews import LocalCrew, crewed, plain_worker
from hypothesis import given
from hypothesis import strategies as st

import trompe
from trompe.cli.main import main
from trompe.core.errors import BadInput, NoAnswer, Notice, TargetError
from trompe.core.numerics import quantise
from trompe.core.seeds import Stream
from trompe.core.types import Bids, Candidates
from trompe.encodings import Cppn, Pixels
from trompe.encodings.pixels import PixelGenomes
from trompe.search import (
    Archive,
    Cluster,
    ClusterHands,
    Judge,
    JudgeSettings,
    Plan,
    Tally,
    evolve,
    evolve_asynchronously,
    named_settings,
    part_rows,
    scatter,
    search_judge,
    squares,
)
from trompe.search import on_ray as on_ray_module
from trompe.search.cluster import shares
from trompe.search.parts import Part, beating, joined, pack_beating, unpack_beating, unpack_part
from trompe.settings import FoolSettings
from trompe.targets import Declaration, load_target
from trompe.targets.device import DeviceModel, on_device
from trompe.verbs.clusters import check_cluster

PLAN = Plan(seed=0, generations=6, population=20, batch=10, initial=14)


def steps(search, contest, plan=PLAN):
    archive = Archive(len(contest.niches.names), LEVELS)
    return [said(step) for step in search(contest, archive, plan)], held(archive)


# What travels


@hypothesis.settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(1, 12), st.integers(1, 4), st.integers(1, 5), st.booleans())
def test_what_beats_is_enough_for_an_archive(seed, n, niches, cuts, started):
    """Against the dense way, with many ties: the same occupants, the same firsts, whatever the cut into parts."""
    drawn = random.Random(seed)
    value = torch.tensor([[float(drawn.randrange(-2, 12)) for _ in range(niches)] for _ in range(n)]).double()
    genomes, inputs = PixelGenomes(torch.arange(n).reshape(n, 1).float()), torch.zeros(n, 1, 1, 1)
    everyone = Candidates(100 + torch.arange(n), torch.full((n, 2), -1), genomes, inputs)
    dense, sparse = Archive(niches, LEVELS), Archive(niches, LEVELS)
    if started:
        first = Candidates(torch.arange(1), torch.full((1, 2), -1), PixelGenomes(torch.ones(1, 1)), inputs[:1])
        for archive in (dense, sparse):
            archive.offer(first, Bids(torch.full((1, niches), 3.0).double()))
    ends = sorted({*(drawn.randrange(n + 1) for _ in range(cuts)), n})
    parts = []
    for begin, end in zip([0, *ends[:-1]], ends, strict=True):
        found = beating(Bids(value[begin:end]), sparse.elites.value, inputs[begin:end])
        parts.append((begin, unpack_beating(pack_beating(found, with_inputs=True), niches)))
    random.Random(seed).shuffle(parts)
    found = joined(parts)
    wins = dense.offer(everyone, Bids(value))
    others = sparse.offer(everyone.take(found.rows), found.bids)
    assert held(dense) == held(sparse)
    assert torch.equal(wins.niche, others.niche)
    assert torch.equal(wins.value, others.value)
    assert torch.equal(wins.winners.ids, others.winners.ids)
    assert torch.equal(wins.firsts.ids[wins.first_row], others.firsts.ids[others.first_row])


def test_only_what_beats_everything_before_it_is_sent():
    value = torch.tensor([[1.0, 0.0], [3.0, 0.0], [3.0, 2.0], [2.0, 1.0], [4.0, 1.0]]).double()
    found = beating(Bids(value), torch.tensor([1.0, 1.0]).double(), torch.arange(5.0).reshape(5, 1, 1, 1))
    assert found.rows.tolist() == [1, 2, 4]
    assert found.inputs.flatten().tolist() == [1.0, 2.0, 4.0]
    none = -torch.inf
    assert found.bids.value.tolist() == [[3.0, none], [none, 2.0], [4.0, none]]


def test_a_bid_that_is_no_number_travels_to_be_refused():
    value = torch.tensor([[0.0], [torch.nan], [5.0]]).double()
    found = beating(Bids(value), torch.tensor([1.0]).double(), torch.zeros(3, 1, 1, 1))
    assert 1 in found.rows
    again = unpack_beating(pack_beating(found, with_inputs=True), 1)
    one = Candidates(found.rows, torch.full((len(found.rows), 2), -1), PixelGenomes(torch.zeros(2, 1)), again.inputs)
    with pytest.raises(TargetError, match="candidate 1: expected a number for every bid"):
        Archive(1, LEVELS).offer(one, again.bids)


@pytest.mark.parametrize("kind", [Pixels, Cppn])
def test_a_part_comes_out_as_it_went_in(kind):
    spec = curved(3, 12, 12).spec
    encoding = kind(spec)
    genomes = encoding.random(5, Stream(0, "part", 0))
    only = torch.tensor([3, 0, 1, 1, 2])
    sent = Part(1, torch.tensor([0.5, -torch.inf]).double(), genomes=genomes, only=only)
    got = unpack_part(sent.pack(), (Pixels(spec), encoding))
    assert (got.search, got.value.tolist(), got.only.tolist()) == (1, [0.5, -torch.inf], only.tolist())
    assert torch.equal(encoding.express(got.genomes), encoding.express(genomes))


def test_an_error_keeps_its_four_parts_on_its_way_out_of_a_process():
    met = NoAnswer(expected="a", got="b", where="c", do="D.")
    again = copy.copy(met)  # by the same means
    assert (type(again), str(again), again.do) == (NoAnswer, "c: expected a; got b. D.", "D.")


# The same as one process


@pytest.mark.parametrize("workers", [1, 3])
@pytest.mark.parametrize("kind", [Pixels, Cppn])
def test_a_search_does_not_depend_on_who_judges(kind, workers):
    target = curved(1, 12, 12)
    contest = contest_on(target, 3, kind(target.spec))
    wanted = steps(evolve, contest)
    assert steps(evolve, crewed(contest, workers, choose=lambda busy: busy[-1])[0]) == wanted, "the last answers first"


@pytest.mark.parametrize("search", [scatter, squares])
def test_other_searches_do_not_either(search):
    target = curved()
    contest = contest_on(target, 3)
    plan = PLAN if search is scatter else group_plan(target, 4)
    assert steps(search, crewed(contest, 2)[0], plan) == steps(search, contest, plan)


def test_who_bids_for_one_niche_alone_does_so_elsewhere():
    contest = contest_on(curved(), 3)
    genomes, only = (
        contest.encoding.random(7, Stream(0, "only", 0)),
        torch.tensor([0, 1, 2, 3, 3, 2, 1]),
    )
    ends = []
    for own in (contest, crewed(contest, 2)[0]):
        archive = Archive(4, LEVELS)
        own.hold(archive, genomes, torch.full((7, 2), -1), Tally(), only)
        ends.append(held(archive))
    assert ends[0] == ends[1]


def test_whatever_is_lighter_travels_and_nothing_comes_back_twice():
    """Images that were sent are at hand; painted ones come back, and only those that count."""
    target = curved(1, 12, 12)
    both = {}
    for kind in (Pixels, Cppn):
        contest, crew = crewed(contest_on(target, 5, kind(target.spec)), 2)
        steps(evolve, contest)
        both[kind] = crew
        assert (contest.hands.cluster.sent, contest.hands.cluster.received) == (
            sum(map(len, crew.messages)), sum(map(len, crew.replies)),
        )  # fmt: skip
    assert all(b'"levels"' in message for message in both[Pixels].messages)
    assert not any(b'"levels"' in message for message in both[Cppn].messages)
    assert not any(b'"levels"' in reply for reply in both[Pixels].replies)
    assert any(b'"levels"' in reply for reply in both[Cppn].replies)
    assert min(map(len, both[Cppn].replies)) < 144 * 5


@given(st.integers(1, 300), st.integers(1, 60), st.integers(0, 9))
def test_shares_are_whole_calls_and_everybody_has_as_much(n, batch, workers):
    parts = [rows.tolist() for rows in shares(n, batch, workers)]
    assert [row for part in parts for row in part] == list(range(n))
    assert all(len(part) % batch == 0 for part in parts[:-1])
    calls = [-(-len(part) // batch) for part in parts]
    assert max(calls) - min(calls) <= 1
    assert sum(calls) == -(-n // batch)


def test_rows_a_call_depend_on_the_step_alone():
    assert [part_rows(rows) for rows in (1, 8, 10, 50, 200, 4096)] == [1, 8, 8, 8, 25, 256]
    target = load_target("lenet-mnist")
    asked = named_settings(target, "ray", 25, 1)
    assert (asked.engine, asked.precision, asked.reference, asked.counts) == ("ray", "float32", "torch", False)
    assert search_judge(target, asked).settings == asked


# The dead, the slow and the absent


def test_what_a_dead_worker_had_is_judged_again_and_counted_once():
    target = curved(1, 12, 12)
    contest = contest_on(target, 3, Cppn(target.spec))
    wanted = steps(evolve, contest)
    dead = {4, 5, 11, 20}
    own, crew = crewed(contest, 2, dies=lambda _, before: before in dead)
    with pytest.warns(Notice, match=r"worker \d died; what it had is judged again"):
        got = steps(evolve, own)
    assert got == wanted
    assert len(crew.messages) == len(crew.replies) + len(dead)
    assert len(own.hands.cluster.notices) == len(dead)


def test_workers_that_are_not_replaced_leave_the_rest_to_the_others():
    contest = contest_on(curved(), 3)
    own, _ = crewed(contest, 3, dies=lambda worker, before: worker < 3 and before > 4, joins=False)
    with pytest.warns(Notice):
        assert steps(evolve, own) == steps(evolve, contest)
    assert own.hands.cluster.workers == 1


def test_a_part_that_kills_whoever_judges_it_ends_the_search():
    poison: list[bytes] = []
    own, crew = crewed(contest_on(curved(), 3), 3, dies=lambda _, before: crew.messages[before] in poison)
    archive = Archive(4, LEVELS)
    search = evolve(own, archive, PLAN)
    next(search)
    before = held(archive)
    send = crew.send

    def first_is_poison(worker, message):
        poison.append(message) if not poison else None
        send(worker, message)

    crew.send = first_is_poison
    warnings.simplefilter("ignore", Notice)
    with pytest.raises(NoAnswer, match=r"one after the other dead, the last of: killed.*go on with --resume"):
        next(search)
    assert held(archive) == before


def test_workers_that_all_die_end_the_search():
    own, _ = crewed(contest_on(curved(), 3), 2, dies=lambda *_: True)
    warnings.simplefilter("ignore", Notice)
    with pytest.raises(NoAnswer, match="expected workers that live"):
        steps(evolve, own)


def test_who_comes_late_joins_and_nobody_at_all_is_refused():
    target = curved()
    crew = LocalCrew(plain_worker(target, Pixels(target.spec)), 2)
    cluster = Cluster(crew, crew.worker)
    with pytest.warns(Notice, match="2 of 3 workers have come"):
        cluster.gather(3, 0.1)
    assert cluster.workers == 2
    nobody = LocalCrew(crew.worker, 0)
    with pytest.raises(NoAnswer, match=r"^--engine ray: expected at least one of 2 workers; got none within 0.1 s"):
        Cluster(nobody, crew.worker).gather(2, 0.1)


def test_answers_to_an_earlier_search_are_not_taken_for_those_of_the_next():
    contest = contest_on(curved(), 10)
    own, crew = crewed(contest, 2)
    first = evolve_asynchronously(own, Archive(4, LEVELS), PLAN)
    next(first), next(first)
    assert crew.inbox
    again = replace(own, hands=ClusterHands(own.hands.cluster, 0))
    assert steps(evolve, again) == steps(evolve, contest)


# Asynchronously


def test_a_slow_worker_holds_up_nobody():
    """The first worker does not answer before all else is done; the others make all the steps but its own."""
    own, crew = crewed(contest_on(curved(), 10), 3, choose=lambda busy: busy[-1] if len(busy) > 1 else busy[0])
    slow, seen = None, 0
    for step in evolve_asynchronously(own, Archive(4, LEVELS), PLAN):
        if step.number == 1:
            slow = min(crew.inbox.values())[0]
        seen += slow is not None and any(before == slow for before, _ in crew.inbox.values())
    assert step.number == PLAN.last
    assert seen >= PLAN.last - 4


def test_without_waiting_every_candidate_counts_once_and_is_numbered_by_its_answer():
    own, _ = crewed(contest_on(curved(), 10), 3, choose=lambda busy: busy[-1])
    archive = Archive(4, LEVELS)
    found = list(evolve_asynchronously(own, archive, replace(PLAN, budget=75)))
    assert [step.number for step in found] == list(range(len(found)))
    sizes = [step.evaluations - before.evaluations for before, step in pairwise(found)]
    assert sorted(sizes) == [1] + [10] * 6
    assert (found[0].evaluations, found[-1].evaluations) == (14, 75)
    ids = [i for step in found for i in step.wins.winners.ids.tolist()]
    assert len(set(ids)) == len(ids)
    for before, step in pairwise(found):
        assert all(before.evaluations <= i < step.evaluations for i in step.wins.winners.ids.tolist())
        assert (step.wins.winners.parents < before.evaluations).all()


def test_where_it_goes_on_it_draws_new_numbers(monkeypatch):
    """What was under way when it was interrupted had numbers of its own; they are not drawn again."""
    drawn = []
    offspring = trompe.search.asynchronous.offspring
    monkeypatch.setattr(
        trompe.search.asynchronous, "offspring",
        lambda contest, archive, n, stream, goal: drawn.append(stream.step)
        or offspring(contest, archive, n, stream, goal),
    )  # fmt: skip
    own, _ = crewed(contest_on(curved(), 10), 2)
    archive = Archive(4, LEVELS)
    search = evolve_asynchronously(own, archive, PLAN)
    step = [next(search) for _ in range(4)][-1]
    tally = Tally(step.number, step.evaluations, step.forwards, 0, step.state)
    rest = list(evolve_asynchronously(own, archive, PLAN, tally))
    assert len(set(drawn)) == len(drawn)
    assert rest[-1].number == PLAN.last
    assert rest[-1].evaluations == PLAN.initial + PLAN.last * PLAN.batch


def test_without_workers_it_is_evolve():
    contest = contest_on(curved(), 10)
    assert steps(evolve_asynchronously, contest) == steps(evolve, contest)


# A GPU without room


class Narrow:
    """A target on a GPU that has room for so many images at a time."""

    link = "softmax"

    def __init__(self, inner, room):
        self.name, self.spec, self.labels, self._inner, self.room = "narrow", inner.spec, inner.labels, inner, room
        self.asked = []

    def judge(self, inputs):
        self.asked.append(len(inputs))
        if len(inputs) > self.room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._inner.judge(inputs)

    def fingerprint(self):
        return "narrow"


def test_a_batch_that_finds_no_room_is_halved_for_good_and_that_is_said():
    inner, images = curved(), quantise(noise(25, 1, 6, 6).float())
    target = Narrow(inner, 3)
    judge = Judge(target, JudgeSettings(10))
    with pytest.warns(Notice) as told:
        outputs = judge.judge(images)
    assert [str(one.message).partition(" at a time")[0][-9:] for one in told] == ["10 images", " 5 images"] or len(
        told
    ) == 2
    assert judge.room.notices[-1] == "no memory left on the GPU for 5 images of narrow at a time: 3 from here on"
    assert torch.allclose(outputs.logits, inner.judge(images).logits)
    target.asked.clear()
    judge.judge(images)
    assert set(target.asked) == {3}, "it is not tried again, and the last batch is padded"


def test_one_image_without_room_is_a_clear_line():
    warnings.simplefilter("ignore", Notice)
    judge = Judge(Narrow(curved(), 0), JudgeSettings(4))
    with pytest.raises(TargetError, match="target narrow: expected a GPU with room for one image; got no memory left"):
        judge.judge(quantise(noise(4, 1, 6, 6).float()))


def test_no_room_is_recorded_in_the_run_and_printed(tmp_path, capsys, monkeypatch):
    target = Narrow(curved(), 20)
    settings = FoolSettings("narrow", generations=1, readers="none", out=tmp_path / "run")
    with pytest.warns(Notice):
        run = trompe.fool_with(settings, target)
    said = "no memory left on the GPU for {} images of narrow at a time: {} from here on"
    assert run.measured["notices"] == [said.format(50, 25), said.format(25, 13)]
    monkeypatch.setattr("trompe.cli.targets.run", lambda _: warnings.warn("so it is", Notice, stacklevel=1) or 0)
    assert main(["targets"]) == 0
    assert capsys.readouterr().err == "note: so it is\n"


def test_a_target_on_a_device_says_the_same():
    target, images = load_target("lenet-mnist"), quantise(noise(3, 1, 28, 28).float())
    assert on_device(target, "cpu") is target
    model = DeviceModel(target.module, torch.device("cpu"))
    with torch.inference_mode():
        assert torch.equal(model(images), target.judge(images).logits)
    assert model.fingerprint() == "cpu"


# Bad input


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"address": "auto"}, "--address: expected no --address without --engine ray; got no --engine. Leave it out"),
        (
            {"workers": 2, "engine": "torch"},
            "expected no --workers without --engine ray; got --engine torch",
        ),
        ({"asynchronous": True}, "--asynchronous: expected no --asynchronous without"),
        ({"engine": "ray", "workers": 0}, "--workers: expected a number of at least 1; got 0"),
    ],
)
def test_options_that_need_a_cluster_are_refused_without_one(more, message, tmp_path):
    with pytest.raises(BadInput, match=message):
        trompe.fool("lenet-mnist", out=tmp_path / "run", **more)
    assert not (tmp_path / "run").exists()


class Behind:
    """A model that is somewhere else."""

    line = object()

    def __call__(self, batch):
        return batch

    def fingerprint(self):
        return "behind"


def test_a_server_is_not_spread_over_a_cluster(tmp_path):
    here = load_target(lambda batch: batch.reshape(len(batch), -1)[:, :3], Declaration(shape=(3, 2, 2)))
    target = replace(here, model=Behind())
    with pytest.raises(BadInput, match=r"--engine ray: expected a target on this machine.*the server computes"):
        check_cluster(target, FoolSettings("x", engine="ray", out=tmp_path))


def test_ray_that_is_not_installed_is_a_clear_line(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "ray", None)
    assert main(["fool", "lenet-mnist", "--engine", "ray", "--out", str(tmp_path / "run")]) == 2
    line = "trompe: --engine ray: expected the package ray; got not installed. pip install 'trompe[ray]'; or choose"
    assert capsys.readouterr().err.startswith(line)
    assert not (tmp_path / "run").exists()


@pytest.fixture
def stranger():
    """A port at which somebody listens who is not Ray; what it says is put into the list."""
    says: list[bytes] = []
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()

        def serve():
            with suppress(OSError), listening.accept()[0] as line:
                for word in says:
                    line.recv(9)
                    line.sendall(word)
                while line.recv(1 << 16):  # until the other side gives up
                    pass

        threading.Thread(target=serve, daemon=True).start()
        yield listening.getsockname()[1], says


def test_an_address_where_nobody_or_somebody_else_answers_is_refused_at_once(stranger, monkeypatch):
    monkeypatch.setattr(on_ray_module, "_SECONDS", 0.2)
    port, says = stranger
    says.append(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    with pytest.raises(NoAnswer, match=f"--address 127.0.0.1:{port}: .*; got an answer that is not Ray's"):
        on_ray_module._check_address(f"127.0.0.1:{port}")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = f"127.0.0.1:{free.getsockname()[1]}"
    for address, got in (
        (nobody, "no answer within 0.2 s"),
        ("ray://head:1", "no address of a head"),
        ("head", "no address"),
    ):
        with pytest.raises(NoAnswer, match=f"expected a Ray cluster that answers; got {got}.*ray start --head"):
            on_ray_module._check_address(address)


def test_somebody_who_says_nothing_is_refused_soon(stranger, monkeypatch):
    monkeypatch.setattr(on_ray_module, "_SECONDS", 0.2)
    with pytest.raises(NoAnswer, match=r"no answer within 0\.2 s"):
        on_ray_module._check_address(f"127.0.0.1:{stranger[0]}")


def test_a_run_goes_on_in_the_same_manner_only(tmp_path, monkeypatch):
    """Where the workers are is no part of a run; whether it waits for them is."""
    from trompe.verbs.fool import stored_settings

    plain = FoolSettings("lenet-mnist", engine="ray", out=tmp_path)
    assert stored_settings(plain) == stored_settings(replace(plain, address="a:1", workers=7))
    assert "asynchronous" not in stored_settings(plain)
    assert stored_settings(replace(plain, asynchronous=True))["asynchronous"] is True
