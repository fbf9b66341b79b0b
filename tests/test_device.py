"""A search that stays on a device: nobody looks at a value there but once a step, and the CPU's laws hold.

There need be no GPU: ``torch:cpu`` takes the same way on the CPU, and the device ``meta`` has shapes and no values, so
that whoever looks at one there, or mixes it with the CPU, fails.
"""

import warnings
from dataclasses import replace
from math import sqrt

import pytest
import torch
from arena import LEVELS, held, said
from hypothesis import given, settings
from hypothesis import strategies as st
from test_archive import offers
from tiny import make_tiny_target
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

import trompe
from trompe.cli.main import main
from trompe.core.constants import constant
from trompe.core.errors import BadInput, Notice, TargetError
from trompe.core.numerics import from_levels, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Bids, Candidates
from trompe.encodings import CPPN_PRESETS, PIXEL_PRESETS, Cppn, PixelGenomes, Pixels
from trompe.run import open_run
from trompe.search import (
    BEGINNING,
    Archive,
    Contest,
    DeviceArchive,
    EveryClass,
    Judge,
    JudgeSettings,
    Plan,
    evolve,
    on_device,
    scatter,
    search_judge,
)
from trompe.settings import AuditSettings, FoolSettings
from trompe.targets import Declaration, TorchTarget, load_target
from trompe.targets.preprocessing import Preprocessing
from trompe.targets.torch import from_module
from trompe.testing import examine_encoding
from trompe.verbs.devices import with_device
from trompe.verbs.fool import fool_session
from trompe.verbs.renderers import with_renderer
from trompe.verbs.verify import verify_with

PLAN = Plan(seed=3, generations=6, population=40, batch=20, initial=40)
SPEC = ImageSpec(3, 9, 9)
ENCODINGS = {
    "pixels": Pixels(SPEC),
    "crossed pixels": Pixels(SPEC, PIXEL_PRESETS["released-code"]),
    "cppn": Cppn(SPEC, CPPN_PRESETS["paper"], "dense"),
    "raw cppn": Cppn(SPEC, CPPN_PRESETS["released-code"], "dense"),
    "stitched cppn": Cppn(SPEC, replace(CPPN_PRESETS["stitched"], hidden=(2,), most_nodes=40), "dense"),
}


def ten_crops() -> TorchTarget:
    """A small convolutional network behind preprocessing with constants, ten crops an image."""
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(144, 7)).eval()
    for number, weight in enumerate(net.parameters()):
        weight.data = Stream(0, "test/net", number).uniform32(*weight.shape) - 0.5
    crops = Preprocessing(mean=(0.4, 0.5, 0.6), crop="ten", size=(8, 8))
    return from_module("crops", net, Declaration(shape=SPEC.shape, preprocessing=crops))


def staying(target, device, encoding, batch=20):
    """A contest and an empty archive on a device."""
    judge = search_judge(target, JudgeSettings(batch, engine=f"torch:{device}", reference="torch"))
    return Contest(encoding, judge, EveryClass.of(target), LEVELS), DeviceArchive(
        Archive(len(target.labels), LEVELS), device
    )


@pytest.fixture
def fetched(monkeypatch):
    """How often something was brought back, and how many arrays."""
    found, fetch = [], on_device.fetch

    def counted(arrays):
        found.append(fetch(arrays))
        return found[-1]

    monkeypatch.setattr(on_device, "fetch", counted)
    return found


# Nobody looks but once


LOOKS = ("_local_scalar_dense", "nonzero", "masked_select", "unique", "equal", "is_nonzero", "item")


class Watch(TorchDispatchMode):
    """Notes what would wait for a device: looks at values, sizes that follow them, and copies from one to another."""

    def __init__(self):
        super().__init__()
        self.looked, self.here = [], True

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        tensors = [one for one in tree_leaves((args, kwargs)) if isinstance(one, torch.Tensor)]
        everything = [one for one in (*tensors, *tree_leaves(made)) if isinstance(one, torch.Tensor) and one.ndim]
        name = func.overloadpacket.__name__
        masks = name in ("index", "index_put", "index_put_", "_index_put_impl_") and any(
            one.dtype == torch.bool for one in tree_leaves(args[1]) if isinstance(one, torch.Tensor)
        )
        moved = len({one.device.type for one in everything}) > 1
        if self.here and (masks or moved or any(name.lstrip("_").startswith(look.lstrip("_")) for look in LOOKS)):
            self.looked.append(name)
        return made


