"""step.py: what all scripts share."""

import pytest
from steps import SCRIPTS, job, refused

from image_classifier.settings import names


@pytest.mark.parametrize("value", ["x\ny=z", "x\ry=z", "x\0"])
def test_an_output_cannot_forge_another(value, monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import step

    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    with pytest.raises(step.RefusedError):
        step.set_outputs({"name": value})
    assert not (tmp_path / "output").exists()


def test_a_script_outside_its_workflow_says_what_is_missing(tmp_path):
    made = job(tmp_path)
    for script in ("request", "fetch_lfs", "fetch_parent", "image", "collect", "summary", "save_results", "publish"):
        refused(made.run(f"{script}.py", RUNNER_TEMP=""), "the environment has no", "a step of its workflow")


def test_a_message_stays_one_line_of_plain_letters(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import step

    assert step.plain("a\nb\r\x1b[31m é ::x::") == "a\\nb\\r\\x1b[31m \\xe9 ::x::"
    assert len(step.plain("a" * 10_000)) == 401


def test_the_script_and_the_package_know_the_same_names(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import request
    import step

    assert step.NAME.pattern == names.RUN_NAME.pattern
    assert request.BUILT_IN == names.BUILT_IN_DATA
    assert request.CIFAR == names.DEFAULT_DATASET
    assert request.PUBLISHED == names.PUBLISHED_WEIGHTS
    assert request.RUNNERS == names.RUNNERS
    assert (*request.SETTINGS, "pretrained_model") == names.IN_THE_FORM
