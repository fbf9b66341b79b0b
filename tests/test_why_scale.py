"""Other sizes and colours: what becomes of an image, and that every kind of classifier takes it."""

import colorsys
import math

import pytest
import torch

from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.core.specs import ImageSpec
from trompe.data import Split
from trompe.experiments import scale, sizes
from trompe.experiments.families import as_target
from trompe.experiments.nouns import Effort
from trompe.testing import examine_target

LEVELS = (Stream(0, "test/levels", 0).uniform(40, 1, 28, 28) * 256).to(torch.uint8)
CLASSES = torch.arange(40) % 10


def test_smaller_images_are_means_of_blocks():
    found = sizes.smaller(LEVELS, 7)
    assert found.shape == (40, 1, 7, 7)
    assert int(found[3, 0, 2, 6]) == round(float(LEVELS[3, 0, 8:12, 24:28].double().mean()))
    assert torch.equal(sizes.smaller(LEVELS, 28), LEVELS)


@pytest.mark.parametrize("hue", [0.0, 0.1, 1 / 3, 0.5, 0.8, 0.999])
def test_ink_has_the_hue_and_black_stays_black(hue):
    grey = torch.tensor([0, 100, 255], dtype=torch.uint8).view(1, 1, 1, 3)
    found = sizes.coloured(grey, torch.tensor([hue]).double())[0, :, 0]
    wanted = torch.tensor(colorsys.hsv_to_rgb(hue, 1.0, 1.0)).double()
    assert torch.equal(found, (grey[0, 0, 0].double() * wanted.unsqueeze(1)).round().to(torch.uint8))


def test_every_image_has_a_colour_of_its_own():
    found = sizes.dressed(Split(LEVELS, CLASSES), "28, in colour", Stream(0, "ink", 0))
    assert found.images.shape == (40, *sizes.shape("28, in colour"))
    assert torch.equal(found.images.amax(1, keepdim=True), LEVELS)  # the brightest channel is full
    ink = found.images.flatten(2).double().sum(2)
    assert len({tuple((row / row.max()).mul(20).round().tolist()) for row in ink}) > 30


@pytest.mark.parametrize("form", ["7 pixels", "28, in colour"])
@pytest.mark.parametrize("kind", list(sizes.KINDS))
def test_every_kind_takes_every_form(unchecked, kind, form):
    data = sizes.dressed(Split(LEVELS, CLASSES), form, Stream(0, "ink", 0))
    target = sizes.KINDS[kind](data, 3, 0)
    assert target.spec == ImageSpec(*sizes.shape(form))
    # Of so few pixels a product of matrices rounds a row otherwise at another place in the batch.
    assert examine_target(target, tolerance=1e-3).findings == ()
    again = sizes.KINDS[kind](data, 3, 0)
    assert torch.equal(target.judge(from_levels(data.images)).logits, again.judge(from_levels(data.images)).logits)


def test_an_autoencoder_counts_every_pixel_of_every_channel():
    """Where nothing is explained a density of d pixels is d Gaussians: twice the shape, twice as improbable."""
    from trompe.targets.generative.vae import ConditionalAutoencoder

    told = []
    for shape in ((1, 4, 4), (2, 4, 4)):
        module = ConditionalAutoencoder(2, shape)
        for weight in module.parameters():
            torch.nn.init.zeros_(weight)
        told.append(float(module(torch.full((1, *shape), 0.5))[0, 0].detach()))
    spread = 1.0 + 0.05  # of every pixel, whose middle is a half: no misfit, and the latent is the prior
    assert told == pytest.approx([-pixels * math.log(spread * math.sqrt(2.0 * math.pi)) for pixels in (16, 32)])


def test_errors_are_those_named_wrongly():
    class First(torch.nn.Module):
        def forward(self, images):
            return torch.eye(10)[(images[:, 0, 0, 0] * 255.0).round().long()]

    levels = torch.arange(4, dtype=torch.uint8).view(4, 1, 1, 1)
    target = as_target("first", First(), ImageSpec(1, 1, 1))
    assert scale.wrong(target, Split(levels, torch.tensor([0, 1, 5, 3]))) == 0.25


def form(kernels, vae, network):
    keys = ("error", "fooled", "looks")
    return {kind: dict(zip(keys, one, strict=True)) for kind, one in
            {"kernel-bayes": kernels, "vae": vae, "network": network}.items()}  # fmt: skip


def test_scale_compares_sizes_with_the_network_beside():
    one = {
        "7 pixels": form((0.25, 1.0, [100, 100]), (0.5, 1.0, [1000, 1000]), (0.25, 1.0, [100, 100])),
        "14 pixels": form((0.25, 1.0, [10]), (0.25, 0.5, [10]), (0.25, 1.0, [10])),
        "28 pixels": form((0.25, 1.0, [10, 10]), (0.25, 1.0, [10, 1000]), (0.0, 0.0, [100, 100])),
        "28, in colour": form((0.75, 1.0, [10, 10]), (0.75, 1.0, [10, 10]), (0.125, 1.0, [100, 10_000])),
    }
    found = scale.measure({"a": {"forms": one}}, Effort())
    values = {name: measured.values[0] for name, measured in found.items()}
    assert values == pytest.approx(
        {"gap": 0.25 - 0.125, "colour": 0.625 - 0.25, "fooled": 0.5, "cheaper": 2.5 - 1.5, "looks": 3.0 - 1.0}
    )
    assert scale.measure({"a": {"forms": one}}, Effort("quick"))["gap"].short
