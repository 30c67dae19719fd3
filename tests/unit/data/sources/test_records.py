"""What rows say of themselves: which order they have, and what is refused."""

from uuid import UUID

import pytest

from image_classifier.data.sources.records import Records, ordered
from image_classifier.errors import UserError

CALLED = {"key": "key", "label": "label", "split": "split", "group": "group"}


@pytest.fixture
def records():
    """records(column=values, …) are the checked records of such rows."""

    def make(query="SELECT 1 ORDER BY 1", **columns):
        found = Records(list(columns), CALLED, query, "the query")
        for row in zip(*columns.values(), strict=True):
            found.add(row)
        found.check()
        return found

    return make


def refusal(call, *arguments, **named):
    with pytest.raises(UserError) as caught:
        call(*arguments, **named)
    return str(caught.value)


@pytest.mark.parametrize(
    ("query", "answer"),
    [
        ("SELECT a FROM t ORDER BY a", True),
        ("select a from t\norder\n by a", True),
        ("SELECT a FROM t", False),
        ("SELECT a FROM (SELECT a FROM t ORDER BY a LIMIT 5)", False),
        ("SELECT row_number() OVER (PARTITION BY (a) ORDER BY b) FROM t", False),
        ("SELECT row_number() OVER (ORDER BY b) FROM t ORDER BY a", True),
        ("SELECT 'order by' FROM t", False),
        ('SELECT a AS "order by" FROM t', False),
        ("SELECT a FROM t -- order by a", False),
        ("SELECT a FROM t /* order by\n a */", False),
        ("SELECT $x$ order by $x$ FROM t", False),
        ("SELECT 'it''s' FROM t ORDER BY ')'", True),
        ("SELECT border by_me FROM t", False),
    ],
)
def test_an_order_is_found_where_it_orders_the_rows(query, answer):
    assert ordered(query) is answer


def test_without_a_key_the_query_must_have_an_order(records):
    said = refusal(Records, ["label"], CALLED, "SELECT label FROM t", "the query")
    assert "neither a column key nor an order" in said
    assert records(label=["a", "b"]).names([1]) == ("row 2",)


@pytest.mark.parametrize(
    ("keys", "order"),
    [
        ([10, 9, 100], [1, 0, 2]),
        (["b", "a/z", "a/b/c", "a/q"], [0, 3, 1, 2]),  # as folders are listed: files first
        (["e\u0301", "f", "ea"], [2, 1, 0]),
        ([UUID(int=2), UUID(int=1), UUID(int=3)], [1, 0, 2]),
    ],
)
def test_rows_are_ordered_by_their_keys_however_they_come(records, keys, order):
    labels = ["x"] * len(keys)
    assert records(key=keys, label=labels).order(by_class=True) == order
    assert records(key=keys, label=labels).order(by_class=False) == order


def test_images_are_ordered_by_class_first_and_rows_without_a_key_stay(records):
    found = records(key=[1, 2, 3, 4], label=["b", "a", "b", "a"])
    assert found.order(by_class=True) == [1, 3, 0, 2]
    assert found.order(by_class=False) == [0, 1, 2, 3]
    assert records(label=["b", "a", "b"]).order(by_class=True) == [1, 0, 2]


def test_classes_are_named_as_folders_would_be(records):
    found = records(key=[1, 2, 3], label=[10, 9, 1], split=["train", "train", "train"])
    names, labels = found.classes(found.splits(found.order(by_class=True)))
    assert names == ("1", "10", "9")
    assert labels["train"].tolist() == [0, 1, 2]


def test_splits_groups_and_names_go_with_their_rows(records):
    found = records(
        key=list("abcd"), label=list("xyxy"), split=["test", "Training", "train", "test"], group=[1, 2, 2, 3]
    )
    splits = found.splits(found.order(by_class=True))
    assert splits == {"train": [2, 1], "test": [0, 3]}
    assert found.groups(splits["test"]) == ("1", "3")
    assert found.names(splits["train"]) == ("c", "b")


def test_splits_and_groups_that_nobody_fills_in_are_none(records):
    found = records(key=["a", "b"], label=["x", "y"], split=[None, None], group=[None, None])
    assert found.splits([0, 1]) == {"train": [0, 1]}
    assert found.groups([0]) is None


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"key": [], "label": []}, "finds no rows"),
        ({"key": ["a", "b", "c"], "label": ["x", None, None]}, "label is missing in 2 of 3 rows of the query: b, c"),
        ({"key": ["a", None], "label": ["x", "y"]}, "key is missing in 1 of 2 rows of the query: row 2"),
        ({"key": ["a", "b"], "label": ["x", "y"], "split": ["train", None]}, "split is missing in 1 of 2 rows"),
        ({"key": ["a", "b"], "label": ["x", "y"], "group": ["p", None]}, "group is missing in 1 of 2 rows"),
        ({"key": ["a", "b", "a"], "label": ["x", "y", "x"]}, "1 keys stand more than once in the query: a"),
        ({"key": ["a", "b"], "label": ["x", 1]}, "label is of mixed types in the query: int and str, as 1 and 'x'"),
        ({"key": ["a", "b"], "label": [True, 1]}, "label is of mixed types in the query: bool and int"),
        ({"key": ["a", 1], "label": ["x", "y"]}, "key is of mixed types"),
        ({"key": ["a", "b"], "label": [0.5, 1.5]}, "label in the query is of the type float"),
        ({"key": ["a", "b"], "label": ["x", "y"], "split": ["train", "other"]}, "split in the query holds other"),
        ({"key": ["a", "b"], "label": ["x", "y"], "split": ["test", "test"]}, "no rows in the split train"),
    ],
)
def test_what_cannot_be_learned_from_is_refused_by_key(records, columns, said):
    assert said in refusal(records, **columns)


def test_bytes_are_no_label(records):
    assert "label of a in the query is bytes" in refusal(records, key=["a"], label=[b"x"])


@pytest.mark.parametrize(
    ("labels", "said"),
    [
        (["x", "x", "x"], "names one class only: x"),
        (["x", "y", "z"], "classes that no training row has: z"),
        (["x", " ", "x"], "not plain text"),
        (["e\u0301", "\u00e9", "x"], "stands more than once"),
        (["x", "caf\udce9", "x"], "not plain text"),
    ],
)
def test_classes_that_are_none_are_refused(records, labels, said):
    found = records(key=[1, 2, 3], label=labels, split=["train", "train", "test"])
    assert said in refusal(found.classes, found.splits(found.order(by_class=True)))
