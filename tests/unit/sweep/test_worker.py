"""A worker's reply says what became of a run, and a run that fails ends nothing else."""

import sys

import pytest

from image_classifier import runs
from image_classifier.sweep import worker
from image_classifier.training import train

pytestmark = pytest.mark.unit


@pytest.fixture
def task(trained, cache, tmp_path, monkeypatch):
    """task(**values) is what a worker is given for a run on wine with these settings."""
    monkeypatch.setattr(sys, "argv", sys.argv)

    def make(**values):
        given = {"dataset_folder": "wine", "model": "naive_bayes", "num_threads": "1"} | values
        return {
            "experiment_name": "e", "run_name": "r", "layers": [("sweep", "the sweep", given)],
            "experiments_folder": str(tmp_path), "cache_folder": str(cache), "where": None, "tags": {"a": "b"},
            "parent": "p", "command": ["sweep", "-j", "2"], "access": {},
        }  # fmt: skip

    return make


def test_a_run_is_trained_with_the_sweeps_command_tags_and_origins(task, tmp_path):
    assert worker.reply(task()) == {"what": None, "hint": "", "sent": True}
    run = runs.find("e/r", tmp_path)
    assert (run.record["provenance"]["command"], run.record["tags"]) == ("sweep -j 2", {"a": "b"})
    assert str(run.origins["model"]) == "the sweep"
    assert run.record["tracking"]["parent"] == "p"
    assert worker.reply(task())["what"] is None, "a finished run is there at once"


def test_what_is_wrong_with_a_run_is_in_the_reply_with_the_way_out(task, tmp_path):
    told = worker.reply(task(model="net"))
    assert told["what"] == "net reads images, and this is a table"
    assert told["hint"].startswith("choose one of dense")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("error", "what", "traced"),
    [
        (ZeroDivisionError("by\nzero"), "ZeroDivisionError: by zero", True),
        (OSError(28, "No space left on device", "a.csv"), "a.csv: No space left on device", False),
        (ValueError("x" * 5000), f"ValueError: {'x' * 988}", True),
    ],
)
def test_no_error_of_a_run_reaches_the_worker(task, monkeypatch, capsys, error, what, traced):
    def broken(_):
        raise error

    monkeypatch.setattr(train, "train", broken)
    assert worker.reply(task())["what"] == what
    assert ("Traceback" in capsys.readouterr().err) == traced
