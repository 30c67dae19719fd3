"""experiments.yaml on a real docker daemon, with a real remote and a real S3 server: from the tag to the model."""

import os
import sqlite3
import subprocess
import sys
import uuid

import pytest
from github_api import serving
from rehearsal.runner import PATH

from image_classifier import load_run

WORKFLOW = "experiments.yaml"
TAG = "run-example-digits-;touch$IFS'pwned'`touch${IFS}pwned`$(touch${IFS}pwned)"
# The registry has the image already: its name is that of its content.
PULLING = """#!/bin/sh
if [ "$1" = pull ]; then exec {docker} image inspect "$3"; fi
exec {docker} "$@"
"""


def outcomes(run, job):
    return {step.name: step.outcome for step in run.jobs[job].steps}


def everything(run):
    """All that GitHub shows of a run."""
    return "\n".join([run.name, *(job.summary for job in run.jobs.values())] + [
        step.log for job in run.jobs.values() for step in job.steps
    ])  # fmt: skip


def content_hash(clone, base_image):
    program = "import sys; sys.path.insert(0, '.ci/scripts'); import content; print(content.content_hash())"
    command = [sys.executable, "-B", "-c", program]
    environment = os.environ | {"BASE_IMAGE": base_image}
    return subprocess.run(
        command, cwd=clone, env=environment, check=True, capture_output=True, text=True
    ).stdout.strip()


@pytest.fixture(scope="module")
def source(project, tmp_path_factory):
    return project(tmp_path_factory.mktemp("source") / "repository")


@pytest.fixture(scope="module")
def github(*, hosted, source, docker, base_image, image, store):
    """This repository on a GitHub of its own, with secrets and variables; the image is published there."""
    with serving(token=f"ghs_{uuid.uuid4().hex}") as api:
        variables = {"MLFLOW_URL": "sqlite:////repository/mlflow.db", "MLFLOW_S3_ENDPOINT_URL": store.url}
        github = hosted(source, api, secrets=dict(store.secrets), vars=variables)
        registry = f"registry-{uuid.uuid4().hex}.test"
        published = f"{registry}/{github.repository}/image-classifier:{content_hash(source, base_image)}"
        docker("tag", image, published)
        wrapper = github.folder / "bin" / "docker"
        wrapper.parent.mkdir()
        wrapper.write_text(PULLING.replace("{docker}", docker.argv[0]))
        wrapper.chmod(0o755)
        github.machine = {"PATH": f"{wrapper.parent}:{PATH}", "BASE_IMAGE": base_image, "REGISTRY": registry}
        yield github
        docker("image", "rm", published)


@pytest.fixture(scope="module")
def tagged(github, source):
    """The finished run that a tag with a hostile name started, and the commit that it names."""
    commit = github.git("rev-parse", "main")
    github.git("update-ref", f"refs/tags/{TAG}", commit)
    return github.run(WORKFLOW, "push", {}, ref=f"refs/tags/{TAG}"), commit


@pytest.fixture(scope="module")
def dispatched(github, tagged):
    """The finished run of the form, on the branch with the results, and where the branch ended before."""
    before = github.git("rev-parse", "main")
    return github.dispatch(WORKFLOW, {"example": "digits"}), before


def test_a_tag_runs_the_pipeline_and_its_branch_gets_the_results(github, tagged):
    run, commit = tagged
    assert run.conclusion == "success", everything(run)
    assert {name for job in run.jobs for name, outcome in outcomes(run, job).items() if outcome != "success"} == set()
    assert github.git("rev-parse", "main~1") == commit
    assert github.git("log", "-1", "--format=%B", "main") == "all-results"
    assert github.git("diff", "--name-only", commit, "main") == "examples/digits/dvc.lock"
    assert "main now ends with" in run.jobs["save"].summary


def test_the_data_is_on_s3_and_a_new_clone_can_use_the_model(github, tagged, store, pulled):
    folder, status = pulled(github.remote, "main")
    assert "up to date" in status or "notify" in status
    run = load_run(folder / "examples/digits/artifacts/digits/cnn")
    assert run.metrics()["n"] == 270
    assert run.record["provenance"]["commit"] == tagged[1]
    lock = (folder / "examples/digits/dvc.lock").read_text()
    assert len(store.digests()) > 10
    assert any(digest in lock for digest in store.digests())


def test_mlflow_has_the_run_where_the_variable_says(tagged):
    file = tagged[0].jobs["run"].workspace / "mlflow.db"
    assert file.exists(), everything(tagged[0])
    with sqlite3.connect(file) as database:
        assert database.execute("select name, status from runs").fetchall() == [("cnn", "FINISHED")]


def test_a_second_dispatch_changes_nothing(github, dispatched, store):
    run, before = dispatched
    assert run.conclusion == "success", everything(run)
    assert github.git("rev-parse", "main") == before
    log = next(step.log for step in run.jobs["run"].steps if step.name == "Reproduce and push the data")
    assert "Running stage 'train'" not in log
    assert "Running stage 'examples/digits/dvc.yaml:train'" not in log
    assert "has these results already" in run.jobs["save"].summary
    assert github.git("for-each-ref", "--format=%(refname)", "refs/heads") == "refs/heads/main"


def test_no_name_became_a_command(github, tagged):
    assert list(github.folder.rglob("pwned*")) == []


def test_no_secret_is_shown_or_left_in_a_file(github, tagged, dispatched):
    kept = [path for path in github.folder.rglob("*") if path.is_file()]
    for secret in (*github.secrets.values(), github.api.token):
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []
    for run in (tagged[0], dispatched[0]):
        assert "***" not in everything(run), "not even hidden"


def test_only_the_saving_job_may_write(tagged):
    run, _ = tagged
    assert run.jobs["run"].permissions == {"contents": "read", "packages": "read"}
    assert run.jobs["save"].permissions == {"contents": "write", "actions": "read"}


def test_a_tag_on_no_branch_is_refused_before_anything_is_built(github):
    who = ("-c", "user.name=x", "-c", "user.email=x@y")
    orphan = github.git(*who, "commit-tree", "main^{tree}", "-m", "on no branch")
    github.git("update-ref", "refs/tags/run-example-orphan", orphan)
    run = github.run(WORKFLOW, "push", {}, ref="refs/tags/run-example-orphan")
    assert run.conclusion == "failure"
    assert "error: no branch contains the tagged commit" in everything(run)
    assert outcomes(run, "run")["Get the image"] == "skipped"
    assert run.jobs["save"].result == "skipped"
