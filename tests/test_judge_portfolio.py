"""A portfolio judged from end to end, and every planted defence and reader exposed."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
import torch
from tiny import TINY_LABELS, TINY_SPEC, make_tiny_target
from torch import nn

from trompe import judge, open_run, verify_with
from trompe.cli.main import main
from trompe.core.errors import BadInput, RunError
from trompe.core.numerics import from_levels, to_levels
from trompe.core.seeds import Stream
from trompe.data import Split
from trompe.guards import fit_neighbours, fit_score
from trompe.guards.neighbours import centred
from trompe.measure.metrics import auroc
from trompe.measure.readers.store import SHIPPED
from trompe.measure.trials import Measured, NotMeasured
from trompe.portfolio import PORTFOLIO_1, SCREEN_1, STARTS, Attack, Portfolio
from trompe.search.hide import HIDE_READER
from trompe.settings import RerunSettings, TrialSettings
from trompe.targets import TorchTarget, load_target
from trompe.targets.callables import from_object
from trompe.targets.declaration import PLAIN, Declaration
from trompe.targets.guarded import Guarded
from trompe.targets.load import bundled_targets
from trompe.targets.trained import read_samples
from trompe.verbs.guard import measure
from trompe.verbs.judge import prepare_case, run_case
from trompe.verbs.jury import senseless
from trompe.verbs.natural import samples_folder
from trompe.verbs.readable import readers_of, why_unsuited
from trompe.verbs.rerun import repeat
from trompe.verbs.trials import judge_runs

SMALL = Portfolio(
    "small", 1,
    (
        Attack("pixels", "ascend", "sign-momentum", 20, "white-box", ("uniform", "near-black")),
        Attack("pixels", "squares", "random-squares", 120, "black-box", ("uniform",)),
    ),
    seeds=2,
)  # fmt: skip
ONCE = replace(SMALL, seeds=1)
WHITE = Portfolio("white", 1, (Attack("pixels", "ascend", "sign-momentum", 20, "white-box", ("uniform",)),), 1)


@dataclass(frozen=True, eq=False)
class Saying:
    """A reader that sees what it is told to."""

    name: str
    sees: object  # from images to scores
    uses: frozenset = frozenset()
    labels: tuple = TINY_LABELS
    shape: tuple = TINY_SPEC.shape

    def scores(self, images):
        return self.sees(images).to(torch.float64)

    def fingerprint(self):
        return self.name


def never(images):
    return -torch.ones(len(images), 4) - images.mean((1, 2, 3), keepdim=False)[:, None]


def always(images):
    return torch.ones(len(images), 4)


BLIND = (Saying("blind", never, frozenset({"function:a"})), Saying("blinder", never, frozenset({"function:b"})))


def judged(tmp_path, target=None, guard=None, portfolio=SMALL, **more):
    more.setdefault("readers", BLIND)
    return judge(target or make_tiny_target(), guard, portfolio, out=tmp_path / "out", **more)


# What is fixed


def test_the_portfolios_are_frozen():
    """Rows of one version are comparable: what is changed here gets a new version, and a new digest."""
    assert (PORTFOLIO_1.title, SCREEN_1.title) == ("full-1", "screen-1")
    assert PORTFOLIO_1.digest()[:16] == "05c1170a5ca40543"
    assert SCREEN_1.digest()[:16] == "9d1b23b779c5e412"
    assert replace(PORTFOLIO_1, seeds=4).digest() != PORTFOLIO_1.digest()


def test_the_portfolio_has_what_it_must_have():
    methods = PORTFOLIO_1.kinds
    for attack in ("pixels-ascend:sign-momentum", "pixels-ascend:adam", "pixels-ascend:hide",
                   "pixels-squares:random-squares"):  # fmt: skip
        assert {f"{attack}:{start}" for start in STARTS} <= set(methods)
    assert {"pixels-evolve:paper:own", "cppn-evolve:paper:own", "cppn-ascend:adam:own"} <= set(methods)
    assert methods["pixels-squares:transfer:transferred"] == "transfer"
    assert set(SCREEN_1.kinds) < set(methods)
    assert set(SCREEN_1.kinds.values()) == {"white-box"}
    assert len(STARTS) == 9


# From end to end


def test_every_trial_of_an_undefended_network_is_open(tmp_path):
    found = judged(tmp_path)
    told = found.judgement
    assert isinstance(told.measured, Measured)
    assert (told.trials, str(told.measured.open), told.verdict) == (8, "8 of 8", "settled")  # 4 classes, 2 seeds
    assert {(c.attack, c.start) for c in told.measured.cells} == {
        ("pixels-ascend:sign-momentum", "uniform"), ("pixels-ascend:sign-momentum", "near-black"),
        ("pixels-squares:random-squares", "uniform"),
    }  # fmt: skip
    stored = json.loads((tmp_path / "out" / "judgement.json").read_text())
    assert stored == found.describe()
    assert stored["open_trials"]["open"]["high"]["count"] == 8
    assert stored["portfolio"]["digest"] == SMALL.digest()
    assert stored["hide"]["name"] == HIDE_READER["name"]
    assert [reader["counts"] for reader in stored["readers"]] == [True, True]


def test_it_is_an_ordinary_run_that_can_be_opened_and_verified(tmp_path):
    target = make_tiny_target()
    found = judged(tmp_path, target)
    run = open_run(found.runs[0].folder)
    assert run.repeats == 2
    assert [search.method for search in run.searches[:2]] == ["pixels-ascend:sign-momentum:uniform"] * 2
    assert verify_with(run.folder, target).passed
    assert not [path for path in run.folder.rglob("*") if ":" in path.name]
    with pytest.raises(RunError, match=rf"Give a run in it: {run.folder}"):
        open_run(found.folder)
    assert run.measured["trials"]["seeds"] == [0, 1, 0, 1, 0, 1]
    with pytest.raises(RunError, match="Repeat the judgement"):
        repeat(RerunSettings(run.folder, out=tmp_path / "again"))


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(tmp_path):
    one = judged(tmp_path / "a").runs[0].digest()
    two = judged(tmp_path / "b").runs[0].digest()
    other = TrialSettings("tiny-0", seed=5, out=Path())
    three = judged(tmp_path / "c", settings=other).runs[0].digest()
    assert one == two != three


@pytest.mark.parametrize("steps", [9])
def test_an_interrupted_judgement_goes_on_to_the_same_end(tmp_path, steps):
    whole = judged(tmp_path / "whole")
    settings = TrialSettings("tiny-0", out=tmp_path / "cut")
    left = iter(range(steps))

    def tell(session):
        if next(left, None) is None:
            raise KeyboardInterrupt

    def case(**more):
        return prepare_case(replace(settings, **more), make_tiny_target(), None, SMALL, (), BLIND)

    with pytest.raises(KeyboardInterrupt):
        run_case(case(), tell)
    with pytest.raises(RunError, match="holds something"):
        run_case(case())
    with pytest.raises(RunError, match="--seed 0"):
        run_case(case(resume=True, seed=1))
    gone_on = run_case(case(resume=True))
    assert gone_on.runs[0].digest() == whole.runs[0].digest()
    assert gone_on.judgement == whole.judgement
    assert run_case(case(resume=True)).judgement == whole.judgement  # finished: only counted again


def test_two_models_are_twice_the_trials_and_share_out_the_seeds(tmp_path):
    found = judged(tmp_path, models=[make_tiny_target(1)], trials_per_class=6)
    assert (found.judgement.trials, len(found.runs)) == (24, 2)
    assert found.judgement.measured.pairs.high.of == 8
    assert found.runs[1].measured["trials"]["seeds"][:3] == [0, 1, 2]
    assert [run.about.target["text"] for run in found.runs] == ["tiny-0", "tiny-1"]


@dataclass(frozen=True)
class Open:
    """A guard that accepts everything, made of one thing."""

    made_of: str
    name: str = "open"
    needs: frozenset = frozenset()
    asked: list = field(default_factory=list)

    @property
    def uses(self):
        return frozenset({f"function:{self.made_of}"})

    def slack(self, outputs, inputs):
        del inputs
        self.asked.append(outputs.logits)
        return torch.ones_like(outputs.logits, dtype=torch.float64)

    def fingerprint(self):
        return self.made_of


def test_every_model_may_have_a_guard_of_its_own_and_a_reader_must_be_independent_of_all(tmp_path):
    one, other = Guarded(make_tiny_target(), Open("x")), Guarded(make_tiny_target(1), Open("b"))
    settings = TrialSettings("tiny-0", out=tmp_path / "out")
    case = prepare_case(settings, one, None, SMALL, (other,), BLIND)
    assert [bool(juror.excluded) for juror in case.jurors] == [
        False,
        True,
    ]  # the second shares b with the other's guard
    assert case.stored["guard"] == "x b"
    again = prepare_case(settings, one, None, SMALL, (Guarded(make_tiny_target(1), Open("x")),), BLIND)
    assert again.stored["guard"] == "x"
    assert not any(juror.excluded for juror in again.jurors)


def test_a_guard_is_held_against_readers_on_its_own_network(tmp_path):
    one, other = Open("x"), Open("y")
    networks = make_tiny_target(), make_tiny_target(1)
    settings = TrialSettings("tiny-0", out=tmp_path / "out")
    prepare_case(settings, Guarded(networks[0], one), None, SMALL, (Guarded(networks[1], other),), BLIND)
    images = senseless(networks[0])[: len(other.asked[0])]
    assert torch.equal(one.asked[0], networks[0].judge(images).logits)
    assert torch.equal(other.asked[0], networks[1].judge(images).logits)


def test_a_smaller_budget_is_the_beginning_of_a_larger_one(tmp_path):
    slow = Portfolio("slow", 1, (Attack("pixels", "squares", "random-squares", 4, "black-box", ("uniform",)),), 2)
    small = judged(tmp_path / "a", portfolio=slow, settings=TrialSettings("tiny-0", out=Path()))
    large = judged(tmp_path / "b", portfolio=slow, settings=TrialSettings("tiny-0", budget_scale=3, out=Path()))
    assert set(large.judgement.by_budget) == {1, 3}
    ranges = large.judgement.by_budget
    assert ranges[1] == small.judgement.measured.open
    assert ranges[1].high.count < ranges[3].high.count
    assert "still rising" in " ".join(large.judgement.unsettled)
    assert large.judgement.verdict == "undecided"
    assert "only x1" in " ".join(small.judgement.unsettled)


# What cannot be had is said


def test_starts_without_images_are_left_out_and_said_so(tmp_path):
    attack = Attack("pixels", "ascend", "sign-momentum", 10, "white-box", ("uniform", "class-mean", "transferred"))
    hiding = Attack("pixels", "ascend", "hide", 10, "white-box", ("uniform",))
    found = judged(tmp_path, portfolio=Portfolio("p", 1, (attack, hiding), 1))
    (left,) = found.left_out.values()
    assert set(left) == {"pixels-ascend:sign-momentum:class-mean", "pixels-ascend:sign-momentum:transferred",
                         "pixels-ascend:hide:uniform"}  # fmt: skip
    assert "natural images" in left["pixels-ascend:hide:uniform"]
    assert len(found.runs[0].searches) == 1


def test_a_network_of_ones_own_is_attacked_from_every_start_that_a_bundled_one_is(tmp_path):
    """A folder that `trompe train` or `trompe harden` wrote has sample images: no start is lacking, guarded or not."""
    mine = shutil.copytree(bundled_targets()["softmax-mnist"], tmp_path / "mine")
    target, settings = load_target(str(mine)), TrialSettings(str(mine), out=tmp_path / "out")
    case = prepare_case(settings, target, None, PORTFOLIO_1, (), (), load_target("softmax-mnist"))
    assert not case.arsenal(0).left_out
    samples = read_samples(mine)
    guard = fit_score("margin", target.judge(from_levels(samples.images)), samples.classes)
    assert samples_folder(Guarded(target, guard)) == mine
    assert samples_folder(make_tiny_target()) is None


def test_without_a_gradient_there_is_no_white_box_and_no_settled_number(tmp_path):
    net = make_tiny_target().module
    declared = Declaration(shape=(1, 6, 6), labels=TINY_LABELS)
    blind = from_object(lambda images: net(torch.as_tensor(images)).detach().numpy(), declared)
    found = judged(tmp_path, blind)
    assert len(found.runs[0].searches) == 2  # squares, two seeds
    assert any(said.startswith("no white-box attack could be tried") for said in found.judgement.unsettled)
    assert found.judgement.verdict == "undecided"


def test_nothing_to_try_is_refused(tmp_path):
    with pytest.raises(BadInput, match="an attack that this target can be tried with"):
        judged(tmp_path, portfolio=Portfolio("p", 1, (Attack("pixels", "ascend", "hide", 9, "white-box"),), 1))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(("more", "words"), [
    ({"trials_per_class": 0}, "--trials-per-class"),
    ({"settings": TrialSettings("t", level=0.7, out=Path())}, "--level"),
    ({"settings": TrialSettings("t", classes=("x",), out=Path())}, "--classes: expected one of north, .*; got 'x'"),
    ({"models": ["lenet-mnist"]}, r"lenet-mnist: 10 classes 0, 1, 2, \.\.\. in \(1, 28, 28\)"),
    ({"settings": TrialSettings("t", undefended="lenet-mnist", out=Path())}, "--undefended: expected a network"),
])  # fmt: skip
def test_what_is_unusable_is_refused_before_anything_is_written(tmp_path, more, words):
    with pytest.raises(BadInput, match=words):
        judged(tmp_path, **more)
    assert not (tmp_path / "out").exists()


def patterns_of(target, folder, turned=False):
    """A folder of natural images for the tiny network: the pattern of each class, or its negative."""
    images, classes = trusted(4)
    for i, (levels, column) in enumerate(zip(255 - images if turned else images, classes.tolist(), strict=True)):
        part = folder / target.labels[column]
        part.mkdir(parents=True, exist_ok=True)
        TINY_SPEC.write(part / f"{i}.png", levels, "")
    return folder


def matching(images):
    """Reads a tiny image as the class whose pattern it goes with, and nothing in what goes with none."""
    weight = make_tiny_target().module[1].weight.detach()
    patterns = (weight > weight.mean(0)).double().flatten(1)
    rows = [values - values.mean(1, keepdim=True) for values in (patterns, images.double().flatten(1))]
    pattern, image = (row / row.square().sum(1, keepdim=True).clamp(min=1e-9).sqrt() for row in rows)
    return image @ pattern.T - 0.75


MATCHING = (Saying("match", matching, frozenset({"function:a"})), Saying("also", matching, frozenset({"function:b"})))


def test_readers_that_do_not_read_natural_images_are_not_believed(tmp_path):
    settings = TrialSettings("tiny-0", images=patterns_of(make_tiny_target(), tmp_path / "real"), out=Path())
    found = judged(tmp_path / "a", portfolio=WHITE, readers=MATCHING, settings=settings)
    assert isinstance(found.judgement.measured, Measured)
    blind = judged(tmp_path / "b", portfolio=WHITE, settings=settings).judgement
    why = "the readers do not read this target's own natural images (0 of 16 by blind)"
    assert (str(blind.measured), blind.verdict) == (f"not measured: {why}", "not measured")
    turned = replace(settings, images=patterns_of(make_tiny_target(), tmp_path / "turned", turned=True))
    case = prepare_case(turned, make_tiny_target(), None, WHITE, (), MATCHING)
    assert case.unread == "the readers do not read this target's own natural images (0 of 16 by match)"


def test_the_readers_for_digits_say_nothing_of_a_network_for_inverted_digits():
    digits = load_target("lenet-mnist")
    inverted = nn.Sequential(Inverted(), digits.module).eval()
    target = TorchTarget("inverted", inverted, digits.spec, digits.labels)
    readers = readers_of("", target)
    assert len(readers) == 4
    said = why_unsuited(readers, target, None, chosen=False)
    assert said.startswith("there are no labelled natural images of this target")


class Inverted(nn.Module):
    def forward(self, images):
        return 1.0 - images


def abstaining():
    """The tiny network with an output for none of these before the others."""
    net = nn.Sequential(nn.Flatten(), nn.Linear(36, 5)).eval().requires_grad_(False)
    tiny = make_tiny_target().module[1]
    net[1].weight.copy_(torch.cat([torch.zeros(1, 36), tiny.weight]))
    net[1].bias.copy_(torch.cat([torch.zeros(1), tiny.bias]))
    labels = ("nothing", *TINY_LABELS)
    declared = Declaration(preprocessing=PLAIN, labels=labels, abstain="nothing")
    return TorchTarget("abstaining", net, TINY_SPEC, labels, declared=declared)


def test_images_are_transferred_by_the_names_of_classes(tmp_path):
    attack = Attack("pixels", "squares", "random-squares", 0, "transfer", ("transferred",))
    settings = TrialSettings("abstaining", out=tmp_path / "out")
    case = prepare_case(settings, abstaining(), None, Portfolio("p", 1, (attack,), 1), (), BLIND, make_tiny_target())
    assert str(run_case(case).judgement.measured.open) == "4 of 4"


def test_a_class_for_none_of_these_is_not_attempted_and_readers_need_not_know_it(tmp_path):
    target = abstaining()
    images, classes = trusted()
    images = torch.cat([255 - images[:40], images])
    classes = torch.cat([torch.zeros(40, dtype=torch.int64), classes + 1])
    guard = fit_neighbours(images, classes, 5, false_alarms=0.05, data="patterns")
    for place, more in (("bare", {}), ("guarded", {"guard": guard})):
        found = judged(tmp_path / place, target, portfolio=WHITE, **more)
        assert [juror.excluded for juror in found.jurors] == ["", ""]
        assert {row.label for row in found.runs[0].classes} == set(TINY_LABELS)
        assert found.judgement.trials == 4
        assert isinstance(found.judgement.measured, Measured)


# Planted defences


class Masking(nn.Module):
    """A network whose answers are right and whose gradients lie."""

    def __init__(self, net, kind):
        super().__init__()
        self.net, self.kind = net, kind

    def forward(self, images):
        answers = self.net(images)
        if self.kind == "zero":
            return answers.detach() + 0.0 * images.sum()
        pull = -(images - 0.5).square().flatten(1).sum(1, keepdim=True)  # every slope leads to an even grey
        return answers.detach() + pull * (1.0 + torch.arange(4)) - (pull * (1.0 + torch.arange(4))).detach()


def masking(kind):
    tiny = make_tiny_target()
    net = Masking(tiny.module, kind)
    net.training = False
    return TorchTarget(f"masking-{kind}", net, TINY_SPEC, TINY_LABELS)


@pytest.mark.parametrize("kind", ["zero", "wrong"])
def test_masked_gradients_fall_to_squares_and_are_suspected(tmp_path, kind):
    told = judged(tmp_path, masking(kind)).judgement
    assert told.measured.open.high.count == 8  # what only asks gets through
    said = [reason for reason in told.unsettled if reason.startswith("masked gradients suspected: black-box attacks")]
    assert len(said) == 1
    assert told.verdict == "undecided"
    flat = [reason for reason in told.unsettled if "slope is exactly 0" in reason]
    assert len(flat) == (kind == "zero")


def test_what_was_not_tried_settles_nothing_while_trials_are_left(tmp_path):
    three = TrialSettings("masking", budget_scale=3, out=Path())
    told = judged(tmp_path / "left", masking("wrong"), portfolio=replace(WHITE, seeds=2), settings=three).judgement
    assert told.measured.open.low.count < 8
    assert told.verdict == "undecided"
    for kind in ("black-box", "transfer"):
        assert f"no {kind} attack was tried: there is none in the portfolio white-1" in told.unsettled
    every = judged(tmp_path / "none-left", portfolio=WHITE, settings=three).judgement
    assert (str(every.measured.open), every.unsettled, every.verdict) == ("4 of 4", (), "settled")


def test_what_only_transfer_gets_through_is_open_and_suspect(tmp_path):
    attacks = (*WHITE.attacks, Attack("pixels", "squares", "random-squares", 1, "black-box", ("grey",)),
               Attack("pixels", "squares", "random-squares", 0, "transfer", ("transferred",)))  # fmt: skip
    portfolio, settings = Portfolio("p", 1, attacks, 1), TrialSettings("masking-zero", out=tmp_path / "with")
    case = prepare_case(settings, masking("zero"), None, portfolio, (), BLIND, make_tiny_target())
    told = run_case(case).judgement
    assert {(cell.attack, cell.open.high.count) for cell in told.measured.cells} == {
        ("pixels-ascend:sign-momentum", 0), ("pixels-squares:random-squares", 0), ("pixels-squares:transfer", 4),
    }  # fmt: skip
    assert told.unsettled[-1].startswith("masked gradients suspected: transfer attacks reached 4 of 4 trials")
    alone = judged(tmp_path / "without", masking("zero"), portfolio=portfolio).judgement
    assert str(alone.measured.open) == "0 of 4"
    assert any(reason.startswith("no transfer attack could be tried: ") for reason in alone.unsettled)


def trusted(each=40):
    """What the tiny network's guards are fitted on: a pattern for each class, with noise over it."""
    weight = make_tiny_target().module[1].weight.detach()
    patterns = (weight > weight.mean(0)).float().reshape(4, 1, 6, 6).repeat_interleave(each, 0)
    noise = Stream(0, "test/trusted", 0).uniform32(*patterns.shape)
    return to_levels(0.2 + 0.4 * patterns + 0.3 * noise), torch.arange(4).repeat_interleave(each)


