"""More threads than the machine can bear are refused by every command that trains, before anything is written."""

import pytest

from image_classifier import cpus
from image_classifier.main import main

pytestmark = pytest.mark.unit


@pytest.fixture
def folders(tmp_path):
    return ["--experiments_folder", str(tmp_path / "experiments"), "--cache_folder", str(tmp_path / "cache")]


def test_a_training_is_refused(folders, tmp_path, capsys):
    names = ["--experiment_name", "e", "--run_name", "r", "--dataset_folder", "digits"]
    assert main(["train", *names, *folders, "--num_threads", "9999"]) == 2
    told = capsys.readouterr().err
    assert "error: num_threads 9999 is far more than this process has CPUs, which is " in told
    assert "give at most " in told
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(("threads", "at_once"), [("[1, 9999]", "1"), ("9999", "2"), ("[250, 251]", "64")])
def test_a_sweep_is_refused_for_all_its_runs_together(folders, tmp_path, monkeypatch, capsys, threads, at_once):
    monkeypatch.setattr(cpus, "available_cpus", lambda: 2)
    grid = tmp_path / "grid.yaml"
    grid.write_text(f"dataset_folder: digits\nmodel: [cnn, net]\nnum_threads: {threads}\n")
    assert main(["sweep", "--experiment_name", "e", "--config", str(grid), "-j", at_once, *folders]) == 2
    assert "is far more than this process has CPUs, which is 2" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [grid]
