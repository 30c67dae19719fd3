"""A run that a team commits travels through Git LFS, with the repository's own .gitattributes and the real git-lfs."""

import os
import shutil
import subprocess

import pytest
import torch
import warm

from image_classifier import load_run
from image_classifier.errors import UserError

RUN = "experiments/pets/first"


def git(folder, *arguments, **environment):
    """What git says, without the settings of whoever runs the test."""
    own = {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1", "HOME": str(folder)}
    settings = ["-c", "user.name=x", "-c", "user.email=x@y", "-c", "init.defaultBranch=main"]
    filters = [f"filter.lfs.{name}=git-lfs {word}" for name, word in (
        ("clean", "clean -- %f"), ("smudge", "smudge -- %f"), ("process", "filter-process"))]  # fmt: skip
    settings += [part for each in [*filters, "filter.lfs.required=true"] for part in ("-c", each)]
    done = subprocess.run(
        ["git", *settings, *arguments], cwd=folder, env=os.environ | own | environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def remote(tmp_path_factory, repository):
    """A bare repository, to which a team pushed a run."""
    if shutil.which("git-lfs") is None:
        assert not os.environ.get("CI"), "CI must have git-lfs"
        pytest.skip("git-lfs is not installed (apt install git-lfs)")
    base = tmp_path_factory.mktemp("lfs")
    bare, team = base / "bare.git", base / "team"
    git(base, "init", "-q", "--bare", bare)
    git(base, "clone", "-q", bare.as_uri(), team)
    shutil.copy(repository / ".gitattributes", team)
    shutil.copy(repository / ".gitignore", team)
    shutil.copytree(repository / "docs" / "pictures", team / "docs" / "pictures")
    flags = ["--experiment_name", "pets", "--run_name", "first", "--dataset_folder", "digits", "--model", "cnn"]
    flags += ["--num_epochs", "1", "--num_threads", "1", "--cache_folder", base / "cache"]
    assert warm.run("image_classifier_trainer", *flags, folder=team).returncode == 0
    git(team, "add", "--all")
    git(team, "commit", "-q", "-m", "first run")
    git(team, "lfs", "push", "origin", "main")
    git(team, "push", "-q", "origin", "main")
    return bare, team


def test_the_run_s_large_files_are_lfs_objects_and_the_docs_pictures_are_not(remote):
    _, team = remote
    tracked = set(git(team, "lfs", "ls-files", "--name-only").split())
    assert {
        f"{RUN}/{name}" for name in ("model.pth", "metrics.png", "confusion_matrix.png", "predictions.npz")
    } <= tracked
    assert not {name for name in tracked if name.startswith("docs/")}
    assert not {name for name in tracked if name.endswith((".json", ".csv"))}, "text stays readable in a pull request"
    blob = git(team, "show", f"HEAD:{RUN}/model.pth")
    assert blob.startswith("version https://git-lfs.github.com/spec/v1\n")


def test_a_clone_elsewhere_loads_the_model_it_was_sent(remote, tmp_path):
    bare, team = remote
    git(tmp_path, "clone", "-q", bare.as_uri(), "clone")
    here, there = load_run(team / RUN), load_run(tmp_path / "clone" / RUN)
    sent, arrived = here.model().state_dict(), there.model().state_dict()
    assert sent.keys() == arrived.keys()
    assert all(torch.equal(sent[name], arrived[name]) for name in sent)
    assert there.metrics() == here.metrics()


def test_a_clone_without_the_objects_is_told_how_to_fetch_them_and_then_loads(remote, tmp_path):
    bare, _ = remote
    git(tmp_path, "clone", "-q", bare.as_uri(), "clone", GIT_LFS_SKIP_SMUDGE="1")
    clone = tmp_path / "clone"
    with pytest.raises(UserError) as refused:
        load_run(clone / RUN).model()
    assert "git lfs pull" in refused.value.hint
    git(clone, "lfs", "pull", "--include", RUN)
    assert load_run(clone / RUN).model() is not None


def test_nothing_of_an_unfinished_run_is_committed(remote):
    _, team = remote
    for name in ("checkpoint.pth", "checkpoint_previous.pth"):
        (team / RUN / name).write_bytes(b"x")
    assert git(team, "status", "--porcelain") == ""