def soft_guard():
    images, classes = trusted()
    return fit_neighbours(images, classes, 4, false_alarms=0.05, data="patterns")


@dataclass(frozen=True, eq=False)
class Hard:
    """A guard that says nothing of use where it refuses."""

    inner: object
    value: float
    name: str = "hard"
    needs: frozenset = frozenset({"inputs"})
    uses: frozenset = frozenset({"function:hard"})

    def slack(self, outputs, inputs):
        slack = self.inner.slack(outputs, inputs)
        return torch.where(slack >= 0, slack, torch.full_like(slack, self.value))

    def fingerprint(self):
        return f"hard-{self.value}"


@dataclass(frozen=True, eq=False)
class Useless:
    """A guard of any function, with a slope, that is worth nothing."""

    name: str
    function: object
    needs: frozenset = frozenset({"inputs"})
    uses: frozenset = frozenset({"function:useless"})

    def slack(self, outputs, inputs):
        del outputs
        return self.function(inputs).to(torch.float64)[:, None].expand(len(inputs), 4)

    def fingerprint(self):
        return self.name


def old_images(found):
    """What a judgement kept: the images that a defence made after it may have been shown."""
    kept = [item.levels for record in open_run(found.runs[0].folder).classes for item in record.kept()]
    return from_levels(torch.stack(kept))


