"""A filter bank is called free of scale exactly where another scale changes no answer of a network that learns."""

import copy

import pytest
import torch
from torch import nn

from image_classifier import compose
from image_classifier.model.building import build
from image_classifier.model.normalised import scale_free

pytestmark = pytest.mark.unit

SHAPE = (16, 16, 3)


class Residual(nn.Module):
    """Around a block without normalisation at its end there is a way past it."""

    def __init__(self, *block):
        super().__init__()
        self.block = nn.Sequential(*block)

    def forward(self, images):
        return images + self.block(images)


class Joined(nn.Module):
    """Two convolutions beside each other, which a third layer sees as one."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(3, 4, 5, padding=2)

    def forward(self, images):
        return torch.cat([self.one(images), self.two(images)], 1)


def conv(inputs, outputs, *, bias=True):
    return nn.Conv2d(inputs, outputs, 3, padding=1, bias=bias)


# Made when asked for, after the seed: filters of chance would now and then hide what a scale changes.
NETWORKS = {
    "convolutions alone, as in vgg16": lambda: [conv(3, 8), nn.ReLU(), nn.MaxPool2d(2), conv(8, 8), nn.ReLU()],
    "each normalised, as in vgg16_bn": lambda: [
        conv(3, 8),
        nn.BatchNorm2d(8),
        nn.ReLU(),
        conv(8, 8),
        nn.BatchNorm2d(8),
    ],
    "pooled between": lambda: [conv(3, 8, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(8), nn.SiLU()],
    "the first only": lambda: [conv(3, 8, bias=False), nn.BatchNorm2d(8), nn.SiLU(), conv(8, 8)],
    "activated before the normalisation": lambda: [conv(3, 8), nn.SiLU(), nn.BatchNorm2d(8)],
    "normalised over channels": lambda: [conv(3, 8), nn.GroupNorm(1, 8), nn.ReLU()],
    "a way past it": lambda: [conv(3, 8), nn.BatchNorm2d(8), Residual(nn.ReLU(), conv(8, 8)), nn.BatchNorm2d(8)],
    "joined": lambda: [Joined(), nn.BatchNorm2d(8), nn.ReLU()],
}


def made(name):
    torch.manual_seed(0)
    if name in NETWORKS:
        return nn.Sequential(*NETWORKS[name](), nn.AdaptiveMaxPool2d(4), nn.Flatten(), nn.Linear(8 * 4 * 4, 5))
    return build(compose(model=name, width=8 if name == "sprint" else None), 5, SHAPE)


def answers(model):
    images = torch.randn(8, 3, *SHAPE[:2], generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    with torch.no_grad():
        return copy.deepcopy(model).double().train()(images)


@pytest.mark.parametrize("name", [*NETWORKS, "net", "cnn", "sprint"])
def test_filters_are_free_of_scale_where_another_scale_changes_nothing(name):
    model = made(name)
    before = answers(model)
    free = {id(value) for value in scale_free(model, SHAPE)}
    found, expected = {}, {}
    for bank, value in model.named_parameters():
        if value.ndim != 4 or not value.requires_grad:
            continue
        kept = value.detach().clone()
        with torch.no_grad():
            value.mul_(1.5)
            changed = (answers(model) - before).abs().max() / before.abs().max()
            value.copy_(kept)
        found[bank], expected[bank] = id(value) in free, bool(changed < 1e-2)
    assert found == expected
