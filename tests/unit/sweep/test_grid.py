"""A grid gives one child for each combination; what cannot be a grid is refused before anything is written."""

import re

import pytest

from image_classifier.errors import UserError
from image_classifier.settings.composition import compose, file_layer
from image_classifier.settings.layers import flag_layer
from image_classifier.settings.names import check_name
from image_classifier.sweep import grid

pytestmark = pytest.mark.unit


def layers(folder, *texts, **flags):
    for number, text in enumerate(texts):
        (folder / f"{number}.yaml").write_text(text)
    files = [file_layer(folder / f"{number}.yaml", lists=True) for number in range(len(texts))]
    return [*files, flag_layer(flags)]


def children(folder, *texts, **flags):
    given = layers(folder, *texts, **flags)
    return grid.children(given, grid.axes(given), folder)


def test_every_combination_is_a_child_and_the_last_list_changes_fastest(tmp_path):
    made = children(tmp_path, "model: [knn, naive_bayes]\ndataset_folder: wine\nsplit_seed: [3, 5]\nval_fraction: 0.2")
    assert [child.name for child in made] == [
        "knn--split_seed-3", "knn--split_seed-5", "naive_bayes--split_seed-3", "naive_bayes--split_seed-5",
    ]  # fmt: skip
    assert [(child.config.model, child.config.split_seed) for child in made] == [
        ("knn", 3), ("knn", 5), ("naive_bayes", 3), ("naive_bayes", 5),
    ]  # fmt: skip
    assert {child.config.val_fraction for child in made} == {0.2}
    assert {child.dataset_folder for child in made} == {"wine"}
    again = compose(list(made[3].layers))
    assert again.config == made[3].config
    assert str(again.origins["split_seed"]) == str(tmp_path / "0.yaml")


def test_later_files_and_flags_replace_a_list_or_a_value(tmp_path):
    first, second = "model: cnn\nseed: [1, 2]\nnum_epochs: [3, 4]", "learning_rate: [0.1, 0.2]\nnum_epochs: 7"
    made = children(tmp_path, first, second, seed="9")
    assert [child.values for child in made] == [{"learning_rate": 0.1}, {"learning_rate": 0.2}]
    assert {(child.config.seed, child.config.num_epochs) for child in made} == {(9, 7)}


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("learning_rate: [1e-3, 0.5, 1]", ["learning_rate-0.001", "learning_rate-0.5", "learning_rate-1.0"]),
        ("weight_decay: [0.00001]", ["weight_decay-1e-05"]),
        ("freeze_backbone: [true, false]", ["freeze_backbone-true", "freeze_backbone-false"]),
        ("image_size: [null, 16]", ["image_size-null", "image_size-16"]),
        ("image_size: ['', 16]", ["image_size-null", "image_size-16"]),
        ("class_weights: [none, balanced]", ["class_weights-none", "class_weights-balanced"]),
        ("num_threads: [1, auto]", ["num_threads-1", "num_threads-auto"]),
        ("model: [net]", ["net"]),
    ],
)
def test_a_name_tells_the_values_as_people_write_them(tmp_path, text, names):
    assert [child.name for child in children(tmp_path, text if "model" in text else f"model: cnn\n{text}")] == names


def test_a_value_that_no_name_can_hold_is_told_by_its_digest(tmp_path):
    made = children(tmp_path, "model: cnn\ndrop_columns: ['a b', a/b, 'ä, b', \"" + "x" * 300 + '"]')
    names = [child.name for child in made]
    assert len(set(names)) == 4
    for name in names:
        check_name(name, "the child")
        assert re.fullmatch(r"drop_columns-[\w.-]+--[0-9a-f]{8}", name)
    assert names == [
        child.name
        for child in children(tmp_path, "model: cnn\ndrop_columns: ['a b', a/b, 'ä, b', \"" + "x" * 300 + '"]')
    ]


def test_a_long_grid_has_short_names_that_differ(tmp_path):
    text = "model: cnn\n" + "\n".join(
        f"{name}: [0.125, 0.25]" for name in ("learning_rate", "momentum", "weight_decay", "label_smoothing", "warmup")
    )
    names = [child.name for child in children(tmp_path, text)]
    assert len(set(names)) == len(names) == 32
    for name in names:
        check_name(name, "the child")


@pytest.mark.parametrize(
    ("text", "found", "hint"),
    [
        ("seed: 1", "no setting has a list", "learning_rate: ["),
        ("", "no setting has a list", "at least one"),
        ("seed: []", "seed in .* empty list", "leave it out"),
        ("seed: [1, 1]", "seed in .* one value twice", "once"),
        ("learning_rate: [0.001, 1e-3]", "as 0.001 and as 1e-3", "once"),
        ("seed: [1, 1.0]", "as 1 and as 1.0", "once"),
        ("image_size: [null, ~]", "one value twice", "once"),
        ("image_size: [null, '']", "as None and as ", "once"),
        ("freeze_backbone: [true, yes]", "one value twice", "once"),
        ("seed: [[1, 2], 3]", "neither a single value nor a list", "name: [value, value]"),
        ("seed: [{a: 1}]", "neither a single value nor a list", "name: [value, value]"),
        ("seed: {a: 1}", "neither a single value nor a list", "name: [value, value]"),
        ("seed: &a [1, 2]\nsplit_seed: *a", "alias", ""),
        ("seed: [&a 1, *a]", "alias", ""),
        ("seed: [!!int 1]", "tag", ""),
        ("seed: !!python/tuple [1, 2]", "tag", ""),
        ("model: ['${oc.env:HOME}', net]", "secrets", ""),
        ("model: ['???', net]", "interpreted", ""),
        ("seed: [1, 2]\nseed: [3]", "duplicate", ""),
        ("[seed]: [1]", "not valid YAML", ""),
        ("- [1, 2]", "no settings", ""),
        ("learning_rte: [1, 2]", "learning_rte .* not a setting", "learning_rate"),
        ("run_name: [a, b]", "run_name .* not a setting", "flag"),
        ("dataset_folder: [wine, digits]", "cannot be compared", "a sweep for each"),
        ("seed: [1, many]", "seed must be a whole number", ""),
        ("model: [cnn, resnet81]", "model must be", "resnet18"),
        ("seed: [2020-01-01]", "seed in .* datetime", "numbers, words"),
        ("model: [knn, cnn]\nmomentum: 0.5", "momentum is not a setting of knn", "another model"),
        (f"seed: {list(range(1001))}", "1001 of seed are 1,001 runs", "several sweeps"),
        (f"seed: {list(range(40))}\nsplit_seed: {list(range(26))}", "40 of seed × 26 of split_seed", "fewer values"),
        ("model: cnn\nlearning_rate: [null, 0.01]\noptimizer: [adamw, null]", "are the same run", "out of the grid"),
    ],
)  # fmt: skip
def test_what_is_no_grid_is_refused_in_words(tmp_path, text, found, hint):
    with pytest.raises(UserError, match=found) as caught:
        children(tmp_path, text)
    assert hint in caught.value.hint


def test_a_list_is_for_sweeps_only(tmp_path):
    (tmp_path / "grid.yaml").write_text("seed: [1, 2]")
    with pytest.raises(UserError, match="not a single value") as caught:
        file_layer(tmp_path / "grid.yaml")
    assert "image_classifier sweep" in caught.value.hint
