"""Gradient ascent: the slope is right, the rules are the paper's, a turn can be broken off anywhere, and it climbs."""

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy
import pytest
import torch
from arena import (
    LEVELS,
    SURE,
    Wrapped,
    assert_resumes_anywhere,
    assert_run_resumes,
    contest_on,
    curved,
    finish,
    group_plan,
    noise,
)
from torch import Tensor

import trompe
from trompe.core.errors import BadInput, TargetError
from trompe.core.numerics import class_log_odds, level_odds, log_odds, quantise
from trompe.core.seeds import Stream
from trompe.core.types import Outputs
from trompe.search import RULES, STARTS, Archive, Judge, JudgeSettings, Plan, ascend, regularisers, scatter, squares
from trompe.search.rules import Ground, Progress, SignMomentum
from trompe.search.starts import centre_image, start_images
from trompe.settings import FoolSettings
from trompe.targets import load_target
from trompe.verbs.methods import make_plan, make_search, resolve

BUNDLED = ("lenet-mnist", "lenet-mnist-b", "mlp-mnist", "softmax-mnist", "lenet-fashion")


# The slope


def test_class_log_odds_is_the_column_of_log_odds() -> None:
    logits, classes = 200.0 * noise(50, 7) - 100.0, torch.arange(50) % 7
    for link in ("softmax", "independent"):
        wanted = log_odds(logits, link)[torch.arange(50), classes]
        torch.testing.assert_close(class_log_odds(logits, classes, link), wanted, rtol=0.0, atol=1e-11)


@pytest.mark.parametrize("margin", [-2000.0, -800.0, 0.0, 17.0, 800.0, 2000.0])
def test_its_gradient_is_one_up_and_one_down_at_any_margin(margin: float) -> None:
    logits = torch.tensor([[margin, 0.0, -1e6]], requires_grad=True)
    (gradient,) = torch.autograd.grad(class_log_odds(logits, torch.tensor([0])).sum(), logits)
    assert gradient.tolist() == [[1.0, -1.0, 0.0]]


def test_the_slope_is_that_of_finite_differences() -> None:
    target, classes, reach = curved(3, 4, 5), torch.tensor([2, 0, 3]), 2.0**-10
    images = (0.1 + 0.8 * noise(3, 3, 4, 5)).float()

    def height(outputs: Outputs) -> Tensor:
        return class_log_odds(outputs.logits, classes)

    slope = Judge(target, JudgeSettings(4)).slope(images, height)
    for place in range(60):
        nudge = torch.zeros(60)
        nudge[place] = reach
        nudge = nudge.reshape(3, 4, 5)
        above, below = images + nudge, images - nudge
        rise = height(target.judge(above)) - height(target.judge(below))
        run = (above - below).double().flatten(1)[:, place]
        torch.testing.assert_close(slope.gradient.double().flatten(1)[:, place], rise / run, rtol=1e-3, atol=1e-3)


@dataclass(frozen=True)
class Watched(SignMomentum):
    """Remembers the ground it was given."""

    seen: tuple[list[Ground], ...] = ([],)

    def move(self, numbers: Tensor, memory: Tensor, ground: Ground) -> tuple[Tensor, Tensor]:
        self.seen[0].append(ground)
        return super().move(numbers, memory, ground)


def test_the_slope_is_taken_at_the_image_on_the_grid() -> None:
    target, rule = curved(), Watched(seen=([],), step=0.003)
    contest = contest_on(target, 4)
    archive: Archive[Any] = Archive(4, LEVELS)
    steps = ascend(contest, archive, group_plan(target, 4, generations=3, goal=torch.inf), rule=rule)
    for step, ground in zip(steps, rule.seen[0], strict=False):
        if step.number == 0:
            continue
        # With every class open, the candidates of a step are the classes in order; winners carry their genes.
        genomes, rows = step.wins.winners.genomes, step.wins.winners.ids - (step.evaluations - 4)
        for images, same in ((contest.encoding.express(genomes), True), (genomes.genes.reshape(-1, 1, 6, 6), False)):
            leaf = images.clone().requires_grad_()
            height = class_log_odds(target.judge(leaf).logits, rows)
            (gradient,) = torch.autograd.grad(height.sum(), leaf)
            close = torch.allclose(gradient.flatten(1), ground.gradient[rows], rtol=1e-5, atol=1e-6)
            assert close == same
    assert len(rule.seen[0]) == 4


