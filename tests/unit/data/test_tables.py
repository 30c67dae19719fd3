"""A row's numbers, by hand: numbers as they are, a category as one number for each."""

import json

import numpy as np
import pytest

from image_classifier.data.tables import Column, Table, as_json, columns_from, encoded, fitted, number
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


COLOURS = np.array(["red", "blue", "red"], dtype=object)
FLOWERS = Table({"length": np.array([0.5, 1.5, 3.0]), "colour": COLOURS})
COLUMNS = (Column("length"), Column("colour", ("blue", "red")))


def test_what_a_model_reads_is_fitted_to_the_training_rows():
    assert fitted(FLOWERS, "t.csv") == COLUMNS
    assert [column.numbers for column in COLUMNS] == [("length",), ("colour=blue", "colour=red")]
    assert len(FLOWERS) == 3


def test_rows_are_encoded_as_images_of_one_pixel():
    rows = encoded(FLOWERS.take(np.array([1, 0])), COLUMNS, "t.csv")
    assert rows.dtype == np.float32
    assert rows.tolist() == [[[[1.5, 1, 0]]], [[[0.5, 0, 1]]]]


def test_columns_are_found_by_name_and_a_missing_one_is_named():
    assert encoded(FLOWERS, COLUMNS[::-1], "t.csv")[0, 0, 0].tolist() == [0, 1, 0.5]
    with pytest.raises(UserError, match=r"t\.csv has no column width") as caught:
        encoded(FLOWERS, [Column("width")], "t.csv")
    assert caught.value.hint == "it has length, colour"


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.array([2.0, 2.0]), "has one value in all training rows"),
        (np.array(["a", "a"], dtype=object), "has one value in all training rows"),
        (np.array([1e20, np.nextafter(1e20, 2e20)]), "varies by less than 32-bit numbers can tell"),
    ],
)
def test_a_column_that_can_teach_nothing_is_refused_with_the_flag_that_leaves_it_out(values, words):
    with pytest.raises(UserError, match=words) as caught:
        fitted(Table({"length": values, "width": np.array([1.0, 2.0])}), "t.csv")
    assert "--drop_columns length" in caught.value.hint


def test_columns_come_back_from_the_file_that_describes_them():
    assert columns_from(json.loads(json.dumps(as_json(COLUMNS)))) == COLUMNS


@pytest.mark.parametrize(
    ("text", "value"),
    [("1.5", 1.5), (" 2 ", 2.0), ("1e3", 1000.0), ("nan", None), ("inf", None), ("a", None), ("", None)],
)
def test_a_text_is_a_number_if_it_writes_a_finite_one(text, value):
    assert number(text) == value


def test_numbers_written_as_text_are_named_where_a_model_wants_numbers():
    texts = Table({"length": np.array(["0.5", "1.5"], dtype=object)})
    with pytest.raises(UserError, match=r"length in t\.parquet holds '0\.5'"):
        encoded(texts, (Column("length"),), "t.parquet")
