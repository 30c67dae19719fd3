"""Optimizers step as their definitions say, and the rate follows its course."""

import math

import numpy as np
import pytest
import torch

from image_classifier.composition import compose, flag_layer
from image_classifier.config import Config
from image_classifier.model import optim
from image_classifier.model.building import build
from image_classifier.model.muon import Muon, orthogonal

pytestmark = pytest.mark.unit


def config(**settings):
    return compose([flag_layer({name: str(value) for name, value in settings.items()})], "cnn").config


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [0, 0.5, 1, 1, 1]), ("linear", [0, 0.5, 1, 0.5, 0]), ("cosine", [0, 0.5, 1, 0.5, 0])],
)
def test_the_rate_rises_and_falls_as_the_schedule_says(schedule, expected):
    chosen = config(schedule=schedule, warmup=0.2)
    found = [optim.factor(chosen, at) for at in (0, 0.1, 0.2, 0.6, 1.0)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_without_warmup_the_first_step_has_the_full_rate():
    assert optim.factor(config(schedule="cosine", warmup=0), 0.0) == 1.0


def test_cosine_is_a_quarter_down_after_a_third_of_the_way():
    assert optim.factor(config(schedule="cosine", warmup=0), 1 / 3) == pytest.approx((1 + math.cos(math.pi / 3)) / 2)


@pytest.mark.parametrize("shape", [(8, 8), (4, 12), (12, 4)])
def test_orthogonal_brings_every_singular_value_near_one(shape):
    matrices = torch.randn(3, *shape, generator=torch.Generator().manual_seed(0))
    values = torch.linalg.svdvals(orthogonal(matrices, 10))
    assert values.min() > 0.6
    assert values.max() < 1.3


def test_orthogonal_keeps_the_singular_vectors():
    matrix = torch.randn(1, 6, 9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    left, _, right = torch.linalg.svd(matrix, full_matrices=False)
    middle = left.mT @ orthogonal(matrix, 6) @ right.mT
    off = middle - torch.diag_embed(middle.diagonal(dim1=1, dim2=2))
    assert off.abs().max() < 1e-9


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("model", ["cnn", "net", "sprint", "resnet18"])
def test_every_parameter_is_in_one_group_of_one_optimizer(optimizer, model):
    network = build(Config(model=model, width=16 if model == "sprint" else None), 10, (32, 32, 3))
    found = optim.optimizers(config(optimizer=optimizer), network)
    held = [id(value) for each in found for group in each.param_groups for value in group["params"]]
    assert sorted(held) == sorted(id(value) for value in network.parameters() if value.requires_grad)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_restored_state_steps_to_the_same_bits(optimizer):
    def trained(steps, model, optimizers):
        for step in range(steps):
            torch.manual_seed(step)
            model(torch.randn(4, 3, 16, 16).to(memory_format=torch.channels_last)).square().mean().backward()
            for each in optimizers:
                each.step()
                each.zero_grad()

    chosen = config(optimizer=optimizer, momentum=0.9)
    one, two = (build(Config(model="cnn"), 5, (16, 16, 3)) for _ in range(2))
    first, second = optim.optimizers(chosen, one), optim.optimizers(chosen, two)
    trained(3, one, first)
    two.load_state_dict(one.state_dict())
    optim.restore(second, {name: value.clone() for name, value in optim.state(first).items()})
    trained(2, one, first)
    trained(2, two, second)
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def test_muon_without_a_gradient_changes_nothing():
    weight = torch.nn.Parameter(torch.ones(2, 3))
    Muon([weight], lr=0.1, momentum=0.9, weight_decay=0.1).step()
    assert torch.equal(weight, torch.ones(2, 3))
