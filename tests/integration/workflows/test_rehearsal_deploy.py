"""deploy-pipeline.yaml with a real S3 server and a server that holds each request against KFP's published API."""

import os
import subprocess
import sysconfig
import uuid

import boto3
import kfp_api
import pytest
from github_api import serving
from moto.server import ThreadedMotoServer
from rehearsal.runner import PATH, unprivileged

WORKFLOW = "deploy-pipeline.yaml"
STEPS = ["Check out the repository", "Take the Python of the image", "Find the image", "Install the locked layers"]
STEPS += ["Compile and upload"]
KUBERNETES = "bucket-keys"  # a name, no secret
HOSTILE = "main-;touch$IFS'pwned'`touch${IFS}pwned`$(touch${IFS}pwned)"


def everything(run):
    """All that GitHub shows of a run."""
    return "\n".join([run.name, *(job.summary for job in run.jobs.values())] + [
        step.log for job in run.jobs.values() for step in job.steps
    ])  # fmt: skip


@pytest.fixture(scope="module")
def installed():
    """Where the locked packages are, for those who run steps: pip finds them there and need not fetch 6 GB."""
    folder = sysconfig.get_path("purelib")
    code = "import sys; sys.path.insert(0, sys.argv[1]); import numpy, kfp, yaml"
    tried = subprocess.run(["python3", "-c", code, folder], env={"PATH": PATH}, cwd="/", **unprivileged())
    if tried.returncode:
        assert not os.environ.get("CI"), "CI must have it"
        pytest.skip(f"the steps' user cannot use the packages in {folder}")
    return folder


@pytest.fixture(scope="module")
def bucket():
    """A bucket on an S3 server of this machine, with its address and its keys."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    url = f"http://127.0.0.1:{server.get_host_and_port()[1]}"
    keys = {"AWS_ACCESS_KEY_ID": f"id-{uuid.uuid4().hex}", "AWS_SECRET_ACCESS_KEY": f"key-{uuid.uuid4().hex}"}
    login = {name.lower(): value for name, value in keys.items()} | {"region_name": "us-east-1"}
    yield boto3.resource("s3", endpoint_url=url, **login).create_bucket(Bucket="team"), url, keys
    server.stop()


@pytest.fixture(scope="module")
def kfp():
    with kfp_api.serving(token=f"token-{uuid.uuid4().hex}") as running:
        yield running
    assert running.wrong == []


@pytest.fixture(scope="module")
def github(*, hosted, clone, docker, installed, bucket, kfp):
    """This repository on a GitHub of its own that is set up to deploy."""
    _, url, keys = bucket
    with serving(token=f"ghs_{uuid.uuid4().hex}") as api:
        variables = {"KFP_HOST": kfp.url, "PIPELINE_ROOT": "s3://team/errors", "AWS_ENDPOINT_URL": url}
        variables |= {"PIPELINE_CRON": "0 0 6 * * 1", "PIPELINE_SECRET": KUBERNETES}
        github = hosted(clone, api, secrets=keys | {"KFP_TOKEN": kfp.token}, vars=variables)
        program = os.path.dirname(docker.argv[0])
        github.machine = {"PYTHONPATH": installed, "PATH": f"{PATH}:{program}", "REGISTRY": "127.0.0.1:1"}
        yield github


@pytest.fixture(scope="module")
def pushed(github):
    """The finished run of a push to main."""
    return github.run(WORKFLOW, "push", {})


def test_a_push_uploads_a_version_named_by_its_commit(github, pushed, kfp):
    assert pushed.conclusion == "success", everything(pushed)
    assert [(step.name, step.outcome) for step in pushed.jobs["update"].steps] == [(name, "success") for name in STEPS]
    ((number, about),) = kfp.versions.items()
    version = about["description"].partition(":")[0]
    commit = github.git("rev-parse", "main")
    assert version.partition("-")[0] == commit[:12]
    assert "dirty" not in version
    assert f"version {version} of frequent-error-sets is uploaded: {kfp.url}/#/" in pushed.jobs["update"].summary
    assert kfp.calls()[0] == ("POST", "upload")
    assert f"image: 127.0.0.1:1/{github.repository}/image-classifier:".encode() in kfp.files[number]


def test_the_bucket_keeps_the_same_bytes_and_their_zip(pushed, kfp, bucket):
    (content,) = kfp.files.values()
    (about,) = kfp.versions.values()
    version = about["description"].partition(":")[0]
    kept = {each.key: each.get()["Body"].read() for each in bucket[0].objects.all()}
    assert sorted(kept) == [f"errors/packages/{version}/{name}" for name in ("pipeline.yaml", "pipeline.zip")]
    assert kept[f"errors/packages/{version}/pipeline.yaml"] == content


def test_the_version_has_the_team_s_settings(pushed, kfp):
    (content,) = kfp.files.values()
    assert b"defaultValue: s3://team/errors" in content
    assert KUBERNETES.encode() in content
    ((_, made),) = kfp.recurring.items()
    assert made["trigger"]["cron_schedule"]["cron"] == "0 0 6 * * 1"
    assert made["runtime_config"]["parameters"]["root"] == "s3://team/errors"


def test_an_image_that_is_not_published_is_a_warning_on_the_page(pushed):
    (log,) = [step.log for step in pushed.jobs["update"].steps if step.name == "Find the image"]
    assert "::warning::127.0.0.1:1/" in log
    assert pushed.jobs["update"].permissions == {"contents": "read", "packages": "read"}


@pytest.fixture(scope="module")
def hostile(github, pushed):
    """The finished run of the button, on a branch whose name is a command, with a variable that is one."""
    github.git("update-ref", f"refs/heads/{HOSTILE}", github.git("rev-parse", "main"))
    github.vars["PIPELINE_CRON"] = "$(touch pwned)`touch pwned`;touch pwned"
    return github.dispatch(WORKFLOW, {}, ref=f"refs/heads/{HOSTILE}")


def test_no_name_and_no_variable_becomes_a_command(github, hostile, kfp):
    assert hostile.conclusion == "failure"
    last = hostile.jobs["update"].steps[-1]
    assert (last.name, last.outcome) == ("Compile and upload", "failure")
    assert "error: --cron '$(touch pwned)`touch pwned`;touch pwned' is not six fields" in last.log
    assert list(github.folder.rglob("pwned*")) == []
    assert len(kfp.versions) == 1


def test_no_secret_is_shown_or_left_in_a_file(github, pushed, hostile, kfp):
    kept = [path for path in github.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    for secret in (*github.secrets.values(), github.api.token):
        assert [path for path in kept if secret.encode() in path.read_bytes()] == []
        assert not any(secret.encode() in content for content in kfp.files.values())
    for run in (pushed, hostile):
        assert "***" not in everything(run), "not even hidden"