def test_a_guard_that_accepts_everything_is_exposed(tmp_path):
    useless = Useless("yes", lambda x: 1.0 + x.mean((1, 2, 3)))
    told = judged(tmp_path, guard=useless, portfolio=ONCE).judgement
    assert str(told.measured.open) == "4 of 4"  # as without it
    assert (told.verdict, told.unsettled) == ("settled", ())


def test_a_guard_that_only_knows_old_attacks_looks_perfect_on_them_and_is_exposed(tmp_path):
    old, natural = old_images(judged(tmp_path / "bare", portfolio=ONCE)), from_levels(trusted()[0])

    def near(images):
        return (centred(images) @ centred(old).T).amax(1)

    useless = Useless("old", lambda x: 0.95 - near(x))
    with torch.inference_mode():
        slack = [useless.slack(None, images)[:, 0] for images in (natural, old)]
    assert auroc(*slack) == 1.0
    assert bool((slack[0] >= 0.0).all() and (slack[1] < 0.0).all())  # as a table of old images would have it
    told = judged(tmp_path / "old", guard=useless, portfolio=ONCE).judgement
    assert str(told.measured.open) == "4 of 4"
    assert told.verdict == "settled"


def test_a_guard_that_refuses_everything_opens_nothing_and_is_exposed_by_what_it_accepts(tmp_path):
    useless = Useless("no", lambda x: x.mean((1, 2, 3)) - 3.0)
    told = judged(tmp_path, guard=useless, portfolio=ONCE).judgement
    assert (told.confident.count, str(told.measured.open)) == (0, "0 of 4")
    found = measure(useless, make_tiny_target(), Split(*trusted()))
    assert found.accuracy.count > 0
    assert found.coverage.count == found.accepted_and_correct.count == 0  # as every row of the league says beside it


