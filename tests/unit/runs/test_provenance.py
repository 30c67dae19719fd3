"""Where a run came from: the commit and the command, without a password."""

import subprocess

import pytest

from image_classifier.runs import provenance

pytestmark = pytest.mark.unit

ADDRESS = "postgresql://me:s3cret@host/db"  # pragma: allowlist secret


@pytest.mark.parametrize(
    ("arguments", "shown"),
    [
        (["t", "--db_pass", "s3cret", "--seed", "1"], "t --db_pass '***' --seed 1"),
        (["t", "--db_pass=s3cret"], "t '--db_pass=***'"),
        (["t", "--tag", "why=http://s3cret@host/a?s3cret"], "t --tag 'why=http://***@host/a?***'"),
        (["t", "--tracking_uri=http://me:s3 cret@host"], "t '--tracking_uri=http://***@host'"),
        (["t", "--uri", ADDRESS], "t --uri 'postgresql://***@host/db'"),
    ],
)
def test_the_recorded_command_has_no_password(arguments, shown):
    assert "s3cret" not in provenance.command(arguments)
    assert provenance.command(arguments) == shown


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def test_the_commit_comes_from_the_image_where_there_is_no_repository(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("IMAGE_CLASSIFIER_GIT_COMMIT", "abc")
    monkeypatch.setenv("IMAGE_CLASSIFIER_IMAGE_DIGEST", "sha256:1")
    found = provenance.collect()
    assert (found["commit"], found["dirty"], found["image_digest"]) == ("abc", False, "sha256:1")
    monkeypatch.setenv("IMAGE_CLASSIFIER_GIT_COMMIT", "abc-dirty")  # built from a work tree with changes
    assert (provenance.collect()["commit"], provenance.collect()["dirty"]) == ("abc", True)
    monkeypatch.delenv("IMAGE_CLASSIFIER_GIT_COMMIT")
    checkout = git("-C", provenance.__file__.rpartition("/")[0], "rev-parse", "HEAD")
    assert provenance.collect()["commit"] == checkout


def test_the_commit_and_its_cleanliness_are_git_s_own(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("IMAGE_CLASSIFIER_GIT_COMMIT", raising=False)
    (tmp_path / "a").write_text("1")
    git("init", "-q")
    git("add", "a")
    git("-c", "user.name=x", "-c", "user.email=x@y", "commit", "-qm", "x")
    assert provenance.collect()["dirty"] is False
    (tmp_path / "untracked").write_text("1")
    assert provenance.collect()["dirty"] is False
    (tmp_path / "a").write_text("2")
    found = provenance.collect()
    assert found["dirty"] is True
    assert found["commit"] == git("rev-parse", "HEAD")
