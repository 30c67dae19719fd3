"""step.py and package.py: what all scripts share, and that it is the package of their own commit."""

import subprocess
import sys

import pytest
from steps import SCRIPTS, job, refused

from image_classifier.errors import NotSentError, UserError


@pytest.fixture
def step(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import step

    return step


@pytest.mark.parametrize("value", ["x\ny=z", "x\ry=z", "x\0"])
def test_an_output_cannot_forge_another(value, step, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_OUTPUT", str(tmp_path / "output"))
    with pytest.raises(UserError):
        step.set_outputs({"name": value})
    assert not (tmp_path / "output").exists()


def test_a_script_outside_its_workflow_says_what_is_missing(tmp_path):
    made = job(tmp_path)
    for script in ("request", "fetch_lfs", "fetch_parent", "image", "collect", "summary", "save_results", "publish"):
        refused(made.run(f"{script}.py", RUNNER_TEMP=""), "the environment has no", "a step of its workflow")


def test_a_message_stays_one_line_of_plain_letters(step):
    assert step.plain("a\nb\r\x1b[31m é ::x::") == "a\\nb\\r\\x1b[31m \\xe9 ::x::"
    assert len(step.plain("a" * 10_000)) == 401


@pytest.mark.parametrize(("actions", "shown"), [("true", "::error::a %25 b\n"), ("", "")])
def test_an_error_is_told_once_and_on_the_page_of_github_alone(actions, shown, step, monkeypatch, capsys):
    def main():
        raise NotSentError("a % b", "c")

    monkeypatch.setenv("GITHUB_ACTIONS", actions)
    with pytest.raises(SystemExit) as ended:
        step.run(main)
    assert (ended.value.code, *capsys.readouterr()) == (NotSentError.exit_code, shown, "error: a % b\n hint: c\n")


def test_a_script_needs_nothing_installed_and_no_folder_of_its_own(tmp_path):
    command = [sys.executable, "-S", "-E", "-s", "-B", SCRIPTS / "request.py"]
    done = subprocess.run(command, cwd=tmp_path, env={}, capture_output=True, text=True)
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: the environment has no INPUTS"), done.stderr


def test_no_folder_can_put_a_package_of_its_own_in_the_place_of_ours(tmp_path):
    """Neither the one a step works in nor one of PYTHONPATH, nor what is installed; ours has this hint."""
    trap = f"open({str(tmp_path / 'trace')!r}, 'w')\n"
    made = job(tmp_path, **{"image_classifier/__init__.py": trap, "image_classifier/errors.py": trap})
    inputs = '{"experiment_name": "pets", "run_name": "a", "model": "resnet19"}'
    given = {"PYTHONPATH": made.workspace, "INPUTS": inputs, "GITHUB_EVENT_NAME": "push"}
    assert refused(made.run("request.py", **given), "model", "did you mean resnet18?")
    assert not (tmp_path / "trace").exists()