@pytest.mark.parametrize("value", [-torch.inf, -1.0])
def test_a_hard_gate_is_exposed_and_the_same_gate_with_a_slope_is_not(tmp_path, value):
    told = judged(tmp_path / "hard", guard=Hard(soft_guard(), value)).judgement
    assert any(reason.startswith("hard gate:") for reason in told.unsettled)
    assert told.verdict == "undecided"
    soft = judged(tmp_path / "soft", guard=soft_guard()).judgement
    assert not any("hard gate" in reason for reason in soft.unsettled)
    assert soft.confident.count > told.confident.count  # what looks safest is what cannot be climbed


@dataclass(frozen=True, eq=False)
class Mirror:
    """A guard's own function as a reader."""

    guard: object
    uses: frozenset
    name: str = "mirror"
    labels: tuple = TINY_LABELS
    shape: tuple = TINY_SPEC.shape

    def scores(self, images):
        return 3.0 * self.guard.nearest(images) - 2.9

    def fingerprint(self):
        return self.guard.fingerprint()


@pytest.mark.parametrize("honest", [True, False])
def test_a_guard_that_is_its_own_reader_is_not_measured(tmp_path, honest):
    guard = soft_guard()
    mirror = Mirror(guard, guard.uses if honest else frozenset({"function:another", "data:others"}))
    found = judged(tmp_path, guard=guard, readers=[BLIND[0], mirror])
    assert isinstance(found.judgement.measured, NotMeasured)
    assert found.judgement.verdict == "not measured"
    why = found.jurors[1].excluded
    assert (
        ("shares data:patterns, features:contrast-normalised-pixels, function:nearest-neighbour" in why)
        if honest
        else ("into the same order" in why)
    )
    assert "1 independent reader, where 2 are needed" in str(found.judgement.measured)
    stored = json.loads((tmp_path / "out" / "judgement.json").read_text())
    assert stored["open_trials"] == {"not_measured": "1 independent reader, where 2 are needed"}


