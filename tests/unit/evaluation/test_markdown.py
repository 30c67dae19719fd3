"""Text that comes from data stays text in Markdown."""

import pytest

from image_classifier.evaluation import markdown

pytestmark = pytest.mark.unit


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("cat", "cat"),
        ("a|b", "a\\|b"),
        ("<img src=x>", "&lt;img src=x&gt;"),
        ("[a](http://b)", "\\[a\\]\\(http\\://b\\)"),
        ("two\nlines\x1b", "two lines "),
        ("*b* `c` @team", "\\*b\\* \\`c\\` \\@team"),
        ("Kätzchen 猫", "Kätzchen 猫"),
    ],
)
def test_markup_is_shown_and_never_followed(text, shown):
    assert markdown.escaped(text) == shown


def test_a_table_has_its_head_its_marks_and_its_rows():
    assert markdown.table(["a", "b"], [["1", "2"]]) == "| a | b |\n| --- | --- |\n| 1 | 2 |"
    assert markdown.table(["a"], [], ["---:"]) == "| a |\n| ---: |"


def test_a_share_is_told_in_percent():
    assert [markdown.percent(share) for share in (0, 0.12345, 1)] == ["0.0 %", "12.3 %", "100.0 %"]
