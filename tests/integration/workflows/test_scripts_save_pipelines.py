"""save_pipelines.py: the artifact of this run becomes a commit on the branch, if it holds results and nothing else."""

import base64
import json

import pytest
from github_api import serving, zipped
from steps import git, job, refused

NUMBER = 99
LOCK = "examples/digits/dvc.lock"


def results(**files):
    return zipped({"results.json": json.dumps({path: base64.b64encode(text).decode() for path, text in files.items()})})


@pytest.fixture
def saving(tmp_path):
    """Save an artifact from a clone of a bare remote: saving(archive) is the step, saving.remote the remote."""
    with serving() as github:
        made, remote = job(tmp_path, readme="x"), tmp_path / "remote.git"
        git(tmp_path, "clone", "--quiet", "--bare", made.workspace, remote)
        git(made.workspace, "remote", "add", "origin", remote.as_uri())
        commit = git(made.workspace, "rev-parse", "HEAD")
        made.variables = github.environment() | {
            "GITHUB_RUN_ID": NUMBER, "GITHUB_SERVER_URL": "https://github.example", "GITHUB_REF_TYPE": "branch",
            "GITHUB_REF_NAME": "main", "DEFAULT_BRANCH": "main", "GITHUB_SHA": commit,
        }  # fmt: skip

        def save(archive, **variables):
            number = github.add_artifact(github.add_run(NUMBER, conclusion=None), archive)
            digest = github.artifacts[number]["digest"].removeprefix("sha256:")
            (made.temporary / "results.zip").unlink(missing_ok=True)  # each job has a machine of its own
            return made.run("save_pipelines.py", **{"ARTIFACT_ID": number, "ARTIFACT_DIGEST": digest} | variables)

        save.remote, save.commit = remote, commit
        yield save


def test_started_by_the_form_the_results_go_to_the_branch_that_was_chosen(saving):
    git(saving.remote, "branch", "try-it", saving.commit)
    step = saving(results(**{LOCK: b"new"}), GITHUB_REF_NAME="try-it")
    assert step.code == 0, step.stderr
    assert "try-it now ends with" in step.summary
    assert git(saving.remote, "show", f"try-it:{LOCK}") == "new"
    assert git(saving.remote, "log", "-1", "--format=%s by %cn", "try-it") == "All-results by github-actions[bot]"
    assert git(saving.remote, "rev-parse", "main") == saving.commit


def test_what_the_branch_has_otherwise_waits_under_the_number_of_the_run(saving):
    assert saving(results(**{LOCK: b"one"})).code == 0
    step = saving(results(**{LOCK: b"two"}))
    assert step.code == 0, step.stderr
    assert "results/main-99" in step.summary
    assert git(saving.remote, "show", f"main:{LOCK}") == "one"
    assert git(saving.remote, "show", f"results/main-99:{LOCK}") == "two"


@pytest.mark.parametrize(
    ("archive", "words"),
    [
        (b"no zip", "no sound zip"),
        (zipped({}), "no sound zip of one file"),
        (zipped({"results.json": "{}", "other": "x"}), "no sound zip of one file"),
        (zipped({"../results.json": "{}"}), "the artifact holds '../results.json'"),
        (zipped({"results.json": "[1]"}), "the results cannot be read"),
        (results(**{".github/workflows/new.yaml": b"on: push"}), "is nothing that a pipeline may commit"),
    ],
)
def test_an_artifact_that_holds_anything_else_is_refused(saving, archive, words):
    assert refused(saving(archive), words)
    assert git(saving.remote, "rev-parse", "main") == saving.commit


def test_an_artifact_that_the_other_job_did_not_make_is_refused(saving):
    assert refused(saving(results(**{LOCK: b"new"}), ARTIFACT_DIGEST="0" * 64), "the artifact is")
    assert refused(saving(results(**{LOCK: b"new"}), ARTIFACT_ID="1"), "the artifact is")
    assert git(saving.remote, "rev-parse", "main") == saving.commit
