"""Four layers become one Config, and files can do nothing but set values."""

import dataclasses
from pathlib import Path

import pytest
import yaml

from image_classifier import compose as compose_config
from image_classifier.errors import UserError
from image_classifier.settings.composition import compose, config_layer, file_layer, parse
from image_classifier.settings.config import FIELDS, Config
from image_classifier.settings.families import FAMILIES, MODELS, read_recipe
from image_classifier.settings.layers import CODE, COMMAND_LINE, Kind, Layer, Origin, code_layer, flag_layer

pytestmark = pytest.mark.unit


def written(folder: Path, text: str, name: str = "settings.yaml") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_later_layers_win_and_each_setting_knows_where_it_came_from(tmp_path):
    first = file_layer(written(tmp_path, "num_epochs: 7\nseed: 1\nbatch_size: 8\n", "a.yaml"))
    second = file_layer(written(tmp_path, "seed: 2\nbatch_size: 16\n", "b.yaml"))
    composed = compose([first, second, flag_layer({"batch_size": "32"})], "net", Origin(Kind.DATA, "the data"))
    assert (composed.config.num_epochs, composed.config.seed, composed.config.batch_size) == (7, 2, 32)
    assert composed.config.learning_rate == 0.001
    assert composed.config.val_fraction == 0.1
    origins = {
        name: str(composed.origins[name]) for name in ("num_epochs", "seed", "batch_size", "learning_rate", "model")
    }
    assert origins == {
        "num_epochs": str(tmp_path / "a.yaml"),
        "seed": str(tmp_path / "b.yaml"),
        "batch_size": "the command line",
        "learning_rate": "recipe net.yaml",
        "model": "the data",
    }
    assert composed.origins["val_fraction"].kind is Kind.DEFAULT


def test_the_model_of_the_last_file_decides_which_recipe_is_the_base(tmp_path):
    layers = [
        file_layer(written(tmp_path, "model: net", "a.yaml")),
        file_layer(written(tmp_path, "model: cnn", "b.yaml")),
    ]
    assert compose(layers, "sprint").config.optimizer == yaml.safe_load(read_recipe("cnn"))["optimizer"]
    assert compose([*layers, flag_layer({"model": "net"})], "sprint").config.optimizer == "sgd"


@pytest.mark.parametrize("model", [*MODELS, "timm/resnet18"])
def test_every_model_has_a_recipe_that_composes(model):
    config = compose([], model).config
    recipe = yaml.safe_load(read_recipe(model))
    for name, value in recipe.items():
        assert getattr(config, name) == value


@pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.recipe)
def test_a_recipe_sets_what_depends_on_the_model_and_nothing_else(family):
    names = {name for name, field in FIELDS.items() if field.metadata["recipe"]}
    own = set(yaml.safe_load(read_recipe(family.names[0])) or ())
    assert own - {"pretrained_model"} <= names  # what a model is for may be to start from published weights
    unsaid = {"classical": names, "dense": {"width", "flip", "translate", "cutout", "start_size"}}
    assert names - own <= unsaid.get(family.recipe, {"width"})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate: ${oc.env:HOME}", "secrets"),
        ('learning_rate: "\\x24{oc.env:HOME}"', "secrets"),
        ("${oc.env:HOME}: 1", "secrets"),
        ("seed: &a 1\nsplit_seed: *a", "alias"),
        ("seed: 1\nseed: 2", "duplicate"),
        ("seed: !!python/object/apply:os.getcwd []", "tag"),
        ("seed: !!int 1", "tag"),
        ("<<: {seed: 1}", "single value"),
        ("seed: [1, 2]", "single value"),
        ("seed: {a: 1}", "single value"),
        ("5", "holds no settings but a int"),
        ("true", "holds no settings but a bool"),
        ("0x1f", "holds no settings but a int"),
        ("- seed", "no settings"),
        ("just text", "no settings"),
        ("seed: 1\n---\nseed: 2", "not valid YAML"),
        ("seed: 'open", "not valid YAML"),
        ("[" * 100_000, "single value"),
        ("seed: " + "9" * 5000, "not valid YAML"),
        ("\tseed: 1", "not valid YAML"),
    ],
)
def test_a_file_that_could_do_more_than_set_values_is_refused(tmp_path, monkeypatch, text, message):
    monkeypatch.setenv("HOME", "a-secret-in-the-environment")
    with pytest.raises(UserError, match=message) as caught:
        file_layer(written(tmp_path, text))
    assert "a-secret" not in caught.value.what + caught.value.hint


