"""The command line's own words: flags from Config, refusals with the nearest name, exit codes."""

import subprocess
import sys

import pytest

from image_classifier.cli import command_parser, trainer_parser
from image_classifier.errors import UserError
from image_classifier.main import main, trainer
from image_classifier.settings.config import FIELDS

pytestmark = pytest.mark.unit


def flags(parser):
    return {flag for action in parser._actions for flag in action.option_strings}


def test_there_is_one_flag_per_setting():
    assert {f"--{name}" for name in FIELDS} <= flags(trainer_parser())


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


def test_config_prints_what_it_would_use_and_from_where(capsys):
    assert main(["config", "--model", "net", "--seed", "7"]) == 0
    lines = {line.split(":")[0]: line for line in capsys.readouterr().out.splitlines()}
    assert list(lines) == list(FIELDS)
    assert lines["seed"].split() == ["seed:", "7", "#", "the", "command", "line"]
    assert lines["learning_rate"].split() == ["learning_rate:", "0.001", "#", "recipe", "net.yaml"]


def test_params_are_read_alike_by_dvc_and_by_config(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    given = ["config", "--model", "cnn", "--learning_rate", "1e-5", "--dataset_folder", "digits", "--num_threads", "2"]
    assert main([*given, "--as", "params"]) == 0
    printed = capsys.readouterr().out
    (tmp_path / "params.yaml").write_text(printed)
    from dvc.utils.serialize import load_yaml

    read = load_yaml("params.yaml")
    assert list(read) == ["dataset_folder", *FIELDS]
    assert (read["dataset_folder"], read["learning_rate"], read["num_threads"]) == ("digits", 1e-5, "2")
    assert (read["freeze_backbone"], read["width"], read["flip"]) == (False, None, "none")
    assert main(["config", "--config", "params.yaml", "--as", "params"]) == 0
    assert capsys.readouterr().out == printed


def test_a_list_that_a_flag_replaces_does_no_harm_and_one_that_stays_is_for_a_sweep(tmp_path, capsys):
    grid = tmp_path / "grid.yaml"
    grid.write_text("model: [knn, dense]\nseed: 3\n")
    assert main(["config", "--config", str(grid), "--model", "dense"]) == 0
    assert "seed: 3" in capsys.readouterr().out
    for command in (["config"], ["prepare"], ["train", "--experiment_name", "e", "--run_name", "r"]):
        assert main([*command, "--config", str(grid)]) == 2
        said = capsys.readouterr().err
        assert f"model in {grid} has a list of values" in said
        assert "image_classifier sweep" in said
        assert "--model" in said


def test_a_list_is_replaced_by_a_later_file_and_only_by_a_later_one(tmp_path, capsys):
    grid, one = tmp_path / "grid.yaml", tmp_path / "one.yaml"
    grid.write_text("model: cnn\nseed: [1, 2]\n")
    one.write_text("seed: 5\n")
    assert main(["config", "--config", str(grid), "--config", str(one)]) == 0
    assert "seed: 5" in capsys.readouterr().out
    assert main(["config", "--config", str(one), "--config", str(grid)]) == 2
    assert "has a list of values" in capsys.readouterr().err


def test_the_parsers_refuse_with_user_errors():
    with pytest.raises(UserError):
        command_parser([]).parse_args([])
