"""training.yaml, dispatched on a real docker daemon: from the form to artifact, summary and pull request."""

import hashlib
import io
import json
import os
import sqlite3
import subprocess
import zipfile
from pathlib import Path

import pytest

from image_classifier import load_run
from image_classifier.model import artifact

WORKFLOW = "training.yaml"
FORM = {"experiment_name": "pets", "dataset_folder": "digits", "model": "cnn", "num_epochs": "2"}
RUN_FILES = {
    *("model.pth", "metrics.json", "metrics.png", "confusion_matrix.png", "predictions.npz", "run.json"),
    *("training_history.csv", "training_history.png", "error_sets.csv", "error_sets.json", "error_sets.png"),
}
CONDITIONAL = {"Restore downloaded data", "Fetch what Git LFS keeps", "Fetch the parent run", "Keep downloaded data"}


def outcomes(run, job="train"):
    return {step.name: step.outcome for step in run.jobs[job].steps}


def log(run, name, job="train"):
    return next(step.log for step in run.jobs[job].steps if step.name == name)


def everything(run):
    """All that GitHub shows of a run."""
    return "\n".join([run.name, *(job.summary for job in run.jobs.values())] + [
        step.log for job in run.jobs.values() for step in job.steps
    ])  # fmt: skip


def unpacked(rehearsed, run, folder):
    """The run folder in the run's artifact."""
    (number,) = [number for number, each in rehearsed.api.artifacts.items() if each["workflow_run"] == {"id": run.id}]
    with zipfile.ZipFile(io.BytesIO(rehearsed.api.archives[number])) as archive:
        archive.extractall(folder)
    (found,) = folder.glob("*/*")
    return found


@pytest.fixture(scope="module")
def first(rehearsed):
    """The finished run of the shortest form that trains in seconds."""
    return rehearsed.dispatch(WORKFLOW, FORM | {"run_name": "first"})


@pytest.fixture(scope="module")
def first_folder(rehearsed, first, tmp_path_factory):
    return unpacked(rehearsed, first, tmp_path_factory.mktemp("first"))


@pytest.fixture(scope="module")
def second(rehearsed, first, builder, tracker):
    """A tracked run that begins with the first one's model, whose results are kept."""
    rehearsed.machine |= builder
    rehearsed.vars["MLFLOW_URL"] = tracker.url.replace("//", "//CANARY@")
    form = {"run_name": "second", "pretrained_model": f"run:{first.id}", "save_results": "true", "overrides": "seed=1"}
    return rehearsed.dispatch(WORKFLOW, FORM | form)


@pytest.fixture(scope="module")
def second_folder(rehearsed, second, tmp_path_factory):
    return unpacked(rehearsed, second, tmp_path_factory.mktemp("second"))


@pytest.fixture(scope="module")
def third(rehearsed, second, tracker):
    """A run on the branch with the saved results, whose model it names by its path; its tracking server is down."""
    assert second.conclusion == "success", everything(second)
    tracker.stop()
    form = {"run_name": "third", "pretrained_model": "pets/second/model.pth"}
    return rehearsed.dispatch(WORKFLOW, FORM | form, ref="refs/heads/results/pets/second")


def test_a_click_trains_from_the_form_to_the_artifact(first):
    assert first.name == "Experiment: pets / Run: first"
    assert first.conclusion == "success", everything(first)
    expected = {name: "skipped" if name in CONDITIONAL else "success" for name in outcomes(first)}
    assert outcomes(first) == expected
    assert first.jobs["train"].labels == "ubuntu-24.04"
    assert first.jobs["save"].result == "skipped"


