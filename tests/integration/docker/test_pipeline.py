"""The whole pipeline in a folder: KFP's docker runner runs each step in a container of our image, on a real daemon."""

import csv
import os
import re
import subprocess
import sys

import pytest
import smoke_data

OUTPUTS = "test_data/pipeline_outputs/smoke/individual"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A root with the three scopes' data; of the empty one there is not even a folder."""
    folder = tmp_path_factory.mktemp("root")
    for name, data in smoke_data.files().items():
        if not name.startswith("empty"):
            path = folder / "test_data/pipeline_input/smoke" / name
            path.parent.mkdir(parents=True)
            path.write_bytes(data)
    return folder


@pytest.fixture(scope="module")
def finished(image, root, tmp_path_factory):
    """The finished program, run in another folder by a user who gives a secret to the containers."""
    pytest.importorskip("kfp")
    words = ["--type", "run", "--image", image, "--root", root, "--domain", "test_data", "--use_case", "smoke"]
    command = [
        sys.executable,
        "-m",
        "image_classifier.pipelines.kubeflow",
        *words,
        "--data_scopes",
        smoke_data.AS_A_TEXT,
    ]
    environment = os.environ | {"DB_PASS": "canary-of-a-password"}  # pragma: allowlist secret
    folder = tmp_path_factory.mktemp("elsewhere")
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)


@pytest.fixture(scope="module")
def outputs(finished, root):
    """The folder of the pipeline run's outputs."""
    (folder,) = (path for path in (root / OUTPUTS).iterdir())
    return folder


def rows(path):
    with path.open(newline="") as stream:
        return list(csv.DictReader(stream))


def test_the_run_is_red_because_a_training_failed(finished):
    assert finished.returncode == 2, finished.stdout + finished.stderr
    assert finished.stderr.splitlines()[-2].startswith("error: ")
    assert "gather" in finished.stdout


def test_each_scope_ends_as_its_data_are(outputs, finished):
    states = {row["data_scope"]: row["state"] for row in rows(outputs / "kpis.csv")}
    assert states == {"good": "done", "empty": "skipped", "bad": "failed"}, finished.stdout
    (error,) = rows(outputs / "error_logs.csv")
    assert (error["run_id"], error["pipeline_step"], error["kf_run_id"]) == ("smoke/bad", "train", outputs.name)
    assert error["error_msg"].startswith("linear_svm needs two training rows of each class")


def test_the_steps_after_an_end_do_not_run(finished):
    said = re.sub(r"\x1b\[[0-9;]*m", "", finished.stdout)  # KFP colours the names
    assert [said.count(f"Executing task '{step}'") for step in ("setup", "preprocessing", "train")] == [3, 2, 2]
    assert [said.count(f"Executing task '{step}'") for step in ("evaluate", "set-mining", "extract")] == [1, 1, 0]


def test_the_outputs_are_the_callers_and_the_temporary_area_is_gone(outputs, root):
    assert [path.name for path in (outputs / "runs").iterdir()] == ["good"]
    assert {path.stat().st_uid for path in outputs.rglob("*")} == {os.getuid()}
    assert not [path for path in (root / "test_data/pipeline_tmp").rglob("*") if path.is_file()]


def test_a_secret_of_the_environment_is_in_no_file_and_no_line(finished, root):
    assert "canary-of-a-password" not in finished.stdout + finished.stderr
    found = [path for path in root.rglob("*") if path.is_file() and b"canary-of-a-password" in path.read_bytes()]
    assert found == []