def watched(monkeypatch, watch):
    """The part between what was brought back and what is let in is about the CPU's own."""
    fetch, let_in = on_device.fetch, DeviceArchive._let_in

    def bring(arrays):
        told = fetch(arrays)
        watch.here = False
        return told

    def let(self, *offered):
        watch.here = True
        return let_in(self, *offered)

    monkeypatch.setattr(on_device, "fetch", bring)
    monkeypatch.setattr(DeviceArchive, "_let_in", let)


@pytest.mark.parametrize("search", [evolve, scatter])
@pytest.mark.parametrize("name", ENCODINGS)
def test_a_step_waits_for_its_device_once(name, search, fetched, monkeypatch):
    contest, archive = staying(ten_crops(), "cpu", ENCODINGS[name])
    watch = Watch()
    watched(monkeypatch, watch)
    with watch:
        steps = list(search(contest, archive, PLAN, BEGINNING))
    assert len(fetched) == len(steps) == PLAN.last + 1
    assert watch.looked == []


def test_the_watch_sees_who_looks(monkeypatch):
    """Catches a watch that sees nothing: the CPU's own way looks at values all the time."""
    seen = set()
    for encoding in (Pixels(SPEC), Cppn(SPEC, CPPN_PRESETS["paper"])):
        contest = Contest(encoding, Judge(ten_crops(), JudgeSettings(20)), EveryClass.of(ten_crops()), LEVELS)
        with Watch() as watch:
            list(evolve(contest, Archive(7, LEVELS), PLAN, BEGINNING))
        seen |= set(watch.looked)
    assert {"nonzero", "_local_scalar_dense"} <= seen
    with Watch() as watch:
        torch.arange(4)[torch.arange(4) > 1]
        torch.empty(3, device="meta").copy_(torch.ones(3))
    assert watch.looked == ["index", "copy_"]


@pytest.mark.parametrize("name", ENCODINGS)
def test_a_search_goes_on_where_there_are_no_values_at_all(name, fetched, monkeypatch):
    """All a step needs to know is in what is brought back, and nothing of it is made on the CPU by mistake."""
    target = ten_crops()
    contest, archive = staying(target, "cpu", ENCODINGS[name])
    wanted = [said(step) for step in evolve(contest, archive, PLAN, BEGINNING)]
    told = list(fetched)

    def replay(arrays):
        known = told.pop(0)
        assert {values.device.type for values in arrays.values()} == {"meta"}
        assert [(values.shape, values.dtype) for values in arrays.values()] == [
            (values.shape, values.dtype) for values in known.values()
        ]
        return known

    def nothing(self, count, dtype):
        return torch.empty(count, dtype=dtype, device="meta")

    monkeypatch.setattr(on_device, "fetch", replay)
    monkeypatch.setattr(Stream, "_drawn", nothing)
    contest, bare = staying(target, "meta", ENCODINGS[name])
    steps, watch = evolve(contest, bare, PLAN, BEGINNING), Watch()
    got = [said(next(steps))]  # which sends the constants there
    watched(monkeypatch, watch)
    with watch:
        got += [said(step) for step in steps]
    assert watch.looked == []
    assert got == wanted
    assert {values.device.type for values in bare.elites.genomes.arrays().values()} == {"meta"}
    assert bare.elites.genomes.room == archive.elites.genomes.room


# The CPU's laws


def on_the_grid(first, n):
    """Candidates whose genome and input hold their own id."""
    ids = torch.arange(first, first + n)
    genes = ids.to(torch.float32).reshape(-1, 1).expand(-1, 4).contiguous()
    inputs = from_levels((ids % 256).to(torch.uint8).reshape(-1, 1, 1, 1).expand(-1, 1, 2, 2))
    return Candidates(ids, torch.stack([ids + 5000, ids + 6000], 1), PixelGenomes(genes), inputs)


def changed(wins):
    """Everything that an offer changed, comparable by ==."""
    parts = [wins.niche, wins.row, wins.value, wins.first_niche, wins.first_level, wins.first_row, wins.first_value]
    for some in (wins.winners, wins.firsts):
        parts += [some.ids, some.parents, some.inputs, some.genomes.genes]
    return [part.tolist() for part in parts]