def test_a_guard_may_share_nothing_with_its_readers_and_its_data_counts(tmp_path):
    guard = soft_guard()
    readers = [replace(BLIND[0], uses=frozenset({"function:a", "data:patterns"})), BLIND[1]]
    found = judged(tmp_path, guard=guard, readers=readers)
    assert found.jurors[0].excluded == "shares data:patterns with the guard neighbours"
    assert isinstance(found.judgement.measured, NotMeasured)


def test_a_guard_that_came_with_the_target_counts_as_much(tmp_path):
    guard = soft_guard()
    guarded = Guarded(make_tiny_target(), guard)
    found = judged(tmp_path, guarded, readers=[BLIND[0], Mirror(guard, guard.uses)])
    assert found.jurors[1].excluded
    assert found.judgement.verdict == "not measured"
    (noted,) = found.runs[0].about.target["guards"]
    assert noted == {"name": "neighbours", "uses": sorted(guard.uses), "fingerprint": guard.fingerprint()}


def test_a_reader_that_always_says_yes_does_not_count(tmp_path):
    yes = Saying("yes", always, frozenset({"function:yes"}))
    found = judged(tmp_path, readers=[*BLIND, yes])
    assert [bool(juror.excluded) for juror in found.jurors] == [False, False, True]
    assert found.jurors[2].excluded == "reads 300 of 300 images of nothing"
    assert str(found.judgement.measured.open) == "8 of 8"  # as if it had not been there
    alone = judged(tmp_path / "alone", readers=[BLIND[0], yes])
    assert isinstance(alone.judgement.measured, NotMeasured)


