"""A value from a file is of the type that is written down for it, or the error names its first part that is not."""

from pathlib import Path
from typing import Annotated, Any, Literal, NotRequired, TypedDict

import pytest

from image_classifier import schema
from image_classifier.errors import UserError
from image_classifier.schema import Count, Digest, Interval, Share

pytestmark = pytest.mark.unit


class Inner(TypedDict):
    share: Share
    more: NotRequired[list[str]]


class Outer(TypedDict):
    kind: Literal["a", 1]
    inner: Inner | None
    by_name: dict[Digest, Count]
    anything: Any
    pair: Interval


GOOD = {"kind": "a", "inner": {"share": 0.5}, "by_name": {"0" * 64: 3}, "anything": [{}], "pair": [0, 1.0], "new": 1}


def complaint(value, expected=Outer):
    try:
        schema.check(value, expected, Path("file.json"), "hint")
    except UserError as error:
        return error.what.removeprefix("file.json is not as it was written: ")
    return ""


@pytest.mark.parametrize("change", [{}, {"inner": None}, {"kind": 1}, {"inner": {"share": 1, "more": ["x"]}}])
def test_what_fits_is_accepted(change):
    assert complaint(GOOD | change) == ""


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"kind": "b"}, 'kind is "b" and not a or 1'),
        ({"kind": True}, "kind is true and not a or 1"),
        ({"inner": {}}, "inner.share is missing"),
        ({"inner": {"share": "1"}}, 'inner.share is "1" and not a number'),
        ({"inner": {"share": 1.5}}, "inner.share is 1.5 and not a number from 0 to 1"),
        ({"inner": {"share": True}}, "inner.share is true and not a number"),
        ({"inner": {"share": 0, "more": [1]}}, "inner.more.1 is 1 and not a text"),
        ({"by_name": {"x": 3}}, 'by_name is "x", which it cannot be'),
        ({"by_name": {"0" * 64: 2.0}}, f"by_name.{'0' * 60} is 2.0 and not a whole number"),
        ({"pair": [1]}, "pair has 1 values and not 2"),
        ({"pair": {}}, "pair is an object and not a list"),
        ({"anything": float("inf")}, "Out of range float values are not JSON compliant"),
        ({"anything": "\ud800"}, "'utf-8' codec can't encode character '\\ud800' in position"),
    ],
)
def test_what_does_not_fit_is_named_with_its_place(change, told):
    assert told in complaint(GOOD | change)


def test_a_value_of_another_kind_altogether_is_named():
    assert complaint([]) == "it is a list and not an object"
    assert complaint([1, "x"], list[Annotated[int, schema.Within(0, 1)]]) == '2 is "x" and not a whole number'


def test_nesting_that_a_reader_could_not_follow_is_refused():
    deep = []
    for _ in range(60):
        deep = [deep]
    assert "levels deep" in complaint(GOOD | {"anything": deep})
