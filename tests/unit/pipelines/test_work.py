import pytest

from image_classifier import files
from image_classifier.errors import UserError


def test_an_output_is_checked_stored_and_fetched_by_its_path(work, tmp_path):
    given = work("good")
    made = tmp_path / "made"
    evaluation = {"split": "test", "n": 3, "accuracy": 0.5, "accuracy_ci95": [0, 1], "per_class": {}}
    files.write_json(made / "evaluation.json", evaluation)
    path = given.publish("evaluation", made)
    assert path == given.storage.path("pipeline_tmp", "one", "scopes", "good", "evaluate")
    assert files.read_json(given.fetched(path) / "evaluation.json") == evaluation


def test_an_output_that_is_not_as_the_structure_says_is_not_stored(work, tmp_path):
    given = work("good")
    files.write_json(tmp_path / "made" / "evaluation.json", {"split": "test"})
    with pytest.raises(UserError, match="has no 'n'"):
        given.publish("evaluation", tmp_path / "made")
    assert given.storage.listed(given.storage.path("pipeline_tmp")) == {}


def test_two_pipeline_runs_and_two_scopes_keep_their_files_apart(work):
    kinds = ("preprocessed", "store", "run", "evaluation", "mined")
    places = [
        one.place(kind) for one in (work("a"), work("b"), work("a", kf_run_id="two")) for kind in kinds
    ]  # fmt: skip
    assert len(set(places)) == len(places)
    assert work().place("outputs") != work(kf_run_id="two").place("outputs")
    assert work().place("outputs") != work(run_type="simulation").place("outputs")


def test_only_this_runs_files_and_the_use_cases_input_are_read(work):
    given = work("good")
    for path in (
        given.storage.path("pipeline_tmp", "two", "x"),
        given.storage.path("pipeline_input", "wine_quality", "x"),
        given.storage.path("pipeline_outputs", "smoke", "x"),
        "/etc",
        "",
    ):
        with pytest.raises(UserError):
            given.raw(path)
    with pytest.raises(UserError):
        given.fetched(given.storage.path("pipeline_input", "smoke", "good"))