def test_the_artifact_is_the_whole_run_folder_and_can_be_used(first_folder, rehearsed, first):
    assert first_folder.parts[-2:] == ("pets", "first")
    assert {path.name for path in first_folder.iterdir()} == RUN_FILES
    artifact.load(first_folder / "model.pth")
    told = load_run(first_folder)
    record = json.loads((first_folder / "run.json").read_text())
    assert record["provenance"]["commit"] == rehearsed.git("rev-parse", "main") == first.github["sha"]
    image_id = first.jobs["train"].contexts["steps"]["image"]["outputs"]["image"]
    assert record["provenance"]["image_digest"] == image_id
    assert told.metrics()["n"] == 270


def test_the_summary_shows_the_accuracy_of_the_artifact_and_links_to_it(first_folder, first):
    metrics = json.loads((first_folder / "metrics.json").read_text())
    summary = first.jobs["train"].summary
    low, high = metrics["accuracy_ci95"]
    assert f"**{metrics['accuracy']:.1%}**".replace("%", " %") in summary
    assert f"{low:.1%} to {high:.1%}".replace("%", " %") in summary
    address = first.jobs["train"].contexts["steps"]["upload"]["outputs"]["artifact-url"]
    assert f"({address})" in summary
    assert "### Frequent error sets" in summary


def test_what_the_container_writes_belongs_to_the_caller(first):
    runner = first.jobs["train"]
    uid = 1001 if os.geteuid() == 0 else os.geteuid()
    written = [*runner.workspace.rglob("*"), *(runner.temp / "cache").rglob("*"), *(runner.temp / "summary").rglob("*")]
    assert {path for path in written if path.lstat().st_uid != uid} == set()


def test_only_the_run_folder_and_the_bill_of_materials_are_new_in_the_workspace(first):
    command = ["git", "-c", "safe.directory=*", "status", "--porcelain", "--ignored", "--untracked-files=all"]
    said = subprocess.run(command, cwd=first.jobs["train"].workspace, check=True, capture_output=True, text=True).stdout
    new = {line.split(maxsplit=1)[1] for line in said.splitlines()}
    run_folder = {name for name in new if name.startswith("experiments/pets/first/")}
    caches = {name for name in new - run_folder if "__pycache__" in name}
    assert {Path(name).name for name in run_folder} >= RUN_FILES
    assert new - run_folder - caches <= {"docker/sbom.cdx.json", "experiments/mlflow.db"}


def test_the_database_password_reaches_the_training_container_alone(rehearsed, first, docker):
    called = rehearsed.called()
    started = [words for words in called if words[1] == "run"]
    asked = [words for words in started if "--env=DB_PASS" in words]
    assert len(asked) == 1
    assert "image_classifier_trainer" in asked[0]
    secret = rehearsed.secrets["DB_PASS"]
    knew = [words for words in called if words[0] == f"DB_PASS={secret}"]
    assert [words for words in knew if words[1] == "run"] == asked
    assert [words for words in called if secret in " ".join(words[1:])] == []
    assert "***" not in everything(first), "not even hidden"


def test_neither_the_database_password_nor_the_token_is_in_a_file(rehearsed, first, second):
    kept = [path for path in rehearsed.folder.rglob("*") if path.is_file() and path.name != "docker.log"]
    assert len(kept) > 100
    for secret in (rehearsed.secrets["DB_PASS"], rehearsed.api.token):
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []


def test_no_container_and_no_build_folder_stays(rehearsed, first, second, docker):
    names = docker("ps", "--all", "--format", "{{.Names}}").stdout.split()
    assert [name for name in names if str(first.id) in name or str(second.id) in name] == []
    folders = Path("/tmp").glob("image-classifier-build.*")
    assert [path for path in folders if path.lstat().st_uid == (os.geteuid() or 1001)] == []


def test_a_second_run_begins_with_the_model_of_the_first(second, second_folder, first_folder):
    assert second.conclusion == "success", everything(second)
    assert outcomes(second)["Fetch the parent run"] == "success"
    parent = hashlib.sha256((first_folder / "model.pth").read_bytes()).hexdigest()
    assert load_run(second_folder).card["parent_sha256"] == parent
    assert parent in second.jobs["train"].summary


