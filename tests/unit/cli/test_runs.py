"""Runs prints one line for each run."""

import pytest

from image_classifier import runs
from image_classifier.main import main

pytestmark = pytest.mark.unit


def test_a_finished_run_shows_its_figures(command, trained):
    code, printed, _ = command("runs")
    assert code == 0
    head, line = printed.splitlines()
    assert head.split("  ")[0] == "run"
    figures, (low, high) = trained.metrics(), trained.metrics()["accuracy_ci95"]
    assert line.split() == [
        "e/r", "finished", "dense", "wine", f"{figures['accuracy']:.4f}", f"{low:.4f}–{high:.4f}",
        f"{figures['val']['accuracy']:.4f}", trained.record["timing"]["started"],
    ]  # fmt: skip
    assert head.index("accuracy") == line.index(f"{figures['accuracy']:.4f}")


def test_an_unfinished_or_damaged_run_has_no_figures(made, tmp_path, capsys, caplog):
    made(tmp_path / "e" / "begun", runs.UNFINISHED)
    made(tmp_path / "e" / "damaged").path("metrics.json").write_text("[]")
    assert main(["runs", "--experiments_folder", str(tmp_path)]) == 0
    assert [line.split() for line in capsys.readouterr().out.splitlines()[1:]] == [
        ["e/begun", "unfinished", "cnn", "d"],
        ["e/damaged", "finished", "cnn", "d"],
    ]
    assert "damaged/metrics.json" in caplog.text
    assert "begun" not in caplog.text


def test_what_is_no_folder_is_refused(tmp_path, capsys):
    assert main(["runs", "--experiments_folder", str(tmp_path / "missing")]) == 2
    assert "missing is not a folder" in capsys.readouterr().err
