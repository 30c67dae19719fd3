"""What is told of a run: tags as they are given."""

import pytest

from image_classifier.errors import UserError
from image_classifier.tracking.entries import tags


def test_a_later_tag_wins_and_a_value_may_hold_anything():
    assert tags(["team=a", "team=b", "why=x = y, ${z}", "empty="]) == {"team": "b", "why": "x = y, ${z}", "empty": ""}


@pytest.mark.parametrize("text", ["team", "=b", "", "te\nam=b", "a;b=c", "x" * 251 + "=y", "naïve=b"])
def test_what_is_no_tag_is_refused_with_its_form(text):
    with pytest.raises(UserError, match=r"is not a tag .*name=value"):
        tags([text])


@pytest.mark.parametrize("name", ["commit", "dataset_digest", "model_sha256", "algorithm", "mlflow.runName"])
def test_a_tag_that_the_program_sets_cannot_be_given(name):
    with pytest.raises(UserError, match="set by the program"):
        tags([f"{name}=x"])


def test_a_value_longer_than_mlflow_keeps_is_refused():
    assert tags(["a=" + "x" * 5000])
    with pytest.raises(UserError, match="5001 letters"):
        tags(["a=" + "x" * 5001])