def test_a_turn_is_the_plain_loop() -> None:
    target, contest = Wrapped(curved()), contest_on(curved(), 4)
    search = partial(ascend, rule=SignMomentum(step=0.07))  # no multiple of it lies halfway between two levels
    finish(search, contest_on(target, 4), group_plan(target, 4, generations=6, goal=torch.inf))
    at = contest.encoding.random(4, Stream(0, "ascend/pixels", 0)).genes.double().numpy().reshape(4, 1, 6, 6)
    speed = numpy.zeros_like(at)
    for asked in target.asked:
        shown = (numpy.round(255.0 * at) / 255.0).astype(numpy.float32)
        numpy.testing.assert_array_equal(asked.numpy(), shown)
        leaf = torch.from_numpy(shown).requires_grad_()
        heights = log_odds(curved().judge(leaf).logits).diagonal()
        slope = torch.autograd.grad(heights.sum(), leaf)[0].double().numpy()
        speed = 0.75 * speed + slope / abs(slope).mean((1, 2, 3), keepdims=True)
        at = numpy.clip(at + 0.07 * numpy.sign(speed), 0.0, 1.0)
    assert len(target.asked) == 7


@pytest.mark.parametrize("name", BUNDLED)
def test_answers_with_a_gradient_have_the_bits_of_answers_without(name: str) -> None:
    target = load_target(name)
    for batch in (1, 4, 7, 10):
        images = quantise(noise(10, 1, 28, 28, seed=batch).float())
        judge = Judge(target, JudgeSettings(batch))
        slope = judge.slope(images, lambda outputs: outputs.logits.double().sum(1))
        assert torch.equal(slope.outputs.logits, judge.judge(images).logits)
        assert not slope.outputs.logits.requires_grad


def test_a_slope_can_be_asked_for_in_inference_mode_and_leaves_the_images_alone() -> None:
    target, images = curved(), quantise(noise(2, 1, 6, 6).float())
    before = images.clone()
    with torch.inference_mode():
        inner = images.clone()
        slope = Judge(target, JudgeSettings(2)).slope(inner, lambda outputs: outputs.logits.sum(1))
    assert torch.equal(images, before)
    assert not images.requires_grad
    assert bool((slope.gradient != 0).any())


# The paper's rule


def test_the_presets_have_the_papers_numbers() -> None:
    shared = {"start": "mean", "max_rate": 1e7, "blur_every": 1, "late": 0.05, "early": 0.03, "decay": 0.001,
              "blur_radius": 0.0, "norm_percentile": 0.0, "benefit_percentile": 0.0}  # fmt: skip
    wanted = {
        "nguyen-unregularised": {"generations": 500, "decay": 0.0, "early": 0.02, "late": 0.1},
        "nguyen-l2": {"generations": 1500, "decay": 0.01, "late": 0.02},
        "nguyen-blur": {"generations": 1000, "blur_radius": 0.4, "blur_every": 2},
        "nguyen-sparse": {"generations": 1500, "blur_radius": 0.3, "norm_percentile": 20.0, "benefit_percentile": 20.0},
    }
    assert {name: vars(rule) for name, rule in RULES.items() if isinstance(rule, Progress)} == {
        name: shared | numbers for name, numbers in wanted.items()
    }
    assert next(iter(RULES)) == "sign-momentum"


def oracle_blur(image: Any, radius: float) -> Any:
    """SciPy's gaussian_filter on one channel, pixel by pixel."""
    half = int(4.0 * radius + 0.5)
    height, width = image.shape
    weight = {d: float(numpy.exp(-(d * d) / (2.0 * radius * radius))) for d in range(-half, half + 1)}
    total = sum(weight.values())
    padded, out = numpy.pad(image, half, mode="symmetric"), numpy.zeros_like(image)
    for y in range(height):
        for x in range(width):
            out[y, x] = sum(
                weight[a] * weight[b] * padded[y + half + a, x + half + b] for a in weight for b in weight
            ) / (total * total)
    return out