@given(offers(), st.sampled_from([0, 1, 2]))
@settings(max_examples=30)
def test_an_offer_does_what_it_does_on_the_cpu(offered, room):
    """Catches a wrong niche, tie, level, order or row, also where more win than there was room for."""
    niches, batches = offered
    plain, first = Archive(niches, LEVELS), 0
    device = DeviceArchive(plain, "cpu")
    for rows in batches:
        bids = Bids(torch.tensor(rows, dtype=torch.float64))
        device._room = room
        assert changed(device.offer(on_the_grid(first, len(rows)), bids)) == changed(
            plain.offer(on_the_grid(first, len(rows)), bids)
        )
        assert device.value.tolist() == device.elites.value.tolist() == plain.value.tolist()
        assert device.elites.ids.tolist() == plain.elites.ids.tolist()
        assert device.elites.crossed.tolist() == plain.elites.crossed.tolist()
        for niche in (plain.elites.ids >= 0).nonzero().flatten().tolist():
            assert device.elites.genomes.genes[niche].tolist() == plain.elites.genomes.genes[niche].tolist()
        first += len(rows)
    if plain.elites.genomes is not None:
        for below in (torch.inf, 1.0, -99.0):
            got, wanted = (
                archive.parents(50, Stream(1, "parents", 0), below)[1].tolist() for archive in (device, plain)
            )
            assert got == wanted
    assert len(device.offer(on_the_grid(first, 0), Bids(torch.empty(0, niches, dtype=torch.float64))).niche) == 0


def test_more_winners_than_there_was_room_for_take_a_second_copy(fetched):
    archive = DeviceArchive(Archive(40, LEVELS), "cpu")
    archive.offer(on_the_grid(0, 1), Bids(torch.zeros(1, 40, dtype=torch.float64)))
    assert len(fetched) == 1
    wins = archive.offer(on_the_grid(1, 40), Bids(torch.eye(40, dtype=torch.float64)))
    assert len(fetched) == 3, "room for 16 had been kept"
    assert wins.winners.ids[wins.row].tolist() == list(range(1, 41))
    archive.offer(on_the_grid(41, 40), Bids(2.0 * torch.eye(40, dtype=torch.float64)))
    assert len(fetched) == 4, "now there is room for twice as many"


def test_a_bid_that_is_no_number_is_refused_there_too_and_changes_nothing():
    archive = DeviceArchive(Archive(2, LEVELS), "cpu")
    with pytest.raises(LookupError, match="an empty archive has no parents"):
        archive.parents(2, Stream(0, "parents", 0))
    archive.offer(on_the_grid(0, 1), Bids(torch.zeros(1, 2, dtype=torch.float64)))
    before = held(archive)
    nan = Bids(torch.tensor([[1.0, 1.0], [2.0, torch.nan]], dtype=torch.float64))
    with pytest.raises(TargetError, match=r"^candidate 8: expected a number for every bid; got NaN"):
        archive.offer(on_the_grid(7, 2), nan)
    assert held(archive) == before


class Ill(nn.Module):
    """Says of the third image what cannot be judged."""

    def __init__(self, value):
        super().__init__()
        self.value = value

    def forward(self, images):
        logits = images.flatten(1)[:, :3].clone()
        logits[2] = self.value
        return logits


@pytest.mark.parametrize("value", [torch.nan, torch.inf, -torch.inf])
@pytest.mark.parametrize("link", ["softmax", "independent"])
def test_answers_that_are_no_numbers_are_refused_by_the_archive(value, link):
    """They are not looked at where they are given, so they have to stay wrong until somebody looks."""
    target = TorchTarget("ill", Ill(value).eval(), ImageSpec(1, 6, 6), ("a", "b", "c"), link)
    contest, archive = staying(target, "cpu", Pixels(target.spec))
    with pytest.raises(TargetError, match="candidate 2: expected a number for every bid; got NaN"):
        next(evolve(contest, archive, PLAN, BEGINNING))


def rates(settings, trials=30, n=200):
    """Of 200 parents and their children on either way: the children."""
    encoding = Cppn(SPEC, settings)
    for trial in range(trials):
        parents = encoding.random(n, Stream(trial, "test/random", 0))
        for step in range(3):
            parents = encoding.vary(parents, Stream(trial, "test/vary", step))
        yield (
            parents,
            [encoding.vary(parents, Stream(trial, "test/last", 0, device)).trimmed() for device in ("", "cpu")],
        )


