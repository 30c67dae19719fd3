"""Each family's record is true: its builder builds, its recipe is there, its names are its own."""

import inspect

import pytest
import torchvision
import yaml

from image_classifier.model.building import imported
from image_classifier.settings.families import (
    FAMILIES,
    MODELS,
    TABLE_MODELS,
    TIMM,
    family,
    is_model,
    read_recipe,
    recipe_file,
)

pytestmark = pytest.mark.unit


def test_the_list_of_networks_is_torchvisions_but_for_two_with_auxiliary_heads():
    published = set(torchvision.models.list_models(module=torchvision.models))
    assert set(family("resnet18").names) == published - {"googlenet", "inception_v3"}


def test_every_model_is_of_one_family():
    names = [name for each in FAMILIES for name in each.names]
    assert sorted(names) == sorted(set(names)) == sorted([*MODELS, TIMM])
    assert all(name in family(name).names for name in MODELS)
    assert all(map(is_model, MODELS))
    assert not is_model(TIMM)


@pytest.mark.parametrize("name", ["timm/resnet18", "timm/vit_tiny_patch16_224.augreg_in21k_ft_in1k", "timm/x"])
def test_a_plain_name_behind_timm_is_one_of_its_networks(name):
    assert is_model(name)
    assert family(name).names == (TIMM,)


@pytest.mark.parametrize(
    "name",
    [
        "timm/", "timm/hf-hub:timm/resnet18", "timm/hf_hub:x", "timm/local-dir:/tmp/x", "timm/../x", "timm/a/b",
        "timm/https://example.org/x", "timm/resnet18.a.b", "timm/ResNet18", "timm/resnet18\n", "timm/-x", "resnet18.x",
        "timm", None, 3, ["net"],
    ],
)  # fmt: skip
def test_a_path_an_address_or_another_place_is_no_name_of_a_model(name):
    """timm itself fetches from `hf-hub:` and reads folders by `local-dir:`."""
    assert not is_model(name)


@pytest.mark.parametrize("about", FAMILIES, ids=lambda about: about.recipe)
def test_what_a_record_names_is_there_and_takes_what_it_says(about):
    taken = list(inspect.signature(imported(about.builder)).parameters)
    assert taken[0] == "num_classes"
    assert taken[2:] == list(about.arguments)  # the second is the shape, which not every builder reads
    assert all(given is None or callable(imported(given)) for given in (about.published, about.published_input))
    assert (about.published is None) == (about.published_input is None) == (about.publisher is None)
    built = imported(about.builder)
    assert about.adapts == hasattr(built, "adapt")


@pytest.mark.parametrize("model", [each.names[0] for each in FAMILIES])
def test_a_recipe_is_a_flat_mapping_under_its_familys_name(model):
    assert recipe_file(model) == f"{family(model).recipe}.yaml"
    assert isinstance(yaml.safe_load(read_recipe(model)), dict)


def test_tables_are_for_dense_and_for_scikit_learn():
    assert ("dense", *family("knn").names) == TABLE_MODELS
    assert {each.model_file for each in FAMILIES if each.stepwise} == {"model.pth"}
    assert {each.model_file for each in FAMILIES if not each.stepwise} == {"model.skops"}