@pytest.mark.parametrize("radius", [0.3, 0.4, 1.0, 2.5])
def test_blur_against_a_loop(radius: float) -> None:
    images = 2.0 * noise(2, 3, 5, 7) - 1.0
    wanted = [[oracle_blur(channel, radius) for channel in image] for image in images.numpy()]
    numpy.testing.assert_allclose(regularisers.blur(images, radius).numpy(), numpy.array(wanted), rtol=0, atol=1e-12)


def test_decay_against_numpy() -> None:
    images = 2.0 * noise(2, 3, 5, 7) - 1.0
    numpy.testing.assert_array_equal(regularisers.decay(images, 0.01).numpy(), images.numpy() * (1 - 0.01))


@pytest.mark.parametrize("percentile", [0.0, 10.0, 20.0, 50.0, 90.0, 100.0])
@pytest.mark.parametrize("shape", [(2, 3, 5, 7), (3, 1, 4, 4), (1, 2, 1, 1)])
def test_clipping_against_numpy(percentile: float, shape: tuple[int, ...]) -> None:
    images, slope = 2.0 * noise(*shape) - 1.0, 2.0 * noise(*shape, seed=1) - 1.0
    for i, (image, grade) in enumerate(zip(images.numpy(), slope.numpy(), strict=True)):
        for measure, got in (
            (numpy.linalg.norm(image, axis=0), regularisers.clip_small_norm(images, percentile)),
            (abs((grade * -image).sum(0)), regularisers.clip_small_benefit(images, slope, percentile)),
        ):
            small = measure < numpy.percentile(measure, percentile)
            numpy.testing.assert_array_equal(got[i].numpy(), image - image * small[None])


def oracle_progress(rule: Progress, image: Any, slope: Any, height: float, step: int, centre: Any) -> Any:
    """One step of the released code, in its own units: 0 .. 255, mean subtracted."""
    x, g = 255.0 * (image - centre), slope / 255.0
    desired = min(rule.early, rule.late * (1 - height))
    x = x + min(rule.max_rate, desired / numpy.linalg.norm(g) ** 2) * g
    x = x * (1 - rule.decay)
    if rule.blur_radius > 0 and step % rule.blur_every == 0:
        x = numpy.array([oracle_blur(channel, rule.blur_radius) for channel in x])
    if rule.norm_percentile > 0:
        size = numpy.linalg.norm(x, axis=0)
        x = x - x * (size < numpy.percentile(size, rule.norm_percentile))
    if rule.benefit_percentile > 0:
        benefit = abs((g * -x).sum(0))
        x = x - x * (benefit < numpy.percentile(benefit, rule.benefit_percentile))
    return x / 255.0 + centre


@pytest.mark.parametrize("name", [name for name in RULES if name.startswith("nguyen")])
@pytest.mark.parametrize("step", [0, 1])
def test_a_step_of_each_preset_against_the_released_code(name: str, step: int) -> None:
    rule, centre = RULES[name], noise(3, 5, 7, seed=3).float()
    images, slope = noise(4, 3, 5, 7).float(), (2.0 * noise(4, 3, 5, 7, seed=1) - 1.0).float()
    slope[3] *= 1e-7  # here the largest rate is met
    height = torch.tensor([0.1, 0.97, -0.4, 0.5], dtype=torch.float64)
    flat = images.reshape(4, -1)
    memory = torch.zeros_like(flat).unsqueeze(1)
    got, memory = rule.move(flat, memory, Ground(slope.reshape(4, -1), height, step, centre))
    for i in range(4):
        wanted = oracle_progress(
            rule, images[i].double().numpy(), slope[i].double().numpy(), height[i].item(), step, centre.double().numpy()
        )
        numpy.testing.assert_allclose(got[i].reshape(3, 5, 7).numpy(), wanted, rtol=1e-6, atol=1e-6)
    assert not memory.any()