def test_dollar_brace_in_a_comment_is_no_interpolation(tmp_path):
    assert file_layer(written(tmp_path, "seed: 1  # not ${this}")).values == {"seed": 1}


@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("learning_rte", "learning_rate"),
        ("epochs", "num_epochs"),
        ("dataset_foldr", "dataset_folder"),
        ("num_classes", "derived"),
        ("db_pass", "secrets"),
        ("run_name", "flag"),
    ],
)
def test_an_unknown_key_suggests_the_nearest(tmp_path, name, hint):
    with pytest.raises(UserError, match="is not a setting") as caught:
        file_layer(written(tmp_path, f"{name}: 1"))
    assert hint in caught.value.hint


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("num_epochs", "1.5"), ("num_epochs", "many"), ("num_epochs", "0"), ("num_epochs", "-1"), ("batch_size", "0"),
        ("learning_rate", "fast"), ("learning_rate", "0"), ("learning_rate", "nan"), ("learning_rate", "inf"),
        ("learning_rate", "-0.1"), ("momentum", "1"), ("val_fraction", "1"), ("val_fraction", "-0.1"), ("seed", "-1"),
        ("seed", str(2**63)), ("model", "resnet19"), ("optimizer", "adam"), ("precision", "fp16"), ("device", "gpu"),
        ("num_threads", "0"), ("num_threads", "two"), ("num_threads", "1.5"), ("num_workers", "-1"),
        ("checkpoint_minutes", "-1"), ("freeze_backbone", "maybe"), ("image_size", "3"), ("flip", "up"),
    ],
)  # fmt: skip
def test_a_value_out_of_bounds_is_refused_by_name_and_origin(name, value):
    with pytest.raises(UserError, match=f"{name} must be") as caught:
        compose([flag_layer({name: value})], "net")
    assert "command line" in caught.value.what


@pytest.mark.parametrize("value", ["1", 1, "auto", "16"])
def test_the_number_of_threads_is_a_number_or_auto(value):
    assert compose([flag_layer({"num_threads": value})], "net").config.num_threads == str(value)


@pytest.mark.parametrize(("text", "value"), [("1e-3", 0.001), ("0.001", 0.001), ("1", 1.0), ("1.0e-3", 0.001)])
def test_a_rate_may_be_written_as_people_write_it(tmp_path, text, value):
    layer = file_layer(written(tmp_path, f"learning_rate: {text}"))
    assert compose([layer], "net").config.learning_rate == value
    assert compose([flag_layer({"learning_rate": text})], "net").config.learning_rate == value


@pytest.mark.parametrize(("text", "value"), [("true", True), ("false", False), ("True", True)])
def test_a_switch_takes_true_and_false(text, value):
    assert compose([flag_layer({"freeze_backbone": text})], "net").config.freeze_backbone is value


def test_an_empty_value_means_the_default(tmp_path):
    layers = [file_layer(written(tmp_path, "num_epochs:\nbatch_size: ''\n")), flag_layer({"learning_rate": ""})]
    assert compose(layers, "net").config == compose([], "net").config


def test_a_setting_the_model_does_not_have_is_refused():
    with pytest.raises(UserError, match="width is not a setting of net"):
        compose([flag_layer({"width": "8"})], "net")


def test_an_unknown_model_suggests_the_nearest():
    with pytest.raises(UserError) as caught:
        compose([flag_layer({"model": "resnet81"})], "net")
    assert "resnet18" in caught.value.hint