def test_the_second_summary_compares_with_the_first(second):
    assert "pets/first" in second.jobs["train"].summary


def test_the_results_wait_in_a_pull_request_through_git_lfs(rehearsed, second, second_folder, tmp_path):
    assert set(outcomes(second, "save").values()) == {"success"}, everything(second)
    (pull,) = rehearsed.api.pulls
    assert (pull["head"], pull["base"]) == ("results/pets/second", "main")
    changed = rehearsed.git("diff", "--name-only", "main", "results/pets/second").split()
    assert {Path(name).name for name in changed} == RUN_FILES
    assert {str(Path(name).parent) for name in changed} == {"experiments/pets/second"}
    pointer = rehearsed.git("show", "results/pets/second:experiments/pets/second/model.pth")
    digest = hashlib.sha256((second_folder / "model.pth").read_bytes()).hexdigest()
    assert f"oid sha256:{digest}" in pointer
    assert f"{json.loads((second_folder / 'metrics.json').read_text())['accuracy']:.4f}" in pull["body"]
    assert "pull request" in second.jobs["save"].summary
    commit = rehearsed.git("rev-parse", "results/pets/second").strip()
    for text in (second.jobs["save"].summary, pull["body"]):
        assert f"/raw/{commit}/experiments/pets/second/error_sets.png)" in text


def test_a_saved_run_is_fetched_from_git_lfs_and_begins_the_next(rehearsed, third, second_folder, tmp_path):
    assert third.conclusion == "success", everything(third)
    assert {name for name in CONDITIONAL if outcomes(third)[name] == "success"} == {"Fetch what Git LFS keeps"}
    parent = hashlib.sha256((second_folder / "model.pth").read_bytes()).hexdigest()
    assert load_run(unpacked(rehearsed, third, tmp_path)).card["parent_sha256"] == parent
    assert "pets/second" in third.jobs["train"].summary


def test_mlflow_has_the_run_and_the_summary_links_to_it(second, second_folder, tracker):
    with sqlite3.connect(tracker.database) as database:
        ((run_id, experiment, name, status),) = database.execute(
            "select run_uuid, experiment_id, name, status from runs"
        ).fetchall()
        params = dict(database.execute("select key, value from params"))
        epochs = database.execute("select step from metrics where key = 'train_loss' order by step").fetchall()
    assert (name, status) == ("second", "FINISHED")
    assert (params["seed"], params["num_epochs"], epochs) == ("1", "2", [(1,), (2,)])
    kept = tracker.database.parent / "files" / str(experiment) / run_id / "artifacts"
    assert {path.name: path.read_bytes() for path in kept.iterdir()} == {
        path.name: path.read_bytes() for path in second_folder.iterdir()
    }
    page = f"{tracker.url}/#/experiments/{experiment}/runs/{run_id}"
    assert f"[The run in MLflow]({page})" in second.jobs["train"].summary
    assert "CANARY" not in everything(second)
    assert [path for path in second_folder.iterdir() if b"CANARY" in path.read_bytes()] == []


def test_a_tracking_server_that_is_down_fails_nothing(third):
    assert third.conclusion == "success", everything(third)
    assert "third was not sent to" in log(third, "Train")
    assert "image_classifier track pets/third --tracking_uri URL" in third.jobs["train"].summary
    assert "MLflow" not in log(third, "Prepare the data")


def test_without_the_variable_nothing_is_tracked(first):
    assert "MLflow" not in first.jobs["train"].summary


def test_only_the_saving_job_may_write(rehearsed, second):
    assert second.jobs["train"].permissions == {"contents": "read", "actions": "read", "packages": "read"}
    allowed = second.jobs["save"].permissions
    assert {name for name, level in allowed.items() if level == "write"} == {"contents", "pull-requests"}
    saving = [step.name for step in second.jobs["save"].steps]
    assert len(saving) == 2, "checkout and one script"
