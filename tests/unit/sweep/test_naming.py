"""A run's name in a sweep tells its values, is a folder's name, and is nobody else's."""

import itertools

import pytest

from image_classifier.settings.names import RUN_NAME
from image_classifier.sweep.naming import child_name

pytestmark = pytest.mark.unit


def test_the_model_stands_alone_and_each_other_value_behind_its_name():
    assert child_name({"model": "cnn", "seed": 1, "learning_rate": 0.001}) == "cnn--seed-1--learning_rate-0.001"
    assert child_name({"image_size": None, "freeze_backbone": True}) == "image_size-null--freeze_backbone-true"


@pytest.mark.parametrize("value", ["e/r/model.pth", "../../x", "a b", "ä", "$(id)", "x" * 200, "new\nline"])
def test_whatever_the_value_the_name_is_a_plain_folder_name(value):
    assert RUN_NAME.fullmatch(child_name({"model": "cnn", "pretrained_model": value}))


def test_names_that_had_to_change_still_tell_values_apart():
    values = ["a/b", "a_b", "a b", "x" * 80, "x" * 81]
    names = [child_name({"model": "cnn", "pretrained_model": value}) for value in values]
    assert all(one != other for one, other in itertools.combinations(names, 2))
    assert names[1] == "cnn--pretrained_model-a_b"
    assert names == [child_name({"model": "cnn", "pretrained_model": value}) for value in values]
