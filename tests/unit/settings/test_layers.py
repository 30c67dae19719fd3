"""Partial settings: what a layer may hold, and which layer decides."""

import pytest

from image_classifier.errors import UserError
from image_classifier.settings.layers import (
    CODE,
    COMMAND_LINE,
    Kind,
    Layer,
    Origin,
    checked_layer,
    code_layer,
    dataset_of,
    deciding,
    flag_layer,
    latest,
    recipe_of,
)

pytestmark = pytest.mark.unit


@pytest.mark.parametrize("value", ["${oc.env:HOME}", "???"])
def test_a_flag_is_never_interpolated(value):
    with pytest.raises(UserError, match="interpreted"):
        flag_layer({"model": value})


def test_latest_ignores_layers_without_the_name():
    layers = [Layer(CODE, {"model": "net"}), Layer(CODE, {"seed": 1})]
    assert latest(layers, "model") == "net"
    assert latest(layers, "width") is None


def test_the_data_are_cifar_10_where_no_layer_names_any():
    file, flags = Layer(CODE, {"dataset_folder": "pets"}), Layer(COMMAND_LINE, {"dataset_folder": "digits"})
    assert dataset_of([]) == dataset_of([Layer(CODE, {"seed": 1})]) == "data/cifar_dataset"
    assert dataset_of([file, flags]) == "digits"


def test_the_last_layer_with_a_setting_decides_it():
    first, second = Layer(CODE, {"model": "net", "seed": 1}), Layer(COMMAND_LINE, {"seed": 2})
    assert deciding([first, second]) == {"model": first, "seed": second}
    assert latest([first, second], "seed") == 2


def test_what_is_empty_is_not_given():
    assert flag_layer({"seed": None, "model": "", "width": "8"}) == Layer(COMMAND_LINE, {"width": "8"})
    assert code_layer({"seed": None, "freeze_backbone": False}).values == {"freeze_backbone": False}


@pytest.mark.parametrize("values", [{"seed": ["1", "${a}"]}, {"dataset_folder": "${oc.env:HOME}"}])
def test_what_would_be_interpreted_is_refused_in_lists_too(values):
    with pytest.raises(UserError, match=r"holds '[$]{.*}', which would be interpreted"):
        checked_layer(Origin(Kind.FILE, "a.yaml"), values)


def test_a_name_that_is_no_setting_is_refused_with_its_place():
    with pytest.raises(UserError, match="lerning_rate in the command line is not a setting") as caught:
        flag_layer({"lerning_rate": "1"})
    assert caught.value.hint == "did you mean learning_rate?"
    assert str(recipe_of("resnet18")) == "recipe torchvision.yaml"


def test_an_address_with_a_secret_is_refused_before_anything_shows_it():
    layer = Layer(COMMAND_LINE, {"dataset_folder": "s3://AKIACANARY:canary@bucket/x"})
    with pytest.raises(UserError) as caught:
        dataset_of([layer])
    assert "canary" not in str(caught.value).lower()
    assert dataset_of([Layer(COMMAND_LINE, {"dataset_folder": "s3://bucket/x"})]) == "s3://bucket/x"
