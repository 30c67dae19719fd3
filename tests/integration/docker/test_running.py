"""Containers as users run them: the default, mounted folders, no rights, no network, stopped and resumed."""

import hashlib
import json
import os
import subprocess
import uuid

import pytest

TRAIN = ["image_classifier_trainer", "--dataset_folder", "digits", "--model", "cnn", "--experiment_name", "e",
         "--num_threads", "1"]  # fmt: skip


@pytest.fixture
def caller(tmp_path):
    """Who runs containers: an unprivileged user's id, which no image knows."""
    return os.geteuid() or 4321


@pytest.fixture
def experiments(tmp_path, caller):
    """The caller's folder for results."""
    folder = tmp_path / "experiments"
    folder.mkdir()
    os.chown(folder, caller, caller if os.geteuid() == 0 else -1)
    return folder


@pytest.fixture
def run(docker, image, experiments, caller):
    """run(command…, options=…) in a container of the caller's that has the folder mounted; the finished process."""

    def start(*command, options=(), check=True):
        own = ["--rm", f"--user={caller}:{experiments.stat().st_gid}", f"--volume={experiments}:/workspace/experiments"]
        return docker("run", *own, *options, image, *command, check=check)

    return start


def digests(run_folder):
    return {
        name: hashlib.sha256((run_folder / name).read_bytes()).hexdigest() for name in ("model.pth", "predictions.npz")
    }


def test_results_belong_to_the_caller_and_say_which_image_made_them(run, experiments, caller, clone, git):
    options = [
        "--env=IMAGE_CLASSIFIER_IMAGE_DIGEST=sha256:of-this-image",
        "--read-only",
        "--tmpfs=/tmp",
        "--network=none",
    ]
    run(*TRAIN, "--run_name", "r", "--num_epochs", "1", options=options)
    made = list(experiments.rglob("*"))
    assert {path.name for path in made} >= {"model.pth", "metrics.json", "metrics.png", "run.json"}
    assert {path.stat().st_uid for path in made} == {caller}
    record = json.loads((experiments / "e" / "r" / "run.json").read_text())
    provenance = record["provenance"]
    assert provenance["commit"] == git(clone, "rev-parse", "HEAD")
    lock = (clone / "requirements" / "requirements-prod.txt").read_bytes()
    assert provenance["lock_sha256"] == hashlib.sha256(lock).hexdigest()
    assert provenance["image_digest"] == "sha256:of-this-image"


def test_data_is_read_from_a_mounted_folder_that_cannot_be_written(run, experiments, tmp_path):
    from PIL import Image

    for name, shade in (("dark", 20), ("light", 220)):
        (tmp_path / "pictures" / name).mkdir(parents=True)
        for number in range(20):
            Image.new("L", (8, 8), shade + number % 10).save(tmp_path / "pictures" / name / f"{number}.png")
    mount = [f"--volume={tmp_path / 'pictures'}:/workspace/pictures:ro"]
    command = ["image_classifier_trainer", "--experiment_name", "e", "--run_name", "r", "--dataset_folder", "pictures",
               "--model", "cnn", "--num_epochs", "2"]  # fmt: skip
    assert "results     experiments/e/r" in run(*command, options=mount).stdout
    assert json.loads((experiments / "e" / "r" / "metrics.json").read_text())["per_class"].keys() == {"dark", "light"}


def test_a_folder_that_the_caller_may_not_write_is_an_error_with_a_hint(run, experiments):
    os.chown(experiments, 0, -1) if os.geteuid() == 0 else experiments.chmod(0o500)
    done = run(*TRAIN, "--run_name", "r", "--num_epochs", "1", check=False)
    assert done.returncode == 2
    assert [line.partition(": ")[0] for line in done.stderr.splitlines()[-2:]] == ["error", " hint"]


def test_a_named_volume_can_be_written_without_saying_who_one_is(docker, image):
    name = f"image-classifier-tests-{uuid.uuid4().hex[:12]}"
    try:
        write = ["sh", "-c", "touch experiments/written && stat --format %u experiments/written"]
        owner = docker("run", "--rm", f"--volume={name}:/workspace/experiments", image, *write).stdout
        assert owner == "10001\n"
    finally:
        docker("volume", "rm", name)


class Background:
    """A training in a container of its own that goes on while the test looks."""

    def __init__(self, docker, *arguments):
        self.docker = docker
        self.name = docker("run", "--detach", *arguments).stdout.strip()

    def said(self):
        done = subprocess.run([*self.docker.argv, "logs", self.name], capture_output=True, text=True, check=True)
        return done.stdout + done.stderr

    def code(self):
        return int(self.docker("wait", self.name).stdout)

    def remove(self):
        self.docker("rm", "--force", self.name)


@pytest.fixture
def background(docker, image, experiments, caller):
    """background(command…) is a container that runs while the test goes on."""
    started = []

    def start(*command):
        options = [f"--user={caller}", f"--volume={experiments}:/workspace/experiments"]
        started.append(Background(docker, *options, image, *command))
        return started[-1]

    yield start
    for each in started:
        each.remove()


def test_a_stopped_container_keeps_a_checkpoint_and_another_finishes_the_run_to_the_same_bits(
    docker, run, background, experiments, wait_until
):
    epochs = ["--num_epochs", "15"]
    container = background(*TRAIN, "--run_name", "stopped", *epochs)
    assert wait_until(lambda: "epoch 2/15" in container.said()), container.said()
    docker("stop", "--time=60", container.name)
    assert container.code() == 143
    assert "stopped by SIGTERM" in container.said()
    assert (experiments / "e" / "stopped" / "checkpoint.pth").exists()
    assert not (experiments / "e" / "stopped" / "model.pth").exists()
    resumed = run(*TRAIN, "--run_name", "stopped", *epochs, "--resume")
    assert "epoch 1/15" not in resumed.stdout
    run(*TRAIN, "--run_name", "straight", *epochs)
    assert digests(experiments / "e" / "stopped") == digests(experiments / "e" / "straight")


def test_ctrl_c_stops_the_default_command_with_its_own_code(docker, background, wait_until):
    container = background()
    assert wait_until(lambda: "epoch 1/30" in container.said()), container.said()
    docker("kill", "--signal=INT", container.name)
    assert container.code() == 130


def test_a_mistake_is_told_as_outside_a_container(run):
    done = run(*TRAIN, "--run_name", "r", "--num_epoch", "1", check=False)
    assert (done.returncode, done.stderr.splitlines()[0]) == (
        2,
        "error: --num_epoch is not a flag of image_classifier_trainer",
    )
