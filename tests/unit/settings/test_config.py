"""A setting's bounds hold wherever its value comes from, and a Config lacks nothing that its model needs."""

import dataclasses
import math

import pytest
from omegaconf import OmegaConf

from image_classifier.errors import UserError
from image_classifier.settings.composition import compose
from image_classifier.settings.config import FIELDS, Config, StepSettings, check, expected, kind, spelled

pytestmark = pytest.mark.unit


BOUNDED = [name for name, field in FIELDS.items() if field.metadata["low"] is not None]
CHOSEN = [name for name, field in FIELDS.items() if field.metadata["choices"]]
STEPS = {
    "num_epochs": 1, "batch_size": 2, "optimizer": "sgd", "learning_rate": 0.1, "momentum": 0.5, "weight_decay": 0.0,
    "label_smoothing": 0.0, "warmup": 0.0, "schedule": "linear",
}  # fmt: skip


@pytest.mark.parametrize("name", BOUNDED)
def test_the_bounds_are_allowed_and_what_is_beyond_them_is_not(name):
    field = FIELDS[name]
    low, high = (kind(field)(field.metadata[end]) for end in ("low", "high"))
    for value in (low, high):
        check(field, value, "here")
    beyond = (low - 1, high + 1) if kind(field) is int else (math.nextafter(low, -1), math.nextafter(high, math.inf))
    for value in (*beyond, math.nan, "1", True, [low]):
        with pytest.raises(UserError, match=f"^{name} must be .*from here"):
            check(field, value, "here")


@pytest.mark.parametrize("name", CHOSEN)
def test_only_a_choice_is_allowed_and_the_nearest_is_named(name):
    for choice in FIELDS[name].metadata["choices"]:
        check(FIELDS[name], choice, "here")
    choice = FIELDS[name].metadata["choices"][-1]
    with pytest.raises(UserError, match=f"{name} must be ") as caught:
        check(FIELDS[name], f"{choice}x", "here")
    assert f"did you mean {choice}?" in caught.value.hint


@pytest.mark.parametrize(("value", "good"), [
    ("auto", True), ("1", True), ("9999", True), (3, True), ("0", False), ("-1", False), ("10000", False),
    ("1.5", False), ("two", False), ("", False),
])  # fmt: skip
def test_threads_are_a_number_or_auto(value, good):
    if good:
        check(FIELDS["num_threads"], value, "here")
    else:
        with pytest.raises(UserError, match="num_threads must be auto or a whole number from 1 to 9999"):
            check(FIELDS["num_threads"], value, "here")


def test_what_is_not_given_is_allowed_only_where_none_means_something():
    check(FIELDS["image_size"], None, "here")
    with pytest.raises(UserError, match="seed must be a whole number from 0 to"):
        check(FIELDS["seed"], None, "here")
    assert (kind(FIELDS["image_size"]), kind(FIELDS["seed"]), kind(FIELDS["warmup"])) == (int, int, float)
    assert expected(FIELDS["freeze_backbone"]) == "true or false"
    assert expected(FIELDS["target_column"]) == "a text"


def test_a_config_that_lacks_what_a_step_needs_is_refused_by_its_names():
    with pytest.raises(UserError, match="Config of cnn lacks num_epochs, batch_size, optimizer") as caught:
        Config(model="cnn")
    assert "compose(model='cnn'" in caught.value.hint
    whole = Config(model="cnn", **STEPS)
    assert whole.step_settings() == StepSettings(**STEPS)
    for name in STEPS:
        with pytest.raises(UserError, match=f"Config of cnn lacks {name}$|Config of cnn lacks {name} "):
            dataclasses.replace(whole, **{name: None})
    assert Config(model="knn").num_epochs is None


def test_what_can_change_no_number_stays_out_of_the_card():
    assert set(FIELDS) - set(Config(model="knn").numeric()) == {"num_workers", "checkpoint_minutes"}


@pytest.mark.parametrize("value", [None, True, False, 0, 3, 0.001, 1e-05, "cosine", "a/b/model.pth"])
def test_a_value_is_spelled_as_a_file_of_settings_would_have_it(value):
    assert OmegaConf.create(f"x: {spelled(value)}")["x"] == value


def test_every_default_is_a_value_that_its_setting_allows():
    for name, field in FIELDS.items():
        if name != "model":
            check(field, field.default, "the default")
    assert compose([], "net").config.step_settings().learning_rate == 0.001


def test_what_decides_how_data_is_prepared():
    config = Config(model="knn", target_column="kind", drop_columns=" a, b,,", split_seed=7, group_column="day")
    expected = {"image_size": None, "split_seed": 7, "target_column": "kind", "group_column": "day"}
    assert config.data_settings() == expected | {"drop_columns": ("a", "b")}
