"""How many images a network is asked about at once."""

import pytest
import torch
from torch import nn

from image_classifier import compose
from image_classifier.model import classical, inference
from image_classifier.model.building import build

pytestmark = pytest.mark.unit


def test_the_default_network_is_asked_about_500_small_images_at_once():
    model = build(compose(model="sprint", width=32), 10, (32, 32, 3))
    assert inference.batch_size(model, (32, 32, 3)) == 500


@pytest.mark.parametrize(("channels", "side"), [(64, 224), (8, 224), (2, 512), (40, 1024)])
def test_the_largest_layers_output_for_a_batch_stays_under_an_eighth_of_a_gibibyte(channels, side):
    layers = nn.Conv2d(3, channels, 3, padding=1), nn.BatchNorm2d(channels), nn.AdaptiveAvgPool2d(1)
    model = nn.Sequential(*layers, nn.Flatten()).train()
    size = inference.batch_size(model, (side, side, 3))
    image = 4 * max(channels, 3) * side * side
    assert size * image <= 2**27 or size == 1
    assert (size + 1) * image > 2**27
    assert model.training
    assert not any(module._forward_hooks for module in model.modules())


def test_a_model_of_scikit_learn_is_bounded_by_its_input_and_need_not_be_fitted():
    model = classical.build(3, (256, 256, 3), "knn", seed=0)
    assert inference.batch_size(model, (256, 256, 3)) == 2**27 // (4 * 256 * 256 * 3)
    assert inference.batch_size(model, (1, 1, 13)) == 500


def test_the_size_depends_on_network_and_shape_alone():
    before = torch.get_rng_state()
    sizes = {inference.batch_size(build(compose(model="net"), 10, (256, 256, 3)), (256, 256, 3)) for _ in range(2)}
    assert sizes == {2**27 // (4 * 6 * 252 * 252)}
    assert torch.equal(torch.get_rng_state(), before)