def test_pictures_are_stitched_as_they_are_on_the_cpu_bit_for_bit():
    still = replace(
        CPPN_PRESETS["stitched"], weight_rate=0.0, function_rate=0.0, hidden=(2,), most_nodes=60, stitch=0.7
    )
    for _, (plain, staying) in rates(still, trials=2):
        assert plain.sizes()[0].max() > 40
        for name, values in plain.to_arrays().items():
            assert torch.equal(values, staying.to_arrays()[name]), name


def test_connections_and_nodes_come_and_go_as_they_do_on_the_cpu_bit_for_bit():
    still = replace(CPPN_PRESETS["paper"], weight_rate=0.0, function_rate=0.0)
    for _, (plain, staying) in rates(still, trials=5):
        for name, values in plain.to_arrays().items():
            assert torch.equal(values, staying.to_arrays()[name]), name


def test_few_genes_of_a_large_network_change_and_as_many_as_ever_of_a_small_one():
    """In one population; a new function is the old one once in four."""
    still = {"add_connection": 0.0, "delete_connection": 0.0, "add_node": 0.0, "delete_node": 0.0}
    bounded = replace(CPPN_PRESETS["paper"], **still, weight_rate=0.1, function_rate=0.1, most_changes=2.0)
    small, large = (
        Cppn(SPEC, replace(bounded, hidden=hidden)).random(1000, Stream(0, "test/random", len(hidden)))
        for hidden in ((), (10, 10))
    )
    both = small.join([large])
    children = Cppn(SPEC, bounded).vary(both, Stream(0, "test/last", 0, "cpu"))
    weights = (children.weight[:, : both.weight.shape[1]] != both.weight).double()
    functions = (children.function[:, : both.function.shape[1]] != both.function).sum(1).double()
    links = [int(genomes.sizes()[1][0]) for genomes in (small, large)]
    expected = 2.0 + (1.0 - 2.0 / links[1]) ** links[1]  # the bound; and one where it is none
    assert weights[:1000].sum(1).mean().item() == pytest.approx(0.1 * links[0], rel=0.15)
    assert weights[1000:].sum(1).mean().item() == pytest.approx(expected, rel=0.06)
    assert weights[1000:].sum(1).min() == 1, "one at least"
    assert weights[1000:].sum(0).max() < 5 * expected * 1000 / links[1], "any of them"
    nodes, share = [int(genomes.sizes()[0][0]) for genomes in (small, large)], 2.0 / (0.1 * links[1])
    assert functions[:1000].mean().item() == pytest.approx(0.1 * 0.75 * nodes[0], rel=0.25)
    assert functions[1000:].mean().item() == pytest.approx(share * 0.1 * 0.75 * nodes[1], rel=0.2)


def test_weights_and_functions_mutate_at_their_rates_and_nothing_else_does():
    only = replace(
        CPPN_PRESETS["paper"], add_connection=0.0, delete_connection=0.0, add_node=0.0, delete_node=0.0,
        weight_rate=0.1, function_rate=0.2,
    )  # fmt: skip
    weights = links = functions = nodes = 0
    for parents, (_, children) in rates(only, trials=4):
        assert torch.equal(parents.source, children.source)
        present, there = parents.source >= 0, parents.function >= 0
        assert torch.equal(there, children.function >= 0)
        weights += int(((parents.weight != children.weight) & present).sum())
        functions += int(((parents.function != children.function) & there).sum())
        links, nodes = links + int(present.sum()), nodes + int(there.sum())
    for found, total, rate in ((weights, links, 0.1), (functions, nodes, 0.2 * 3 / 4)):  # one of four is the same
        assert abs(found - total * rate) < 3 * sqrt(total * rate * (1 - rate))


@pytest.mark.parametrize("crossover", [0.0, 0.4])
def test_genes_mutate_and_cross_at_their_rates(crossover):
    numbers = replace(PIXEL_PRESETS["paper"], mutation_rate=0.0 if crossover else 0.1, crossover_rate=crossover)
    encoding = Pixels(ImageSpec(1, 20, 20), numbers)
    parents = encoding.random(400, Stream(0, "test/random", 0))
    before = parents.genes.clone()
    children = encoding.vary(parents, Stream(0, "test/vary", 0, "cpu"))
    assert torch.equal(parents.genes, before)
    assert 0.0 <= float(children.genes.min()) < float(children.genes.max()) <= 1.0
    moved = children.genes != parents.genes
    if crossover:
        found, total = int(moved.any(1).reshape(-1, 2).all(1).sum()), 200
        assert torch.allclose(children.genes[0::2] + children.genes[1::2], before[0::2] + before[1::2], atol=0.5)
    else:
        found, total = int(moved.sum()), moved.numel()
    rate = crossover or 0.1
    assert abs(found - total * rate) < 3 * sqrt(total * rate * (1 - rate))