def test_sign_momentum_against_numpy() -> None:
    """From the second step on a step is a half of the first, from the fourth on a third."""
    rule, at, momentum = SignMomentum(step=0.1, momentum=0.75, patience=2), noise(3, 8).float(), torch.zeros(3, 1, 8)
    place, speed = at.numpy().astype(float), numpy.zeros((3, 8))
    for k in range(5):
        gradient = (1e-3 * 10.0**k * (noise(3, 8, seed=k) - 0.5)).float()
        ground = Ground(gradient, torch.zeros(3, dtype=torch.float64), k, torch.zeros(1, 2, 4))
        at, momentum = rule.move(at, momentum, ground)
        g = gradient.numpy().astype(float)
        speed = 0.75 * speed + g / abs(g).mean(1, keepdims=True)
        place = place + [0.1, 0.1, 0.05, 0.05, 0.1 / 3][k] * numpy.sign(speed)
        numpy.testing.assert_allclose(at.numpy(), place, atol=1e-5)


def test_what_is_climbed_is_the_probability_or_the_log_odds_and_slack_where_refused() -> None:
    logits, classes = 6.0 * noise(4, 3) - 3.0, torch.tensor([0, 1, 2, 0])
    slack = torch.tensor([[0.0, 9, 9], [9, -0.5, 9], [9, 9, 2.0], [-3.0, 9, 9]], requires_grad=True)
    odds = log_odds(logits)[torch.arange(4), classes]
    plain, paper = RULES["sign-momentum"], RULES["nguyen-l2"]
    torch.testing.assert_close(plain.height(Outputs(logits), classes, "softmax"), odds)
    torch.testing.assert_close(paper.height(Outputs(logits), classes, "softmax"), odds.sigmoid())
    wanted = torch.stack([odds[0], torch.tensor(-0.5).double(), odds[2], torch.tensor(-3.0).double()])
    logits.requires_grad_()
    height = plain.height(Outputs(logits, slack), classes, "softmax")
    torch.testing.assert_close(height.detach(), wanted)
    by_logits, by_slack = torch.autograd.grad(height.sum(), (logits, slack))
    assert by_slack.tolist() == [[0, 0, 0], [0, 1, 0], [0, 0, 0], [1, 0, 0]]
    assert by_logits.abs().sum(1).gt(0).tolist() == [True, False, True, False]


# Starts


def test_starts_are_what_they_are_called() -> None:
    centre, stream = 0.2 + 0.5 * noise(3, 30, 40).float(), Stream(1, "test/starts", 0)
    images = {start: start_images(start, centre, 20, stream) for start in STARTS}  # type: ignore[arg-type]
    for batch in images.values():
        assert batch.shape == (20, 3, 30, 40)
        assert batch.min() >= 0.0
        assert batch.max() <= 1.0
        assert not torch.equal(batch[0], batch[1])
    for start, plain in (("mean", centre), ("grey", torch.full_like(centre, 0.5))):
        gap = 255.0 * (images[start] - plain).double()
        assert abs(gap.std().item() - 1.0) < 0.01
        assert abs(gap.mean().item()) < 0.02
    assert images["black"].max() < 7 / 255
    assert abs((images["black"] == 0).double().mean().item() - 0.5) < 0.01
    assert abs(images["uniform"].mean().item() - 0.5) < 0.01
    # Neighbours differ about 28 / 7 times less than those of noise.
    rough = {start: images[start].diff(dim=3).abs().mean().item() for start in ("uniform", "low-frequency")}
    assert 0.0 < rough["low-frequency"] < rough["uniform"] / 4


def test_the_mean_is_the_training_mean_where_it_is_known_and_grey_elsewhere() -> None:
    target = load_target("lenet-mnist")
    mean = centre_image(target)
    assert 0.125 < mean.mean().item() < 0.135  # 0.1307 in the literature
    assert centre_image(Wrapped(curved())).unique().tolist() == [0.5]  # type: ignore[arg-type]


# The search


@pytest.mark.slow
def test_a_search_stopped_after_any_step_goes_on_to_the_same_bits() -> None:
    target = curved(1, 5, 7, classes=7)
    search, plan = partial(ascend, rule=SignMomentum(step=0.02)), group_plan(target, 3, goal=8.0)
    assert assert_resumes_anywhere(search, contest_on(target, 3), plan) > 15
    _, steps = finish(search, contest_on(target, 3), plan)
    tried = [step.state["tried"] for step in steps]
    assert any(0 < row.min() < row.max() for row in tried)  # some classes were left behind in the middle of a turn
    assert int(steps[-1].state["group"]) >= 1


