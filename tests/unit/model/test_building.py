"""Every network by name: shapes, counts, and initialisation by the seed alone."""

import pytest
import torch

from image_classifier import compose
from image_classifier.errors import UserError
from image_classifier.model.building import build, freeze_backbone
from image_classifier.settings.families import FAMILIES

pytestmark = pytest.mark.unit

CLASSICAL = next(each.names for each in FAMILIES if not each.stepwise)
OWN = ("net", "sprint", "cnn", "dense")


def seeded(model, seed):
    return compose(model=model, seed=seed)


@pytest.mark.parametrize(
    ("model", "shape"),
    [
        *((model, shape) for model in (*OWN, "squeezenet1_1") for shape in ((32, 32, 3), (32, 32, 1), (64, 64, 3))),
        *(("resnet18", (32, 32, 3)), ("vit_b_32", (32, 32, 1))),
    ],
)
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


@pytest.mark.parametrize(("model", "side"), [("net", 15), ("vit_b_16", 30), ("alexnet", 16)])
def test_images_that_are_too_small_are_refused_before_training(model, side):
    with pytest.raises(UserError, match=rf"{model} (needs|cannot)"):
        build(compose(model=model), 10, (side, side, 3))


def test_batches_of_one_are_refused_where_normalisation_has_one_value_per_channel():
    with pytest.raises(UserError, match="one image at a time"):
        build(compose(model="resnet18", batch_size=1), 10, (32, 32, 3))
    build(compose(model="net", batch_size=1), 10, (32, 32, 3))
    build(compose(model="resnet18", batch_size=2), 10, (32, 32, 3))


def test_a_frozen_backbone_leaves_only_the_head_to_learn():
    model = build(compose(model="resnet18"), 4, (32, 32, 3))
    freeze_backbone(model)
    learning = [name for name, value in model.named_parameters() if value.requires_grad]
    assert learning == ["body.fc.weight", "body.fc.bias"]
