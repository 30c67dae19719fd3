"""What is told of a run: its figures, and tags as they are given."""

import pytest

from image_classifier import files, runs
from image_classifier.errors import UserError
from image_classifier.runs import Run
from image_classifier.tracking.entries import of_run, tags


def told(run, **parts):
    """What is sent of the run, had its record these parts."""
    return of_run(Run(run.folder, {**run.record, "tracking": {"key": "k"}} | parts))


def test_the_figures_of_the_error_sets_are_sent_and_their_files(trained):
    found, entry = files.read_json(trained.path("error_sets.json")), told(trained)
    assert entry.metrics["nb_freq_sets"] == found["nb_freq_sets"]
    assert entry.metrics["max_support_value"] == found["max_support_value"]
    assert {path.name for path in entry.files} >= set(runs.MINED)


def test_a_run_of_an_earlier_version_is_sent_without_error_sets(trained):
    earlier = {name: each for name, each in trained.record["files"].items() if name not in runs.MINED}
    entry = told(trained, files=earlier)
    assert entry.metrics.keys() == told(trained).metrics.keys() - {"nb_freq_sets", "max_support_value"}
    assert not {path.name for path in entry.files} & set(runs.MINED)


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
