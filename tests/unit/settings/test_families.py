"""Each family's record is true: its builder builds, its recipe is there, its names are its own."""

import inspect

import pytest
import torchvision
import yaml

from image_classifier.model.building import imported
from image_classifier.settings.families import FAMILIES, MODELS, TABLE_MODELS, family, read_recipe, recipe_file

pytestmark = pytest.mark.unit


def test_the_list_of_networks_is_torchvisions_but_for_two_with_auxiliary_heads():
    published = set(torchvision.models.list_models(module=torchvision.models))
    assert set(family("resnet18").names) == published - {"googlenet", "inception_v3"}


def test_every_model_is_of_one_family():
    names = [name for each in FAMILIES for name in each.names]
    assert sorted(names) == sorted(set(names)) == sorted(MODELS)
    assert all(name in family(name).names for name in MODELS)


@pytest.mark.parametrize("about", FAMILIES, ids=lambda about: about.recipe)
def test_what_a_record_names_is_there_and_takes_what_it_says(about):
    taken = list(inspect.signature(imported(about.builder)).parameters)
    assert taken[0] == "num_classes"
    assert taken[2:] == list(about.arguments)  # the second is the shape, which not every builder reads
    assert about.published is None or callable(imported(about.published))
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
