"""Tests of the types that a Parquet column may have: each is read, or refused in words."""

import datetime as dt
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from image_classifier.data.sources.columns import classes, values
from image_classifier.errors import UserError

ROWS = 10


def column(*repeated, kind=None):
    return pa.chunked_array([pa.array([repeated[row % len(repeated)] for row in range(ROWS)], kind)])


def badly_coded():
    """Text that says it is UTF-8 and is not."""
    ends = pa.array(np.arange(ROWS + 1, dtype=np.int32)).buffers()[1]
    return pa.chunked_array([pa.StringArray.from_buffers(ROWS, ends, pa.py_buffer(b"b\xe9" * (ROWS // 2)))])


def stored_as(extension, *repeated):
    (chunk,) = column(*repeated, kind=extension.storage_type).chunks
    return pa.chunked_array([pa.ExtensionArray.from_storage(extension, chunk)])


REFUSED = {
    "bytes": column(b"a", b"b"),
    "foreign bytes": column(b"a", b"\xe9", kind=pa.large_binary()),
    "bytes of one length": column(b"aa", b"bb", kind=pa.binary(2)),
    "bytes in a dictionary": column(b"a", b"b").dictionary_encode(),
    "text that is not UTF-8": badly_coded(),
    "nothing": column(None),
    "lists": column([1], [2]),
    "lists with gaps": column([1, None], None),
    "long lists": column([1], [2], kind=pa.large_list(pa.int64())),
    "lists of one length": column([1], [2], kind=pa.list_(pa.int64(), 1)),
    "structs": column({"x": 1}, {"x": 2}),
    "maps": column([("a", 1)], [("b", 2)], kind=pa.map_(pa.string(), pa.int64())),
    "durations": column(1, 2, kind=pa.duration("ns")),
    "intervals": column((1, 2, 3), (2, 2, 3), kind=pa.month_day_nano_interval()),
    "a zone that does not exist": column(1, 2, kind=pa.timestamp("us", "No/Where")),
    "days after the end of time": column(1, 2**31 - 1, kind=pa.date32()),
    "identifiers": stored_as(pa.uuid(), b"a" * 16, b"b" * 16),
    "documents": stored_as(pa.json_(), "1", "2"),
}


@pytest.mark.parametrize("read", [values, classes])
@pytest.mark.parametrize("name", REFUSED)
def test_a_column_that_is_neither_numbers_nor_texts_is_refused_by_name(tmp_path, read, name):
    with pytest.raises(UserError, match=r"^kind in \S+/t\.parquet ") as caught:
        read(REFUSED[name], "kind", tmp_path / "t.parquet")
    assert caught.value.hint


def test_the_first_row_that_is_not_utf_8_is_named(tmp_path):
    with pytest.raises(UserError, match=r"is not UTF-8 text in row 2: '\\xe9'"):
        values(badly_coded(), "kind", tmp_path)


@pytest.mark.parametrize(
    "kind", [pa.string(), pa.large_string(), pa.string_view(), pa.dictionary(pa.int8(), pa.string())]
)
def test_texts_are_texts_however_they_are_stored(tmp_path, kind):
    texts = column("b", "a", kind=kind)
    assert values(texts, "x", tmp_path).tolist() == ["b", "a"] * (ROWS // 2)
    names, labels = classes(texts, "x", tmp_path)
    assert (names, labels.tolist()) == (("a", "b"), [1, 0] * (ROWS // 2))


@pytest.mark.parametrize(
    "numbers",
    [
        column(10, 2, kind=pa.int8()), column(10, 2, kind=pa.uint64()), column(10.0, 2.0, kind=pa.float32()),
        column(10, 2, kind=pa.dictionary(pa.int8(), pa.int32())), column(Decimal("10.00"), Decimal("2.00")),
        column(np.float16(10), np.float16(2), kind=pa.float16()),
    ],
)  # fmt: skip
def test_whole_numbers_are_classes_sorted_as_numbers_however_they_are_stored(tmp_path, numbers):
    assert values(numbers, "x", tmp_path).tolist() == [10, 2] * (ROWS // 2)
    assert classes(numbers, "x", tmp_path)[0] == ("2", "10")


def test_dates_may_be_classes_but_no_numbers(tmp_path):
    days = column(dt.date(2021, 1, 1), dt.date(2020, 1, 1))
    assert classes(days, "day", tmp_path)[0] == ("2020-01-01", "2021-01-01")
    with pytest.raises(UserError, match="has the type date32"):
        values(days, "day", tmp_path)


@pytest.mark.parametrize("measured", [(Decimal("1.5"), Decimal("2.0")), (1e308, 1.0), (1.5, 2.0), (float("inf"), 1.0)])
def test_measurements_are_no_classes(tmp_path, measured):
    with pytest.raises(UserError, match="a number, not a class"):
        classes(column(*measured), "x", tmp_path)


@pytest.mark.parametrize("nothing", [None, float("nan")])
def test_a_class_that_is_missing_is_named_by_its_row(tmp_path, nothing):
    with pytest.raises(UserError, match="has no value in row 2"):
        classes(column(1.0, nothing), "x", tmp_path)


@pytest.mark.parametrize("huge", [1e39, -1e308, Decimal(10) ** 70])
def test_numbers_beyond_32_bits_are_named_by_their_row(tmp_path, huge):
    with pytest.raises(UserError, match=r"is -?1e\+\d+, beyond 3\.4e\+38.* in row 2"):
        values(column(type(huge)(1), huge), "x", tmp_path)