@pytest.mark.parametrize("kind", ["missing", "folder", "binary", "large"])
def test_a_file_that_is_no_settings_file_is_refused(tmp_path, kind):
    path = tmp_path / "x.yaml"
    if kind == "folder":
        path.mkdir()
    elif kind == "binary":
        path.write_bytes(b"\xff\xfe\x00seed")
    elif kind == "large":
        path.write_text("#" * (2 << 20))
    with pytest.raises(UserError) as caught:
        file_layer(path)
    assert str(path) in caught.value.what


def test_a_file_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "x.yaml"
    path.write_bytes(b"\xef\xbb\xbfseed: 3\n")
    assert file_layer(path).values == {"seed": 3}


def test_settings_given_in_python_override_the_recipe_and_the_files(tmp_path):
    path = written(tmp_path, "num_epochs: 7\nseed: 3\n")
    config = compose_config(path, model="cnn", num_epochs=3)
    assert (config.num_epochs, config.seed) == (3, 3)
    assert config.batch_size == yaml.safe_load(read_recipe("cnn"))["batch_size"]


def test_a_value_that_equals_the_default_counts_as_given():
    layers = [Layer(Origin(Kind.RUN, "run.json"), {"seed": 5}), code_layer({"seed": 0})]
    composed = compose(layers, "cnn")
    assert (composed.config.seed, composed.origins["seed"]) == (0, CODE)


@pytest.mark.parametrize("model", ["cnn", "dense", "knn", "sprint"])
def test_a_whole_config_gives_every_setting_of_its_model(model):
    config = compose_config(model=model, seed=4)
    composed = compose([flag_layer({"seed": "9"}), config_layer(config, CODE)], "net")
    assert composed.config == config
    assert {name for name, origin in composed.origins.items() if origin != CODE} == {
        name for name, field in FIELDS.items() if field.metadata["recipe"] and name not in yaml_of(model)
    }


def test_none_is_said_where_the_recipe_has_weights():
    recipe = compose_config(model="efficientnet_lite0")
    assert (recipe.pretrained_model, compose_config(model="cnn").pretrained_model) == ("imagenet", None)
    composed = compose([flag_layer({"pretrained_model": "none"})], "efficientnet_lite0")
    assert composed.config.pretrained_model is None
    assert composed.values()["pretrained_model"] == "none"
    again = compose([config_layer(composed.config, CODE)], "efficientnet_lite0")
    assert again.config.pretrained_model is None
    assert compose([], "cnn").values()["pretrained_model"] is None


def yaml_of(model):
    return yaml.safe_load(read_recipe(model)) or {}


STEPWISE = [family.names[0].replace("<name>", "resnet18") for family in FAMILIES if family.stepwise]


@pytest.mark.parametrize("model", STEPWISE)
def test_no_step_setting_of_a_composed_config_is_missing(model):
    found = compose_config(model=model).step_settings()
    assert None not in vars(found).values()
    assert vars(found) == {name: yaml_of(model)[name] for name in vars(found)}


def test_a_config_that_lacks_what_its_model_needs_is_refused():
    with pytest.raises(UserError, match="lacks num_epochs") as caught:
        Config(model="cnn", learning_rate=0.1)
    assert "compose(model='cnn'" in caught.value.hint


def test_only_what_somebody_asked_for_counts_as_chosen(tmp_path):
    assert [Origin(kind, "x").kind for kind in Kind if Origin(kind, "x").chosen] == [Kind.FILE, Kind.FLAG, Kind.CODE]
    assert flag_layer({"seed": "1"}).origin == COMMAND_LINE
    assert file_layer(written(tmp_path, "seed: 1")).origin.kind is Kind.FILE


def test_settings_without_a_model_are_refused():
    with pytest.raises(UserError, match="no model"):
        compose_config(seed=1)


def test_a_config_made_in_python_is_checked_at_once():
    with pytest.raises(UserError, match="learning_rate"):
        compose_config(model="cnn", learning_rate=-1.0)
    with pytest.raises(UserError, match="val_fraction"):
        dataclasses.replace(compose_config(model="cnn"), val_fraction=2.0)


def test_parse_of_nothing_is_nothing():
    assert parse("", "x") == {}
    assert parse("# only a comment\n", "x") == {}
