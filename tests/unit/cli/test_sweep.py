"""Sweep refuses what is no sweep before anything is written; tests/integration/sweep has the others."""

import pytest

from image_classifier.cli.sweep import MOST_AT_ONCE
from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.fixture
def refused(tmp_path, capsys):
    """refused(*words) is what is said of a sweep that is refused before anything is written."""

    def give(*words, text="model: [knn, naive_bayes]\n", name="e"):
        grid = tmp_path / "grid.yaml"
        grid.write_text(text)
        folders = ["--experiments_folder", str(tmp_path / "x"), "--cache_folder", str(tmp_path / "c")]
        assert main(["sweep", "--experiment_name", name, "--config", str(grid), *folders, *words]) == 2
        assert list(tmp_path.iterdir()) == [grid]
        return capsys.readouterr().err

    return give


@pytest.mark.parametrize("number", ["0", "-1", "two", "1.5", "", str(MOST_AT_ONCE + 1)])
def test_runs_at_a_time_are_a_whole_number(refused, number):
    assert f"-j {number} is not a number of runs at a time" in refused(f"-j={number}")


def test_a_sweep_needs_a_list_and_a_plain_name(refused):
    assert "no setting has a list of values" in refused(text="model: knn\n")
    assert "--experiment_name 'a/b' is not a valid name" in refused("--dataset_folder", "wine", name="a/b")
    assert "--tag x is not a tag" in refused("--tag", "x")


def test_data_that_is_not_there_leaves_nothing_to_train(refused):
    assert "nowhere" in refused("--dataset_folder", "nowhere/at/all")