def test_what_hide_evades_does_not_judge(tmp_path):
    evaded = Saying("evaded", never, frozenset({"function:hide-nearest-sample"}))
    found = judged(tmp_path, readers=[evaded, BLIND[0]])
    assert "hide" in found.jurors[0].excluded
    assert found.judgement.verdict == "not measured"


def test_a_reader_of_another_data_set_is_refused(tmp_path):
    with pytest.raises(BadInput, match="a reader of 4 classes"):
        judged(tmp_path, readers=[*BLIND, replace(BLIND[0], labels=("0", "1", "2", "3"))])
    with pytest.raises(BadInput, match=r"in \(1, 6, 6\)"):
        judged(tmp_path, readers=[replace(BLIND[0], shape=(1, 28, 28))])


def test_no_readers_measure_nothing_and_the_confident_share_stands(tmp_path):
    found = judged(tmp_path, readers=[])
    assert str(found.judgement.measured) == "not measured: 0 independent readers, where 2 are needed"
    assert found.judgement.confident.count == 8


# On digits


@pytest.fixture(scope="module")
def screened(tmp_path_factory):
    """The screen on the paper's LeNet behind a guard that looks at confidence, three digits."""
    target = load_target("lenet-mnist")
    samples = read_samples(bundled_targets()["lenet-mnist"])
    guard = fit_score("margin", target.judge(from_levels(samples.images)), samples.classes, data="samples")
    folder = tmp_path_factory.mktemp("screen")
    shutil.copytree(SHIPPED / "mnist", folder / "own", ignore=shutil.ignore_patterns("kde", "parts"))
    settings = TrialSettings("lenet-mnist", classes=("0", "3", "8"), readers=str(folder / "own"), out=Path())
    return judge(target, guard, SCREEN_1, out=folder / "out", settings=settings)


