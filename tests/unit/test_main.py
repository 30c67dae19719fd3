"""The command line's own words: flags from Config, refusals with the nearest name, exit codes."""

import subprocess
import sys

import pytest

from image_classifier.cli import command_parser
from image_classifier.errors import UserError
from image_classifier.main import main, trainer

pytestmark = pytest.mark.unit


def test_no_flag_has_an_abbreviation(capsys):
    assert trainer(["--experiment_name", "e", "--run_name", "r", "--learn", "1"]) == 2
    assert "--learn is not a flag" in capsys.readouterr().err


@pytest.mark.parametrize("program", [main, trainer])
def test_the_version_is_the_packages(program, capsys):
    assert program(["--version"]) == 0
    from importlib.metadata import version

    assert capsys.readouterr().out.strip() == version("image_classifier")


@pytest.mark.parametrize(
    "command", ["train", "prepare", "evaluate", "predict", "compare", "track", "sweep", "notify", "runs", "config"]
)
def test_every_command_explains_itself(command, capsys):
    assert main([command, "--help"]) == 0
    assert command in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "near"),
    [
        (["config", "--modle", "net"], "--model"),
        (["config", "--modle=net"], "--model"),
        (["predict", "--outptu", "x"], "--output"),
        (["conifg"], "config"),
        (["config", "--as", "yml"], "yaml"),
        (["evaluate", "e/r", "--split", "tset"], "test"),
    ],
)
def test_a_misspelt_word_gets_the_nearest_one_as_a_hint(arguments, near, capsys):
    assert main(arguments) == 2
    shown = capsys.readouterr().err
    assert shown.startswith("error: ")
    assert f" hint: did you mean {near}?" in shown


def test_the_program_and_the_module_are_one(tmp_path):
    done = subprocess.run(
        [sys.executable, "-m", "image_classifier.main", "--run_name", "r"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr.startswith("error: the following arguments are required: --experiment_name")


def test_odd_characters_in_an_error_do_not_break_its_printing(capsys):
    assert main(["config", "--config", "caf\udce9.yaml"]) == 2
    assert "\\udce9" in capsys.readouterr().err


def test_the_parsers_refuse_with_user_errors():
    with pytest.raises(UserError):
        command_parser([]).parse_args([])
