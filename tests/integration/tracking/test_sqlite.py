"""A run in an MLflow store on SQLite, read back by SQL and by MLflow's own client."""

import dataclasses
import hashlib
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from image_classifier import runs, tracking
from image_classifier.runs import Run

HISTORY = {"train_loss": "loss", "train_acc": "acc", "val_loss": "val_loss", "val_acc": "val_acc"}


@pytest.fixture
def sent(run, where, rows):
    """The store's rows of the run after it was sent, and its id there."""
    assert tracking.send(run, where)
    held = rows(where.store)
    return held, held.runs()["r"]


def digests(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in Path(folder).iterdir()}


def test_every_setting_and_the_classifier_are_params(sent, run):
    held, run_id = sent
    params = held.params(run_id)
    settings = dataclasses.asdict(run.config)
    assert set(params) == {*settings, "classifier", "dataset_folder"}
    assert params["classifier"] == params["model"] == "cnn"
    assert (params["num_epochs"], params["dataset_folder"], params["freeze_backbone"]) == ("3", "digits", "false")
    assert params["target_column"] == "null"


def test_each_epoch_is_a_point_of_four_metrics(sent, run):
    held, run_id = sent
    metrics = held.metrics(run_id)
    for name, column in HISTORY.items():
        assert metrics[name] == [(int(row["epoch"]), row[column]) for row in run.history()], name
    assert len(metrics["train_loss"]) == 3


def test_the_final_figures_are_those_of_metrics_json(sent, run):
    held, run_id = sent
    final = {name: points[-1][1] for name, points in held.metrics(run_id).items()}
    report = run.metrics()
    assert final["accuracy"] == report["accuracy"]
    assert [final["accuracy_ci95_low"], final["accuracy_ci95_high"]] == report["accuracy_ci95"]
    assert final["validation_accuracy"] == report["val"]["accuracy"]
    assert final["validation_loss"] == report["val"]["loss"]
    assert final["best_epoch"] == report["val"]["best_epoch"]
    assert (final["loss"], final["macro_f1"], final["ece"]) == (report["loss"], report["macro_f1"], report["ece"])


def test_tags_say_what_the_run_is_made_of(sent, run, repository):
    held, run_id = sent
    tags = held.tags(run_id)
    assert tags["team"] == "a"
    assert tags["algorithm"] == "cnn"
    assert tags["dataset_digest"] == run.card["dataset_digest"]
    assert tags["model_sha256"] == hashlib.sha256(run.path("model.pth").read_bytes()).hexdigest()
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=repository, capture_output=True, text=True, check=True)
    assert tags["commit"] == tags["mlflow.source.git.commit"] == head.stdout.strip()


def test_it_is_finished_there_with_the_times_of_its_training(sent):
    held, run_id = sent
    ((status, start, end),) = held("select status, start_time, end_time from runs where run_uuid = ?", run_id)
    assert status == "FINISHED"
    assert 0 <= end - start < 600_000


def test_all_files_of_the_run_folder_arrive_and_the_location_is_not_of_this_machine(sent, run, where, record):
    held, run_id = sent
    ((location,),) = held("select artifact_uri from runs where run_uuid = ?", run_id)
    assert location == f"mlflow-artifacts:/e/{run_id}/artifacts"
    there = where.artifacts / "e" / run_id / "artifacts"
    assert digests(there) == digests(run.folder)
    assert record(run)["tracking"]["runs"] == {where.shown: run_id}
    assert (there / "data_card.html").read_text() == "<!doctype html><title>The digits</title>"


def test_a_file_that_is_gone_from_the_run_folder_is_named(run, where, caplog):
    run.path("data_card.html").unlink()
    assert not tracking.send(run, where)
    assert "data_card.html" in caplog.text


def test_mlflows_own_client_finds_the_files_without_a_server(sent, run, where):
    script = (
        "import sys, mlflow\n"
        "client = mlflow.MlflowClient(sys.argv[1])\n"
        "print(*sorted(found.path for found in client.list_artifacts(sys.argv[2])))\n"
        "print(open(client.download_artifacts(sys.argv[2], 'training_history.csv')).read())"
    )
    command = [sys.executable, "-W", "ignore", "-c", script, where.uri, sent[1]]
    said = subprocess.run(command, capture_output=True, text=True)
    assert said.returncode == 0, said.stderr
    names, text = said.stdout.split("\n", 1)
    assert names.split() == sorted(path.name for path in run.folder.iterdir())
    assert text.strip() == run.path("training_history.csv").read_text().strip()