@pytest.mark.parametrize("name", ["nguyen-unregularised", "nguyen-sparse"])
def test_so_does_one_by_the_papers_rules(name: str) -> None:
    target = curved(3, 4, 4, classes=3)
    rule = replace(RULES[name], max_rate=1e4)
    plan = group_plan(target, 2, generations=7, goal=2.0, budget=25)
    assert assert_resumes_anywhere(partial(ascend, rule=rule), contest_on(target, 2), plan) > 10


def test_a_run_taken_up_in_the_middle_of_a_turn_equals_the_uninterrupted_one(tmp_path: Path) -> None:
    assert_run_resumes({"by": "ascend", "batch": 4, "seed": 3}, (1, 3, 6, 9), tmp_path)


def test_every_row_and_every_gradient_is_counted() -> None:
    target = Wrapped(curved(classes=5))
    _, steps = finish(ascend, contest_on(target, 3), group_plan(target, 3, generations=4, goal=torch.inf))
    last = steps[-1]
    assert len(steps) == 2 * 5
    assert last.evaluations == last.backwards == 5 * 3 + 5 * 2
    assert last.forwards == target.sent == 10 * 3  # the second group's two classes are padded to three
    assert [step.number for step in steps] == list(range(10))


@pytest.mark.parametrize("budget", [1, 2, 3, 4, 17])
def test_the_budget_is_kept_to_the_last_look(budget: int) -> None:
    target = curved(classes=5)
    plan = group_plan(target, 3, generations=9, goal=torch.inf, budget=budget)
    _, steps = finish(ascend, contest_on(target, 3), plan)
    assert steps[-1].evaluations == budget
    assert plan.ended_by(steps[-1].number, budget) == "budget"


def test_classes_at_the_goal_are_left_alone() -> None:
    target = curved(classes=4)
    archive, steps = finish(ascend, contest_on(target, 4), group_plan(target, 4, goal=4.0))
    assert bool((archive.elites.value >= 4.0).all())
    made = numpy.diff([0, *(step.evaluations for step in steps)])
    open_before = [4] + [4 - sum(v >= 4.0 for v in _values(steps[: i + 1], 4)) for i in range(len(steps) - 1)]
    assert made.tolist() == open_before
    assert [step.backwards for step in steps] == [step.evaluations for step in steps]
    assert made[-1] < 4


def _values(steps: list[Any], classes: int) -> list[float]:
    value = [-numpy.inf] * classes
    for step in steps:
        for niche, new in zip(step.wins.niche.tolist(), step.wins.value.tolist(), strict=True):
            value[niche] = new
    return value


def test_a_candidate_descends_from_the_one_before_it_of_its_class() -> None:
    target = curved(classes=3)
    _, steps = finish(ascend, contest_on(target, 3), group_plan(target, 3, generations=5, goal=torch.inf))
    seen = 0
    for step in steps:
        for candidate, (parent, mate) in zip(
            step.wins.winners.ids.tolist(), step.wins.winners.parents.tolist(), strict=True
        ):
            assert (parent, mate) == (candidate - 3 if step.number else -1, -1)
            seen += 1
    assert seen > 5


@pytest.mark.parametrize("start", STARTS)
def test_all_ten_digits_are_certain_within_ten_steps_from_every_start(start: str) -> None:
    target, plan = load_target("lenet-mnist"), Plan(0, 10, 10, 10, 10, None, SURE, 1)
    rule = replace(RULES["sign-momentum"], start=start)
    archive, steps = finish(partial(ascend, rule=rule), contest_on(target, 10), plan)
    assert steps[-1].number <= 10
    assert steps[-1].statistics["confident@0.9999"] == 10
    blind, _ = finish(scatter, contest_on(target, 10), Plan(0, 100, 10, 10, 10, budget=steps[-1].evaluations))
    assert bool((archive.elites.value > blind.elites.value).all())


