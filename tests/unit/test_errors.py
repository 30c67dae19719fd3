"""What an error says, and what it suggests."""

import pytest

from image_classifier.errors import NotSentError, UserError, of_system, one_line, suggestion

pytestmark = pytest.mark.unit


def test_who_sees_the_exception_itself_sees_what_and_what_to_do():
    assert str(UserError("it is red", "paint it")) == "it is red (paint it)"
    assert str(UserError("it is red")) == "it is red"
    assert (UserError("").exit_code, NotSentError("").exit_code) == (2, 4)


@pytest.mark.parametrize(
    ("error", "what"),
    [
        (FileNotFoundError(2, "No such file or directory", "a.csv"), "a.csv: No such file or directory"),
        (OSError("cannot identify this"), "cannot identify this"),
        (OSError(28, "No space left on device"), "[Errno 28] No space left on device"),
        (BrokenPipeError(), "BrokenPipeError"),
        (OSError(5, "", "a.csv"), "[Errno 5] : 'a.csv'"),
    ],
)
def test_an_error_of_the_system_says_what_it_knows(error, what):
    assert of_system(error).what == what


@pytest.mark.parametrize(
    ("error", "longest", "text"),
    [
        (ValueError("two\n  lines\tand more "), None, "two lines and more"),
        (ValueError("two\n  lines"), 5, "two l"),
        (ValueError(), None, "ValueError"),
        (KeyError("a"), None, "'a'"),
    ],
)
def test_a_foreign_error_is_told_on_one_line(error, longest, text):
    assert one_line(error, longest) == text


@pytest.mark.parametrize(
    ("name", "hint"), [("lerning_rate", "did you mean learning_rate?"), ("sead", "did you mean seed?"), ("xyz", "")]
)
def test_the_nearest_known_name_is_suggested_or_none(name, hint):
    assert suggestion(name, iter(["seed", "learning_rate", "momentum"])) == hint