def test_sending_again_adds_nothing(sent, run, where, rows):
    held, run_id = sent
    before = (held.metrics(run_id), held.params(run_id), held.tags(run_id))
    there = where.artifacts / "e" / run_id / "artifacts"
    written = {path.name: path.stat().st_mtime_ns for path in there.iterdir()}
    record = run.path("run.json").read_bytes()
    assert tracking.send(Run(run.folder, {**run.record}), where)  # knows nothing of the first time but its key
    again = rows(where.store)
    assert list(again.runs().values()) == [run_id]
    assert (again.metrics(run_id), again.params(run_id), again.tags(run_id)) == before
    assert {path.name: path.stat().st_mtime_ns for path in there.iterdir()} == written
    assert run.path("run.json").read_bytes() == record


def test_what_was_lost_or_changed_is_sent_again_and_nothing_else(sent, run, where, record):
    there = where.artifacts / "e" / sent[1] / "artifacts"
    (there / "model.pth").unlink()
    run.path("metrics.png").write_bytes(b"drawn anew")
    kept = (there / "predictions.npz").stat().st_mtime_ns
    assert tracking.send(Run(run.folder, record(run)), where)
    assert digests(there) == digests(run.folder)
    assert (there / "predictions.npz").stat().st_mtime_ns == kept


def test_a_copy_of_the_run_is_the_same_run_and_another_store_gets_its_own(sent, run, where, rows, record, tmp_path):
    shutil.copytree(run.folder, tmp_path / "else/e/r")
    copy = Run(tmp_path / "else/e/r", record(run))
    assert tracking.send(copy, where)
    assert list(rows(where.store).runs().values()) == [sent[1]]
    other = tracking.resolve(f"sqlite:///{tmp_path}/other.db", tmp_path)
    assert tracking.send(copy, other)
    assert set(record(copy)["tracking"]["runs"]) == {where.shown, other.shown}
    assert rows(tmp_path / "other.db").runs().keys() == {"r"}


def test_a_parent_that_became_known_later_is_added(sent, run, where, rows, record):
    assert tracking.send(Run(run.folder, record(run)), where, parent="0123")
    assert rows(where.store).tags(sent[1])["mlflow.parentRunId"] == "0123"
    assert record(run)["tracking"]["parent"] == "0123"


def test_a_run_of_before_tracking_gets_its_key(run, where, rows, record):
    old = {name: value for name, value in run.record.items() if name not in ("tracking", "tags")}
    assert tracking.send(Run(run.folder, old), where)
    assert (
        rows(where.store).tags(rows(where.store).runs()["r"])["image_classifier.key"] == record(run)["tracking"]["key"]
    )


TEN = """
import json, os, sys
from pathlib import Path
from image_classifier import runs, tracking
import mlflow.tracking, mlflow.store.tracking.sqlalchemy_store
folder = Path(sys.argv[1])
where = tracking.resolve(f"sqlite:///{folder}/mlflow.db", folder)
children = []
for number in range(10):
    child = os.fork()
    if child == 0:
        os._exit(0 if tracking.send(runs.read(folder / "e" / f"r{number}"), where) else 1)
    children.append(child)
print(sorted(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children))
"""


def test_ten_runs_sent_at_once_to_a_store_that_is_not_there_yet_all_arrive(run, experiments, new_store, rows):
    where = new_store
    for number in range(10):
        copied = shutil.copytree(run.folder, experiments / "e" / f"r{number}")
        runs.write_record(Run(copied, {**run.record, "tracking": {"key": runs.new_key()}}))
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", TEN, experiments], capture_output=True, text=True)
    assert said.stdout.strip() == str([0] * 10), said.stderr
    held = rows(where.store)
    ids = held.runs()
    assert set(ids) == {f"r{number}" for number in range(10)}
    for name, run_id in ids.items():
        assert len(held.metrics(run_id)["train_loss"]) == 3
        assert digests(where.artifacts / "e" / run_id / "artifacts") == digests(experiments / "e" / name)
