"""A file in the folder is a command, and a word that no command knows is refused with the nearest."""

import ast
from pathlib import Path

import pytest

from image_classifier import cli
from image_classifier.errors import UserError

pytestmark = pytest.mark.unit


def test_every_file_is_a_command_with_its_words_its_work_and_its_help():
    found = {path.stem: path.read_text() for path in Path(cli.__file__).parent.glob("*.py") if path.stem[0] != "_"}
    assert set(cli.NAMES) == set(found)
    for name, source in found.items():
        tree = ast.parse(source)
        functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
        assert {"add_arguments", "run"} <= functions
        assert cli._about(name) == ast.get_docstring(tree).splitlines()[0].rstrip(".")


def test_the_command_that_is_named_gets_its_words():
    parsed = cli.parse("image_classifier", ["compare", "e/a", "e/b"])
    assert (parsed.command, parsed.runs) == ("compare", ["e/a", "e/b"])
    alone = cli.parse("image_classifier_trainer", ["--experiment_name", "e", "--run_name", "r", "--seed", "3"])
    assert (alone.command, alone.run_name, alone.seed) == ("train", "r", "3")


@pytest.mark.parametrize(
    ("program", "words", "told", "hint"),
    [
        ("image_classifier", ["runs", "--experiment_folder", "x"], "--experiment_folder is not a flag of",
         "did you mean --experiments_folder?"),
        ("image_classifier", ["runs", "--zzz=1"], "--zzz is not a flag of image_classifier runs", "--help shows"),
        ("image_classifier", ["trian"], "invalid choice: 'trian'", "did you mean train?"),
        ("image_classifier_trainer", ["--learn", "1"], "--learn is not a flag of image_classifier_trainer", ""),
    ],
)  # fmt: skip
def test_an_unknown_word_is_refused_with_the_nearest(program, words, told, hint):
    with pytest.raises(UserError) as caught:
        cli.parse(program, words)
    assert told in caught.value.what
    assert hint in caught.value.hint


def test_what_follows_two_dashes_is_no_flag():
    parsed = cli.parse("image_classifier", ["predict", "e/r", "--", "--odd.png"])
    assert list(map(str, parsed.paths)) == ["--odd.png"]
