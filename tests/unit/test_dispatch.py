"""The form that GitHub shows says what `Config` says."""

import pytest
import yaml

from image_classifier import dispatch
from image_classifier.config import FIELDS

pytestmark = pytest.mark.unit

# The inputs in the order in which the form is read, as they were asked for.
INPUTS = [
    "experiment_name", "run_name", "dataset_folder", "model", "learning_rate", "momentum", "num_epochs", "num_workers",
    "batch_size", "pretrained_model", "overrides", "runner", "save_results",
]  # fmt: skip


@pytest.fixture(scope="module")
def form():
    return yaml.safe_load(dispatch.inputs())["inputs"]


def test_the_form_has_these_inputs_in_this_order(form):
    assert list(form) == INPUTS
    assert [name for name, about in form.items() if about["required"]] == ["experiment_name", "run_name"]


def test_each_setting_is_described_as_the_command_line_does(form):
    for name in set(INPUTS) & set(FIELDS):
        assert FIELDS[name].metadata["help"].partition(";")[0] in form[name]["description"]


def test_an_empty_setting_is_the_recipe_s_so_no_setting_has_a_default_or_a_type_of_its_own(form):
    for name in set(INPUTS) & set(FIELDS):
        assert form[name]["type"] == "string"
        assert "default" not in form[name]
