"""training.yaml where the training fails or takes too long: what there is still arrives, and nothing is saved."""

import hashlib
import io
import json
import zipfile

import pytest
from PIL import Image
from sklearn.datasets import load_digits

WORKFLOW = "training.yaml"
FORM = {"experiment_name": "pets", "dataset_folder": "digits", "model": "cnn", "save_results": "true"}


def step(run, name):
    return next(step for step in run.jobs["train"].steps if step.name == name)


def kept(rehearsed, run):
    """{name: content} of the run's artifact."""
    (number,) = [number for number, each in rehearsed.api.artifacts.items() if each["workflow_run"] == {"id": run.id}]
    with zipfile.ZipFile(io.BytesIO(rehearsed.api.archives[number])) as archive:
        return {name.rpartition("/")[2]: archive.read(name) for name in archive.namelist()}


@pytest.fixture(scope="module")
def diverged(rehearsed, builder):
    """A run on pictures in Git LFS whose loss is no number after a few steps."""
    rehearsed.machine |= builder

    def add_pictures(folder):
        digits = load_digits()
        for number, (image, label) in enumerate(zip(digits.images[:200], digits.target[:200], strict=True)):
            path = folder / "photos" / str(label) / f"{number}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray((image * 15).astype("uint8")).save(path)
        (folder / "photos/.gitattributes").write_text("*.png filter=lfs diff=lfs merge=lfs -text\n")

    rehearsed.push("pictures", add_pictures)
    wild = {"learning_rate": "100", "momentum": "0.99", "overrides": "optimizer=sgd weight_decay=1"}
    form = FORM | wild | {"run_name": "wild", "dataset_folder": "photos"}
    return rehearsed.dispatch(WORKFLOW, form, ref="refs/heads/pictures")


@pytest.fixture(scope="module")
def stopped(rehearsed, builder):
    """A run of a branch whose training step may take twenty seconds and has work for hours."""
    rehearsed.machine |= builder

    def shorten(folder):
        path = folder / ".github/workflows" / WORKFLOW
        text = path.read_text()
        assert text.count("4200 || 320") == 1
        path.write_text(text.replace("4200 || 320", "4200 || 0.34"))

    rehearsed.push("short", shorten)
    return rehearsed.dispatch(WORKFLOW, FORM | {"run_name": "long", "num_epochs": "9999"}, ref="refs/heads/short")


def test_a_training_that_diverges_fails_with_the_trainer_s_own_words(diverged):
    assert (diverged.conclusion, step(diverged, "Train").outcome) == ("failure", "failure")
    log = step(diverged, "Train").log
    assert "error: the loss became nan" in log
    assert " hint: lower --learning_rate" in log
    assert log.endswith("Error: Process completed with exit code 2.\n")


def test_pictures_in_git_lfs_are_fetched_and_only_they(rehearsed, diverged):
    fetched = (diverged.jobs["train"].workspace / "photos/0/0.png").read_bytes()
    assert fetched.startswith(b"\x89PNG")
    assert hashlib.sha256(fetched).hexdigest() in rehearsed.git("show", "pictures:photos/0/0.png")
    done = [step(diverged, name).outcome for name in ("Restore downloaded data", "Fetch what Git LFS keeps")]
    assert done == ["success", "success"]
    assert step(diverged, "Keep downloaded data").outcome == "skipped", "only what served a training is kept"


def test_what_a_failed_training_left_is_uploaded_all_the_same(rehearsed, diverged):
    assert step(diverged, "Upload the run folder").outcome == "success"
    files = kept(rehearsed, diverged)
    assert "model.pth" not in files
    assert json.loads(files["run.json"])["config"]["learning_rate"] == 100


def test_the_summary_of_a_failed_training_says_so(diverged):
    assert "## pets/wild did not finish" in diverged.jobs["train"].summary
    assert step(diverged, "Measure and compare").outcome == "skipped"


def test_nothing_of_a_failed_training_is_saved(rehearsed, diverged, stopped):
    assert {diverged.jobs["save"].result, stopped.jobs["save"].result} == {"skipped"}
    assert rehearsed.api.pulls == []
    assert set(rehearsed.git("branch", "--format=%(refname:short)").split()) == {"main", "pictures", "short"}


def test_a_training_that_takes_too_long_keeps_its_checkpoint(rehearsed, stopped):
    assert (stopped.conclusion, step(stopped, "Train").outcome) == ("failure", "failure")
    assert "The action has timed out" in step(stopped, "Train").log
    assert "stopped by" in step(stopped, "Train").log
    assert "checkpoint.pth" in kept(rehearsed, stopped)


def test_no_container_outlives_a_training_that_was_stopped(rehearsed, stopped, docker):
    assert str(stopped.id) not in docker("ps", "--all", "--format", "{{.Names}}").stdout


def test_a_training_that_failed_is_no_parent(rehearsed, diverged):
    form = FORM | {"run_name": "child", "pretrained_model": f"run:{diverged.id}"}
    child = rehearsed.dispatch(WORKFLOW, form)
    assert step(child, "Fetch the parent run").outcome == "failure"
    assert "conclusion" in step(child, "Fetch the parent run").log
    assert step(child, "Get the image").outcome == "skipped"
