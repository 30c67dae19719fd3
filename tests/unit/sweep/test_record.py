"""What is kept of a sweep: read back with a check, and the table and figures that are read off it."""

import csv
import json

import pytest

from image_classifier import files, runs
from image_classifier.errors import UserError
from image_classifier.sweep import record
from image_classifier.sweep.record import Sweep

pytestmark = pytest.mark.unit


def content(report, status=runs.FINISHED):
    """A sweep over two rates, of which one run failed."""
    metrics = {name: value for name, value in report.items() if name != "per_class"}
    done = {"name": "a", "status": "finished", "settings": {"learning_rate": 0.1}, "seconds": 1.5, "metrics": metrics}
    failed = {"name": "b", "status": "failed", "settings": {"learning_rate": 1}, "seconds": None, "metrics": None}
    return {
        "status": status,
        "asked": {"grid": {"learning_rate": [0.1, 1]}, "num_threads": "1"},
        "children": [done, failed],
        "failures": [{"name": "b", "what": "it diverged", "hint": "lower it"}],
        "started": "then",
        "finished": "now",
        "tracking": {"key": "k"},
    }


@pytest.fixture
def swept(tmp_path, report):
    return Sweep(tmp_path / "e", content(report))


def test_a_sweep_is_read_as_it_was_written(swept, tmp_path):
    assert not record.exists(swept.folder)
    record.write(swept)
    assert record.exists(swept.folder)
    assert record.read(swept.folder) == swept
    assert (record.find("e", tmp_path).name, record.find("other", tmp_path)) == ("e", None)
    assert (swept.best.name, len(swept.results.scored), len(swept.results.failed)) == ("a", 1, 1)


def test_an_unfinished_sweep_is_refused_with_the_way_on(tmp_path, report):
    record.write(Sweep(tmp_path / "e", content(report, runs.UNFINISHED)))
    with pytest.raises(UserError, match="the sweep e is not finished") as caught:
        record.find("e", tmp_path)
    assert "the same command" in caught.value.hint


@pytest.mark.parametrize(
    ("change", "told"),
    [
        (lambda made: made.pop("asked"), "asked is missing"),
        (lambda made: made.update(status="done"), "status is"),
        (lambda made: made["children"][0].update(seconds=-1), "seconds is"),
        (lambda made: made["children"][0]["settings"].clear(), "a run has no value of its grid"),
        (lambda made: made["children"][0]["metrics"].update(accuracy=2), "accuracy is"),
    ],
)
def test_a_record_that_was_changed_is_refused(swept, change, told):
    record.write(swept)
    made = json.loads((swept.folder / record.SWEEP_RECORD).read_text())
    change(made)
    files.write_json(swept.folder / record.SWEEP_RECORD, made)
    with pytest.raises(UserError) as caught:
        record.read(swept.folder)
    assert told in caught.value.what
    assert "sweep.json" in caught.value.what


def test_the_table_has_a_line_for_each_run_and_the_figures_have_their_intervals(swept, report):
    record.write_results(swept)
    done, failed = csv.DictReader((swept.folder / record.TABLE).read_text().splitlines())
    assert (done["run"], done["learning_rate"], float(done["accuracy"])) == ("a", "0.1", report["accuracy"])
    assert [float(done[f"accuracy_ci95_{end}"]) for end in ("low", "high")] == report["accuracy_ci95"]
    assert float(done["validation_accuracy"]) == report["val"]["accuracy"]
    assert (failed["status"], failed["error"], failed["accuracy"]) == ("failed", "it diverged", "")
    figures = json.loads((swept.folder / record.METRICS).read_text())
    assert list(figures) == ["learning_rate-0.1"]
    assert figures["learning_rate-0.1"]["accuracy_ci95"] == report["accuracy_ci95"]
    assert {path.name for path in swept.folder.iterdir()} == set(record.SWEEP_FILES)


def test_where_every_run_failed_no_picture_of_an_earlier_grid_stays(swept):
    swept.folder.mkdir()
    (swept.folder / record.EFFECTS).touch()
    nothing = Sweep(swept.folder, {**swept.record, "children": swept.record["children"][1:]})
    record.write_results(nothing)
    assert not (swept.folder / record.EFFECTS).exists()
    assert nothing.best is None


def test_what_is_said_of_a_run_comes_from_its_own_files(trained, tmp_path):
    said, why = record.entry("r", {"seed": 3}, trained.folder, None)
    assert (said["status"], said["metrics"]["accuracy"], why) == ("finished", trained.metrics()["accuracy"], None)
    assert "per_class" not in said["metrics"]
    said, why = record.entry("r", {"seed": 3}, tmp_path / "gone", None)
    assert (said["status"], said["metrics"]) == ("failed", None)
    assert "run.json" in why
    assert record.entry("r", {}, trained.folder, "it diverged")[1] == "it diverged"


def test_a_server_is_told_of_the_grid_the_counts_and_the_best(swept):
    record.write(swept)
    entry = record.tracked(swept, {"a": "b"})
    assert entry.tags == {"a": "b", "grid.learning_rate": "0.1, 1"}
    assert (entry.metrics["finished_runs"], entry.metrics["failed_runs"]) == (1, 1)
    assert entry.metrics["best_accuracy"] == swept.best.test
    assert [path.name for path in entry.files] == [record.SWEEP_RECORD]
