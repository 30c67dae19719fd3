"""Examples are taken by their numbers, and names are text that everything can take."""

import os
import unicodedata

import numpy as np
import pytest

from image_classifier.data.examples import Examples, ImageFile, checked_class_names, shown
from image_classifier.data.tables import Table
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    "images",
    [
        [ImageFile(name, 1) for name in "abc"],
        np.arange(3, dtype=np.uint8).reshape(3, 1, 1, 1),
        Table({"x": np.array([0.0, 1.0, 2.0])}),
    ],
    ids=["files", "pixels", "table"],
)
def test_examples_are_taken_in_the_order_that_is_asked_for(images):
    taken = Examples(np.array([5, 6, 7]), images, ("a", "b", "c")).take(np.array([2, 0]))
    assert taken.labels.tolist() == [7, 5]
    assert taken.names == ("c", "a")
    assert len(taken.images) == 2
    first = taken.images.columns["x"][0] if isinstance(images, Table) else taken.images[0]
    assert first == (2 if not isinstance(images, list) else images[2])


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("a/b.png", "a/b.png"),
        ("Kätzchen", "Kätzchen"),
        ("line\nend", "line\\nend"),
        ("\x1b[31m", "\\x1b[31m"),
        (os.fsdecode(b"caf\xe9"), "caf\\xe9"),
    ],
)
def test_a_path_is_shown_as_text_that_a_terminal_can_take(path, text):
    assert shown(path) == text


def test_class_names_are_composed():
    written = unicodedata.normalize("NFD", "Kätzchen")
    assert checked_class_names([written, "b"], "here") == ("Kätzchen", "b")


@pytest.mark.parametrize("name", ["", "  ", "a\tb", os.fsdecode(b"caf\xe9"), "a\u200b"])
def test_names_that_are_no_plain_text_are_refused(name):
    with pytest.raises(UserError, match="is not plain text"):
        checked_class_names(["a", name], "here")


def test_names_that_differ_only_in_how_an_accent_is_written_are_one():
    with pytest.raises(UserError, match="'ä' stands more than once in here"):
        checked_class_names(["a\u0308", "ä"], "here")
