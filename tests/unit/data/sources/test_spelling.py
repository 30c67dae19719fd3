"""A path that another system would understand is told how it should be written; one that nobody would is not."""

import pytest

from image_classifier.data.sources.spelling import respelled


@pytest.mark.parametrize(
    ("written", "words"),
    [
        ("cats\\a b.png", "it has backslashes: there is cats/a b.png"),
        ("cats/a%20b.png", "it is quoted as in an address: there is cats/a b.png"),
        (" cats/a b.png ", "blanks stand around it: there is cats/a b.png"),
        ("cats/c.png", None),
        ("cats\\c.png", None),
        ("a\x00b", None),
    ],
)
def test_what_is_there_under_another_spelling_is_named(tmp_path, written, words):
    (tmp_path / "cats").mkdir()
    (tmp_path / "cats" / "a b.png").touch()
    found = respelled(written, str(tmp_path))
    assert found == words if words is None else found.endswith(words)
