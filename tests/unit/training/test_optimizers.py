"""Optimizers step as their definitions say, and the rate follows its course."""

import math
from functools import partial

import numpy as np
import pytest
import torch

from image_classifier import compose
from image_classifier.model.building import build
from image_classifier.training import optimizers
from image_classifier.training.optimizers import AdamW, Muon, Sgd, orthogonal

pytestmark = pytest.mark.unit


def settings(**given):
    return compose(model="cnn", **given).step_settings()


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [("constant", [0, 0.5, 1, 1, 1]), ("linear", [0, 0.5, 1, 0.5, 0]), ("cosine", [0, 0.5, 1, 0.5, 0])],
)
def test_the_rate_rises_and_falls_as_the_schedule_says(schedule, expected):
    chosen = settings(schedule=schedule, warmup=0.2)
    found = [optimizers.factor(chosen, at) for at in (0, 0.1, 0.2, 0.6, 1.0)]
    np.testing.assert_allclose(found, expected, atol=1e-12)


def test_without_warmup_the_first_step_has_the_full_rate():
    assert optimizers.factor(settings(schedule="cosine", warmup=0), 0.0) == 1.0


def test_cosine_is_a_quarter_down_after_a_third_of_the_way():
    assert optimizers.factor(settings(schedule="cosine", warmup=0), 1 / 3) == pytest.approx(
        (1 + math.cos(math.pi / 3)) / 2
    )


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


@pytest.mark.parametrize("shape", [(2, 8, 20), (1, 20, 8)])
def test_orthogonal_is_the_iteration_of_newton_and_schulz_written_out(shape):
    matrices = torch.randn(shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = []
    for matrix in matrices:
        x = matrix / matrix.norm()
        for _ in range(3):
            x = 3.4445 * x - 4.7750 * x @ x.T @ x + 2.0315 * x @ x.T @ x @ x.T @ x
        expected.append(x)
    torch.testing.assert_close(orthogonal(matrices), torch.stack(expected), rtol=1e-6, atol=1e-6)


def test_muon_steps_alike_whatever_the_layout_of_the_filters():
    weights, gradients = torch.randn(2, 6, 5, 3, 3, generator=torch.Generator().manual_seed(0))
    ends = []
    for layout in (torch.contiguous_format, torch.channels_last):
        weight = torch.nn.Parameter(weights.clone().contiguous(memory_format=layout))
        weight.grad = gradients.clone().contiguous(memory_format=layout)
        Muon([weight], 0.1, 0.5, 0.01).step(1.0)
        assert weight.is_contiguous(memory_format=layout)
        ends.append(weight.detach())
    assert not torch.equal(ends[0], weights)
    torch.testing.assert_close(ends[0], ends[1].contiguous(), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
@pytest.mark.parametrize("model", ["cnn", "net", "sprint", "resnet18"])
def test_every_parameter_is_in_one_group_of_one_optimizer(optimizer, model):
    network = build(compose(model=model, width=16 if model == "sprint" else None), 10, (32, 32, 3))
    found = optimizers.optimizers(settings(optimizer=optimizer), network, (32, 32, 3))
    held = [id(value) for each in found for value in each.parameters]
    assert sorted(held) == sorted(id(value) for value in network.parameters() if value.requires_grad)


@pytest.mark.parametrize("optimizer", ["sgd", "adamw", "muon"])
def test_restored_state_steps_to_the_same_bits(optimizer):
    def trained(steps, model, rules):
        for step in range(steps):
            torch.manual_seed(step)
            model(torch.randn(4, 3, 16, 16).to(memory_format=torch.channels_last)).square().mean().backward()
            for each in rules:
                each.step(0.5)

    chosen = settings(optimizer=optimizer, momentum=0.9)
    one, two = (build(compose(model="cnn"), 5, (16, 16, 3)) for _ in range(2))
    first, second = (optimizers.optimizers(chosen, network, (16, 16, 3)) for network in (one, two))
    trained(3, one, first)
    two.load_state_dict(one.state_dict())
    optimizers.restore(second, {name: value.clone() for name, value in optimizers.state(first).items()})
    trained(2, one, first)
    trained(2, two, second)
    assert all(torch.equal(value, two.state_dict()[name]) for name, value in one.state_dict().items())


def quadratic(optimizer_of, steps=5):
    """Where the rule leads on a fixed curve of a filter bank and a bias."""
    generator = torch.Generator().manual_seed(0)
    weights = [torch.nn.Parameter(torch.randn(shape, generator=generator)) for shape in ((4, 3, 3, 3), (4,))]
    step = optimizer_of(weights)
    for _ in range(steps):
        sum(((weight - 1).square() * weight.exp()).sum() for weight in weights).backward()
        step()
    return weights


@pytest.mark.parametrize("nesterov", [False, True])
def test_sgd_steps_as_torchs_class_to_the_bit(nesterov):
    def peer(weights):
        found = torch.optim.SGD(weights, lr=0.004, momentum=0.8, weight_decay=0.01, nesterov=nesterov, foreach=False)
        return lambda: (found.step(), found.zero_grad())

    ours = quadratic(lambda weights: partial(Sgd(weights, 0.008, 0.8, 0.01, nesterov=nesterov).step, 0.5))
    assert all(torch.equal(one, two) for one, two in zip(ours, quadratic(peer), strict=True))


def test_adamw_steps_as_torchs_class_to_the_bit():
    def peer(weights):
        found = torch.optim.AdamW(weights, lr=0.004, betas=(0.8, 0.999), weight_decay=0.01, foreach=False)
        return lambda: (found.step(), found.zero_grad())

    ours = quadratic(lambda weights: partial(AdamW(weights, 0.008, 0.8, 0.01).step, 0.5))
    assert all(torch.equal(one, two) for one, two in zip(ours, quadratic(peer), strict=True))


def test_muon_moves_every_direction_of_a_filter_bank_alike():
    weight = torch.nn.Parameter(torch.zeros(4, 2, 3, 3))
    gradient = torch.diag(torch.tensor([8.0, 4.0, 2.0, 1.0])) @ torch.linalg.qr(torch.randn(18, 4))[0].T
    weight.grad = gradient.reshape(weight.shape)
    Muon([weight], 0.1, 0.5, 0.0).step(1.0)
    values = torch.linalg.svdvals(weight.detach().flatten(1))
    assert values.max() / values.min() < 2
    assert (weight.detach().flatten(1) * gradient).sum() < 0


def test_muon_holds_the_scale_of_filters_before_a_normalisation_and_of_no_others():
    def conv(inputs, outputs):
        return torch.nn.Conv2d(inputs, outputs, 3, padding=1)

    normalised = conv(3, 4), torch.nn.BatchNorm2d(4), torch.nn.ReLU()
    plain = conv(4, 9), torch.nn.ReLU()
    model = torch.nn.Sequential(*normalised, *plain, torch.nn.Flatten(), torch.nn.Linear(9 * 8 * 8, 5))
    before = model[3].weight.detach().clone()
    found = optimizers.optimizers(settings(optimizer="muon", learning_rate=0.1, weight_decay=0.2), model, (8, 8, 3))
    for value in model.parameters():
        value.grad = torch.zeros_like(value)
    found[0].step(1.0)
    decayed = 1 - 0.1 * 0.2
    assert model[0].weight.norm().item() == pytest.approx(4**0.5 * decayed)
    torch.testing.assert_close(model[3].weight.detach(), before * decayed)