def test_it_makes_progress_from_black_at_every_step() -> None:
    target, rule = load_target("lenet-mnist"), replace(RULES["sign-momentum"], start="black")
    _, steps = finish(
        partial(ascend, rule=rule), contest_on(target, 10), group_plan(target, 10, generations=4, goal=torch.inf)
    )
    rises = numpy.diff([step.statistics["median"] for step in steps])
    assert min(rises) > 0.5


def test_the_papers_rule_reaches_certainty_without_regularisers_and_beats_scatter() -> None:
    target = load_target("lenet-mnist")
    rule = RULES["nguyen-unregularised"]
    archive, steps = finish(
        partial(ascend, rule=rule), contest_on(target, 10), group_plan(target, 10, rule.generations)
    )
    assert median(archive.elites.value.tolist()) >= SURE
    blind, _ = finish(scatter, contest_on(target, 10), Plan(0, 500, 10, 10, 10, budget=steps[-1].evaluations))
    assert bool((archive.elites.value > blind.elites.value).all())


def test_a_guard_that_refuses_everything_at_first_is_climbed() -> None:
    def guard(images: Tensor, outputs: Outputs) -> Outputs:
        # Accepts only what is dark at the left and bright at the right.
        half = images.shape[3] // 2
        slack = (images[..., half:].mean((1, 2, 3)) - images[..., :half].mean((1, 2, 3)) - 0.25).unsqueeze(1)
        return Outputs(outputs.logits, slack.expand(-1, outputs.logits.shape[1]))

    target = Wrapped(curved(1, 8, 8), guard)
    archive, steps = finish(ascend, contest_on(target, 4), group_plan(target, 4, generations=60, goal=level_odds(0.99)))
    assert steps[0].statistics["highest"] < -2000.0  # all refused
    assert bool((archive.elites.value >= level_odds(0.99)).all())
    values = [_values(steps[: i + 1], 4) for i in range(len(steps))]
    assert any(-2100.0 < value < -2000.0 for row in values[1:] for value in row)


def test_a_target_without_a_gradient_is_refused() -> None:
    def cut(images: Tensor, outputs: Outputs) -> Outputs:
        return Outputs(outputs.logits.detach())

    def elsewhere(images: Tensor, outputs: Outputs) -> Outputs:
        return Outputs(outputs.logits.detach() * torch.ones(1, requires_grad=True))

    def broken(images: Tensor, outputs: Outputs) -> Outputs:
        return Outputs(outputs.logits + (images - images).sqrt().sum((1, 2, 3)).unsqueeze(1))

    for change, got in ((cut, "no gradient can be taken"), (elsewhere, "does not reach"), (broken, "not a number")):
        target = Wrapped(curved(), change)
        with pytest.raises(TargetError, match=rf"target wrapped: expected .* gradient through; got .*{got}.*\. Climb"):
            finish(ascend, contest_on(target, 4), group_plan(target, 4))


def test_who_finds_no_slope_gives_up() -> None:
    def level(images: Tensor, outputs: Outputs) -> Outputs:
        return Outputs(0.0 * outputs.logits)

    target = Wrapped(curved(classes=5), level)
    _, steps = finish(ascend, contest_on(target, 2), group_plan(target, 2))
    assert [step.evaluations for step in steps] == [2, 4, 5]  # one look each, group after group


def test_an_encoding_that_cannot_be_moved_is_refused() -> None:
    @dataclass(frozen=True)
    class Rigid:
        name: str = "rigid"

    contest = replace(contest_on(curved(), 4), encoding=Rigid())
    with pytest.raises(BadInput, match=r"--by ascend: expected .* such as pixels; got rigid\. Choose"):
        next(ascend(contest, Archive(4, LEVELS), group_plan(curved(), 4)))


def test_global_randomness_is_left_alone() -> None:
    states = torch.get_rng_state(), numpy.random.get_state()[1].copy()  # noqa: NPY002
    finish(ascend, contest_on(curved(), 4), group_plan(curved(), 4))
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (numpy.random.get_state()[1] == states[1]).all()  # noqa: NPY002


