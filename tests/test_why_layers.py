"""Layer by layer: what is near to what is known beforehand."""

import pytest
import torch

from trompe.experiments import layers
from trompe.experiments.nouns import Effort


def test_nearness_is_by_angle():
    centres = torch.tensor([[1.0, 0.0], [0.0, 2.0]]).double()
    features = torch.tensor([[3.0, 1.0], [1.0, 0.5], [0.0, 0.1]]).double()
    found = layers.near(features, centres, torch.tensor([0, 1, 1]))
    assert found["nearest"] == pytest.approx(2 / 3)
    assert found["cosine"] == pytest.approx((3 / 10**0.5 + 0.5 / 1.25**0.5 + 1.0) / 3)


def test_layers_compares_first_with_last_and_made_with_natural():
    def one(made, natural):
        return {"made": {"nearest": made, "cosine": made}, "natural": {"nearest": natural, "cosine": natural}}

    model = {"first": one(0.25, 0.5), "middle": one(0.5, 0.5), "last": one(0.75, 1.0), "answers": one(1.0, 1.0)}
    found = layers.measure({"a": {"layers": model}}, Effort())
    assert {name: measured.values[0] for name, measured in found.items()} == {"first": 0.5, "last": 0.75, "less": 0.25}


def test_features_are_those_of_the_named_layer():
    from trompe.experiments.families import Residual, as_target
    from trompe.targets.architectures import Centred, initialise

    module = Centred(Residual(), torch.zeros(1, 28, 28))
    initialise(module, 0)
    target = as_target("tiny", module)
    levels = (torch.arange(2 * 784).reshape(2, 1, 28, 28) % 256).to(torch.uint8)
    sizes = [layers._features(target, layer, levels).shape[1] for layer in layers.LAYERS.values()]
    assert sizes == [16 * 196, 16 * 196, 16 * 196, 10]
