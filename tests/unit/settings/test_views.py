"""The page of settings and GitHub's form are what `Config` and the recipes say."""

import pytest
import yaml

from image_classifier.settings import views
from image_classifier.settings.composition import compose, file_layer
from image_classifier.settings.config import FIELDS
from image_classifier.settings.families import MODELS
from image_classifier.settings.layers import flag_layer

pytestmark = pytest.mark.unit

# The inputs in the order in which the form is read, as they were asked for.
INPUTS = [
    "experiment_name", "run_name", "dataset_folder", "model", "learning_rate", "momentum", "num_epochs", "num_workers",
    "batch_size", "pretrained_model", "overrides", "runner", "save_results",
]  # fmt: skip


@pytest.fixture(scope="module")
def form():
    return yaml.safe_load(views.dispatch_form())["inputs"]


def test_the_page_in_docs_is_the_one_the_code_makes(repository):
    """`image_classifier config --as reference > docs/settings.md` makes it again."""
    assert (repository / "docs" / "settings.md").read_text(encoding="utf-8") == views.reference_page()


def test_the_page_names_every_setting_and_every_model():
    page = views.reference_page()
    assert all(f"| `{name}` |" in page for name in FIELDS)
    assert all(f"`{model}`" in page or f"| {model} |" in page for model in MODELS)


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


@pytest.mark.parametrize("model", ["cnn", "dense", "knn"])
@pytest.mark.parametrize("shape", [views.as_yaml, views.as_params])
def test_the_printed_settings_compose_to_themselves(tmp_path, model, shape):
    given = {"seed": "5", "freeze_backbone": "true", "pretrained_model": "a/b/model.pth", "dataset_folder": "wine"}
    composed = compose([flag_layer(given)], model)
    (tmp_path / "settings.yaml").write_text(shape(composed), encoding="utf-8")
    again = compose([file_layer(tmp_path / "settings.yaml")])
    assert again.config == composed.config
