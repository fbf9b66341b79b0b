"""The certified guard: what it accepts has a witness, in exact arithmetic, wherever in the space of images it is."""

from fractions import Fraction
from functools import cache

import hypothesis.strategies as st
import pytest
import torch
from hypothesis import given
from small import LABELS, bars
from torch import Tensor, nn

from trompe.core.errors import BadInput
from trompe.core.numerics import from_levels, quantise, to_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.core.types import Outputs
from trompe.guards import CertifiedGuard, coverage, fit_certified, least_readable
from trompe.guards.certified import blurred, lower_cosine
from trompe.targets import TorchTarget
from trompe.testing import examine_guard

DATA = bars()
BOUND = 0.85


@cache
def guard() -> CertifiedGuard:
    return fit_certified(
        DATA.train.images[:120], DATA.train.classes[:120], 3, bound=BOUND, reach=2.0, data="bars-train"
    )


def slack(images: Tensor, of: CertifiedGuard | None = None) -> Tensor:
    return (of or guard()).slack(Outputs(torch.zeros(len(images), 3)), images)


def exactly_blurred(image: Tensor) -> list[Fraction]:
    """The blur by its definition, without rounding."""
    kernel, (height, width) = (1, 4, 6, 4, 1), image.shape[1:]
    value = [[Fraction(float(x)) for x in row] for row in image[0]]

    def at(i: int, j: int) -> Fraction:
        return value[i][j] if 0 <= i < height and 0 <= j < width else Fraction(0)

    return [
        sum(
            (Fraction(kernel[a] * kernel[b], 256) * at(i + a - 2, j + b - 2) for a in range(5) for b in range(5)),
            Fraction(0),
        )
        for i in range(height)
        for j in range(width)
    ]


def exact_parts(one: list[Fraction], other: list[Fraction]) -> tuple[Fraction, Fraction]:
    """Scalar product of two vectors freed of their means, and the product of their squared lengths."""
    means = [sum(v, Fraction(0)) / len(v) for v in (one, other)]
    a, b = ([x - m for x in v] for v, m in zip((one, other), means, strict=True))
    product = sum((x * y for x, y in zip(a, b, strict=True)), Fraction(0))
    return product, sum((x * x for x in a), Fraction(0)) * sum((y * y for y in b), Fraction(0))


def has_witness(image: Tensor, column: int) -> bool:
    """The certificate itself, in exact arithmetic: some trusted image of the class is near enough, by all its terms."""
    own, total = exactly_blurred(image), sum(Fraction(float(x)) for x in image.flatten())
    for other in from_levels(guard().trusted.split(guard().counts)[column]).to(torch.float64):
        sums = sum(Fraction(float(x)) for x in other.flatten())
        if not sums <= 2 * total <= 4 * sums:
            continue
        product, lengths = exact_parts(own, exactly_blurred(other))
        if product > 0 and product**2 >= Fraction(BOUND) ** 2 * lengths:
            return True
    return False


@given(st.integers(0, 10**6), st.floats(0.0, 1.0), st.sampled_from([1e-30, 1e-3, 0.4, 0.5, 1.0]))
def test_what_is_accepted_has_a_witness_in_exact_arithmetic(seed, share, brightness):
    stream = Stream(seed, "certified", 0)
    row = int(stream.branch("row").integers(1, len(DATA.test)))
    natural, noise = from_levels(DATA.test.images[row : row + 1]), stream.uniform32(1, 1, 8, 8)
    image = (brightness * ((1.0 - share) * natural + share * noise)).clamp(0.0, 1.0)
    for column in (slack(image)[0] >= 0.0).nonzero().flatten().tolist()[:1]:
        assert has_witness(image[0], column)


def test_at_the_very_bound_nothing_is_accepted_that_is_not_within_it():
    """Between an accepted and a refused image, halved until neighbouring numbers are left."""
    checked = 0
    for row in range(4):
        column = int(DATA.test.classes[row])
        inside = from_levels(DATA.test.images[row : row + 1])
        outside = Stream(row, "outside", 0).uniform32(1, 1, 8, 8)
        if not float(slack(inside)[0, column]) >= 0.0 > float(slack(outside)[0, column]):
            continue
        for _ in range(40):
            middle = (inside + outside) / 2
            if float(slack(middle)[0, column]) >= 0.0:
                inside = middle
            else:
                outside = middle
        assert has_witness(inside[0], column)
        assert (inside - outside).abs().amax() < 1e-6
        checked += 1
    assert checked >= 2