def test_the_screen_opens_every_trial_of_a_guard_on_confidence(screened):
    assert str(screened.judgement.measured.open) == "3 of 3"
    assert screened.judgement.unsettled == ()
    assert screened.judgement.measured.readers == ("vae", "nearest")
    assert dict(screened.left_out["lenet-mnist behind margin"]) == {}
    assert len(screened.runs[0].searches) == len(SCREEN_1.kinds) == 12


def test_what_is_recorded_is_what_is_counted_again(screened):
    settings = TrialSettings("lenet-mnist", classes=("0", "3", "8"), out=screened.folder)
    assert judge_runs([open_run(screened.runs[0].folder)], settings, SCREEN_1) == screened.judgement


def test_the_command_writes_a_judgement(tmp_path, capsys):
    words = ["judge", "lenet-mnist", "--portfolio", "screen", "--classes", "3", "--out", str(tmp_path / "j"), "--quiet"]
    assert main(words) == 0
    said = capsys.readouterr().out
    assert "portfolio  screen-1, 12 searches" in said
    assert "confident  1 of 1 trials reached 99 %" in said
    stored = json.loads((tmp_path / "j" / "judgement.json").read_text())
    assert stored["trials"] == 1
    assert [reader["name"] for reader in stored["readers"] if reader["counts"]] == ["kde", "vae", "nearest", "parts"]
    assert stored["open_trials"]["open"]["high"]["count"] == 1
    assert stored["open_trials"]["words"] == "1 of 1"
    assert main([*words, "--resume", "--json"]) == 0
    assert json.loads(capsys.readouterr().out) == stored
    assert main([*words, "--resume", "--seed", "3"]) == 2
