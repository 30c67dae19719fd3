import pytest

from image_classifier.errors import UserError
from image_classifier.pipelines import use_case
from image_classifier.settings.composition import compose, file_layer

TABLE = "data: table\nnumbers: [width]\ntarget_column: kind\nmodel: linear_svm\n"


@pytest.mark.parametrize("name", use_case.names())
def test_every_use_case_that_is_shipped_can_be_read(name):
    assert use_case.read(name).name == name


def test_the_settings_go_to_the_training_as_a_file(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text(use_case.understood("x", TABLE + "seed: 7\n").settings_file())
    config = compose([file_layer(path)]).config
    assert (config.model, config.seed, config.target_column) == ("linear_svm", 7, "kind")


def test_a_table_says_the_type_of_each_column():
    found = use_case.understood("x", TABLE + "categories: [colour]\n")
    assert found.columns == {"width": "number", "colour": "text", "kind": "class"}
    assert found.is_table
    assert not use_case.read("digits_images").is_table


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (TABLE + "sed: 1", r"sed in use case x is not known \(did you mean seed\?\)"),
        (TABLE + "number: [a]", "did you mean numbers"),
        (TABLE + "dataset_folder: x", "dataset_folder in use case x is not known"),
        (TABLE + "seed: 1\nseed: 2", "duplicate key"),
        (TABLE + "seed: ${oc.env:HOME}", "could read secrets"),
        (TABLE + "a: &b 1", "uses an alias"),
        (TABLE + "seed: much", "seed must be"),
        (TABLE + "learning_rate: 0.1", "learning_rate is not a setting of linear_svm"),
        (TABLE + "drop_columns: a", "drops columns"),
        (TABLE + "group_column: a", "groups its rows"),
        (TABLE + "categories: [width]", "names the column width more than once"),
        (TABLE + "categories: red", "no list of columns"),
        (TABLE + "source: jdbc:postgresql://h/n", "but not scope_column"),
        (TABLE.replace("model: linear_svm", ""), "names no model"),
        (TABLE.replace("numbers: [width]", ""), "no column to learn from"),
        (TABLE.replace("target_column: kind", ""), "which column is the class"),
        (TABLE.replace("table", "tables"), r"did you mean table\?"),
        ("data: images\nmodel: cnn\nnumbers: [a]", "its data are images"),
        ("- a", "holds no settings"),
    ],
)
def test_a_use_case_that_means_nothing_is_refused(text, said):
    with pytest.raises(UserError, match=said):
        use_case.understood("x", text)


def test_a_use_case_that_does_not_exist_is_refused_with_the_nearest():
    with pytest.raises(UserError, match=r"did you mean wine_quality\?"):
        use_case.read("wine_qualiti")