# Pictures


@given(st.integers(0, 10_000), st.integers(0, 40), st.sampled_from(list(CPPN_PRESETS)), st.sampled_from([1, 3]))
@settings(max_examples=8)
def test_dense_pictures_are_those_of_the_reference(seed, rounds, preset, channels):
    """At least 99.9 % of pixels within one level, of networks as they are born and after many mutations."""
    reference = Cppn(ImageSpec(channels, 24, 17), CPPN_PRESETS[preset])
    genomes = reference.random(16, Stream(seed, "test/random", 0))
    for step in range(rounds):
        genomes = reference.vary(genomes, Stream(seed, "test/vary", step))
    painted = replace(reference, renderer="dense").express(genomes)
    gap = (to_levels(painted).int() - to_levels(reference.express(genomes)).int()).abs()
    assert (gap <= 1).double().mean() >= 0.999, f"largest difference {gap.max()} levels"
    assert (gap == 0).double().mean() >= 0.99, "the same functions, not merely similar ones"


@pytest.mark.usefixtures("unchecked")
def test_dense_painting_conforms():
    encoding = Cppn(ImageSpec(3, 12, 10), CPPN_PRESETS["paper"], "dense")
    assert examine_encoding(encoding, encoding.spec).findings == ()
    assert encoding.describe()["renderer"] == "dense"


def test_pictures_that_do_not_fit_at_once_are_painted_in_parts(monkeypatch):
    encoding = ENCODINGS["cppn"]
    genomes = encoding.random(9, Stream(0, "test/random", 0))
    whole = encoding.express(genomes)
    monkeypatch.setattr("trompe.encodings.cppn.encoding._DENSE_VALUES", 81 * 20)
    assert torch.equal(encoding.express(genomes), whole)


# No room


class Tight:
    """An encoding that has room for so many pictures at a time."""

    def __init__(self, inner, room):
        self._inner, self._room = inner, room

    def __getattr__(self, name):
        return getattr(self._inner, name)

    def express(self, genomes):
        if len(genomes) > self._room:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB.")
        return self._inner.express(genomes)


def test_painting_that_finds_no_room_is_halved_with_the_judge_and_said():
    target = ten_crops()
    contest, archive = staying(target, "cpu", Tight(ENCODINGS["cppn"], 6))
    with pytest.warns(Notice):
        found = [said(step) for step in evolve(contest, archive, PLAN, BEGINNING)]
    assert contest.judge.room.notices == [
        "no memory left on the GPU for 20 images of crops at a time: 10 from here on",
        "no memory left on the GPU for 10 images of crops at a time: 5 from here on",
    ], "each said once"
    contest, archive = staying(target, "cpu", ENCODINGS["cppn"], batch=5)
    wanted = [said(step) for step in evolve(contest, archive, PLAN, BEGINNING)]
    assert [step[6:] for step in found] == [step[6:] for step in wanted], "as with that batch from the beginning"
    warnings.simplefilter("ignore", Notice)
    contest, archive = staying(target, "cpu", Tight(ENCODINGS["cppn"], 0))
    with pytest.raises(TargetError, match="expected a GPU with room for one image"):
        next(evolve(contest, archive, PLAN, BEGINNING))


# A whole run


def go(folder, cut=None, resume=False):
    """A run whose searching stays on a device, or its beginning."""
    words = FoolSettings(
        "tiny-0", encoding="cppn", renderer="dense", generations=5, population=40, batch=20, confidence=None,
        readers="none", resume=resume, out=folder,
    )  # fmt: skip
    judge = JudgeSettings(20, engine="torch:cpu", reference="torch")
    with fool_session(words, make_tiny_target(), judge) as session:
        for step in session:
            if step.number == cut:
                return None
        return session.finish()


