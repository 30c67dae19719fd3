"""The words that commands share: a flag for each setting, files under flags, lists for sweeps alone."""

from pathlib import Path

import pytest

from image_classifier import arguments
from image_classifier.arguments import Parser
from image_classifier.cli import trainer_parser
from image_classifier.errors import UserError
from image_classifier.main import main
from image_classifier.settings.config import FIELDS

pytestmark = pytest.mark.unit


def flags(parser):
    return {flag for action in parser._actions for flag in action.option_strings}


def test_there_is_one_flag_per_setting():
    assert {f"--{name}" for name in FIELDS} <= flags(trainer_parser())


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


@pytest.fixture
def parsed():
    """parsed(*words) is what a parser of settings makes of them."""
    parser = Parser(prog="p", allow_abbrev=False)
    arguments.add_data(parser)
    arguments.add_settings(parser)
    return lambda *words: parser.parse_args(words)


def test_flags_are_one_layer_over_the_files_in_their_order(parsed, tmp_path):
    for name in ("a", "b"):
        (tmp_path / name).write_text(f"width: {ord(name)}\n")
    given = parsed("--config", str(tmp_path / "b"), "--config", str(tmp_path / "a"), "--seed", "3")
    layers = arguments.layers(given)
    assert [(str(each.origin), each.values) for each in layers] == [
        (str(tmp_path / "b"), {"width": 98}),
        (str(tmp_path / "a"), {"width": 97}),
        ("the command line", {"seed": "3"}),
    ]


def test_a_switch_may_stand_alone_or_have_a_value(parsed):
    assert parsed("--freeze_backbone").freeze_backbone == "true"
    assert parsed("--freeze_backbone", "false").freeze_backbone == "false"
    assert parsed().freeze_backbone is None


def test_a_list_is_kept_where_a_sweep_reads_the_files(parsed, tmp_path):
    (tmp_path / "grid.yaml").write_text("seed: [1, 2]\n")
    given = parsed("--config", str(tmp_path / "grid.yaml"))
    assert arguments.layers(given, lists=True)[0].values == {"seed": [1, 2]}
    with pytest.raises(UserError, match=r"seed in .* has a list of values"):
        arguments.layers(given)


def test_stores_are_kept_where_the_flag_says_else_in_the_users_cache(parsed, tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert arguments.cache_folder(parsed()) == tmp_path / "image_classifier"
    assert arguments.cache_folder(parsed("--cache_folder", "here")) == Path("here")


def test_a_missed_choice_is_answered_with_the_nearest():
    parser = Parser(prog="p")
    parser.add_argument("--split", choices=("val", "test"))
    with pytest.raises(UserError, match="invalid choice") as caught:
        parser.parse_args(["--split", "tset"])
    assert caught.value.hint == "did you mean test?"
    with pytest.raises(UserError) as caught:
        parser.parse_args(["--split"])
    assert caught.value.hint == "p --help shows what is accepted"
