"""The small networks, layer by layer."""

import pytest
import torch

from image_classifier import compose
from image_classifier.model.building import build

pytestmark = pytest.mark.unit


def parameters(model):
    return sum(value.numel() for value in model.parameters())


def test_net_is_the_original_notebooks_network():
    model = build(compose(model="net"), 10, (32, 32, 3))
    # conv 3→6 and 6→16 of 5×5, then 400→120→84→10, each with its bias
    assert parameters(model) == (3 * 25 + 1) * 6 + (6 * 25 + 1) * 16 + 401 * 120 + 121 * 84 + 85 * 10
    one, two, image = model.conv1, model.conv2, torch.randn(1, 3, 32, 32)
    with torch.no_grad():
        hidden = torch.nn.functional.max_pool2d(one(image).clamp(min=0), 2)
        hidden = torch.nn.functional.max_pool2d(two(hidden).clamp(min=0), 2).flatten(1)
        hidden = model.fc2(model.fc1(hidden).clamp(min=0)).clamp(min=0)
        torch.testing.assert_close(model(image), model.fc3(hidden))