def test_a_run_that_stays_on_a_device_is_recorded_taken_up_and_verified(tmp_path):
    run = go(tmp_path / "run")
    assert (run.about.judge["engine"], run.about.judge["reference"]) == ("torch:cpu", "torch")
    assert run.about.encoding["cppn-evolve"]["renderer"] == "dense"
    assert all(record.strongest for record in run.classes)
    assert verify_with(run.folder, make_tiny_target()).passed
    for cut in (0, 3, 7):
        go(tmp_path / str(cut), cut)
        assert go(tmp_path / str(cut), resume=True).digest() == run.digest()


def test_who_searches_there_is_no_reference():
    settings = JudgeSettings(20, engine="torch:cuda", reference="torch")
    assert (settings.device, settings.counts) == ("cuda", False)
    assert (JudgeSettings(20).device, JudgeSettings(20).counts) == ("", True)
    assert JudgeSettings(20, engine="remote").device == ""


# What is asked for


def test_a_gpu_that_is_not_there_is_one_clear_line(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    for command in ("fool", "audit"):
        assert main([command, "lenet-mnist", "--device", "cuda", "--out", str(tmp_path / "run")]) == 2
        said = capsys.readouterr().err
        assert "--device cuda: expected a GPU that torch can use; got none" in said
        assert said.count("\n") == 1
    assert not (tmp_path / "run").exists()


def test_auto_is_the_cpu_where_there_is_no_gpu_and_is_decided_once(tmp_path, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    words = {"generations": 1, "readers": "none"}
    plain = trompe.fool("softmax-mnist", **words, out=tmp_path / "plain")
    auto = trompe.fool("softmax-mnist", device="auto", **words, out=tmp_path / "auto")
    assert auto.digest() == plain.digest()
    assert "device" not in auto.about.settings
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    again = trompe.fool("softmax-mnist", device="auto", **words, out=tmp_path / "auto", resume=True)
    assert again.digest() == plain.digest()


def test_with_a_gpu_networks_are_painted_and_judged_there(monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    for words in (
        FoolSettings("x", encoding="cppn", device="auto", out=tmp_path),
        AuditSettings("x", device="auto", out=tmp_path),
    ):
        chosen = with_renderer(with_device(words))
        assert (chosen.device, chosen.renderer) == ("cuda", "dense")
    assert with_renderer(with_device(FoolSettings("x", device="cuda", out=tmp_path))).renderer == "torch"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ({"engine": "ray"}, "--engine: expected no --engine with --device cuda, where torch computes; got ray"),
        ({"renderer": "numba"}, "--renderer: expected --renderer dense with --device cuda, or none; got numba"),
        ({"encoding": "tokens"}, "--encoding: expected --encoding pixels or cppn with --device cuda; got tokens"),
        (
            {"survive": ("jpeg75",)},
            "--device: expected a torch network, without a guard in front and without --survive",
        ),
    ],
)
def test_what_does_not_go_together_with_a_gpu_is_refused(words, message, monkeypatch, tmp_path):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    with pytest.raises(BadInput, match=message):
        trompe.fool("softmax-mnist", device="cuda", out=tmp_path / "run", **words)
    assert not (tmp_path / "run").exists()


def test_constants_are_sent_once():
    first = constant((1.5, 2.5), torch.float32, "meta")
    assert constant([1.5, 2.5], torch.float32, "meta") is first
    assert constant((1.5, 2.5), torch.float64, "meta").dtype == torch.float64
    with torch.inference_mode():
        assert not constant((0.25, 7.0), torch.float32, "cpu").is_inference()


@pytest.mark.usefixtures("unchecked")
def test_a_network_there_answers_where_it_is_asked():
    contest, _ = staying(load_target("lenet-mnist"), "cpu", Pixels(ImageSpec(1, 28, 28)))
    images = from_levels((torch.arange(784) % 256).to(torch.uint8).reshape(1, 1, 28, 28))
    wanted = Judge(load_target("lenet-mnist"), JudgeSettings(20)).judge(images)
    assert torch.equal(contest.judge.judge(images).logits, wanted.logits)
    with pytest.raises(BadInput, match="expected images as float32"):
        contest.judge.target.judge(images.double())


def test_a_run_of_before_there_were_devices_is_as_it_was(tmp_path):
    run = trompe.fool("softmax-mnist", generations=0, readers="none", out=tmp_path / "run")
    assert "device" not in run.about.settings
    assert "gpu" not in run.about.versions
    assert open_run(run.folder).about.judge["engine"] == "torch"
