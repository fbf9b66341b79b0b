"""Densities against formulas in double precision, and what is stored of them."""

import math

import pytest
import torch
from PIL import Image

from trompe.core.errors import DataError
from trompe.core.numerics import from_levels
from trompe.core.seeds import Stream
from trompe.densities import Autoencoders, Build, KernelDensity, View
from trompe.densities.mosaic import fits, read_mosaic, write_mosaic
from trompe.densities.vae import _decode
from trompe.densities.views import contrast, normalised, shrunk, tangents, upright

PLAIN = View(upright=False, blur=0.0, tangents=False)


def levels(n: int, channels: int = 1, height: int = 6, width: int = 5, name: str = "levels") -> torch.Tensor:
    return (256 * Stream(3, name, 0).uniform(n, channels, height, width)).to(torch.uint8)


def bars(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    """Lying bars (class 0) and standing ones (class 1), 8 x 8, with a little noise."""
    classes = torch.arange(n) % 2
    images = 40.0 * Stream(seed, "bars", 0).uniform(n, 1, 8, 8)
    for i, place in enumerate(Stream(seed, "places", 0).integers(n, 4).tolist()):
        if classes[i]:
            images[i, :, :, 2 + place] = 230.0
        else:
            images[i, :, 2 + place] = 230.0
    return images.to(torch.uint8), classes


def test_the_kernel_density_is_that_of_a_loop_in_double_precision():
    known, classes, asked = levels(7), torch.tensor([2, 0, 1, 1, 0, 2, 2]), from_levels(levels(4, name="asked"))
    found = KernelDensity(known, classes, 0.3, PLAIN).log_density(asked)

    def unit(image):
        flat = [value - sum(image) / len(image) for value in image]
        return [value / math.sqrt(sum(v * v for v in flat)) for value in flat]

    points = [unit(image) for image in from_levels(known).flatten(1).double().tolist()]
    for i, image in enumerate(asked.flatten(1).double().tolist()):
        x = unit(image)
        for c in range(3):
            own = [point for point, name in zip(points, classes.tolist(), strict=True) if name == c]
            away = [sum((a - b) ** 2 for a, b in zip(x, point, strict=True)) for point in own]
            volume = (2.0 * math.pi * 0.3**2) ** (len(x) / 2)
            expected = math.log(sum(math.exp(-d / (2.0 * 0.3**2)) / volume for d in away) / len(own))
            assert float(found[i, c]) == pytest.approx(expected, abs=1e-3)


def test_tangents_are_orthonormal_and_forgive_a_small_shift():
    smooth = torch.nn.functional.interpolate(from_levels(levels(3, 1, 5, 5)), (20, 20), mode="bicubic").clamp(0.0, 1.0)
    directions = tangents(smooth)
    assert torch.allclose(directions @ directions.transpose(1, 2), torch.eye(7).expand(3, 7, 7), atol=1e-4)
    known = (255 * smooth).to(torch.uint8)
    moved = smooth.roll(1, 3)
    plain, lenient = (KernelDensity(known, torch.arange(3), 1.0, View(False, 0.0, on)) for on in (False, True))
    assert (lenient.distances(moved).diag() < 0.8 * plain.distances(moved).diag()).all()
    assert (lenient.distances(moved) <= plain.distances(moved) + 1e-5).all()


def test_neither_brightness_nor_contrast_changes_what_is_compared_and_a_blank_image_is_near_nothing():
    images = from_levels(levels(3))
    assert torch.allclose(normalised(images), normalised(0.2 + 0.1 * images), atol=1e-5)
    assert torch.allclose(normalised(images).norm(dim=1), torch.ones(3))
    blank = torch.full((1, 1, 6, 5), 0.7, requires_grad=True)
    assert normalised(blank).abs().max() < 0.01
    assert contrast(blank).item() < 1e-5
    normalised(blank).sum().backward()
    assert torch.isfinite(blank.grad).all()


def test_slanted_strokes_stand_upright_and_upright_ones_stay():
    straight = torch.zeros(1, 1, 21, 21)
    straight[:, :, 4:17, 9:12] = 1.0
    slanted = torch.stack([straight[0, 0, row].roll((row - 10) // 3) for row in range(21)]).view(1, 1, 21, 21)
    assert torch.allclose(upright(straight), straight, atol=1e-3)
    before, after = ((upright_or_not - straight).abs().sum() for upright_or_not in (slanted, upright(slanted)))
    assert after < 0.4 * before


def test_large_images_are_averaged_down_and_small_ones_left():
    assert shrunk(torch.ones(2, 3, 100, 20)).shape == (2, 3, 32, 20)
    assert shrunk(torch.arange(64.0).view(1, 1, 64, 1) / 64.0)[0, 0, 0, 0] == pytest.approx(0.5 / 64.0)


@pytest.mark.parametrize("channels", [1, 3, 4])
def test_a_mosaic_gives_the_same_bytes_back(channels, tmp_path):
    for n in (1, 5, 9):
        write_mosaic(tmp_path / "m.png", levels(n, channels))
        assert torch.equal(read_mosaic(tmp_path / "m.png"), levels(n, channels))


def test_a_mosaic_that_is_too_large_to_be_opened_is_said(tmp_path, monkeypatch):
    write_mosaic(tmp_path / "m.png", levels(9, 1))
    assert fits(levels(9, 1))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    assert not fits(levels(9, 1))
    with pytest.raises(DataError, match="DecompressionBomb"):
        read_mosaic(tmp_path / "m.png")


def test_a_density_is_stored_without_loss_and_damage_is_said(tmp_path):
    images, classes = bars(40)
    asked = from_levels(bars(10, 1)[0])
    build = Build(latent=2, narrow=4, wide=8, batch=8, upright=False)
    for density, file in (
        (KernelDensity(images, classes, 0.2, PLAIN), "kde.json"),
        (Autoencoders.fit(images, classes, build, 20, 0), "vae.safetensors"),
    ):
        density.save(tmp_path)
        again = type(density).load(tmp_path)
        assert torch.equal(again.log_density(asked), density.log_density(asked))
        assert again.fingerprint() == density.fingerprint()
        (tmp_path / file).write_bytes(b"{")
        with pytest.raises(DataError, match="train readers"):
            type(density).load(tmp_path)


def test_a_density_that_was_first_asked_without_gradients_has_one_afterwards():
    """As a guard is: its false alarms are counted, then it is attacked."""
    images, classes = bars(40)
    build = Build(latent=2, narrow=4, wide=8, batch=8, upright=False)
    for density in (KernelDensity(images, classes, 0.2, PLAIN), Autoencoders.fit(images, classes, build, 20, 0)):
        asked = from_levels(bars(10, 1)[0])
        with torch.inference_mode():
            density.log_density(asked)
        leaf = asked.clone().requires_grad_()
        (slope,) = torch.autograd.grad(density.log_density(leaf).sum(), leaf)
        assert bool((slope != 0.0).flatten(1).any(1).all())


def test_autoencoders_know_their_class_the_same_for_the_same_seed_and_move_the_latent_uphill():
    images, classes = bars(200)
    asked, wanted = bars(40, 1)
    build = Build(latent=2, narrow=8, wide=16, batch=16, upright=False)
    coders = Autoencoders.fit(images, classes, build, 300, 0)
    score = coders.log_density(from_levels(asked))
    assert (score.argmax(1) == wanted).double().mean() >= 0.95
    assert Autoencoders.fit(images, classes, build, 300, 0).fingerprint() == coders.fingerprint()
    at_once = Autoencoders(coders.weights, Build(latent=2, narrow=8, wide=16, upright=False, steps=0))
    assert (score >= at_once.log_density(from_levels(asked)) - 1e-3).all()
    assert (score > at_once.log_density(from_levels(asked)) + 1e-3).any()


def test_the_slope_of_the_decoder_is_that_of_finite_differences():
    images, classes = bars(20)
    weights = Autoencoders.fit(images, classes, Build(latent=2, narrow=4, wide=8, batch=4), 5, 0).weights
    weights = {name: value.double() for name, value in weights.items()}
    latent = Stream(0, "latent", 0).uniform(2, 3, 2)
    _, slope = _decode(weights, latent, slope=True)
    for axis in range(2):
        step = torch.zeros_like(latent)
        step[..., axis] = 1e-6
        difference = (_decode(weights, latent + step)[0] - _decode(weights, latent - step)[0]) / 2e-6
        assert torch.allclose(slope[:, :, axis] @ weights["out"], difference, atol=1e-6)