def test_a_lower_end_is_below_the_exact_cosine_and_near_it():
    for seed in range(30):
        stream = Stream(seed, "lower", 0)
        flat = 10.0 ** -float(stream.branch("flat").integers(1, 9))
        one = 0.5 + flat * (stream.branch("one").uniform(1, 16) - 0.5)
        other = one + flat * 0.2 * (stream.branch("other").uniform(1, 16) - 0.5)
        found = float(lower_cosine(one, other))
        product, lengths = exact_parts(*([Fraction(float(x)) for x in v[0]] for v in (one, other)))
        assert found < 0.0 or Fraction(found) ** 2 * lengths < product**2
        if flat >= 0.01:
            assert found == pytest.approx(float(product) / float(lengths) ** 0.5, abs=1e-4)


def test_even_black_and_faint_images_are_refused():
    shape = (1, 1, 8, 8)
    images = [torch.zeros(shape), torch.ones(shape), torch.full(shape, 0.3), torch.full(shape, 1e-38)]
    faint = 0.3 * from_levels(DATA.train.images[:1])  # near in shape, less than half as bright
    for image in (*images, faint):
        found = slack(image)
        assert bool((found < 0.0).all())
        assert bool(found.isfinite().all())
    assert float(slack(from_levels(DATA.train.images[:1]))[0, int(DATA.train.classes[0])]) > 0.9


def test_a_blur_is_what_it_says():
    image = Stream(0, "blur", 0).uniform32(1, 1, 7, 9).to(torch.float64)
    exact = torch.tensor([float(x) for x in exactly_blurred(image[0])], dtype=torch.float64)
    assert torch.allclose(blurred(image)[0], exact, atol=1e-15)
    two = torch.cat([image, 2.0 * image], 1)
    assert torch.equal(blurred(two)[0], torch.cat([blurred(image)[0], 2.0 * blurred(image)[0]]))


def test_witnesses_are_of_the_class_and_the_nearest():
    images = from_levels(DATA.test.images[:20])
    rows = guard().witnesses(images)
    ends = torch.tensor(guard().counts).cumsum(0)
    starts = ends - torch.tensor(guard().counts)
    assert bool(((rows >= starts) & (rows < ends)).all())
    cosine, _ = guard().certify(images)
    every = lower_cosine(
        blurred(images.to(torch.float64)).unsqueeze(1), blurred(from_levels(guard().trusted).to(torch.float64))
    )
    best = torch.stack([part.amax(1) for part in every.split(guard().counts, 1)], 1)
    assert torch.allclose(cosine, best, atol=1e-6)


def test_the_price_is_coverage_and_a_higher_bound_costs_more():
    prices = []
    for bound in (0.5, 0.995, 0.999, 0.9999):
        fitted = fit_certified(DATA.train.images[:120], DATA.train.classes[:120], 3, bound=bound)
        prices.append(coverage(fitted, DATA.test.images, DATA.test.classes))
    assert prices == sorted(prices, reverse=True)
    assert prices[0] == 1.0
    assert prices[-1] < 0.5
    some = DATA.test.images[:30]
    own = slack(from_levels(some)).gather(1, DATA.test.classes[:30, None])
    assert coverage(guard(), some, DATA.test.classes[:30]) == pytest.approx(float((own >= 0.0).double().mean()))


def test_the_least_readable_image_is_accepted_on_the_grid_and_less_readable():
    weights = Stream(0, "score", 0).uniform32(64) - 0.5

    def score(images: Tensor) -> Tensor:
        return images.flatten(1) @ weights

    start, column = from_levels(DATA.train.images[:1]), int(DATA.train.classes[0])
    found = least_readable(guard(), start, column, score, steps=30)
    assert float(slack(found)[0, column]) >= 0.0
    assert has_witness(found[0], column)
    assert torch.equal(found, from_levels(to_levels(found)))
    assert float(score(found)) < float(score(start)) - 0.5
    with pytest.raises(BadInput, match="the guard accepts as the class"):
        least_readable(guard(), quantise(torch.rand(1, 1, 8, 8, generator=torch.Generator().manual_seed(0))), 0, score)


def test_the_guard_conforms(unchecked):
    net = nn.Sequential(nn.Flatten(), nn.Linear(64, 3)).eval().requires_grad_(False)
    with torch.no_grad():
        net[1].weight.copy_(Stream(0, "net", 0).uniform32(3, 64))
        net[1].bias.zero_()
    target = TorchTarget("bars", net, ImageSpec(1, 8, 8), LABELS)
    natural = from_levels(DATA.test.images[:40])
    report = examine_guard(guard(), target, natural, DATA.test.classes[:40])
    assert not report.findings, report


@pytest.mark.parametrize(
    "more", [{"bound": 1.0}, {"bound": 0.0}, {"reach": 1.0}, {"labels": 4}, {"images": torch.zeros_like}]
)
def test_what_cannot_be_certified_is_refused(more):
    images = more.pop("images", lambda x: x)(DATA.train.images[:30])
    labels = more.pop("labels", 3)
    with pytest.raises(BadInput, match="guard certified"):
        fit_certified(images, DATA.train.classes[:30], labels, **more)
