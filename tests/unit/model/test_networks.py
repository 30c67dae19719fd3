"""Every network by name: shapes, counts, and initialisation by the seed alone."""

import numpy as np
import pytest
import torch
import torchvision
from torch.utils._python_dispatch import TorchDispatchMode

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.model.building import build, freeze_backbone
from image_classifier.settings.families import FAMILIES, MODELS

pytestmark = pytest.mark.unit

CLASSICAL = next(each.names for each in FAMILIES if not each.stepwise)
OWN = ("net", "sprint", "cnn", "dense")


def seeded(model, seed):
    return compose(model=model, seed=seed)


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


@pytest.mark.parametrize("model", [*OWN, "resnet18", "squeezenet1_1", "vit_b_32"])
@pytest.mark.parametrize("shape", [(32, 32, 3), (32, 32, 1), (64, 64, 3)])
def test_logits_have_one_column_per_class(model, shape):
    network = build(compose(model=model, width=16 if model == "sprint" else None), 7, shape).eval()
    with torch.no_grad():
        assert network(torch.randn(3, shape[2], *shape[:2])).shape == (3, 7)


@pytest.mark.parametrize("model", OWN)
def test_the_seed_alone_decides_the_initial_weights(model):
    torch.manual_seed(1)
    first = build(seeded(model, 3), 10, (32, 32, 3)).state_dict()
    torch.manual_seed(2)
    second = build(seeded(model, 3), 10, (32, 32, 3)).state_dict()
    other = build(seeded(model, 4), 10, (32, 32, 3)).state_dict()
    assert all(torch.equal(value, second[name]) for name, value in first.items())
    assert any(not torch.equal(value, other[name]) for name, value in first.items())


def test_building_leaves_the_global_generator_alone():
    torch.manual_seed(0)
    before = torch.get_rng_state()
    build(compose(model="cnn"), 10, (8, 8, 1))
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(("model", "side"), [("net", 15), ("vit_b_16", 30), ("alexnet", 16), ("vgg11", 16)])
def test_images_that_are_too_small_are_refused_before_training(model, side):
    with pytest.raises(UserError, match=rf"{model} (needs|cannot)"):
        build(compose(model=model), 10, (side, side, 3))


def test_batches_of_one_are_refused_where_normalisation_has_one_value_per_channel():
    with pytest.raises(UserError, match="one image at a time"):
        build(compose(model="resnet18", batch_size=1), 10, (32, 32, 3))
    build(compose(model="net", batch_size=1), 10, (32, 32, 3))
    build(compose(model="resnet18", batch_size=2), 10, (32, 32, 3))


def test_the_list_of_networks_is_torchvisions_but_for_two_with_auxiliary_heads():
    published = set(torchvision.models.list_models(module=torchvision.models))
    assert set(MODELS) - set(OWN) - set(CLASSICAL) == published - {"googlenet", "inception_v3"}


def test_a_gray_image_gives_a_published_network_three_equal_channels():
    gray = build(compose(model="resnet18", seed=1), 4, (32, 32, 1)).eval()
    colour = build(compose(model="resnet18", seed=1), 4, (32, 32, 3)).eval()
    image = torch.randn(2, 1, 32, 32)
    with torch.no_grad():
        assert torch.equal(gray(image), colour(image.repeat(1, 3, 1, 1)))


def test_a_frozen_backbone_leaves_only_the_head_to_learn():
    model = build(compose(model="resnet18"), 4, (32, 32, 3))
    freeze_backbone(model)
    learning = [name for name, value in model.named_parameters() if value.requires_grad]
    assert learning == ["body.fc.weight", "body.fc.bias"]


@pytest.mark.parametrize(("channels", "directions"), [(3, 8), (1, 4)])
def test_sprint_sees_the_directions_in_which_patches_vary_most_with_variance_one_and_both_signs(channels, directions):
    network = build(compose(model="sprint", width=16), 4, (12, 12, channels))
    generator = torch.Generator().manual_seed(0)
    images = torch.nn.functional.avg_pool2d(torch.randn(400, channels, 16, 16, generator=generator), 5, 1) * 40
    network.adapt(images.split(150))
    with torch.no_grad():
        seen = network.stem(images).permute(1, 0, 2, 3).flatten(1).double().numpy()
    assert len(seen) == 2 * directions
    np.testing.assert_allclose(seen[directions:], -seen[:directions], atol=1e-4)
    np.testing.assert_allclose(seen[:directions] @ seen[:directions].T / seen.shape[1], np.eye(directions), atol=0.01)
    patches = np.lib.stride_tricks.sliding_window_view(images.numpy(), (2, 2), axis=(2, 3))
    rows = patches.transpose(0, 2, 3, 1, 4, 5).reshape(-1, 4 * channels).astype(np.float64)
    largest = np.linalg.svd(rows, full_matrices=False)[2][:directions]
    filters = network.stem.weight[:directions].flatten(1).double().numpy()
    cosines = np.abs((filters / np.linalg.norm(filters, axis=1, keepdims=True) * largest).sum(axis=1))
    np.testing.assert_allclose(cosines, 1, atol=1e-3)


class Largest(TorchDispatchMode):
    """Notes the bytes of the largest tensor that is made."""

    bytes = 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        made = func(*args, **(kwargs or {}))
        if isinstance(made, torch.Tensor):
            self.bytes = max(self.bytes, made.numel() * made.element_size())
        return made


def test_sprint_looks_at_large_images_in_pieces_of_memory():
    network = build(compose(model="sprint", width=16), 4, (128, 128, 3))
    images = torch.randn(64, 3, 128, 128, generator=torch.Generator().manual_seed(0))
    with Largest() as largest:
        network.adapt([images])
    assert largest.bytes < 32 << 20  # all patches in double precision have 99 MB
