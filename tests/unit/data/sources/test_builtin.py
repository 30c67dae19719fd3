"""The built-in data sets hold what scikit-learn has."""

import numpy as np
import pytest
from sklearn import datasets
from sklearn.datasets import load_digits

from image_classifier.data.sources import builtin
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


def test_digits_are_scikit_learns_at_full_brightness(prepared):
    store = prepared("digits")
    assert store.classes == tuple("0123456789")
    assert store.shape == (8, 8, 1)
    assert [len(store.splits[name].labels) for name in ("train", "test")] == [1527, 270]
    expected = sorted(round(v * 255 / 16) for v in load_digits().images.ravel())
    stored = np.concatenate([split.inputs.ravel() for split in store.splits.values()])
    assert np.array_equal(np.sort(stored), expected)


def test_digits_can_be_prepared_at_another_size(prepared):
    assert prepared("digits", image_size=12).splits["train"].inputs.shape == (1527, 12, 12, 1)


@pytest.mark.parametrize(("name", "shape", "classes"), [("wine", (178, 13), 3), ("breast_cancer", (569, 30), 2)])
def test_the_built_in_tables_hold_what_scikit_learn_has(prepared, name, shape, classes):
    store = prepared(name)
    rows = np.concatenate([store.splits[part].inputs for part in ("train", "test")])[:, 0, 0]
    assert rows.shape == shape
    assert len(store.classes) == classes
    data = getattr(datasets, f"load_{name}")()
    assert np.array_equal(np.sort(rows[:, 0]), np.sort(data.data[:, 0].astype(np.float32)))


def test_a_column_that_is_dropped_is_gone_and_one_that_is_not_there_is_refused_with_the_nearest():
    classes, examples = builtin.table("wine", ("hue",)).load()
    assert classes == ("class_0", "class_1", "class_2")
    assert len(examples["train"].images.columns) == 12
    assert "hue" not in examples["train"].images.columns
    with pytest.raises(UserError, match="wine has no column hua to drop") as caught:
        builtin.table("wine", ("hua",)).load()
    assert caught.value.hint == "did you mean hue?"