# The wiring


@pytest.mark.parametrize("words", [{}, {"start": "black", "batch": 3}, {"preset": "nguyen-unregularised"}])
def test_fool_by_ascend_is_verified_bit_for_bit(tmp_path: Path, words: dict[str, Any]) -> None:
    run = trompe.fool("lenet-mnist", by="ascend", classes=("1", "4", "7", "8"), out=tmp_path / "run", **words)
    assert run.searches[0].method == "pixels-ascend"
    assert run.confident(0.9999).at_least == 4
    assert run.searches[0].reason == "confidence"
    found = trompe.verify(tmp_path / "run")
    assert found.passed
    assert found.exact
    assert found.largest == 0.0
    assert found.images >= 4 * 2


def test_defaults_of_each_method_and_what_does_not_fit(tmp_path: Path) -> None:
    def settings(**words: Any) -> FoolSettings:
        return FoolSettings("lenet-mnist", out=tmp_path, **words)

    def short(given: FoolSettings) -> tuple[Any, ...]:
        return given.preset, given.start, given.generations, given.population

    assert short(resolve(settings())) == ("paper", None, 200, 200)
    assert short(resolve(settings(by="ascend"))) == ("sign-momentum", "uniform", 30, None)
    assert short(resolve(settings(by="ascend", encoding="cppn"))) == ("adam", "uniform", 300, None)
    assert short(resolve(settings(by="ascend", preset="nguyen-l2"))) == ("nguyen-l2", "mean", 1500, None)
    assert short(resolve(settings(by="squares"))) == ("random-squares", "uniform", 1000, None)
    for given in (settings(), settings(by="ascend"), settings(by="squares", start="grey")):
        assert resolve(resolve(given)) == resolve(given)
    plan = make_plan(settings(by="ascend"), 120)
    assert (plan.batch, plan.groups, plan.last, plan.generation(plan.last)) == (50, 3, 3 * 31 - 1, 3 * 31 - 1)
    assert make_search(settings(by="ascend", start="grey")).keywords["rule"].start == "grey"  # type: ignore[attr-defined]
    for words, message in (
        (
            {"by": "ascend", "preset": "paper"},
            r"--preset of pixels-ascend: expected one of sign-momentum, adam, hide, nguyen-unreg",
        ),
        ({"by": "evolve", "preset": "nguyen-l2"}, "--preset of pixels-evolve: expected one of paper, released-code"),
        (
            {"by": "squares", "preset": "paper"},
            "--preset of pixels-squares: expected one of random-squares, several-squares; got",
        ),
        ({"by": "scatter", "start": "grey"}, "--start: expected no --start with --by scatter; .* ascend and squares"),
        ({"by": "ascend", "population": 10}, "--population: expected no --population with --by ascend; .* evolve and"),
        ({"by": "ascend", "batch": 0}, "--batch: expected a number of at least 1; got 0"),
    ):
        with pytest.raises(BadInput, match=message):
            make_plan(settings(**words), 10)


@pytest.mark.parametrize(
    "search",
    [
        pytest.param(partial(ascend, rule=SignMomentum(step=0.02)), id="ascend"),
        pytest.param(squares, id="squares", marks=pytest.mark.slow),
    ],
)
def test_a_budget_is_shared_out_in_rounds_that_can_be_taken_up_anywhere(search: Any) -> None:
    target = curved(1, 5, 7, classes=7)
    for goal in (8.0, torch.inf):
        plan = group_plan(target, 3, generations=40, goal=goal, budget=60)
        assert assert_resumes_anywhere(search, contest_on(target, 3), plan) > 15
    _, steps = finish(search, contest_on(target, 3), plan)
    assert [int(step.state["ration"]) for step in steps[:-2]] == [60 // 7] * (len(steps) - 2)
    last = steps[-1]
    assert (last.evaluations, int(last.state["group"]), int(last.state["ration"])) == (60, 4, 1)  # the four left over
    assert last.state["spent"].sum() + last.state["tried"].sum() == 60
    assert last.state["spent"].sort().values.tolist() == [8] * 4 + [9] * 3
    assert plan.ended_by(last.number, 60) == "budget"
